//! An experiment over the one it extends.

use super::forms::{field_kind, long_form};
use super::schema::EXPERIMENT;
use super::wire::{Field, Node, Table, Wire};
use crate::registry::Kind;
use std::collections::BTreeMap;

/// The tree of `base` with that of `over` laid on top. Every value keeps the place it was written at.
///
/// Tables are merged key by key; arrays, plain values and choices of another kind are replaced as a whole. A short form
/// says the whole of a choice, as it does in an override: `"resnet9"` over `{ kind = "resnet9", width = 32 }` has the
/// default width. Below, it counts as the table it is short for: `{ width = 32 }` over `"resnet9"` sets the width.
pub fn merge(base: Table, over: Table) -> Table {
    tables(base, over, Some(Kind::Table(EXPERIMENT)))
}

fn tables(mut base: Table, over: Table, kind: Option<Kind>) -> Table {
    // A choice's settings are declared by its kind, which the upper table may leave to the lower.
    let name = over.text("kind").or_else(|| base.text("kind")).map(str::to_owned);
    let places: BTreeMap<String, usize> =
        base.fields.iter().enumerate().map(|(place, field)| (field.key.clone(), place)).collect();
    for field in over.fields {
        let Some(place) = places.get(&field.key) else {
            base.fields.push(field);
            continue;
        };
        let inner = kind.and_then(|kind| field_kind(kind, name.as_deref(), &field.key));
        let below = &mut base.fields[*place];
        let lower = std::mem::replace(&mut below.node.value, Wire::Invalid);
        let lower = Node { value: lower, origin: below.node.origin.clone() };
        *below = Field { node: nodes(lower, field.node, inner), ..field };
    }
    base
}

fn nodes(base: Node, over: Node, kind: Option<Kind>) -> Node {
    let Wire::Table(upper) = over.value else { return over };
    let lower = match (long_form(&base, kind), base.value) {
        (Some(long), _) | (None, Wire::Table(long)) => long,
        _ => return Node { value: Wire::Table(upper), origin: over.origin },
    };
    let value = if replaces(&lower, &upper, kind) { upper } else { tables(lower, upper, kind) };
    Node { value: Wire::Table(value), origin: over.origin }
}

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
        bare(&merge(tree(base, 1), tree(over, 0)))
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
    fn every_value_keeps_its_place() {
        let tree = |content, text| parse(content, text, &mut Vec::new()).unwrap();
        let merged = merge(tree("[train]\na = 1\nb = 2", 1), tree("[train]\nb = 3", 0));
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
