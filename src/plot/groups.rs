//! The picture of a comparison: groups of runs over time and over images, and the schedules that they followed.

use super::axis::{Axis, is_drawable};
use super::curves::{Across, RunRows};
use super::frame::{self, Frame, Heading, Ruler, Stages};
use super::panels::{Look, Panel, Series, called, colours, room, time_ruler};
use super::places::counts;
use super::schedule::LrScale;
use super::schedules::lr_panel;
use super::style::{PALE, QUIET, RUNS};
use super::track::Track;

/// Of so many evaluations or more, the first third does not set the range of the axis: runs differ at their ends.
const LONG: usize = 6;

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Metric<'a> {
    /// A column of `metrics.csv`.
    pub name: &'a str,
    /// Whether values are shares, shown in per cent.
    pub percent: bool,
    pub lower_is_better: bool,
    pub target: Option<f64>,
}

impl<'a> Metric<'a> {
    /// In words.
    pub fn title(&self) -> &'a str {
        match self.name {
            "val_acc" => "validation accuracy",
            "val_loss" => "validation loss",
            other => other,
        }
    }
}

/// A group of runs, in the mean.
#[derive(Clone, Debug)]
pub struct GroupRows<'a> {
    pub name: &'a str,
    pub runs: usize,
    /// Whether they came to their end; those of others are drawn as far as they came.
    pub done: bool,
    pub evaluations: Vec<Evaluated>,
    /// One of the runs, whose steps show the schedule of all.
    pub schedule: Option<RunRows<'a>>,
}

/// One evaluation of all runs of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluated {
    /// Of training, in the mean.
    pub seconds: f64,
    pub images: f64,
    /// The metric's mean over the runs, and its standard deviation where there are several.
    pub mean: f64,
    pub deviation: Option<f64>,
}

/// The groups that a picture tells apart by colour, the one that ended best first, behind those that came to their end the others: as
/// many as there are colours.
pub fn foremost(metric: &Metric<'_>, groups: &[GroupRows<'_>]) -> Vec<usize> {
    let sign = if metric.lower_is_better { 1.0 } else { -1.0 };
    let last = |k: &usize| groups[*k].evaluations.last().map(|e| sign * e.mean).filter(|x| is_drawable(*x));
    // What cannot be drawn needs no colour.
    let place = |k: &usize| last(k).map_or(2, |_| if groups[*k].done { 0 } else { 1 });
    let key = |k: &usize| last(k).unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by(|a, b| place(a).cmp(&place(b)).then(key(a).total_cmp(&key(b))));
    order.truncate(RUNS.len());
    order
}

/// Draws the metric of each group over training time and over images, in the mean with a band of one standard deviation
/// to either side, and the learning rates over the same images, as SVG.
///
/// Groups are called by their names where these are short, else by their numbers from 1, which a legend explains.
pub fn groups(title: &str, metric: &Metric<'_>, groups: &[GroupRows<'_>]) -> String {
    let ranking = foremost(metric, groups);
    let colours = colours(groups.len(), ranking.iter().copied());
    let names: Vec<&str> = groups.iter().map(|group| group.name).collect();
    let (names, legend) = called(&names, &colours, &ranking);
    let heading = Heading { legend, ..Heading::new(title, subtitle(groups)) };

    let look = Lines { metric, groups, names: &names, colours: &colours };
    let mut over_time = [look.panel("training time", |e| e.seconds)];
    let mut over_images = vec![look.panel("images", |e| e.images)];
    over_images.extend(schedules(groups, &names, &colours, &ranking));
    let right = room(over_time.iter().chain(&over_images));

    let end = |x: fn(&Evaluated) -> f64| {
        groups.iter().flat_map(|g| &g.evaluations).map(x).filter(|x| is_drawable(*x)).fold(0.0, f64::max)
    };
    let (upper, lower) = (Stages::plain(end(|e| e.seconds)), Stages::plain(end(|e| e.images)));
    let first = Frame::new(heading.bottom(), &upper, right, vec![220.0]);
    let ruler = time_ruler(&first.x);
    let first = first.with_rulers(vec![ruler]);
    let mut heights = vec![220.0; over_images.len()];
    heights.iter_mut().skip(1).for_each(|height| *height = 120.0);
    let second = Frame::new(first.bottom() + GAP, &lower, right, heights);
    let ruler = Ruler { name: "images", ticks: counts(&second.x) };
    let frames = [first, second.with_rulers(vec![ruler])];

    let mut svg = frame::start(&heading, &frames);
    over_time[0].draw(&mut svg, &frames[0], 0);
    for (k, panel) in over_images.iter_mut().enumerate() {
        panel.draw(&mut svg, &frames[1], k);
    }
    svg.finish(title)
}

/// Between the two frames.
const GAP: f64 = 14.0;

/// How the metric's lines look, whatever they run over.
struct Lines<'a> {
    metric: &'a Metric<'a>,
    groups: &'a [GroupRows<'a>],
    names: &'a [String],
    colours: &'a [&'static str],
}

impl Lines<'_> {
    fn panel(&self, over: &str, x: fn(&Evaluated) -> f64) -> Panel {
        let mut series: Vec<Series> = (0..self.groups.len()).map(|k| self.line(k, x)).collect();
        if let Some(target) = self.metric.target.filter(|target| is_drawable(*target)) {
            let ends = series.iter().filter_map(|s| s.points.last()).map(|point| point.0);
            let (y, end) = (self.shown(target), ends.fold(0.0, f64::max));
            let words = |y: f64| format!("target {}", self.value(y));
            series.push(Series::new(vec![(0.0, y), (end, y)], QUIET, Look::Dashed).ending(words));
        }
        Panel {
            caption: format!("{} over {over}", self.metric.title()).into(),
            unit: if self.metric.percent { " %" } else { "" },
            series,
            axis: if self.metric.lower_is_better { Box::new(falling_axis) } else { Box::new(rising_axis) },
        }
    }

    fn line(&self, k: usize, x: fn(&Evaluated) -> f64) -> Series {
        let drawn = || self.groups[k].evaluations.iter().filter(|e| is_drawable(x(e)) && is_drawable(e.mean));
        let points = drawn().map(|e| (x(e), self.shown(e.mean))).collect();
        let series = Series::new(points, self.colours[k], Look::Dotted);
        if self.colours[k] == PALE {
            return series;
        }
        let within = |y: f64| if self.metric.percent { y.clamp(0.0, 100.0) } else { y };
        let around = |e: &Evaluated| {
            let deviation = e.deviation.filter(|d| is_drawable(*d))?;
            Some((x(e), within(self.shown(e.mean - deviation)), within(self.shown(e.mean + deviation))))
        };
        series.banded(drawn().filter_map(around).collect()).named(&self.names[k], |y| format!(": {}", self.value(y)))
    }

    fn shown(&self, y: f64) -> f64 {
        if self.metric.percent { 100.0 * y } else { y }
    }

    fn value(&self, y: f64) -> String {
        match self.metric.percent {
            true => format!("{y:.1} %"),
            false if y.abs() < 1000.0 => format!("{y:.3}"),
            false => format!("{y:.2e}"),
        }
    }
}

/// The learning rates, of equal schedules once.
fn schedules(groups: &[GroupRows<'_>], names: &[String], colours: &[&'static str], ranking: &[usize]) -> Option<Panel> {
    let mut plans: Vec<Vec<usize>> = Vec::new();
    for &k in ranking {
        let Some(run) = &groups[k].schedule else { continue };
        let same = |plan: &&mut Vec<usize>| groups[plan[0]].schedule.is_some_and(|other| other.phases == run.phases);
        match plans.iter_mut().find(same) {
            Some(plan) => plan.push(k),
            None => plans.push(vec![k]),
        }
    }
    let name = |plan: &Vec<usize>| match plan.len() {
        all if all == groups.len() && all > 1 => "the same for all".to_owned(),
        _ => plan.iter().map(|k| names[*k].as_str()).collect::<Vec<_>>().join(", "),
    };
    let names: Vec<String> = plans.iter().map(name).collect();
    let run = |(plan, name): (&Vec<usize>, &'_ String)| groups[plan[0]].schedule.map(|run| (run, name.clone()));
    let runs: Vec<(RunRows<'_>, String)> = plans.iter().zip(&names).filter_map(run).collect();
    let tracks: Vec<Track<'_>> =
        runs.iter().map(|(run, name)| Track::new(RunRows { name, ..*run }, Across::Images)).collect();
    let colours: Vec<&'static str> = plans.iter().map(|plan| colours[plan[0]]).collect();
    (!tracks.is_empty()).then(|| lr_panel(&tracks, &colours, LrScale::ByCurves))
}

/// From the lowest value of the later evaluations to the highest of all.
fn rising_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let low = later(series).fold(f64::INFINITY, f64::min);
    let high = series.iter().flat_map(Series::reach).fold(f64::NEG_INFINITY, f64::max);
    if low <= high { Axis::around(low, high, 4, pixels) } else { Axis::around(0.0, 1.0, 4, pixels) }
}

/// From the lowest value of all to the highest of the later evaluations.
fn falling_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let low = series.iter().flat_map(Series::reach).fold(f64::INFINITY, f64::min);
    let high = later(series).fold(f64::NEG_INFINITY, f64::max);
    if low <= high { Axis::around(low, high, 4, pixels) } else { Axis::around(0.0, 1.0, 4, pixels) }
}

fn later(series: &[Series]) -> impl Iterator<Item = f64> + '_ {
    series.iter().flat_map(|s| {
        let skipped = if s.points.len() >= LONG { s.points.len() / 3 } else { 0 };
        s.values().skip(skipped)
    })
}

fn subtitle(groups: &[GroupRows<'_>]) -> String {
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let runs = groups.iter().map(|group| group.runs).sum();
    let mut text = format!("{}, {}", plural(groups.len(), "group"), plural(runs, "run"));
    if groups.iter().any(|group| group.evaluations.iter().any(|e| e.deviation.is_some())) {
        text += " · mean over seeds, with one standard deviation to either side";
    }
    if groups.len() > RUNS.len() {
        text += &format!(" · in colour the best {}", RUNS.len());
    }
    text
}
