//! What one run came to.

use super::group::MOST_NAMED;
use super::{CompareError, Options, dawnbench};
use crate::record::columns::read_columns;
use crate::record::folder::file;
use crate::record::reader::{self, RunReader, TableState};
use crate::record::rows::MetricsRow;
use crate::record::run_json::RunInfo;
use crate::record::{DatasetFacts, RecordError, Status};
use crate::units::Seconds;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A run, as far as comparing is concerned.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub path: PathBuf,
    pub info: RunInfo,
    /// Whether a process writes it now, where that can be told.
    pub live: Option<bool>,
    /// Whether its sweep gave it up.
    pub pruned: bool,
    /// Whether its plan numbers phases otherwise than its file.
    pub expanded: bool,
    /// The metric at each evaluation, in order; NaN where a run diverged.
    pub metric: Vec<f64>,
    /// Training seconds and images at each evaluation.
    pub seconds: Vec<Seconds>,
    pub images: Vec<f64>,
    /// The metric at its best evaluation.
    pub best: f64,
    /// The first evaluation at or beyond the target.
    pub reached: Option<Reached>,
    /// Of an hour of training, where the run says so itself.
    pub price: Option<f64>,
}

/// When a target was reached: at the first evaluation that shows it, never between two.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Reached {
    pub seconds: Seconds,
    pub images: f64,
}

impl Outcome {
    fn new(run: &RunReader, info: RunInfo, columns: [Vec<f64>; 4], options: &Options) -> Self {
        Self::of(run.path().to_owned(), run.is_live(), info, columns, None, options)
    }

    /// Of a run with these columns: the metric, seconds, images, phases.
    pub fn of(
        path: PathBuf,
        live: Option<bool>,
        info: RunInfo,
        columns: [Vec<f64>; 4],
        price: Option<f64>,
        options: &Options,
    ) -> Self {
        let [metric, seconds, images, phase] = columns;
        let lower = options.lower_is_better();
        // What was evaluated on other images than the last ones is no measure of the run.
        let counts = |phase: &f64| *phase >= info.last_set_since as f64;
        let first = if info.last_set_since == 0 { Some(0) } else { phase.iter().position(counts) };
        let first = first.unwrap_or(metric.len());
        let of_last_set = &metric[first..];
        let best = of_last_set.iter().copied().reduce(if lower { f64::min } else { f64::max }).unwrap_or(f64::NAN);
        let at = |target: f64| of_last_set.iter().position(|x| if lower { *x <= target } else { *x >= target });
        let reached = options.target.and_then(at).map(|row| first + row);
        let reached = reached.map(|row| Reached { seconds: seconds[row], images: images[row] });
        Self { path, live, info, pruned: false, expanded: false, metric, seconds, images, best, reached, price }
    }

    /// The metric at the last evaluation.
    pub fn last(&self) -> f64 {
        self.metric.last().copied().unwrap_or(f64::NAN)
    }

    /// Whether the run trained to its end: only such runs are compared by what they reached.
    pub fn is_done(&self) -> bool {
        self.info.status == Status::Done
    }

    /// Whether it may still go on: running, or stopped by a signal.
    pub fn is_open(&self) -> bool {
        matches!(self.info.status, Status::Running | Status::Interrupted)
    }

    /// Whether its process was killed: nobody writes it, and it says that it runs.
    pub fn is_killed(&self) -> bool {
        self.info.status == Status::Running && self.live == Some(false)
    }

    /// How it stands, in words, for a run that does not count.
    pub fn state(&self) -> String {
        match self.info.status {
            Status::Done => "without an evaluation".to_owned(),
            Status::Running if self.is_killed() => "killed while running".to_owned(),
            _ if self.pruned => "pruned".to_owned(),
            status => status.name().to_owned(),
        }
    }

    /// The data set of the last phase: what was evaluated on others is no measure of the run.
    pub fn dataset(&self) -> &DatasetFacts {
        last_set(&self.info)
    }

    /// What the run was computed on: seconds on different machines are not comparable.
    pub fn machine(&self) -> String {
        let RunInfo { device, instruction_set, threads, .. } = &self.info;
        // Of others' machines the description is all there is.
        if *threads == 0 { device.clone() } else { format!("{device} {instruction_set} ×{threads}") }
    }
}

/// The data set of a run's last phase.
pub fn last_set(info: &RunInfo) -> &DatasetFacts {
    let RunInfo { dataset, further_datasets, last_set_since, settings, .. } = info;
    let Some(last) = further_datasets.last() else { return dataset };
    let setting = settings.get(&format!("phases[{last_set_since}].data.dataset"));
    let Some(name) = setting.and_then(serde_json::Value::as_str) else {
        // A phase that names no set is back on the first one; a run of an older program does not say.
        return if settings.is_empty() { last } else { dataset };
    };
    let is_named = |set: &&DatasetFacts| set.name == name || set.stands_in_for.as_deref() == Some(name);
    further_datasets.iter().rev().chain([dataset]).find(is_named).unwrap_or(last)
}

/// What reading a run folder came to.
#[derive(Clone, Debug)]
pub enum Read {
    Run(Box<Outcome>),
    /// A run with evaluations, but without numbers of the metric.
    Without(Without),
    /// In words.
    Unreadable(String),
}

/// What a run has that has no numbers of the metric.
#[derive(Clone, Debug)]
pub struct Without {
    /// Whether it has a column of that name, which holds words.
    pub has_words: bool,
    /// Its columns of numbers.
    pub columns: Vec<String>,
}

impl Without {
    /// Of the run with that `metrics.csv`; what cannot be read of it is not there.
    fn of(table: &Path, metric: &str) -> Self {
        let (columns, words) = kinds(table).unwrap_or_default();
        // Words in a column of numbers are damage.
        let has_words = words.iter().any(|column| column == metric) && !MetricsRow::is_number(metric);
        Self { has_words, columns }
    }
}

/// What is said of runs without numbers of the metric: of each, where they are few.
fn notes_of(without: &[(&Path, Without)], metric: &str) -> Vec<String> {
    let of_kind = |has_words: bool| {
        let folders: Vec<_> =
            without.iter().filter(|(_, run)| run.has_words == has_words).map(|(folder, _)| folder.display()).collect();
        match (&folders[..], has_words) {
            ([first, rest @ ..], false) if rest.len() >= MOST_NAMED => {
                vec![format!("{} runs have no column `{metric}`, and are left out: {first} and others", folders.len())]
            }
            ([first, rest @ ..], true) if rest.len() >= MOST_NAMED => {
                let (n, metric) = (folders.len(), format!("`{metric}` is no column of numbers"));
                vec![format!("{metric} in {n} runs, which are left out: {first} and others")]
            }
            (few, false) => {
                few.iter().map(|folder| format!("{folder} has no column `{metric}`, and is left out")).collect()
            }
            (few, true) => few
                .iter()
                .map(|folder| format!("`{metric}` is no column of numbers in {folder}, which is left out"))
                .collect(),
        }
    };
    [false, true].into_iter().flat_map(of_kind).collect()
}

/// The columns of a table that hold numbers, and those that hold words.
fn kinds(table: &Path) -> Option<(Vec<String>, Vec<String>)> {
    let bytes = reader::read_file(table).ok()?;
    let mut rows = csv::ReaderBuilder::new().flexible(true).from_reader(&bytes[..]);
    let header = rows.headers().ok()?.clone();
    let rows: Vec<csv::StringRecord> = rows.records().filter_map(Result::ok).collect();
    // A single field may be damaged; where nothing was measured it is empty.
    let has_numbers = |k: usize| {
        let mut fields = rows.iter().filter_map(|row| row.get(k)).filter(|field| !field.is_empty()).peekable();
        fields.peek().is_none() || fields.any(|field| field.parse::<f64>().is_ok())
    };
    let (numbers, words): (Vec<_>, Vec<_>) = header.iter().enumerate().partition(|(k, _)| has_numbers(*k));
    let names = |columns: Vec<(usize, &str)>| columns.into_iter().map(|(_, name)| name.to_owned()).collect();
    Some((names(numbers), names(words)))
}

/// Whether the plan of the run in `folder` numbers phases otherwise than its file does, where recipes stand for several. One that
/// is not there or cannot be read does not say so.
pub fn is_expanded(folder: &Path) -> bool {
    let plan = read_columns(&folder.join(file::PLAN), ["phase", "source"]).map(|plan| plan.values);
    matches!(plan, Ok([Some(phases), Some(sources)]) if phases != sources)
}

/// Reads a run.
pub fn read(folder: &Path, options: &Options) -> Read {
    let is_entry = dawnbench::table(folder).is_some();
    let read = if is_entry { dawnbench::read(folder, options) } else { try_read(folder, options) };
    read.unwrap_or_else(|error| Read::Unreadable(error.to_string()))
}

/// Reads all runs, on all threads.
pub fn read_all(folders: &[PathBuf], options: &Options) -> Vec<Read> {
    folders.par_iter().map(|folder| read(folder, options)).collect()
}

/// The runs that could be read, of which there may be none. Notes tell of the others, which are left out.
///
/// # Errors
/// When runs could be read, and none has numbers of the metric.
pub fn sort_out<'a>(
    read: impl IntoIterator<Item = (&'a Path, Read)>,
    options: &Options,
) -> Result<(Vec<Outcome>, Vec<String>), CompareError> {
    let (mut outcomes, mut notes, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for (folder, read) in read {
        match read {
            Read::Run(outcome) => outcomes.push(*outcome),
            Read::Without(run) => without.push((folder, run)),
            Read::Unreadable(why) => notes.push(format!("left out: {why}")),
        }
    }
    if outcomes.is_empty() && !without.is_empty() {
        return Err(no_metric(&without, &options.metric));
    }
    notes.extend(notes_of(&without, &options.metric));
    Ok((outcomes, notes))
}

fn no_metric(runs: &[(&Path, Without)], metric: &str) -> CompareError {
    let metric = metric.to_owned();
    // Each once, in the order of the tables.
    let mut seen = BTreeSet::new();
    let columns = runs.iter().flat_map(|(_, run)| &run.columns).map(String::as_str);
    let columns = columns.filter(|column| seen.insert(*column)).collect::<Vec<_>>().join(", ");
    match runs.iter().any(|(_, run)| run.has_words) {
        true => CompareError::NoNumbers { metric, columns },
        false => CompareError::NoMetric { metric, runs: runs.len(), columns },
    }
}

fn try_read(folder: &Path, options: &Options) -> Result<Read, RecordError> {
    let run = RunReader::open(folder)?;
    let info = run.info()?;
    let table = folder.join(file::METRICS);
    let columns = match read_columns(&table, [&options.metric, "train_seconds", "images", "phase", "step"]) {
        Ok(columns) => columns,
        Err(error) => {
            // A column of words is as it should be, and nothing to restore.
            let without = Without::of(&table, &options.metric);
            return if without.has_words { Ok(Read::Without(without)) } else { Err(error) };
        }
    };
    let malformed = |line: u64, what: String| Err(RecordError::Malformed { path: table.clone(), line, what });
    let has_none = columns.values.iter().all(Option::is_none);
    // Of a table without steps it cannot be told where it ends, unless there is none at all.
    let nothing: &[f64] = &[];
    let steps = if has_none { Some(nothing) } else { columns.values[4].as_deref() };
    if let Some(steps) = steps
        && let Some(what) = info.cut_short(steps.last().map(|step| *step as u64))
    {
        return malformed(steps.len() as u64 + 1, what);
    }
    let expanded = is_expanded(folder);
    let outcome = |columns| Read::Run(Box::new(Outcome { expanded, ..Outcome::new(&run, info, columns, options) }));
    Ok(match columns.values {
        [Some(metric), Some(seconds), Some(images), phase, _] => {
            outcome([metric, seconds, images, phase.unwrap_or_default()])
        }
        // A run that was just begun has no file yet, or one whose first line is being written.
        [None, None, None, None, None] if columns.state != TableState::Whole => outcome(Default::default()),
        [Some(_), seconds, ..] => {
            let lost = if seconds.is_none() { "train_seconds" } else { "images" };
            return malformed(1, format!("it has no column `{lost}`"));
        }
        _ => Read::Without(Without::of(&table, &options.metric)),
    })
}
