//! JSON Schema (draft 2020-12) of the files that people write, made of the declarations that check them.
//!
//! It knows the form of a file: keys, types, ranges, words, what must be given. What settings mean together, and whether
//! they fit the data, only the program itself can tell. All that it refuses, the program refuses too.

mod family;
mod kind;

use super::beside;
use super::extends;
use super::schema::{EACH, EXPERIMENT, FAMILIES, FIRST_PHASE, PHASE_LENGTH, RECIPE, RULE_RATE, RULE_SUBJECT, SWEEP};
use super::sweep;
use crate::registry::{Default, Kind, Param};
use kind::{described, required, value};
use serde_json::{Map, Value, json};

/// The key of what is trained.
const TASK: &str = "task";
/// What the first phase need not give where the task knows it.
const BY_TASK: &str = "batch";

/// The schema of experiment files.
///
/// A file with `extends` may leave anything out that its base gives; the others must be whole. Data, and how many images make a
/// batch, a task may know by itself.
pub fn experiment() -> Value {
    let properties: Map<_, _> = EXPERIMENT.iter().map(|param| (param.key.to_owned(), part(param))).collect();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "runner experiment",
        "description": "An experiment of runner: data, network, and the phases of its training.",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "if": { "required": [extends::KEY] },
        "else": whole(EXPERIMENT),
        "allOf": [{
            "if": { "anyOf": [{ "required": [extends::KEY] }, { "required": [TASK] }] },
            "else": { "required": ["data"], "properties": { "phases": first_phase(&[BY_TASK]) } },
        }],
        "$defs": definitions(),
    })
}

/// The schema of sweep files.
///
/// Of an axis it knows the forms; whether its values fit the settings they are for shows when the points are checked.
pub fn sweep() -> Value {
    let mut properties: Map<_, _> = SWEEP.iter().map(|param| (param.key.to_owned(), part(param))).collect();
    let values = json!({ "type": "array", "minItems": 1 });
    let range = json!({ "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 });
    let form = |key: &str| match key {
        "uniform" | "log_uniform" | "int" => range.clone(),
        "paths" => json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 }),
        "rows" => json!({ "type": "array", "items": { "type": "array" }, "minItems": 1 }),
        "alternatives" => json!({ "type": "array", "minItems": 1, "items": { "anyOf": [
            { "type": "string", "description": "an experiment file" },
            { "type": "object", "required": ["name"] },
        ] } }),
        _ => values.clone(),
    };
    let forms = sweep::FORMS.into_iter().map(|(key, _, doc)| {
        let mut schema = form(key);
        schema["description"] = json!(doc);
        (key.to_owned(), schema)
    });
    let forms: Map<_, _> = forms.collect();
    let axis = json!({
        "anyOf": [values, { "type": "object", "properties": forms, "additionalProperties": false }],
    });
    properties.insert(
        sweep::AXES.to_owned(),
        json!({
            "type": "object",
            "additionalProperties": axis,
            "description": "what is tried: the path of a setting, or a name, and its values",
        }),
    );
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "runner sweep",
        "description": "A sweep of runner: one base experiment, and what is tried on it.",
        "type": "object",
        "properties": properties,
        "required": required(SWEEP),
        "additionalProperties": false,
    })
}

/// A setting of a file that may extend another: of a section, and of a choice in it, some may be left out. Arrays are
/// whole, for they replace what was there.
fn part(param: &Param) -> Value {
    let schema = match param.kind {
        Kind::Table(params) => {
            let properties: Map<_, _> = params.iter().map(|param| (param.key.to_owned(), part(param))).collect();
            json!({ "type": "object", "properties": properties, "additionalProperties": false })
        }
        Kind::Choice(family) => {
            json!({ "anyOf": [{ "$ref": family::reference(family) }, { "$ref": family::reference_to_part(family) }] })
        }
        Kind::Tables(params) => {
            let mut array = json!({ "type": "array", "items": items(param.key, params) });
            if param.key == "phases" {
                array["minItems"] = json!(1);
                let always: Vec<&str> = FIRST_PHASE.into_iter().filter(|key| *key != BY_TASK).collect();
                array["allOf"] = json!([first_phase(&always)]);
            }
            // Of a phase that a recipe makes, its settings too.
            let is_open = beside::naming(params).is_some();
            let properties: Map<_, _> = params.iter().map(|param| (param.key.to_owned(), part(param))).collect();
            let one = json!({ "type": "object", "properties": properties, "additionalProperties": is_open });
            let some = json!({
                "type": "object",
                "description": "what is other in some of those of the file that this one extends: by number, or `*` for all",
                "patternProperties": { r"^(\*|0|[1-9][0-9]*)$": one },
                "additionalProperties": false,
            });
            json!({ "if": { "type": "object" }, "then": some, "else": array })
        }
        ref kind => value(kind),
    };
    described(schema, param)
}

/// Phases of which the first gives these settings, or those that speak of each phase of a recipe.
fn first_phase(keys: &[&str]) -> Value {
    let given = |key: &&str| {
        let plural = EACH.iter().filter(|(_, one)| one == key).map(|(plural, _)| *plural);
        let recipe = RECIPE.replaces.contains(key).then_some("recipe");
        let keys: Vec<Value> = plural.chain(recipe).chain([*key]).map(|key| json!({ "required": [key] })).collect();
        json!({ "anyOf": keys })
    };
    json!({ "prefixItems": [{ "allOf": keys.iter().map(given).collect::<Vec<_>>() }] })
}

/// A table in an array of tables; of those that may name an entry and have its settings beside it, each sort for itself.
fn items(section: &str, params: &[Param]) -> Value {
    let naming = beside::naming(params);
    let plain: Vec<Param> =
        params.iter().filter(|param| naming.is_none_or(|(key, _)| param.key != key)).copied().collect();
    let mut plain = kind::table(&plain);
    if let Value::Object(plain) = &mut plain {
        plain.extend(together(section));
    }
    let Some((key, naming)) = naming else { return plain };
    let entries = (naming.family.entries)();
    let named = entries.iter().map(|entry| family::table_beside(params, key, naming, *entry)).collect::<Vec<_>>();
    json!({ "if": { "required": [key] }, "then": { "anyOf": named }, "else": plain })
}

/// What the keys of a table in an array of tables owe each other.
fn together(section: &str) -> Map<String, Value> {
    let each = |keys: &[&str]| keys.iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>();
    let rules = match section {
        "phases" => vec![("oneOf", each(&PHASE_LENGTH))],
        "params" => {
            vec![("allOf", vec![json!({ "anyOf": each(&RULE_SUBJECT) }), json!({ "not": { "required": RULE_RATE } })])]
        }
        _ => Vec::new(),
    };
    rules.into_iter().map(|(keyword, schemas)| (keyword.to_owned(), Value::Array(schemas))).collect()
}

/// What a file that extends no other must give besides: all that has no default, choices whole.
fn whole(params: &[Param]) -> Value {
    let strict = |param: &Param| match param.kind {
        Kind::Table(inner) => Some(whole(inner)),
        Kind::Choice(family) => Some(json!({ "$ref": family::reference(family) })),
        Kind::Tables(_) => Some(json!({ "type": "array" })),
        _ => None,
    };
    let properties: Map<_, _> =
        params.iter().filter_map(|param| Some((param.key.to_owned(), strict(param)?))).collect();
    json!({ "required": required(params), "properties": properties })
}

fn definitions() -> Map<String, Value> {
    FAMILIES.iter().flat_map(|family| family::definitions(family)).collect()
}

/// A default as JSON; declared ones are TOML, and none of them is a date.
fn default(param: &Param) -> Option<Value> {
    let Default::Toml(toml) = param.default else { return None };
    fn json(node: &super::wire::Node) -> Value {
        use super::wire::Wire;
        match &node.value {
            Wire::Bool(b) => json!(b),
            Wire::Int(int) => json!(int),
            Wire::Float(number) => json!(number),
            Wire::Text(text) => json!(text),
            Wire::Array(items) => items.iter().map(json).collect(),
            Wire::Table(table) => {
                Value::Object(table.fields.iter().map(|field| (field.key.clone(), json(&field.node))).collect())
            }
            Wire::Datetime | Wire::Invalid => Value::Null,
        }
    }
    Some(json(&super::wire::parse_default(toml)))
}
