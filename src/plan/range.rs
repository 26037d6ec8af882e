//! The plan of a learning-rate range test: one phase of a training, with a rate that sweeps.

use super::rules::{PlannedRule, RuleRate};
use super::{GroupInPhase, Plan, PlannedPhase};
use crate::schedule::Ramp;

impl Plan {
    /// So many steps as those of phase `phase`, but for the learning rate, which `lr` gives. They are numbered from 0 and
    /// serve a data order from its beginning; nothing but the rate moves: momentum, weight decay and the like stay what they
    /// are in the phase's first step, and so do the rates that rules and groups have of their own and what is frozen. There
    /// is no lookahead and no average.
    ///
    /// # Panics
    /// When there is no such phase.
    pub fn range_test(&self, phase: usize, lr: Ramp, steps: u64) -> Self {
        let of = &self.phases[phase];
        let batches = of.batches.from_the_beginning();
        let images = batches.served(steps);
        let still = |ramp: &Ramp| Ramp::constant(of.ends_of(ramp).0);
        let phase = PlannedPhase {
            first_step: 0,
            steps,
            images_before: 0,
            images,
            epochs: images as f64 / batches.epoch_images() as f64,
            lr,
            momentum: still(&of.momentum),
            weight_decay: still(&of.weight_decay),
            beta: of.beta.as_ref().map(still),
            clip_norm: of.clip_norm.as_ref().map(still),
            clip_value: of.clip_value.as_ref().map(still),
            mix: of.mix.as_ref().map(still),
            groups: of.groups.iter().map(|group| group.standing(still)).collect(),
            batches,
            // Losses of images are not looked at while a rate sweeps: as many of any.
            prune_images: None,
            ..of.clone()
        };
        let rules = self.rules.iter().map(|rule| rule.as_in(of.first_step, steps)).collect();
        let phases = vec![phase];
        Self { phases, rules, lookahead: None, average: None, total_steps: steps, total_images: images, ..self.clone() }
    }
}

impl GroupInPhase {
    /// The group with ramps that stand still.
    fn standing(&self, still: impl Fn(&Ramp) -> Ramp) -> Self {
        let rate = match &self.rate {
            RuleRate::Own(ramp) => RuleRate::Own(still(ramp)),
            other => other.clone(),
        };
        let weight_decay = self.weight_decay.as_ref().map(still);
        Self { rate, weight_decay, ..self.clone() }
    }
}

impl PlannedRule {
    /// The rule as it stands at a step of training, for so many steps.
    fn as_in(&self, at: u64, steps: u64) -> Self {
        let still = |ramp: &Ramp| Ramp::constant(ramp.at(at.min(self.steps.saturating_sub(1)), self.steps));
        Self {
            lr: match &self.lr {
                RuleRate::Own(ramp) => RuleRate::Own(still(ramp)),
                other => other.clone(),
            },
            momentum: self.momentum.as_ref().map(still),
            mix: self.mix.as_ref().map(still),
            steps: if at < self.steps { steps } else { 0 },
            until: None,
            ..self.clone()
        }
    }
}
