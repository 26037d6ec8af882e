//! Keys that are not declared, and declared ones that are not there.

use super::super::diagnostics::Diagnostic;
use super::super::schema::EXPERIMENT;
use super::super::suggest::one_of;
use super::super::wire::Field;
use super::Owner;
use super::expected::expected;
use crate::registry::{Kind, Param};

/// A key that is not declared: the valid ones, the nearest of them, or where it would be in its place.
pub(super) fn unknown_key(field: &Field, params: &[Param], meant: Option<&str>, owner: &Owner<'_>) -> Diagnostic {
    let error = Diagnostic::new(field.key_origin.clone(), format!("unknown key `{}` in {}", field.key, owner.title));
    let error = match params {
        [] => error.expected(format!("no key: {} has no settings", owner.title)),
        _ => error.expected(one_of(params.iter().map(|param| param.key))),
    };
    match meant {
        Some(_) => error.did_you_mean(meant),
        None => match setting_of_choice(&field.key, params).or_else(|| home(&field.key)) {
            Some(help) => error.help(help),
            None => error,
        },
    }
}

/// For a key that belongs inside one of the table's choices: `nesterov` beside `optimizer`.
fn setting_of_choice(key: &str, params: &[Param]) -> Option<String> {
    params.iter().find_map(|param| {
        let Kind::Choice(family) = param.kind else { return None };
        let entries = (family.entries)();
        let entry = entries.iter().find(|entry| entry.params().iter().any(|param| param.key == key))?;
        let (name, example) = (entry.name(), format!("{} = {{ kind = \"{}\", {key} = … }}", param.key, entry.name()));
        Some(format!("`{key}` is a setting of {} `{name}`: `{example}`", family.name))
    })
}

/// Where in an experiment file a key would be in its place.
fn home(key: &str) -> Option<String> {
    if EXPERIMENT.iter().any(|param| param.key == key) {
        return Some(format!("`{key}` belongs to the top of the file, above the first `[table]`"));
    }
    let has = |params: &[Param]| params.iter().any(|param| param.key == key);
    let sections = EXPERIMENT.iter().filter_map(|section| match section.kind {
        Kind::Table(params) => has(params).then(|| format!("`[{}]`", section.key)),
        Kind::Tables(params) => has(params).then(|| format!("`[[{}]]`", section.key)),
        _ => None,
    });
    let sections: Vec<String> = sections.collect();
    (!sections.is_empty()).then(|| format!("`{key}` is a setting of {}", sections.join(" and ")))
}

pub(super) fn missing(param: &Param, owner: &Owner<'_>) -> Diagnostic {
    let (what, home) = match param.kind {
        Kind::Table(_) => (format!("[{}]", param.key), ""),
        Kind::Tables(_) => (format!("[[{}]]", param.key), ""),
        _ => (param.key.to_owned(), owner.title),
    };
    let message = if home.is_empty() { format!("missing `{what}`") } else { format!("missing `{what}` in {home}") };
    let doc = format!("`{}`: {}", param.key, param.doc);
    Diagnostic::new(owner.origin.clone(), message).expected(expected(&param.kind)).help(doc)
}
