//! The comparison as a picture.

use super::Scale;
use crate::compare::trials::sweep_of;
use crate::compare::{Comparison, Group, Options, Outcome};
use crate::plot::{Evaluated, GroupRows, Metric, RunRows, foremost, groups};
use crate::record::RecordError;
use crate::record::reader::RunReader;
use crate::record::rows::{PlanRow, TraceRow};
use crate::stats::{deviation, mean};
use std::collections::BTreeMap;

/// The title's names are replaced by their number beyond this length.
const LONGEST: usize = 60;

/// What a run's steps were to do and did.
struct Steps {
    plan: Vec<PlanRow>,
    trace: Vec<TraceRow>,
}

/// Draws the metric of each group over training time and over images, and below the learning rates, as SVG. Runs that
/// count are drawn; of groups that have none, all runs as far as they came.
///
/// # Errors
/// When the plan or the trace of a run cannot be read.
pub fn svg(comparison: &Comparison) -> Result<String, RecordError> {
    let metric = metric(&comparison.options);
    let names: Vec<String> = comparison.groups.iter().map(name).collect();
    let rows = |(group, name)| {
        let runs = drawn(group);
        let done = !group.counted.is_empty();
        GroupRows { name, runs: runs.len(), done, evaluations: evaluations(&runs), schedule: None }
    };
    let mut rows: Vec<GroupRows<'_>> =
        comparison.groups.iter().zip(names.iter().map(String::as_str)).map(rows).collect();
    // Of other groups no schedule is drawn: their steps need not be read.
    let mut steps = BTreeMap::new();
    for k in foremost(&metric, &rows) {
        let run = drawn(&comparison.groups[k])[0];
        // Of a baseline no steps are known.
        if run.path.is_dir() {
            steps.insert(k, Steps::read(run)?);
        }
    }
    for (k, steps) in &steps {
        let (phases, trace) = (&steps.plan[..], &steps.trace[..]);
        let shown = !phases.is_empty() && !trace.is_empty();
        rows[*k].schedule = shown.then_some(RunRows { name: rows[*k].name, phases, metrics: &[], trace });
    }
    Ok(groups(&title(comparison), &metric, &rows))
}

/// What is drawn.
pub fn metric(options: &Options) -> Metric<'_> {
    Metric {
        name: &options.metric,
        percent: Scale::of_metric(options) == Scale::Percent,
        lower_is_better: options.lower_is_better(),
        target: options.target,
    }
}

impl Steps {
    fn read(run: &Outcome) -> Result<Self, RecordError> {
        let reader = RunReader::open(&run.path)?;
        Ok(Self { plan: reader.plan()?.rows, trace: reader.trace()?.rows })
    }
}

/// The runs that a group's line is the mean of: those that count, else all.
pub fn drawn(group: &Group) -> Vec<&Outcome> {
    let counted: Vec<&Outcome> = group.counted().collect();
    if counted.is_empty() { group.runs.iter().collect() } else { counted }
}

fn name(group: &Group) -> String {
    if group.counted.is_empty() { format!("{} (not done)", group.name) } else { group.name.clone() }
}

/// The evaluations of runs of one experiment, which all came after as many steps: the k-th of all as one.
pub fn evaluations(runs: &[&Outcome]) -> Vec<Evaluated> {
    let most = runs.iter().map(|run| run.metric.len()).max().unwrap_or(0);
    let evaluation = |k: usize| {
        let of = |column: fn(&Outcome) -> &Vec<f64>| -> Vec<f64> {
            runs.iter().filter_map(|run| column(run).get(k).copied()).collect()
        };
        let metric = of(|run| &run.metric);
        Evaluated {
            seconds: mean(&of(|run| &run.seconds)),
            images: mean(&of(|run| &run.images)),
            mean: mean(&metric),
            deviation: deviation(&metric),
        }
    };
    (0..most).map(evaluation).collect()
}

/// The name of the sweep that all runs are of, else the experiments' names where they fit.
pub fn title(comparison: &Comparison) -> String {
    let runs = || comparison.groups.iter().flat_map(|group| &group.runs);
    if let Some(sweep) = sweep_of(runs()) {
        return sweep;
    }
    let mut names: Vec<&str> = Vec::new();
    for run in runs() {
        if !names.contains(&run.info.name.as_str()) {
            names.push(&run.info.name);
        }
    }
    let joined = names.join(", ");
    if joined.chars().count() <= LONGEST { joined } else { format!("{} experiments", names.len()) }
}
