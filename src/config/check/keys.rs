//! Keys that are not declared, and declared ones that are not there.

use super::super::aliases;
use super::super::diagnostics::Diagnostic;
use super::super::schema::EXPERIMENT;
use super::super::suggest::{fold, nearest, one_of, quoted};
use super::super::wire::Field;
use super::Owner;
use super::expected::expected;
use crate::registry::{Default, Kind, Param};

/// The declared key that an undeclared one is most likely meant for; none for one that has its place elsewhere.
pub(super) fn meant_key(key: &str, params: &[Param]) -> Option<&'static str> {
    let elsewhere = setting_of_choice(key, params).is_some() || home(key).is_some();
    if elsewhere || aliases::instead(&fold(key)).is_some() {
        None
    } else {
        nearest(key, params.iter().map(|param| param.key))
    }
}

/// A key that is not declared: the valid ones, the nearest of them, or where it would be in its place.
///
/// In an override, that is told as a path.
pub(super) fn unknown_key(
    field: &Field,
    params: &[Param],
    meant: Option<&str>,
    owner: &Owner<'_>,
    in_override: bool,
) -> Diagnostic {
    let error = Diagnostic::new(field.key_origin.clone(), format!("unknown key `{}` in {}", field.key, owner.title));
    let error = match params {
        [] => error.expected(format!("no key: {} has no settings", owner.title)),
        _ => error.expected(one_of(params.iter().map(|param| param.key))),
    };
    if let Some(param) = params.iter().find(|param| Some(param.key) == meant) {
        return match param.kind {
            Kind::Table(_) | Kind::Tables(_) => error.help(format!("did you mean {}?", header(param))),
            _ => error.did_you_mean(meant),
        };
    }
    let word = fold(&field.key);
    let help = setting_of_choice(&field.key, params)
        .or_else(|| home(&field.key))
        .or_else(|| aliases::instead(&word).map(str::to_owned))
        .or_else(|| aliases::names(&word).find_map(|name| known_elsewhere(&field.key, name, params)));
    let path = (in_override && params.len() == EXPERIMENT.len()).then(|| path_to(&field.key)).flatten();
    match (help, path) {
        (Some(help), Some(path)) => error.help(help).help(format!("its path is `{path}`")),
        (Some(help), None) => error.help(help),
        (None, _) => error,
    }
}

/// A path to a setting of that key, or to what it is an alias of, in one of the sections.
fn path_to(key: &str) -> Option<String> {
    let in_sections = |key: &str| {
        EXPERIMENT.iter().rev().find_map(|section| {
            let index = if matches!(section.kind, Kind::Tables(_)) { "[0]" } else { "" };
            let has = settings_of(section)?.iter().any(|param| param.key == key);
            has.then(|| format!("{}{index}.{key}", section.key))
        })
    };
    in_sections(key).or_else(|| aliases::names(&fold(key)).find_map(in_sections))
}

/// A key that other programs have for what is here called `name`, and stands in another place too.
fn known_elsewhere(key: &str, name: &str, params: &[Param]) -> Option<String> {
    let place = setting_of_choice(name, params).or_else(|| home(name))?;
    Some(format!("`{key}` is called `{name}` here: {place}"))
}

/// How a section begins: `` `[data]` ``, `` `[[phases]]` ``.
fn header(section: &Param) -> String {
    match section.kind {
        Kind::Tables(_) => format!("`[[{}]]`", section.key),
        _ => format!("`[{}]`", section.key),
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
    if let Some(param) = EXPERIMENT.iter().find(|param| param.key == key) {
        return Some(match param.kind {
            Kind::Table(_) | Kind::Tables(_) => format!("`{key}` is a section of its own: {}", header(param)),
            _ => format!("`{key}` belongs to the top of the file, above the first `[table]`"),
        });
    }
    // From the last section on: of `lr` and the like people think as settings of a phase first.
    let sections = || EXPERIMENT.iter().rev().filter_map(|section| Some((section, settings_of(section)?)));
    let has = sections().filter(|(_, params)| params.iter().any(|param| param.key == key));
    let headers: Vec<String> = has.map(|(section, _)| header(section)).collect();
    if !headers.is_empty() {
        return Some(format!("`{key}` is a setting of {}", headers.join(" and ")));
    }
    sections()
        .find_map(|(section, params)| Some(format!("{}, in {}", setting_of_choice(key, params)?, header(section))))
}

/// The settings of a section.
fn settings_of(section: &Param) -> Option<&'static [Param]> {
    match section.kind {
        Kind::Table(params) | Kind::Tables(params) => Some(params),
        _ => None,
    }
}

pub(super) fn missing(param: &Param, owner: &Owner<'_>) -> Diagnostic {
    let doc = format!("`{}`: {}", param.key, param.doc);
    let (message, expected) = match param.kind {
        Kind::Table(inner) | Kind::Tables(inner) => {
            let header = header(param);
            let required = inner.iter().filter(|param| param.default == Default::Required).map(|param| param.key);
            let settings = format!("a line {header} and below it its settings, at least {}", quoted(required));
            (format!("missing {header}"), settings)
        }
        _ => (format!("missing `{}` in {}", param.key, owner.title), expected(&param.kind)),
    };
    Diagnostic::new(owner.origin.clone(), message).expected(expected).help(doc)
}
