//! What must hold between the settings of a point: `phases[0].lr.from * 2 < phases[0].lr.to`.

use super::Axis;
use super::expression::{Claim, NoNumber, Quantity, Wrong};
use crate::config::diagnostics::Diagnostic;
use crate::config::source::Origin;
use crate::config::suggest::nearest;
use crate::config::wire::{Table, Wire};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::Range;

/// The settings of an experiment, by path.
pub(super) type SettingsByPath = BTreeMap<String, Value>;

/// A claim about numbers of each point; points for which it does not hold are not tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Constraint {
    /// As the sweep file has it.
    pub text: String,
    claim: Claim,
    /// Where the sweep file has it.
    origin: Origin,
}

impl Constraint {
    /// Whether it holds at a point, of the sweep whose file has this content.
    ///
    /// # Errors
    /// Why that cannot be told, at its place.
    pub(super) fn holds(
        &self,
        (axes, content): (&[Axis], &str),
        point: &[String],
        settings: &SettingsByPath,
    ) -> Result<bool, Diagnostic> {
        let judged = self.claim.holds(|name| match axes.iter().position(|axis| axis.name == name) {
            Some(k) if setting(settings, name).is_none() => of_axis(name, &point[k]),
            _ => of_setting(name, settings),
        });
        judged.map_err(|Wrong { place, message, help, .. }| {
            let at = within(&self.origin, content, &self.text, &place);
            let mut error = Diagnostic::new(at, format!("`{}` cannot be judged: {message}", self.text));
            error.help.extend(help);
            error
        })
    }
}

/// The number that is an axis's value.
fn of_axis(name: &str, value: &str) -> Result<Quantity, NoNumber> {
    Quantity::read(value.trim_matches(['"', '\''])).ok_or_else(|| NoNumber {
        message: format!("axis `{name}` is {value} there, which is no number"),
        help: "name a setting that the axis changes, or take the constraint out".to_owned(),
    })
}

/// The number that a setting of a point is.
fn of_setting(name: &str, settings: &SettingsByPath) -> Result<Quantity, NoNumber> {
    let no_number = |message: String, help: String| Err(NoNumber { message, help });
    let help = "let every point have it as a number, or take the constraint out".to_owned();
    let Some(value) = setting(settings, name) else {
        // Each of these stands there under another name.
        let stem = |ending: &str| name.strip_suffix(ending).filter(|_| ending.len() < name.len());
        if let Some(curve) = stem(".to").filter(|curve| settings.contains_key(*curve)) {
            let message = format!("`{curve}` stays what it is there, and has no `to`");
            return no_number(message, format!("name `{curve}` itself, or let every point have a curve there"));
        }
        for (own, other) in [(".epochs", ".steps"), (".steps", ".epochs")] {
            if let Some(there) = stem(own).map(|phase| format!("{phase}{other}"))
                && settings.contains_key(&there)
            {
                let message = format!("there is no `{name}`, but `{there}`");
                return no_number(message, "give the length in the same unit at every point".to_owned());
            }
        }
        return no_number(format!("there is no `{name}`"), help);
    };
    quantity(value).map_or_else(|| no_number(format!("`{name}` is {value} there, which is no number"), help), Ok)
}

/// A number, or what is written as one with a unit.
fn quantity(value: &Value) -> Option<Quantity> {
    match value {
        Value::String(text) => Quantity::read(text),
        value => value.as_f64().map(Quantity::plain),
    }
}

/// A setting by its path. What is constant over a phase is written without `.from` and may be named with it, and the other way
/// round.
fn setting<'a>(settings: &'a SettingsByPath, name: &str) -> Option<&'a Value> {
    let other = || name.strip_suffix(".from").map_or_else(|| format!("{name}.from"), str::to_owned);
    settings.get(name).or_else(|| settings.get(&other()))
}

/// Reads `constraints` of the sweep file, which is the text of this content. Each name must be an axis or a setting of the base.
pub(super) fn read(
    tree: &Table,
    content: &str,
    axes: &[Axis],
    base: &SettingsByPath,
    errors: &mut Vec<Diagnostic>,
) -> Vec<Constraint> {
    let Some(Wire::Array(items)) = tree.get("constraints").map(|field| &field.node.value) else { return Vec::new() };
    let known: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).chain(base.keys().map(String::as_str)).collect();
    let is_axis = |name: &str| axes.iter().any(|axis| axis.name == name);
    let mut constraints = Vec::new();
    for item in items {
        let Wire::Text(text) = &item.value else { continue };
        let at = |place: &Range<usize>| within(&item.origin, content, text, place);
        let tell = |wrong: Wrong| {
            let mut error = Diagnostic::new(at(&wrong.place), wrong.message);
            error.expected = wrong.expected.map(str::to_owned);
            error.help.extend(wrong.help);
            error
        };
        let claim = match Claim::read(text, &known) {
            Ok(claim) => claim,
            Err(wrong) => {
                errors.push(tell(wrong));
                continue;
            }
        };
        for (name, place) in claim.names() {
            let is_number = setting(base, name).is_some_and(|value| quantity(value).is_some());
            // What an axis sets is seen at each point.
            if is_number || is_axis(name) || axes.iter().any(|axis| axis.names(name)) {
                continue;
            }
            let what =
                if setting(base, name).is_some() { "is no number" } else { "is no axis and no setting of the base" };
            let error = Diagnostic::new(at(place), format!("`{name}` {what}"));
            errors.push(error.did_you_mean(nearest(name, known.iter().copied())));
        }
        // What an axis gives may be in other units than the base.
        let unit = |name: &str| {
            let value = setting(base, name).filter(|_| !is_axis(name) && !is_varied(axes, name))?;
            quantity(value).map(|value| value.unit)
        };
        errors.extend(claim.units(unit).err().map(tell));
        constraints.push(Constraint { text: text.clone(), claim, origin: item.origin.clone() });
    }
    constraints
}

/// Whether an axis sets this setting, or may.
fn is_varied(axes: &[Axis], name: &str) -> bool {
    axes.iter().any(|axis| axis.sets(name) || axis.is_of_parts())
}

/// The place of a part of a text that is written at an origin: where it is not written as it is, the whole.
fn within(origin: &Origin, content: &str, text: &str, part: &Range<usize>) -> Origin {
    let Origin::Text { text: number, span } = origin else { return origin.clone() };
    let written = content.get(span.clone()).unwrap_or_default();
    let quotes = written.len().saturating_sub(text.len()) / 2;
    let is_whole = *part == (0..text.len());
    match written.get(quotes..quotes + text.len()) {
        Some(same) if same == text && !is_whole => {
            let start = span.start + quotes;
            Origin::Text { text: *number, span: start + part.start..start + part.end }
        }
        _ => origin.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_read_and_judged() {
        let settings: [(&str, Value); 4] =
            [("a.b", 2.into()), ("c", "x".into()), ("d.from", "3ep".into()), ("e.steps", 9.into())];
        let settings: SettingsByPath = settings.into_iter().map(|(path, value)| (path.to_owned(), value)).collect();
        let read = |text: &str| {
            Claim::read(text, &[]).map(|claim| Constraint { text: text.to_owned(), claim, origin: Origin::Default })
        };
        let holds = |text: &str| read(text).unwrap().holds((&[], ""), &[], &settings);
        for text in
            ["a.b < 3", "a.b <= 2", "2 == a.b", "3e0 > a.b", "a.b >= 2.0", "a.b <3", "a.b.from + 1 == 3", "d >= 3ep"]
        {
            assert_eq!(holds(text), Ok(true), "{text}");
        }
        for text in ["a.b < 2", "a.b == 3"] {
            assert_eq!(holds(text), Ok(false), "{text}");
        }
        for (text, why, help) in [
            ("c < 3", "`c` is \"x\" there, which is no number", "let every point have it as a number"),
            ("absent < 3", "there is no `absent`", "or take the constraint out"),
            ("a.b.to < 3", "`a.b` stays what it is there, and has no `to`", "name `a.b` itself"),
            ("e.epochs < 3", "there is no `e.epochs`, but `e.steps`", "in the same unit"),
            ("d < 4", "epochs and a plain number do not go together", "numbers have units"),
        ] {
            let error = holds(text).unwrap_err();
            assert_eq!(error.message, format!("`{text}` cannot be judged: {why}"));
            assert!(error.help[0].contains(help), "{text}: {:?}", error.help);
        }
        for text in ["", "a", "a = b", "a < b < c", " < 2"] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_has_its_place_where_the_text_is_written_as_it_is() {
        let at = |content: &str, text: &str| {
            let origin = Origin::Text { text: 0, span: 4..content.len() };
            let Origin::Text { span, .. } = within(&origin, content, text, &(2..3)) else { unreachable!() };
            span
        };
        assert_eq!(at("a = 'b < c'", "b < c"), 7..8);
        assert_eq!(at("a = \"\"\"b < c\"\"\"", "b < c"), 9..10);
        assert_eq!(at("a = \"b \\u003c c\"", "b < c"), 4..16);
    }
}
