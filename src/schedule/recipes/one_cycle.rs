use super::{
    EPOCHS, MOMENTA, Misuse, Part, RATES, RecipeEntry, STEADY_MOMENTUM, STEPS, curve_param, length, momenta, ramp,
};
use crate::registry::{Default, Entry, Interval, Kind, Param, RampValue, Settings};
use crate::units::{brief, number};

/// Rises and falls, momentum going the other way; in the last `pct` per cent of the length the rate falls on, far below
/// where it began:
///
/// ```text
/// rise      lr/div → lr                   max_momentum → min_momentum
/// the rest  lr → lr/div                   min_momentum → max_momentum
/// pct       lr/div → lr/(final_div·div)   max_momentum
/// ```
///
/// Without `three_phase` the fall goes down to lr/(final_div·div) itself, in all that `rise` leaves. With `rise` 0.3,
/// `div` 25, `final_div` 1e4 and the curve `cosine` that is fast.ai 1's `fit_one_cycle`, whose `final_div` is
/// `final_div·div` here, and PyTorch's `OneCycleLR`. A `final_div` below 1 has it end above where it began.
///
/// PyTorch counts its borders so that the last step of each leg has its end value; here, as everywhere, the next leg
/// begins with it. Its `total_steps = T` and `pct_start = p` are exactly `steps = T − 1` and `rise = (p·T − 1)/(T − 1)`
/// here, with `three_phase` `pct = 100 − 200·(p·T − 1)/(T − 1)` in place of `rise`.
pub static ENTRY: RecipeEntry = Entry {
    name: "one-cycle",
    summary: "the rate rises and falls once, momentum the other way, and runs out far below: three phases, or two",
    cite: "Smith 2018 (arXiv:1803.09820); fast.ai 2018, use_clr_beta, fit_one_cycle; PyTorch's OneCycleLR",
    params: &[
        EPOCHS,
        STEPS,
        Param { key: "lr", kind: Kind::Float(RATES), default: Default::Required, doc: "the highest learning rate" },
        Param {
            key: "rise",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: true }),
            default: Default::Absent,
            doc: "share of the length in which the rate rises; left out: half of it, or of what `pct` leaves of it",
        },
        Param {
            key: "div",
            kind: Kind::Float(Interval::at_least(1.0)),
            default: Default::Toml("10.0"),
            doc: "the rate begins at lr/div and, with `three_phase`, comes back to it",
        },
        Param {
            key: "pct",
            kind: Kind::Float(Interval::half_open(0.0, 100.0)),
            default: Default::Absent,
            doc: "per cent of the length in which the rate runs out below lr/div; 0: it does not; left out: 10",
        },
        Param {
            key: "final_div",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("100.0"),
            doc: "it runs out at lr/(final_div·div), as in PyTorch; fast.ai divides lr by its final_div alone; below 1, \
                  without `three_phase`: it ends above where it began",
        },
        Param {
            key: "three_phase",
            kind: Kind::Bool,
            default: Default::Toml("true"),
            doc: "whether the rate runs out in a phase of its own, as `pct` says; false, PyTorch's default: the fall \
                  goes on to lr/(final_div·div) in one piece",
        },
        Param {
            key: "max_momentum",
            kind: Kind::Float(MOMENTA),
            default: Default::Absent,
            doc: "momentum at the lowest rates; left out: 0.95",
        },
        Param {
            key: "min_momentum",
            kind: Kind::Float(MOMENTA),
            default: Default::Absent,
            doc: "momentum at the highest rate; left out: 0.85",
        },
        STEADY_MOMENTUM,
        curve_param("'linear'"),
    ],
    shorthand: None,
    make: expand,
};

/// `pct` where it is left out.
const LAST_PER_CENT: f64 = 10.0;

/// `max_momentum` and `min_momentum` likewise.
const LEFT_OUT: [f64; 2] = [0.95, 0.85];

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    let (peak, curve) = (settings.float("lr"), settings.choice("curve"));
    let low = peak / settings.float("div");
    let lowest = low / settings.float("final_div");
    let length = length(settings)?;
    let [max, min] = momenta(settings, Some(LEFT_OUT))?.unwrap_or(LEFT_OUT);
    let three_phase = settings.bool("three_phase");
    let legs = [
        (ramp(low, peak, &curve), ramp(max, min, &curve)),
        (ramp(peak, if three_phase { low } else { lowest }, &curve), ramp(min, max, &curve)),
        (ramp(low, lowest, &curve), RampValue::constant(max)),
    ];
    let shares = if three_phase { in_three(settings)? } else { in_two(settings)? };
    let part = |(length, (lr, momentum))| Part { length, lr, momentum: Some(momentum) };
    Ok(length.parts(&shares).into_iter().zip(legs).map(part).collect())
}

/// The shares of the length in which the rate rises, falls and, unless `pct` is 0, runs out.
fn in_three(settings: &Settings) -> Result<Vec<f64>, Misuse> {
    let final_div = settings.float("final_div");
    if final_div < 1.0 {
        let message = format!("with `final_div` {} the rate would rise in the end", number(final_div));
        return Err(Misuse::new("final_div", message, "give at least 1, or `three_phase = false`"));
    }
    let pct = settings.opt_float("pct").unwrap_or(LAST_PER_CENT);
    let rest = pct / 100.0;
    let cycle = 1.0 - rest;
    let rise = match settings.opt_float("rise") {
        // Less than that is what rounding leaves.
        Some(rise) if cycle - rise < 1e-9 => {
            let (rise, pct) = (number(rise), number(pct));
            let message = format!("a rise over {rise} of the length leaves no fall before the last {pct} %");
            return Err(Misuse::new("rise", message, "give a smaller `rise` or `pct`, or `three_phase = false`"));
        }
        given => given.unwrap_or(cycle / 2.0),
    };
    let mut shares = vec![rise, cycle - rise];
    shares.extend((rest > 0.0).then_some(rest));
    Ok(shares)
}

/// The shares of the length in which the rate rises and falls.
fn in_two(settings: &Settings) -> Result<Vec<f64>, Misuse> {
    if settings.opt_float("pct").is_some() {
        let help = "leave `pct` out: the fall itself goes down to lr/(final_div·div)";
        return Err(Misuse::new("pct", "`pct` beside `three_phase = false`", help));
    }
    let (div, final_div) = (settings.float("div"), settings.float("final_div"));
    if final_div * div < 1.0 - 1e-9 {
        let message = format!("the rate would end at lr/{}, above `lr`", brief(final_div * div));
        return Err(Misuse::new("final_div", message, "it ends at lr/(final_div·div): give a larger one"));
    }
    let rise = settings.opt_float("rise").unwrap_or(0.5);
    Ok(vec![rise, 1.0 - rise])
}
