//! Which trainings begin alike: up to the border of two phases, every step of them is the same.

use super::{CLIPPED_NORM, Mix, Plan, PlannedAverage, PlannedLookahead, StepPlan};
use crate::config::spec::{Spec, TtaAt};
use crate::data::hex;
use crate::optim::Hypers;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A training up to the beginning of one of its phases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The phase that comes next.
    pub phase: usize,
    /// Steps before it.
    pub steps: u64,
    /// SHA-256, in hex. With equal seeds, images and starting weights, trainings of equal digests have the same state and the
    /// same records there, to the byte.
    pub digest: String,
}

impl Plan {
    /// The training up to each border of two phases. `spec`: what this is the plan of.
    ///
    /// The digest is over all that a step, an evaluation or a stop rule before the border looks at: the settings outside the
    /// phases, but for name and seed; the phases before it; and what the whole plan makes of each of their steps. Curves that run
    /// over all of training, shares of it and what is done at its end are so told apart where they differ, and only there.
    pub fn prefixes(&self, spec: &Spec) -> Vec<Prefix> {
        if spec.task.is_some() {
            // Runs that paint keep no beginnings.
            return Vec::new();
        }
        let mut all = self.up_to_each_end(spec);
        all.pop();
        all
    }

    /// All of the training, as the beginning of one that has the same phases and further ones behind them: `phase` is the first of these.
    ///
    /// # Errors
    /// What is done at the end of a training alone, where its state or its last evaluation is another for that, in words; and what to
    /// do about it.
    pub fn whole(&self, spec: &Spec) -> Result<Prefix, (String, String)> {
        let reason = |what: &str, help: &str| Err((what.to_owned(), help.to_owned()));
        let last = self.at(self.total_steps - 1);
        if spec.task.is_some() {
            return reason("runs that paint keep no beginnings", "leave it out");
        }
        if (last.first + last.images) as u64 != self.epoch_images(&last) {
            return reason(
                "training ends in the middle of an epoch, which a longer one would go on with",
                "let the phases last whole epochs together",
            );
        }
        let stays = |lookahead: &PlannedLookahead| lookahead.is_back_at_epoch_end();
        if self.mix_after(&last) == Some(Mix::Return) && !self.lookahead.as_ref().is_some_and(stays) {
            return reason(
                "at the end the trained weights go back to lookahead's slow ones",
                "give `train.lookahead.at_epoch_end = true`, or a length of which lookahead's `every` is a part",
            );
        }
        if !spec.train.tta.is_none() && spec.train.tta_at == TtaAt::Last {
            return reason(
                "the last evaluation alone has views of test-time augmentation",
                "give `train.tta_at = \"every\"`",
            );
        }
        if self.average.as_ref().is_some_and(|average| !average.is_evaluated(false)) {
            return reason("the mean of the weights is evaluated at the end alone", "let every evaluation have it");
        }
        if !self.is_eval_step_anyway(&last) {
            return reason(
                "it is evaluated there because it is the end, where a longer one would not be",
                "give `train.eval_phases = true`, there and in the longer one",
            );
        }
        self.up_to_each_end(spec).pop().ok_or_else(|| ("there is no phase".to_owned(), "add one".to_owned()))
    }

    /// The training up to the end of each phase.
    fn up_to_each_end(&self, spec: &Spec) -> Vec<Prefix> {
        let mut so_far = Feed(Sha256::new());
        self.feed_settings(spec, &mut so_far);
        let prefix = |phase: usize| {
            so_far.json(serde_json::to_value(&spec.phases[phase]));
            let planned = &self.phases[phase];
            (planned.first_step..planned.end()).for_each(|step| self.feed_step(&self.at(step), &mut so_far));
            Prefix { phase: phase + 1, steps: planned.end(), digest: so_far.digest() }
        };
        (0..self.phases.len()).map(prefix).collect()
    }

    /// What holds for all of training.
    fn feed_settings(&self, spec: &Spec, feed: &mut Feed) {
        let mut settings = serde_json::to_value(spec);
        if let Ok(Value::Object(fields)) = &mut settings {
            for key in ["name", "seed", "phases"] {
                fields.remove(key);
            }
            // Where the first phase has its own, which carries over, nothing looks at it.
            let train = fields.get_mut("train").and_then(Value::as_object_mut);
            if let Some(train) = train.filter(|_| spec.phases[0].label_smoothing.is_some()) {
                train.remove("label_smoothing");
            }
        }
        feed.json(settings);
        // Optimizers are divided by all groups that phases speak of, later ones too; and tables have a column for each.
        feed.text(&format!("{:?}", self.groups));
        let clipped = self.clips().then_some(CLIPPED_NORM);
        self.step_columns().into_iter().chain(clipped).for_each(|column| feed.text(column));
    }

    fn feed_step(&self, step: &StepPlan, feed: &mut Feed) {
        let StepPlan { phase, epoch, first, images, size, clip, ends_epoch, .. } = step;
        [*phase, *first, *images, *size].into_iter().for_each(|number| feed.word(number as u64));
        feed.word(*epoch);
        feed.number(clip.value);
        feed.number(clip.norm);
        for hypers in self.unit_hypers(step) {
            feed.hypers(hypers);
        }
        let lookahead = self.lookahead.as_ref().is_some_and(|lookahead| lookahead.first_step == step.step);
        let flags = [
            *ends_epoch,
            lookahead,
            self.averages_after(step).is_some(),
            self.is_eval_step(step.step),
            self.begins_another_scale(step.step),
            // Evaluations on another set than the last one count for no stop rule.
            *phase < self.last_set_since(),
        ];
        flags.into_iter().for_each(|flag| feed.word(u64::from(flag)));
        if self.remembers_losses(step) {
            feed.text("losses");
        }
        match self.mix_after(step) {
            None => feed.word(0),
            Some(Mix::Return) => feed.word(2),
            Some(Mix::Blend { decay }) => feed.number(Some(decay)),
        }
        if self.average.as_ref().is_some_and(PlannedAverage::decay_moves) {
            feed.number(self.kept_after(step.step));
        }
    }
}

/// Values on their way into a hash.
struct Feed(Sha256);

impl Feed {
    fn word(&mut self, word: u64) {
        self.0.update(word.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.word(text.len() as u64);
        self.0.update(text);
    }

    /// A spec is plain data with text keys: it always has a JSON.
    fn json(&mut self, value: serde_json::Result<Value>) {
        self.text(&value.map_or_else(|error| error.to_string(), |value| value.to_string()));
    }

    fn number(&mut self, number: Option<f64>) {
        self.word(u64::from(number.is_some()));
        self.word(number.map_or(0, f64::to_bits));
    }

    fn hypers(&mut self, hypers: Option<Hypers>) {
        self.word(u64::from(hypers.is_some()));
        let Some(Hypers { lr, momentum, weight_decay, beta, share }) = hypers else { return };
        [Some(lr), Some(momentum), Some(weight_decay), beta, Some(share)].into_iter().for_each(|x| self.number(x));
    }

    fn digest(&self) -> String {
        hex(&self.0.clone().finalize())
    }
}
