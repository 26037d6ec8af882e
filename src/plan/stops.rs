//! Stop rules and the plan that they may cut short.

use super::compile::PlanError;
use super::{Plan, PlannedPhase};
use crate::registry::Choice;
use crate::units::count;

impl Plan {
    /// Whether the stop rules forget the losses before this step: it begins a phase whose losses are on another scale, because
    /// its images, the number of them in a step or its optimizer are others.
    pub fn begins_another_scale(&self, step: u64) -> bool {
        let phase = self.phase_of(step);
        let here = &self.phases[phase];
        phase > 0 && here.first_step == step && scale(&self.phases[phase - 1]) != scale(here)
    }

    /// Patience that lasts longer than the plan.
    pub(super) fn check_patience(&self) -> Option<PlanError> {
        let patience = self.stop.patience?;
        let evaluations = self.count_evaluations();
        // The first evaluation is the best so far: only those after it can be without improvement.
        (patience.evaluations >= evaluations).then(|| {
            let message = format!(
                "{} evaluations without improvement, in a plan of {}: it would never end the training",
                count(patience.evaluations),
                count(evaluations)
            );
            let help = "give fewer, or evaluate more often: `eval_every`";
            PlanError::new("train.patience.evaluations", message, help)
        })
    }

    /// Evaluations that are planned.
    fn count_evaluations(&self) -> u64 {
        let last = self.at(self.total_steps - 1);
        let [before, after] = self.evaluations.multiples(&last, self.epoch_images(&last));
        // The last step is evaluated in any case, and none more than once, however short the interval.
        (after as u64 + u64::from(after <= before)).min(self.total_steps)
    }
}

/// What the size of a loss depends on.
fn scale(phase: &PlannedPhase) -> (usize, usize, [&[Choice]; 2], &Choice) {
    (phase.size, phase.batch, [&phase.augment, &phase.mix_images], &phase.optimizer)
}
