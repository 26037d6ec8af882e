//! The columns of `trace.csv` that only some plans have, behind those of all.

use super::{Plan, PlannedPhase};
use crate::optim::Clip;

/// The norm that clipping leaves of a gradient, which is measured: the other columns here are planned.
pub const CLIPPED_NORM: &str = "clipped_norm";

impl Plan {
    /// Names of the planned ones: the bounds on gradients where some phase has them, the second rule's share where some phase
    /// mixes two, and the decays of groups that move.
    pub fn step_columns(&self) -> Vec<&str> {
        let some = |has: fn(&PlannedPhase) -> bool| self.phases.iter().any(has);
        let columns = [
            ("clip_norm", some(|phase| phase.clip_norm.is_some())),
            ("clip_value", some(|phase| phase.clip_value.is_some())),
            ("mix", some(|phase| phase.mix.is_some())),
        ];
        let of_phases = columns.into_iter().filter(|(_, used)| *used).map(|(name, _)| name);
        of_phases.chain(self.decay_columns()).collect()
    }

    /// The values of these columns in a step of a phase: infinite where nothing is bounded, NaN where nothing is mixed.
    /// `decay`: of a unit, 0 where it is frozen.
    pub fn step_values(&self, phase: usize, clip: &Clip, share: f64, decay: impl Fn(usize) -> f64) -> Vec<f64> {
        let value = |column: &str| match column {
            "clip_norm" => Some(clip.norm.unwrap_or(f64::INFINITY)),
            "clip_value" => Some(clip.value.unwrap_or(f64::INFINITY)),
            "mix" => Some(self.phases[phase].mix.as_ref().map_or(f64::NAN, |_| share)),
            _ => None,
        };
        self.step_columns().into_iter().filter_map(value).chain(self.decays_of(decay)).collect()
    }

    /// Whether the gradients of some phase are clipped: then [`CLIPPED_NORM`] is a column too.
    pub fn clips(&self) -> bool {
        self.phases.iter().any(|phase| phase.clip_norm.is_some() || phase.clip_value.is_some())
    }
}
