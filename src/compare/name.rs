//! Names of groups: their values of what was varied, and nothing else.

use super::axes::{self, Axis};
use super::defaults;
use super::group::Group;
use crate::units::number;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// An experiment that differs from others in more settings than this is better known by its name, where it alone has it.
const MOST_SETTINGS: usize = 4;
/// More values than this are no name, but for those of a sweep's axes.
const MOST_VALUES: usize = 12;
/// The digits of a value in a name, where so many tell groups apart: those that a search draws.
const DIGITS: usize = 4;
/// These tell any two numbers apart.
const ALL_DIGITS: usize = 17;
/// In the place of a value.
const NONE: &str = "(none)";
/// What settings of phases begin with. In records these are phases of the plan; to `--set` and to axes they are those of the file,
/// which are others where recipes stand for several.
const PHASES: &str = "phases[";
/// What settings of phases of the plan begin with in their place, where any run has such a recipe.
pub const PLANNED: &str = "planned[";

/// Gives each group its name and the settings in which it differs from others.
pub fn name(groups: &mut [Group]) {
    tell_apart(groups);
    let named = |(group, point): (&Group, Option<String>)| point.unwrap_or_else(|| by_experiment(group));
    let names: Vec<String> = groups.iter().zip(points(groups)).map(named).collect();
    for (k, group) in groups.iter_mut().enumerate() {
        // Same words for different experiments, as when they were recorded without settings: the hash tells them apart.
        let shared = names.iter().filter(|name| **name == names[k]).count() > 1;
        group.name = match shared {
            true => format!("{} #{}", names[k], group.spec_hash.chars().take(6).collect::<String>()),
            false => names[k].clone(),
        };
    }
}

/// Gives each group the settings in which it differs from others.
pub fn tell_apart(groups: &mut [Group]) {
    let expanded = is_expanded(groups);
    let differing = differing_in(&groups.iter().collect::<Vec<_>>(), expanded);
    for (group, settings) in groups.iter_mut().zip(differing) {
        group.differing = settings;
    }
}

/// Whether some plan has phases that may not be the file's.
fn is_expanded(groups: &[Group]) -> bool {
    groups.iter().flat_map(|group| &group.runs).any(|run| run.expanded)
}

/// For each of some groups the settings in which it differs from others of them.
fn differing_in(groups: &[&Group], expanded: bool) -> Vec<BTreeMap<String, Value>> {
    let named = |settings: BTreeMap<String, Value>| match expanded {
        true => settings.into_iter().map(|(path, value)| (planned(path), value)).collect(),
        false => settings,
    };
    differing(&groups.iter().map(|group| settings(group)).collect::<Vec<_>>()).into_iter().map(named).collect()
}

/// `phases[0].lr.to` → `planned[0].lr.to`
fn planned(path: String) -> String {
    match path.strip_prefix(PHASES) {
        Some(rest) => format!("{PLANNED}{rest}"),
        None => path,
    }
}

/// Whether any setting in which groups differ is of a phase of the plan that may not be the file's.
pub fn has_planned(groups: &[Group]) -> bool {
    groups.iter().flat_map(|group| group.differing.keys()).any(|path| path.starts_with(PLANNED))
}

/// For each group, told apart before, its values of what was varied: those of the sweep's axes, `peak=0.4, knee=0.03`, or of
/// the settings that differ, `phases[1].lr.to=0.4, train.label_smoothing=0.1`, of which many that are equal in every group are
/// one. Where experiments of several names differ in many settings, its values of what differs between those of its own name,
/// behind that: one run that has nothing to do with the others would else be all that their names tell. `None` where it is better known
/// by its experiment's name.
pub fn points(groups: &[Group]) -> Vec<Option<String>> {
    let all: Vec<&Group> = groups.iter().collect();
    let differing = without_implied(&all, &axes::differing(groups));
    let differing: Vec<&BTreeMap<String, Value>> = differing.iter().collect();
    let told = Told::new(&all, &differing);
    let names: BTreeSet<&str> = groups.iter().map(experiment).collect();
    if names.len() < 2 || told.by != By::Many {
        return told.points(&differing);
    }
    let mut points = vec![None; groups.len()];
    for name in names {
        let (places, alike): (Vec<usize>, Vec<&Group>) =
            groups.iter().enumerate().filter(|(_, group)| experiment(group) == name).unzip();
        if alike.len() < 2 {
            continue;
        }
        let own = differing_in(&alike, is_expanded(groups));
        let own = without_implied(&alike, &own.iter().collect::<Vec<_>>());
        let own: Vec<&BTreeMap<String, Value>> = own.iter().collect();
        for (k, point) in places.into_iter().zip(Told::new(&alike, &own).points(&own)) {
            points[k] = point.map(|point| format!("{name}: {point}"));
        }
    }
    points
}

/// The settings in which each of the groups differs, but for those that only follow from a choice in which they do: what an
/// optimizer has at its defaults, which others do not have.
pub fn without_implied(groups: &[&Group], differing: &[&BTreeMap<String, Value>]) -> Vec<BTreeMap<String, Value>> {
    let paths: BTreeSet<&String> = differing.iter().flat_map(|of| of.keys()).collect();
    let is_implied = |path: &str| {
        let recorded = path.strip_prefix(PLANNED).map_or_else(|| path.to_owned(), |rest| format!("{PHASES}{rest}"));
        groups.iter().all(|group| defaults::is_implied(settings(group), &recorded))
    };
    let left: BTreeSet<&String> = paths.into_iter().filter(|path| !is_implied(path)).collect();
    let shown = |of: &&BTreeMap<String, Value>| {
        of.iter().filter(|(path, _)| left.contains(path)).map(|(path, value)| (path.clone(), value.clone())).collect()
    };
    differing.iter().map(shown).collect()
}

/// By what groups are told apart.
struct Told {
    axes: Vec<Axis>,
    by: By,
}

#[derive(Clone, Copy, PartialEq)]
enum By {
    /// What a sweep varied.
    Sweep,
    /// So few settings that their values are a name.
    Few,
    Many,
}

impl Told {
    /// Of groups that differ in these settings.
    fn new(groups: &[&Group], differing: &[&BTreeMap<String, Value>]) -> Self {
        if let Some(axes) = axes::of_sweep(groups) {
            return Self { axes, by: By::Sweep };
        }
        let settings = axes::settings_in(differing);
        let axis = |(path, values): (&str, Vec<String>)| Axis { name: path.to_owned(), values };
        if settings.len() <= MOST_SETTINGS {
            return Self { axes: settings.into_iter().map(axis).collect(), by: By::Few };
        }
        let alike = axes::alike(differing).into_iter().map(|(paths, values)| axis((paths[0], values)));
        Self { axes: alike.collect(), by: By::Many }
    }

    /// The groups' values, where they are not too many for a name and a group has some.
    fn points(&self, differing: &[&BTreeMap<String, Value>]) -> Vec<Option<String>> {
        let is_name = |differing: &BTreeMap<String, Value>| match self.by {
            By::Sweep => true,
            By::Few => !differing.is_empty(),
            By::Many => !differing.is_empty() && self.axes.len() <= MOST_VALUES,
        };
        let values = values(&self.axes, differing.len());
        values.into_iter().zip(differing).map(|(values, differing)| is_name(differing).then_some(values)).collect()
    }
}

/// All settings of a group.
fn settings(group: &Group) -> &BTreeMap<String, Value> {
    &group.runs[0].info.settings
}

fn experiment(group: &Group) -> &str {
    &group.runs[0].info.name
}

/// The name of a group that its values do not name.
fn by_experiment(group: &Group) -> String {
    match group.differing.len() {
        0 => experiment(group).to_owned(),
        many => format!("{} ({many} settings differ)", experiment(group)),
    }
}

/// For each group its values along the axes, in few digits.
fn values(axes: &[Axis], groups: usize) -> Vec<String> {
    let columns: Vec<(&str, Vec<String>)> = axes.iter().map(|axis| (&axis.name[..], rounded(&axis.values))).collect();
    let of_group = |k: usize| {
        // A setting that only others have says nothing here, unless it is all there is to say.
        let has = columns.iter().any(|(_, values)| values[k] != NONE);
        let said = columns.iter().filter(|(_, values)| !has || values[k] != NONE);
        said.map(|(name, values)| format!("{name}={}", enclosed(&values[k]))).collect::<Vec<_>>().join(", ")
    };
    (0..groups).map(of_group).collect()
}

/// The values, numbers to as few digits as keep different ones apart.
fn rounded(values: &[String]) -> Vec<String> {
    let different = |values: &[String]| values.iter().collect::<BTreeSet<_>>().len();
    let all = different(values);
    let to = |digits: usize| -> Vec<String> { values.iter().map(|value| to_digits(value, digits)).collect() };
    (DIGITS..ALL_DIGITS).map(to).find(|short| different(short) == all).unwrap_or_else(|| values.to_vec())
}

/// A number that is not whole to so many digits; all else as it is.
fn to_digits(value: &str, digits: usize) -> String {
    let (number_in, places) = (value.parse::<f64>().ok(), digits - 1);
    let broken = number_in.filter(|x| x.is_finite() && x.fract() != 0.0);
    let short = broken.and_then(|x| format!("{x:.places$e}").parse::<f64>().ok().filter(|short| *short != x));
    short.map_or_else(|| value.to_owned(), number)
}

/// Values that an axis gives to several settings, `0.2, 1.8`, in brackets: a name has commas of its own.
fn enclosed(value: &str) -> String {
    let is_row = value.contains(", ") && !value.starts_with(['[', '{']);
    if is_row { format!("[{value}]") } else { value.to_owned() }
}

/// All settings in which a group differs, every digit of them.
fn in_full(group: &Group) -> String {
    let has = group.differing.values().any(|value| !value.is_null());
    let said = group.differing.iter().filter(|(_, value)| !has || !value.is_null());
    said.map(|(path, value)| format!("{path}={}", written(value))).collect::<Vec<_>>().join(", ")
}

/// A value as a person would write it in the file.
pub fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => NONE.to_owned(),
        Value::Number(x) if x.is_f64() => x.as_f64().map_or(String::new(), number),
        other => other.to_string(),
    }
}

/// For each group, by all its settings, its values of those in which not all groups agree. A setting that differs in the same way in
/// all phases is one: `phases[*].momentum`.
fn differing(all: &[&BTreeMap<String, Value>]) -> Vec<BTreeMap<String, Value>> {
    // Whose settings are not known (a baseline, a run of an older program) does not differ in them.
    let known: Vec<usize> = (0..all.len()).filter(|k| !all[*k].is_empty()).collect();
    let settings: Vec<&BTreeMap<String, Value>> = known.iter().map(|k| all[*k]).collect();
    let paths: BTreeSet<&String> = settings.iter().flat_map(|s| s.keys()).collect();
    let row = |path: &String| -> Vec<Value> { settings.iter().map(|s| defaults::value(s, path)).collect() };
    let rows: BTreeMap<&String, Vec<Value>> = paths
        .into_iter()
        .map(|path| (path, row(path)))
        .filter(|(_, values)| values.iter().any(|value| *value != values[0]))
        .collect();
    let mut maps = vec![BTreeMap::new(); all.len()];
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
            (format!("{PHASES}*].{rest}"), alike > 1 && Some(alike) == phases)
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
    path.strip_prefix(PHASES)?.split_once("].")
}

/// The group that a person means: by its whole name, by a number from 1 as tables show it (`#2`, or `2`), by its
/// experiment's name or a run folder's where no other group has that, by a part of one name, or by its settings where that is
/// in no name.
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
            (None, []) if text.contains('=') => with_settings(groups, text),
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
        [] => {
            let is_other = text.contains(PHASES) && has_planned(groups);
            let help =
                if is_other { format!(" (settings of planned phases begin with `{PLANNED}`)") } else { String::new() };
            Err(format!("no group is called `{text}`{help}; the groups are{}", names(&mut (0..groups.len()))))
        }
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

/// The groups that differ from others in these settings: in no others, if there are such, else among others.
fn with_settings(groups: &[Group], text: &str) -> Vec<usize> {
    let whole = with(groups, |group| in_full(group) == text);
    if whole.is_empty() { with(groups, |group| in_full(group).contains(text)) } else { whole }
}

/// The indices of the groups of which that holds.
fn with(groups: &[Group], holds: impl Fn(&Group) -> bool) -> Vec<usize> {
    (0..groups.len()).filter(|k| holds(&groups[*k])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_as_few_digits_as_tell_them_apart() {
        let rounded = |values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            super::rounded(&values)
        };
        let as_written = ["0.05", "1e-3", "12345", "1e30", "cosine", "{ poly = 2.0 }", NONE, ""];
        assert_eq!(rounded(&as_written), as_written);
        assert_eq!(rounded(&["0.0312345", "-1.25043e-5", "1234.56", "2"]), ["0.03123", "-1.25e-5", "1235", "2"]);
        assert_eq!(rounded(&["0.123456", "0.123461", "0.2"]), ["0.123456", "0.123461", "0.2"]);
        assert_eq!(rounded(&["0.12341", "0.12344", "0.234567"]), ["0.12341", "0.12344", "0.23457"]);
        let close = ["0.1", "0.10000000000000002", "0.10000000000000003"];
        assert_eq!(rounded(&close), close);
    }
}
