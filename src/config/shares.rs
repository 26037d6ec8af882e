//! Lengths of phases as shares of the whole: `epochs = "25%"` of `[train] epochs = 16`.

use super::diagnostics::Diagnostic;
use super::schema::PHASES;
use super::source::Origin;
use crate::registry::{Settings, Value};
use crate::units::{number, rounded};
use std::collections::BTreeMap;

const EPOCHS: &str = "epochs";
const WHOLE: &str = "train.epochs";
/// Per cents that shares may miss the whole by: what is left of decimal fractions.
const SLACK: f64 = 1e-9;

/// Makes numbers of epochs of shares, before recipes are expanded; reports shares of nothing, a whole that nothing is a share of, and shares
/// that do not make up the whole.
pub fn resolve(mut settings: Settings, origins: &BTreeMap<String, Origin>, errors: &mut Vec<Diagnostic>) -> Settings {
    let whole = settings.opt_table("train").and_then(|train| train.opt_float(EPOCHS));
    let Some(Value::List(phases)) = settings.0.get_mut(PHASES) else { return settings };
    let mut tell = |path: &str, message: String, help: &str| {
        let origin = origins.get(path).cloned().unwrap_or(Origin::Default);
        errors.push(Diagnostic::new(origin, message).help(help));
    };
    // A length that was wrong, and is reported, is not known to be none.
    let (count, mut given, mut sum) = (phases.len(), Vec::new(), 0.0);
    for (k, phase) in phases.iter_mut().enumerate() {
        let Value::Table(phase) = phase else { continue };
        let Some(Value::Duration(share)) = phase.0.get(EPOCHS) else { continue };
        let path = format!("{PHASES}[{k}].{EPOCHS}");
        sum += share.amount;
        let epochs = match whole {
            Some(whole) => rounded(whole * share.amount / 100.0),
            None => {
                // A whole that was wrong is no whole that is missing.
                if !origins.contains_key(WHOLE) {
                    let help = "say what it is a share of, `[train] epochs = 16`, or write a number of epochs";
                    tell(&path, format!("`{EPOCHS}` is {share} of a length that is not given"), help);
                }
                1.0
            }
        };
        given.push(path);
        phase.0.insert(EPOCHS.to_owned(), Value::Float(epochs));
    }
    if whole.is_some() && given.is_empty() {
        let message = format!("no phase's length is a share of `{EPOCHS}`");
        tell(
            WHOLE,
            message,
            "write lengths of phases as shares, `epochs = \"25%\"`, or leave it out: phases have their own lengths",
        );
    }
    let (is_short, is_long) = (given.len() == count && sum < 100.0 - SLACK, sum > 100.0 + SLACK);
    if let Some(last) = given.last().filter(|_| is_short || is_long) {
        let of = if given.len() == count { "all phases" } else { "the phases that are given so" };
        let message = format!("the shares of {of} add up to {} %", number(rounded(sum)));
        tell(last, message, "let them add up to 100 %: `train.epochs` is the length of the whole");
    }
    settings
}
