use super::{EPOCHS, MOMENTUM, Misuse, Part, RecipeEntry, STEPS, curve_param, length, momentum, ordered, ramp};
use crate::registry::{Default, Entry, Interval, Kind, Param, Settings};

/// One phase through all rates that may be of use, by the same factor each step.
pub static ENTRY: RecipeEntry = Entry {
    name: "lr-range",
    summary: "the rate sweeps from very low to too high, to see in trace.csv where the loss falls fastest: one phase",
    cite: "Smith 2017 (arXiv:1506.01186), the range test; fast.ai 2018, lr_find",
    params: &[
        EPOCHS,
        STEPS,
        Param {
            key: "from",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("1e-5"),
            doc: "the learning rate that it begins with",
        },
        Param {
            key: "to",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("10.0"),
            doc: "the learning rate that it ends at",
        },
        MOMENTUM,
        curve_param("'exponential'"),
    ],
    shorthand: None,
    make: expand,
};

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    ordered(&ENTRY, settings, ["from", "to"], "the rate sweeps upwards: give `to` the larger one")?;
    let lr = ramp(settings.float("from"), settings.float("to"), &settings.choice("curve"));
    Ok(vec![Part { length: length(settings)?, lr, momentum: momentum(settings) }])
}
