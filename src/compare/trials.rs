//! A sweep's table of trials and its name, as far as comparing needs them.

use super::find;
use super::outcome::Outcome;
use crate::record::Status;
use crate::record::folder::file;
use crate::record::reader::read_file;
use crate::record::run_json::RunInfo;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The table, in the folder that holds the trials' runs; FORMAT.md has its columns.
pub const TRIALS: &str = "trials.csv";
/// Columns behind this one are the axes, up to the first of those behind them.
const LAST_FIXED: &str = "reason";
const BEHIND: [&str; 2] = ["saved_steps", "saved_seconds"];
/// The state of a trial that was given up, of which its run only knows that it was stopped.
const PRUNED: &str = "pruned";

/// The trials of a sweep.
pub struct Trials {
    /// The axes' names.
    pub axes: Vec<String>,
    /// By run folder.
    by_run: BTreeMap<String, Trial>,
}

struct Trial {
    /// Empty where the table does not say.
    state: String,
    /// Along the axes.
    values: Vec<String>,
}

impl Trials {
    /// Those whose runs lie in `folder`. `None` where it has no such table, or one that cannot be read or lies elsewhere, behind a
    /// link.
    pub fn of(folder: &Path) -> Option<Self> {
        Self::read(&inside(folder, TRIALS)?)
    }

    fn read(table: &Path) -> Option<Self> {
        let mut reader = csv::Reader::from_path(table).ok()?;
        let header = reader.headers().ok()?.clone();
        let place = |name: &str| header.iter().position(|column| column == name);
        let (run, state, first) = (place("run")?, place("state"), place(LAST_FIXED)? + 1);
        let names: Vec<String> = header.iter().skip(first).map(str::to_owned).collect();
        let axes = names.len() - if names.ends_with(&BEHIND.map(str::to_owned)) { BEHIND.len() } else { 0 };
        let mut by_run = BTreeMap::new();
        for record in reader.records() {
            let record = record.ok()?;
            let state = state.and_then(|place| record.get(place)).unwrap_or_default().to_owned();
            let values = record.iter().skip(first).take(axes).map(plain).collect();
            by_run.insert(record.get(run)?.to_owned(), Trial { state, values });
        }
        Some(Self { axes: names[..axes].to_vec(), by_run })
    }

    /// The values of a run along the axes; `None` where it is no trial.
    pub fn values(&self, run: &Path) -> Option<&Vec<String>> {
        self.trial(run).map(|trial| &trial.values)
    }

    fn trial(&self, run: &Path) -> Option<&Trial> {
        self.by_run.get(run.file_name()?.to_str()?)
    }
}

/// A file of the folder. `None` where it lies elsewhere, behind a link: a folder that is served shows nothing from outside.
fn inside(folder: &Path, file: &str) -> Option<PathBuf> {
    let path = folder.join(file);
    let leads_out = find::canonical(find::here(folder)).is_ok_and(|root| find::leads_out(&path, &root));
    (!leads_out).then_some(path)
}

/// The name of the sweep that all these runs are trials of. `None` where some are none or of another, where what the sweep's folder
/// holds cannot be read, and of one run alone, which may be all that is served.
pub fn sweep_of<'a>(runs: impl IntoIterator<Item = &'a Outcome>) -> Option<String> {
    let runs: Vec<&Path> = runs.into_iter().map(|run| run.path.as_path()).collect();
    let [first, _, ..] = runs[..] else { return None };
    let folder = first.parent()?;
    let trials = Trials::of(folder)?;
    if runs.iter().any(|run| run.parent() != Some(folder) || trials.trial(run).is_none()) {
        return None;
    }
    let text = String::from_utf8(read_file(&inside(folder, file::SWEEP)?).ok()?).ok()?;
    let sweep: toml::Table = text.parse().ok()?;
    Some(sweep.get("name")?.as_str()?.to_owned())
}

/// A value without the quotation marks that TOML wants around words: settings are shown without, too.
fn plain(value: &str) -> String {
    let inside = |mark: &char| value.strip_prefix(*mark)?.strip_suffix(*mark).filter(|inside| !inside.contains(*mark));
    ['"', '\''].iter().find_map(inside).unwrap_or(value).to_owned()
}

/// Which of these runs their sweeps gave up: the runs themselves only know that they were stopped. `root`: the folder that is watched,
/// if one is; a table above it is not read.
pub fn pruned<'a>(runs: impl IntoIterator<Item = (&'a Path, &'a RunInfo)>, root: Option<&Path>) -> Vec<bool> {
    let mut tables: BTreeMap<&Path, Option<Trials>> = BTreeMap::new();
    let mut is_pruned = |(run, info): (&'a Path, &RunInfo)| {
        let is_inside = |folder: &&Path| root.is_none_or(|root| folder.starts_with(root));
        let stopped = info.status == Status::Interrupted;
        let Some(folder) = run.parent().filter(is_inside).filter(|_| stopped) else { return false };
        let table = tables.entry(folder).or_insert_with(|| Trials::of(folder));
        table.as_ref().and_then(|trials| trials.trial(run)).is_some_and(|trial| trial.state == PRUNED)
    };
    runs.into_iter().map(&mut is_pruned).collect()
}

/// Tells the runs that were stopped which of them their sweeps gave up.
pub fn mark_pruned(runs: &mut [Outcome], root: Option<&Path>) {
    let known = pruned(runs.iter().map(|run| (run.path.as_path(), &run.info)), root);
    for (run, pruned) in runs.iter_mut().zip(known) {
        run.pruned = pruned;
    }
}
