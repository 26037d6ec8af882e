//! Stop rules and the plan that they may cut short.

use super::{Plan, PlannedPhase, StepPlan};
use crate::config::spec::Metric;
use crate::optim::mix;
use crate::registry::Choice;
use crate::units::count;

impl Plan {
    /// Whether the stop rules forget the losses before this step: it begins a phase whose losses are on another scale, because
    /// its images, the number of them in a step, the smoothing of labels or its optimizer are others.
    pub fn begins_another_scale(&self, step: u64) -> bool {
        let phase = self.phase_of(step);
        let here = &self.phases[phase];
        phase > 0 && here.first_step == step && scale(&self.phases[phase - 1]) != scale(here)
    }

    /// Whether a phase goes over to another data set than the phase before it uses.
    ///
    /// # Panics
    /// When there is no such phase.
    pub fn changes_set(&self, phase: usize) -> bool {
        phase > 0 && self.phases[phase - 1].set != self.phases[phase].set
    }

    /// The first of the phases at the end that use the last one's data set: what is evaluated from there on can be compared,
    /// and it alone counts as best, towards a target or against patience.
    pub fn last_set_since(&self) -> usize {
        (0..self.phases.len()).rev().find(|phase| self.changes_set(*phase)).unwrap_or(0)
    }

    /// What to say of patience that lasts longer than the plan, as where that is cut short to try something out.
    pub fn lasting_patience(&self) -> Option<String> {
        let patience = self.stop.patience?;
        let evaluations = self.count_evaluations(patience.metric);
        // The first evaluation is the best so far: only those after it can be without improvement.
        (patience.evaluations >= evaluations).then(|| {
            let set = if self.sets.len() > 1 { " on its last data set" } else { "" };
            let of = if is_average(patience.metric) { " of averaged weights" } else { "" };
            format!(
                "`patience` will never end the training: {} evaluations without improvement, in a plan of {}{of}{set}",
                count(patience.evaluations),
                count(evaluations)
            )
        })
    }

    /// Evaluations that are planned on the last phase's data set and know the metric.
    fn count_evaluations(&self, metric: Metric) -> u64 {
        let last = self.at(self.total_steps - 1);
        let multiples = |step: &StepPlan| self.evaluations.multiples(step, self.epoch_images(step));
        let [before, after] = multiples(&last);
        let since = self.phases[self.last_set_since()].first_step;
        let from = if is_average(metric) { since.max(self.first_averaged()) } else { since };
        let earlier = multiples(&self.at(from))[0];
        let ends = self.phases.iter().map(|phase| phase.end() - 1).filter(|step| (from..last.step).contains(step));
        let besides = ends.filter(|step| self.is_eval_step(*step) && !self.is_due(&self.evaluations, *step)).count();
        // The last step is evaluated in any case, and none more than once, however short the interval.
        ((after - earlier) as u64 + besides as u64 + u64::from(after <= before)).min(self.total_steps - from)
    }
}

/// Whether it is known once there are averaged weights, and not before.
fn is_average(metric: Metric) -> bool {
    matches!(metric, Metric::ValAccAvg | Metric::ValLossAvg)
}

/// What the size of a loss depends on.
fn scale(phase: &PlannedPhase) -> ([usize; 3], f64, [&[Choice]; 3], Choice) {
    // Where the shares of a mix go is no other scale: they move within a phase too.
    let mut optimizer = phase.optimizer.clone();
    if mix::weight(&optimizer).is_some() {
        optimizer.settings.0.remove(mix::WEIGHT);
    }
    let counts = [phase.set, phase.size, phase.batch];
    (counts, phase.label_smoothing, [&phase.augment, &phase.mix_images, phase.prune_images.as_slice()], optimizer)
}
