//! The resolved experiment as TOML: every setting in its place, which reads back to the same spec.

use super::check::join;
use super::schema::ACROSS;
use super::spec::{
    DataSpec, Length, LookaheadSpec, ParamRule, Patience, PhaseSpec, RuleLr, SetSpec, Spec, StopSpec, TrainSpec,
};
use crate::data::prune;
use crate::optim::{BETAS, mix};
use crate::registry::{Across, Choice, Duration, RampValue, Settings, Value};
use std::fmt::Write;

/// Writes an experiment file that says everything explicitly: what was left out, carried over or overridden included.
/// Only what is the data set's to say (its folder, its size, its classes) stays out where the experiment leaves it open.
///
/// Numbers are in the shortest form that reads back to the same value.
pub fn write(spec: &Spec) -> String {
    let mut out = Out(String::new());
    out.field("name", text(&spec.name));
    out.field("seed", spec.seed.to_string());
    match &spec.task {
        Some(task) => out.task(task),
        None => out.data(&spec.data),
    }
    out.header("[model]");
    out.field("stem", choice(&spec.model.stem));
    out.field("backbone", choice(&spec.model.backbone));
    out.field("head", choice(&spec.model.head));
    out.optional("classes", spec.model.classes);
    out.optional("weights", spec.model.weights.as_ref().map(|file| text(&file.to_string_lossy())));
    out.header("[train]");
    if spec.task.is_some() {
        out.paint(&spec.train);
    } else {
        out.train(&spec.train);
    }
    out.header("[record]");
    out.field("tensorboard", spec.record.tensorboard);
    if spec.task.is_none() {
        out.field("best", spec.record.best);
        out.field("phases", spec.record.phases);
    }
    for rule in &spec.params {
        out.rule(rule);
    }
    let in_groups = !spec.groups().is_empty();
    // What would be taken over is said where it is nothing too.
    let prunes = spec.phases.iter().any(|phase| phase.prune_images.is_some());
    for (k, phase) in spec.phases.iter().enumerate() {
        let before = k.checked_sub(1).map(|before| &spec.phases[before].optimizer);
        if spec.task.is_some() {
            out.strokes(phase, before);
            continue;
        }
        out.phase(phase, before);
        if prunes {
            out.field(
                "prune_images",
                phase.prune_images.as_ref().map_or_else(|| text(prune::none::ENTRY.name), choice),
            );
        }
        if in_groups {
            out.groups(phase);
        }
    }
    out.0
}

struct Out(String);

impl Out {
    fn header(&mut self, header: &str) {
        self.line(format_args!("\n{header}"));
    }

    fn field(&mut self, key: &str, value: impl std::fmt::Display) {
        self.line(format_args!("{key} = {value}"));
    }

    fn optional(&mut self, key: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.field(key, value);
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.0, "{line}").expect("a string takes any text");
    }

    fn data(&mut self, data: &DataSpec) {
        self.header("[data]");
        self.field("dataset", choice(&data.dataset));
        self.optional("root", data.root.as_ref().map(|root| text(&root.to_string_lossy())));
        self.optional("stand_in", data.stand_in.as_ref().map(choice));
        self.field("augment", choices(&data.augment));
        self.field("last_batch", text(data.last_batch.word()));
        self.optional("train_images", data.train_images);
        self.optional("val_images", data.val_images);
        self.optional("classes", data.classes);
        self.optional("mean", data.statistics.as_ref().map(|given| floats(&given.mean)));
        self.optional("deviation", data.statistics.as_ref().map(|given| floats(&given.deviation)));
    }

    fn task(&mut self, task: &Choice) {
        self.header("[task]");
        self.field("kind", text(&task.kind));
        for (key, setting) in &task.settings.0 {
            self.field(key, value(setting));
        }
    }

    fn train(&mut self, train: &TrainSpec) {
        self.field("precision", text(train.precision.word()));
        self.optional("loss_scale", train.loss_scale.as_ref().map(choice));
        self.optional("loss", train.loss.as_ref().map(choice));
        self.field("label_smoothing", float(train.label_smoothing));
        self.field("checkpoint_every", duration(&train.checkpoint_every));
        self.field("eval_every", duration(&train.eval_every));
        self.field("eval_phases", train.eval_phases);
        self.field("eval_batch", train.eval_batch);
        self.optional("eval_size", train.eval_size);
        self.field("winograd", train.winograd);
        self.field("deterministic", train.deterministic);
        self.field("recompute", train.recompute);
        self.optional("ghost_batch", train.ghost_batch);
        self.field("tta", text(train.tta.word()));
        self.field("tta_at", text(train.tta_at.word()));
        self.optional("lookahead", train.lookahead.as_ref().map(lookahead));
        self.optional("average", train.average.as_ref().map(choice));
        self.stop(&train.stop);
    }

    /// Of `[train]`, what a painting knows.
    fn paint(&mut self, train: &TrainSpec) {
        self.field("precision", text(train.precision.word()));
        self.field("checkpoint_every", duration(&train.checkpoint_every));
        self.field("winograd", train.winograd);
        self.field("deterministic", train.deterministic);
        self.stop(&train.stop);
    }

    /// Of a phase likewise.
    fn strokes(&mut self, phase: &PhaseSpec, before: Option<&Choice>) {
        self.header("[[phases]]");
        self.length(phase);
        self.optional("size", phase.size);
        self.update(phase, before);
    }

    fn length(&mut self, phase: &PhaseSpec) {
        match phase.length {
            Length::Epochs(epochs) => self.field("epochs", float(epochs)),
            Length::Steps(steps) => self.field("steps", steps),
        }
    }

    /// How the parameters are stepped; `before`: the optimizer of the phase before.
    fn update(&mut self, phase: &PhaseSpec, before: Option<&Choice>) {
        let runs_on = |ramp: &RampValue| ramp.across == Across::Continues;
        let optimizer = if mix::weight(&phase.optimizer).as_ref().is_some_and(runs_on) {
            None
        } else if phase.beta.as_ref().is_some_and(runs_on) {
            // One that says its own beta ends the curve.
            (before != Some(&phase.optimizer)).then(|| choice(&without_betas(&phase.optimizer)))
        } else {
            Some(choice(&phase.optimizer))
        };
        self.optional("optimizer", optimizer);
        self.field("carry", phase.carry);
        self.optional("fresh", phase.fresh.then_some(true));
        self.optional("lr", own(&phase.lr));
        self.optional("momentum", own(&phase.momentum));
        self.optional("weight_decay", own(&phase.weight_decay));
        self.optional("beta", phase.beta.as_ref().and_then(own));
        self.optional("clip_norm", phase.clip_norm.as_ref().and_then(own));
        self.optional("clip_value", phase.clip_value.as_ref().and_then(own));
    }

    fn stop(&mut self, stop: &StopSpec) {
        if stop.diverged {
            self.field("stop_div", true);
        }
        if !stop.at.is_empty() {
            let targets = stop.at.iter().map(|(metric, value)| format!("{} = {}", metric.word(), float(*value)));
            self.field("stop_at", format!("{{ {} }}", targets.collect::<Vec<_>>().join(", ")));
        }
        self.optional("stop_after", stop.after.map(|seconds| text(&format!("{seconds}s"))));
        self.optional(
            "patience",
            stop.patience.map(|Patience { evaluations, metric, min_change }| {
                let (metric, min_change) = (text(metric.word()), float(min_change));
                format!("{{ evaluations = {evaluations}, metric = {metric}, min_change = {min_change} }}")
            }),
        );
    }

    fn rule(&mut self, rule: &ParamRule) {
        self.header("[[params]]");
        self.optional("role", rule.subject.role.map(|role| text(role.word())));
        self.optional("match", rule.subject.name.as_deref().map(text));
        self.optional("group", rule.subject.group.map(|group| text(group.word())));
        self.optional("optimizer", rule.optimizer.as_ref().map(choice));
        match &rule.lr {
            Some(RuleLr::Own(lr)) => self.field("lr", ramp(lr)),
            Some(RuleLr::Factor(factor)) => self.field("lr_factor", float(*factor)),
            None => {}
        }
        self.optional("momentum", rule.momentum.as_ref().map(ramp));
        self.optional("weight_decay", rule.weight_decay.map(float));
        self.optional("until", rule.until.as_ref().map(duration));
    }

    fn phase(&mut self, phase: &PhaseSpec, before: Option<&Choice>) {
        self.header("[[phases]]");
        self.length(phase);
        self.optional("data", phase.data.as_ref().map(set));
        self.optional("size", phase.size);
        self.field("batch", phase.batch);
        self.field("accumulate", phase.accumulate);
        self.field("augment", choices(&phase.augment));
        self.field("mix_images", choices(&phase.mix_images));
        self.optional("label_smoothing", phase.label_smoothing.map(float));
        self.update(phase, before);
    }

    /// What would be taken over is said where it is nothing too.
    fn groups(&mut self, phase: &PhaseSpec) {
        self.field("lr_groups", table(phase.lr_groups.iter().map(|(name, factor)| (name, float(*factor)))));
        self.field("lr_values", table(phase.lr_values.iter().filter_map(|(name, value)| Some((name, own(value)?)))));
        // Given, the table takes the place of what runs on.
        let decays: Option<Vec<_>> =
            phase.weight_decay_groups.iter().map(|(name, decay)| Some((name, own(decay)?))).collect();
        self.optional("weight_decay_groups", decays.map(|decays| table(decays.into_iter())));
        self.field("freeze", array(phase.freeze.iter().map(|name| text(name))));
    }
}

fn lookahead(spec: &LookaheadSpec) -> String {
    let LookaheadSpec { every, decay, start, at_epoch_end } = spec;
    let (decay, start) = (ramp(decay), duration(start));
    format!("{{ every = {every}, decay = {decay}, start = {start}, at_epoch_end = {at_epoch_end} }}")
}

fn set(set: &SetSpec) -> String {
    let figures =
        [("train_images", set.train_images), ("val_images", set.val_images), ("classes", set.classes)].into_iter();
    let figures = figures.filter_map(|(key, figure)| Some((key, figure?.to_string())));
    let root = set.root.iter().map(|root| ("root", text(&root.to_string_lossy())));
    let statistics = set.statistics.iter();
    let statistics =
        statistics.flat_map(|given| [("mean", floats(&given.mean)), ("deviation", floats(&given.deviation))]);
    let fields: Vec<String> = [("dataset", choice(&set.dataset))]
        .into_iter()
        .chain(root)
        .chain(figures)
        .chain(statistics)
        .map(|(key, value)| format!("{key} = {value}"))
        .collect();
    format!("{{ {} }}", fields.join(", "))
}

/// `"sgd"`, or `{ kind = "sgd", nesterov = true }`
fn choice(choice: &Choice) -> String {
    let kind = text(&choice.kind);
    if choice.settings.0.is_empty() {
        return kind;
    }
    let settings: String =
        choice.settings.0.iter().map(|(key, setting)| format!(", {key} = {}", value(setting))).collect();
    format!("{{ kind = {kind}{settings} }}")
}

fn choices(list: &[Choice]) -> String {
    array(list.iter().map(choice))
}

/// `0.1`, or `{ from = 0.1, to = 0.0, curve = "cosine" }`
pub fn ramp(ramp: &RampValue) -> String {
    if ramp.to.is_none() && ramp.across.is_no() {
        return float(ramp.from);
    }
    let to = ramp.to.map_or(String::new(), |to| format!(", to = {}, curve = {}", float(to), choice(&ramp.curve)));
    let across = if ramp.across.is_no() { String::new() } else { format!(", {ACROSS} = true") };
    format!("{{ from = {}{to}{across} }}", float(ramp.from))
}

/// An optimizer, and those that it mixes, but for their betas.
fn without_betas(of: &Choice) -> Choice {
    let others = of.settings.0.iter().filter(|(key, _)| !BETAS.contains(&key.as_str()));
    let settings = others.map(|(key, value)| match value {
        Value::Choice(inner) => (key.clone(), Value::Choice(without_betas(inner))),
        other => (key.clone(), other.clone()),
    });
    Choice { kind: of.kind.clone(), settings: Settings(settings.collect()) }
}

/// One of a phase; `None` where it runs on from before, which is said there.
fn own(value: &RampValue) -> Option<String> {
    (value.across != Across::Continues).then(|| ramp(value))
}

fn value(setting: &Value) -> String {
    match setting {
        Value::Bool(b) => b.to_string(),
        Value::Int(int) => int.to_string(),
        Value::Float(number) => float(*number),
        Value::Text(s) => text(s),
        Value::Duration(d) => duration(d),
        Value::Ramp(r) => ramp(r),
        Value::Choice(c) => choice(c),
        Value::List(items) => array(items.iter().map(value)),
        Value::Table(settings) => table(settings.0.iter().map(|(key, setting)| (key, value(setting)))),
    }
}

fn table<'a>(fields: impl Iterator<Item = (&'a String, String)>) -> String {
    let fields: Vec<String> = fields.map(|(key, value)| format!("{} = {value}", join("", key))).collect();
    if fields.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", fields.join(", ")) }
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// `Debug` of a float is the shortest form that reads back, and always a TOML float: `0.1`, `1.0`, `1e-5`.
fn float(number: f64) -> String {
    format!("{number:?}")
}

fn floats(numbers: &[f64]) -> String {
    array(numbers.iter().map(|number| float(*number)))
}

fn duration(duration: &Duration) -> String {
    text(&duration.to_string())
}

fn text(s: &str) -> String {
    toml::Value::String(s.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::spec::Precision;
    use crate::config::{self, Text};

    fn read(content: String) -> Spec {
        config::read(Text { name: "a.toml".into(), content, folder: Default::default() }, &[]).unwrap().spec
    }

    #[test]
    fn what_a_device_is_asked_for_is_written_back() {
        let experiment = |train: &str| {
            format!(
                "name = \"a\"\n[data]\ndataset = \"shapes\"\n[model]\nbackbone = \"resnet9\"\n[train]\n{train}\n\
                 [[phases]]\nepochs = 1\nbatch = 8\noptimizer = \"sgd\"\nlr = 0.1\n"
            )
        };
        for (train, precision, deterministic) in [
            ("", Precision::F32, false),
            ("deterministic = false", Precision::F32, false),
            ("precision = \"f32-strict\"", Precision::F32Strict, false),
            ("precision = \"f32-strict\"\ndeterministic = true", Precision::F32Strict, true),
        ] {
            let spec = read(experiment(train));
            assert_eq!((spec.train.precision, spec.train.deterministic), (precision, deterministic), "{train}");
            assert_eq!(read(write(&spec)), spec, "{train}");
            let settings = spec.settings();
            assert_eq!(settings["train.precision"], precision.word(), "{train}");
            assert_eq!(settings["train.deterministic"], deterministic, "{train}");
            let json = serde_json::to_value(&spec).unwrap();
            assert_eq!(json["train"]["precision"], precision.word(), "{train}");
            // What experiments of before there was this setting hash is the same.
            assert_eq!(json["train"].get("deterministic").is_some(), deterministic, "{train}");
            let read: Precision = serde_json::from_value(json["train"]["precision"].clone()).unwrap();
            assert_eq!(read, precision, "{train}");
        }
    }
}
