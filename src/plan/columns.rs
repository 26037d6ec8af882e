//! The columns of `trace.csv` that only some plans have, behind those of all.

use super::{Mix, Plan, PlannedAverage, PlannedLookahead, PlannedPhase, StepPlan};
use crate::optim::Applied;

/// The norm that clipping leaves of a gradient, which is measured: the other columns here are planned.
pub const CLIPPED_NORM: &str = "clipped_norm";

impl Plan {
    /// Names of the planned ones: the bounds on gradients where some phase has them, the second rule's share where some phase
    /// mixes two, the beta where some phase gives one, the decays of lookahead and of an average where they move, and what rules and groups have of their own
    /// besides rates.
    pub fn step_columns(&self) -> Vec<&str> {
        let some = |has: fn(&PlannedPhase) -> bool| self.phases.iter().any(has);
        let columns = [
            ("clip_norm", some(|phase| phase.clip_norm.is_some())),
            ("clip_value", some(|phase| phase.clip_value.is_some())),
            ("mix", some(|phase| phase.mix.is_some())),
            ("beta", some(|phase| phase.beta.is_some())),
            ("lookahead_decay", self.lookahead.as_ref().is_some_and(PlannedLookahead::decay_moves)),
            ("average_decay", self.average.as_ref().is_some_and(PlannedAverage::decay_moves)),
        ];
        let of_all = columns.into_iter().filter(|(_, used)| *used).map(|(name, _)| name);
        of_all.chain(self.unit_columns()).collect()
    }

    /// The values of these columns in a step, of what each unit used, or is to use: infinite where nothing is bounded, NaN where
    /// nothing is mixed and no beta is given, 0 of what is frozen.
    pub fn step_values(&self, step: &StepPlan, units: &[Option<Applied>]) -> Vec<f64> {
        let used = units[0].expect("what is in no group is never frozen");
        let value = |column: &str| match column {
            "clip_norm" => Some(step.clip.norm.unwrap_or(f64::INFINITY)),
            "clip_value" => Some(step.clip.value.unwrap_or(f64::INFINITY)),
            "mix" => Some(self.phases[step.phase].mix.as_ref().map_or(f64::NAN, |_| used.share)),
            "beta" => Some(used.beta.unwrap_or(f64::NAN)),
            "lookahead_decay" => Some(match self.mix_after(step) {
                Some(Mix::Blend { decay }) => decay,
                Some(Mix::Return) | None => f64::NAN,
            }),
            "average_decay" => Some(self.kept_after(step.step).unwrap_or(f64::NAN)),
            _ => None,
        };
        self.step_columns().into_iter().filter_map(value).chain(self.unit_values(units)).collect()
    }

    /// Whether the gradients of some phase are clipped: then [`CLIPPED_NORM`] is a column too.
    pub fn clips(&self) -> bool {
        self.phases.iter().any(|phase| phase.clip_norm.is_some() || phase.clip_value.is_some())
    }
}
