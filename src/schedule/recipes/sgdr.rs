use super::{MOMENTUM, MOST_CYCLES, Misuse, Part, RATES, RecipeEntry, curve_param, momentum, ordered, ramp};
use crate::registry::{Default, Entry, Interval, Kind, Param, RampValue, Settings};
use crate::schedule::Length;

/// Cycle i, of `cycle_len·cycle_mult^i` epochs, falls from `lr` to `to` along the curve; the first begins with a share
/// `lead` of its length at lr/100.
///
/// With `lead = 0` it is PyTorch's `CosineAnnealingWarmRestarts`, stepped each batch.
pub static ENTRY: RecipeEntry = Entry {
    name: "sgdr",
    summary: "the rate falls along a cosine and starts anew, cycle by cycle: a phase each, the first with a short lead",
    cite: "Loshchilov and Hutter 2016 (arXiv:1608.03983); fast.ai 2018, whose lead is 1/20 of the first cycle at lr/100",
    params: &[
        Param {
            key: "lr",
            kind: Kind::Float(RATES),
            default: Default::Required,
            doc: "the learning rate that each cycle begins with",
        },
        Param {
            key: "cycles",
            kind: Kind::Int { min: 1, max: MOST_CYCLES },
            default: Default::Toml("1"),
            doc: "how many cycles",
        },
        Param {
            key: "cycle_len",
            kind: Kind::Float(Interval { min: 0.0, max: 1e6, min_open: true, max_open: false }),
            default: Default::Toml("1.0"),
            doc: "epochs of the first cycle",
        },
        Param {
            key: "cycle_mult",
            kind: Kind::Float(Interval { min: 0.0, max: 1e3, min_open: true, max_open: false }),
            default: Default::Toml("1.0"),
            doc: "how many times as long as the one before a cycle is",
        },
        Param {
            key: "to",
            kind: Kind::Float(RATES),
            default: Default::Toml("0.0"),
            doc: "where the rate of each cycle goes",
        },
        Param {
            key: "lead",
            kind: Kind::Float(Interval::half_open(0.0, 1.0)),
            default: Default::Toml("0.05"),
            doc: "share of the first cycle that is spent at lr/100 before it begins; 0: none",
        },
        MOMENTUM,
        curve_param("'cosine'"),
    ],
    shorthand: None,
    make: expand,
};

fn expand(settings: &Settings) -> Result<Vec<Part>, Misuse> {
    let (lr, to, curve) = (settings.float("lr"), settings.float("to"), settings.choice("curve"));
    let (first, mult, lead) = (settings.float("cycle_len"), settings.float("cycle_mult"), settings.float("lead"));
    ordered(&ENTRY, settings, ["to", "lr"], "each cycle falls from `lr` to `to`: give `lr` the larger one")?;
    let mut parts = Vec::new();
    let mut push = |epochs, lr| parts.push(Part { length: Length::Epochs(epochs), lr, momentum: momentum(settings) });
    if lead > 0.0 {
        push(lead * first, RampValue::constant(lr / 100.0));
    }
    for cycle in 0..settings.int("cycles") {
        let epochs = first * mult.powi(cycle as i32);
        if !(epochs > 0.0 && epochs <= 1e6) {
            let message = format!("cycle {cycle} would have {epochs} epochs");
            return Err(Misuse::new("cycle_mult", message, "give fewer cycles, or a factor nearer to 1"));
        }
        push(if cycle == 0 { (1.0 - lead) * epochs } else { epochs }, ramp(lr, to, &curve));
    }
    Ok(parts)
}
