//! An experiment over the one it extends.

use super::diagnostics::Diagnostic;
use super::forms::{field_kind, in_the_place_of, indices, item_kind, long_form};
use super::schema::EXPERIMENT;
use super::source::Origin;
use super::wire::{Field, Node, Table, Wire};
use crate::registry::Kind;
use std::collections::BTreeMap;

/// The tree of `base` with that of `over` laid on top. Every value keeps the place it was written at.
///
/// Tables are merged key by key; arrays, plain values and choices of another kind are replaced as a whole. A short form
/// says the whole of a choice, as it does in an override: `"resnet9"` over `{ kind = "resnet9", width = 32 }` has the
/// default width. Below, it counts as the table it is short for: `{ width = 32 }` over `"resnet9"` sets the width.
///
/// A table over an array of tables speaks of some of these: `[phases.1]` of the second, `[phases."*"]` of all; by the number behind
/// the last one it adds one. What is wrong with that is added to `errors`.
pub fn merge(base: Table, over: Table, errors: &mut Vec<Diagnostic>) -> Table {
    tables(base, over, Some(Kind::Table(EXPERIMENT)), errors)
}

fn tables(mut base: Table, over: Table, kind: Option<Kind>, errors: &mut Vec<Diagnostic>) -> Table {
    // A choice's settings are declared by its kind, which the upper table may leave to the lower.
    let name = over.text("kind").or_else(|| base.text("kind")).map(str::to_owned);
    let places: BTreeMap<String, usize> =
        base.fields.iter().enumerate().map(|(place, field)| (field.key.clone(), place)).collect();
    for field in over.fields {
        let Some(place) = places.get(&field.key) else {
            let kind = kind.and_then(|kind| field_kind(kind, name.as_deref(), &field.key));
            let none = Node { value: Wire::Array(Vec::new()), origin: field.node.origin.clone() };
            let node = match (&field.node.value, kind) {
                // By number, of an array that is not there.
                (Wire::Table(_), Some(Kind::Tables(_))) => nodes(none, field.node, kind, errors),
                _ => field.node,
            };
            base.fields.push(Field { node, ..field });
            continue;
        };
        let inner = kind.and_then(|kind| field_kind(kind, name.as_deref(), &field.key));
        let below = &mut base.fields[*place];
        let lower = std::mem::replace(&mut below.node.value, Wire::Invalid);
        let lower = Node { value: lower, origin: below.node.origin.clone() };
        *below = Field { node: nodes(lower, field.node, inner, errors), ..field };
    }
    base
}

fn nodes(base: Node, over: Node, kind: Option<Kind>, errors: &mut Vec<Diagnostic>) -> Node {
    let Wire::Table(upper) = over.value else { return over };
    if let (Wire::Array(_), Some(Kind::Tables(_))) = (&base.value, kind) {
        return some_items(base, upper, kind.and_then(item_kind), errors);
    }
    let lower = match (long_form(&base, kind), base.value) {
        (Some(long), _) | (None, Wire::Table(long)) => long,
        _ => return Node { value: Wire::Table(upper), origin: over.origin },
    };
    let value = if replaces(&lower, &upper, kind) { upper } else { tables(lower, upper, kind, errors) };
    Node { value: Wire::Table(value), origin: over.origin }
}

/// Tables of an array with what is said of some of them by number, or of all.
fn some_items(mut base: Node, upper: Table, kind: Option<Kind>, errors: &mut Vec<Diagnostic>) -> Node {
    let Wire::Array(items) = &mut base.value else { return base };
    let (all, mut some): (Vec<Field>, Vec<Field>) = upper.fields.into_iter().partition(|field| field.key == ALL);
    // One that is added comes before the next, in whatever order they stand.
    some.sort_by_key(|field| field.key.parse::<usize>().unwrap_or(0));
    for Field { key, key_origin, node } in &some {
        // Made before anything is said of it: what is said of all is said of it too.
        if *key == items.len().to_string() && matches!(node.value, Wire::Table(_)) {
            items.push(Node { value: Wire::Table(Table::default()), origin: key_origin.clone() });
        }
    }
    // What is said of all gives way to what is said of one.
    for Field { key, key_origin, node } in all.into_iter().chain(some) {
        let Wire::Table(over) = node.value else {
            let message = format!("`{key}` cannot be {}", node.value.type_name());
            errors.push(Diagnostic::new(node.origin, message).expected("a table: what is other in that one"));
            continue;
        };
        let places = match key.parse::<usize>() {
            _ if key == ALL => 0..items.len(),
            Ok(place) if place < items.len() && key == place.to_string() => place..place + 1,
            _ => {
                let there = format!("{}, {} for one more, or `{ALL}` for all", indices(items.len()), items.len());
                errors.push(Diagnostic::new(key_origin, format!("there is no item `{key}` below")).expected(there));
                continue;
            }
        };
        for item in &mut items[places] {
            let lower = Node { value: std::mem::replace(&mut item.value, Wire::Invalid), origin: item.origin.clone() };
            *item = one_item(lower, over.clone(), &key_origin, kind, errors);
        }
    }
    base
}

/// An item with what is said of it.
fn one_item(mut lower: Node, over: Table, origin: &Origin, kind: Option<Kind>, errors: &mut Vec<Diagnostic>) -> Node {
    if let Wire::Table(table) = &mut lower.value {
        // A phase is so long or so long.
        let replaced = |key: &str| over.fields.iter().any(|field| in_the_place_of(&field.key) == Some(key));
        table.fields.retain(|field| !replaced(&field.key));
    }
    let place = lower.origin.clone();
    let over = Node { value: Wire::Table(over), origin: origin.clone() };
    Node { origin: place, ..nodes(lower, over, kind, errors) }
}

/// All tables of an array.
const ALL: &str = "*";

/// Whether a choice is another than the one below: it says another kind, or is a short form, right or wrong. A table that
/// does not say its kind speaks of the one below.
fn replaces(lower: &Table, upper: &Table, kind: Option<Kind>) -> bool {
    let Some(Kind::Choice(family)) = kind else { return false };
    let is_short = |table: &Table| table.fields.iter().any(|field| family.get(&field.key).is_some());
    match (upper.get("kind"), lower.get("kind")) {
        (Some(_), Some(_)) => upper.text("kind").is_none() || upper.text("kind") != lower.text("kind"),
        (Some(_), None) => is_short(lower),
        (None, _) => is_short(upper),
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::{bare, parse};
    use super::*;

    fn merged(base: &str, over: &str) -> String {
        let tree = |content, text| parse(content, text, &mut Vec::new()).unwrap();
        bare(&merge(tree(base, 1), tree(over, 0), &mut Vec::new()))
    }

    fn same(base: &str, over: &str, expected: &str) {
        let expected = bare(&parse(expected, 0, &mut Vec::new()).unwrap());
        assert_eq!(merged(base, over), expected, "{over} over {base}");
    }

    #[test]
    fn tables_are_merged_and_arrays_replaced() {
        same("seed = 1\n[train]\na = 1\nb = 2", "[train]\nb = 3\nc = 4", "seed = 1\n[train]\na = 1\nb = 3\nc = 4");
        same("[data]\naugment = ['flip', 'x']", "[data]\naugment = []", "[data]\naugment = []");
        same("[[phases]]\nlr = 1\nsize = 8", "[[phases]]\nlr = 2", "[[phases]]\nlr = 2");
        same("data = 3", "[data]\nroot = 'x'", "[data]\nroot = 'x'");
    }

    #[test]
    fn a_choice_is_merged_with_its_own_kind_and_replaces_another() {
        let base = "[model]\nbackbone = { kind = 'resnet9', width = 32 }";
        same(base, "model.backbone = 'shallow'", "[model]\nbackbone = 'shallow'");
        same(base, "model.backbone = { kind = 'resnet9' }", base);
        // A short form is the whole of it.
        same(base, "model.backbone = 'resnet9'", "model.backbone = 'resnet9'");
        same(base, "model.backbone = { resnet9 = 16 }", "model.backbone = { resnet9 = 16 }");
        same(base, "model.backbone = { width = 16 }", "[model]\nbackbone = { kind = 'resnet9', width = 16 }");
        same(
            base,
            "model.backbone = { kind = 'shallow', width = 16 }",
            "[model]\nbackbone = { kind = 'shallow', width = 16 }",
        );
        same(
            "model.backbone = 'resnet9'",
            "model.backbone = { width = 16 }",
            "[model]\nbackbone = { kind = 'resnet9', width = 16 }",
        );
        same("model.backbone = { resnet9 = 8 }", "model.backbone = 'shallow'", "model.backbone = 'shallow'");
        // A file between may leave the kind to the one above.
        same(
            "model.backbone = { width = 16 }",
            "model.backbone = { kind = 'resnet9' }",
            "[model]\nbackbone = { width = 16, kind = 'resnet9' }",
        );
        // Wrong short forms are left as they are written, to be reported.
        same(base, "model.backbone = { resnet9 = 8, depth = 2 }", "model.backbone = { resnet9 = 8, depth = 2 }");
        same(base, "model.backbone = 3", "model.backbone = 3");
    }

    #[test]
    fn tables_by_number_are_laid_over_those_of_an_array() {
        let base =
            "[[phases]]\nepochs = 2\nlr = 1\n[[phases]]\nsteps = 3\nlr = { from = 0.1, to = 0.2 }\noptimizer = 'sgd'";
        same(
            base,
            "phases.1.lr.to = 0.4\nphases.1.optimizer.nesterov = true\nphases.'*'.batch = 8\nphases.0.batch = 9",
            "[[phases]]\nepochs = 2\nlr = 1\nbatch = 9\n[[phases]]\nsteps = 3\nlr = { from = 0.1, to = 0.4 }\n\
             optimizer = { kind = 'sgd', nesterov = true }\nbatch = 8",
        );
        // A short form is spelt out, and one length takes the place of the other.
        same(
            base,
            "[phases.0]\nsteps = 7\nlr = { to = 2 }",
            "[[phases]]\nlr = { from = 1, to = 2 }\nsteps = 7\n\
             [[phases]]\nsteps = 3\nlr = { from = 0.1, to = 0.2 }\noptimizer = 'sgd'",
        );
        same(base, "[params.0]\nlr = 4", &format!("{base}\n[[params]]\nlr = 4"));
        // The number behind the last is one more.
        same(
            base,
            "[phases.3]\nlr = 4\n[phases.2]\nlr = 3\n[phases.'*']\nsize = 8",
            "[[phases]]\nepochs = 2\nlr = 1\nsize = 8\n[[phases]]\nsteps = 3\nlr = { from = 0.1, to = 0.2 }\n\
             optimizer = 'sgd'\nsize = 8\n[[phases]]\nsize = 8\nlr = 3\n[[phases]]\nsize = 8\nlr = 4",
        );
        let tree = |content, text| parse(content, text, &mut Vec::new()).unwrap();
        for (over, said) in [
            ("[phases.3]\nlr = 1", "there is no item `3` below"),
            ("[phases]\nlr = 1", "`lr` cannot be an integer"),
            ("[phases.lr]\nto = 1", "there is no item `lr` below"),
            ("[phases.01]\nlr = 1", "there is no item `01` below"),
            ("[params.1]\nlr = 1", "there is no item `1` below"),
        ] {
            let mut errors = Vec::new();
            merge(tree(base, 1), tree(over, 0), &mut errors);
            assert_eq!(errors.iter().map(|error| &error.message[..]).collect::<Vec<_>>(), [said]);
        }
    }

    #[test]
    fn every_value_keeps_its_place() {
        let tree = |content, text| parse(content, text, &mut Vec::new()).unwrap();
        let merged = merge(tree("[train]\na = 1\nb = 2", 1), tree("[train]\nb = 3", 0), &mut Vec::new());
        let train = merged.get("train").unwrap();
        let text = |origin: &super::super::source::Origin| match origin {
            super::super::source::Origin::Text { text, .. } => *text,
            super::super::source::Origin::Default => panic!("written"),
        };
        assert_eq!(text(&train.node.origin), 0);
        let fields = &train.node.table().unwrap().fields;
        assert_eq!(fields.iter().map(|field| text(&field.node.origin)).collect::<Vec<_>>(), [1, 0]);
    }
}
