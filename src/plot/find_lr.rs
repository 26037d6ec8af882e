//! The picture of a learning-rate range test: loss over rate, for each seed, and the rates that are suggested.

use super::axis::{Axis, Tick, is_drawable};
use super::frame::{self, Frame, Heading, Ruler, Stages};
use super::panels::{Look, Panel, Series, room};
use super::style::{PALE, QUIET, RUNS};
use super::svg::Stroke;
use crate::units::number;

const HEIGHT: f64 = 300.0;
/// The losses of single batches are drawn for so many seeds; more are a fog.
const MOST_RAW: usize = 3;
/// Axes of fewer powers of ten than this have ticks between them.
const FEW_DECADES: f64 = 2.5;
/// How far the axis of losses reaches above where curves begin, in parts of their fall: beyond, they explode.
const ABOVE: f64 = 0.35;

/// One seed's sweep.
#[derive(Clone, Debug)]
pub struct RateCurve {
    /// At its end.
    pub name: String,
    /// Rates, above zero, and losses of single batches.
    pub raw: Vec<(f64, f64)>,
    /// Rates and smoothed losses.
    pub smoothed: Vec<(f64, f64)>,
    /// Whether anything is concluded from it; drawn dashed where not.
    pub usable: bool,
}

/// A suggested rate: its line, and the area between the least and the largest that seeds suggest.
#[derive(Clone, Debug)]
pub struct RateMark {
    /// In the legend.
    pub words: String,
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// Along which axis rates are drawn: as they were swept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateScale {
    Linear,
    Log,
}

/// Draws the sweeps as SVG.
pub fn find_lr(title: &str, subtitle: String, curves: &[RateCurve], marks: &[RateMark], scale: RateScale) -> String {
    let place = Place::new(curves, marks, scale);
    let mut heading = Heading::new(title, subtitle);
    heading.legend = marks.iter().zip(RUNS).map(|(mark, colour)| (mark.words.clone(), colour)).collect();
    let mut panel = Panel {
        caption: "training loss, smoothed".into(),
        unit: "",
        series: series(curves, &place),
        axis: Box::new(loss_axis),
    };
    let stages = Stages::plain(place.of(place.high));
    let frame = Frame::new(heading.bottom(), &stages, room([&panel]), vec![HEIGHT]);
    let ruler = Ruler { name: "rate", ticks: place.ticks(&frame.x) };
    let frames = [frame.with_rulers(vec![ruler])];
    let mut svg = frame::start(&heading, &frames);
    let [frame] = &frames;
    let (bottom, top) = frame.heights(0);
    let px = |rate: f64| frame.x.px(place.of(rate));
    for (mark, colour) in marks.iter().zip(RUNS) {
        if mark.low < mark.high {
            svg.area(&[(px(mark.low), top), (px(mark.high), top)], bottom, colour, 0.10);
        }
    }
    panel.draw(&mut svg, frame, 0);
    for (mark, colour) in marks.iter().zip(RUNS) {
        svg.line((px(mark.median), bottom), (px(mark.median), top), Stroke::new(colour, 1.6));
    }
    svg.finish(title)
}

fn series(curves: &[RateCurve], place: &Place) -> Vec<Series> {
    let placed = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
        points.iter().filter(|(_, loss)| is_drawable(*loss)).map(|(rate, loss)| (place.of(*rate), *loss)).collect()
    };
    let mut series = Vec::new();
    if curves.len() <= MOST_RAW {
        series.extend(curves.iter().map(|curve| Series::new(placed(&curve.raw), QUIET, Look::Faint)));
    }
    series.extend(curves.iter().map(|curve| {
        let (colour, look) = if curve.usable { (QUIET, Look::Plain) } else { (PALE, Look::Dashed) };
        Series::new(placed(&curve.smoothed), colour, look).named(&curve.name, |_| String::new())
    }));
    series
}

/// From the lowest of the smoothed losses to a little above where they begin.
fn loss_axis(series: &[Series], pixels: (f64, f64)) -> Axis {
    let of = |look: Look| series.iter().filter(move |s| s.look == look && !s.points.is_empty());
    let look = if of(Look::Plain).next().is_some() { Look::Plain } else { Look::Dashed };
    let low = of(look).flat_map(Series::values).fold(f64::INFINITY, f64::min);
    let high = of(look).flat_map(Series::values).fold(f64::NEG_INFINITY, f64::max);
    let start = of(look).filter_map(|s| s.values().next()).fold(f64::NEG_INFINITY, f64::max);
    if low > high {
        return Axis::around(0.0, 1.0, 4, pixels);
    }
    let fall = if start > low { start - low } else { 0.5 * start.abs() };
    Axis::around(low, high.min(start + ABOVE * fall), 5, pixels)
}

/// Rates from left to right.
struct Place {
    low: f64,
    high: f64,
    scale: RateScale,
}

impl Place {
    fn new(curves: &[RateCurve], marks: &[RateMark], scale: RateScale) -> Self {
        let swept = curves.iter().flat_map(|curve| &curve.smoothed).map(|(rate, _)| *rate);
        let marked = marks.iter().flat_map(|mark| [mark.low, mark.high]);
        let rates = || swept.clone().chain(marked.clone()).filter(|rate| *rate > 0.0 && is_drawable(*rate));
        let (low, high) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        if low < high { Self { low, high, scale } } else { Self { low: 0.1, high: 1.0, scale } }
    }

    /// The place of a rate on the picture's axis, which begins at 0.
    fn of(&self, rate: f64) -> f64 {
        match self.scale {
            RateScale::Linear => rate - self.low,
            RateScale::Log => (rate.max(self.low) / self.low).log10(),
        }
    }

    fn ticks(&self, x: &Axis) -> Vec<Tick> {
        let few = (self.high / self.low).log10() < FEW_DECADES;
        let ticks = match self.scale {
            RateScale::Linear => Axis::exact(self.low, self.high, (x.from, x.to)).ticks(10),
            RateScale::Log if few => {
                let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
                let values = decades.flat_map(|decade| [1, 2, 5].map(|k| format!("{k}e{decade}")));
                let values = values.filter_map(|text| text.parse::<f64>().ok());
                values.map(|value| Tick { value, label: number(value) }).collect()
            }
            RateScale::Log => Axis::decades(self.low, self.high, (x.from, x.to)).ticks(10),
        };
        let inside = |tick: &Tick| tick.value >= self.low * (1.0 - 1e-9) && tick.value <= self.high * (1.0 + 1e-9);
        ticks.into_iter().filter(inside).map(|tick| Tick { value: self.of(tick.value), ..tick }).collect()
    }
}
