use super::{
    EPOCHS, MOMENTA, MOST_CYCLES, Misuse, Part, RATES, RecipeEntry, STEADY_MOMENTUM, STEPS, curve_param, length,
    momenta, ordered, ramp,
};
use crate::registry::{Default, Entry, Interval, Kind, Param, Settings};
use crate::schedule::Length;
use crate::units::brief;

/// Cycle i rises from `from` to `from + (lr − from)·gamma^i` in the share `rise` of its length, and falls to `to` in the
/// rest: back, where that is left out. Momentum, where both of its ends are given, goes the other way from `max_momentum`
/// with the same factor, and back.
///
/// PyTorch's `CyclicLR`: `triangular` is gamma 1, `triangular2` gamma 0.5. Its `exp_range`, in which the height shrinks
/// with every step, is not made of straight lines and not here.
pub static ENTRY: RecipeEntry = Entry {
    name: "cyclical",
    summary: "triangles: the rate rises and falls, cycle by cycle, each as high as the one before or lower",
    cite: "Smith 2017 (arXiv:1506.01186); PyTorch's torch.optim.lr_scheduler.CyclicLR",
    params: &[
        EPOCHS,
        STEPS,
        Param {
            key: "cycles",
            kind: Kind::Int { min: 1, max: MOST_CYCLES },
            default: Default::Toml("1"),
            doc: "how many cycles, equally long",
        },
        Param { key: "lr", kind: Kind::Float(RATES), default: Default::Required, doc: "the highest rate of the first" },
        Param {
            key: "from",
            kind: Kind::Float(RATES),
            default: Default::Toml("0.0"),
            doc: "the rate that each cycle begins with",
        },
        Param {
            key: "to",
            kind: Kind::Float(RATES),
            default: Default::Absent,
            doc: "the rate that each cycle ends at; left out: `from`",
        },
        Param {
            key: "gamma",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false }),
            default: Default::Toml("1.0"),
            doc: "how high a cycle is, beside the one before: 0.5 is triangular2",
        },
        Param {
            key: "rise",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: true }),
            default: Default::Toml("0.5"),
            doc: "share of each cycle in which the rate rises",
        },
        Param {
            key: "max_momentum",
            kind: Kind::Float(MOMENTA),
            default: Default::Absent,
            doc: "momentum where a cycle begins and ends; given together with `min_momentum`, or left out: 0.9, for rmsprop 0",
        },
        Param {
            key: "min_momentum",
            kind: Kind::Float(MOMENTA),
            default: Default::Absent,
            doc: "momentum at the highest rate",
        },
        STEADY_MOMENTUM,
        curve_param("'linear'"),
    ],
    shorthand: None,
    make: expand,
};

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    let (low, high, curve) = (settings.float("from"), settings.float("lr"), settings.choice("curve"));
    let (rise, cycles) = (settings.float("rise"), settings.usize("cycles"));
    let momenta = momenta(settings, None)?;
    ordered(&ENTRY, settings, ["from", "lr"], "each cycle rises from `from` to `lr`: give `lr` the larger one")?;
    let end = settings.opt_float("to").unwrap_or(low);
    let height = |cycle: usize| settings.float("gamma").powi(cycle as i32);
    // No cycle is as low as the last. Less than that is what rounding leaves.
    let lowest = low + (high - low) * height(cycles - 1);
    if end > lowest * (1.0 + 1e-9) {
        let message =
            format!("cycle {} would rise to {}, below `to`, which is {}", cycles - 1, brief(lowest), brief(end));
        return Err(Misuse::new("to", message, "each cycle falls to `to`: give a smaller one, or higher cycles"));
    }
    let share = 1.0 / cycles as f64;
    let lengths = length(settings)?.parts(&[rise * share, (1.0 - rise) * share].repeat(cycles));
    let leg = |(leg, length): (usize, Length)| {
        let joined = |base: f64, top: f64, end: f64| {
            let top = base + (top - base) * height(leg / 2);
            if leg % 2 == 0 { ramp(base, top, &curve) } else { ramp(top, end, &curve) }
        };
        Part { length, lr: joined(low, high, end), momentum: momenta.map(|[max, min]| joined(max, min, max)) }
    };
    Ok(lengths.into_iter().enumerate().map(leg).collect())
}
