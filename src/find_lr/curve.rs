//! The loss over the learning rate, as the steps of a sweep give it.

use crate::stats::Smooth;

/// What a step of the smoothed loss keeps, as in fastai.
const BETA: f64 = 0.98;
/// The sweep stops when the smoothed loss is this many times the lowest so far.
pub const DIVERGED: f64 = 4.0;
/// Steps before the lowest is looked for: the average of so few is not smooth.
const SETTLING: usize = 10;
/// Steps at the end that nothing is concluded from: they are the explosion.
const LAST: usize = 5;

/// One step of a sweep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub lr: f64,
    /// Mean over the batch, before the step was taken with that rate.
    pub loss: f64,
    /// The losses so far, averaged by [`Smooth`] with β = 0.98.
    pub smoothed: f64,
}

/// How a sweep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All steps were taken.
    Whole,
    /// The smoothed loss rose above four times the lowest.
    Rose,
    /// Loss or gradient became NaN or infinite.
    NotFinite,
}

/// A sweep under way: takes in losses, and says when to stop.
#[derive(Clone, Debug)]
pub struct Sweep {
    points: Vec<Point>,
    steps: usize,
    smooth: Smooth,
    best: f64,
}

/// A sweep that has ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// In the order of the steps; the rates grow.
    pub points: Vec<Point>,
    /// Planned: there are fewer points where the sweep was stopped.
    pub steps: usize,
    pub end: End,
}

impl Sweep {
    /// Before the first of `steps` steps.
    pub fn new(steps: usize) -> Self {
        Self { points: Vec::with_capacity(steps), steps, smooth: Smooth::new(BETA), best: f64::INFINITY }
    }

    /// Takes in a step: its rate, its loss, and whether all of it was finite. Gives the curve where the sweep ends with it:
    /// after the last step, when the loss is not finite, and when the smoothed one is above four times the lowest (which
    /// is looked for after the first ten steps). A step that was not finite is not part of the curve.
    pub fn add(&mut self, lr: f64, loss: f64, finite: bool) -> Option<Curve> {
        if !(finite && loss.is_finite()) {
            return Some(self.end(End::NotFinite));
        }
        let smoothed = self.smooth.add(loss);
        self.points.push(Point { lr, loss, smoothed });
        if smoothed > DIVERGED * self.best {
            return Some(self.end(End::Rose));
        }
        if self.points.len() > SETTLING {
            self.best = self.best.min(smoothed);
        }
        (self.points.len() == self.steps).then(|| self.end(End::Whole))
    }

    fn end(&mut self, end: End) -> Curve {
        Curve { points: std::mem::take(&mut self.points), steps: self.steps, end }
    }
}

impl Curve {
    /// The part that is drawn and concluded from: without the first tenth of the planned steps, where the average is not
    /// smooth yet, and without the last five. As in fastai's `lr_find`.
    pub fn judged(&self) -> &[Point] {
        let first = (self.steps / 10).min(self.points.len());
        let last = self.points.len().saturating_sub(LAST).max(first);
        &self.points[first..last]
    }

    /// Rates and smoothed losses of the part that is concluded from.
    pub fn smoothed(&self) -> (Vec<f64>, Vec<f64>) {
        self.judged().iter().map(|point| (point.lr, point.smoothed)).unzip()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(losses: impl IntoIterator<Item = f64>, steps: usize) -> Curve {
        let mut sweep = Sweep::new(steps);
        losses.into_iter().enumerate().find_map(|(k, loss)| sweep.add(1e-3 * (k + 1) as f64, loss, true)).unwrap()
    }

    #[test]
    fn a_sweep_ends_with_its_last_step() {
        let curve = run(std::iter::repeat(2.0), 40);
        assert_eq!((curve.end, curve.points.len(), curve.judged().len()), (End::Whole, 40, 31));
        assert!(curve.points.iter().all(|point| (point.smoothed - 2.0).abs() < 1e-12));
        assert_eq!(curve.judged()[0].lr, 5e-3);
    }

    #[test]
    fn it_stops_at_four_times_the_lowest_or_at_nan() {
        let rising = (0..100).map(|k| if k < 50 { 1.0 } else { 1000.0 });
        let curve = run(rising, 100);
        // The first large loss weighs a fiftieth and more.
        assert_eq!((curve.end, curve.points.len()), (End::Rose, 51));
        let curve = run((0..100).map(|k| if k < 30 { 1.0 } else { f64::NAN }), 100);
        assert_eq!((curve.end, curve.points.len(), curve.judged().len()), (End::NotFinite, 30, 15));
        // Before the average has settled nothing counts as the lowest.
        let curve = run((0..100).map(|k| if k < 5 { 0.1 } else { 1.0 }), 100);
        assert_eq!(curve.end, End::Whole);
    }

    #[test]
    fn a_gradient_that_is_not_finite_ends_it_too() {
        let mut sweep = Sweep::new(40);
        assert_eq!(sweep.add(1e-3, 1.0, true), None);
        let curve = sweep.add(2e-3, 1.0, false).unwrap();
        assert_eq!((curve.end, curve.points.len(), curve.judged().len()), (End::NotFinite, 1, 0));
    }
}
