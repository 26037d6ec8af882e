//! The experiment as a flat list of settings, for records: what `--set` would call each, and its value.

use super::spec::Spec;
use super::write;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What the spec hash leaves out too, and what only repeats what every phase says.
const LEFT_OUT: [&str; 4] = ["name", "seed", "data.root", "data.augment"];

impl Spec {
    /// Every setting by its path: `phases[0].lr.from` → `0.1`. A choice is its name, with its own settings below it
    /// (`phases[0].optimizer` → `sgd`, `phases[0].optimizer.nesterov` → `true`); lists are one value.
    pub fn settings(&self) -> BTreeMap<String, Value> {
        let written: toml::Table = write(self).parse().expect("what is written is TOML");
        let mut settings = BTreeMap::new();
        for (key, value) in &written {
            flatten(key, json(value), &mut settings);
        }
        let left_out =
            |path: &str| LEFT_OUT.contains(&path) || path.ends_with(".data.root") || path.starts_with("record.");
        settings.retain(|path, _| !left_out(path));
        settings
    }
}

fn flatten(path: &str, value: Value, settings: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match key.as_str() {
                    "kind" => flatten(path, value, settings),
                    _ => flatten(&format!("{path}.{key}"), value, settings),
                }
            }
        }
        // Arrays of tables, the empty ones having nothing to say.
        Value::Array(items) if path == "phases" || path == "params" => {
            for (index, item) in items.into_iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, settings);
            }
        }
        plain => {
            settings.insert(path.to_owned(), plain);
        }
    }
}

fn json(value: &toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.clone().into(),
        toml::Value::Integer(int) => (*int).into(),
        toml::Value::Float(number) => (*number).into(),
        toml::Value::Boolean(b) => (*b).into(),
        toml::Value::Datetime(date) => date.to_string().into(),
        toml::Value::Array(items) => items.iter().map(json).collect(),
        toml::Value::Table(table) => {
            Value::Object(table.iter().map(|(key, value)| (key.clone(), json(value))).collect::<Map<_, _>>())
        }
    }
}
