//! What was varied: a sweep's axes, or else the settings that differ.

use super::group::Group;
use super::name::{self, written};
use super::trials::Trials;
use serde_json::Value;
use std::collections::BTreeMap;

/// One direction in which experiments were varied.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Axis {
    pub name: String,
    /// Each group's value, as the sweep or a person would write it.
    pub values: Vec<String>,
}

/// The axes of the sweep that all groups are trials of; of other runs the settings that differ, those that are equal in
/// every group as one.
pub fn axes(groups: &[Group]) -> Vec<Axis> {
    of_sweep(&groups.iter().collect::<Vec<_>>()).unwrap_or_else(|| of_settings(groups))
}

/// Each setting that differs, with the groups' values of it.
pub fn settings(groups: &[Group]) -> BTreeMap<&str, Vec<String>> {
    settings_in(&differing(groups))
}

/// The same of the settings in which each group differs.
pub fn settings_in<'a>(differing: &[&'a BTreeMap<String, Value>]) -> BTreeMap<&'a str, Vec<String>> {
    let paths = differing.iter().flat_map(|of| of.keys());
    let value = |of: &BTreeMap<String, Value>, path: &str| written(of.get(path).unwrap_or(&Value::Null));
    paths.map(|path| (path.as_str(), differing.iter().map(|of| value(of, path)).collect())).collect()
}

/// As [`settings_in`]; settings that are equal in every group together, under all their paths.
pub fn alike<'a>(differing: &[&'a BTreeMap<String, Value>]) -> Vec<(Vec<&'a str>, Vec<String>)> {
    let mut all: Vec<(Vec<&str>, Vec<String>)> = Vec::new();
    for (path, values) in settings_in(differing) {
        match all.iter_mut().find(|(_, there)| *there == values) {
            Some((paths, _)) => paths.push(path),
            None => all.push((vec![path], values)),
        }
    }
    all
}

/// The settings in which each of the groups differs.
pub fn differing(groups: &[Group]) -> Vec<&BTreeMap<String, Value>> {
    groups.iter().map(|group| &group.differing).collect()
}

fn of_settings(groups: &[Group]) -> Vec<Axis> {
    let called = |paths: &[&str]| match paths {
        [first, _, _, ..] => format!("{first} and {} more", paths.len() - 1),
        few => few.join(", "),
    };
    let shown = name::without_implied(&groups.iter().collect::<Vec<_>>(), &differing(groups));
    let shown: Vec<&BTreeMap<String, Value>> = shown.iter().collect();
    alike(&shown).into_iter().map(|(paths, values)| Axis { name: called(&paths), values }).collect()
}

/// The axes of a sweep that were varied between its trials. `None` where a group is no trial of the first one's sweep, or the
/// sweep's table cannot be read or lies elsewhere, behind a link: the settings tell, too.
pub fn of_sweep(groups: &[&Group]) -> Option<Vec<Axis>> {
    let [first, _, ..] = groups else { return None };
    let folder = first.runs.first()?.path.parent()?;
    let trials = Trials::of(folder)?;
    let row = |group: &&Group| {
        let run = &group.runs.first()?.path;
        (run.parent()? == folder).then_some(())?;
        trials.values(run)
    };
    let rows: Vec<&Vec<String>> = groups.iter().map(row).collect::<Option<_>>()?;
    let axis = |(k, name): (usize, String)| Axis { name, values: rows.iter().map(|row| row[k].clone()).collect() };
    let axes: Vec<Axis> = trials.axes.iter().cloned().enumerate().map(axis).collect();
    // An axis with one value was not varied.
    let axes: Vec<Axis> = axes.into_iter().filter(|axis| axis.values.iter().any(|v| *v != axis.values[0])).collect();
    (!axes.is_empty()).then_some(axes)
}
