//! Experiment TOML → checked spec.
//!
//! ```text
//! text ──wire──▶ tree ──overrides──▶ tree ──check (schema)──▶ settings ──build, phases──▶ Spec ──write──▶ text
//! ```
//! Everything that is wrong is reported at once, at its place in the file or the `--set` argument.

mod build;
mod check;
pub mod diagnostics;
mod hash;
mod overrides;
mod phases;
pub mod schema;
mod source;
pub mod spec;
pub mod suggest;
mod syntax;
mod wire;
mod write;

pub use diagnostics::{Diagnostic, Diagnostics};
pub use source::{Origin, Source, Text};
pub use write::write;

use spec::Spec;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A checked experiment, and where each of its settings was written.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub spec: Spec,
    pub source: Source,
}

/// Reads an experiment file and applies overrides, each `PATH=VALUE`, in order.
///
/// # Errors
/// All that is wrong with the file and the overrides.
pub fn load(path: &Path, sets: &[String]) -> Result<Loaded, Diagnostics> {
    let name = path.display().to_string();
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let unreadable = |content: String, span, message: String| {
        let text = Text { name: name.clone(), content, folder: folder.clone() };
        let error = Diagnostic::new(Origin::Text { text: 0, span }, message);
        Diagnostics::new(Arc::from([text]), vec![error])
    };
    let bytes = std::fs::read(path)
        .map_err(|error| unreadable(String::new(), 0..0, format!("cannot read the file: {error}")))?;
    let content = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let content = String::from_utf8_lossy(error.as_bytes()).into_owned();
        unreadable(content, valid..valid + 1, "the file is not UTF-8 text".to_owned())
    })?;
    read(Text { name, content, folder }, sets)
}

/// As [`load`], from a text in memory.
///
/// # Errors
/// All that is wrong with the text and the overrides.
pub fn read(file: Text, sets: &[String]) -> Result<Loaded, Diagnostics> {
    let overrides = sets.iter().map(|argument| Text {
        name: "--set".to_owned(),
        content: argument.clone(),
        folder: PathBuf::new(),
    });
    let texts: Arc<[Text]> = std::iter::once(file).chain(overrides).collect();
    let mut errors = Vec::new();
    let Some(mut tree) = wire::parse(&texts[0].content, 0, &mut errors) else {
        return Err(Diagnostics::new(texts, errors).note("its settings are checked once it is TOML"));
    };
    for (index, argument) in sets.iter().enumerate() {
        if let Err(problems) = overrides::apply(&mut tree, argument, index + 1) {
            errors.extend(problems);
        }
    }
    let mut checker = check::Checker::new(&texts);
    let settings = checker.experiment(&tree);
    errors.append(&mut checker.errors);
    let mut source = Source { texts: texts.clone(), origins: checker.origins };
    let mut builder = build::Builder { source: &mut source, errors };
    match (builder.spec(&settings), builder.errors) {
        (Some(spec), errors) if errors.is_empty() => Ok(Loaded { spec, source }),
        (_, errors) => Err(Diagnostics::new(texts, errors)),
    }
}
