//! Optimizers that do not go together with each other or with the rest of an experiment.

use super::build::Builder;
use super::spec::{PhaseSpec, Precision, Spec};
use crate::optim::{self, mix};
use crate::registry::{Choice, RampValue};
use crate::schedule::Ramp;
use std::collections::BTreeSet;

/// Reports mixes of what cannot be mixed, and what an optimizer that evaluates its batch again, or averages weights itself,
/// leaves no room for.
pub fn check(builder: &mut Builder<'_>, spec: &Spec) {
    let mut before = None;
    for (k, phase) in spec.phases.iter().enumerate() {
        let path = format!("phases[{k}].optimizer");
        // What is carried over is not told again.
        if before.replace(&phase.optimizer) != Some(&phase.optimizer) && builder.source.carried_from(&path).is_none() {
            mixable(builder, &path, &phase.optimizer);
        }
    }
    for (k, rule) in spec.params.iter().enumerate() {
        let Some(choice) = &rule.optimizer else { continue };
        mixable(builder, &format!("params[{k}].optimizer"), choice);
        let moves = |momentum: &RampValue| momentum.from != 0.0 || momentum.to.is_some();
        if reevaluates(choice) && rule.momentum.as_ref().is_some_and(moves) {
            let message = format!("`momentum` means nothing to optimizer `{}`", choice.kind);
            let error = builder.source.diagnostic(&format!("params[{k}].momentum"), message);
            builder.error(error.help("its steps follow from the gradients of their own batch: leave it out"));
        }
    }
    let mut told = BTreeSet::new();
    for k in 0..spec.phases.len() {
        searches(builder, spec, k, &mut told);
        averages(builder, spec, k, &mut told);
    }
}

/// What stands in the way of a phase's optimizers that average weights themselves, if it has any; what was `told` is not told
/// again.
fn averages(builder: &mut Builder<'_>, spec: &Spec, k: usize, told: &mut BTreeSet<String>) {
    let phase = &spec.phases[k];
    let of_phase = (phase.optimizer.clone(), format!("phases[{k}].optimizer"), &phase.momentum, format!("phases[{k}]"));
    let of_rules = spec.params.iter().enumerate().map(|(rule, of)| {
        let (choice, at) = match &of.optimizer {
            Some(own) => (own, format!("params[{rule}].optimizer")),
            None => (&phase.optimizer, format!("phases[{k}].optimizer")),
        };
        let (momentum, of) = match &of.momentum {
            Some(own) => (own, format!("params[{rule}]")),
            None => (&phase.momentum, format!("phases[{k}]")),
        };
        (choice.clone(), at, momentum, of)
    });
    for (choice, at, momentum, of) in std::iter::once(of_phase).chain(of_rules) {
        if mix::weight(&choice).is_some() || !optim::averages(&choice) {
            continue;
        }
        let name = &choice.kind;
        let mut tell = |path: String, message: String, help: &str| {
            let place = builder.source.carried_from(&path).unwrap_or(&path).to_owned();
            if told.insert(place) {
                builder.error(builder.source.diagnostic(&path, message).help(help));
            }
        };
        if Ramp::new(momentum).is_ok_and(|ramp| ramp.range()[0] <= 0.0) {
            let help = "it is the share of the mean in the weights that gradients are taken at, and the mean follows from \
                        those: give more than 0, as 0.9";
            tell(format!("{of}.momentum"), format!("a momentum of 0 for optimizer `{name}`"), help);
        }
        if spec.train.lookahead.is_some() {
            let help =
                "its mean follows from the weights as it left them, which lookahead moves: leave one of the two out";
            tell("train.lookahead".to_owned(), format!("`lookahead` beside optimizer `{name}`"), help);
        }
        if spec.task.is_some() {
            let help = "a picture would not be the mean that it keeps: take another optimizer, as `adam`";
            tell(at, format!("optimizer `{name}` for a task that paints"), help);
        }
    }
}

fn reevaluates(choice: &Choice) -> bool {
    optim::make(choice, 0).reevaluates()
}

/// Of what a mix cannot be made.
fn mixable(builder: &mut Builder<'_>, path: &str, choice: &Choice) {
    for (key, rule) in mix::rules(choice) {
        let Some(key) = key else { continue };
        let why = if rule.kind == mix::ENTRY.name {
            "a mix cannot be part of another"
        } else if reevaluates(&rule) {
            "an optimizer that evaluates its batch again cannot be part of a mix"
        } else if optim::averages(&rule) {
            "an optimizer whose weights follow a mean of them cannot be part of a mix, whatever its share"
        } else if rule.settings.opt_bool("renormalise") == Some(true) {
            "an optimizer that brings weights to a norm of its own cannot be part of a mix, whatever its share"
        } else {
            continue;
        };
        let error = builder.source.diagnostic(&format!("{path}.{key}"), format!("`{}`: {why}", rule.kind));
        builder.error(error.help("mix two rules that step along one gradient, as rmsprop and sgd"));
    }
}

/// What stands in the way of a phase's searches along lines, if it has any; what was `told` is not told again.
fn searches(builder: &mut Builder<'_>, spec: &Spec, k: usize, told: &mut BTreeSet<String>) {
    let phase = &spec.phases[k];
    let chosen = |rule: &usize| spec.params[*rule].optimizer.as_ref().unwrap_or(&phase.optimizer);
    let of_rules: Vec<usize> = (0..spec.params.len()).filter(|rule| reevaluates(chosen(rule))).collect();
    let of_phase = reevaluates(&phase.optimizer);
    let name = match (of_phase, of_rules.first()) {
        (true, _) => &phase.optimizer.kind,
        (false, Some(rule)) => &chosen(rule).kind,
        (false, None) => return,
    };
    let mut tell = |path: String, message: String, help: &str| {
        // Nor is what is carried over.
        if told.insert(builder.source.carried_from(&path).unwrap_or(&path).to_owned()) {
            builder.error(builder.source.diagnostic(&path, message).help(help));
        }
    };
    for (key, clip) in bounds(phase) {
        if clip.is_some_and(|clip| clip.from != 0.0) {
            let help =
                "it searches along the gradient of its loss, which must be whole: a phase says `0` to lift a bound";
            tell(format!("phases[{k}].{key}"), format!("`{key}` beside optimizer `{name}`"), help);
        }
    }
    if phase.accumulate > 1 {
        let help = "it evaluates a batch again and again, and takes it whole: leave `accumulate` out, or take another optimizer";
        tell(format!("phases[{k}].accumulate"), format!("a batch in parts beside optimizer `{name}`"), help);
    }
    if spec.train.precision == Precision::F16 {
        let help = "a search compares losses and gradients that half precision rounds: take `f32` or `bf16`";
        tell("train.precision".to_owned(), format!("precision `f16` beside optimizer `{name}`"), help);
    } else if spec.train.loss_scale.is_some() {
        let help = "a search along a line cannot leave steps out: leave the scale out";
        tell("train.loss_scale".to_owned(), format!("`loss_scale` beside optimizer `{name}`"), help);
    }
    if spec.train.lookahead.is_some() {
        let help = "it remembers how the gradient changed along its own steps, from which lookahead takes the weights \
                    away: leave one of the two out";
        tell("train.lookahead".to_owned(), format!("`lookahead` beside optimizer `{name}`"), help);
    }
    if of_phase && let Some((j, key)) = first_with_groups(spec) {
        let message = format!("optimizer `{name}` steps all of its parameters together, and groups take some apart");
        tell(format!("phases[{j}].{key}"), message, "leave the groups out, or take another optimizer");
    }
    // One search at a time: the others would start from weights that it has left.
    for rule in of_rules.into_iter().skip(usize::from(!of_phase)) {
        let message =
            format!("optimizer `{name}` steps all of its parameters together, and this rule takes some apart");
        tell(format!("params[{rule}]"), message, "give the rule an `optimizer` of its own, as sgd, or leave it out");
    }
}

/// The first phase that speaks of groups of parameters, and the setting that does.
fn first_with_groups(spec: &Spec) -> Option<(usize, &'static str)> {
    spec.phases.iter().enumerate().find_map(|(k, phase)| {
        let speaks = [
            ("lr_groups", !phase.lr_groups.is_empty()),
            ("lr_values", !phase.lr_values.is_empty()),
            ("weight_decay_groups", !phase.weight_decay_groups.is_empty()),
            ("freeze", !phase.freeze.is_empty()),
        ];
        speaks.into_iter().find(|(_, speaks)| *speaks).map(|(key, _)| (k, key))
    })
}

/// The bounds on a phase's gradients.
fn bounds(phase: &PhaseSpec) -> [(&'static str, Option<&RampValue>); 2] {
    [("clip_norm", phase.clip_norm.as_ref()), ("clip_value", phase.clip_value.as_ref())]
}
