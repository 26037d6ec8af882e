//! Spec + facts about the data → the plan: what every step will use, before any is taken.
//!
//! No device, no clock, no random number: [`Plan::at`] is a function of the step, so resuming is a look-up, and what
//! `runner plan` draws is what training uses.

mod average;
mod batches;
mod cadence;
mod columns;
mod compile;
mod export;
mod ghosts;
mod groups;
mod lookahead;
mod prefix;
mod range;
mod rules;
mod stops;
mod table;
mod targets;

#[cfg(test)]
mod tests;

pub use average::PlannedAverage;
pub use batches::{Batches, Position};
pub use cadence::Cadence;
pub use columns::CLIPPED_NORM;
pub use compile::PlanError;
pub use groups::{GroupInPhase, Groups};
pub use lookahead::{Mix, PlannedLookahead};
pub use prefix::Prefix;
pub use rules::{PlannedRule, RuleRate};
pub use table::optimizer_in_words;

use crate::config::spec::StopSpec;
use crate::data::prune;
use crate::optim::{Clip, Hypers};
use crate::registry::Choice;
use crate::schedule::Ramp;
use std::collections::BTreeSet;

/// A whole training, compiled by [`Plan::compile`].
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The data sets by name, in the order in which phases come to use them.
    pub sets: Vec<String>,
    /// At least one; each has at least one step.
    pub phases: Vec<PlannedPhase>,
    /// In the order of the file.
    pub rules: Vec<PlannedRule>,
    pub groups: Groups,
    pub lookahead: Option<PlannedLookahead>,
    pub average: Option<PlannedAverage>,
    /// What ends training before its plan does.
    pub stop: StopSpec,
    /// Steps of all phases.
    pub total_steps: u64,
    /// Images that all steps serve, repeats counted.
    pub total_images: u64,
    evaluations: Cadence,
    /// Whether the ends of phases are evaluated besides.
    evaluates_phases: bool,
    checkpoints: Cadence,
}

/// One phase, with its borders in steps.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedPhase {
    pub first_step: u64,
    pub steps: u64,
    /// Images served before its first step.
    pub images_before: u64,
    pub images: u64,
    /// Epochs really served: images / N, where N counts what an epoch of this batch size serves.
    pub epochs: f64,
    /// The data set, by its number among the plan's.
    pub set: usize,
    pub size: usize,
    /// That of the images that are evaluated.
    pub eval_size: usize,
    pub batch: usize,
    /// Parts that a step's images pass through the net in.
    pub accumulate: usize,
    pub optimizer: Choice,
    /// Whether one of its optimizers keeps a mean of the weights: that is the model, not the weights that gradients are taken at.
    pub model_is_mean: bool,
    /// What its optimizer knows of the phase before.
    pub handover: Handover,
    pub augment: Vec<Choice>,
    pub mix_images: Vec<Choice>,
    /// What leaves images of its epochs out.
    pub prune_images: Option<Choice>,
    /// Its own, or that of `[train]`.
    pub label_smoothing: f64,
    /// The file's phase it comes from.
    pub source: usize,
    pub lr: Ramp,
    pub momentum: Ramp,
    pub weight_decay: Ramp,
    pub beta: Option<Ramp>,
    /// Bounds on the gradient; `None`: there is none.
    pub clip_norm: Option<Ramp>,
    pub clip_value: Option<Ramp>,
    /// Of an optimizer that is a mix of two rules, the second one's share.
    pub mix: Option<Ramp>,
    /// What it says of each of the plan's groups.
    pub groups: Vec<GroupInPhase>,
    batches: Batches,
}

/// What of an optimizer's state lives on where a phase begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handover {
    /// All while the kind stays the same, else nothing.
    OfSameKind,
    /// The same, and the momentum across a change of kind.
    Momentum,
    /// Nothing.
    Nothing,
}

/// All that one step uses: a pure function of the step, see [`Plan::at`].
#[derive(Clone, Debug, PartialEq)]
pub struct StepPlan {
    /// Optimizer steps from 0.
    pub step: u64,
    /// From 0.
    pub phase: usize,
    /// From 0.
    pub epoch: u64,
    /// The batch's place in its epoch: images `first..first + images` of the epoch's permutation.
    pub first: usize,
    pub images: usize,
    pub size: usize,
    pub label_smoothing: f64,
    pub hypers: Hypers,
    pub clip: Clip,
    /// Last step of its phase; last step that serves its epoch (its end, or the last step of training).
    pub ends_phase: bool,
    pub ends_epoch: bool,
}

impl Plan {
    /// What step `step` uses. Random access: a search over the phases, then arithmetic.
    ///
    /// # Panics
    /// When `step` is not below `total_steps`.
    pub fn at(&self, step: u64) -> StepPlan {
        let phase = self.phase_of(step);
        let planned = &self.phases[phase];
        let (i, n) = (step - planned.first_step, planned.steps);
        let here = planned.batches.position(i);
        let ends_phase = i + 1 == n;
        let next = if ends_phase {
            self.phases.get(phase + 1).map(|p| p.batches.start())
        } else {
            Some(planned.batches.position(i + 1))
        };
        StepPlan {
            step,
            phase,
            epoch: here.epoch,
            first: here.offset as usize,
            images: planned.batches.images_at(here.offset) as usize,
            size: planned.size,
            label_smoothing: planned.label_smoothing,
            hypers: planned.hypers(i),
            clip: planned.clip(i),
            ends_phase,
            ends_epoch: next.is_none_or(|next| next.epoch != here.epoch),
        }
    }

    /// Every step in order.
    pub fn steps(&self) -> impl Iterator<Item = StepPlan> + '_ {
        (0..self.total_steps).map(|step| self.at(step))
    }

    /// The phase that step `step` belongs to.
    ///
    /// # Panics
    /// When `step` is not below `total_steps`.
    pub fn phase_of(&self, step: u64) -> usize {
        assert!(step < self.total_steps, "step {step} of {}", self.total_steps);
        self.phases.partition_point(|p| p.first_step <= step) - 1
    }

    /// Images served before step `step` is taken; `step` may be `total_steps`.
    pub fn images_before(&self, step: u64) -> u64 {
        if step >= self.total_steps {
            return self.total_images;
        }
        let phase = &self.phases[self.phase_of(step)];
        phase.images_before + phase.batches.served(step - phase.first_step)
    }

    /// Epochs that training takes part in: the last one's number and one.
    pub fn total_epochs(&self) -> u64 {
        self.at(self.total_steps - 1).epoch + 1
    }

    /// Whether the validation set is evaluated after this step: as often as `train.eval_every` says, at the end, and at those of phases
    /// with `train.eval_phases`.
    pub fn is_eval_step(&self, step: u64) -> bool {
        self.is_due(&self.evaluations, step) || self.evaluates_phases && self.at(step).ends_phase
    }

    /// Whether a checkpoint is written after this step: as often as `train.checkpoint_every` says, and at the end.
    pub fn is_checkpoint_step(&self, step: u64) -> bool {
        self.is_due(&self.checkpoints, step)
    }

    fn is_due(&self, cadence: &Cadence, step: u64) -> bool {
        let at = self.at(step);
        step + 1 == self.total_steps || cadence.is_due(&at, self.epoch_images(&at))
    }

    /// As [`is_eval_step`](Self::is_eval_step), were it not for the end.
    fn is_eval_step_anyway(&self, step: &StepPlan) -> bool {
        self.evaluates_phases && step.ends_phase || self.evaluations.is_due(step, self.epoch_images(step))
    }

    /// Whether the losses of a step's images are to be remembered: a phase that prunes by them trains on the same set, then or later.
    pub fn remembers_losses(&self, step: &StepPlan) -> bool {
        let set = self.phases[step.phase].set;
        self.phases[step.phase..].iter().any(|phase| phase.set == set && phase.prunes_by_loss())
    }

    /// The sets of which losses are known before a step: those of steps before that [were remembered](Self::remembers_losses).
    pub fn sets_of_known_losses(&self, step: u64) -> BTreeSet<usize> {
        let begun = self.phases.iter().filter(|phase| phase.first_step < step);
        begun.filter(|phase| self.remembers_losses(&self.at(phase.first_step))).map(|phase| phase.set).collect()
    }

    /// Images that a step's epoch serves.
    fn epoch_images(&self, step: &StepPlan) -> u64 {
        self.phases[step.phase].batches.length_of(step.epoch)
    }
}

impl PlannedPhase {
    /// The step behind its last one.
    pub fn end(&self) -> u64 {
        self.first_step + self.steps
    }

    /// Whether it leaves images out by the losses that they had.
    pub fn prunes_by_loss(&self) -> bool {
        self.prune_images.as_ref().is_some_and(|choice| prune::make(choice).by_loss())
    }

    /// What of an optimizer's state lives on where a training begins this phase, or goes on in it, with that step: only the first one
    /// begins anew.
    pub fn handover_at(&self, step: u64) -> Handover {
        match self.handover {
            Handover::Nothing if step > self.first_step => Handover::OfSameKind,
            handover => handover,
        }
    }

    /// How many images batches have, from step `i` of the phase on.
    pub fn batch_sizes(&self, i: u64) -> BTreeSet<usize> {
        // What comes after two epochs has come before.
        let until = self.steps.min(i + 2 * self.batches.per_epoch() + 1);
        let images = |i| self.batches.images_at(self.batches.position(i).offset) as usize;
        (i..until).map(images).collect()
    }

    /// Images that pass through the net at a time: those of a step, or of its largest part.
    pub fn part(&self) -> usize {
        self.batch.div_ceil(self.accumulate)
    }

    /// Of one of the phase's ramps, the value at its step `i`; `i` may be `steps`, where no step is.
    ///
    /// A curve of one phase goes by steps. One of several goes by images: each of its phases moves it by the share of
    /// images that it serves, whatever their batches.
    fn value(&self, ramp: &Ramp, i: u64) -> f64 {
        match ramp.run() {
            None => ramp.at(i, self.steps),
            Some(run) => ramp.at(self.images_before + self.batches.served(i) - run.first_image, run.images),
        }
    }

    /// Where a ramp stands as the phase begins, and where behind its last step.
    fn ends_of(&self, ramp: &Ramp) -> (f64, f64) {
        match ramp.run() {
            None => (ramp.from(), ramp.to()),
            Some(run) if self.images_before + self.images == run.first_image + run.images => {
                (self.value(ramp, 0), ramp.to())
            }
            Some(_) => (self.value(ramp, 0), self.value(ramp, self.steps)),
        }
    }

    /// All that may move over it, the same in each phase: what it does not have is `None`.
    fn ramps_mut(&mut self) -> Vec<Option<&mut Ramp>> {
        let Self { lr, momentum, weight_decay, beta, clip_norm, clip_value, mix, groups, .. } = self;
        let own =
            [Some(lr), Some(momentum), Some(weight_decay), beta.as_mut(), clip_norm.as_mut(), clip_value.as_mut()];
        let of_groups = groups.iter_mut().flat_map(|GroupInPhase { rate, weight_decay, .. }| {
            let rate = if let RuleRate::Own(ramp) = rate { Some(ramp) } else { None };
            [rate, weight_decay.as_mut()]
        });
        own.into_iter().chain([mix.as_mut()]).chain(of_groups).collect()
    }

    /// The hyper-parameters of the phase's step `i`.
    fn hypers(&self, i: u64) -> Hypers {
        Hypers {
            lr: self.value(&self.lr, i),
            momentum: self.value(&self.momentum, i),
            weight_decay: self.value(&self.weight_decay, i),
            beta: self.beta.as_ref().map(|beta| self.value(beta, i)),
            share: self.mix.as_ref().map_or(1.0, |mix| self.value(mix, i)),
        }
    }

    /// The bounds on the gradient of the phase's step `i`.
    fn clip(&self, i: u64) -> Clip {
        let at = |ramp: &Option<Ramp>| ramp.as_ref().map(|ramp| self.value(ramp, i));
        Clip { value: at(&self.clip_value), norm: at(&self.clip_norm) }
    }
}
