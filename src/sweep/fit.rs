//! Points that cost as much as the base: one length is fitted until they do.

use crate::config::sweep::{Equal, Sweep};
use crate::config::{Diagnostics, Loaded};

/// Halvings of the interval that holds the length: far below a step of any training.
const HALVINGS: usize = 40;

/// The experiment at a point with `equal`'s length such that its cost comes closest to `target`. `None` where no length does: the
/// rest of the point alone costs more, or too little for its phase to have a step.
///
/// # Errors
/// What is wrong with the point, whatever that length.
pub fn fitted(
    sweep: &Sweep,
    equal: &Equal,
    point: &[String],
    target: f64,
    cost: &dyn Fn(&Loaded) -> Option<f64>,
) -> Result<Option<Loaded>, Diagnostics> {
    sweep.experiment(point)?;
    let whole = equal.path.ends_with("steps");
    let written = |length: f64| if whole { format!("{:.0}", length.round()) } else { rounded(length) };
    let at = |length: f64| {
        let loaded = sweep.with(point, &[(equal.path.as_str(), written(length))]).ok()?;
        let cost = cost(&loaded)?;
        Some((loaded, cost))
    };
    // Cost rises with the length, in steps of a batch: first a straight line, then halving around where it leads.
    let Some(((_, once), (_, twice))) = at(equal.base).zip(at(2.0 * equal.base)) else { return Ok(None) };
    let guess = equal.base * (1.0 + (target - once) / (twice - once));
    if !guess.is_finite() || guess <= 0.0 {
        return Ok(None);
    }
    let margin = 0.1 * guess.max(0.2 * equal.base);
    let (mut low, mut high) = ((guess - margin).max(0.0), guess + margin);
    let mut best: Option<(Loaded, f64)> = None;
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        let Some((loaded, cost)) = at(middle) else {
            low = middle;
            continue;
        };
        if cost < target {
            low = middle
        } else {
            high = middle
        }
        if best.as_ref().is_none_or(|(_, there)| (cost - target).abs() < (there - target).abs()) {
            best = Some((loaded, cost));
        }
        if cost == target {
            break;
        }
    }
    // More than a hundredth away is no step's rounding.
    Ok(best.filter(|(_, cost)| (cost - target).abs() <= 0.01 * target).map(|(loaded, _)| loaded))
}

/// Six digits.
fn rounded(x: f64) -> String {
    let short: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    format!("{short:?}")
}
