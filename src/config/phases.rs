//! What the phases of a file mean, one after the other: lengths, defaults, and what carries over.

use super::build::{Builder, choices};
use super::check::{expected, join};
use super::schema::{ACROSS, FIRST_PHASE, PHASE, PHASE_LENGTH, RATE};
use super::spec::{Length, PhaseSpec, SetSpec};
use crate::data::prune;
use crate::optim::{self, mix};
use crate::registry::{Across, Choice, RampValue, Settings, Value, find};
use crate::schedule::{Ramp, recipes};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// The bounds on gradients.
const CLIPS: [&str; 2] = ["clip_norm", "clip_value"];

/// The phases, each made whole from the one before.
///
/// `data`, `size`, `batch`, `accumulate`, `augment`, `mix_images`, `prune_images`, `label_smoothing`, `optimizer` (with its settings), `weight_decay`, `beta`, the bounds
/// on gradients, `lr_groups`, `weight_decay_groups` and `freeze` carry over where a phase leaves them out; of curves what they have come to, or where
/// they run on across phases, they themselves. `momentum`, `lr` and `lr_values` carry over in that case alone: else `momentum` goes back to its default,
/// and every phase gives its `lr`, for a ramp that has run down has no sensible sequel. `images`: the batch of all phases, of a task whose images are known.
pub fn build(
    builder: &mut Builder<'_>,
    list: &[Settings],
    augment: &[Choice],
    lr_batch: Option<usize>,
    images: Option<usize>,
) -> Option<Vec<PhaseSpec>> {
    let mut before = Carried { augment: augment.to_vec(), batch: images, ..Carried::default() };
    let mut phases = Vec::with_capacity(list.len());
    for (index, settings) in list.iter().enumerate() {
        // What is no table has been reported, and nothing more is asked of it.
        if !builder.source.is_given(&format!("phases[{index}]")) {
            phases.push(None);
            continue;
        }
        let mut phase = Phase { builder, settings, index, lr_batch, images };
        let batch = before.batch;
        before = phase.carried(before);
        phases.push(phase.build(&before, batch));
    }
    phases.into_iter().collect()
}

/// What a phase hands on to the next. Absent: not given so far, or wrong.
#[derive(Default)]
struct Carried {
    data: Option<SetSpec>,
    size: Option<usize>,
    batch: Option<usize>,
    accumulate: Option<usize>,
    augment: Vec<Choice>,
    mix_images: Vec<Choice>,
    prune_images: Option<Choice>,
    label_smoothing: Option<f64>,
    optimizer: Option<Choice>,
    /// Whether the optimizer before this phase's has a momentum to hand on.
    had_momentum: Option<bool>,
    /// As the file has it, for the batch of `lr_batch`.
    lr: Option<RampValue>,
    /// `None` also where the default holds.
    momentum: Option<RampValue>,
    weight_decay: Option<RampValue>,
    beta: Option<RampValue>,
    clip_norm: Option<RampValue>,
    clip_value: Option<RampValue>,
    lr_values: BTreeMap<String, RampValue>,
    lr_groups: BTreeMap<String, f64>,
    weight_decay_groups: BTreeMap<String, RampValue>,
    freeze: BTreeSet<String>,
}

struct Phase<'a, 'b> {
    builder: &'a mut Builder<'b>,
    settings: &'a Settings,
    index: usize,
    /// The batch that rates are written for.
    lr_batch: Option<usize>,
    /// The batch where the task knows it.
    images: Option<usize>,
}

impl Phase<'_, '_> {
    fn at(&self, key: &str) -> String {
        format!("phases[{}].{key}", self.index)
    }

    fn gives(&self, key: &str) -> bool {
        self.builder.source.is_given(&self.at(key))
    }

    /// What this phase gives, and for the rest what came before.
    fn carried(&mut self, before: Carried) -> Carried {
        let keys = [
            "data",
            "size",
            "batch",
            "accumulate",
            "augment",
            "mix_images",
            "prune_images",
            "label_smoothing",
            "optimizer",
            "lr",
            "momentum",
            "weight_decay",
            "beta",
            "clip_norm",
            "clip_value",
            "lr_groups",
            "weight_decay_groups",
            "freeze",
        ];
        let written: Vec<&str> = keys.into_iter().filter(|key| self.gives(key)).collect();
        // An optimizer that says it itself is not to be overridden by what an earlier phase said.
        let own_beta = ["", ".from", ".to"]
            .iter()
            .any(|of| optim::BETAS.iter().any(|setting| self.gives(&format!("optimizer{of}.{setting}"))));
        let runs_on = |of: &Option<RampValue>| of.as_ref().is_some_and(|ramp| !ramp.across.is_no());
        let carries = |key: &str| match key {
            "beta" => !own_beta,
            "lr" => runs_on(&before.lr),
            "momentum" => runs_on(&before.momentum),
            _ => true,
        };
        for key in keys.into_iter().filter(|key| !written.contains(key) && carries(key)) {
            match self.index.checked_sub(1) {
                Some(before) => self.builder.source.carry(&format!("phases[{before}].{key}"), &self.at(key)),
                None if key == "augment" => self.builder.source.carry("data.augment", &self.at(key)),
                None => {}
            }
        }
        // Told apart before anything is read: what is given but wrong must not take the value of the phase before.
        let given = |key: &str| self.settings.0.contains_key(key) || written.contains(&key);
        let wrong = before.lr.is_none()
            && self.index > 0
            && self.builder.source.is_given(&format!("phases[{}].lr", self.index - 1));
        if self.index > 0 && !given("lr") && !runs_on(&before.lr) && !wrong {
            let message = format!("phase {} has no `lr`", self.index);
            let error = self.builder.source.diagnostic(&self.at("lr"), message).expected(expected(&RATE));
            self.builder.error(error.help(format!(
                "a rate does not carry over; a curve runs on over the phases after its own where it says `{ACROSS} = true`"
            )));
        }
        let settings = self.settings;
        let own = choices(settings, "augment");
        if let Some(list) = &own {
            let path = self.at("augment");
            self.builder.augmentations(&path, list);
        }
        let ramp = |key: &str, before: Option<RampValue>| {
            // What a ramp has come to is what lives on: it does not run again.
            if given(key) { settings.opt_ramp(key) } else { before.map(|ramp| ramp.in_next()) }
        };
        let while_it_runs = |key: &str, before: Option<RampValue>| {
            if given(key) { settings.opt_ramp(key) } else { before.and_then(|ramp| ramp.running_on()) }
        };
        let factors = settings.opt_table("lr_groups").unwrap_or_default();
        let mut lr_values = self.lr_values(&factors);
        for (name, lr) in &before.lr_values {
            if !lr_values.contains_key(name) && !factors.0.contains_key(name) {
                lr_values.extend(lr.running_on().map(|lr| (name.clone(), lr)));
            }
        }
        Carried {
            had_momentum: before.optimizer.as_ref().map(hands_on_momentum),
            data: if given("data") { self.set() } else { before.data },
            size: if given("size") { settings.opt_usize("size") } else { before.size },
            batch: if given("batch") { settings.opt_usize("batch") } else { before.batch },
            accumulate: if given("accumulate") { settings.opt_usize("accumulate") } else { before.accumulate },
            augment: own.unwrap_or(before.augment),
            mix_images: choices(settings, "mix_images").unwrap_or(before.mix_images),
            prune_images: match given("prune_images") {
                true => settings.opt_choice("prune_images").filter(|choice| choice.kind != prune::none::ENTRY.name),
                false => before.prune_images,
            },
            label_smoothing: match given("label_smoothing") {
                true => settings.opt_float("label_smoothing"),
                false => before.label_smoothing,
            },
            lr: while_it_runs("lr", before.lr),
            momentum: while_it_runs("momentum", before.momentum),
            lr_values,
            weight_decay: ramp("weight_decay", before.weight_decay),
            beta: ramp("beta", before.beta.filter(|_| !own_beta)),
            clip_norm: ramp("clip_norm", before.clip_norm),
            clip_value: ramp("clip_value", before.clip_value),
            lr_groups: if given("lr_groups") { numbers(settings, "lr_groups") } else { before.lr_groups },
            weight_decay_groups: match given("weight_decay_groups") {
                true => ramps(settings, "weight_decay_groups"),
                false => before.weight_decay_groups.iter().map(|(name, ramp)| (name.clone(), ramp.in_next())).collect(),
            },
            freeze: if given("freeze") { names(settings) } else { before.freeze },
            optimizer: match given("optimizer") {
                true => settings.opt_choice("optimizer"),
                false => before.optimizer.map(mix::in_next),
            },
        }
    }

    /// The set that the phase goes over to.
    fn set(&mut self) -> Option<SetSpec> {
        let data = self.settings.opt_table("data")?;
        let statistics = self.builder.statistics(&self.at("data"), &data);
        Some(SetSpec {
            dataset: data.opt_choice("dataset")?,
            root: data.opt_text("root").map(PathBuf::from),
            train_images: data.opt_usize("train_images"),
            val_images: data.opt_usize("val_images"),
            classes: data.opt_usize("classes"),
            statistics,
        })
    }

    /// The phase, with the batch `before` it.
    fn build(&mut self, carried: &Carried, before: Option<usize>) -> Option<PhaseSpec> {
        let length = self.length();
        if self.index == 0 {
            self.first();
        }
        let optimizer = carried.optimizer.clone()?;
        let beta = self.beta(&optimizer, carried.beta.as_ref());
        let momentum = self.momentum(&optimizer, carried);
        CLIPS.into_iter().for_each(|key| self.clip(key));
        let own = &carried.lr_values;
        // A rate of its own stands in place of a factor that is taken over.
        let factors = carried.lr_groups.clone().into_iter().filter(|(name, _)| !own.contains_key(name)).collect();
        let batch = carried.batch?;
        let scale = self.lr_batch.map_or(1.0, |of| batch as f64 / of as f64);
        let runs_on = |lr: &RampValue| lr.across == Across::Continues;
        if self.lr_batch.is_some() && before != Some(batch) {
            let lrs = carried
                .lr
                .iter()
                .map(|lr| ("lr".to_owned(), lr))
                .chain(own.iter().map(|(name, lr)| (join("lr_values", name), lr)));
            for (key, _) in lrs.filter(|(_, lr)| runs_on(lr)) {
                // Where the batch is another, for the rate is said in a phase before.
                let message = format!(
                    "`{key}` runs on over phases of different batches beside `lr_batch`, which would break its curve"
                );
                let error = self.builder.source.diagnostic(&self.at("batch"), message);
                self.builder.error(
                    error.help("take `train.lr_batch` out and write rates as they are, or let the phase give its own"),
                );
            }
        }
        let (source, recipe) = self.builder.phase_sources[self.index].clone();
        Some(PhaseSpec {
            length: length?,
            data: carried.data.clone(),
            size: carried.size,
            batch,
            accumulate: carried.accumulate.unwrap_or(1),
            augment: carried.augment.clone(),
            mix_images: carried.mix_images.clone(),
            prune_images: carried.prune_images.clone(),
            label_smoothing: carried.label_smoothing,
            carry: self.settings.opt_bool("carry")?,
            fresh: self.settings.opt_bool("fresh") == Some(true),
            lr: scaled(carried.lr.clone()?, scale),
            momentum,
            weight_decay: carried.weight_decay.clone().unwrap_or_else(|| RampValue::constant(0.0)),
            beta,
            clip_norm: carried.clip_norm.clone(),
            clip_value: carried.clip_value.clone(),
            optimizer,
            lr_groups: factors,
            weight_decay_groups: carried.weight_decay_groups.clone(),
            lr_values: own.iter().map(|(name, lr)| (name.clone(), scaled(lr.clone(), scale))).collect(),
            freeze: carried.freeze.clone(),
            source,
            recipe,
        })
    }

    /// The rates by group. What gives a factor beside one has two rates.
    fn lr_values(&mut self, factors: &Settings) -> BTreeMap<String, RampValue> {
        let own = self.settings.opt_table("lr_values").unwrap_or_default();
        for name in own.0.keys().filter(|name| factors.0.contains_key(*name)) {
            let message = format!("`{name}` has a rate of its own and a factor");
            let error = self.builder.source.diagnostic(&join(&self.at("lr_values"), name), message);
            self.builder
                .error(error.help("give one of the two: a factor on the phase's rate, or a rate in place of it"));
        }
        ramps(self.settings, "lr_values")
    }

    /// Exactly one of `epochs` and `steps`.
    fn length(&mut self) -> Option<Length> {
        let [epochs, steps] = PHASE_LENGTH.map(|key| self.gives(key));
        match (epochs, steps) {
            (true, true) => {
                let error = self.builder.source.diagnostic(&self.at("steps"), "`steps` beside `epochs`");
                self.builder.error(error.expected("one of the two: a phase has one length"));
                return None;
            }
            (false, false) => {
                let message = format!("phase {} has no length", self.index);
                let error = self.builder.source.diagnostic(&self.at("epochs"), message);
                self.builder.error(error.expected("`epochs = …` (may be fractional) or `steps = …`"));
                return None;
            }
            _ => {}
        }
        let steps = self.settings.opt_int("steps").and_then(|steps| u64::try_from(steps).ok());
        steps.map(Length::Steps).or_else(|| self.settings.opt_float("epochs").map(Length::Epochs))
    }

    /// The second moment's decay, for optimizers that have one: it skips phases of the others. Given to one of those it
    /// would change nothing, which is an error.
    fn beta(&mut self, optimizer: &Choice, carried: Option<&RampValue>) -> Option<RampValue> {
        if optim::takes_beta(optimizer) {
            return carried.cloned();
        }
        if self.settings.0.contains_key("beta") {
            let message = format!("`beta` means nothing to optimizer `{}`", optimizer.kind);
            let error = self.builder.source.diagnostic(&self.at("beta"), message);
            self.builder.error(error.help("it is beta 2 of Adam-like optimizers and alpha of rmsprop: leave it out"));
        }
        None
    }

    /// The momentum, or its default. Another than 0 given to an optimizer that has none would change nothing, which is an
    /// error; so is handing one on to it.
    fn momentum(&mut self, optimizer: &Choice, carried: &Carried) -> RampValue {
        let has_momentum = uses_momentum(optimizer);
        let given = match &carried.momentum {
            // A curve that runs on passes over a phase that has no use for it.
            Some(above) if !has_momentum && above.across == Across::Continues => {
                return RampValue { across: Across::Continues, ..RampValue::constant(0.0) };
            }
            given => given.clone(),
        };
        if !has_momentum && given.as_ref().is_some_and(|given| *given != RampValue::constant(0.0)) {
            let message = format!("`momentum` means nothing to optimizer `{}`", optimizer.kind);
            let error = self.builder.source.diagnostic(&self.at("momentum"), message);
            let of_recipe =
                self.builder.phase_sources[self.index].1.as_deref().and_then(|name| find(recipes::ENTRIES, name));
            let moves = of_recipe.is_some_and(|recipe| recipe.params.iter().any(|param| param.key == "max_momentum"));
            self.builder.error(error.help(match moves {
                false => "its steps follow from the gradients of their own batch: leave it out",
                true => "the recipe moves it: give `momentum = 0`, and neither `max_momentum` nor `min_momentum`",
            }));
        }
        let carries = self.index > 0 && self.settings.opt_bool("carry") == Some(true);
        if carries && self.settings.opt_bool("fresh") == Some(true) {
            let error =
                self.builder.source.diagnostic(&self.at("fresh"), "`fresh` beside `carry`, which say opposite things");
            self.builder.error(error.help("leave one of the two out"));
        }
        let takes = hands_on_momentum(optimizer);
        if carries && (!takes || carried.had_momentum == Some(false)) {
            let message = match takes {
                false => format!("optimizer `{}` has no momentum to carry over", optimizer.kind),
                true => "the optimizer of the phase before has no momentum to carry over".to_owned(),
            };
            let error = self.builder.source.diagnostic(&self.at("carry"), message);
            self.builder.error(error.help("leave `carry` out"));
        }
        let default = || RampValue::constant(if has_momentum { default_momentum(&optimizer.kind) } else { 0.0 });
        given.unwrap_or_else(default)
    }

    /// A bound that runs to or from 0 would be none there, where it should be tightest.
    fn clip(&mut self, key: &str) {
        let Some(value @ RampValue { from, to: Some(to), .. }) = self.settings.opt_ramp(key) else { return };
        let goes_through = Ramp::new(&value).is_ok_and(|ramp| ramp.range()[0] <= 0.0);
        if goes_through {
            let end = match (from == 0.0, to == 0.0) {
                (true, _) => "from",
                (_, true) => "to",
                _ => "curve",
            };
            let message = format!("`{key}` cannot go through 0, where nothing is clipped");
            let error = self.builder.source.diagnostic(&format!("{}.{end}", self.at(key)), message);
            self.builder.error(error.expected("ends greater than 0"));
        }
    }

    /// What the first phase cannot take over from any other.
    fn first(&mut self) {
        for param in PHASE.iter().filter(|param| FIRST_PHASE.contains(&param.key)) {
            let known = param.key == "batch" && self.images.is_some();
            if !self.gives(param.key) && !known {
                let message = format!("missing `{}` in the first of `[[phases]]`", param.key);
                let error = self.builder.source.diagnostic(&self.at(param.key), message);
                let mut error = error.expected(expected(&param.kind)).help(format!("`{}`: {}", param.key, param.doc));
                if let Some(text) = self.builder.replaced {
                    let below = &self.builder.source.texts[text].name;
                    error = error.help(format!("these replace the phases of `{below}`: arrays are not merged"));
                }
                self.builder.error(error);
            }
        }
        if self.gives("data") {
            let error = self.builder.source.diagnostic(&self.at("data"), "training begins with the set of `[data]`");
            self.builder.error(error.help("name this set there: a phase after the first may go over to another"));
        }
        if self.settings.opt_bool("carry") == Some(true) {
            let error = self.builder.source.diagnostic(&self.at("carry"), "the first phase has nothing to carry over");
            self.builder.error(error.help("leave it out: it belongs in a phase that changes the optimizer"));
        }
        if self.settings.opt_bool("fresh") == Some(true) {
            let error = self.builder.source.diagnostic(&self.at("fresh"), "the first phase begins anew in any case");
            self.builder.error(error.help("leave it out: it belongs in a later phase"));
        }
    }
}

/// Whether a momentum means something to it.
fn uses_momentum(optimizer: &Choice) -> bool {
    optim::make(optimizer, 0).uses_momentum()
}

/// Whether it has one that another kind of optimizer can begin with, and begins with another's.
fn hands_on_momentum(optimizer: &Choice) -> bool {
    optim::make(optimizer, 0).momentum().is_some()
}

/// Momentum where a phase gives none: 0.9, as in fast.ai's TrainPhase; RMSProp goes without, as in PyTorch.
fn default_momentum(optimizer: &str) -> f64 {
    if optimizer == "rmsprop" { 0.0 } else { 0.9 }
}

/// A rate for a batch so many times as large.
fn scaled(lr: RampValue, scale: f64) -> RampValue {
    RampValue { from: lr.from * scale, to: lr.to.map(|to| to * scale), ..lr }
}

/// A number for each of some groups.
fn numbers(settings: &Settings, key: &str) -> BTreeMap<String, f64> {
    let factor = |(name, value)| if let Value::Float(factor) = value { Some((name, factor)) } else { None };
    settings.opt_table(key).unwrap_or_default().0.into_iter().filter_map(factor).collect()
}

/// A curve for each of some groups.
fn ramps(settings: &Settings, key: &str) -> BTreeMap<String, RampValue> {
    let ramp = |(name, value)| if let Value::Ramp(ramp) = value { Some((name, ramp)) } else { None };
    settings.opt_table(key).unwrap_or_default().0.into_iter().filter_map(ramp).collect()
}

fn names(settings: &Settings) -> BTreeSet<String> {
    let name = |value| if let Value::Text(name) = value { Some(name) } else { None };
    settings.opt_list("freeze").unwrap_or_default().into_iter().filter_map(name).collect()
}
