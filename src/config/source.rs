//! The texts an experiment comes from, and where in them each setting was written.

use super::check::key_of;
use super::diagnostics::{Diagnostic, Diagnostics};
use super::makers::Makers;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One text that settings are read from: a file, or the value of one flag such as `--set`.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    /// What diagnostics call it: the file's path as given, or the flag.
    pub name: String,
    pub content: String,
    /// The folder that relative paths in it start from.
    pub folder: PathBuf,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Bytes `span` of text number `text`.
    Text { text: usize, span: Range<usize> },
    /// The default of a declaration: written nowhere.
    Default,
}

/// What stays of the texts after checking: enough for later stages to point at the line that a problem stems from.
#[derive(Clone, Debug)]
pub struct Source {
    pub(super) texts: Arc<[Text]>,
    /// How many of the texts are files; the others are flags.
    files: usize,
    origins: BTreeMap<String, Origin>,
    /// What was taken over, by its path, and the path that gave it first.
    carried: BTreeMap<String, String>,
    /// Settings that others were made by.
    makers: Makers,
}

impl Source {
    pub(super) fn new(texts: Arc<[Text]>, files: usize, origins: BTreeMap<String, Origin>) -> Self {
        Self { texts, files, origins, carried: BTreeMap::new(), makers: Makers::new() }
    }

    pub(super) fn with_makers(self, makers: Makers) -> Self {
        Self { makers, ..self }
    }

    /// The settings that others were made by, as `train.lr_batch`: no [`Spec`](super::spec::Spec) has them.
    pub(super) fn makers(&self) -> &Makers {
        &self.makers
    }

    /// What is known of the setting at exactly this path, or of the one that it was taken over from: nothing where neither
    /// a file nor a default gives it.
    pub(super) fn exact(&self, path: &str) -> Option<&Origin> {
        let own = self.origins.get(path);
        own.or_else(|| {
            let (to, from) = self.carried_at(path)?;
            self.origins.get(&format!("{from}{}", &path[to.len()..]))
        })
    }

    /// Whether text number `text` is a file.
    pub(super) fn is_file(&self, text: usize) -> bool {
        text < self.files
    }

    /// The files that were read: the experiment's own, and those that it extends. A text in memory goes by its name.
    pub fn files(&self) -> impl Iterator<Item = PathBuf> {
        let path = |text: &Text| text.folder.join(Path::new(&text.name).file_name().unwrap_or_default());
        self.texts.iter().take(self.files).map(path)
    }

    /// The path that the setting at `path`, or a parent of it, was taken over from.
    pub fn carried_from(&self, path: &str) -> Option<&str> {
        self.carried_at(path).map(|(_, from)| from)
    }

    /// The part of `path` that was taken over, and from where.
    fn carried_at(&self, path: &str) -> Option<(&str, &str)> {
        let up = std::iter::successors(Some(path), |path| parent(path).filter(|path| !path.is_empty()));
        up.into_iter().find_map(|path| self.carried.get_key_value(path)).map(|(to, from)| (to.as_str(), from.as_str()))
    }

    /// Where the setting at `path` (`phases[1].lr.to`) was written. For one that was not, its nearest written parent: the
    /// ramp, the phase's header, at last the file as a whole.
    pub fn origin(&self, path: &str) -> Origin {
        let mut path = path;
        loop {
            match self.exact(path) {
                Some(origin @ Origin::Text { .. }) => return origin.clone(),
                _ => match parent(path) {
                    Some(up) => path = up,
                    None => return Origin::Text { text: 0, span: 0..0 },
                },
            }
        }
    }

    /// Whether the file or an override gives the setting at `path`, be it well or badly.
    pub fn is_given(&self, path: &str) -> bool {
        matches!(self.exact(path), Some(Origin::Text { .. }))
    }

    /// Lets the settings at and below `to` point to where those at `from` were written, which they repeat.
    pub(super) fn carry(&mut self, from: &str, to: &str) {
        if self.is_given(from) {
            let first = self.carried.get(from).map_or(from, String::as_str).to_owned();
            self.carried.insert(to.to_owned(), first);
        }
    }

    /// An error at the setting of that path, to be worded further and handed to [`Source::diagnostics`].
    pub fn diagnostic(&self, path: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.origin(path), message)
    }

    /// An error at the key of a table whose keys are free; where that is not known, at its value.
    pub fn diagnostic_of_key(&self, path: &str, message: impl Into<String>) -> Diagnostic {
        let key = key_of(path);
        self.diagnostic(if self.is_given(&key) { &key } else { path }, message)
    }

    /// The errors as one, sorted by position, ready to be shown.
    pub fn diagnostics(&self, list: Vec<Diagnostic>) -> Diagnostics {
        Diagnostics::new(self.texts.clone(), list)
    }
}

/// The path without its last key or index; `None` for the file as a whole.
fn parent(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rfind(['.', '[']).map_or("", |cut| &path[..cut]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_that_was_not_written_is_shown_at_its_nearest_written_parent() {
        let at = |start| Origin::Text { text: 0, span: start..start + 1 };
        let origins = [("phases[1]", at(40)), ("phases[1].lr", at(50)), ("phases[1].size", Origin::Default)];
        let origins = origins.into_iter().map(|(path, origin)| (path.to_owned(), origin)).collect();
        let source = Source::new(Arc::from([]), 1, origins);
        assert_eq!(source.origin("phases[1].lr.to"), at(50));
        assert_eq!(source.origin("phases[1].size"), at(40));
        assert_eq!(source.origin("train.precision"), Origin::Text { text: 0, span: 0..0 });
        assert!(source.is_given("phases[1].lr") && !source.is_given("phases[1].size"));
    }

    #[test]
    fn what_is_taken_over_again_is_traced_to_its_first_place() {
        let place = Origin::Text { text: 0, span: 0..1 };
        let origins = ["phases[0].lr", "phases[0].lr.to"].map(|path| (path.to_owned(), place.clone()));
        let mut source = Source::new(Arc::from([]), 1, origins.into_iter().collect());
        source.carry("phases[0].lr", "phases[1].lr");
        source.carry("phases[1].lr", "phases[2].lr");
        source.carry("phases[0].size", "phases[1].size");
        assert_eq!(source.carried_from("phases[2].lr.to"), Some("phases[0].lr"));
        assert_eq!(source.exact("phases[2].lr.to"), Some(&place));
        assert_eq!(source.carried_from("phases[0].lr"), None);
        assert_eq!(source.carried_from("phases[1].size"), None);
    }
}
