//! One run's rows as points of a picture.

use super::axis::{is_drawable, lowest_on_log};
use super::curves::{Across, RunRows};
use super::places::{Corners, step_borders};
use crate::record::rows::{MetricsRow, TraceRow};
use crate::stats::Smooth;

/// The smoothed loss looks back over this share of training, and over this many steps at most.
const MEMORY: f64 = 0.02;
const MOST_MEMORY: f64 = 50.0;

/// A run's rows, with the places of its steps from left to right.
pub struct Track<'a> {
    pub run: RunRows<'a>,
    across: Across,
    corners: Corners,
}

impl<'a> Track<'a> {
    pub fn new(run: RunRows<'a>, across: Across) -> Self {
        let corners = match across {
            Across::Seconds => seconds(run.trace),
            planned => Corners::new(run.phases, planned),
        };
        Self { run, across, corners }
    }

    fn place(&self, step: f64) -> f64 {
        self.corners.place(step)
    }

    /// Where an evaluation stands: after its step.
    fn place_of(&self, row: &MetricsRow) -> f64 {
        let seconds = Some(row.train_seconds).filter(|s| self.across == Across::Seconds && is_drawable(*s));
        seconds.unwrap_or_else(|| self.place(row.step.saturating_add(1) as f64))
    }

    /// The rightmost place that anything of the run has.
    pub fn end(&self) -> f64 {
        let rows = self.run.metrics.last().map(|row| self.place_of(row));
        let loss = self.loss().last().map(|point| point.0);
        [rows, loss, self.corners.end()].into_iter().flatten().fold(0.0, f64::max)
    }

    /// Where the phases meet. Those that the run did not come to begin at its end.
    pub fn borders(&self) -> Vec<f64> {
        let end = self.corners.end().unwrap_or(0.0);
        step_borders(self.run.phases).into_iter().map(|step| self.place(step).min(end)).collect()
    }

    /// The training loss as recorded. What has no place on an axis, as NaN, is left out, here as everywhere.
    pub fn loss(&self) -> Vec<(f64, f64)> {
        self.steps(|row| row.loss)
    }

    /// The training loss smoothed by an exponential, bias-corrected average.
    pub fn smooth_loss(&self) -> Vec<(f64, f64)> {
        let keep = 1.0 - 1.0 / (self.run.trace.len() as f64 * MEMORY).clamp(1.0, MOST_MEMORY);
        let mut smooth = Smooth::new(keep);
        self.loss().into_iter().map(|(place, loss)| (place, smooth.add(loss))).collect()
    }

    /// What the steps used.
    pub fn lr(&self) -> Vec<(f64, f64)> {
        self.steps(|row| row.lr)
    }

    /// The lowest of these that a logarithmic axis should reach down to. That a phase's rates go to 0, which no step uses, its
    /// plan says.
    pub fn lowest_lr(&self) -> f64 {
        let lowest = |rows: &[TraceRow]| {
            let rates = rows.iter().map(|row| row.lr).filter(|lr| is_drawable(*lr));
            let end = self.run.phases.get(rows[0].phase).map(|phase| phase.lr_to).filter(|to| *to == 0.0);
            lowest_on_log(rates.chain(end))
        };
        self.run.trace.chunk_by(|a, b| a.phase == b.phase).map(lowest).fold(f64::INFINITY, f64::min)
    }

    pub fn momentum(&self) -> Vec<(f64, f64)> {
        self.steps(|row| row.momentum)
    }

    fn steps(&self, value: impl Fn(&TraceRow) -> f64) -> Vec<(f64, f64)> {
        let drawable = self.run.trace.iter().filter(|row| is_drawable(value(row)));
        drawable.map(|row| (self.place(row.step as f64), value(row))).collect()
    }

    pub fn val_loss(&self) -> Vec<(f64, f64)> {
        self.evaluations(|row| row.val_loss)
    }

    /// In percent.
    pub fn val_accuracy(&self) -> Vec<(f64, f64)> {
        self.evaluations(|row| row.val_acc * 100.0)
    }

    /// Of the averaged weights, in percent, from where there are any.
    pub fn averaged_accuracy(&self) -> Vec<(f64, f64)> {
        self.some_evaluations(|row| row.val_acc_avg)
    }

    /// Of outputs averaged over views, in percent, where evaluations went so far.
    pub fn views_accuracy(&self) -> Vec<(f64, f64)> {
        self.some_evaluations(|row| row.val_acc_tta)
    }

    /// Of the averaged weights, with outputs averaged over views, likewise.
    pub fn averaged_views_accuracy(&self) -> Vec<(f64, f64)> {
        self.some_evaluations(|row| row.val_acc_avg_tta)
    }

    fn some_evaluations(&self, share: impl Fn(&MetricsRow) -> Option<f64>) -> Vec<(f64, f64)> {
        self.evaluations(|row| share(row).map_or(f64::NAN, |share| share * 100.0))
    }

    /// In percent.
    pub fn train_accuracy(&self) -> Vec<(f64, f64)> {
        self.evaluations(|row| row.train_acc * 100.0)
    }

    fn evaluations(&self, value: impl Fn(&MetricsRow) -> f64) -> Vec<(f64, f64)> {
        let points = self.run.metrics.iter().map(|row| (self.place_of(row), value(row)));
        points.filter(|(_, y)| is_drawable(*y)).collect()
    }
}

/// The seconds of training before each step, and after the last.
fn seconds(trace: &[TraceRow]) -> Corners {
    let (mut steps, mut places, mut sum) = (vec![0.0], vec![0.0], 0.0);
    for row in trace {
        sum += if is_drawable(row.seconds) { row.seconds.max(0.0) } else { 0.0 };
        steps.push(row.step.saturating_add(1) as f64);
        places.push(sum);
    }
    Corners::measured(Across::Seconds, steps, places)
}
