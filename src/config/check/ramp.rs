//! Hyper-parameters that vary over a phase.

use super::super::diagnostics::Diagnostic;
use super::super::schema::{self, ACROSS, PHASES};
use super::super::wire::{Node, Wire};
use super::expected::expected;
use super::{Checker, Owner, last_key};
use crate::registry::{Across, Choice, Interval, Kind, RampValue};
use crate::schedule::Ramp;
use crate::units;

const LINEAR: &str = "linear";

impl Checker<'_> {
    /// A number, or `{ from, to, curve }`. Afterwards `to` is absent of the constant curve and of no other, so that two
    /// ways to write the same ramp are equal.
    pub(super) fn ramp(&mut self, node: &Node, interval: &Interval, kind: &Kind, path: &str) -> Option<RampValue> {
        let Wire::Table(table) = &node.value else {
            let from = self.number(node, interval, kind, path)?;
            return Some(RampValue::constant(from));
        };
        let params = schema::ramp(*interval);
        let title = format!("`{}`", last_key(path));
        let settings = self.fields(table, &params, path, &Owner { title: &title, origin: &node.origin });
        // What is written and not among the settings was wrong, and is reported.
        if ["to", "curve"].iter().any(|key| table.get(key).is_some() && !settings.0.contains_key(*key)) {
            return None;
        }
        let (from, to) = (settings.opt_float("from")?, settings.opt_float("to"));
        let assumed = if to.is_some() { LINEAR } else { RampValue::CONSTANT };
        let curve = settings.opt_choice("curve").unwrap_or_else(|| Choice::plain(assumed));
        let across = settings.opt_bool(ACROSS) == Some(true);
        if across && !path.starts_with(PHASES) {
            let origin = table.get(ACROSS).map_or(&node.origin, |field| &field.node.origin).clone();
            let message = format!("{title}: `{ACROSS}` is for curves of phases");
            self.errors.push(Diagnostic::new(origin, message).help("leave it out: this one runs over all of training"));
            return None;
        }
        let across = if across { Across::Begins } else { Across::No };
        let value = RampValue { from, to, curve, across };
        match Ramp::new(&value) {
            Ok(ramp) => {
                // The ends are in it: that has been seen to.
                let Some(range) = ramp.beyond(interval) else {
                    return Some(RampValue {
                        to: (value.curve.kind != RampValue::CONSTANT).then(|| ramp.to()),
                        ..value
                    });
                };
                let origin = table.get("curve").map_or(&node.origin, |field| &field.node.origin).clone();
                let [low, high] = range.map(units::brief);
                let error =
                    Diagnostic::new(origin, format!("{title} goes out of range: its values are {low} to {high}"));
                self.errors.push(error.expected(expected(&Kind::Float(*interval))));
                None
            }
            Err(error) => {
                let setting = error.setting.as_ref().map(|setting| format!("{path}.{}.{setting}", error.key));
                // The key at fault may be one that is not written: then the curve is what asks for it.
                let place = table.get(error.key).or_else(|| table.get("curve"));
                let whole = place.map_or(&node.origin, |field| &field.node.origin);
                let origin = setting.and_then(|path| self.origins.get(&path)).unwrap_or(whole).clone();
                self.errors.push(Diagnostic::new(origin, format!("{title}: {}", error.message)).help(error.help));
                None
            }
        }
    }
}
