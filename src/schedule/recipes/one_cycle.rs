use super::{EPOCHS, MOMENTA, Misuse, Part, RATES, RecipeEntry, STEPS, constant, curve_param, length, ramp};
use crate::registry::{Default, Entry, Interval, Kind, Param, Settings};

/// Rises and falls within t = (1 − pct/100) of the length, half of it each, momentum going the other way; in the rest the
/// rate falls on, far below where it began:
///
/// ```text
/// t/2       lr/div → lr                   max_momentum → min_momentum
/// t/2       lr → lr/div                   min_momentum → max_momentum
/// the rest  lr/div → lr/(final_div·div)   max_momentum
/// ```
///
/// PyTorch's `OneCycleLR` with `three_phase` counts its borders so that the last step of each leg has its end value; here,
/// as everywhere, the next leg begins with it. Its `total_steps = T` and `pct_start = p` are `steps = T − 1` and `pct = 100 −
/// 200·(p·T − 1)/(T − 1)` here. Without `three_phase` it is a `piecewise` of three knots.
pub static ENTRY: RecipeEntry = Entry {
    name: "one-cycle",
    summary: "the rate rises and falls once while momentum falls and rises, then runs out far below: three phases",
    cite: "Smith 2018 (arXiv:1803.09820); fast.ai 2018, use_clr_beta",
    params: &[
        EPOCHS,
        STEPS,
        Param { key: "lr", kind: Kind::Float(RATES), default: Default::Required, doc: "the highest learning rate" },
        Param {
            key: "div",
            kind: Kind::Float(Interval::at_least(1.0)),
            default: Default::Toml("10.0"),
            doc: "the rate begins at lr/div and comes back to it",
        },
        Param {
            key: "pct",
            kind: Kind::Float(Interval::half_open(0.0, 100.0)),
            default: Default::Toml("10.0"),
            doc: "per cent of the length in which the rate runs out below lr/div; 0: it does not",
        },
        Param {
            key: "final_div",
            kind: Kind::Float(Interval::at_least(1.0)),
            default: Default::Toml("100.0"),
            doc: "it runs out at lr/(final_div·div)",
        },
        Param {
            key: "max_momentum",
            kind: Kind::Float(MOMENTA),
            default: Default::Toml("0.95"),
            doc: "momentum at the lowest rates",
        },
        Param {
            key: "min_momentum",
            kind: Kind::Float(MOMENTA),
            default: Default::Toml("0.85"),
            doc: "momentum at the highest rate",
        },
        curve_param("'linear'"),
    ],
    shorthand: None,
    make: expand,
};

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    let (peak, curve) = (settings.float("lr"), settings.choice("curve"));
    let (low, rest) = (peak / settings.float("div"), settings.float("pct") / 100.0);
    let (max, min) = (settings.float("max_momentum"), settings.float("min_momentum"));
    let half = (1.0 - rest) / 2.0;
    let legs = [
        (ramp(low, peak, &curve), ramp(max, min, &curve)),
        (ramp(peak, low, &curve), ramp(min, max, &curve)),
        (ramp(low, low / settings.float("final_div"), &curve), constant(max)),
    ];
    let shares = if rest > 0.0 { &[half, half, rest][..] } else { &[half, half] };
    let lengths = length(settings)?.parts(shares);
    Ok(lengths
        .into_iter()
        .zip(legs)
        .map(|(length, (lr, momentum))| Part { length, lr, momentum: Some(momentum) })
        .collect())
}
