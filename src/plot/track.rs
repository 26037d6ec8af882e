//! One run's rows as points of a picture.

use super::curves::{Across, RunRows};
use super::schedule::{carry_over, epoch_borders, step_borders};
use crate::record::rows::{MetricsRow, TraceRow};

/// The smoothed loss looks back over this share of training, and over this many steps at most.
const MEMORY: f64 = 0.02;
const MOST_MEMORY: f64 = 50.0;

/// A run's rows, with the places of its steps from left to right.
pub struct Track<'a> {
    pub run: RunRows<'a>,
    across: Across,
    /// Steps whose places are known, in order, and these places; all between is straight.
    steps: Vec<f64>,
    places: Vec<f64>,
}

impl<'a> Track<'a> {
    pub fn new(run: RunRows<'a>, across: Across) -> Self {
        let (steps, places) = match across {
            Across::Steps => (step_borders(run.phases), step_borders(run.phases)),
            Across::Epochs => (step_borders(run.phases), epoch_borders(run.phases)),
            Across::Seconds => seconds(run.trace),
        };
        Self { run, across, steps, places }
    }

    fn place(&self, step: f64) -> f64 {
        if self.across == Across::Steps { step } else { carry_over(step, &self.steps, &self.places) }
    }

    /// Where an evaluation stands: after its step.
    fn place_of(&self, row: &MetricsRow) -> f64 {
        if self.across == Across::Seconds { row.train_seconds } else { self.place((row.step + 1) as f64) }
    }

    /// The rightmost place that anything of the run has.
    pub fn end(&self) -> f64 {
        let rows = self.run.metrics.last().map(|row| self.place_of(row));
        let loss = self.loss().last().map(|point| point.0);
        [rows, loss, self.places.last().copied()].into_iter().flatten().fold(0.0, f64::max)
    }

    /// Where the phases meet. Those that the run did not come to begin at its end.
    pub fn borders(&self) -> Vec<f64> {
        let end = self.places.last().copied().unwrap_or(0.0);
        step_borders(self.run.phases).into_iter().map(|step| self.place(step).min(end)).collect()
    }

    /// The training loss as recorded. What is not finite is left out, here as everywhere.
    pub fn loss(&self) -> Vec<(f64, f64)> {
        let finite = self.run.trace.iter().filter(|row| row.loss.is_finite());
        finite.map(|row| (self.place(row.step as f64), row.loss)).collect()
    }

    /// The training loss smoothed by an exponential, bias-corrected average.
    pub fn smooth_loss(&self) -> Vec<(f64, f64)> {
        let keep = 1.0 - 1.0 / (self.run.trace.len() as f64 * MEMORY).clamp(1.0, MOST_MEMORY);
        let (mut average, mut weight) = (0.0, 0.0);
        let mut points = self.loss();
        for (_, loss) in &mut points {
            average = keep * average + (1.0 - keep) * *loss;
            weight = keep * weight + (1.0 - keep);
            *loss = average / weight;
        }
        points
    }

    pub fn val_loss(&self) -> Vec<(f64, f64)> {
        self.evaluations(|row| row.val_loss)
    }

    /// In percent.
    pub fn val_accuracy(&self) -> Vec<(f64, f64)> {
        self.evaluations(|row| row.val_acc * 100.0)
    }

    /// In percent.
    pub fn train_accuracy(&self) -> Vec<(f64, f64)> {
        self.evaluations(|row| row.train_acc * 100.0)
    }

    fn evaluations(&self, value: impl Fn(&MetricsRow) -> f64) -> Vec<(f64, f64)> {
        let points = self.run.metrics.iter().map(|row| (self.place_of(row), value(row)));
        points.filter(|(_, y)| y.is_finite()).collect()
    }
}

/// The seconds of training before each step, and after the last.
fn seconds(trace: &[TraceRow]) -> (Vec<f64>, Vec<f64>) {
    let (mut steps, mut places, mut sum) = (vec![0.0], vec![0.0], 0.0);
    for row in trace {
        sum += row.seconds;
        steps.push((row.step + 1) as f64);
        places.push(sum);
    }
    (steps, places)
}
