//! Names of groups: the settings in which they differ, and nothing else.

use super::group::Group;
use crate::units::number;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// More settings than this in a name are cut short.
const MOST_SETTINGS: usize = 4;

/// Gives each group its name and the settings in which it differs from others.
pub fn name(groups: &mut [Group]) {
    let differing = differing(groups);
    let names: Vec<String> = groups.iter().zip(&differing).map(|(group, settings)| one(group, settings)).collect();
    for (k, (group, settings)) in groups.iter_mut().zip(differing).enumerate() {
        // Same words for different experiments, as when they were recorded without settings: the hash tells them apart.
        let shared = names.iter().filter(|name| **name == names[k]).count() > 1;
        group.name = match shared {
            true => format!("{} #{}", names[k], group.spec_hash.chars().take(6).collect::<String>()),
            false => names[k].clone(),
        };
        group.differing = settings;
    }
}

/// The name of one group: `phases[1].lr.to=0.4, train.label_smoothing=0.1`; the experiment's when nothing differs.
fn one(group: &Group, settings: &BTreeMap<String, Value>) -> String {
    let experiment = &group.runs[0].info.name;
    if settings.is_empty() {
        return experiment.clone();
    }
    if settings.len() > MOST_SETTINGS {
        // Experiments that differ in so much are better known by their names.
        return format!("{experiment} ({} settings differ)", settings.len());
    }
    // A setting that only others have says nothing here, unless it is all there is to say.
    let has = settings.values().any(|value| !value.is_null());
    let said = settings.iter().filter(|(_, value)| !has || !value.is_null());
    said.map(|(path, value)| format!("{path}={}", written(value))).collect::<Vec<_>>().join(", ")
}

/// A value as a person would write it in the file.
pub fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "(none)".to_owned(),
        Value::Number(x) if x.is_f64() => x.as_f64().map_or(String::new(), number),
        other => other.to_string(),
    }
}

/// For each group its values of the settings in which not all groups agree. A setting that differs in the same way in
/// all phases is one: `phases[*].momentum`.
fn differing(groups: &[Group]) -> Vec<BTreeMap<String, Value>> {
    let all: Vec<&BTreeMap<String, Value>> = groups.iter().map(|group| &group.runs[0].info.settings).collect();
    // Whose settings are not known (a baseline, a run of an older program) does not differ in them.
    let known: Vec<usize> = (0..groups.len()).filter(|k| !all[*k].is_empty()).collect();
    let settings: Vec<&BTreeMap<String, Value>> = known.iter().map(|k| all[*k]).collect();
    let paths: BTreeSet<&String> = settings.iter().flat_map(|s| s.keys()).collect();
    let row = |path: &String| -> Vec<Value> {
        settings.iter().map(|s| s.get(path).cloned().unwrap_or(Value::Null)).collect()
    };
    let rows: BTreeMap<&String, Vec<Value>> = paths
        .into_iter()
        .map(|path| (path, row(path)))
        .filter(|(_, values)| values.iter().any(|value| *value != values[0]))
        .collect();
    let mut maps = vec![BTreeMap::new(); groups.len()];
    for (path, values) in together(&rows) {
        for (k, value) in known.iter().zip(values) {
            maps[*k].insert(path.clone(), value.clone());
        }
    }
    maps
}

/// Puts `phases[0].x`, `phases[1].x`… together where all phases have the same row.
fn together<'a>(rows: &'a BTreeMap<&String, Vec<Value>>) -> BTreeMap<String, &'a [Value]> {
    let mut out = BTreeMap::new();
    for (path, values) in rows {
        let all = in_phase(path).map(|rest| {
            let of_all: Vec<_> = rows.iter().filter(|(other, _)| in_phase(other) == Some(rest)).collect();
            (format!("phases[*].{rest}"), of_all.len() > 1 && of_all.iter().all(|(_, other)| *other == values))
        });
        match all {
            Some((path, true)) => out.insert(path, values.as_slice()),
            _ => out.insert((*path).clone(), values.as_slice()),
        };
    }
    out
}

/// `phases[2].lr.to` → `lr.to`
fn in_phase(path: &str) -> Option<&str> {
    path.strip_prefix("phases[")?.split_once("].").map(|(_, rest)| rest)
}

/// The group that a person means: by its whole name, by a number from 1 as tables show it (`#2`), or by a part of one name.
///
/// # Errors
/// A message that lists the groups, when none or several are meant.
pub fn resolve(groups: &[Group], text: &str) -> Result<usize, String> {
    if let Some(exact) = groups.iter().position(|group| group.name == text) {
        return Ok(exact);
    }
    let number = text.strip_prefix('#').and_then(|number| number.parse::<usize>().ok());
    if let Some(k) = number.filter(|k| (1..=groups.len()).contains(k)) {
        return Ok(k - 1);
    }
    let meant = |group: &Group| {
        let runs = || group.runs.iter().filter_map(|run| run.path.file_name());
        group.name.contains(text) || group.runs[0].info.name == text || runs().any(|name| name == text)
    };
    let found: Vec<usize> = (0..groups.len()).filter(|k| meant(&groups[*k])).collect();
    let names = |which: &mut dyn Iterator<Item = usize>| -> String {
        which.map(|k| format!("\n  #{} {}", k + 1, groups[k].name)).collect()
    };
    match found[..] {
        [one] => Ok(one),
        [] => Err(format!("no group is called `{text}`; the groups are{}", names(&mut (0..groups.len())))),
        _ => Err(format!("`{text}` may mean several groups:{}", names(&mut found.into_iter()))),
    }
}
