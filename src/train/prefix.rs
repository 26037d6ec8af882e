//! What a run keeps of its beginning, for runs that begin alike: its state at the border of two phases, and its records up to
//! there. A run that begins from it is, byte for byte, the run that trained the beginning itself; its seconds are those of the
//! steps wherever they were taken.

use super::chores::CHECKPOINT_FILE;
use super::state::Progress;
use super::{Job, checkpoint};
use crate::plan::{Plan, Prefix};
use crate::record::folder::file;
use crate::record::text::plural;
use crate::record::{Positions, atomic, reader};
use crate::units::Seconds;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Says what is kept, and is written last: where it lies, all of it is there.
const HEAD: &str = "prefix.json";
/// Beside the checkpoint: the phases before which the state is to be kept.
const ASKED: &str = "keep-prefix.json";

/// All that two runs must have in common for the state of one to be that of the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beginning {
    /// Of the plan: see [`Plan::prefixes`](crate::plan::Plan::prefixes).
    digest: String,
    seed: u64,
    /// Digests of the data sets.
    datasets: Vec<String>,
    /// SHA-256 of the weights that the net starts from.
    weights: Option<String>,
    /// Other devices round otherwise.
    #[serde(default = "cpu")]
    device: String,
    /// So do other instructions.
    instruction_set: String,
    /// Other programs may compute otherwise.
    program: String,
}

/// What was kept before there were others.
fn cpu() -> String {
    "cpu".to_owned()
}

impl Beginning {
    /// Of a job up to one of its phases; `None` where nothing comes before that phase, or there is no such phase.
    pub fn of(job: &Job, phase: usize) -> Option<Self> {
        let prefix = job.plan.prefixes(&job.spec).into_iter().find(|prefix| prefix.phase == phase)?;
        Some(Self::up_to(job, prefix))
    }

    /// All of a job, for one that has further phases behind its own; `None` where its end is not that of a phase alone.
    pub fn whole(job: &Job) -> Option<Self> {
        job.plan.whole(&job.spec).ok().map(|prefix| Self::up_to(job, prefix))
    }

    fn up_to(job: &Job, prefix: Prefix) -> Self {
        let commit = option_env!("RUNNER_GIT_COMMIT").unwrap_or("no commit");
        Self {
            digest: prefix.digest,
            seed: job.spec.seed,
            datasets: job.datasets.iter().map(|set| set.digest.clone()).collect(),
            weights: job.weights.as_ref().map(|weights| weights.sha256.clone()),
            device: job.machine.compute.label(),
            instruction_set: job.machine.compute.isa.name().to_owned(),
            program: format!("{} of {commit}", env!("CARGO_PKG_VERSION")),
        }
    }

    /// In what another one differs, in words.
    pub fn differences(&self, other: &Self) -> Vec<&'static str> {
        let parts = [
            ("other settings", self.digest == other.digest),
            ("another seed", self.seed == other.seed),
            ("other images", self.datasets == other.datasets),
            ("other starting weights", self.weights == other.weights),
            ("another device", self.device == other.device),
            ("other instructions", self.instruction_set == other.instruction_set),
            ("another program", self.program == other.program),
        ];
        parts.into_iter().filter(|(_, same)| !same).map(|(words, _)| words).collect()
    }
}

/// A beginning that was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    pub beginning: Beginning,
    /// The first phase that it leaves to others.
    pub phase: usize,
    pub steps: u64,
    /// Spent on training them.
    pub seconds: Seconds,
    /// The name of the run's folder.
    pub run: String,
}

/// Where a run keeps its beginning up to a phase.
pub fn folder(run: &Path, phase: usize) -> PathBuf {
    run.join(file::CHECKPOINT).join(format!("before-phase-{phase}"))
}

/// The folders of the beginnings that a run has kept.
pub fn all_kept(run: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(run.join(file::CHECKPOINT)).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| is_there(path)).collect();
    folders.sort();
    folders
}

/// Notes in the folder of a run the phases before which its state is to be kept, for processes that take it up.
///
/// # Errors
/// When the disk refuses.
pub fn ask(run: &Path, phases: &[usize]) -> anyhow::Result<()> {
    if phases.is_empty() {
        return Ok(());
    }
    let checkpoint = run.join(file::CHECKPOINT);
    fs::create_dir_all(&checkpoint).with_context(|| format!("cannot create the folder {}", checkpoint.display()))?;
    Ok(atomic::write(&checkpoint.join(ASKED), &serde_json::to_vec(phases)?)?)
}

/// The phases that were noted; none where nothing was.
///
/// # Errors
/// When they cannot be read.
pub fn asked(run: &Path) -> anyhow::Result<Vec<usize>> {
    let path = run.join(file::CHECKPOINT).join(ASKED);
    match reader::read_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        bytes => {
            let bytes = bytes.with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_slice(&bytes).with_context(|| format!("{} is no list of phases", path.display()))
        }
    }
}

/// Whether a beginning lies in a folder.
pub fn is_there(folder: &Path) -> bool {
    folder.join(HEAD).is_file()
}

/// Whether a run has kept it.
pub fn is_kept(run: &Path, phase: usize) -> bool {
    is_there(&folder(run, phase))
}

/// Why a run that is done has not kept its beginning up to a phase, in words.
pub fn not_kept(phase: usize, plan: &Plan, progress: &Progress) -> String {
    let (word, border) = match plan.phases.get(phase) {
        Some(begins) => (phase.to_string(), begins.first_step),
        None => ("end".to_owned(), plan.total_steps),
    };
    let why = match progress.ended.is_some() && progress.step <= border {
        true => format!("training ended by a rule after {}", plural(progress.step, "step")),
        false => "the run was past that when it was asked for".to_owned(),
    };
    format!("NOTHING IS KEPT for `--keep-prefix {word}`: {why}")
}

impl Kept {
    /// Keeps the beginning of the run in that folder, whose tables are on the disk up to `at` and whose best evaluation so far was
    /// behind the step `best`.
    ///
    /// What was kept once stays as it is: another run may be reading it, and the seconds of a second time would be others.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, run: &Path, state: &[u8], at: &Positions, best: Option<u64>) -> anyhow::Result<()> {
        let folder = folder(run, self.phase);
        fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
        for (name, at) in &at.0 {
            copy(&run.join(name), &folder.join(name), at.bytes)?;
        }
        // Of a run that was killed and goes on from before it, the best weights may be of a step that is yet to come.
        let is_best = |path: &Path| best.is_some() && checkpoint::step_of_model(path) == best;
        copy_models(run, &folder, self.phase, is_best)?;
        atomic::write(&folder.join(CHECKPOINT_FILE), state)?;
        Ok(atomic::write(&folder.join(HEAD), &serde_json::to_vec_pretty(self)?)?)
    }

    /// What was kept in a folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(HEAD);
        let bytes = reader::read_file(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&bytes).with_context(|| format!("{} is no kept beginning", path.display()))
    }
}

/// Copies what was kept before a phase into the folder of a run that begins from it; weights come to
/// [their place](put_models_in_place) once the run has a record. The tables of a run that was killed while doing so are replaced.
///
/// # Errors
/// When the disk refuses.
pub fn copy_into(run: &Path, kept: &Path, phase: usize, at: &Positions) -> anyhow::Result<()> {
    for (name, at) in &at.0 {
        copy(&kept.join(name), &run.join(name), at.bytes)?;
    }
    let checkpoint = run.join(file::CHECKPOINT);
    fs::create_dir_all(&checkpoint).with_context(|| format!("cannot create the folder {}", checkpoint.display()))?;
    copy_models(kept, &checkpoint, phase, |_| true)?;
    copy(&kept.join(CHECKPOINT_FILE), &checkpoint.join(CHECKPOINT_FILE), u64::MAX)
}

/// The weights that a run has kept before a phase, as far as it was asked to: the best so far, and those of each phase.
fn copy_models(from: &Path, to: &Path, phase: usize, is_best: impl Fn(&Path) -> bool) -> anyhow::Result<()> {
    models(phase)
        .filter(|name| from.join(name).is_file() && (name != file::BEST_MODEL || is_best(&from.join(name))))
        .try_for_each(|name| copy(&from.join(&name), &to.join(&name), u64::MAX))
}

/// The files of weights that a run of so many phases may keep on its way.
fn models(phases: usize) -> impl Iterator<Item = String> {
    (0..phases).map(file::model_of_phase).chain([file::BEST_MODEL.to_owned()])
}

/// Those that came with a beginning, and wait where what a killed process leaves is no matter.
fn waiting(run: &Path, phases: usize) -> impl Iterator<Item = (PathBuf, PathBuf)> {
    let (checkpoint, run) = (run.join(file::CHECKPOINT), run.to_owned());
    models(phases).map(move |name| (checkpoint.join(&name), run.join(name))).filter(|(from, _)| from.is_file())
}

/// Puts the weights that came with a beginning where a run of so many phases has its own.
///
/// # Errors
/// When the disk refuses.
pub fn put_models_in_place(run: &Path, phases: usize) -> io::Result<()> {
    waiting(run, phases).try_for_each(|(from, to)| fs::rename(from, to))
}

/// Leaves out what came with a beginning, weights and state, before a run of so many phases begins in another way: a process that was
/// killed may have left it.
///
/// # Errors
/// When the disk refuses.
pub fn drop_waiting(run: &Path, phases: usize) -> io::Result<()> {
    waiting(run, phases).try_for_each(|(from, _)| fs::remove_file(from))?;
    match fs::remove_file(run.join(file::CHECKPOINT).join(CHECKPOINT_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The first so many bytes of a file, or all that there are.
fn copy(from: &Path, to: &Path, bytes: u64) -> anyhow::Result<()> {
    let file = fs::File::open(from).with_context(|| format!("cannot read {}", from.display()))?;
    Ok(atomic::write_with(to, |out| io::copy(&mut file.take(bytes), out).map(drop))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashMap};

    /// A file of no weights, after that step.
    fn weights(path: &Path, step: &str) {
        let metadata = HashMap::from([("step".to_owned(), step.to_owned())]);
        let none: [(String, safetensors::tensor::TensorView<'_>); 0] = [];
        fs::write(path, safetensors::serialize(none, Some(metadata)).unwrap()).unwrap();
    }

    #[test]
    fn the_best_weights_are_kept_where_they_are_of_a_step_before() {
        let run = tempfile::tempdir().unwrap();
        weights(&run.path().join(file::BEST_MODEL), "850");
        weights(&run.path().join(file::model_of_phase(0)), "400");
        let beginning = Beginning {
            digest: String::new(),
            seed: 1,
            datasets: Vec::new(),
            weights: None,
            device: cpu(),
            instruction_set: "avx2".to_owned(),
            program: String::new(),
        };
        let kept = Kept { beginning, phase: 1, steps: 401, seconds: 1.0, run: "run".to_owned() };
        for (best, is_there) in [(Some(299), false), (None, false), (Some(850), true)] {
            kept.write(run.path(), b"state", &Positions(BTreeMap::new()), best).unwrap();
            let folder = folder(run.path(), 1);
            assert_eq!(folder.join(file::BEST_MODEL).is_file(), is_there, "{best:?}");
            assert!(folder.join(file::model_of_phase(0)).is_file());
            fs::remove_dir_all(&folder).unwrap();
        }
    }

    #[test]
    fn weights_wait_beside_the_state_until_the_run_has_a_record() {
        let dir = tempfile::tempdir().unwrap();
        let (kept, run) = (dir.path().join("kept"), dir.path().join("run"));
        fs::create_dir_all(&kept).unwrap();
        fs::create_dir_all(&run).unwrap();
        fs::write(kept.join(CHECKPOINT_FILE), "state").unwrap();
        let names: Vec<String> = models(2).collect();
        names.iter().for_each(|name| weights(&kept.join(name), "1"));
        let is_in = |folder: &Path| names.iter().filter(|name| folder.join(name).is_file()).count();
        copy_into(&run, &kept, 2, &Positions(BTreeMap::new())).unwrap();
        assert_eq!((is_in(&run), is_in(&run.join(file::CHECKPOINT))), (0, 3));
        put_models_in_place(&run, 2).unwrap();
        assert_eq!((is_in(&run), is_in(&run.join(file::CHECKPOINT))), (3, 0));
        copy_into(&run, &kept, 2, &Positions(BTreeMap::new())).unwrap();
        drop_waiting(&run, 2).unwrap();
        assert!(is_in(&run.join(file::CHECKPOINT)) == 0 && !run.join(file::CHECKPOINT).join(CHECKPOINT_FILE).exists());
        drop_waiting(&run, 2).unwrap();
    }
}
