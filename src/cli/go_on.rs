//! `runner train --go-on`: whether the run that a folder holds is one of what is asked for.

use super::recorded::{Recorded, is_there};
use super::train::Opened;
use super::{Failure, prepare};
use crate::config::spec::{RecordSpec, SetSpec, Spec};
use crate::config::{Loaded, UsedSet};
use crate::data::Dataset;
use crate::record::console::Display;
use crate::record::run_json::{RunInfo, Score};
use crate::record::{Event, Status};
use crate::registry::Choice;
use crate::task;
use crate::train::PICTURES;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// So much of a spec hash tells two apart.
const SHOWN: usize = 8;

/// Sees that the run in the folder `run` is one of the experiment that is asked for: of the same spec hash, seed and name.
///
/// # Errors
/// A usage error where it is another one; those of reading weights or images that are not those of the run by their paths.
pub fn check(run: &Path, recorded: &Recorded, asked: &Loaded, display: Display) -> Result<(), Failure> {
    let (before, spec) = (&recorded.info, &asked.spec);
    let hash = hash(recorded, asked, display)?;
    if hash.as_ref() == Some(&before.spec_hash) && before.seed == spec.seed && before.name == spec.name {
        return Ok(());
    }
    let there = in_words(&before.name, before.seed, Some(&before.spec_hash));
    let wanted = in_words(&spec.name, spec.seed, hash.as_deref());
    let shown = run.display();
    let help = match before.status {
        Status::Done => String::new(),
        _ => format!(", or go on with the run that is there by `runner train --resume {shown}`"),
    };
    Err(Failure::Usage(format!(
        "{shown} holds a run of another experiment: {there}; asked for is {wanted}\nhelp: name another --run-folder{help}"
    )))
}

/// The settings of `[record]` that are asked for otherwise than the run has them, by path. They are no part of what the experiment
/// is, so [`check`] passes over them; but a run keeps those that it was begun with. `None`: there are none.
pub fn too_late(asked: &Loaded, of_run: RecordSpec) -> Option<String> {
    // By name, so that none that is added is forgotten.
    let RecordSpec { tensorboard, best, phases } = asked.spec.record;
    let settings = [
        ("record.tensorboard", tensorboard != of_run.tensorboard),
        ("record.best", best != of_run.best),
        ("record.phases", phases != of_run.phases),
    ];
    // Nobody asks for what is a default.
    let late = settings.into_iter().filter(|(path, differs)| *differs && asked.source.is_given(path));
    let paths: Vec<&str> = late.map(|(path, _)| path).collect();
    (!paths.is_empty()).then(|| paths.join(", "))
}

/// What `--json` prints of a run that is done: the event that its training ended with, marked as of before, and what a reader knows
/// of a run that trains by the events that come first.
#[derive(serde::Serialize)]
struct DoneBefore<'a> {
    #[serde(flatten)]
    finished: Event,
    already_done: bool,
    folder: String,
    best: Option<&'a Score>,
    #[serde(rename = "final")]
    last: Option<&'a Score>,
}

/// The line of `--json` that tells of a run that is done, in the folder `run`.
///
/// # Errors
/// When it cannot be told, which is not expected.
pub fn done_event(run: &Path, before: &RunInfo) -> anyhow::Result<String> {
    let finished = Event::Finished {
        status: before.status,
        exit_reason: before.exit_reason.clone().unwrap_or_default(),
        step: before.steps_done,
        seconds: before.seconds,
        skipped_steps: before.skipped_steps,
    };
    let (folder, best, last) = (run.display().to_string(), before.best.as_ref(), before.last.as_ref());
    let event = DoneBefore { finished, already_done: true, folder, best, last };
    Ok(serde_json::to_string(&event)? + "\n")
}

/// `base` with seed 3 and spec hash 1a2b3c4d
fn in_words(name: &str, seed: u64, hash: Option<&str>) -> String {
    let what = match hash {
        Some(hash) => format!("spec hash {}", hash.get(..SHOWN).unwrap_or(hash)),
        None => "other phases or data sets".to_owned(),
    };
    format!("`{name}` with seed {seed} and {what}")
}

/// The spec hash of what is asked for. Images and weights that it names by the run's own paths are taken to be those of the run,
/// whose digests are looked at when it goes on: they need not be there any more. `None` where other sets are named.
fn hash(recorded: &Recorded, asked: &Loaded, display: Display) -> Result<Option<String>, Failure> {
    let mut asked = asked.clone();
    prepare::with_absolute_paths(&mut asked.spec)?;
    let weights = weights(&asked, &recorded.info)?;
    match task::painting(asked.spec.task.as_ref()) {
        Some(painting) => {
            let read;
            let digest: &str = if asked.spec.task == recorded.loaded.spec.task {
                &recorded.info.dataset.digest
            } else {
                read = prepare::pictures(&painting, &asked.source)?;
                read.digest()
            };
            Ok(Some(asked.spec.hash(&[UsedSet { name: PICTURES, digest }], weights.as_deref())))
        }
        None => of_sets(recorded, &asked, weights.as_deref(), display),
    }
}

/// The SHA-256 of the weights that the net starts from.
fn weights(asked: &Loaded, before: &RunInfo) -> Result<Option<String>, Failure> {
    let Some(path) = &asked.spec.model.weights else { return Ok(None) };
    match &before.weights {
        Some(known) if Path::new(&known.path) == path => Ok(Some(known.sha256.clone())),
        _ => Ok(Some(prepare::weights_digest(path, &asked.source)?)),
    }
}

/// The spec hash of an experiment that trains a net.
fn of_sets(
    recorded: &Recorded,
    asked: &Loaded,
    weights: Option<&str>,
    display: Display,
) -> Result<Option<String>, Failure> {
    let before = &recorded.loaded.spec;
    let Some(of_run) = counterparts(&asked.spec, before) else { return Ok(None) };
    if !asked.spec.sets().iter().zip(&of_run).all(|(asked, of_run)| is_same_folder(asked, of_run)) {
        // Elsewhere may lie the same images. What there is to say of them is said by a run that goes on.
        let Opened { loaded, datasets } = Opened::open(asked, display, None, &mut Vec::new())?;
        return Ok(Some(loaded.spec.hash(&used(&datasets), weights)));
    }
    let names: Vec<&str> = of_run.iter().map(|set| set.dataset.kind.as_str()).collect();
    let mut spec = asked.spec.using(&names);
    // As many as the largest of several sets has, which the run knows.
    if names.len() > 1 && spec.model.classes.is_none() {
        spec.model.classes = before.model.classes;
    }
    let sets = recorded.info.datasets().map(|set| UsedSet { name: &set.name, digest: &set.digest });
    let sets: Vec<UsedSet<'_>> = sets.collect();
    Ok((spec.sets().len() == sets.len()).then(|| spec.hash(&sets, weights)))
}

fn used(datasets: &[Arc<Dataset>]) -> Vec<UsedSet<'_>> {
    datasets.iter().map(|set| UsedSet { name: &set.facts.name, digest: &set.digest }).collect()
}

/// What each of the sets that are asked for is in the run, by the phases that use it: itself, or what stands in for it. `None`
/// where it is another set.
fn counterparts(asked: &Spec, before: &Spec) -> Option<Vec<SetSpec>> {
    let ((sets, by_phase), (of_run, of_run_by_phase)) = (asked.sets_by_phase(), before.sets_by_phase());
    let counterpart = |(k, set): (usize, &SetSpec)| {
        // The first is that of `[data]`, whichever phases use it.
        let place = match k {
            0 => 0,
            _ => *of_run_by_phase.get(by_phase.iter().position(|of| *of == k)?)?,
        };
        let found = of_run.get(place)?;
        let is_it = |choice: &Choice| choice.kind == found.dataset.kind;
        (is_it(&set.dataset) || asked.data.stand_in.as_ref().is_some_and(is_it)).then(|| found.clone())
    };
    sets.iter().enumerate().map(counterpart).collect()
}

/// Whether two sets are sought in one folder. The run's is left out where it is there no more.
fn is_same_folder(asked: &SetSpec, of_run: &SetSpec) -> bool {
    let there = |root: &&PathBuf| is_there(root);
    asked.root == of_run.root || asked.root.as_ref().filter(there) == of_run.root.as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Text};

    fn recorded(folder: &Path, content: &str, digest: &str) -> Recorded {
        let loaded = loaded(folder, content, &[]);
        let mut info = RunInfo::of_others(&loaded.spec.name, "", "cpu", "2026-01-01T00:00:00Z");
        info.seed = loaded.spec.seed;
        info.dataset.name = "shapes".to_owned();
        info.dataset.digest = digest.to_owned();
        info.spec_hash = loaded.spec.hash(&[UsedSet { name: "shapes", digest }], None);
        Recorded::new(info, loaded)
    }

    fn loaded(folder: &Path, content: &str, sets: &[&str]) -> Loaded {
        let text = Text { name: "a.toml".into(), content: content.to_owned(), folder: folder.to_owned() };
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        config::read(text, &sets).unwrap_or_else(|errors| panic!("{errors}\n{content}"))
    }

    fn experiment(data: &str) -> String {
        format!(
            "name = \"a\"\nseed = 3\n[data]\n{data}\n[model]\nbackbone = \"shallow\"\n\
             [[phases]]\nsteps = 2\nbatch = 4\noptimizer = \"sgd\"\nlr = 0.1\n"
        )
    }

    #[test]
    fn the_same_command_asks_for_the_same_run_whatever_stood_in() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let recorded = recorded(dir.path(), &experiment("dataset = \"shapes\""), "123");
        for data in ["dataset = \"shapes\"", "dataset = \"cifar10\"\nstand_in = \"shapes\""] {
            let asked = loaded(dir.path(), &experiment(data), &["record.tensorboard=true"]);
            assert!(check(&run, &recorded, &asked, Display::Quiet).is_ok(), "{data}");
        }
    }

    #[test]
    fn what_another_run_is_asked_for_by_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("run");
        let recorded = recorded(dir.path(), &experiment("dataset = \"shapes\""), "123");
        let hash = &recorded.info.spec_hash[..SHOWN];
        for (change, word) in [
            ("seed=7", "seed 7"),
            ("name='b'", "`b` with"),
            ("phases[0].lr=0.5", "asked for is `a` with seed 3 and spec hash"),
            ("phases[0].batch=8", "asked for is `a` with seed 3 and spec hash"),
            ("data.dataset='mnist'", "other phases or data sets"),
        ] {
            let asked = loaded(dir.path(), &experiment("dataset = \"shapes\""), &[change]);
            let error = check(&run, &recorded, &asked, Display::Quiet).expect_err(change);
            let Failure::Usage(said) = error else { panic!("{change}: {error:?}") };
            let there = format!("`a` with seed 3 and spec hash {hash}");
            assert!(said.contains(&there) && said.contains(word) && said.contains("another --run-folder"), "{said}");
        }
    }
}
