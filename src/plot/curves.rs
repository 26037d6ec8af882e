//! The picture of runs: loss and accuracy as training went on.

use super::axis::{Axis, Tick};
use super::frame::{EndLabel, Frame, Ruler, Stages, label_ends};
use super::schedule::{Shown, counts, epoch_ruler};
use super::style::{BLUE, INK, ORANGE, RUNS, SMALL};
use super::svg::{Stroke, Svg, Weight};
use super::text;
use super::thin::thin;
use super::track::Track;
use crate::record::rows::{MetricsRow, PlanRow, TraceRow};
use crate::units::{count, number};

const COLUMNS: usize = 450;
/// Losses as recorded are drawn for so many runs; more are a fog.
const MOST_RAW: usize = 3;
/// Evaluations are marked by dots up to this many.
const MOST_DOTS: usize = 40;
/// The loss axis leaves out this share of the largest losses: the first steps' spikes.
const SPIKES: f64 = 0.02;

/// What runs from left to right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Across {
    #[default]
    Steps,
    Epochs,
    /// Of training, evaluation left out.
    Seconds,
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
/// validation loss and training accuracy. Phases are drawn when all runs had the same.
pub fn curves(title: &str, runs: &[RunRows<'_>], across: Across) -> String {
    let tracks: Vec<Track<'_>> = runs.iter().map(|run| Track::new(*run, across)).collect();
    let (loss, accuracy) = (loss_series(&tracks), accuracy_series(&tracks));
    let words = loss.iter().chain(&accuracy).filter_map(|series| series.words.as_deref());
    let right = words.map(|w| text::width(w, SMALL, Weight::Semibold)).fold(0.0, f64::max) + 22.0;
    let stages = stages(&tracks);
    let frame = Frame::new(title, subtitle(runs), &stages, right, vec![200.0, 200.0]);
    let rulers = rulers(&frame.x, stages.phases, across);
    let frame = frame.with_rulers(rulers);
    let mut svg = frame.start();

    let single = tracks.len() == 1;
    let y = loss_axis(&loss, frame.heights(0));
    frame.panel(&mut svg, &y, (if single { "loss" } else { "training loss" }, INK), "");
    draw(&mut svg, &frame, &y, &loss);
    let y = accuracy_axis(&accuracy, frame.heights(1));
    frame.panel(&mut svg, &y, (if single { "accuracy" } else { "validation accuracy" }, INK), " %");
    draw(&mut svg, &frame, &y, &accuracy);
    svg.finish(title)
}

/// One line of a panel.
struct Series {
    points: Vec<(f64, f64)>,
    colour: &'static str,
    look: Look,
    /// Written at its right end.
    words: Option<String>,
}

#[derive(Clone, Copy, PartialEq)]
enum Look {
    Faint,
    Thin,
    Plain,
    /// With a dot at each point.
    Dotted,
}

impl Series {
    fn new(points: Vec<(f64, f64)>, colour: &'static str, look: Look) -> Self {
        Self { points, colour, look, words: None }
    }

    /// With words at the end, made from the last value.
    fn ending(mut self, words: impl Fn(f64) -> String) -> Self {
        self.words = self.points.last().map(|(_, y)| words(*y));
        self
    }
}

fn loss_series(tracks: &[Track<'_>]) -> Vec<Series> {
    let raw = tracks.iter().enumerate().filter(|_| tracks.len() <= MOST_RAW);
    let mut series: Vec<Series> = raw.map(|(i, t)| Series::new(t.loss(), colour(i), Look::Faint)).collect();
    if let [track] = tracks {
        series.push(Series::new(track.smooth_loss(), BLUE, Look::Plain).ending(|y| format!("training {y:.2}")));
        series.push(Series::new(track.val_loss(), ORANGE, Look::Dotted).ending(|y| format!("validation {y:.2}")));
    } else {
        let smooth = |(i, t): (usize, &Track<'_>)| {
            Series::new(t.smooth_loss(), colour(i), Look::Plain).ending(|y| format!("{} {y:.2}", t.run.name))
        };
        series.extend(tracks.iter().enumerate().map(smooth));
    }
    series
}

fn accuracy_series(tracks: &[Track<'_>]) -> Vec<Series> {
    if let [track] = tracks {
        return vec![
            Series::new(track.train_accuracy(), BLUE, Look::Thin).ending(|y| format!("training {y:.1} %")),
            Series::new(track.val_accuracy(), ORANGE, Look::Dotted).ending(|y| format!("validation {y:.1} %")),
        ];
    }
    let validation = |(i, t): (usize, &Track<'_>)| {
        Series::new(t.val_accuracy(), colour(i), Look::Dotted).ending(|y| format!("{} {y:.1} %", t.run.name))
    };
    tracks.iter().enumerate().map(validation).collect()
}

fn colour(run: usize) -> &'static str {
    RUNS[run % RUNS.len()]
}

fn draw(svg: &mut Svg, frame: &Frame<'_>, y: &Axis, series: &[Series]) {
    let place = |(a, b): &(f64, f64)| (frame.x.px(*a), y.px(*b));
    frame.within(svg, y, |svg| {
        for series in series {
            let points: Vec<_> = thin(&series.points, COLUMNS).iter().map(place).collect();
            let stroke = match series.look {
                Look::Faint => Stroke::new(series.colour, 0.8).faint(0.25),
                Look::Thin => Stroke::new(series.colour, 1.4).faint(0.7),
                Look::Plain | Look::Dotted => Stroke::new(series.colour, 1.8),
            };
            svg.polyline(&points, stroke);
        }
    });
    // Not cut off: a dot at the very end is drawn whole.
    for series in series.iter().filter(|s| s.look == Look::Dotted && s.points.len() <= MOST_DOTS) {
        series.points.iter().map(place).for_each(|at| svg.dot(at, 3.0, series.colour));
    }
    let label = |series: &Series| {
        let (_, value) = series.points.last()?;
        Some(EndLabel { y: y.px(*value), words: series.words.clone()?, colour: series.colour })
    };
    label_ends(svg, frame.x.to + 10.0, series.iter().filter_map(label).collect(), (y.from, y.to));
}

/// The phases that the runs came to, when all planned the same ones.
fn stages<'a>(tracks: &[Track<'a>]) -> Stages<'a> {
    let end = tracks.iter().map(Track::end).fold(0.0, f64::max);
    let nothing = Stages { phases: &[], borders: vec![0.0, end], labels: Shown::No };
    let Some(first) = tracks.first() else { return nothing };
    if tracks.iter().any(|track| track.run.phases != first.run.phases) {
        return nothing;
    }
    let mut borders = first.borders();
    borders.pop();
    borders.retain(|border| *border < end);
    if borders.is_empty() {
        return nothing;
    }
    let phases = &first.run.phases[..borders.len()];
    borders.push(end);
    Stages { phases, borders, labels: Shown::Yes }
}

fn loss_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let mut raw: Vec<f64> = series.iter().filter(|s| s.look != Look::Dotted).flat_map(values).collect();
    raw.sort_by(f64::total_cmp);
    let usual = (raw.len().saturating_sub(1) as f64 * (1.0 - SPIKES)) as usize;
    let high = raw.get(usual).copied().unwrap_or(1.0);
    let high = series.iter().filter(|s| s.look == Look::Dotted).flat_map(values).fold(high, f64::max);
    Axis::around(0.0, high, 4, pixels)
}

fn accuracy_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let values = || series.iter().flat_map(values);
    let (low, high) = (values().fold(100.0, f64::min), values().fold(0.0, f64::max));
    if low < high { Axis::around(low, high, 4, pixels) } else { Axis::around(0.0, 100.0, 4, pixels) }
}

fn values(series: &Series) -> impl Iterator<Item = f64> + '_ {
    series.points.iter().map(|(_, y)| *y)
}

fn rulers(x: &Axis, phases: &[PlanRow], across: Across) -> Vec<Ruler> {
    match across {
        Across::Steps if phases.is_empty() => vec![Ruler { name: "step", ticks: counts(x) }],
        Across::Steps => vec![Ruler { name: "step", ticks: counts(x) }, epoch_ruler(phases)],
        Across::Epochs => vec![Ruler { name: "epoch", ticks: x.ticks(10) }],
        Across::Seconds => {
            let (unit, name) = if x.high > 600.0 { (60.0, "minutes") } else { (1.0, "seconds") };
            let shown = Axis::exact(0.0, x.high / unit, (0.0, 1.0));
            let ticks = shown.ticks(8).into_iter().map(|t| Tick { value: t.value * unit, ..t }).collect();
            vec![Ruler { name, ticks }]
        }
    }
}

fn subtitle(runs: &[RunRows<'_>]) -> String {
    let [run] = runs else { return format!("{} runs", runs.len()) };
    let Some(last) = run.metrics.last() else { return String::new() };
    let best = run.metrics.iter().map(|row| row.val_acc).filter(|a| a.is_finite()).fold(0.0, f64::max);
    let seconds = number((last.train_seconds * 10.0).round() / 10.0);
    let steps = count(run.trace.last().map_or(last.step, |row| row.step).max(last.step) + 1);
    format!("{steps} steps · {seconds} s of training · best validation accuracy {:.1} %", best * 100.0)
}
