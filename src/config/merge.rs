//! An experiment over the one it extends.

use super::forms::{field_kind, long_form};
use super::schema::EXPERIMENT;
use super::wire::{Node, Table, Wire};
use crate::registry::Kind;

/// The tree of `base` with that of `over` laid on top. Every value keeps the place it was written at.
///
/// Tables are merged key by key, arrays and plain values replaced. A setting's short form counts as the table it is short
/// for, so `"resnet9"` over `{ kind = "resnet9", width = 32 }` keeps the width; a choice of another kind, and a number over
/// a ramp, replace what was there as a whole.
pub fn merge(base: Table, over: Table) -> Table {
    tables(base, over, Some(Kind::Table(EXPERIMENT)))
}

fn tables(mut base: Table, over: Table, kind: Option<Kind>) -> Table {
    // A choice's settings are declared by its kind, which the upper table may leave to the lower.
    let named = if over.get("kind").is_some() { over.clone() } else { base.clone() };
    for mut field in over.fields {
        let inner = kind.and_then(|kind| field_kind(kind, &named, &field.key));
        match base.get_mut(&field.key) {
            Some(below) => {
                let lower = std::mem::replace(&mut below.node, field.node.clone());
                field.node = nodes(lower, field.node, inner);
                *below = field;
            }
            None => base.fields.push(field),
        }
    }
    base
}

fn nodes(base: Node, over: Node, kind: Option<Kind>) -> Node {
    if matches!(kind, Some(Kind::Ramp(_))) && !matches!(over.value, Wire::Table(_)) {
        return over;
    }
    let long = |node: &Node| long_form(node, kind).or_else(|| node.table().cloned());
    match (long(&base), long(&over)) {
        (Some(lower), Some(upper)) if !replaces(&lower, &upper, kind) => {
            Node { value: Wire::Table(tables(lower, upper, kind)), origin: over.origin }
        }
        _ => over,
    }
}

/// Whether a choice is another than the one below. One that does not say its kind speaks of that one, unless it is a
/// short form gone wrong, which is to be reported as it was written.
fn replaces(lower: &Table, upper: &Table, kind: Option<Kind>) -> bool {
    let Some(Kind::Choice(family)) = kind else { return false };
    match upper.get("kind") {
        Some(_) => upper.text("kind").is_none() || upper.text("kind") != lower.text("kind"),
        None => upper.fields.iter().any(|field| family.get(&field.key).is_some()),
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
        same(base, "model.backbone = 'resnet9'", base);
        same(base, "model.backbone = { resnet9 = 16 }", "[model]\nbackbone = { kind = 'resnet9', width = 16 }");
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
        // Wrong short forms are left as they are written, to be reported.
        same(base, "model.backbone = { resnet9 = 8, depth = 2 }", "model.backbone = { resnet9 = 8, depth = 2 }");
        same(base, "model.backbone = 3", "model.backbone = 3");
    }

    #[test]
    fn a_number_replaces_a_ramp_and_a_table_refines_it() {
        let ramp = Some(Kind::Ramp(crate::registry::Interval::unbounded()));
        let of = |content: &str| parse(&format!("x = {content}"), 0, &mut Vec::new()).unwrap().fields.remove(0).node;
        let shown = |base, over| {
            let node = nodes(of(base), of(over), ramp);
            bare(&Table::single("x", node.clone(), node.origin))
        };
        let plain = |content| bare(&Table::single("x", of(content), of(content).origin));
        let below = "{ from = 1.0, to = 2.0, curve = 'cosine' }";
        assert_eq!(shown(below, "0.5"), plain("0.5"));
        assert_eq!(shown(below, "{ to = 3.0 }"), plain("{ from = 1.0, to = 3.0, curve = 'cosine' }"));
        assert_eq!(shown("0.5", "{ to = 3.0 }"), plain("{ from = 0.5, to = 3.0 }"));
        assert_eq!(
            shown("{ from = 1.0, curve = { poly = 2.0 } }", "{ curve = 'linear' }"),
            plain("{ from = 1.0, curve = 'linear' }")
        );
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
