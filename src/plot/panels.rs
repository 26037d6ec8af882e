//! Pictures of runs: panels of lines one above the other, from left to right as training went on.

use super::axis::{Axis, Tick};
use super::curves::Across;
use super::frame::{self, EndLabel, Frame, Heading, Ruler, Stages, label_ends};
use super::places::{counts, epoch_ruler};
use super::schedule::Shown;
use super::style::{INK, PALE, RUNS, SMALL};
use super::svg::{Stroke, Svg, Type, Weight};
use super::text;
use super::thin::thin;
use super::track::Track;
use crate::record::rows::PlanRow;
use std::borrow::Cow;

const COLUMNS: usize = 450;
/// Evaluations are marked by dots up to this many.
const MOST_DOTS: usize = 40;
/// A run's name at the end of its line is cut to this width.
const MOST_NAME: f64 = 190.0;
/// Plans of more phases than this are not told apart by eye: they are drawn without their borders.
const MOST_PHASES: usize = 300;
/// How far outside its panel, in pixels, a line is followed.
const OUTSIDE: f64 = 1000.0;

/// Some lines over one axis.
pub struct Panel {
    pub caption: Cow<'static, str>,
    /// Behind the numbers of its axis.
    pub unit: &'static str,
    pub series: Vec<Series>,
    pub axis: LayAxis,
}

/// Lays the axis of a panel onto the pixels given.
pub type LayAxis = Box<dyn Fn(&[Series], (f64, f64)) -> Axis>;

/// One line of a panel.
pub struct Series {
    pub points: Vec<(f64, f64)>,
    pub colour: &'static str,
    pub look: Look,
    /// From where to where values lie around the points: `(x, low, high)`.
    band: Vec<(f64, f64, f64)>,
    /// Written at its right end.
    words: Option<String>,
    /// Its largest value, and what is written where that leaves the panel.
    peak: Option<((f64, f64), String)>,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Look {
    Faint,
    Thin,
    Plain,
    /// With a dot at each point.
    Dotted,
    /// A mark to hold the others against.
    Dashed,
}

impl Series {
    pub fn new(points: Vec<(f64, f64)>, colour: &'static str, look: Look) -> Self {
        Self { points, colour, look, band: Vec::new(), words: None, peak: None }
    }

    /// With an area around the line.
    pub fn banded(self, band: Vec<(f64, f64, f64)>) -> Self {
        Self { band, ..self }
    }

    /// With words at the end, made from the last value.
    pub fn ending(mut self, words: impl Fn(f64) -> String) -> Self {
        self.words = self.points.last().map(|(_, y)| words(*y));
        self
    }

    /// With words where its largest value leaves the panel, made from that value.
    pub fn marked(mut self, words: impl Fn(f64) -> String) -> Self {
        let largest = self.points.iter().copied().reduce(|a, b| if b.1 > a.1 { b } else { a });
        self.peak = largest.map(|at| (at, words(at.1)));
        self
    }

    /// With a run's name at the end, and what comes behind it.
    pub fn named(self, name: &str, behind: impl Fn(f64) -> String) -> Self {
        let name = text::shortened(name, SMALL, Weight::Semibold, MOST_NAME);
        self.ending(|y| format!("{name}{}", behind(y)))
    }

    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.points.iter().map(|(_, y)| *y)
    }

    /// As [`values`](Self::values), and how far the band reaches.
    pub fn reach(&self) -> impl Iterator<Item = f64> + '_ {
        self.values().chain(self.band.iter().flat_map(|(_, low, high)| [*low, *high]))
    }

    /// Whether it lies in the background.
    pub fn is_pale(&self) -> bool {
        self.colour == PALE
    }
}

/// The colours of runs, of which `ranking` names the ones to tell apart, the most important first: as many as there are
/// colours. The others are pale.
pub fn colours(runs: usize, ranking: impl IntoIterator<Item = usize>) -> Vec<&'static str> {
    if runs <= RUNS.len() {
        return RUNS[..runs].to_vec();
    }
    let mut colours = vec![PALE; runs];
    for (colour, run) in RUNS.into_iter().zip(ranking) {
        colours[run] = colour;
    }
    colours
}

/// What lines are called at their ends, and the legend: their names, if all of those that `ranking` names for telling apart are
/// short; else their numbers from 1, which the legend explains in that order.
pub fn called(
    names: &[impl AsRef<str>],
    colours: &[&'static str],
    ranking: &[usize],
) -> (Vec<String>, Vec<(String, &'static str)>) {
    let short = |k: &usize| text::width(names[*k].as_ref(), SMALL, Weight::Semibold) <= MOST_NAME;
    if ranking.iter().all(short) {
        return (names.iter().map(|name| name.as_ref().to_owned()).collect(), Vec::new());
    }
    let legend = ranking.iter().map(|k| (format!("#{} {}", k + 1, names[*k].as_ref()), colours[*k])).collect();
    ((1..=names.len()).map(|number| format!("#{number}")).collect(), legend)
}

impl Panel {
    /// Draws it as panel `k` of the frame.
    pub fn draw(&mut self, svg: &mut Svg, frame: &Frame<'_>, k: usize) {
        // What is pale lies below.
        self.series.sort_by_key(|series| !series.is_pale());
        let y = (self.axis)(&self.series, frame.heights(k));
        frame.panel(svg, &y, (&self.caption, INK), self.unit);
        draw_lines(svg, frame, &y, &self.series);
    }
}

/// Room to the right of panels for the words at the ends of their lines.
pub fn room<'p>(panels: impl IntoIterator<Item = &'p Panel>) -> f64 {
    let words = panels.into_iter().flat_map(|panel| &panel.series).filter_map(|series| series.words.as_deref());
    words.map(|w| text::width(w, SMALL, Weight::Semibold)).fold(0.0, f64::max) + 22.0
}

/// Draws the picture.
pub fn draw(heading: &Heading<'_>, tracks: &[Track<'_>], across: Across, mut panels: Vec<Panel>) -> String {
    let stages = stages(tracks);
    let frame = Frame::new(heading.bottom(), &stages, room(&panels), vec![200.0; panels.len()]);
    let rulers = rulers(&frame.x, stages.phases, across);
    let frames = [frame.with_rulers(rulers)];
    let mut svg = frame::start(heading, &frames);
    for (k, panel) in panels.iter_mut().enumerate() {
        panel.draw(&mut svg, &frames[0], k);
    }
    svg.finish(heading.title)
}

fn draw_lines(svg: &mut Svg, frame: &Frame<'_>, y: &Axis, series: &[Series]) {
    let place = |(a, b): &(f64, f64)| (frame.x.px(*a), y.px(*b).clamp(y.to - OUTSIDE, y.from + OUTSIDE));
    frame.within(svg, y, |svg| {
        for series in series {
            let edge = |pick: fn(&(f64, f64, f64)) -> f64| -> Vec<_> {
                series.band.iter().map(|at| place(&(at.0, pick(at)))).collect()
            };
            svg.band(&edge(|at| at.1), &edge(|at| at.2), series.colour, 0.13);
        }
        for series in series {
            let points: Vec<_> = thin(&series.points, COLUMNS).iter().map(place).collect();
            let stroke = match series.look {
                Look::Faint => Stroke::new(series.colour, 0.8).faint(0.25),
                Look::Thin => Stroke::new(series.colour, 1.4).faint(0.7),
                Look::Dashed => Stroke::new(series.colour, 1.2).dashed("5 4"),
                Look::Plain | Look::Dotted if series.is_pale() => Stroke::new(series.colour, 1.0),
                Look::Plain | Look::Dotted => Stroke::new(series.colour, 1.8),
            };
            svg.polyline(&points, stroke);
        }
    });
    // Not cut off: a dot at the very end is drawn whole. A line that left its panel has none there.
    // A line of one point would not show without.
    let dotted = |s: &&Series| match s.look {
        Look::Dotted => !s.is_pale() && s.points.len() <= MOST_DOTS,
        Look::Thin | Look::Plain => s.points.len() == 1,
        Look::Faint | Look::Dashed => false,
    };
    for series in series.iter().filter(dotted) {
        let inside = series.points.iter().map(place).filter(|(_, at)| (y.to - 1.0..=y.from + 1.0).contains(at));
        inside.for_each(|at| svg.dot(at, 3.0, series.colour));
    }
    let label = |series: &Series| {
        let (_, value) = series.points.last()?;
        Some(EndLabel { y: y.px(*value), words: series.words.clone()?, colour: series.colour })
    };
    label_ends(svg, frame.x.to + 10.0, series.iter().filter_map(label).collect(), (y.from, y.to));
    for line in series {
        if let Some(((at, value), words)) = &line.peak
            && y.px(*value) < y.to - 1.0
        {
            // Inside, below the border, beside where the line crosses it.
            let last = frame.x.to - text::width(words, SMALL, Weight::Semibold);
            let x = (frame.x.px(*at) + 4.0).min(last).max(frame.x.from);
            svg.text((x, y.to + 12.0), words, Type::new(SMALL, line.colour).semibold().haloed());
        }
    }
}

/// The phases that the runs came to, when all planned the same ones.
fn stages<'a>(tracks: &[Track<'a>]) -> Stages<'a> {
    let end = tracks.iter().map(Track::end).fold(0.0, f64::max);
    let nothing = Stages::plain(end);
    let Some(first) = tracks.first() else { return nothing };
    let phases = first.run.phases;
    if phases.len() > MOST_PHASES || tracks.iter().any(|track| track.run.phases != phases) {
        return nothing;
    }
    let mut borders = first.borders();
    borders.pop();
    borders.retain(|border| *border < end);
    if borders.is_empty() {
        return nothing;
    }
    let phases = &phases[..borders.len()];
    borders.push(end);
    Stages { phases, borders, labels: Shown::Yes }
}

fn rulers(x: &Axis, phases: &[PlanRow], across: Across) -> Vec<Ruler> {
    match across {
        Across::Steps if phases.is_empty() => vec![Ruler { name: "step", ticks: counts(x) }],
        Across::Steps => vec![Ruler { name: "step", ticks: counts(x) }, epoch_ruler(phases)],
        Across::Images => vec![Ruler { name: "images", ticks: counts(x) }],
        Across::Epochs => vec![Ruler { name: "epoch", ticks: x.ticks(10) }],
        Across::Seconds => vec![time_ruler(x)],
    }
}

/// Seconds, minutes or hours of an axis of seconds.
pub fn time_ruler(x: &Axis) -> Ruler {
    let (unit, name) = match x.high {
        high if high > 36_000.0 => (3600.0, "hours"),
        high if high > 600.0 => (60.0, "minutes"),
        _ => (1.0, "seconds"),
    };
    let shown = Axis::exact(0.0, x.high / unit, (0.0, 1.0));
    let ticks = shown.ticks(8).into_iter().map(|t| Tick { value: t.value * unit, ..t }).collect();
    Ruler { name, ticks }
}
