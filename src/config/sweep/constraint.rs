//! What must hold between the settings of a point: `phases[0].lr.from < phases[0].lr.to`.

use super::Axis;
use crate::config::diagnostics::Diagnostic;
use crate::config::suggest::nearest;
use crate::config::wire::{Table, Wire};
use serde_json::Value;
use std::collections::BTreeMap;

/// The settings of an experiment, by path.
pub(super) type SettingsByPath = BTreeMap<String, Value>;

/// A claim about two numbers of each point; points for which it does not hold are not tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// As the sweep file has it.
    pub text: String,
    left: Operand,
    relation: Relation,
    right: Operand,
}

#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Number(f64),
    /// An axis, or a setting's path.
    Name(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Below,
    AtMost,
    Above,
    AtLeast,
    Equal,
}

/// Longer signs first: `<=` holds `<`.
const RELATIONS: [(&str, Relation); 5] = [
    (" <= ", Relation::AtMost),
    (" >= ", Relation::AtLeast),
    (" == ", Relation::Equal),
    (" < ", Relation::Below),
    (" > ", Relation::Above),
];

impl Constraint {
    /// `None` for a text that is none.
    fn parse(text: &str) -> Option<Self> {
        let (left, relation, right) = RELATIONS.iter().find_map(|(sign, relation)| {
            let (left, right) = text.split_once(sign)?;
            Some((left.trim(), *relation, right.trim()))
        })?;
        let stray = |side: &str| side.is_empty() || side.contains(['<', '>', '=']);
        let operand = |side: &str| side.parse().map_or_else(|_| Operand::Name(side.to_owned()), Operand::Number);
        (!stray(left) && !stray(right)).then(|| Self {
            text: text.to_owned(),
            left: operand(left),
            relation,
            right: operand(right),
        })
    }

    /// Whether it holds at a point; not, where one of its settings is not there or no number.
    pub(super) fn holds(&self, axes: &[Axis], point: &[String], settings: &SettingsByPath) -> bool {
        let number = |operand: &Operand| match operand {
            Operand::Number(x) => Some(*x),
            Operand::Name(name) => match axes.iter().position(|axis| axis.name == *name) {
                Some(k) if setting(settings, name).is_none() => point[k].parse().ok(),
                _ => setting(settings, name)?.as_f64(),
            },
        };
        let (Some(a), Some(b)) = (number(&self.left), number(&self.right)) else { return false };
        match self.relation {
            Relation::Below => a < b,
            Relation::AtMost => a <= b,
            Relation::Above => a > b,
            Relation::AtLeast => a >= b,
            Relation::Equal => a == b,
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        [&self.left, &self.right].into_iter().filter_map(|operand| match operand {
            Operand::Name(name) => Some(name.as_str()),
            Operand::Number(_) => None,
        })
    }
}

/// A setting by its path. What is constant over a phase is written without `.from` and may be named with it, and the other way
/// round.
fn setting<'a>(settings: &'a SettingsByPath, name: &str) -> Option<&'a Value> {
    let other = || name.strip_suffix(".from").map_or_else(|| format!("{name}.from"), str::to_owned);
    settings.get(name).or_else(|| settings.get(&other()))
}

/// Reads `constraints`. Each name must be an axis or a setting of the base.
pub(super) fn read(
    tree: &Table,
    axes: &[Axis],
    base: &SettingsByPath,
    errors: &mut Vec<Diagnostic>,
) -> Vec<Constraint> {
    let Some(Wire::Array(items)) = tree.get("constraints").map(|field| &field.node.value) else { return Vec::new() };
    let mut constraints = Vec::new();
    for item in items {
        let Wire::Text(text) = &item.value else { continue };
        let Some(constraint) = Constraint::parse(text) else {
            let error = Diagnostic::new(item.origin.clone(), format!("`{text}` is no constraint"));
            errors.push(error.expected("`A < B` (or `<=`, `>`, `>=`, `==`), of axes, paths and numbers"));
            continue;
        };
        for name in constraint.names() {
            let is_number = setting(base, name).is_some_and(Value::is_number);
            if is_number || axes.iter().any(|axis| axis.name == name) {
                continue;
            }
            let what =
                if setting(base, name).is_some() { "is no number" } else { "is no axis and no setting of the base" };
            let known = axes.iter().map(|axis| axis.name.as_str()).chain(base.keys().map(String::as_str));
            let error = Diagnostic::new(item.origin.clone(), format!("`{name}` {what}"));
            errors.push(error.did_you_mean(nearest(name, known)));
        }
        constraints.push(constraint);
    }
    constraints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_and_judged() {
        let settings: SettingsByPath = [("a.b".to_owned(), 2.into()), ("c".to_owned(), "x".into())].into();
        let holds = |text: &str| Constraint::parse(text).unwrap().holds(&[], &[], &settings);
        for text in ["a.b < 3", "a.b <= 2", "2 == a.b", "3e0 > a.b", "a.b >= 2.0"] {
            assert!(holds(text), "{text}");
        }
        for text in ["a.b < 2", "a.b == 3", "c < 3", "absent < 3"] {
            assert!(!holds(text), "{text}");
        }
        for text in ["", "a", "a = b", "a < b < c", " < 2", "a <b"] {
            assert_eq!(Constraint::parse(text), None, "{text}");
        }
    }
}
