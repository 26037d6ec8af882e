//! The rules of `[[params]]` over training.

use super::compile::PlanError;
use super::{Plan, StepPlan};
use crate::config::spec::{ParamRule, RuleLr};
use crate::optim::{Hypers, mix};
use crate::registry::{Choice, Duration, DurationUnit, RampValue};
use crate::schedule::Ramp;

/// Relative slack in comparing epochs: sums of decimal fractions of an epoch are no more exact.
const SLACK: f64 = 1e-9;

/// A rule of `[[params]]`: what its parameters use in place of what the phase says.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedRule {
    /// What columns and tables call its parameters: `norm`, `layer1.*`.
    pub label: String,
    pub lr: RuleRate,
    pub momentum: Option<Ramp>,
    pub weight_decay: Option<f64>,
    /// `None`: that of the phase.
    pub optimizer: Option<Choice>,
    /// Of an optimizer of its own that is a mix of two rules, the second one's share.
    pub mix: Option<Ramp>,
    /// The first steps of training, which train its parameters: all of them, or those up to `until`. Its ramps run over
    /// these.
    pub steps: u64,
    /// As the file gives it.
    pub until: Option<Duration>,
}

/// The learning rate of a rule's parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleRate {
    OfPhase,
    Factor(f64),
    Own(Ramp),
}

impl PlannedRule {
    /// What its parameters use in a step; `None` once they are frozen.
    pub fn hypers(&self, step: &StepPlan) -> Option<Hypers> {
        (step.step < self.steps).then(|| self.curves(step))
    }

    /// Where they have come to behind a step, which is the `end` of a phase and no step; `None` where that step had them frozen.
    pub(super) fn hypers_at(&self, end: &StepPlan) -> Option<Hypers> {
        (end.step <= self.steps).then(|| self.curves(end))
    }

    fn curves(&self, step: &StepPlan) -> Hypers {
        let (i, n) = (step.step, self.steps);
        Hypers {
            lr: match &self.lr {
                RuleRate::OfPhase => step.hypers.lr,
                RuleRate::Factor(factor) => factor * step.hypers.lr,
                RuleRate::Own(ramp) => ramp.at(i, n),
            },
            momentum: self.momentum.as_ref().map_or(step.hypers.momentum, |ramp| ramp.at(i, n)),
            weight_decay: self.weight_decay.unwrap_or(step.hypers.weight_decay),
            // The phase's is for the phase's optimizer: what it means to another kind is another matter.
            beta: step.hypers.beta.filter(|_| self.optimizer.is_none()),
            share: match (&self.optimizer, &self.mix) {
                (None, _) => step.hypers.share,
                (Some(_), mix) => mix.as_ref().map_or(1.0, |mix| mix.at(i, n)),
            },
        }
    }

    /// Whether its rate may differ from the phase's: then it has a column.
    pub fn has_own_lr(&self) -> bool {
        self.lr != RuleRate::OfPhase || self.until.is_some()
    }
}

impl Plan {
    /// Lays a rule out over the steps of the plan.
    pub(super) fn rule(&self, index: usize, rule: &ParamRule) -> Result<PlannedRule, PlanError> {
        let ramp = |key: &str, value: &RampValue| {
            Ramp::new(value).map_err(|e| PlanError::new(format!("params[{index}].{key}.{}", e.key), e.message, e.help))
        };
        Ok(PlannedRule {
            label: rule.subject.label(),
            lr: match &rule.lr {
                None => RuleRate::OfPhase,
                Some(RuleLr::Factor(factor)) => RuleRate::Factor(*factor),
                Some(RuleLr::Own(value)) => RuleRate::Own(ramp("lr", value)?),
            },
            momentum: rule.momentum.as_ref().map(|value| ramp("momentum", value)).transpose()?,
            weight_decay: rule.weight_decay,
            mix: rule
                .optimizer
                .as_ref()
                .and_then(mix::weight)
                .map(|value| ramp("optimizer.weight", &value))
                .transpose()?,
            optimizer: rule.optimizer.clone(),
            steps: rule.until.map_or(self.total_steps, |until| self.steps_until(until)),
            until: rule.until,
        })
    }

    /// The least number of steps after which so much of training is over; all of them where there is less.
    pub fn steps_until(&self, duration: Duration) -> u64 {
        let all = self.total_steps;
        let steps = match duration.unit {
            DurationUnit::Steps => duration.amount as u64,
            DurationUnit::Percent => (all as f64 * duration.amount / 100.0 * (1.0 - SLACK)).ceil() as u64,
            DurationUnit::Epochs => {
                let reached = duration.amount * (1.0 - SLACK);
                // Epochs grow with the steps: halve until one is left.
                let (mut low, mut high) = (0, all);
                while low < high {
                    let middle = low + (high - low) / 2;
                    if self.epochs_before(middle) < reached { low = middle + 1 } else { high = middle }
                }
                low
            }
        };
        steps.min(all)
    }

    /// Epochs since the start of training before a step that it takes.
    fn epochs_before(&self, step: u64) -> f64 {
        let at = self.at(step);
        at.epoch as f64 + at.first as f64 / self.phases[at.phase].batches.length_of(at.epoch) as f64
    }
}
