//! The axes of a sweep file.

use super::Named;
use crate::config::diagnostics::Diagnostic;
use crate::config::overrides::{is_top, short_form, undoes};
use crate::config::source::Origin;
use crate::config::suggest::nearest;
use crate::config::wire::{self, Field, Node, Table, Wire};

/// What a sweep tries along one direction.
#[derive(Clone, Debug)]
pub struct Axis {
    /// A setting's path, or a name of its own.
    pub name: String,
    pub values: Values,
    pub(super) origin: Origin,
    /// Where each value of a list stands.
    places: Vec<Origin>,
    sort: Sort,
}

/// Where an axis's values come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// These: grids go through them, random sweeps draw from them evenly. Values are TOML, alternatives are named.
    Choice(Vec<String>),
    /// Numbers in `[low, high]`, evenly.
    Uniform { low: f64, high: f64 },
    /// Numbers in `[low, high]`, their logarithms evenly.
    LogUniform { low: f64, high: f64 },
    /// Whole numbers from `low` to `high`, both included, evenly.
    Int { low: i64, high: i64 },
}

#[derive(Clone, Debug)]
enum Sort {
    /// The same value at each of these paths.
    Paths(Vec<Written>),
    /// For each value, one for each of these paths.
    Rows { paths: Vec<Written>, rows: Vec<Vec<Written>> },
    /// A part of an experiment for each value.
    Parts(Vec<Table>),
}

/// A path or a value in the sweep file, and where.
#[derive(Clone, Debug)]
struct Written {
    text: String,
    origin: Origin,
}

/// What a value of an axis does to the base experiment.
pub(super) enum Effect<'a> {
    /// Settings by path, as `--set` has them.
    Set(Vec<Set<'a>>),
    /// Laid over the base.
    Merge(&'a Table),
}

/// What is set at a path, and where both stand in the sweep file.
pub(super) struct Set<'a> {
    pub path: &'a str,
    pub path_origin: &'a Origin,
    pub value: &'a str,
    pub value_origin: &'a Origin,
}

impl Axis {
    /// Whether its values are values of this setting.
    pub(super) fn sets(&self, path: &str) -> bool {
        self.paths().iter().any(|own| undoes(path, &own.text))
    }

    /// Whether this setting is one of those that it names.
    pub(super) fn names(&self, path: &str) -> bool {
        self.paths().iter().any(|own| own.text == path)
    }

    /// Whether some value at its path number `k` says `key` itself, in a table or as the short form that stands for it.
    fn says(&self, k: usize, key: &str) -> bool {
        let says = |text: &str| match wire::parse_value(text, 0, 0, &mut Vec::new()) {
            Ok(Node { value: Wire::Table(table), .. }) => table.get(key).is_some(),
            _ => true,
        };
        match (&self.sort, &self.values) {
            (Sort::Rows { rows, .. }, _) => rows.iter().any(|row| says(&row[k].text)),
            (_, Values::Choice(values)) => values.iter().any(|value| says(value)),
            // Numbers.
            _ => true,
        }
    }

    /// The settings that it names.
    fn paths(&self) -> &[Written] {
        match &self.sort {
            Sort::Paths(paths) | Sort::Rows { paths, .. } => paths,
            Sort::Parts(_) => &[],
        }
    }

    /// Whether its values are names of what is written elsewhere: of parts of an experiment, or of values of settings that the axis is
    /// not called by.
    pub(super) fn is_named(&self) -> bool {
        match &self.sort {
            Sort::Paths(paths) => paths.iter().map(|path| &path.text).ne([&self.name]),
            Sort::Rows { .. } | Sort::Parts(_) => true,
        }
    }

    /// Whether its values are parts of an experiment, whatever settings these have.
    pub(super) fn is_of_parts(&self) -> bool {
        matches!(self.sort, Sort::Parts(_))
    }

    /// The first phase that its values change, where they are so many that no two drawn ones are equal; 0 where they change what
    /// holds for all phases.
    pub(super) fn ranges_from(&self) -> Option<usize> {
        if matches!(self.values, Values::Choice(_) | Values::Int { .. }) {
            return None;
        }
        match &self.sort {
            Sort::Paths(paths) | Sort::Rows { paths, .. } => paths.iter().map(|path| phase_of(&path.text)).min(),
            Sort::Parts(_) => Some(0),
        }
    }

    /// Which of its listed values this is: the one that is written so, or else one that means the same, as `0.1` and `0.10`.
    pub fn place(&self, value: &str) -> Option<usize> {
        let Values::Choice(values) = &self.values else { return None };
        let is_named = matches!(self.sort, Sort::Parts(_));
        let means = |listed: &String| !is_named && mean_the_same(listed, value);
        values.iter().position(|listed| listed == value).or_else(|| values.iter().position(means))
    }

    /// What one of its values does; `None` for a value that it does not have.
    pub(super) fn effect<'a>(&'a self, value: &'a str) -> Option<Effect<'a>> {
        let set = |path: &'a Written, value: &'a str, value_origin: &'a Origin| Set {
            path: &path.text,
            path_origin: &path.origin,
            value,
            value_origin,
        };
        match &self.sort {
            Sort::Paths(paths) => {
                let origin = self.place(value).and_then(|k| self.places.get(k)).unwrap_or(&self.origin);
                Some(Effect::Set(paths.iter().map(|path| set(path, value, origin)).collect()))
            }
            Sort::Rows { paths, rows } => {
                let row = rows.get(self.place(value)?)?;
                Some(Effect::Set(paths.iter().zip(row).map(|(path, of)| set(path, &of.text, &of.origin)).collect()))
            }
            Sort::Parts(parts) => Some(Effect::Merge(parts.get(self.place(value)?)?)),
        }
    }
}

/// Whether two values mean the same, or two rows of values.
fn mean_the_same(a: &str, b: &str) -> bool {
    let read = |text: &str| wire::parse_value(&format!("[{text}]"), 0, 0, &mut Vec::new()).ok();
    read(a).zip(read(b)).is_some_and(|(a, b)| a.value.means(&b.value))
}

/// The phase that a setting belongs to; 0 for one outside of phases, or of all of them.
pub(super) fn phase_of(path: &str) -> usize {
    let number = path.strip_prefix("phases[").and_then(|rest| rest.split_once(']'));
    number.and_then(|(number, _)| number.parse().ok()).unwrap_or(0)
}

/// Reads `[axes]`.
pub(super) fn read(section: Option<&Field>, named: &mut Named<'_>) -> Vec<Axis> {
    let Some(field) = section else { return Vec::new() };
    let Some(table) = field.node.table() else {
        let message = format!("`{}` cannot be {}", super::AXES, field.node.value.type_name());
        named.errors.push(Diagnostic::new(field.node.origin.clone(), message).expected("a table: `[axes]`"));
        return Vec::new();
    };
    let axes: Vec<Axis> = table.fields.iter().filter_map(|field| one(field, named)).collect();
    for (n, axis) in axes.iter().enumerate() {
        for (k, path) in axis.paths().iter().enumerate() {
            let before = axes[..n].iter().flat_map(|axis| (0..axis.paths().len()).map(move |k| (axis, k)));
            let before = before.chain((0..k).map(|k| (axis, k)));
            named.in_new.extend(has_no_effect(path).or_else(|| undoes_another(path, before)));
        }
    }
    axes
}

/// How seeds are varied.
const SEEDS: &str = "list the seeds of every point instead: `seeds = [1, 2]`";

/// What a trial has from elsewhere, or what makes no other experiment.
fn has_no_effect(Written { text: path, origin }: &Written) -> Option<Diagnostic> {
    let help = match () {
        () if is_top(path, "seed") => SEEDS,
        () if is_top(path, "name") => "leave the axis out: a name makes no other experiment",
        () => return None,
    };
    Some(Diagnostic::new(origin.clone(), format!("an axis cannot vary `{path}`")).help(help))
}

/// A setting that takes the place of what was set before, each given by an axis and the number of its path.
fn undoes_another<'a>(path: &Written, mut before: impl Iterator<Item = (&'a Axis, usize)>) -> Option<Diagnostic> {
    let later = &path.text;
    let is_undone = |(axis, k): &(&Axis, usize)| {
        let earlier = &axis.paths()[*k].text;
        undoes(later, earlier) || short_form(later, earlier).is_some_and(|key| axis.says(*k, key))
    };
    let (axis, k) = before.find(is_undone)?;
    let (name, earlier) = (&axis.name, &axis.paths()[k].text);
    let message = match later == earlier {
        true => format!("`{later}` is set by axis `{name}` already"),
        false if name == earlier => format!("`{later}` undoes what axis `{name}` sets"),
        false => format!("`{later}` undoes what axis `{name}` sets, `{earlier}`"),
    };
    let help = match undoes(earlier, later) {
        true => "of two values the later one alone would count: take one out",
        false => "put it before the other, so that both count, or take one out",
    };
    Some(Diagnostic::new(path.origin.clone(), message).help(help))
}

const DISTRIBUTIONS: [&str; 4] = ["uniform", "log_uniform", "int", "choice"];

/// The keys of an axis that is a table: how each is written, and what it says.
pub const FORMS: [(&str, &str, &str); 8] = [
    ("uniform", "[LOW, HIGH]", "numbers between the two, evenly; for points that are drawn"),
    ("log_uniform", "[LOW, HIGH]", "numbers between the two, their logarithms evenly; for points that are drawn"),
    ("int", "[LOW, HIGH]", "whole numbers from the one to the other, evenly; for points that are drawn"),
    ("choice", "an array", "the same as `values`"),
    (
        "paths",
        "an array of strings",
        "the settings that take each value together; left out: the axis's name is the path",
    ),
    ("values", "an array", "the values: all of them in a grid, else drawn from"),
    ("rows", "an array of arrays", "for each value of the axis one value for each of `paths`"),
    (
        "alternatives",
        "an array",
        "whole parts of the experiment, laid over the base: experiment files, or tables with a `name`",
    ),
];

fn one(field: &Field, named: &mut Named<'_>) -> Option<Axis> {
    let path = || Sort::Paths(vec![Written { text: field.key.clone(), origin: field.key_origin.clone() }]);
    let axis = |(values, places): Found, sort| Axis {
        name: field.key.clone(),
        values,
        origin: field.node.origin.clone(),
        places,
        sort,
    };
    match &field.node.value {
        Wire::Array(items) => Some(axis(list(items, &field.node, named)?, path())),
        Wire::Table(table) => {
            let keys = FORMS.map(|(key, ..)| key);
            if let Some(unknown) = table.fields.iter().find(|f| !keys.contains(&f.key.as_str())) {
                let message = format!("unknown key `{}` in axis `{}`", unknown.key, field.key);
                let error = Diagnostic::new(unknown.key_origin.clone(), message).expected(one_of(&keys));
                named.errors.push(error.did_you_mean(nearest(&unknown.key, keys)));
                return None;
            }
            if let Some(alternatives) = table.get("alternatives") {
                let (names, parts) = self::alternatives(alternatives, named)?;
                return Some(axis((Values::Choice(names), Vec::new()), Sort::Parts(parts)));
            }
            let Some(paths) = table.get("paths") else { return Some(axis(values(table, field, named)?, path())) };
            let paths = self::paths(&paths.node, named)?;
            match table.get("rows") {
                Some(rows) => {
                    let (labels, rows) = self::rows(&rows.node, paths.len(), named)?;
                    Some(axis((Values::Choice(labels), Vec::new()), Sort::Rows { paths, rows }))
                }
                None => Some(axis(values(table, field, named)?, Sort::Paths(paths))),
            }
        }
        other => {
            let message = format!("axis `{}` cannot be {}", field.key, other.type_name());
            let error = Diagnostic::new(field.node.origin.clone(), message);
            named.errors.push(error.expected("an array of values, or a table such as `{ log_uniform = [0.01, 1] }`"));
            None
        }
    }
}

/// Values, and of a list where each stands.
type Found = (Values, Vec<Origin>);

fn one_of(words: &[&str]) -> String {
    format!("one of {}", words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
}

/// `values = […]` or one of the distributions.
fn values(table: &Table, axis: &Field, named: &mut Named<'_>) -> Option<Found> {
    let given: Vec<&Field> =
        table.fields.iter().filter(|f| f.key == "values" || DISTRIBUTIONS.contains(&f.key.as_str())).collect();
    let [field] = given[..] else {
        let message =
            format!("axis `{}` has {} sources of values", axis.key, if given.is_empty() { "no" } else { "several" });
        let error = Diagnostic::new(axis.node.origin.clone(), message);
        named.errors.push(error.expected("one of `values`, `uniform`, `log_uniform`, `int`, `choice`"));
        return None;
    };
    let Wire::Array(items) = &field.node.value else {
        let message = format!("`{}` cannot be {}", field.key, field.node.value.type_name());
        named.errors.push(Diagnostic::new(field.node.origin.clone(), message).expected("an array"));
        return None;
    };
    match field.key.as_str() {
        "values" | "choice" => list(items, &field.node, named),
        distribution => Some((range(distribution, items, &field.node, named)?, Vec::new())),
    }
}

/// `[low, high]`
fn range(distribution: &str, items: &[Node], node: &Node, named: &mut Named<'_>) -> Option<Values> {
    let number = |node: &Node| match node.value {
        Wire::Float(x) => Some(x),
        Wire::Int(int) => Some(int as f64),
        _ => None,
    };
    let whole = |node: &Node| match node.value {
        Wire::Int(int) => Some(int),
        _ => None,
    };
    let ends = |[low, high]: [Option<f64>; 2]| {
        low.zip(high).filter(|(low, high)| low.is_finite() && high.is_finite() && low < high)
    };
    let found = match (distribution, items) {
        ("int", [low, high]) => whole(low)
            .zip(whole(high))
            .filter(|(low, high)| low < high && high.abs_diff(*low) < 1 << 53)
            .map(|(low, high)| Values::Int { low, high }),
        ("log_uniform", [low, high]) => ends([number(low), number(high)])
            .filter(|(low, _)| *low > 0.0)
            .map(|(low, high)| Values::LogUniform { low, high }),
        (_, [low, high]) => ends([number(low), number(high)]).map(|(low, high)| Values::Uniform { low, high }),
        _ => None,
    };
    if found.is_none() {
        let what = match distribution {
            "int" => "two whole numbers, the smaller first",
            "log_uniform" => "two numbers above 0, the smaller first",
            _ => "two numbers, the smaller first",
        };
        let message = format!("`{distribution}` is no range");
        named.errors.push(Diagnostic::new(node.origin.clone(), message).expected(format!("`[LOW, HIGH]`: {what}")));
    }
    found
}

/// The values of an array, as they are written.
fn list(items: &[Node], node: &Node, named: &mut Named<'_>) -> Option<Found> {
    if items.is_empty() {
        let error = Diagnostic::new(node.origin.clone(), "the axis has no values");
        named.errors.push(error.expected("at least one value"));
        return None;
    }
    let values: Vec<String> = items.iter().map(|item| written(item, named)).collect();
    let places = items.iter().map(|item| item.origin.clone()).collect();
    unique(&values, items, named).then_some((Values::Choice(values), places))
}

/// A value's own text, on one line.
pub(super) fn written(node: &Node, named: &Named<'_>) -> String {
    let Origin::Text { text, span } = &node.origin else { return String::new() };
    named.texts[*text].content[span.clone()].split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reports values that are there twice: their trials would be the same. Those that are written otherwise are values of sweeps that are
/// there.
fn unique(values: &[String], items: &[Node], named: &mut Named<'_>) -> bool {
    let written = twice(values, items, |a, b| values[a] == values[b]);
    let is_unique = written.is_none();
    match written {
        Some(error) => named.errors.push(error),
        None => named.in_new.extend(twice(values, items, |a, b| items[a].value.means(&items[b].value))),
    }
    is_unique
}

/// The first value that is the same as one before.
pub(super) fn twice(values: &[String], items: &[Node], is_same: impl Fn(usize, usize) -> bool) -> Option<Diagnostic> {
    let (first, k) = (1..values.len()).find_map(|k| Some(((0..k).find(|before| is_same(*before, k))?, k)))?;
    let message = match values[first] == values[k] {
        true => format!("`{}` is there twice", values[k]),
        false => format!("`{}` is there already, as `{}`", values[k], values[first]),
    };
    Some(Diagnostic::new(items[k].origin.clone(), message).help("take one out"))
}

fn paths(node: &Node, named: &mut Named<'_>) -> Option<Vec<Written>> {
    let text = |item: &Node| match &item.value {
        Wire::Text(path) => Some(Written { text: path.clone(), origin: item.origin.clone() }),
        _ => None,
    };
    let paths: Option<Vec<Written>> = match &node.value {
        Wire::Array(items) if !items.is_empty() => items.iter().map(text).collect(),
        _ => None,
    };
    if paths.is_none() {
        let error = Diagnostic::new(node.origin.clone(), "`paths` does not name settings");
        named.errors.push(error.expected("an array of paths: `[\"phases[0].lr.to\", \"phases[1].lr.from\"]`"));
    }
    paths
}

/// `[[0.1, 64], [0.2, 128]]`: a value for each path.
fn rows(node: &Node, paths: usize, named: &mut Named<'_>) -> Option<(Vec<String>, Vec<Vec<Written>>)> {
    let expected = || format!("an array of arrays of {paths} values, one for each path");
    let Wire::Array(items) = &node.value else {
        named.errors.push(Diagnostic::new(node.origin.clone(), "`rows` are no rows").expected(expected()));
        return None;
    };
    let mut rows = Vec::new();
    for item in items {
        match &item.value {
            Wire::Array(values) if values.len() == paths => {
                let of = |value: &Node| Written { text: written(value, named), origin: value.origin.clone() };
                rows.push(values.iter().map(of).collect::<Vec<_>>());
            }
            _ => {
                named.errors.push(Diagnostic::new(item.origin.clone(), "this is no row").expected(expected()));
                return None;
            }
        }
    }
    let label = |row: &Vec<Written>| row.iter().map(|value| value.text.as_str()).collect::<Vec<_>>().join(", ");
    let labels: Vec<String> = rows.iter().map(label).collect();
    (unique(&labels, items, named) && !labels.is_empty()).then_some((labels, rows))
}

/// Parts of experiments, each with a name: a file's is its own without the ending, a table's its `name`.
fn alternatives(field: &Field, named: &mut Named<'_>) -> Option<(Vec<String>, Vec<Table>)> {
    let expected = "an array of file names and of tables with `name` and what they replace";
    let Wire::Array(items) = &field.node.value else {
        let error = Diagnostic::new(field.node.origin.clone(), "`alternatives` is no array");
        named.errors.push(error.expected(expected));
        return None;
    };
    let (mut names, mut parts) = (Vec::new(), Vec::new());
    for item in items {
        let (name, part) = match &item.value {
            Wire::Text(file) => {
                let mut part = named.experiment(item)?;
                // The base says what the experiment is called and which chance it takes.
                for key in ["name", "seed"] {
                    part.take(key);
                }
                let stem = std::path::Path::new(file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
                (stem.unwrap_or_default(), part)
            }
            Wire::Table(table) => {
                let mut part = table.clone();
                let name = part.take("name").and_then(|field| match field.node.value {
                    Wire::Text(name) => Some(name),
                    _ => None,
                });
                let Some(name) = name else {
                    let error = Diagnostic::new(item.origin.clone(), "an alternative has no name");
                    named.errors.push(error.expected("`{ name = \"…\", … }`"));
                    return None;
                };
                if let Some(seed) = part.get("seed") {
                    let error = Diagnostic::new(seed.key_origin.clone(), "an alternative cannot have a `seed`");
                    named.in_new.push(error.help(SEEDS));
                }
                (name, part)
            }
            other => {
                let message = format!("an alternative cannot be {}", other.type_name());
                named.errors.push(Diagnostic::new(item.origin.clone(), message).expected(expected));
                return None;
            }
        };
        names.push(name);
        parts.push(part);
    }
    (unique(&names, items, named) && !names.is_empty()).then_some((names, parts))
}
