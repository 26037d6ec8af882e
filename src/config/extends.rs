//! `extends = "base.toml"`: one tree out of a chain of files.

use super::diagnostics::Diagnostic;
use super::files::{self, ReadError};
use super::merge::merge;
use super::schema::PHASES;
use super::source::{Origin, Text};
use super::wire::{self, Field, Node, Table, Wire};
use std::path::{Path, PathBuf};

/// The key that names the file below.
pub const KEY: &str = "extends";

/// The most files that extend each other.
const LONGEST: usize = 32;

/// A file and those below it, as far as they could be read.
#[derive(Default)]
pub struct Files {
    /// The experiment's own text first, then each that the one before extends.
    pub texts: Vec<Text>,
    pub errors: Vec<Diagnostic>,
    /// Which files stand above the one being read: where they really are, and what they are called.
    chain: Vec<(Option<PathBuf>, String)>,
    /// Why there is no tree.
    pub note: Option<&'static str>,
    /// The text whose phases gave way to those of one above.
    pub replaced: Option<usize>,
}

impl Files {
    /// None yet, but those to be read are numbered after these texts.
    pub fn after(texts: Vec<Text>) -> Self {
        Self { texts, ..Self::default() }
    }

    /// The tree of a text and all that it extends. `None`, with errors and a note, where one of them cannot be read: what
    /// it would have said is then unknown, and nothing that is missing can be called so.
    pub fn tree(&mut self, text: Text) -> Option<Table> {
        let number = self.texts.len();
        let own_name = Path::new(&text.name).file_name().unwrap_or_default();
        self.chain.push((std::fs::canonicalize(text.folder.join(own_name)).ok(), text.name.clone()));
        self.texts.push(text);
        let Some(mut tree) = wire::parse(&self.texts[number].content, number, &mut self.errors) else {
            self.note = Some(if number == 0 {
                "its settings are checked once it is TOML"
            } else {
                "settings are checked once all files are TOML"
            });
            return None;
        };
        let Some(field) = tree.take(KEY) else { return Some(tree) };
        match self.base(number, &field.node) {
            Ok(text) => {
                let below = self.tree(text)?;
                let anew = tree.get(PHASES).is_some_and(|field| matches!(field.node.value, Wire::Array(_)));
                if let Some(Field { key_origin: Origin::Text { text, .. }, .. }) = below.get(PHASES).filter(|_| anew) {
                    self.replaced = Some(*text);
                }
                Some(merge(below, tree, &mut self.errors))
            }
            Err(error) => {
                self.errors.push(error);
                self.note = Some("settings are checked once what the file extends can be read");
                None
            }
        }
    }

    /// The text that `extends` of text number `number` names.
    fn base(&mut self, number: usize, node: &Node) -> Result<Text, Diagnostic> {
        let error = |message: String| Diagnostic::new(node.origin.clone(), message);
        let one_path = "the path of an experiment file, as a string";
        let Wire::Text(value) = &node.value else {
            let error = error(format!("`{KEY}` cannot be {}", node.value.type_name())).expected(one_path);
            return Err(match node.value {
                Wire::Array(_) => error.help("a file extends one other, which may itself extend the next"),
                _ => error,
            });
        };
        if value.is_empty() {
            return Err(error(format!("`{KEY}` is empty")).expected(one_path));
        }
        let by = &self.texts[number];
        let path = files::named(&by.folder, value);
        let name = files::named(Path::new(&by.name).parent().unwrap_or(Path::new("")), value).display().to_string();
        let real = std::fs::canonicalize(&path).ok();
        if let Some(at) = self.chain.iter().position(|(above, _)| real.is_some() && *above == real) {
            return Err(error(circle(&self.chain[at..])).help(format!("take one `{KEY}` out")));
        }
        if self.chain.len() >= LONGEST {
            return Err(error(format!("more than {LONGEST} files extend each other")).help("put some of them together"));
        }
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        match files::read(&path) {
            Ok(content) => Ok(Text { name, content, folder }),
            Err(ReadError::Missing) => {
                let tried =
                    if name == *value { "there is no such file" } else { &format!("there is no file `{name}`") };
                let above: Vec<&PathBuf> = self.chain.iter().filter_map(|(real, _)| real.as_ref()).collect();
                let help = match files::neighbour(&path, &above) {
                    Some(near) => format!("did you mean `{}`?", Path::new(value).with_file_name(near).display()),
                    None => "the path starts from the folder of this file".to_owned(),
                };
                Err(error(format!("cannot extend `{value}`: {tried}")).help(help))
            }
            Err(ReadError::Closed { message, help }) => {
                let mut error = error(format!("cannot extend `{value}`: {message}"));
                error.help.extend(help);
                Err(error)
            }
            Err(ReadError::NotText { content, span, message, help }) => {
                let text = self.texts.len();
                self.texts.push(Text { name, content, folder });
                Err(Diagnostic::new(Origin::Text { text, span }, message).help(help))
            }
        }
    }
}

/// `a.toml` → `b.toml` → `a.toml`, in words.
fn circle(chain: &[(Option<PathBuf>, String)]) -> String {
    match chain {
        [_] => "the file extends itself".to_owned(),
        _ => {
            let names = chain.iter().chain(&chain[..1]).map(|(_, name)| format!("`{name}`"));
            format!("the files extend each other in a circle: {}", names.collect::<Vec<_>>().join(" → "))
        }
    }
}
