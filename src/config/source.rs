//! The texts an experiment comes from, and where in them each setting was written.

use super::diagnostics::{Diagnostic, Diagnostics};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// One text that settings are read from: a file, or the argument of one `--set`.
#[derive(Clone, Debug)]
pub struct Text {
    /// What diagnostics call it: the file's path as given, or `--set`.
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
    pub(super) origins: BTreeMap<String, Origin>,
}

impl Source {
    /// Where the setting at `path` (`phases[1].lr.to`) was written. For one that was not, its nearest written parent: the
    /// ramp, the phase's header, at last the file as a whole.
    pub fn origin(&self, path: &str) -> Origin {
        let mut path = path;
        loop {
            match self.origins.get(path) {
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
        matches!(self.origins.get(path), Some(Origin::Text { .. }))
    }

    /// Lets the settings at and below `to` point to where those at `from` were written, which they repeat.
    pub(super) fn carry(&mut self, from: &str, to: &str) {
        let below =
            |path: &str| path.strip_prefix(from).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        let carried: Vec<(String, Origin)> = self
            .origins
            .range(from.to_owned()..)
            .take_while(|(path, _)| path.starts_with(from))
            .filter(|(path, _)| below(path))
            .map(|(path, origin)| (format!("{to}{}", &path[from.len()..]), origin.clone()))
            .collect();
        self.origins.extend(carried);
    }

    /// An error at the setting of that path, to be worded further and handed to [`Source::diagnostics`].
    pub fn diagnostic(&self, path: &str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.origin(path), message)
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
        let source = Source { texts: Arc::from([]), origins };
        assert_eq!(source.origin("phases[1].lr.to"), at(50));
        assert_eq!(source.origin("phases[1].size"), at(40));
        assert_eq!(source.origin("train.precision"), Origin::Text { text: 0, span: 0..0 });
        assert!(source.is_given("phases[1].lr") && !source.is_given("phases[1].size"));
    }
}
