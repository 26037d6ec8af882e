//! Names of groups: the settings in which they differ, and nothing else.

use super::group::Group;
use crate::units::number;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

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
    for (path, values) in together(&rows, phases_of_all(&settings)) {
        for (k, value) in known.iter().zip(values) {
            maps[*k].insert(path.clone(), value.clone());
        }
    }
    maps
}

/// How many phases each of the experiments has; `None` where one has more than another: what is said of all phases would
/// be said of some that it lacks.
fn phases_of_all(settings: &[&BTreeMap<String, Value>]) -> Option<usize> {
    let count = |of_one: &&BTreeMap<String, Value>| {
        of_one.keys().filter_map(|path| in_phase(path)).map(|(phase, _)| phase).collect::<BTreeSet<_>>().len()
    };
    let counts: BTreeSet<usize> = settings.iter().map(count).collect();
    counts.first().copied().filter(|_| counts.len() == 1)
}

/// Puts `phases[0].x`, `phases[1].x`… together where each of as many phases has the same row.
fn together<'a>(rows: &'a BTreeMap<&String, Vec<Value>>, phases: Option<usize>) -> BTreeMap<String, &'a [Value]> {
    let mut out = BTreeMap::new();
    for (path, values) in rows {
        let all = in_phase(path).map(|(_, rest)| {
            let alike = |(other, row): &(&&String, &Vec<Value>)| {
                *row == values && in_phase(other).is_some_and(|(_, of_other)| of_other == rest)
            };
            let alike = rows.iter().filter(alike).count();
            (format!("phases[*].{rest}"), alike > 1 && Some(alike) == phases)
        });
        match all {
            Some((path, true)) => out.insert(path, values.as_slice()),
            _ => out.insert((*path).clone(), values.as_slice()),
        };
    }
    out
}

/// `phases[2].lr.to` → `2`, `lr.to`
fn in_phase(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("phases[")?.split_once("].")
}

/// The group that a person means: by its whole name, by a number from 1 as tables show it (`#2`, or `2`), by its
/// experiment's name or a run folder's where no other group has that, or by a part of one name.
///
/// # Errors
/// A message that lists the groups, when none or several are meant.
pub fn resolve(groups: &[Group], text: &str) -> Result<usize, String> {
    if let Some(exact) = groups.iter().position(|group| group.name == text) {
        return Ok(exact);
    }
    let number = |text: &str| text.parse::<usize>().ok().filter(|k| (1..=groups.len()).contains(k)).map(|k| k - 1);
    if let Some(k) = text.strip_prefix('#').and_then(number) {
        return Ok(k);
    }
    let found = named(groups, text).unwrap_or_else(|| {
        let parts = with(groups, |group| group.name.contains(text));
        match (number(text), &parts[..]) {
            (None, _) => parts,
            // `2` of `batch=2`, which is not #2: either may be meant.
            (Some(k), [one]) if *one != k => vec![k.min(*one), k.max(*one)],
            (Some(k), _) => vec![k],
        }
    });
    let names = |which: &mut dyn Iterator<Item = usize>| -> String {
        which.map(|k| format!("\n  #{} {}", k + 1, groups[k].name)).collect()
    };
    match found[..] {
        [one] => Ok(one),
        [] => Err(format!("no group is called `{text}`; the groups are{}", names(&mut (0..groups.len())))),
        _ => Err(format!("`{text}` may mean several groups:{}", names(&mut found.into_iter()))),
    }
}

/// The groups of an experiment or a run folder of exactly that name, if any: the one that alone has it as its experiment's,
/// else as a folder's, else the several that have it.
fn named(groups: &[Group], text: &str) -> Option<Vec<usize>> {
    let experiment = with(groups, |group| group.runs.iter().any(|run| run.info.name == text));
    let is_folder = |path: &Path| path.file_name().is_some_and(|name| name == text);
    let folder = with(groups, |group| group.runs.iter().any(|run| is_folder(&run.path)));
    let mut found = [experiment, folder];
    found.sort_by_key(|found| found.len() != 1);
    found.into_iter().find(|found| !found.is_empty())
}

/// The indices of the groups of which that holds.
fn with(groups: &[Group], holds: impl Fn(&Group) -> bool) -> Vec<usize> {
    (0..groups.len()).filter(|k| holds(&groups[*k])).collect()
}
