//! The one walker that checks what was written against the declarations, fills defaults in, and collects every error.

mod choice;
mod expected;
mod keys;
mod ramp;
mod scalar;

use super::beside;
use super::diagnostics::Diagnostic;
use super::overrides::SET;
use super::schema::{EXPERIMENT, SWEEP};
use super::source::{Origin, Text};
use super::wire::{self, Node, Table, Wire};
use crate::registry::{Choice, Default, Family, Kind, Param, Settings, Value};
use crate::units::count;
pub use expected::expected;
use keys::{Place, meant_key, missing, unknown_key};
pub use scalar::NAME_LENGTH;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Walks a tree along its declarations.
///
/// What is wrong is reported and left out of the settings, so one walk finds everything; settings are whole only if
/// `errors` stays empty.
pub struct Checker<'a> {
    texts: &'a [Text],
    /// Where each setting was written, by its path.
    pub origins: BTreeMap<String, Origin>,
    pub errors: Vec<Diagnostic>,
}

/// After so many errors unknown keys are only counted, without a guess at what they are meant for.
const MANY: usize = 1000;

/// The most items of an array: far above any use, and few enough for phases that each take over a list of them.
const MOST_ITEMS: usize = 10_000;

/// What a table is to its reader: `[data]`, optimizer `sgd`.
struct Owner<'a> {
    title: &'a str,
    origin: &'a Origin,
}

/// The error of an experiment without a section that it needs.
///
/// # Panics
/// When there is no such section.
pub fn missing_section(params: &[Param], key: &str, origin: &Origin) -> Diagnostic {
    let param = params.iter().find(|param| param.key == key).expect("a section that is declared");
    missing(param, &Owner { title: "the experiment", origin })
}

/// An entry with the settings that it has when none is written.
///
/// # Panics
/// When the family has no such entry, or that cannot be named alone.
pub fn default_choice(family: &'static Family, name: &str) -> Choice {
    let mut checker = Checker::new(&[]);
    let written = wire::parse_default(&format!("'{name}'"));
    match checker.value(&written, &Kind::Choice(family), name) {
        Some(Value::Choice(choice)) if checker.errors.is_empty() => choice,
        _ => panic!("`{name}` of {} cannot be named alone", family.name),
    }
}

impl<'a> Checker<'a> {
    pub fn new(texts: &'a [Text]) -> Self {
        Self { texts, origins: BTreeMap::new(), errors: Vec::new() }
    }

    /// Whether a key was given with `--set`.
    fn is_override(&self, origin: &Origin) -> bool {
        matches!(origin, Origin::Text { text, .. } if self.texts.get(*text).is_some_and(|text| text.name == SET))
    }

    /// Checks a whole experiment file.
    pub fn experiment(&mut self, tree: &Table) -> Settings {
        let origin = Origin::Text { text: 0, span: 0..0 };
        self.fields(tree, EXPERIMENT, "", &Owner { title: "the experiment", origin: &origin })
    }

    /// Checks a sweep file without its axes.
    pub fn sweep(&mut self, tree: &Table) -> Settings {
        let origin = Origin::Text { text: 0, span: 0..0 };
        self.fields(tree, SWEEP, "", &Owner { title: "the sweep", origin: &origin })
    }

    /// Checks the fields of a table, and adds the defaults of those it leaves out.
    fn fields(&mut self, table: &Table, params: &[Param], path: &str, owner: &Owner<'_>) -> Settings {
        let mut settings = Settings::default();
        let mut misspelt = Vec::new();
        for field in &table.fields {
            if let Some(param) = params.iter().find(|param| param.key == field.key) {
                self.setting(&field.node, param, path, &mut settings);
                continue;
            }
            if self.errors.len() >= MANY {
                let message = format!("unknown key `{}` in {}", field.key, owner.title);
                self.errors.push(Diagnostic::new(field.key_origin.clone(), message));
                continue;
            }
            let meant = meant_key(&field.key, params);
            let place = Place { path, in_override: self.is_override(&field.key_origin) };
            self.errors.push(unknown_key(field, params, meant, owner, &place));
            // Given, if badly: it is checked as what it is meant for, so that all is reported at once.
            if let Some(param) = meant.filter(|param| table.get(param.key).is_none() && !misspelt.contains(&param.key))
            {
                misspelt.push(param.key);
                self.setting(&as_meant(&field.node, &param.kind), param, path, &mut settings);
            }
        }
        let left_out = |param: &&Param| table.get(param.key).is_none() && !misspelt.contains(&param.key);
        for param in params.iter().filter(left_out) {
            let path = join(path, param.key);
            match param.default {
                Default::Absent => {}
                Default::Required => self.errors.push(missing(param, owner)),
                Default::Toml(toml) => {
                    self.origins.insert(path.clone(), Origin::Default);
                    if let Some(value) = self.value(&wire::parse_default(toml), &param.kind, &path) {
                        settings.0.insert(param.key.to_owned(), value);
                    }
                }
            }
        }
        settings
    }

    /// Checks what is given for a setting of the table at `path`.
    fn setting(&mut self, node: &Node, param: &Param, path: &str, settings: &mut Settings) {
        let path = join(path, param.key);
        self.origins.insert(path.clone(), node.origin.clone());
        if let Some(value) = self.value(node, &param.kind, &path) {
            settings.0.insert(param.key.to_owned(), value);
        }
    }

    /// Checks one value. `None` when it is wrong, which has then been reported.
    fn value(&mut self, node: &Node, kind: &Kind, path: &str) -> Option<Value> {
        match (kind, &node.value) {
            (_, Wire::Invalid) => None,
            (Kind::Bool, Wire::Bool(b)) => Some(Value::Bool(*b)),
            (Kind::Int { min, max }, Wire::Int(int)) => match (min..=max).contains(&int) {
                true => Some(Value::Int(*int)),
                false => self.out_of_range(node, kind, path, &int.to_string()),
            },
            (Kind::Numbers(interval), Wire::Array(items)) => {
                Some(Value::List(self.items(items, &Kind::Float(*interval), path)))
            }
            (Kind::Float(interval) | Kind::Numbers(interval), _) => {
                self.number(node, interval, kind, path).map(Value::Float)
            }
            (Kind::Text, Wire::Text(text)) => Some(Value::Text(text.clone())),
            (Kind::Name, Wire::Text(name)) => self.name(node, name, path),
            (Kind::Path, Wire::Text(file)) => self.path(node, file, path),
            (Kind::Word(words), Wire::Text(word)) => self.word(node, words, word, path),
            (Kind::Duration { unit }, _) => self.duration(node, *unit, path),
            (Kind::Share(interval), Wire::Text(text)) => self.share(node, interval, text, path),
            (Kind::Share(interval), _) => self.number(node, interval, kind, path).map(Value::Float),
            (Kind::Time, _) => self.time(node, path),
            (Kind::Ramp(interval), _) => self.ramp(node, interval, kind, path).map(Value::Ramp),
            (Kind::Choice(family), _) => self.choice(node, family, path).map(Value::Choice),
            (Kind::List(of), Wire::Array(items)) => Some(Value::List(self.items(items, of, path))),
            (Kind::Table(params), Wire::Table(table)) => {
                let owner = Owner { title: &format!("`[{path}]`"), origin: &node.origin };
                Some(Value::Table(self.fields(table, params, path, &owner)))
            }
            (Kind::Map(of), Wire::Table(table)) => Some(Value::Table(self.map(table, of, path))),
            (Kind::Beside(beside), Wire::Text(name)) => {
                self.entry(name, &node.origin, beside.family).map(|entry| Value::Text(entry.name().to_owned()))
            }
            (Kind::Tables(params), Wire::Array(items)) => Some(Value::List(self.tables(items, params, path))),
            _ => self.wrong(node, kind, path),
        }
    }

    /// The items that are looked at; that there are more is an error.
    fn not_too_many<'n>(&mut self, items: &'n [Node], path: &str) -> &'n [Node] {
        match items.get(MOST_ITEMS) {
            None => items,
            Some(first) => {
                let message = format!("`{}` has more than {} items", last_key(path), count(MOST_ITEMS as u64));
                self.errors.push(Diagnostic::new(first.origin.clone(), message));
                &items[..MOST_ITEMS]
            }
        }
    }

    /// An array of tables; in place of a wrong one stand no settings and no origin, so that the others keep their numbers.
    fn tables(&mut self, items: &[Node], params: &'static [Param], path: &str) -> Vec<Value> {
        let items = self.not_too_many(items, path);
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let item_path = format!("{path}[{index}]");
            let settings = match &item.value {
                Wire::Table(table) => self.item(table, item, params, path, &item_path),
                _ => self.wrong(item, &Kind::Table(params), &item_path).unwrap_or_default(),
            };
            list.push(Value::Table(settings));
        }
        list
    }

    /// One of an array of tables. Where it names an entry that there is not, nothing more is asked of it.
    fn item(&mut self, table: &Table, item: &Node, params: &'static [Param], path: &str, item_path: &str) -> Settings {
        let mut title = format!("`[[{path}]]`");
        if let Some((key, beside)) = beside::naming(params)
            && let Some(field) = table.get(key)
        {
            let path = join(item_path, key);
            let Some(Value::Text(name)) = self.value(&field.node, &Kind::Beside(beside), &path) else {
                return Settings::default();
            };
            title = format!("{title} of {} `{name}`", beside.family.name);
        }
        self.origins.insert(item_path.to_owned(), item.origin.clone());
        let owner = Owner { title: &title, origin: &item.origin };
        self.fields(table, &beside::of_table(params, table), item_path, &owner)
    }

    /// A table whose keys are free.
    fn map(&mut self, table: &Table, of: &Kind, path: &str) -> Settings {
        let mut settings = Settings::default();
        for field in &table.fields {
            let path = join(path, &field.key);
            self.origins.insert(path.clone(), field.node.origin.clone());
            self.origins.insert(key_of(&path), field.key_origin.clone());
            if let Some(value) = self.value(&field.node, of, &path) {
                settings.0.insert(field.key.clone(), value);
            }
        }
        settings
    }

    fn items(&mut self, items: &[Node], kind: &Kind, path: &str) -> Vec<Value> {
        let items = self.not_too_many(items, path);
        let mut list = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let path = format!("{path}[{index}]");
            self.origins.insert(path.clone(), item.origin.clone());
            list.extend(self.value(item, kind, &path));
        }
        list
    }
}

/// The value of a misspelt key as that of the key it is meant for: `[phase]` as one of `[[phases]]`.
fn as_meant<'a>(node: &'a Node, kind: &Kind) -> Cow<'a, Node> {
    match (kind, &node.value) {
        (Kind::Tables(_), Wire::Table(_)) => {
            Cow::Owned(Node { value: Wire::Array(vec![node.clone()]), origin: node.origin.clone() })
        }
        _ => Cow::Borrowed(node),
    }
}

/// `phases[1]`, `lr` → `phases[1].lr`; keys that are not bare are quoted.
pub fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// Where the key of a free table's setting stands, as a path: of the setting at `path` itself that is where its value does.
pub fn key_of(path: &str) -> String {
    format!("{path}#key")
}

/// What the last part of a path is called in a message: `lr` of `phases[1].lr`, `augment[1]` of `data.augment[1]`.
fn last_key(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_valid() {
        /// `chosen`: the families on the way here, as a mix of optimizers has optimizers.
        fn walk(params: &[Param], chosen: &[&str]) {
            for param in params {
                if let Default::Toml(toml) = param.default {
                    let mut checker = Checker::new(&[]);
                    let value = checker.value(&wire::parse_default(toml), &param.kind, param.key);
                    assert!(value.is_some() && checker.errors.is_empty(), "{}: {:?}", param.key, checker.errors);
                }
                match param.kind {
                    Kind::Table(inner) | Kind::Tables(inner) => walk(inner, chosen),
                    Kind::Choice(family) | Kind::List(&Kind::Choice(family)) if !chosen.contains(&family.name) => {
                        let chosen = [chosen, &[family.name]].concat();
                        (family.entries)().iter().for_each(|entry| walk(entry.params(), &chosen));
                    }
                    Kind::Beside(beside) => {
                        (beside.family.entries)().iter().for_each(|entry| walk(entry.params(), chosen));
                    }
                    _ => {}
                }
            }
        }
        walk(EXPERIMENT, &[]);
    }

    #[test]
    fn paths_quote_what_is_not_bare() {
        assert_eq!(join("phases[1]", "lr"), "phases[1].lr");
        assert_eq!(join("", "a b"), "\"a b\"");
    }
}
