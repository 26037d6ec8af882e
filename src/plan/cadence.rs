use super::StepPlan;
use crate::registry::{Duration, DurationUnit};

/// Relative slack in counting multiples of a fractional interval: `0.1` ten times over is one.
const SLACK: f64 = 1e-9;

/// Something that is due again and again: every so many steps or epochs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cadence {
    Steps(f64),
    Epochs(f64),
}

impl Cadence {
    /// `"500step"`, `"2ep"`, or a share of training's `total_steps`: `"20%"`. `None` for what is not above zero.
    pub fn new(every: Duration, total_steps: u64) -> Option<Self> {
        let cadence = match every.unit {
            DurationUnit::Steps => Self::Steps(every.amount),
            DurationUnit::Epochs => Self::Epochs(every.amount),
            DurationUnit::Percent => Self::Steps(total_steps as f64 * every.amount / 100.0),
        };
        (every.amount.is_finite() && every.amount > 0.0).then_some(cadence)
    }

    /// Whether a multiple of the interval is reached with this step: in steps taken, or in epochs of a set of
    /// `epoch_images` that the step's epoch serves. A whole number of epochs is reached with the last batch that its epoch serves.
    pub fn is_due(&self, step: &StepPlan, epoch_images: u64) -> bool {
        let [before, after] = self.multiples(step, epoch_images);
        after > before
    }

    /// Multiples of the interval that are reached before the step, and with it.
    pub fn multiples(&self, step: &StepPlan, epoch_images: u64) -> [f64; 2] {
        let (every, before, after) = match *self {
            Self::Steps(every) => (every, step.step as f64, (step.step + 1) as f64),
            Self::Epochs(every) => {
                let epochs = |images: usize| step.epoch as f64 + images as f64 / epoch_images as f64;
                let after = if step.ends_epoch { (step.epoch + 1) as f64 } else { epochs(step.first + step.images) };
                (every, epochs(step.first), after)
            }
        };
        [before, after].map(|x| (x / every * (1.0 + SLACK)).floor())
    }
}
