//! Choices: an entry of a family with its settings.

use super::super::aliases;
use super::super::beside;
use super::super::diagnostics::Diagnostic;
use super::super::schema::{FAMILIES, PHASE};
use super::super::source::Origin;
use super::super::suggest::{fold, nearest, one_of, with_article};
use super::super::wire::{Field, Node, Table, Wire};
use super::expected::entries;
use super::keys::has_setting;
use super::{Checker, Owner, join, last_key};
use crate::registry::{Choice, Default, Describe, Family, Kind};

impl Checker<'_> {
    /// A name, a table with `kind` and settings, or the shorthand `{ name = value }`.
    pub fn choice(&mut self, node: &Node, family: &'static Family, path: &str) -> Option<Choice> {
        match &node.value {
            Wire::Text(name) => {
                let entry = self.entry(name, &node.origin, family)?;
                self.settings(entry, &Table { fields: Vec::new() }, &node.origin, family, path)
            }
            Wire::Table(table) => match table.get("kind") {
                Some(field) => self.kind_table(field, table, node, family, path),
                None => self.shorthand(table, node, family, path),
            },
            _ => self.wrong(node, &Kind::Choice(family), path),
        }
    }

    fn kind_table(
        &mut self,
        kind: &Field,
        table: &Table,
        node: &Node,
        family: &'static Family,
        path: &str,
    ) -> Option<Choice> {
        let Wire::Text(name) = &kind.node.value else {
            return self.wrong(&kind.node, &Kind::Choice(family), &join(path, "kind"));
        };
        self.origins.insert(join(path, "kind"), kind.node.origin.clone());
        let entry = self.entry(name, &kind.node.origin, family)?;
        let fields = table.fields.iter().filter(|field| field.key != "kind").cloned().collect();
        self.settings(entry, &Table { fields }, &node.origin, family, path)
    }

    /// `{ translate = 2 }`: the entry's name as key of its one setting that matters.
    fn shorthand(&mut self, table: &Table, node: &Node, family: &'static Family, path: &str) -> Option<Choice> {
        let named = table.fields.iter().find_map(|field| family.get(&field.key).map(|entry| (field, entry)));
        let error = match (&table.fields[..], named) {
            ([_], Some((field, entry))) => match entry.shorthand() {
                Some(key) => {
                    let renamed = Field { key: key.to_owned(), ..field.clone() };
                    return self.settings(entry, &Table { fields: vec![renamed] }, &node.origin, family, path);
                }
                None => {
                    Diagnostic::new(field.key_origin.clone(), format!("{} `{}` takes no value", family.name, field.key))
                        .expected(usage(entry))
                }
            },
            (_, Some((field, entry))) => {
                let message = format!("the short form `{} = …` takes no other settings", field.key);
                Diagnostic::new(field.key_origin.clone(), message).expected(usage(entry))
            }
            // One key with a plain value can only have been meant as an entry's name.
            ([field], None) if !matches!(field.node.value, Wire::Table(_)) && !has_setting(family, &field.key) => {
                unknown_entry(&field.key, &field.key_origin, family)
            }
            _ => Diagnostic::new(node.origin.clone(), format!("`{}` does not say its `kind`", last_key(path)))
                .expected(format!("`kind = …`, {}", entries(family)))
                .help(format!("settings are given together with the name of the {}", family.name)),
        };
        self.errors.push(error);
        None
    }

    fn settings(
        &mut self,
        entry: &dyn Describe,
        table: &Table,
        origin: &Origin,
        family: &Family,
        path: &str,
    ) -> Option<Choice> {
        let before = self.errors.len();
        let title = format!("{} `{}`", family.name, entry.name());
        let settings = self.fields(table, entry.params(), path, &Owner { title: &title, origin });
        if self.errors.len() > before {
            return None;
        }
        Some(Choice { kind: entry.name().to_owned(), settings })
    }

    pub(super) fn entry(
        &mut self,
        name: &str,
        origin: &Origin,
        family: &'static Family,
    ) -> Option<&'static dyn Describe> {
        let entry = family.get(name);
        if entry.is_none() {
            self.errors.push(unknown_entry(name, origin, family));
        }
        entry
    }
}

fn unknown_entry(name: &str, origin: &Origin, family: &Family) -> Diagnostic {
    let names: Vec<&str> = (family.entries)().iter().map(|entry| entry.name()).collect();
    let error = Diagnostic::new(origin.clone(), format!("unknown {} `{name}`", family.name));
    let error = error.expected(one_of(names.iter().copied()));
    match (nearest(name, names), of_another_family(name), aliases::instead(&fold(name))) {
        (None, Some(help), _) => error.help(help),
        (None, None, Some(help)) => error.help(help),
        (near, ..) => error.did_you_mean(near),
    }
}

/// What is an entry of that name, where it is one of another family.
fn of_another_family(name: &str) -> Option<String> {
    FAMILIES.iter().find_map(|family| {
        let entry = (family.entries)().into_iter().find(|entry| fold(entry.name()) == fold(name))?;
        let example = beside::naming_family(PHASE, family).map(|key| format!(": `{key} = {:?}`", entry.name()));
        let example = example.or_else(|| listed(family, entry));
        Some(format!("`{}` is {}{}", entry.name(), with_article(family.name), example.unwrap_or_default()))
    })
}

/// How a phase lists an entry that needs no settings: `mix_images = ["mixup"]`.
fn listed(family: &Family, entry: &dyn Describe) -> Option<String> {
    let lists = |kind: &Kind| matches!(kind, Kind::List(Kind::Choice(of)) if of.name == family.name);
    let key = PHASE.iter().find(|param| lists(&param.kind))?.key;
    let plain = entry.params().iter().all(|param| param.default != Default::Required);
    plain.then(|| format!(": `{key} = [{:?}]`", entry.name()))
}

/// How an entry is written out: `{ kind = "translate", pixels = …, padding = … }`.
fn usage(entry: &dyn Describe) -> String {
    let name = entry.name();
    match entry.params() {
        [] => format!("`\"{name}\"`"),
        params => {
            let settings: String = params.iter().map(|param| format!(", {} = …", param.key)).collect();
            format!("`{{ kind = \"{name}\"{settings} }}`")
        }
    }
}
