//! Keys that are not declared, and declared ones that are not there.

use super::super::aliases;
use super::super::diagnostics::Diagnostic;
use super::super::schema::{EXPERIMENT, FIRST_PHASE, PHASES, RAMP};
use super::super::suggest::{enumerated, fold, nearest, one_of, quoted};
use super::super::wire::Field;
use super::expected::expected;
use super::{Owner, join};
use crate::registry::{Default, Describe, Family, Kind, Param};

/// Where an undeclared key was found.
pub(super) struct Place<'a> {
    /// The path of the table that it is in; empty at the top of the file.
    pub path: &'a str,
    /// Whether it is part of an override's path: then what would be right is told as a path too.
    pub in_override: bool,
}

impl Place<'_> {
    /// The section that it lies in: `phases` of `phases[1].optimizer`.
    fn section(&self) -> &str {
        self.path.split(['.', '[']).next().unwrap_or_default()
    }
}

/// The declared setting that an undeclared key is most likely meant for; none for one that has its place elsewhere.
pub(super) fn meant_key<'a>(key: &str, params: &'a [Param]) -> Option<&'a Param> {
    let word = fold(key);
    if let Some(param) = params.iter().find(|param| aliases::names(&word).any(|name| name == param.key)) {
        return Some(param);
    }
    let elsewhere = setting_of_choice(key, params).is_some() || home(key).is_some();
    if elsewhere || aliases::instead(&word).is_some() {
        return None;
    }
    let near = nearest(key, params.iter().map(|param| param.key))?;
    params.iter().find(|param| param.key == near)
}

/// A key that is not declared: the valid ones, the nearest of them, or where it would be in its place.
pub(super) fn unknown_key(
    field: &Field,
    params: &[Param],
    meant: Option<&Param>,
    owner: &Owner<'_>,
    place: &Place<'_>,
) -> Diagnostic {
    let key = &field.key;
    let error = Diagnostic::new(field.key_origin.clone(), format!("unknown key `{key}` in {}", owner.title));
    let error = match params {
        [] => error.expected(format!("no key: {} has no settings", owner.title)),
        _ => error.expected(one_of(params.iter().map(|param| param.key))),
    };
    if let Some(param) = meant {
        return match param.kind {
            Kind::Table(_) | Kind::Tables(_) if !place.in_override && place.path.is_empty() => {
                error.help(format!("did you mean {}?", header(param)))
            }
            _ => error.did_you_mean(Some(param.key)),
        };
    }
    let word = fold(key);
    let instead = || aliases::instead(&word).map(str::to_owned);
    let help = if place.in_override {
        let path = |key: &str| path_to(key, params, place);
        let path = path(key).or_else(|| aliases::names(&word).find_map(path));
        path.map(|path| format!("its path is `{path}`")).or_else(instead)
    } else {
        setting_of_choice(key, params)
            .or_else(|| setting_of_table(key, params, place))
            .or_else(|| home(key))
            .or_else(instead)
            .or_else(|| aliases::names(&word).find_map(|name| known_elsewhere(key, name, params, place)))
    };
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// The path of a setting of that key: below this table, at the top of the file, or in one of the sections.
fn path_to(key: &str, params: &[Param], place: &Place<'_>) -> Option<String> {
    let below = |params: &[Param], path: &str| {
        let choice = params.iter().find(|param| matches!(param.kind, Kind::Choice(family) if has_setting(family, key)));
        let ramp = params.iter().find(|param| matches!(param.kind, Kind::Ramp(_)) && is_of_ramp(key));
        Some(join(&join(path, choice.or(ramp)?.key), key))
    };
    let in_sections = |find: &dyn Fn(&[Param], &str) -> Option<String>| {
        EXPERIMENT.iter().rev().find_map(|section| {
            let index = if matches!(section.kind, Kind::Tables(_)) { "[0]" } else { "" };
            find(settings_of(section)?, &format!("{}{index}", section.key))
        })
    };
    let has = |params: &[Param]| params.iter().any(|param| param.key == key);
    below(params, place.path)
        .or_else(|| has(EXPERIMENT).then(|| key.to_owned()))
        .or_else(|| in_sections(&|params, path| has(params).then(|| join(path, key))))
        .or_else(|| in_sections(&below))
}

/// A key that other programs have for what is here called `name`, and stands in another place too.
fn known_elsewhere(key: &str, name: &str, params: &[Param], here: &Place<'_>) -> Option<String> {
    let place = setting_of_choice(name, params).or_else(|| home(name).filter(|_| name != here.section()))?;
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
        if let Kind::Beside(beside) = param.kind {
            // What recipes call as ramps do is looked for in a ramp first.
            let entries = (beside.family.entries)().into_iter().filter(|_| !is_of_ramp(key));
            let with = entries.filter(|entry| entry.params().iter().any(|param| param.key == key));
            let written: Vec<String> = with.map(|entry| format!("`{} = {:?}`", param.key, entry.name())).collect();
            return (!written.is_empty()).then(|| format!("`{key}` is a setting of {}", enumerated(&written)));
        }
        let Kind::Choice(family) = param.kind else { return None };
        let name = entry_with(family, key)?.name();
        let example = format!("{} = {{ kind = \"{name}\", {key} = … }}", param.key);
        Some(format!("`{key}` is a setting of {} `{name}`: `{example}`", family.name))
    })
}

/// For a key that belongs inside one of the section's own tables: `dataset` beside `data`.
fn setting_of_table(key: &str, params: &[Param], place: &Place<'_>) -> Option<String> {
    let of_section = params.iter().filter(|_| !place.path.is_empty());
    let mut tables =
        of_section.filter_map(|param| if let Kind::Table(inner) = param.kind { Some((param, inner)) } else { None });
    let (table, _) = tables.find(|(_, inner)| inner.iter().any(|param| param.key == key))?;
    Some(format!("`{key}` is a setting of `{0}`: `{0} = {{ {key} = … }}`", table.key))
}

fn entry_with(family: &Family, key: &str) -> Option<&'static dyn Describe> {
    (family.entries)().into_iter().find(|entry| entry.params().iter().any(|param| param.key == key))
}

/// Whether some entry has a setting of that key.
pub(super) fn has_setting(family: &Family, key: &str) -> bool {
    entry_with(family, key).is_some()
}

fn is_of_ramp(key: &str) -> bool {
    RAMP.iter().any(|param| param.key == key)
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
        return Some(format!("`{key}` is a setting of {}", enumerated(&headers)));
    }
    let of_ramp = || {
        let example = "lr = { from = …, to = …, curve = … }";
        format!("`{key}` is a part of what changes over a phase: `{example}`, in `[[{PHASES}]]`")
    };
    sections()
        .find_map(|(section, params)| Some(format!("{}, in {}", setting_of_choice(key, params)?, header(section))))
        .or_else(|| is_of_ramp(key).then(of_ramp))
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
            // Of a phase nothing is, for a later one takes over what it leaves out.
            let first = FIRST_PHASE.into_iter().filter(|_| param.key == PHASES);
            let settings =
                format!("a line {header} and below it its settings, at least {}", quoted(required.chain(first)));
            (format!("missing {header}"), settings)
        }
        _ => (format!("missing `{}` in {}", param.key, owner.title), expected(&param.kind)),
    };
    Diagnostic::new(owner.origin.clone(), message).expected(expected).help(doc)
}
