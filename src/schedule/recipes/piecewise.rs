use super::{MOMENTUM, Misuse, Part, RATES, RecipeEntry, ascending, curve_param, momentum, numbers, ramp};
use crate::registry::{Default, Entry, Interval, Kind, Param, Settings};
use crate::schedule::Length;

/// From knot to knot: at epoch `at[k]` the rate is `lr[k]`, between two knots it follows the curve.
pub static ENTRY: RecipeEntry = Entry {
    name: "piecewise",
    summary: "the rate goes in straight lines, or along a curve, from one given value at a given epoch to the next",
    cite: "Page 2018, How to Train Your ResNet (PiecewiseLinear); numpy.interp",
    params: &[
        Param {
            key: "at",
            kind: Kind::List(&Kind::Float(Interval::at_least(0.0))),
            default: Default::Required,
            doc: "the epochs of the knots, counted from the recipe's start: the first is 0, the last its length",
        },
        Param {
            key: "lr",
            kind: Kind::List(&Kind::Float(RATES)),
            default: Default::Required,
            doc: "the learning rate at each knot",
        },
        MOMENTUM,
        curve_param("'linear'"),
    ],
    shorthand: None,
    make: expand,
};

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    let (at, lr, curve) = (numbers(settings, "at"), numbers(settings, "lr"), settings.choice("curve"));
    if at.len() != lr.len() {
        let message = format!("{} epochs in `at` and {} rates in `lr`", at.len(), lr.len());
        return Err(Misuse::new("lr", message, "each knot has one of both: `at = [0, 5, 24]`, `lr = [0.0, 0.4, 0.0]`"));
    }
    if at.len() < 2 {
        return Err(Misuse::new("at", "fewer than two knots", "give the start, the end, and what lies between"));
    }
    if at[0] != 0.0 {
        let message = format!("the first knot is at epoch {}, not at 0", at[0]);
        return Err(Misuse::new("at[0]", message, "epochs are counted from the recipe's own start"));
    }
    ascending("at", &at)?;
    let part = |(at, lr): (&[f64], &[f64])| Part {
        length: Length::Epochs(at[1] - at[0]),
        lr: ramp(lr[0], lr[1], &curve),
        momentum: momentum(settings),
    };
    Ok(at.windows(2).zip(lr.windows(2)).map(part).collect())
}
