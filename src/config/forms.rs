//! Short and long ways to write one setting, told apart by what is declared at its place.

use super::beside;
use super::schema::RAMP;
use super::wire::{Field, Node, Table, Wire};
use crate::registry::{Family, Kind, Param};

/// The table that a setting's short form is short for: `0.1` → `{ from = 0.1 }`, `"sgd"` → `{ kind = "sgd" }`,
/// `{ poly = 0.9 }` → `{ kind = "poly", power = 0.9 }`. `None` for what is no short form.
pub fn long_form(node: &Node, kind: Option<Kind>) -> Option<Table> {
    match (kind?, &node.value) {
        (Kind::Ramp(_), Wire::Int(_) | Wire::Float(_)) => {
            Some(Table::single("from", node.clone(), node.origin.clone()))
        }
        (Kind::Choice(_), Wire::Text(_)) => Some(Table::single("kind", node.clone(), node.origin.clone())),
        (Kind::Choice(family), Wire::Table(table)) => long_shorthand(table, family),
        _ => None,
    }
}

fn long_shorthand(table: &Table, family: &Family) -> Option<Table> {
    let [field] = &table.fields[..] else { return None };
    let key = family.get(&field.key)?.shorthand()?;
    let name = Node { value: Wire::Text(field.key.clone()), origin: field.key_origin.clone() };
    let mut long = Table::single("kind", name, field.key_origin.clone());
    long.fields.push(Field { key: key.to_owned(), ..field.clone() });
    Some(long)
}

/// What is declared for the items of an array of this kind.
pub fn item_kind(kind: Kind) -> Option<Kind> {
    match kind {
        Kind::List(of) => Some(*of),
        Kind::Numbers(interval) => Some(Kind::Float(interval)),
        Kind::Tables(params) => Some(Kind::Table(params)),
        _ => None,
    }
}

/// The setting that says the same in another unit.
pub fn in_the_place_of(key: &str) -> Option<&'static str> {
    match key {
        "epochs" => Some("steps"),
        "steps" => Some("epochs"),
        _ => None,
    }
}

/// The indices of an array, in words.
pub fn indices(count: usize) -> String {
    match count {
        0 => "no index: the array is empty".to_owned(),
        1 => "index 0: there is one item".to_owned(),
        _ => format!("an index from 0 to {}", count - 1),
    }
}

/// The key by which a table of this kind says what else may stand in it.
pub fn naming_key(kind: Kind) -> &'static str {
    match kind {
        Kind::Table(params) => beside::naming(params).map_or("kind", |(key, _)| key),
        _ => "kind",
    }
}

/// The keys that a table of this kind may have, whatever names its entry.
pub fn keys(kind: Kind) -> Vec<&'static str> {
    let params: &'static [Param] = match kind {
        Kind::Table(params) => params,
        Kind::Ramp(_) => RAMP,
        _ => &[],
    };
    params.iter().map(|param| param.key).collect()
}

/// What is declared for `key` in a table of this kind; where that hangs on an entry, on that of `name`.
pub fn field_kind(kind: Kind, name: Option<&str>, key: &str) -> Option<Kind> {
    let beside;
    let params: &[Param] = match kind {
        Kind::Table(params) => match (beside::naming(params), name) {
            (Some((_, naming)), Some(name)) => {
                beside = beside::settings(params, naming, naming.family.get(name)?);
                &beside
            }
            _ => params,
        },
        Kind::Ramp(_) => RAMP,
        Kind::Map(of) => return Some(*of),
        Kind::Choice(family) => family.get(name?)?.params(),
        _ => return None,
    };
    params.iter().find(|param| param.key == key).map(|param| param.kind)
}
