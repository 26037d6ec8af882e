//! Experiment TOML → checked spec.
//!
//! ```text
//! text ──wire──▶ tree ──extends, merge──▶ tree ──overrides──▶ tree ──check (schema)──▶ settings
//!                                   settings ──recipes──▶ settings ──build, phases──▶ Spec ──write──▶ text
//! ```
//! Everything that is wrong is reported at once, at its place in the file or the `--set` argument.

mod aliases;
pub mod beside;
mod build;
mod check;
pub mod diagnostics;
mod excerpt;
mod extends;
mod files;
mod flat;
mod forms;
pub mod groups;
mod hash;
pub mod json_schema;
mod lines;
mod makers;
mod merge;
mod origins;
mod overrides;
mod phases;
mod printable;
mod recipes;
pub mod reference;
mod rules;
pub mod schema;
mod sets;
mod shares;
mod source;
pub mod spec;
mod stops;
mod stretch;
mod subject;
pub mod suggest;
pub mod sweep;
mod syntax;
mod task;
mod together;
mod wire;
mod write;

pub use check::{expected, join};
pub use diagnostics::{Diagnostic, Diagnostics};
pub use hash::UsedSet;
pub use origins::{Provenance, Setting, settings};
pub use overrides::Override;
pub use printable::printable;
pub use source::{Origin, Source, Text};
pub use write::{ramp as write_ramp, write};

use extends::Files;
use files::ReadError;
use spec::Spec;
use std::path::Path;
use std::sync::Arc;
use wire::Table;

/// A checked experiment, and where each of its settings was written.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub spec: Spec,
    pub source: Source,
}

/// Reads an experiment file and what it extends, and applies the arguments of `--set`, each `PATH=VALUE`, in order.
///
/// # Errors
/// All that is wrong with the files and the overrides.
pub fn load(path: &Path, sets: &[String]) -> Result<Loaded, Diagnostics> {
    load_with(path, &as_overrides(sets))
}

/// As [`load`], with overrides of any sort.
///
/// # Errors
/// All that is wrong with the files and the overrides.
pub fn load_with(path: &Path, overrides: &[Override]) -> Result<Loaded, Diagnostics> {
    load_as(path, overrides, true)
}

/// As [`load_with`], of a run that is there: what it began with when less was refused is no reason not to read it.
///
/// # Errors
/// As [`load_with`], but for what is wrong in a new experiment alone.
pub fn load_begun(path: &Path, overrides: &[Override]) -> Result<Loaded, Diagnostics> {
    load_as(path, overrides, false)
}

fn load_as(path: &Path, overrides: &[Override], is_new: bool) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    match files::read(path) {
        Ok(content) => resolve(Text { name, content, folder }, overrides, is_new),
        Err(error) => Err(unreadable(path, Text { name, content: String::new(), folder }, error)),
    }
}

/// Why the file at `path` has no text, as an error in it.
fn unreadable(path: &Path, file: Text, error: ReadError) -> Diagnostics {
    let (content, span, message, help) = match error {
        ReadError::Missing => {
            let near = files::neighbour(path, &[]).map(|near| path.with_file_name(near));
            let help = near.map(|near| format!("did you mean `{}`?", near.display()));
            (String::new(), 0..0, "there is no such file".to_owned(), help)
        }
        ReadError::Closed { message, help } => (String::new(), 0..0, message, help),
        ReadError::NotText { content, span, message, help } => (content, span, message, Some(help)),
    };
    let mut error = Diagnostic::new(Origin::Text { text: 0, span }, message);
    error.help.extend(help);
    Diagnostics::new(Arc::from([Text { content, ..file }]), vec![error])
}

/// As [`load`], from a text in memory. What it extends is read from its folder.
///
/// # Errors
/// All that is wrong with the text and the overrides.
pub fn read(file: Text, sets: &[String]) -> Result<Loaded, Diagnostics> {
    read_with(file, &as_overrides(sets))
}

/// As [`read`], with overrides of any sort.
///
/// # Errors
/// All that is wrong with the text and the overrides.
pub fn read_with(file: Text, overrides: &[Override]) -> Result<Loaded, Diagnostics> {
    resolve(file, overrides, true)
}

fn as_overrides(sets: &[String]) -> Vec<Override> {
    sets.iter().cloned().map(Override::Set).collect()
}

fn resolve(file: Text, overrides: &[Override], is_new: bool) -> Result<Loaded, Diagnostics> {
    let mut files = Files::default();
    let tree = files.tree(file);
    let Files { texts, errors, note, replaced, .. } = files;
    match tree {
        Some(tree) => put_together(tree, Read { texts, errors, replaced, is_new }, overrides),
        None => Err(Diagnostics::new(texts.into(), errors).note(note)),
    }
}

/// What a tree was read from.
struct Read {
    texts: Vec<Text>,
    errors: Vec<Diagnostic>,
    /// The text whose phases were replaced by those of a text above it.
    replaced: Option<usize>,
    /// Whether it is not of a run that is there.
    is_new: bool,
}

/// Applies overrides to a tree, and checks it.
fn put_together(mut tree: Table, read: Read, overrides: &[Override]) -> Result<Loaded, Diagnostics> {
    let Read { mut texts, mut errors, replaced, is_new } = read;
    let count = texts.len();
    for edit in overrides {
        if let Err(problems) = edit.apply(&mut tree, texts.len()) {
            errors.extend(problems);
        }
        texts.push(edit.text());
    }
    let texts: Arc<[Text]> = texts.into();
    let mut checker = check::Checker::new(&texts);
    let settings = checker.experiment(&tree);
    errors.append(&mut checker.errors);
    let makers = makers::of(&settings);
    let settings = shares::resolve(settings, &checker.origins, &mut errors);
    let expanded = recipes::expand(settings, checker.origins, &mut errors);
    let mut source = Source::new(texts.clone(), count, expanded.origins).with_makers(makers);
    let mut builder = build::Builder { source: &mut source, replaced, phase_sources: expanded.sources, errors, is_new };
    match (builder.spec(&expanded.settings), builder.errors) {
        (Some(spec), errors) if errors.is_empty() => Ok(Loaded { spec, source }),
        (_, errors) => Err(Diagnostics::new(texts, errors)),
    }
}
