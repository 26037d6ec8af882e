//! The picture of runs: loss and accuracy as training went on.

use super::axis::{Axis, is_drawable};
use super::frame::Heading;
use super::panels::{self, Look, Panel, Series, called, colours};
use super::style::{BLUE, GREEN, GREY, ORANGE, PALE, RUNS, VIOLET};
use super::track::Track;
use crate::record::rows::{MetricsRow, PlanRow, TraceRow};
use crate::units::{count, number};

/// Losses as recorded are drawn for so many runs; more are a fog.
const MOST_RAW: usize = 3;
/// The loss axis leaves out this share of the largest losses: the first steps' spikes.
const SPIKES: f64 = 0.02;
/// It ends at so many times the loss that runs begin with: a run that diverges leaves the picture, not flattens it.
const DIVERGED: f64 = 3.0;
/// The first steps, whose median is the loss that a run begins with.
const FIRST: usize = 5;

/// What runs from left to right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Across {
    #[default]
    Steps,
    Epochs,
    /// Trained on.
    Images,
    /// Of training, evaluation left out.
    Seconds,
}

impl Across {
    /// What the option `--across` calls so: steps, unless it names another.
    pub fn named(name: &str) -> Self {
        match name {
            "epochs" => Self::Epochs,
            "images" => Self::Images,
            "seconds" => Self::Seconds,
            _ => Self::Steps,
        }
    }
}

/// What a run recorded.
#[derive(Clone, Copy, Debug)]
pub struct RunRows<'a> {
    pub name: &'a str,
    pub phases: &'a [PlanRow],
    pub metrics: &'a [MetricsRow],
    pub trace: &'a [TraceRow],
}

/// Draws the training loss and the validation accuracy of one run or several, as SVG.
///
/// The loss is drawn as recorded, faintly, and smoothed over 2 % of training. A single run's picture also shows its
/// validation loss, with its largest value where that lies beyond the axis, and training accuracy; and the accuracies of averaged weights
/// and of outputs averaged over views, where it has them. Phases are drawn when all runs had the same. Of more runs than there are colours,
/// those that ended with the highest accuracy are told apart: by their names where these are short, else by their numbers from 1,
/// which a legend explains.
pub fn curves(title: &str, runs: &[RunRows<'_>], across: Across) -> String {
    let single = runs.len() == 1;
    let mut foremost = by_accuracy(runs);
    // A single run's name is the title's.
    foremost.truncate(if single { 0 } else { RUNS.len() });
    let colours = colours(runs.len(), foremost.iter().copied());
    let names: Vec<&str> = runs.iter().map(|run| run.name).collect();
    let (names, legend) = called(&names, &colours, &foremost);
    let rows = runs.iter().zip(&names).map(|(run, name)| RunRows { name, ..*run });
    let tracks: Vec<Track<'_>> = rows.map(|run| Track::new(run, across)).collect();
    let loss = Panel {
        caption: (if single { "loss" } else { "training loss" }).into(),
        unit: "",
        series: loss_series(&tracks, &colours),
        axis: Box::new(loss_axis),
    };
    let accuracy = Panel {
        caption: (if single { "accuracy" } else { "validation accuracy" }).into(),
        unit: " %",
        series: accuracy_series(&tracks, &colours),
        axis: Box::new(accuracy_axis),
    };
    let heading = Heading { legend, ..Heading::new(title, subtitle(runs)) };
    panels::draw(&heading, &tracks, across, vec![loss, accuracy])
}

/// The runs in order of their last accuracy, the highest first.
fn by_accuracy(runs: &[RunRows<'_>]) -> Vec<usize> {
    let last = |run: &RunRows<'_>| run.metrics.iter().rev().map(|row| row.val_acc).find(|acc| acc.is_finite());
    let key = |index: &usize| last(&runs[*index]).unwrap_or(f64::NEG_INFINITY);
    let mut order: Vec<usize> = (0..runs.len()).collect();
    order.sort_by(|a, b| key(b).total_cmp(&key(a)));
    order
}

fn loss_series(tracks: &[Track<'_>], colours: &[&'static str]) -> Vec<Series> {
    let mut series = Vec::new();
    if tracks.len() <= MOST_RAW {
        series.extend(tracks.iter().zip(colours).map(|(t, colour)| Series::new(t.loss(), colour, Look::Faint)));
    }
    if let [track] = tracks {
        series.push(Series::new(track.smooth_loss(), BLUE, Look::Plain).ending(|y| format!("training {}", loss(y))));
        let validation =
            Series::new(track.val_loss(), ORANGE, Look::Dotted).ending(|y| format!("validation {}", loss(y)));
        series.push(validation.marked(|y| format!("↑ validation {}", loss(y))));
    } else {
        let smooth = |(t, colour): (&Track<'_>, &&'static str)| {
            named(Series::new(t.smooth_loss(), colour, Look::Plain), t, |y| format!(": {}", loss(y)))
        };
        series.extend(tracks.iter().zip(colours).map(smooth));
    }
    series
}

fn accuracy_series(tracks: &[Track<'_>], colours: &[&'static str]) -> Vec<Series> {
    if let [track] = tracks {
        let mut series = vec![
            Series::new(track.train_accuracy(), BLUE, Look::Thin).ending(|y| format!("training {y:.1} %")),
            Series::new(track.val_accuracy(), ORANGE, Look::Dotted).ending(|y| format!("validation {y:.1} %")),
        ];
        // What only some runs have.
        let further = [
            ("averaged weights", track.averaged_accuracy(), GREEN),
            ("averaged views", track.views_accuracy(), VIOLET),
            ("weights and views", track.averaged_views_accuracy(), GREY),
        ];
        for (name, points, colour) in further {
            if !points.is_empty() {
                series.push(Series::new(points, colour, Look::Dotted).ending(|y| format!("{name} {y:.1} %")));
            }
        }
        return series;
    }
    let validation = |(t, colour): (&Track<'_>, &&'static str)| {
        named(Series::new(t.val_accuracy(), colour, Look::Dotted), t, |y| format!(": {y:.1} %"))
    };
    tracks.iter().zip(colours).map(validation).collect()
}

/// Two decimals, of what is no usual loss its magnitude: `0.52`, `5.9e8`.
fn loss(y: f64) -> String {
    if y < 1000.0 { format!("{y:.2}") } else { format!("{y:.1e}") }
}

/// With the run's name at its end, unless it is one of those in the background.
fn named(series: Series, track: &Track<'_>, behind: impl Fn(f64) -> String) -> Series {
    if series.colour == PALE { series } else { series.named(track.run.name, behind) }
}

fn loss_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let trained = || series.iter().filter(|s| s.look != Look::Dotted);
    let mut raw: Vec<f64> = trained().flat_map(Series::values).collect();
    raw.sort_by(f64::total_cmp);
    let usual = (raw.len().saturating_sub(1) as f64 * (1.0 - SPIKES)) as usize;
    let high = raw.get(usual).copied().unwrap_or(1.0);
    let high = series.iter().filter(|s| s.look == Look::Dotted).flat_map(Series::values).fold(high, f64::max);
    let starts = trained().filter_map(|series| median(series.values().take(FIRST).collect()));
    let start = median(starts.collect()).filter(|start| *start > 0.0);
    Axis::around(0.0, start.map_or(high, |start| high.min(DIVERGED * start)), 4, pixels)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn accuracy_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let values = || series.iter().flat_map(Series::values);
    let (low, high) = (values().fold(100.0, f64::min), values().fold(0.0, f64::max));
    if low < high { Axis::around(low, high, 4, pixels) } else { Axis::around(0.0, 100.0, 4, pixels) }
}

fn subtitle(runs: &[RunRows<'_>]) -> String {
    let [run] = runs else {
        let all = format!("{} runs", runs.len());
        let some = format!("{all} · in colour the {} that ended with the highest accuracy", RUNS.len());
        return if runs.len() > RUNS.len() { some } else { all };
    };
    let Some(last) = run.metrics.last() else { return String::new() };
    let best = run.metrics.iter().map(|row| row.val_acc).filter(|a| a.is_finite()).fold(0.0, f64::max);
    let steps = count(run.trace.last().map_or(last.step, |row| row.step).max(last.step).saturating_add(1));
    let seconds = match last.train_seconds {
        seconds if is_drawable(seconds) => format!(" · {} s of training", number((seconds * 10.0).round() / 10.0)),
        _ => String::new(),
    };
    format!("{steps} steps{seconds} · best validation accuracy {:.1} %", best * 100.0)
}
