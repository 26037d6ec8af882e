//! The picture of several runs' schedules: what their steps used, one over the other.

use super::axis::{Axis, TINY};
use super::curves::{Across, RunRows};
use super::frame::Heading;
use super::panels::{self, LayAxis, Look, Panel, Series, called, colours};
use super::schedule::{LrScale, spans_decades};
use super::style::{PALE, RUNS};
use super::track::Track;
use crate::units::number;

/// Draws the learning rate and the momentum that the steps of several runs used, as SVG. Runs of one plan are one line,
/// which is that of the run that came furthest. Lines are called by their names where these are short, else by their numbers from 1,
/// which a legend explains.
pub fn schedules(title: &str, runs: &[RunRows<'_>], across: Across, scale: LrScale) -> String {
    let groups = by_plan(runs);
    let names: Vec<String> = groups.iter().map(|group| name(runs, group)).collect();
    let foremost: Vec<usize> = (0..groups.len().min(RUNS.len())).collect();
    let colours = colours(groups.len(), foremost.iter().copied());
    let (names, legend) = called(&names, &colours, &foremost);
    let rows = groups.iter().zip(&names).map(|(group, name)| RunRows { name, ..runs[group[0]] });
    let tracks: Vec<Track<'_>> = rows.map(|run| Track::new(run, across)).collect();
    let lr = lr_panel(&tracks, &colours, scale);
    let momentum = Panel {
        caption: "momentum".into(),
        unit: "",
        series: lines(
            &tracks,
            &colours,
            |track| track.momentum(),
            |y| format!(": {}", number((y * 1e4).round() / 1e4)),
        ),
        axis: Box::new(momentum_axis),
    };
    let heading = Heading { legend, ..Heading::new(title, subtitle(runs.len(), groups.len())) };
    panels::draw(&heading, &tracks, across, vec![lr, momentum])
}

/// The learning rates of the tracks.
pub fn lr_panel(tracks: &[Track<'_>], colours: &[&'static str], scale: LrScale) -> Panel {
    let by_curves = || {
        tracks.iter().any(|track| track.run.phases.iter().any(spans_decades))
            && tracks.iter().all(|track| track.lr().iter().all(|(_, lr)| *lr > TINY))
    };
    let log = match scale {
        LrScale::ByCurves => by_curves().then(|| -> LayAxis { Box::new(log_axis) }),
        LrScale::Log => log_axis_of(tracks),
    };
    Panel {
        caption: (if log.is_some() { "learning rate, log scale" } else { "learning rate" }).into(),
        unit: "",
        series: lines(tracks, colours, |track| track.lr(), |_| String::new()),
        axis: log.unwrap_or_else(|| Box::new(lr_axis)),
    }
}

/// Where some rates are 0 these lie at the lowest tick, as in the picture of one schedule; where all are, there is none.
fn log_axis_of(tracks: &[Track<'_>]) -> Option<LayAxis> {
    let shown = tracks.iter().map(Track::lowest_lr).fold(f64::INFINITY, f64::min);
    let axis = move |series: &[Series], pixels: (f64, f64)| Axis::decades_down_to(shown, range(series), pixels);
    shown.is_finite().then(|| -> LayAxis { Box::new(axis) })
}

/// The runs of each plan, in each group the one first that came furthest.
fn by_plan(runs: &[RunRows<'_>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, run) in runs.iter().enumerate() {
        match groups.iter_mut().find(|group| runs[group[0]].phases == run.phases) {
            Some(group) if runs[group[0]].trace.len() < run.trace.len() => group.insert(0, index),
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}

/// `a`, `a and 2 more`
fn name(runs: &[RunRows<'_>], group: &[usize]) -> String {
    let first = group.iter().min().map_or("", |index| runs[*index].name);
    if group.len() == 1 { first.to_owned() } else { format!("{first} and {} more", group.len() - 1) }
}

fn lines(
    tracks: &[Track<'_>],
    colours: &[&'static str],
    points: impl Fn(&Track<'_>) -> Vec<(f64, f64)>,
    behind: impl Fn(f64) -> String + Copy,
) -> Vec<Series> {
    let line = |(track, colour): (&Track<'_>, &&'static str)| {
        let series = Series::new(points(track), colour, Look::Plain);
        if *colour == PALE { series } else { series.named(track.run.name, behind) }
    };
    tracks.iter().zip(colours).map(line).collect()
}

fn lr_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let (low, high) = range(series);
    Axis::around(low.min(0.0), high.max(0.0), 4, pixels)
}

/// All values are above zero.
fn log_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    match range(series) {
        (low, high) if low > TINY => Axis::decades(low, high, pixels),
        _ => Axis::decades(0.1, 1.0, pixels),
    }
}

fn momentum_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let (low, high) = range(series);
    let close = high > low && high - low < 0.3 * high;
    if close { Axis::around(low, high, 3, pixels) } else { Axis::around(low.min(0.0), high.max(1.0), 3, pixels) }
}

/// The lowest and the highest value; zeros where there is none.
fn range(series: &[Series]) -> (f64, f64) {
    let values = || series.iter().flat_map(Series::values);
    match values().next() {
        Some(first) => (values().fold(first, f64::min), values().fold(first, f64::max)),
        None => (0.0, 0.0),
    }
}

fn subtitle(runs: usize, plans: usize) -> String {
    let plural = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let mut text = format!("{}, {}", plural(runs, "run"), plural(plans, "schedule"));
    if plans > RUNS.len() {
        text += &format!(" · in colour the first {}", RUNS.len());
    }
    text
}
