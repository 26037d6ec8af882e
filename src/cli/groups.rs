//! The groups that phases speak of, on the parameters of a net: what cannot be.

use crate::config::groups::is_in;
use crate::config::spec::{PartKind, PhaseSpec, Spec};
use crate::config::suggest::nearest;
use crate::config::{Diagnostic, Source, join};
use crate::model::Member;
use std::collections::BTreeSet;

/// Groups that no parameter belongs to or that overlap, rates of groups that are frozen, and phases that train nothing.
pub fn check(source: &Source, spec: &Spec, members: &[Member]) -> Vec<Diagnostic> {
    let mut errors = Vec::new();
    let mut told = BTreeSet::new();
    for (k, phase) in spec.phases.iter().enumerate() {
        let at = format!("phases[{k}]");
        for name in phase.groups().filter(|name| !members.iter().any(|member| is_in(name, member))) {
            if told.insert(name) {
                errors.push(nobodys(source, &path_of(&at, phase, name), name, members));
            }
        }
        let is_frozen = |member: &&Member| phase.freeze.iter().any(|name| is_in(name, member));
        // A decay that is taken over moves no more.
        let moving = phase.weight_decay_groups.iter().filter(|(_, decay)| decay.to.is_some());
        let rates = phase.lr_values.keys().map(|name| ("lr_values", "rate", name));
        for (key, what, name) in rates.chain(moving.map(|(name, _)| ("weight_decay_groups", "decay", name))) {
            let mut mine = members.iter().filter(|member| is_in(name, member)).peekable();
            if mine.peek().is_some() && mine.all(|member| is_frozen(&member)) {
                let message = format!("`{name}` is frozen in this phase, and has a {what}");
                let error = source.diagnostic(&join(&format!("{at}.{key}"), name), message);
                errors.push(error.help(format!("take the {what} out, or the group out of `freeze`")));
            }
        }
        if members.iter().all(|member| is_frozen(&member)) {
            let error = source.diagnostic(&format!("{at}.freeze"), "every parameter of the net is frozen");
            errors.push(error.help("a phase trains something: leave a group out of `freeze`"));
        }
    }
    errors.extend(never_trained(source, spec, members));
    errors.extend(overlap(source, spec, members));
    errors
}

/// Rules of `[[params]]` with a rate or a momentum of parameters that every phase freezes.
fn never_trained(source: &Source, spec: &Spec, members: &[Member]) -> Vec<Diagnostic> {
    let always_frozen =
        |member: &Member| spec.phases.iter().all(|phase| phase.freeze.iter().any(|name| is_in(name, member)));
    let mut errors = Vec::new();
    for (k, rule) in spec.params.iter().enumerate() {
        let mut mine = members.iter().filter(|member| spec.rule_of(member) == Some(k)).peekable();
        if mine.peek().is_none() || !mine.all(always_frozen) {
            continue;
        }
        let path = |key: &str| format!("params[{k}].{key}");
        let given = ["lr", "lr_factor", "momentum"].into_iter().find(|key| source.is_given(&path(key)));
        if let Some(key) = given.filter(|_| rule.lr.is_some() || rule.momentum.is_some()) {
            let message = format!("`{key}` of parameters that are frozen in every phase");
            errors.push(source.diagnostic(&path(key), message).help("take it out, or the group out of `freeze`"));
        }
    }
    errors
}

/// Where in a phase a group is first spoken of.
fn path_of(at: &str, phase: &PhaseSpec, name: &str) -> String {
    if phase.lr_groups.contains_key(name) {
        join(&format!("{at}.lr_groups"), name)
    } else if phase.lr_values.contains_key(name) {
        join(&format!("{at}.lr_values"), name)
    } else if phase.weight_decay_groups.contains_key(name) {
        join(&format!("{at}.weight_decay_groups"), name)
    } else {
        format!("{at}.freeze")
    }
}

fn nobodys(source: &Source, path: &str, name: &str, members: &[Member]) -> Diagnostic {
    let mut known: Vec<&str> = Vec::new();
    for member in members {
        let stage = member.name.split('.').next().unwrap_or_default();
        for name in [member.part.word(), stage] {
            if !known.contains(&name) {
                known.push(name);
            }
        }
    }
    let error = source.diagnostic_of_key(path, format!("no parameter of the net is in the group `{name}`"));
    let listed = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    error
        .expected(format!("{listed}, the beginning of a parameter's name up to a `.`, or a pattern such as `*.res.*`"))
        .did_you_mean(nearest(name, known))
}

/// Named groups that share parameters: which of their rates would hold? A part of the net gives way to them.
fn overlap(source: &Source, spec: &Spec, members: &[Member]) -> Option<Diagnostic> {
    let groups = spec.groups();
    let named = || groups.iter().filter(|name| PartKind::from_word(name).is_none());
    members.iter().find_map(|member| {
        let mut mine = named().filter(|name| is_in(name, member));
        let (first, second) = (mine.next()?, mine.next()?);
        let (k, phase) =
            spec.phases.iter().enumerate().find(|(_, phase)| phase.groups().any(|name| name == *second))?;
        let message = format!("`{}` is in two groups, `{first}` and `{second}`", member.name);
        let error = source.diagnostic_of_key(&path_of(&format!("phases[{k}]"), phase, second), message);
        Some(error.help("name groups that share no parameter; `stem`, `backbone` and `head` may hold others"))
    })
}
