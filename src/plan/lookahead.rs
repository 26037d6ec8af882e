//! When lookahead mixes the trained weights with the slow ones, and how.

use super::compile::PlanError;
use super::{Plan, StepPlan};
use crate::config::spec::LookaheadSpec;
use crate::schedule::Ramp;
use crate::units::count;
use std::fmt;

/// `[train] lookahead`, laid out over training.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLookahead {
    every: u64,
    decay: Ramp,
    /// The step before which the slow weights are made, as the trained ones are then.
    pub first_step: u64,
    at_epoch_end: bool,
}

/// What happens to the weights after a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mix {
    /// The slow ones keep the share `decay` of themselves and take the rest of the trained ones, which then become them.
    Blend { decay: f64 },
    /// The trained ones become the slow ones, which stay.
    Return,
}

impl PlannedLookahead {
    /// Whether the trained weights go back to the slow ones at the end of each epoch.
    pub(super) fn is_back_at_epoch_end(&self) -> bool {
        self.at_epoch_end
    }
}

impl Plan {
    /// What lookahead does after a step: after every so many, and at the end of training, where the slow weights are what
    /// remains.
    pub fn mix_after(&self, step: &StepPlan) -> Option<Mix> {
        let lookahead = self.lookahead.as_ref().filter(|lookahead| lookahead.first_step <= step.step)?;
        let (taken, all) = (step.step + 1, self.total_steps);
        if taken.is_multiple_of(lookahead.every) {
            return Some(Mix::Blend { decay: lookahead.decay.at(taken, all) });
        }
        (taken == all || lookahead.at_epoch_end && step.ends_epoch).then_some(Mix::Return)
    }

    /// The decay of the slow weights after a step, mixed in or not, where it moves.
    pub(super) fn moving_decay_after(&self, step: u64) -> Option<f64> {
        let moves = |lookahead: &&PlannedLookahead| lookahead.decay_moves() && lookahead.first_step <= step;
        self.lookahead.as_ref().filter(moves).map(|lookahead| lookahead.decay.at(step + 1, self.total_steps))
    }

    pub(super) fn plan_lookahead(&self, spec: &LookaheadSpec) -> Result<PlannedLookahead, PlanError> {
        let error = |e: crate::schedule::RampError| {
            PlanError::new(format!("train.lookahead.decay.{}", e.key), e.message, e.help)
        };
        let decay = Ramp::new(&spec.decay).map_err(error)?;
        let (all, first_step) = (self.total_steps, self.steps_until(spec.start));
        // What remains of training are the slow weights: those that take nothing in would be all of it.
        if first_step < all && all / spec.every == first_step / spec.every {
            let (every, all) = (count(spec.every), count(all));
            let message = format!("the slow weights take nothing in, every {every} steps: training is of {all}");
            let help = "let `every` be shorter, or `start` earlier: the slow weights are what remains";
            return Err(PlanError::new("train.lookahead.every", message, help));
        }
        if decay == Ramp::constant(1.0) {
            let help = "give less than 1: the slow weights are what remains";
            return Err(PlanError::new("train.lookahead.decay", "slow weights of decay 1 take nothing in", help));
        }
        Ok(PlannedLookahead { every: spec.every, decay, first_step, at_epoch_end: spec.at_epoch_end })
    }
}

impl PlannedLookahead {
    /// Whether its decay changes over training.
    pub(super) fn decay_moves(&self) -> bool {
        self.decay.from() != self.decay.to()
    }
}

impl fmt::Display for PlannedLookahead {
    /// `lookahead every 5 steps from step 75 on, decay 0 → 0.77 power 3`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lookahead every {} steps", self.every)?;
        if self.first_step > 0 {
            write!(f, " from step {} on", self.first_step)?;
        }
        write!(f, ", decay {}", self.decay)?;
        if self.at_epoch_end { write!(f, ", back to the slow weights at each epoch's end") } else { Ok(()) }
    }
}
