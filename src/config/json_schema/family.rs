//! Families and their entries, as definitions that settings refer to.

use super::super::beside;
use super::super::schema::PHASE;
use super::kind::{described, properties, required, table, value};
use crate::registry::{Beside, Describe, Family, Param};
use serde_json::{Map, Value, json};

/// Where the definition of a family lies.
pub fn reference(family: &Family) -> String {
    format!("#/$defs/{}", key(family))
}

/// Where the definition of a choice lies that leaves some of itself to the file it extends.
pub fn reference_to_part(family: &Family) -> String {
    format!("#/$defs/{}.part", key(family))
}

/// The definitions of a family: itself, its part, and each of its entries; none of one whose entries stand in another table.
pub fn definitions(family: &Family) -> Vec<(String, Value)> {
    let entries = (family.entries)();
    if beside::naming_family(PHASE, family).is_some() {
        return Vec::new();
    }
    let references: Vec<Value> =
        entries.iter().map(|entry| json!({ "$ref": format!("{}.{}", reference(family), entry.name()) })).collect();
    let whole = json!({ "title": family.name, "description": family.doc, "anyOf": references });
    let mut definitions = vec![(key(family), whole), (format!("{}.part", key(family)), part(family, &entries))];
    definitions
        .extend(entries.iter().map(|entry| (format!("{}.{}", key(family), entry.name()), self::entry(family, *entry))));
    definitions
}

fn key(family: &Family) -> String {
    family.name.replace(' ', "-")
}

/// An entry in its three spellings: its name, a table with `kind`, and the short form where it has one.
fn entry(family: &Family, entry: &dyn Describe) -> Value {
    let (name, params) = (entry.name(), entry.params());
    let required = required(params);
    let mut spellings = Vec::new();
    if required.is_empty() {
        spellings.push(json!({ "const": name }));
    }
    let mut long = table(params);
    let mut keys = Map::new();
    keys.insert("kind".to_owned(), json!({ "const": name, "description": entry.summary() }));
    keys.extend(properties(params));
    long["properties"] = Value::Object(keys);
    long["required"] = json!([&["kind"], &required[..]].concat());
    spellings.push(long);
    let short = params.iter().find(|param| Some(param.key) == entry.shorthand());
    if let Some(param) = short.filter(|param| required.iter().all(|key| *key == param.key)) {
        spellings.push(json!({
            "type": "object",
            "properties": { name: described(value(&param.kind), param) },
            "required": [name],
            "additionalProperties": false,
        }));
    }
    json!({
        "title": format!("{} {name}", family.name),
        "description": format!("{}\n\nSource: {}", entry.summary(), entry.cite()),
        "anyOf": spellings,
    })
}

/// A table that names an entry under `key` and has its settings beside it.
pub fn table_beside(params: &[Param], key: &str, naming: &Beside, entry: &dyn Describe) -> Value {
    let mut schema = table(&beside::settings(params, naming, entry));
    schema["title"] = json!(format!("{} {}", naming.family.name, entry.name()));
    schema["description"] = json!(format!("{}\n\nSource: {}", entry.summary(), entry.cite()));
    schema["properties"][key] = json!({ "const": entry.name(), "description": entry.summary() });
    schema
}

/// A choice over that of another file, which gives what is left out here: a name, a table without `kind`, or one without
/// the settings that have no default.
fn part(family: &Family, entries: &[&dyn Describe]) -> Value {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name()).collect();
    let mut settings: Map<String, Value> = Map::new();
    settings.insert("kind".to_owned(), json!({ "enum": names }));
    for key in entries.iter().flat_map(|entry| entry.params()).map(|param| param.key) {
        let declared = entries.iter().flat_map(|entry| entry.params()).filter(|param| param.key == key);
        settings.insert(key.to_owned(), any_of(declared));
    }
    json!({
        "title": format!("{}, in part", family.name),
        "description": format!("{}; what is left out is as in the file that this one extends", family.doc),
        "anyOf": [
            { "enum": names },
            { "type": "object", "properties": settings, "additionalProperties": false },
        ],
    })
}

/// A setting that several entries declare, each in its own way.
fn any_of<'a>(params: impl Iterator<Item = &'a Param>) -> Value {
    let mut schemas: Vec<Value> = Vec::new();
    for param in params {
        let schema = value(&param.kind);
        if !schemas.contains(&schema) {
            schemas.push(schema);
        }
    }
    match &schemas[..] {
        [one] => one.clone(),
        _ => json!({ "anyOf": schemas }),
    }
}
