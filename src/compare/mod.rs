//! Which of several experiments is better, and whether that can be told from the runs there are.
//!
//! ```text
//! folders ──find──▶ runs ──outcome──▶ one outcome a run ──group──▶ groups, named by what differs ──contrast──▶ against a baseline
//! ```
//! Only `run.json` and `metrics.csv` are read, so runs of other machines are as good as one's own; entries of DAWNBench stand
//! beside them as baselines. What cannot be used is
//! said (`Comparison::notes`) and left out; nothing is guessed or interpolated.

mod axes;
mod contrast;
pub mod dawnbench;
mod expect;
mod find;
mod group;
mod name;
mod outcome;
pub mod report;
mod watch;

#[cfg(test)]
mod tests;

pub use contrast::{Contrast, Test};
pub use expect::{Expectation, ExpectationError, Order, Verdict};
pub use find::{FindError, runs as runs_in};
pub use group::{Group, Summary, TimeToTarget};
pub use outcome::{Outcome, Reached};
pub use watch::Watched;

use crate::stats::holm;
use contrast::Contrasts;
use std::path::PathBuf;

/// Of what a comparison is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// A column of `metrics.csv`.
    pub metric: String,
    /// The metric's value whose first reaching is timed.
    pub target: Option<f64>,
    /// A currency's units for an hour of training.
    pub price: Option<f64>,
    /// Which value of a run stands for it in the contrasts.
    pub by: Quantity,
    pub test: Test,
    /// The group that others are held against; the first one when absent.
    pub baseline: Option<String>,
    /// The level at which a difference counts.
    pub alpha: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            metric: "val_acc".to_owned(),
            target: None,
            price: None,
            by: Quantity::Final,
            test: Test::Welch,
            baseline: None,
            alpha: 0.05,
        }
    }
}

impl Options {
    /// Whether less of the metric is more: losses and seconds.
    pub fn lower_is_better(&self) -> bool {
        self.metric.contains("loss") || self.metric.contains("seconds")
    }
}

/// The value that stands for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// The metric at the last evaluation.
    Final,
    /// The metric at its best evaluation. The more evaluations, the better it looks.
    Best,
    /// Training seconds to the target. Only groups all of whose runs reached it can be compared.
    Time,
}

/// Groups of runs and how they differ.
#[derive(Clone, Debug)]
pub struct Comparison {
    pub options: Options,
    /// In the order in which their first runs were given.
    pub groups: Vec<Group>,
    /// The group that the contrasts are against.
    pub baseline: usize,
    /// One for each other group, in order; p-values corrected for their number.
    pub contrasts: Vec<Contrast>,
    /// What was left out or should be known: for people.
    pub notes: Vec<String>,
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error(transparent)]
    Find(#[from] FindError),
    #[error("none of the {runs} runs has a column `{metric}` in its metrics.csv; the columns are {columns}")]
    NoMetric { metric: String, runs: usize, columns: String },
    #[error("{what}")]
    Group { what: String },
}

/// Reads the runs in `paths` (run folders, or folders that hold some) and compares them.
///
/// # Errors
/// When a path holds no run, no run has the metric, or the baseline is no group.
pub fn compare(paths: &[PathBuf], options: Options) -> Result<Comparison, CompareError> {
    let folders = find::runs(paths)?;
    let read = outcome::read_all(&folders, &options);
    let (outcomes, mut notes) = outcome::sort_out(folders.iter().map(PathBuf::as_path).zip(read), &options)?;
    let groups = group::group(outcomes, &mut notes);
    let baseline = match &options.baseline {
        None => 0,
        Some(text) => name::resolve(&groups, text).map_err(|what| CompareError::Group { what })?,
    };
    Ok(Comparison::new(options, groups, baseline, notes, &mut Contrasts::default()))
}

impl Comparison {
    fn new(options: Options, groups: Vec<Group>, baseline: usize, notes: Vec<String>, known: &mut Contrasts) -> Self {
        let contrasts = corrected(known.of(&groups, baseline, &options));
        Self { options, groups, baseline, contrasts, notes }
    }
}

/// With Holm's correction over those that could be tested.
fn corrected(mut contrasts: Vec<Contrast>) -> Vec<Contrast> {
    let p: Vec<f64> = contrasts.iter().filter_map(|c| c.p).collect();
    let mut adjusted = holm(&p).into_iter();
    for contrast in &mut contrasts {
        contrast.p_adjusted = contrast.p.and_then(|_| adjusted.next());
    }
    contrasts
}
