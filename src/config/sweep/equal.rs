//! What all points of a sweep have as much of as the base: images, or estimated time.

use super::Axis;
use super::constraint::SettingsByPath;
use crate::config::diagnostics::Diagnostic;
use crate::config::source::Origin;
use crate::config::wire::{Table, Wire};
use serde_json::Value;

/// `equal = { images = "phases[1].epochs" }`
#[derive(Clone, Debug, PartialEq)]
pub struct Equal {
    pub measure: Measure,
    /// The length of a phase that is fitted.
    pub path: String,
    /// What the base has there.
    pub base: f64,
    /// Where the sweep file names the path.
    pub(super) origin: Origin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Images,
    /// As `Time`, without evaluations: what `train_seconds` counts, so with what measures the statistics of means of weights.
    Training,
    /// As estimated from image sizes and the net, not as measured: it is the same on every machine.
    Time,
}

const FORM: &str = "`{ images = \"phases[1].epochs\" }`, `{ training = … }` or `{ time = … }`";

/// Reads `equal`: one measure, and a phase's length that the base gives and, in a new sweep, no axis varies.
pub(super) fn read(
    tree: &Table,
    axes: &[Axis],
    base: &SettingsByPath,
    errors: &mut Vec<Diagnostic>,
    in_new: &mut Vec<Diagnostic>,
) -> Option<Equal> {
    let field = tree.get("equal")?;
    let given = field.node.table().map(|table| table.fields.as_slice()).unwrap_or_default();
    let [one] = given else {
        let what = if given.is_empty() { "nothing" } else { "two things" };
        let error = Diagnostic::new(field.node.origin.clone(), format!("`equal` names {what}"));
        errors.push(error.expected(FORM));
        return None;
    };
    let Wire::Text(path) = &one.node.value else { return None };
    let mut wrong = |origin: &Origin, message: String, help: &str| {
        errors.push(Diagnostic::new(origin.clone(), message).help(help));
    };
    let origin = &one.node.origin;
    if !path.starts_with("phases[") || !(path.ends_with("].epochs") || path.ends_with("].steps")) {
        wrong(origin, format!("`{path}` is not the length of a phase"), "name one, as `phases[1].epochs`");
        return None;
    }
    if axes.iter().any(|axis| axis.sets(path)) {
        let error = Diagnostic::new(origin.clone(), format!("an axis sets `{path}`, which is to be fitted"));
        in_new.push(error.help("fit the length of another phase"));
    }
    let Some(value) = base.get(path).and_then(Value::as_f64) else {
        wrong(
            origin,
            format!("the base has no `{path}`"),
            "name the length as the base gives it, in epochs or in steps",
        );
        return None;
    };
    let measure = match one.key.as_str() {
        "images" => Measure::Images,
        "training" => Measure::Training,
        _ => Measure::Time,
    };
    Some(Equal { measure, path: path.clone(), base: value, origin: origin.clone() })
}
