//! What a setting may hold, as JSON Schema.

use super::super::check::NAME_LENGTH;
use super::super::schema::ramp;
use super::{default, family};
use crate::registry::{Default, DurationUnit, Interval, Kind, Param};
use serde_json::{Map, Value, json};

/// The schema of a value.
pub fn value(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Int { min, max: i64::MAX } => json!({ "type": "integer", "minimum": min }),
        Kind::Int { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Kind::Float(interval) => number(interval),
        Kind::Numbers(interval) => {
            json!({ "anyOf": [number(interval), { "type": "array", "items": number(interval) }] })
        }
        Kind::Text => json!({ "type": "string" }),
        Kind::Name => json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+$", "maxLength": NAME_LENGTH }),
        Kind::Path => json!({ "type": "string", "minLength": 1 }),
        Kind::Word(words) => json!({ "enum": words }),
        Kind::Duration { unit } => duration(*unit),
        Kind::Share(interval) => {
            let share = json!({
                "type": "string",
                "pattern": format!("^{SHARE}$"),
                "not": { "pattern": r"^0(\.0+)?%$" },
                "examples": ["25%"],
            });
            json!({ "anyOf": [number(interval), share] })
        }
        Kind::Time => json!({
            "type": "string",
            "pattern": r"^(0|[1-9][0-9]{0,8})(\.[0-9]+)?(s|min|h)$",
            "examples": ["90s", "10min", "1.5h"],
        }),
        Kind::Ramp(interval) => json!({ "anyOf": [number(interval), table(&ramp(*interval))] }),
        Kind::Choice(family) => json!({ "$ref": family::reference(family) }),
        Kind::List(of) => json!({ "type": "array", "items": value(of) }),
        Kind::Table(params) => table(params),
        Kind::Tables(params) => json!({ "type": "array", "items": table(params) }),
        Kind::Map(of) => json!({ "type": "object", "additionalProperties": value(of) }),
        Kind::Beside(beside) => {
            json!({ "enum": (beside.family.entries)().iter().map(|entry| entry.name()).collect::<Vec<_>>() })
        }
    }
}

/// A table with settings of its own, whole.
pub fn table(params: &[Param]) -> Value {
    let mut schema = json!({ "type": "object", "properties": properties(params), "additionalProperties": false });
    let required = required(params);
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// The schemas of settings by their keys.
pub fn properties(params: &[Param]) -> Map<String, Value> {
    params.iter().map(|param| (param.key.to_owned(), described(value(&param.kind), param))).collect()
}

/// The keys that must be given.
pub fn required(params: &[Param]) -> Vec<&'static str> {
    params.iter().filter(|param| param.default == Default::Required).map(|param| param.key).collect()
}

/// The schema of a setting with what editors show of it: its doc and default.
pub fn described(schema: Value, param: &Param) -> Value {
    let mut described = Map::new();
    let doc = match param.default {
        Default::Toml(toml) if toml != "{}" && toml != "[]" => format!("{}\n\nDefault: `{toml}`", param.doc),
        _ => param.doc.to_owned(),
    };
    described.insert("description".to_owned(), json!(doc));
    if let Value::Object(schema) = schema {
        described.extend(schema);
    }
    if let Some(default) = default(param) {
        described.insert("default".to_owned(), default);
    }
    Value::Object(described)
}

fn number(interval: &Interval) -> Value {
    let mut schema = json!({ "type": "number" });
    if interval.min.is_finite() {
        schema[if interval.min_open { "exclusiveMinimum" } else { "minimum" }] = json!(interval.min);
    }
    if interval.max.is_finite() {
        schema[if interval.max_open { "exclusiveMaximum" } else { "maximum" }] = json!(interval.max);
    }
    schema
}

/// Per cents up to 100.
const SHARE: &str = r"(100(\.0+)?|(0|[1-9][0-9]?)(\.[0-9]+)?)%";

/// Texts exactly as [`Duration`](crate::registry::Duration) reads them.
fn duration(unit: Option<DurationUnit>) -> Value {
    let whole = "(0|[1-9][0-9]{0,14})";
    let epochs = format!(r"{whole}(\.[0-9]+)?ep");
    let steps = format!("{whole}step");
    let text = json!({
        "type": "string",
        "pattern": format!("^({epochs}|{steps}|{SHARE})$"),
        "examples": ["3ep", "500step", "20%"],
    });
    let plain = match unit {
        None => return text,
        Some(DurationUnit::Epochs) => json!({ "type": "number", "minimum": 0 }),
        Some(DurationUnit::Steps) => json!({ "type": "integer", "minimum": 0 }),
        Some(DurationUnit::Percent) => json!({ "type": "number", "minimum": 0, "maximum": 100 }),
    };
    json!({ "anyOf": [text, plain] })
}
