//! Where each setting of a resolved experiment comes from.

use super::lines::Lines;
use super::makers;
use super::source::{Origin, Source};
use super::wire::{self, Node, Table, Wire};
use super::write::write;
use super::{Loaded, check};

/// One setting of an experiment in which everything is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// `phases[1].lr.to`, as `--set` takes it of a setting that is given.
    pub path: String,
    /// As TOML.
    pub value: String,
    pub provenance: Provenance,
}

/// Who said so.
#[derive(Clone, Debug, PartialEq)]
pub enum Provenance {
    /// A line of a file, counted from 1.
    File { name: String, line: usize },
    /// A flag of the command line, such as `--set`.
    Flag(String),
    /// Nobody: the default of the setting, or of the backbone that brings its own stem and head.
    Default,
    /// The setting of that path, in a phase before or in `[data]`, which it takes over.
    TakenOver(String),
}

/// Every setting of the experiment, in the order in which [`write()`] writes them, down to the values that `--set` can
/// replace one by one. Behind those of `[train]` are the ones that it does not write, as others were made by them.
pub fn settings(loaded: &Loaded) -> Vec<Setting> {
    let text = write(&loaded.spec);
    let mut errors = Vec::new();
    let tree = wire::parse(&text, 0, &mut errors).expect("what is written is TOML: its tests read it back");
    let lines = loaded.source.texts.iter().map(|text| Lines::new(&text.content)).collect();
    let mut walk = Walk { text: &text, source: &loaded.source, lines, settings: Vec::new() };
    for field in &tree.fields {
        walk.node(&field.node, &field.key);
        if field.key == makers::SECTION {
            walk.makers();
        }
    }
    walk.settings
}

struct Walk<'a> {
    text: &'a str,
    source: &'a Source,
    /// Those of each text of the source.
    lines: Vec<Lines>,
    settings: Vec<Setting>,
}

impl Walk<'_> {
    fn table(&mut self, table: &Table, path: &str) {
        for field in &table.fields {
            self.node(&field.node, &check::join(path, &field.key));
        }
    }

    fn makers(&mut self) {
        for (path, value) in self.source.makers() {
            let setting = Setting { path: path.clone(), value: value.to_string(), provenance: self.provenance(path) };
            self.settings.push(setting);
        }
    }

    fn node(&mut self, node: &Node, path: &str) {
        match &node.value {
            Wire::Table(table) => self.table(table, path),
            Wire::Array(items) if !items.is_empty() => {
                for (index, item) in items.iter().enumerate() {
                    self.node(item, &format!("{path}[{index}]"));
                }
            }
            _ => {
                let value = match &node.origin {
                    Origin::Text { span, .. } => self.text[span.clone()].to_owned(),
                    Origin::Default => String::new(),
                };
                self.settings.push(Setting { path: path.to_owned(), value, provenance: self.provenance(path) });
            }
        }
    }

    fn provenance(&self, path: &str) -> Provenance {
        if let Some(from) = self.source.carried_from(path) {
            return Provenance::TakenOver(from.to_owned());
        }
        // A choice that is written as a name has no key of its own for its kind.
        let whole = || self.source.exact(path.strip_suffix(".kind")?);
        match self.source.exact(path).or_else(whole) {
            Some(Origin::Text { text, span }) => {
                let number = *text;
                let text = &self.source.texts[number];
                if !self.source.is_file(number) {
                    return Provenance::Flag(text.name.clone());
                }
                let line = self.lines[number].number(span.start) + 1;
                Provenance::File { name: text.name.clone(), line }
            }
            Some(Origin::Default) | None => Provenance::Default,
        }
    }
}
