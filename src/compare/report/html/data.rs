//! What the page's script is given.

use crate::compare::axes::{Axis, settings};
use crate::compare::report::picture::{drawn, evaluations, metric, title};
use crate::compare::report::sheets::{self, Names, Sheet};
use crate::compare::report::{Scale, json, span};
use crate::compare::{Comparison, Group, Outcome, Quantity, Verdict};
use crate::plot::thin_by;
use crate::record::RecordError;
use crate::record::columns::read_columns;
use crate::record::folder::file;
use crate::record::stamp::Stamp;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Columns of pixels that all lines of a picture share, and what each has of them at least and at most: a column takes up
/// to four points.
const COLUMNS: usize = 6000;
const FEWEST: usize = 20;
const MOST: usize = 250;
/// Experiments that differ in more are no points of a few axes.
const MOST_AXES: usize = 10;

/// The report as JSON (`report`), the words of its tables, and the lines to be drawn; `read` are the schedules of the groups, `axes`
/// what was varied between them.
pub fn data(
    comparison: &Comparison,
    verdicts: &[Verdict],
    read: Vec<Option<Arc<Schedule>>>,
    mut axes: Vec<Axis>,
) -> Value {
    let groups = &comparison.groups;
    let columns = columns(comparison);
    let mut schedules: Vec<Arc<Schedule>> = Vec::new();
    let mut place = |schedule: Option<Arc<Schedule>>| {
        let schedule = schedule?;
        Some(schedules.iter().position(|there| *there == schedule).unwrap_or_else(|| {
            schedules.push(schedule);
            schedules.len() - 1
        }))
    };
    let places: Vec<Option<usize>> = read.into_iter().map(&mut place).collect();
    let group = |(group, schedule): (&Group, Option<usize>)| {
        json!({
            "name": group.name,
            "key": group.spec_hash,
            "done": !group.counted.is_empty(),
            "curve": curve(group, columns),
            "schedule": schedule,
            "runs": runs(comparison, group),
        })
    };
    let claim = |verdict: &Verdict| json!({ "text": sheets::claim(comparison, verdict), "holds": verdict.holds });
    let metric = metric(&comparison.options);
    let left_out = axes.split_off(axes.len().min(MOST_AXES)).len();
    json!({
        "title": title(comparison),
        "caption": metric.title(),
        "scale": Scale::of_metric(&comparison.options),
        "lower": metric.lower_is_better || comparison.options.by == Quantity::Time,
        "target": metric.target,
        "by": comparison.options.by,
        "objective": sheets::quantity(&comparison.options),
        "ranking": sheets::ranking(comparison),
        "results": sheets::results(comparison, Names::Beside),
        "contrasts": sheets::contrasts(comparison),
        "contrasts_title": sheets::contrasts_title(comparison),
        "effects": sheets::effects(comparison).map(|(title, sheet)| json!({ "title": title, "sheet": sheet })),
        "claims": verdicts.iter().map(claim).collect::<Vec<_>>(),
        "groups": groups.iter().zip(places).map(group).collect::<Vec<_>>(),
        "schedules": schedules.iter().map(Arc::as_ref).collect::<Vec<_>>(),
        "axes": axes,
        "axes_left_out": left_out,
        "settings": settings(groups),
        "planned": sheets::planned(comparison),
        "report": json(comparison, verdicts),
    })
}

/// Columns of pixels for each line.
fn columns(comparison: &Comparison) -> usize {
    (COLUMNS / comparison.groups.len().max(1)).clamp(FEWEST, MOST)
}

/// The metric's mean over the runs at each evaluation, as columns.
fn curve(group: &Group, columns: usize) -> Value {
    let all = evaluations(&drawn(group));
    let kept = thin_by(&all, columns, |e| (if e.images.is_nan() { e.seconds } else { e.images }, e.mean));
    let column = |of: fn(&crate::plot::Evaluated) -> f64| kept.iter().map(|e| short(of(e))).collect::<Vec<f64>>();
    json!({
        "seconds": column(|e| e.seconds),
        "images": column(|e| e.images),
        "mean": column(|e| e.mean),
        "deviation": column(|e| e.deviation.unwrap_or(f64::NAN)),
    })
}

/// What the steps of a group's runs used, over the images trained on before them.
#[derive(Debug, PartialEq, serde::Serialize)]
pub struct Schedule {
    lr: Vec<(f64, f64)>,
    momentum: Vec<(f64, f64)>,
}

/// As its file was, with how many columns it was read, and what came of it.
type KeptSchedule = (Stamp, usize, Option<Arc<Schedule>>);

/// Schedules that were read, so that those of runs that took no step since need not be read again.
#[derive(Default)]
pub struct Schedules(BTreeMap<PathBuf, KeptSchedule>);

impl Schedules {
    /// That of each group: of its run that came furthest, `None` where it has no steps on record.
    pub fn of(&mut self, comparison: &Comparison) -> Vec<Result<Option<Arc<Schedule>>, RecordError>> {
        let columns = columns(comparison);
        let before = &self.0;
        let read = |group: &Group| {
            let run = furthest(group).filter(|run| run.path.is_dir());
            let Some(path) = run.map(|run| run.path.join(file::TRACE)) else { return Ok(None) };
            let stamp = Stamp::of(&path);
            let known = before.get(&path).filter(|(at, of, _)| (*at, *of) == (stamp, columns));
            let schedule = match known {
                Some((.., schedule)) => schedule.clone(),
                None => Schedule::read(&path, columns)?.map(Arc::new),
            };
            Ok(Some((path, (stamp, columns, schedule))))
        };
        let read: Vec<Result<_, RecordError>> = comparison.groups.par_iter().map(read).collect();
        let mut now = BTreeMap::new();
        let mut keep = |found: Option<(PathBuf, KeptSchedule)>| {
            let (path, entry) = found?;
            let schedule = entry.2.clone();
            now.insert(path, entry);
            schedule
        };
        let schedules = read.into_iter().map(|found| found.map(&mut keep)).collect();
        self.0 = now;
        schedules
    }
}

/// The run of a group that came furthest.
fn furthest(group: &Group) -> Option<&Outcome> {
    let came = |run: &&Outcome| run.images.last().copied().unwrap_or(0.0);
    drawn(group).into_iter().max_by(|a, b| came(a).total_cmp(&came(b)))
}

impl Schedule {
    /// `None` where there are no steps.
    fn read(trace: &Path, columns: usize) -> Result<Option<Self>, RecordError> {
        let read = read_columns(trace, ["batch", "lr", "momentum"])?;
        let [Some(batch), Some(lr), Some(momentum)] = read.values else { return Ok(None) };
        let sums = batch.iter().scan(0.0, |sum, batch| {
            let before = *sum;
            *sum += batch;
            Some(before)
        });
        let images: Vec<f64> = sums.collect();
        let line = |values: &[f64]| -> Vec<(f64, f64)> {
            let points: Vec<(f64, f64)> =
                images.iter().copied().zip(values.iter().copied()).filter(|(_, y)| y.is_finite()).collect();
            thin_by(&points, columns, |p| *p).into_iter().map(|(x, y)| (short(x), short(y))).collect()
        };
        let schedule = Self { lr: line(&lr), momentum: line(&momentum) };
        Ok((!schedule.lr.is_empty()).then_some(schedule))
    }
}

/// A group's runs, those that count and the others.
fn runs(comparison: &Comparison, group: &Group) -> Sheet {
    let scale = Scale::of_metric(&comparison.options);
    let unit = scale.unit();
    let shown = |x: f64| if x.is_nan() { "–".to_owned() } else { scale.show(x) };
    let row = |(k, run): (usize, &Outcome)| {
        let state = match run.is_done() {
            true if group.counted.contains(&k) => run.info.status.name().to_owned(),
            true => format!("{}, not counted", run.info.status.name()),
            false => run.state(),
        };
        vec![
            run.path.to_string_lossy().into_owned(),
            run.info.seed.to_string(),
            state,
            shown(run.last()),
            shown(run.best),
            run.seconds.last().map_or("–".to_owned(), |s| span(*s)),
            run.machine(),
        ]
    };
    let heads = ["run", "seed", "state", &format!("final{unit}"), &format!("best{unit}"), "training", "computed on"];
    Sheet {
        heads: heads.map(str::to_owned).to_vec(),
        rows: group.runs.iter().enumerate().map(row).collect(),
        numbers: 3..6,
    }
}

/// Five digits: finer than a screen.
fn short(x: f64) -> f64 {
    format!("{x:.4e}").parse().unwrap_or(x)
}
