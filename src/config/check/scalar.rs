//! Plain values: numbers, names, words, paths, durations.

use super::super::diagnostics::Diagnostic;
use super::super::files;
use super::super::source::Origin;
use super::super::suggest::nearest;
use super::super::wire::{Node, Wire};
use super::expected::{bound, expected, remedy};
use super::{Checker, last_key};
use crate::registry::{Duration, DurationUnit, Interval, Kind, Value};
use crate::units::read_seconds;
use std::path::Path;

/// The longest name: it becomes part of a folder's name, of which file systems take 255 bytes.
pub const NAME_LENGTH: usize = 200;

impl Checker<'_> {
    /// A number in the interval; integers will do.
    pub(super) fn number(&mut self, node: &Node, interval: &Interval, kind: &Kind, path: &str) -> Option<f64> {
        let (number, shown) = match node.value {
            Wire::Int(int) => (int as f64, int.to_string()),
            Wire::Float(number) => (number, format!("{number:?}")),
            Wire::Invalid => return None,
            _ => return self.wrong(node, kind, path),
        };
        if interval.contains(number) {
            return Some(number);
        }
        if number.is_finite() {
            return self.out_of_range(node, kind, path, &shown);
        }
        let message = format!("`{}` is not a finite number: {}", last_key(path), shown.to_lowercase());
        self.errors.push(Diagnostic::new(node.origin.clone(), message).expected(expected(kind)));
        None
    }

    pub(super) fn name(&mut self, node: &Node, name: &str, path: &str) -> Option<Value> {
        let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if !name.is_empty() && name.len() <= NAME_LENGTH && name.chars().all(fits) {
            return Some(Value::Text(name.to_owned()));
        }
        let key = last_key(path);
        let (message, help) = if name.contains(['/', '\\']) {
            let help = "it becomes part of the name of a folder; in which folder runs lie is chosen with --runs-dir";
            (format!("`{key}` must be a name, not a path"), Some(help))
        } else if name.is_empty() {
            (format!("`{key}` is empty"), None)
        } else if name.len() > NAME_LENGTH {
            (format!("`{key}` is too long: {} characters of at most {NAME_LENGTH}", name.len()), None)
        } else {
            let bad = name.chars().find(|c| !fits(*c)).unwrap_or_default();
            (format!("`{key}` must not contain `{}`", bad.escape_debug()), None)
        };
        let mut error = Diagnostic::new(node.origin.clone(), message).expected(expected(&Kind::Name));
        error.help.extend(help.map(str::to_owned));
        self.errors.push(error);
        None
    }

    /// A path, made absolute: a relative one starts from the folder of the file that names it, in an override from the
    /// current one, and `~` is the home folder.
    pub(super) fn path(&mut self, node: &Node, file: &str, path: &str) -> Option<Value> {
        let folder = match node.origin {
            Origin::Text { text, .. } => self.texts.get(text).map_or(Path::new(""), |text| &text.folder),
            Origin::Default => Path::new(""),
        };
        match std::path::absolute(files::named(folder, file)) {
            Ok(absolute) if !file.is_empty() => Some(Value::Text(absolute.to_string_lossy().into_owned())),
            _ => {
                let message = format!("`{}` is empty", last_key(path));
                self.errors.push(Diagnostic::new(node.origin.clone(), message).expected(expected(&Kind::Path)));
                None
            }
        }
    }

    pub(super) fn duration(&mut self, node: &Node, unit: Option<DurationUnit>, path: &str) -> Option<Value> {
        let duration = match (&node.value, unit) {
            (Wire::Text(text), _) => text.parse().ok(),
            (Wire::Int(int), Some(unit)) => Some(Duration { amount: *int as f64, unit }),
            (Wire::Float(amount), Some(unit)) => Some(Duration { amount: *amount, unit }),
            _ => None,
        };
        match duration {
            Some(duration) if duration.is_sound() => Some(Value::Duration(duration)),
            Some(Duration { amount, .. }) => {
                self.out_of_range(node, &Kind::Duration { unit }, path, &amount.to_string())
            }
            None => self.wrong(node, &Kind::Duration { unit }, path),
        }
    }

    /// `"25%"`; none of it is no share.
    pub(super) fn share(&mut self, node: &Node, interval: &Interval, text: &str, path: &str) -> Option<Value> {
        let kind = Kind::Share(*interval);
        match text.parse() {
            Ok(Duration { amount: 0.0, unit: DurationUnit::Percent }) => self.out_of_range(node, &kind, path, text),
            Ok(share @ Duration { unit: DurationUnit::Percent, .. }) => Some(Value::Duration(share)),
            _ => self.wrong(node, &kind, path),
        }
    }

    /// A span of time, in seconds.
    pub(super) fn time(&mut self, node: &Node, path: &str) -> Option<Value> {
        let seconds = match &node.value {
            Wire::Text(text) => read_seconds(text),
            _ => None,
        };
        seconds.map(Value::Float).or_else(|| self.wrong(node, &Kind::Time, path))
    }

    pub(super) fn word(
        &mut self,
        node: &Node,
        words: &'static [&'static str],
        word: &str,
        path: &str,
    ) -> Option<Value> {
        if words.contains(&word) {
            return Some(Value::Text(word.to_owned()));
        }
        let message = format!("`{}` cannot be {word:?}", last_key(path));
        let near = nearest(word, words.iter().copied());
        self.errors.push(
            Diagnostic::new(node.origin.clone(), message).expected(expected(&Kind::Word(words))).did_you_mean(near),
        );
        None
    }

    pub(super) fn out_of_range<T>(&mut self, node: &Node, kind: &Kind, path: &str, value: &str) -> Option<T> {
        let message = format!("`{}` is out of range: {value}", last_key(path));
        let mut error = Diagnostic::new(node.origin.clone(), message).expected(expected(kind));
        error.help.extend(bound(kind, &node.value));
        self.errors.push(error);
        None
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong<T>(&mut self, node: &Node, kind: &Kind, path: &str) -> Option<T> {
        let message = match (kind, &node.value) {
            (Kind::Duration { .. } | Kind::Share(_) | Kind::Time, Wire::Text(text)) => {
                format!("`{}` cannot be {text:?}", last_key(path))
            }
            (_, value) => format!("`{}` cannot be {}", last_key(path), value.type_name()),
        };
        let mut error = Diagnostic::new(node.origin.clone(), message).expected(expected(kind));
        error.help.extend(remedy(kind, &node.value, path));
        self.errors.push(error);
        None
    }
}
