//! What one run came to.

use super::{CompareError, Options, dawnbench};
use crate::record::columns::read_columns;
use crate::record::folder::file;
use crate::record::reader::{RunReader, TableState};
use crate::record::rows::{MetricsRow, Row};
use crate::record::run_json::RunInfo;
use crate::record::{RecordError, Status};
use crate::units::Seconds;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// A run, as far as comparing is concerned.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub path: PathBuf,
    pub info: RunInfo,
    /// Whether a process writes it now, where that can be told.
    pub live: Option<bool>,
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
        Self { path, live, info, metric, seconds, images, best, reached, price }
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

    /// How it stands, in words, for a run that does not count.
    pub fn state(&self) -> String {
        match self.info.status {
            Status::Done => "without an evaluation".to_owned(),
            Status::Running if self.live == Some(false) => "killed while running".to_owned(),
            status => status.name().to_owned(),
        }
    }

    /// What the run was computed on: seconds on different machines are not comparable.
    pub fn machine(&self) -> String {
        let RunInfo { device, instruction_set, threads, .. } = &self.info;
        // Of others' machines the description is all there is.
        if *threads == 0 { device.clone() } else { format!("{device} {instruction_set} ×{threads}") }
    }
}

/// What reading a run folder came to.
#[derive(Clone, Debug)]
pub enum Read {
    Run(Box<Outcome>),
    /// A run with evaluations, but not of the metric.
    Without,
    /// In words.
    Unreadable(String),
}

/// Reads a run.
pub fn read(folder: &Path, options: &Options) -> Read {
    let is_entry = dawnbench::table(folder).is_some();
    match if is_entry { dawnbench::read(folder, options) } else { try_read(folder, options) } {
        Ok(Some(outcome)) => Read::Run(Box::new(outcome)),
        Ok(None) => Read::Without,
        Err(error) => Read::Unreadable(error.to_string()),
    }
}

/// Reads all runs, on all threads.
pub fn read_all(folders: &[PathBuf], options: &Options) -> Vec<Read> {
    folders.par_iter().map(|folder| read(folder, options)).collect()
}

/// The runs that could be read. Notes tell of the others, which are left out.
pub fn sort_out<'a>(
    read: impl IntoIterator<Item = (&'a Path, Read)>,
    options: &Options,
) -> Result<(Vec<Outcome>, Vec<String>), CompareError> {
    let (mut outcomes, mut notes, mut without) = (Vec::new(), Vec::new(), 0);
    for (folder, read) in read {
        match read {
            Read::Run(outcome) => outcomes.push(*outcome),
            Read::Without => {
                without += 1;
                notes.push(format!("{} has no column `{}`, and is left out", folder.display(), options.metric));
            }
            Read::Unreadable(why) => notes.push(format!("left out: {why}")),
        }
    }
    if outcomes.is_empty() && without > 0 {
        let columns = MetricsRow::COLUMNS.join(", ");
        return Err(CompareError::NoMetric { metric: options.metric.clone(), runs: without, columns });
    }
    Ok((outcomes, notes))
}

/// `None` when the run has evaluations, but not of that metric.
fn try_read(folder: &Path, options: &Options) -> Result<Option<Outcome>, RecordError> {
    let run = RunReader::open(folder)?;
    let info = run.info()?;
    let columns = read_columns(&folder.join(file::METRICS), [&options.metric, "train_seconds", "images", "phase"])?;
    Ok(match columns.values {
        [Some(metric), Some(seconds), Some(images), phase] => {
            Some(Outcome::new(&run, info, [metric, seconds, images, phase.unwrap_or_default()], options))
        }
        // A run that was just begun has no file yet, or one whose first line is being written.
        [None, None, None, None] if columns.state != TableState::Whole => {
            Some(Outcome::new(&run, info, Default::default(), options))
        }
        _ => None,
    })
}
