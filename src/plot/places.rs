//! Where the steps of a plan lie from left to right.

use super::axis::{Axis, Tick, is_drawable};
use super::curves::Across;
use super::frame::Ruler;
use super::style::{RIGHT, SMALL};
use super::svg::Weight;
use super::text;
use crate::record::rows::PlanRow;
use crate::units::count;

/// A plan's phases, and where they and their steps lie.
pub struct Places<'a> {
    pub phases: &'a [PlanRow],
    /// Where the phases begin, and the end: one more than phases.
    pub borders: Vec<f64>,
    /// The same in steps.
    pub steps: Vec<f64>,
    across: Across,
}

impl<'a> Places<'a> {
    pub fn new(phases: &'a [PlanRow], across: Across) -> Self {
        Self { phases, borders: borders(phases, across), steps: step_borders(phases), across }
    }

    pub fn of(&self, step: f64) -> f64 {
        match self.across {
            Across::Steps | Across::Seconds => step,
            Across::Epochs | Across::Images => carry_over(step, &self.steps, &self.borders),
        }
    }

    /// What runs from left to right, and below it what it is held against: epochs under steps, steps under all else.
    pub fn rulers(&self, x: &Axis) -> Vec<Ruler> {
        match self.across {
            Across::Steps | Across::Seconds => vec![Ruler { name: "step", ticks: counts(x) }, epoch_ruler(self.phases)],
            Across::Epochs => vec![Ruler { name: "epoch", ticks: x.ticks(10) }, self.step_ruler()],
            Across::Images => vec![Ruler { name: "images", ticks: counts(x) }, self.step_ruler()],
        }
    }

    /// Not evenly spaced where the batch size changes.
    fn step_ruler(&self) -> Ruler {
        let axis = Axis::exact(0.0, self.steps[self.steps.len() - 1], (0.0, 1.0));
        let ticks = counts(&axis).into_iter().map(|t| Tick { value: self.of(t.value), ..t });
        Ruler { name: "step", ticks: ticks.collect() }
    }

    /// Room at the right edge: half of a label that may stand there, at least the usual.
    pub fn room(&self) -> f64 {
        let half = |borders: &[f64]| {
            let last = count(borders[borders.len() - 1] as u64);
            text::width(&last, SMALL, Weight::Regular) / 2.0
        };
        RIGHT.max(half(&self.borders)).max(half(&self.steps))
    }
}

/// Where phases begin, and the end of the last. Seconds are in no plan: steps stand for them.
pub fn borders(phases: &[PlanRow], across: Across) -> Vec<f64> {
    match across {
        Across::Steps | Across::Seconds => step_borders(phases),
        Across::Epochs => epoch_borders(phases),
        Across::Images => sums(phases, |phase| phase.images as f64),
    }
}

/// The first step of each phase, and the end of the last.
pub fn step_borders(phases: &[PlanRow]) -> Vec<f64> {
    sums(phases, |phase| phase.steps as f64)
}

/// The epochs served before each phase, and in all.
pub fn epoch_borders(phases: &[PlanRow]) -> Vec<f64> {
    sums(phases, |phase| if is_drawable(phase.epochs) { phase.epochs.max(0.0) } else { 0.0 })
}

fn sums(phases: &[PlanRow], of: impl Fn(&PlanRow) -> f64) -> Vec<f64> {
    let mut borders = vec![0.0];
    for phase in phases {
        borders.push(borders[borders.len() - 1] + of(phase));
    }
    borders
}

/// Where `x` lies on `to`, when the corners of `from` lie on those of `to` and all between is straight.
pub fn carry_over(x: f64, from: &[f64], to: &[f64]) -> f64 {
    let last = from.len().min(to.len()).saturating_sub(1);
    let right = from.partition_point(|f| *f < x).clamp(1.min(last), last);
    let left = right.saturating_sub(1);
    let width = from[right] - from[left];
    if width > 0.0 { to[left] + (x - from[left]) / width * (to[right] - to[left]) } else { to[right] }
}

/// Ticks of whole numbers, thousands set apart.
pub fn counts(x: &Axis) -> Vec<Tick> {
    let whole = x.ticks(8).into_iter().filter(|t| t.value.fract() == 0.0);
    whole.map(|t| Tick { label: count(t.value as u64), ..t }).collect()
}

/// Epochs below the steps: not evenly spaced where the batch size changes.
pub fn epoch_ruler(phases: &[PlanRow]) -> Ruler {
    let (steps, epochs) = (step_borders(phases), epoch_borders(phases));
    let axis = Axis::exact(0.0, epochs[epochs.len() - 1], (0.0, 1.0));
    let ticks = axis.ticks(10).into_iter().map(|t| Tick { value: carry_over(t.value, &epochs, &steps), ..t });
    Ruler { name: "epoch", ticks: ticks.collect() }
}
