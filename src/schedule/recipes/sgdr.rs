use super::places::{PLACE, between, in_words};
use super::{
    MOMENTUM, MOST_CYCLES, MOST_EPOCHS, MOST_STEPS, Misuse, Part, RATES, RecipeEntry, curve_param, fallen, momentum,
    ordered, ramp,
};
use crate::registry::{Default, DurationUnit, Entry, Interval, Kind, Param, RampValue, Settings};
use crate::schedule::Length;
use crate::units::{brief, count};

/// Cycle i, which is `cycle_len·cycle_mult^i` long, falls from `lr·gamma^i` to `to` along the curve; the first begins with
/// a share `lead` of its length at lr/100.
///
/// With `lead = 0` it is PyTorch's `CosineAnnealingWarmRestarts`, stepped each batch; `gamma` is the `cycle_decay` of
/// timm's `CosineLRScheduler`.
pub static ENTRY: RecipeEntry = Entry {
    name: "sgdr",
    summary: "the rate falls along a cosine and starts anew, cycle by cycle: a phase each, the first with a short lead",
    cite: "Loshchilov and Hutter 2016 (arXiv:1608.03983); fast.ai 2018, whose lead is 1/20 of the first cycle at lr/100",
    params: &[
        Param {
            key: "lr",
            kind: Kind::Float(RATES),
            default: Default::Required,
            doc: "the learning rate that each cycle begins with; with a `gamma`, the first",
        },
        Param {
            key: "cycles",
            kind: Kind::Int { min: 1, max: MOST_CYCLES },
            default: Default::Toml("1"),
            doc: "how many cycles",
        },
        Param {
            key: "cycle_len",
            kind: PLACE,
            default: Default::Toml("1.0"),
            doc: "length of the first cycle: a number of epochs, or `\"500step\"`",
        },
        Param {
            key: "cycle_mult",
            kind: Kind::Float(Interval { min: 0.0, max: 1e3, min_open: true, max_open: false }),
            default: Default::Toml("1.0"),
            doc: "how many times as long as the one before a cycle is",
        },
        Param {
            key: "gamma",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false }),
            default: Default::Toml("1.0"),
            doc: "what the rate that a cycle begins with is multiplied by for the next: 0.5 halves it",
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
    let (first, mult, lead) = (settings.duration("cycle_len"), settings.float("cycle_mult"), settings.float("lead"));
    ordered(&ENTRY, settings, ["to", "lr"], "each cycle falls from `lr` to `to`: give `lr` the larger one")?;
    let most = match first.unit {
        DurationUnit::Epochs => MOST_EPOCHS,
        DurationUnit::Steps => MOST_STEPS as f64,
        DurationUnit::Percent => {
            let help = "give epochs or steps: `cycle_len = 2`, `cycle_len = \"500step\"`";
            return Err(Misuse::new("cycle_len", format!("{first} of what? cycles make up the length"), help));
        }
    };
    let mut parts = Vec::new();
    let mut place = 0.0;
    let mut push = |amount: f64, lr| {
        let begin = place;
        place += amount;
        let length = match first.unit {
            // As it is given, which the difference of two sums may not be.
            DurationUnit::Epochs => Length::Epochs(amount),
            unit => between(unit, begin, place),
        };
        parts.push(Part { length, lr, momentum: momentum(settings) });
    };
    for cycle in 0..settings.usize("cycles") {
        let amount = first.amount * mult.powi(cycle as i32);
        if !(amount > 0.0 && amount <= most) {
            let message = format!("cycle {cycle} would have {amount} {}", in_words(first.unit));
            return Err(match cycle {
                0 => Misuse::new("cycle_len", message, format!("give more than 0, and at most {}", count(most as u64))),
                _ => Misuse::new("cycle_mult", message, "give fewer cycles, or a factor nearer to 1"),
            });
        }
        let peak = fallen(lr, settings.float("gamma"), cycle);
        if peak < to {
            let message = format!("cycle {cycle} would begin at {}, below `to`, which is {}", brief(peak), brief(to));
            return Err(Misuse::new("gamma", message, "give fewer cycles, or a factor nearer to 1"));
        }
        if cycle == 0 && lead > 0.0 {
            push(lead * amount, RampValue::constant(lr / 100.0));
        }
        push(if cycle == 0 { (1.0 - lead) * amount } else { amount }, ramp(peak, to, &curve));
    }
    if lead > 0.0 && parts[..2].iter().any(|part| part.length.is_none()) {
        let share = format!("`lead` is {} % of the first cycle, of {first}", brief(100.0 * lead));
        let (key, message) = match parts[0].length.is_none() {
            true => ("cycle_len", format!("{share}, which comes to no step")),
            false => ("lead", format!("{share}, which leaves it no step")),
        };
        return Err(Misuse::new(
            key,
            message,
            "give a longer `cycle_len`, another `lead`, or `lead = 0`, which is none",
        ));
    }
    Ok(parts)
}
