//! Sweep files: one base experiment, and what is tried on it.
//!
//! ```toml
//! name = "peak-lr"
//! base = "../dawnbench.toml"
//! seeds = [1, 2, 3]
//!
//! [axes]
//! "phases[1].lr.to" = [0.1, 0.2, 0.4]                                  # a setting and its values
//! "phases[*].momentum" = { uniform = [0.8, 0.95] }                     # drawn, in a random sweep
//! peak = { paths = ["phases[0].lr.to", "phases[1].lr.from"], values = [0.1, 0.2] }      # several settings as one
//! shape = { alternatives = ["triangle.toml", { name = "cosine", phases = […] }] }       # whole parts of the experiment
//! ```
//! `constraints = ["phases[0].lr.from < peak", "phases[0].epochs + phases[1].epochs == 10"]` leaves points out; `equal = { images = "phases[1].epochs" }` gives each point the
//! images of the base by fitting that setting; `share = false` trains what points have in common anew for each.
//! Each point is put together before it is checked, so that it passes the same gate as a file. What is wrong with a value is shown where
//! this file has it.

mod axis;
mod constraint;
mod equal;
mod expression;
mod losses;
mod method;
mod prune;

pub use axis::{Axis, FORMS, Values};
pub use constraint::Constraint;
pub use equal::{Equal, Measure};
pub use method::{Draws, Method, Search};
pub use prune::{Prune, Rule};

use super::diagnostics::{Diagnostic, Diagnostics};
use super::extends::Files;
use super::files::{self, ReadError};
use super::merge::merge;
use super::overrides::{Override, Place};
use super::schema::{EXPERIMENT, PHASES, SWEEP};
use super::source::{Origin, Text};
use super::wire::{self, Field, Table, Wire};
use super::{Loaded, Read, check, put_together};
use crate::registry::{Param, Value};
use axis::{Effect, Set};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The section of the axes.
pub const AXES: &str = "axes";
/// The key of the base experiment.
const BASE: &str = "base";
/// That of the column that trials are judged by.
const METRIC: &str = "metric";

/// A checked sweep file, and its base experiment as written.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub name: String,
    /// The column of `metrics.csv` that trials are judged by.
    pub metric: String,
    metric_origin: Origin,
    pub seeds: Vec<u64>,
    pub method: Method,
    pub axes: Vec<Axis>,
    axes_origin: Origin,
    /// What must hold for a point to be tried.
    pub constraints: Vec<Constraint>,
    /// What all points have as much of as the base.
    pub equal: Option<Equal>,
    /// Which trials are given up before their end.
    pub prune: Option<Prune>,
    /// Whether what trials have in common at their beginnings is trained once.
    pub share: bool,
    /// The sweep file, with the files that it names by absolute paths: to be kept in the sweep's folder.
    pub content: String,
    tree: Table,
    texts: Vec<Text>,
}

/// Reads a sweep file, its base experiment and the files of its alternatives.
///
/// # Errors
/// All that is wrong with the sweep file, and with the base experiment by itself.
pub fn load(path: &Path) -> Result<Sweep, Diagnostics> {
    checked(text_of(path)?, true)
}

/// As [`load`], of a sweep that is there: what it began with when less was refused is no reason not to read it.
///
/// # Errors
/// As [`load`], but for what is wrong in a new sweep alone.
pub fn load_begun(path: &Path) -> Result<Sweep, Diagnostics> {
    checked(text_of(path)?, false)
}

fn text_of(path: &Path) -> Result<Text, Diagnostics> {
    let name = path.display().to_string();
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    match files::read(path) {
        Ok(content) => Ok(Text { name, content, folder }),
        Err(error) => Err(super::unreadable(path, Text { name, content: String::new(), folder }, error)),
    }
}

/// As [`load`], from a text in memory.
///
/// # Errors
/// As [`load`].
pub fn read(file: Text) -> Result<Sweep, Diagnostics> {
    checked(file, true)
}

fn checked(file: Text, is_new: bool) -> Result<Sweep, Diagnostics> {
    let (mut errors, mut in_new) = (Vec::new(), Vec::new());
    let tree = wire::parse(&file.content, 0, &mut errors);
    let mut texts = vec![file];
    let Some(mut tree) = tree else {
        let note = Some("its settings are checked once it is TOML");
        return Err(Diagnostics::new(texts.into(), errors).note(note));
    };
    if let Some(error) = given_as_sweep(&tree, &texts[0].name) {
        errors.push(error);
        return Err(Diagnostics::new(texts.into(), errors));
    }
    let axes = tree.take(AXES);
    let whole = Origin::Text { text: 0, span: 0..0 };
    let axes_origin = axes.as_ref().map_or(whole, |field| field.key_origin.clone());
    let mut checker = check::Checker::new(&texts);
    let settings = checker.sweep(&tree);
    errors.append(&mut checker.errors);
    let mut named = Named { texts: &mut texts, errors: &mut errors, in_new: &mut in_new, paths: Vec::new() };
    let base = settings.opt_text(BASE).and_then(|_| named.experiment(&tree.get(BASE)?.node));
    let axes = axis::read(axes.as_ref(), &mut named);
    if let Some(Wire::Array(items)) = tree.get("seeds").map(|field| &field.node.value) {
        let texts: Vec<String> = items.iter().map(|item| axis::written(item, &named)).collect();
        named.in_new.extend(axis::twice(&texts, items, |a, b| items[a].value.means(&items[b].value)));
    }
    let paths = named.paths;
    let method = method::read(&tree, &settings, &axes, &mut errors);
    let seeds = seeds(&settings);
    if let Some(field) = tree.get("seeds").filter(|field| matches!(&field.node.value, Wire::Array(of) if of.is_empty()))
    {
        let error = Diagnostic::new(field.node.origin.clone(), "`seeds` is empty: each point would have no trial");
        errors.push(error.help("name one seed at least, or leave `seeds` out"));
    }
    if is_new {
        errors.append(&mut in_new);
    }
    let complete = (settings.opt_text("name"), settings.opt_text(METRIC), base, method);
    let (Some(name), Some(metric), Some(base), Some(method), true) =
        (complete.0, complete.1, complete.2, complete.3, errors.is_empty())
    else {
        return Err(Diagnostics::new(texts.into(), errors));
    };
    let content = with_absolute_paths(&texts[0].content, paths);
    let (constraints, equal, prune) = (Vec::new(), None, prune::read(&tree, &settings, &mut in_new));
    let share = settings.bool("share");
    let metric_origin = tree.get(METRIC).map_or(Origin::Default, |field| field.node.origin.clone());
    let mut sweep = Sweep {
        name,
        metric,
        metric_origin,
        seeds,
        method,
        axes,
        axes_origin,
        constraints,
        equal,
        prune,
        share,
        content,
        tree: base,
        texts,
    };
    // What is wrong with the base would be wrong with every point.
    let base = settings_of(&sweep.base()?);
    sweep.constraints = constraint::read(&tree, &sweep.texts[0].content, &sweep.axes, &base, &mut errors);
    sweep.equal = equal::read(&tree, &sweep.axes, &base, &mut errors, &mut in_new);
    in_new.extend(losses::check(&sweep));
    if is_new {
        errors.append(&mut in_new);
    }
    match errors.is_empty() {
        true => Ok(sweep),
        false => Err(Diagnostics::new(sweep.texts.into(), errors)),
    }
}

/// What to say of a sweep file that was given as an experiment; nothing of any other file.
pub fn given_as_experiment(path: &Path) -> Option<Diagnostics> {
    let content = files::read(path).ok()?;
    let tree = wire::parse(&content, 0, &mut Vec::new())?;
    let sign = sign_of_sweep(&tree)?;
    let name = path.display().to_string();
    let error = Diagnostic::new(sign.key_origin.clone(), "this is a sweep file, not an experiment");
    let error = error.help(format!("`runner sweep {name}` runs it"));
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    Some(Diagnostics::new(vec![Text { name, content, folder }].into(), vec![error]))
}

/// The key by which a file that was given as an experiment shows itself as a sweep file.
fn sign_of_sweep(tree: &Table) -> Option<&Field> {
    let sign = tree.get(AXES).or_else(|| tree.get(BASE))?;
    // Beside settings of an experiment `base` alone may be meant for `extends`.
    let is_experiment = tree.get(PHASES).is_some() || (sign.key == BASE && own_key(tree, EXPERIMENT, SWEEP).is_some());
    (!is_experiment).then_some(sign)
}

/// What to say of an experiment, called `name`, that was given as a sweep file; nothing of any other file.
fn given_as_sweep(tree: &Table, name: &str) -> Option<Diagnostic> {
    let sign = tree.get(PHASES).or_else(|| own_key(tree, EXPERIMENT, SWEEP))?;
    if tree.get(AXES).or_else(|| tree.get(BASE)).or_else(|| own_key(tree, SWEEP, EXPERIMENT)).is_some() {
        return None;
    }
    let error = Diagnostic::new(sign.key_origin.clone(), "this is an experiment, not a sweep file");
    Some(error.help(format!("`runner train {name}` runs it; a sweep file names it as its `{BASE}`")))
}

/// The first field that belongs to files of the one sort and not to those of the other.
fn own_key<'a>(tree: &'a Table, of: &[Param], others: &[Param]) -> Option<&'a Field> {
    let is_of = |params: &[Param], key: &str| params.iter().any(|param| param.key == key);
    tree.fields.iter().find(|field| is_of(of, &field.key) && !is_of(others, &field.key))
}

impl Sweep {
    /// The experiment at one point, which has a value for each axis, in order.
    ///
    /// # Errors
    /// All that is wrong with it.
    ///
    /// # Panics
    /// When there are not as many values as axes.
    pub fn experiment(&self, point: &[String]) -> Result<Loaded, Diagnostics> {
        self.with(point, &[])
    }

    /// The base experiment by itself.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn base(&self) -> Result<Loaded, Diagnostics> {
        put_together(self.tree.clone(), self.read(), &[])
    }

    /// What is wrong with the metric, at its place, and what to do.
    pub fn metric_error(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostics {
        self.error(&self.metric_origin, message, help)
    }

    /// The same of the axes.
    pub fn axes_error(&self, message: impl Into<String>, help: impl Into<String>) -> Diagnostics {
        self.error(&self.axes_origin, message, help)
    }

    fn error(&self, origin: &Origin, message: impl Into<String>, help: impl Into<String>) -> Diagnostics {
        Diagnostics::new(self.texts.clone().into(), vec![Diagnostic::new(origin.clone(), message).help(help)])
    }

    /// Whether the constraints can be judged at a point and hold. What is wrong with the point itself is no matter here: it shows when
    /// the point is put together to be run.
    ///
    /// # Panics
    /// When there are not as many values as axes.
    pub fn allows(&self, point: &[String]) -> bool {
        self.constraints.is_empty()
            || self.experiment(point).map_or(true, |loaded| matches!(self.broken(point, &loaded), Ok(None)))
    }

    /// The first constraint that does not hold of a point's experiment.
    ///
    /// # Errors
    /// Why one of them cannot be judged there, before any that does not hold.
    pub fn broken(&self, point: &[String], loaded: &Loaded) -> Result<Option<&Constraint>, Diagnostics> {
        let settings = settings_of(loaded);
        for constraint in &self.constraints {
            match constraint.holds((&self.axes, &self.texts[0].content), point, &settings) {
                Ok(true) => {}
                Ok(false) => return Ok(Some(constraint)),
                Err(error) => return Err(Diagnostics::new(self.texts.clone().into(), vec![error])),
            }
        }
        Ok(None)
    }

    /// The first phase that differs between any two points that are drawn, as it depends on a range or on a fitted length: before
    /// it, points may be alike. Past the last phase where there is none.
    pub fn first_phase_with_a_range(&self) -> usize {
        self.axes.iter().filter_map(Axis::ranges_from).chain(self.fitted_phase()).min().unwrap_or(usize::MAX)
    }

    /// The phase of the file whose length is fitted.
    pub fn fitted_phase(&self) -> Option<usize> {
        self.equal.as_ref().map(|equal| axis::phase_of(&equal.path))
    }

    /// What of a point is a name for what is written elsewhere, as `shape=triangle`. `None` where an axis does not have that name any
    /// more: what it stood for is not known.
    pub fn names_at(&self, point: &[String]) -> Option<Vec<String>> {
        let named = self.axes.iter().zip(point).filter(|(axis, _)| axis.is_named());
        named.map(|(axis, value)| axis.effect(value).map(|_| format!("{}={value}", axis.name))).collect()
    }

    /// The experiment at a point, with further settings by path.
    ///
    /// # Errors
    /// As [`Sweep::experiment`].
    ///
    /// # Panics
    /// As [`Sweep::experiment`].
    pub fn with(&self, point: &[String], further: &[(&str, String)]) -> Result<Loaded, Diagnostics> {
        assert_eq!(point.len(), self.axes.len(), "a point has a value for each axis");
        let (mut tree, mut read) = (self.tree.clone(), self.read());
        let file = Arc::new(Text { folder: PathBuf::new(), ..self.texts[0].clone() });
        let mut overrides = Vec::new();
        for (axis, value) in self.axes.iter().zip(point) {
            match axis.effect(value) {
                Some(Effect::Merge(part)) => tree = merge(tree, part.clone(), &mut read.errors),
                Some(Effect::Set(settings)) => overrides.extend(settings.into_iter().map(|set| set_at(&file, &set))),
                None => {}
            }
        }
        let origin = self.equal.as_ref().map_or(&Origin::Default, |equal| &equal.origin);
        let fitted = further.iter().map(|(path, value)| Set { path, path_origin: origin, value, value_origin: origin });
        overrides.extend(fitted.map(|set| set_at(&file, &set)));
        put_together(tree, read, &overrides)
    }

    fn read(&self) -> Read {
        Read { texts: self.texts.clone(), errors: Vec::new(), replaced: None, is_new: true }
    }
}

/// The override that gives a setting a value, in a file without its folder.
fn set_at(file: &Arc<Text>, set: &Set<'_>) -> Override {
    let span = |origin: &Origin| match origin {
        Origin::Text { span, .. } => span.clone(),
        Origin::Default => 0..0,
    };
    let value = span(set.value_origin);
    let is_exact = file.content.get(value.clone()) == Some(set.value);
    let place = Place { file: file.clone(), path: span(set.path_origin), value, is_exact };
    Override::Axis { path: set.path.to_owned(), value: set.value.to_owned(), place }
}

/// Reads what a sweep file names, and remembers where.
struct Named<'a> {
    texts: &'a mut Vec<Text>,
    errors: &'a mut Vec<Diagnostic>,
    /// What is wrong in a sweep that begins, and was taken once.
    in_new: &'a mut Vec<Diagnostic>,
    /// Places in the sweep file, and the absolute paths that they name.
    paths: Vec<(std::ops::Range<usize>, PathBuf)>,
}

impl Named<'_> {
    /// The tree of the experiment file that a value names, and of all that it extends.
    fn experiment(&mut self, node: &wire::Node) -> Option<Table> {
        let wire::Wire::Text(value) = &node.value else { return None };
        let Origin::Text { span, .. } = &node.origin else { return None };
        let by = &self.texts[0];
        let path = files::named(&by.folder, value);
        let name = files::named(Path::new(&by.name).parent().unwrap_or(Path::new("")), value).display().to_string();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let content = match files::read(&path) {
            Ok(content) => content,
            Err(ReadError::Missing) => {
                let error = Diagnostic::new(node.origin.clone(), format!("there is no file {}", path.display()));
                self.errors.push(error.help("the path starts from the folder of this file"));
                return None;
            }
            Err(ReadError::Closed { message, help }) => {
                let mut error = Diagnostic::new(node.origin.clone(), format!("`{value}`: {message}"));
                error.help.extend(help);
                self.errors.push(error);
                return None;
            }
            Err(ReadError::NotText { message, help, .. }) => {
                let error = Diagnostic::new(node.origin.clone(), format!("`{value}`: {message}")).help(help);
                self.errors.push(error);
                return None;
            }
        };
        if wire::parse(&content, 0, &mut Vec::new()).is_some_and(|tree| sign_of_sweep(&tree).is_some()) {
            let error = Diagnostic::new(node.origin.clone(), format!("`{value}` is a sweep file, not an experiment"));
            self.errors.push(error.help(format!("name an experiment, such as that file's own `{BASE}`")));
            return None;
        }
        self.paths.push((span.clone(), std::path::absolute(&path).unwrap_or(path)));
        let mut files = Files::after(std::mem::take(self.texts));
        let tree = files.tree(Text { name, content, folder });
        *self.texts = files.texts;
        self.errors.append(&mut files.errors);
        tree
    }
}

/// The sweep file with the paths in these places made absolute.
fn with_absolute_paths(content: &str, mut paths: Vec<(std::ops::Range<usize>, PathBuf)>) -> String {
    paths.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut out = content.to_owned();
    for (span, path) in paths {
        out.replace_range(span, &toml::Value::String(path.to_string_lossy().into_owned()).to_string());
    }
    out
}

/// Every setting of an experiment that has a path, also those that others were made by.
fn settings_of(loaded: &Loaded) -> constraint::SettingsByPath {
    let mut settings = loaded.spec.settings();
    settings.extend(loaded.source.makers().clone());
    settings
}

fn seeds(settings: &crate::registry::Settings) -> Vec<u64> {
    let seed = |value: Value| match value {
        Value::Int(seed) => Some(seed.unsigned_abs()),
        _ => None,
    };
    let mut seeds: Vec<u64> = settings.opt_list("seeds").unwrap_or_default().into_iter().filter_map(seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    seeds
}
