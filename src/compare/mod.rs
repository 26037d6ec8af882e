//! Which of several experiments is better, and whether that can be told from the runs there are.
//!
//! ```text
//! folders ──find──▶ runs ──outcome──▶ one outcome a run ──group──▶ groups, named by what differs ──contrast──▶ against a baseline
//! ```
//! Only `run.json` and `metrics.csv` are read, so runs of other machines are as good as one's own, and for names `plan.csv`, a
//! sweep's own file and its `trials.csv`, which knows what was pruned, too; entries of DAWNBench stand beside them as
//! baselines. What cannot be used is said (`Comparison::notes`) and left out; nothing is guessed or interpolated.

mod axes;
mod contrast;
pub mod dawnbench;
mod defaults;
mod effects;
mod expect;
mod find;
mod group;
mod name;
mod outcome;
pub mod report;
mod trials;
mod unlike;
mod watch;

#[cfg(test)]
mod tests;

pub use contrast::{Contrast, Test, Told, Untested};
pub use effects::Effects;
pub use expect::{Expectation, ExpectationError, Order, Verdict};
pub use find::{FindError, folders_with_runs, not_looked_into, runs as runs_in};
pub use group::{Group, Lost, Summary, TimeToTarget};
pub use outcome::{Outcome, Reached};
pub use trials::pruned;
pub use watch::Watched;

use crate::record::run_json::RunInfo;
use contrast::Contrasts;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
    /// Differences below it are as good as none: in the unit of what is compared, of an accuracy a fraction. Without one nothing is
    /// called the same.
    pub margin: Option<f64>,
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
            margin: None,
        }
    }
}

impl Options {
    /// Whether less of the metric is more: losses and seconds.
    pub fn lower_is_better(&self) -> bool {
        self.metric.contains("loss") || self.metric.contains("seconds")
    }

    /// The same of what contrasts compare.
    pub fn less_is_better(&self) -> bool {
        self.lower_is_better() || self.by == Quantity::Time
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
    /// What each axis does over the others, where several are crossed.
    pub effects: Option<Effects>,
    /// What was left out or should be known: for people.
    pub notes: Vec<String>,
    /// Whether no run was left out, be it damaged or without the metric.
    pub all_read: bool,
}

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    #[error(transparent)]
    Find(#[from] FindError),
    /// `columns`: those of numbers that some of the runs have.
    #[error("{} column `{metric}` in its metrics.csv; the columns are {columns}", none_has(*runs))]
    NoMetric { metric: String, runs: usize, columns: String },
    #[error("`{metric}` is no column of numbers; the columns of numbers are {columns}")]
    NoNumbers { metric: String, columns: String },
    #[error("no run can be compared:{}", listed(left_out))]
    Unreadable { left_out: Vec<String> },
    #[error("{what}")]
    Group { what: String },
}

fn none_has(runs: usize) -> String {
    if runs == 1 { "the run has no".to_owned() } else { format!("none of the {runs} runs has a") }
}

/// More runs than this are not listed one by one.
const MOST_LISTED: usize = 8;

/// A line each.
fn listed(lines: &[String]) -> String {
    let mut text: String = lines.iter().take(MOST_LISTED).map(|line| format!("\n  {line}")).collect();
    if lines.len() > MOST_LISTED {
        text += &format!("\n  and {} more", lines.len() - MOST_LISTED);
    }
    text
}

/// Reads the runs in `paths` (run folders, or folders that hold some) and compares them.
///
/// # Errors
/// When a path holds no run, no run can be read or has the metric, or the baseline is no group.
pub fn compare(paths: &[PathBuf], options: Options) -> Result<Comparison, CompareError> {
    let folders = find::runs(paths)?;
    let read = outcome::read_all(&folders, &options);
    let (outcomes, mut notes) = outcome::sort_out(folders.iter().map(PathBuf::as_path).zip(read), &options)?;
    if outcomes.is_empty() {
        return Err(CompareError::Unreadable { left_out: notes });
    }
    let all_read = notes.is_empty();
    let groups = group::group(outcomes, &options.metric, None, &mut notes);
    notes.extend(find::not_looked_into(paths, &folders));
    let baseline = match &options.baseline {
        None => 0,
        Some(text) => name::resolve(&groups, text).map_err(|what| CompareError::Group { what })?,
    };
    Ok(Comparison { all_read, ..Comparison::new(options, groups, baseline, notes, &mut Contrasts::default()) })
}

/// For each run, by its folder, its values of what was varied between the runs, as groups are named by them. `None` where it is
/// better known by its experiment's name, as where all runs are of one experiment.
pub fn points<'a>(runs: impl IntoIterator<Item = (&'a Path, &'a RunInfo)>) -> Vec<Option<String>> {
    let options = Options::default();
    let outcome = |(path, info): (&'a Path, &'a RunInfo)| Outcome {
        expanded: outcome::is_expanded(path),
        ..Outcome::of(path.to_owned(), None, info.clone(), Default::default(), None, &options)
    };
    let outcomes: Vec<Outcome> = runs.into_iter().map(outcome).collect();
    let hashes: Vec<String> = outcomes.iter().map(|outcome| outcome.info.spec_hash.clone()).collect();
    let mut groups = group::by_experiment(outcomes);
    name::tell_apart(&mut groups);
    let points = name::points(&groups);
    let by_hash: BTreeMap<String, Option<String>> =
        groups.into_iter().map(|group| group.spec_hash).zip(points).collect();
    hashes.iter().map(|hash| by_hash.get(hash).cloned().flatten()).collect()
}

/// What is said of intervals that few runs give.
const NARROW: &str =
    "intervals of fewer than six runs are too narrow: they cannot leave the range of the runs' differences";

impl Comparison {
    /// Of groups from which no run was left out.
    fn new(
        options: Options,
        groups: Vec<Group>,
        baseline: usize,
        mut notes: Vec<String>,
        known: &mut Contrasts,
    ) -> Self {
        let contrasts = known.of(&groups, baseline, &options);
        notes.extend(contrast::notes(&contrasts, &groups, &options));
        if contrasts.iter().any(Contrast::is_narrow) {
            notes.push(NARROW.to_owned());
        }
        let all: Vec<(usize, &Group)> = groups.iter().enumerate().collect();
        let unlike = unlike::unlike(&all, &options.metric).iter().any(|unlike| unlike.certain);
        let effects = if unlike { None } else { effects::effects(&groups, &axes::axes(&groups), &options) };
        Self { options, groups, baseline, contrasts, effects, notes, all_read: true }
    }

    /// Whether there is nothing to compare, for every seed of every group diverged. Of runs that were left out it is not known.
    pub fn all_diverged(&self) -> bool {
        let diverged = |group: &Group| group.lost().is_some_and(|lost| lost.diverged == lost.of);
        self.all_read && !self.groups.is_empty() && self.groups.iter().all(diverged)
    }
}
