//! The rules of `[[params]]` on the parameters of a net: which takes which, and what cannot be.

use super::table::{Align, Table};
use crate::config::schema::RULE_EFFECT;
use crate::config::spec::{ParamRule, Spec};
use crate::config::suggest::one_of;
use crate::config::{Diagnostic, Source};
use crate::model::Member;
use crate::optim::{self, mix};
use crate::plan::{Plan, PlannedRule, RuleRate};
use crate::registry::Choice;
use crate::train::rule_of_each;
use crate::units::{count, number};
use std::collections::BTreeSet;

/// Names that are listed in a message; of more only the number is told.
const SHOWN: usize = 9;
/// What parameters use of which no rule says anything.
const PHASES_SAY: &str = "what the phases say";

/// The parameters that each rule takes and, first, those that none does.
pub fn groups<'a>(spec: &Spec, members: &'a [Member]) -> Vec<Vec<&'a Member>> {
    let mut groups = vec![Vec::new(); 1 + spec.params.len()];
    for (member, rule) in members.iter().zip(rule_of_each(spec, members)) {
        groups[rule.map_or(0, |rule| 1 + rule)].push(member);
    }
    groups
}

/// Rules that speak of no parameter of the net, that earlier ones leave nothing to or that change nothing, and optimizers that cannot
/// step what they are given.
pub fn check(source: &Source, spec: &Spec, members: &[Member]) -> Vec<Diagnostic> {
    let groups = groups(spec, members);
    let mut errors = Vec::new();
    for (k, rule) in spec.params.iter().enumerate().filter(|(k, _)| groups[1 + k].is_empty()) {
        let path = format!("params[{k}]");
        errors.push(if members.iter().any(|member| rule.subject.matches(member)) {
            let message = "every parameter that this rule matches is taken by an earlier rule";
            source.diagnostic(&path, message).help("the first match wins: move this rule up")
        } else {
            let choice = if rule.subject.name.is_some() { names(members) } else { kinds(members) };
            source.diagnostic(&path, "this rule matches no parameter of the net").help(choice)
        });
    }
    let idle = |(k, rule): &(usize, &ParamRule)| !rule.has_effect() && !groups[1 + k].is_empty();
    for (k, _) in spec.params.iter().enumerate().filter(idle) {
        let later = &spec.params[k + 1..];
        if !groups[1 + k].iter().any(|member| later.iter().any(|rule| rule.subject.matches(member))) {
            let error = source.diagnostic(&format!("params[{k}]"), "the rule changes nothing");
            let help = "it would keep its parameters from a later rule, and no later one matches any of them";
            errors.push(error.expected(one_of(RULE_EFFECT)).help(help));
        }
    }
    for (k, rule) in spec.params.iter().enumerate() {
        let Some(choice) = &rule.optimizer else { continue };
        errors.extend(misused(source, &format!("params[{k}].optimizer"), choice, &groups[1 + k]));
    }
    let of_phases: Vec<&Member> = groups
        .iter()
        .enumerate()
        .filter(|(group, _)| group.checked_sub(1).is_none_or(|rule| spec.params[rule].optimizer.is_none()))
        .flat_map(|(_, members)| members.iter().copied())
        .collect();
    let mut before = None;
    for (k, phase) in spec.phases.iter().enumerate() {
        let path = format!("phases[{k}].optimizer");
        // What is carried over is not told again.
        if before.replace(&phase.optimizer) != Some(&phase.optimizer) && source.carried_from(&path).is_none() {
            errors.extend(misused(source, &path, &phase.optimizer, &of_phases));
        }
    }
    errors
}

/// An optimizer that some of these parameters are not for.
fn misused(source: &Source, path: &str, choice: &Choice, members: &[&Member]) -> Option<Diagnostic> {
    let optimizer = optim::make(choice, 0);
    let (kinds, names): (BTreeSet<&str>, Vec<&str>) = members
        .iter()
        .filter(|member| !optimizer.takes(&member.shape))
        .map(|member| (member.role.word(), member.name.as_str()))
        .unzip();
    if names.is_empty() {
        return None;
    }
    // Of a mix the one of its rules whose fault it is.
    let is_misused = |rule: &Choice| {
        let optimizer = optim::make(rule, 0);
        members.iter().any(|member| !optimizer.takes(&member.shape))
    };
    let misused = mix::rules(choice).into_iter().map(|(_, rule)| rule).find(is_misused);
    let kind = misused.map_or_else(|| choice.kind.clone(), |rule| rule.kind);
    let message = format!("`{kind}` steps matrices alone, and is to step {}", few(&names));
    let rules = kinds.into_iter().map(|role| format!("`role = \"{role}\"`")).collect::<Vec<_>>().join(" and ");
    let help = format!("give those another optimizer: a `[[params]]` with {rules}, `optimizer = \"sgd\"` and its `lr`");
    Some(source.diagnostic(path, message).help(help))
}

/// The first of the net's parameters, enough to see how they are named.
fn names(members: &[Member]) -> String {
    let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
    format!("the net's parameters are {}", few(&names))
}

/// What there is to be chosen by group and role.
fn kinds(members: &[Member]) -> String {
    let mut kinds: Vec<String> = Vec::new();
    for member in members {
        let kind = format!("{} {}", member.part.word(), member.role.word());
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    format!("the net's parameters are, by group and role: {}", kinds.join(", "))
}

fn few(names: &[&str]) -> String {
    match names.get(..SHOWN) {
        Some(first) if names.len() > SHOWN => {
            format!("{}, and {} more like these", first.join(", "), names.len() - SHOWN)
        }
        _ => names.join(", "),
    }
}

/// A line for each rule and one for the rest; nothing where there are no rules.
pub fn table(spec: &Spec, plan: &Plan, members: &[Member]) -> String {
    use Align::{Left, Right};
    if plan.rules.is_empty() {
        return String::new();
    }
    let columns = [("parameters", Left), ("tensors", Right), ("values", Right), ("what they use", Left)];
    let mut table = Table::new(columns);
    let groups = groups(spec, members);
    for (members, rule) in groups.iter().skip(1).zip(&plan.rules) {
        table.row([vec![rule.label.clone()], sums(members), vec![in_words(rule)]].concat());
    }
    table.row([vec!["all others".to_owned()], sums(&groups[0]), vec![PHASES_SAY.to_owned()]].concat());
    table.render()
}

fn sums(members: &[&Member]) -> Vec<String> {
    let values: usize = members.iter().map(|member| member.shape.iter().product::<usize>()).sum();
    vec![count(members.len() as u64), count(values as u64)]
}

/// `sgd nesterov, lr 0.3 × the phase's, weight decay 0, trained for the first 75 steps (3ep)`
fn in_words(rule: &PlannedRule) -> String {
    let lr = match &rule.lr {
        RuleRate::OfPhase => None,
        RuleRate::Factor(factor) => Some(format!("{} × the phase's lr", number(*factor))),
        RuleRate::Own(ramp) => Some(format!("lr {ramp}")),
    };
    let until = rule.until.map(|until| format!("trained for {} steps ({until}), then frozen", count(rule.steps)));
    let parts = [
        rule.optimizer.as_ref().map(crate::plan::optimizer_in_words),
        lr,
        rule.momentum.as_ref().map(|momentum| format!("momentum {momentum}")),
        rule.weight_decay.map(|decay| format!("weight decay {}", number(decay))),
        until,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { PHASES_SAY.to_owned() } else { parts.join(", ") }
}
