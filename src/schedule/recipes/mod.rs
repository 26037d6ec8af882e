//! Recipes: well-known schedules, each of which stands for a few plain phases.
//!
//! A recipe knows learning rates, momenta and lengths alone. Everything else that a phase says (size, batch, optimizer…)
//! stands beside it and holds in all of its phases: see `config::recipes`.

pub mod cyclical;
pub mod lr_range;
pub mod one_cycle;
pub mod piecewise;
mod places;
pub mod sgdr;
pub mod step;
pub mod trapezoid;
pub mod warmup;

#[cfg(test)]
mod tests;

use super::{Length, Ramp};
use crate::registry::{Choice, Default, Describe, Entry, Family, Interval, Kind, Param, RampValue, Settings, Value};
use crate::units::{count, number};

/// One of the plain phases that a recipe stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub length: Length,
    pub lr: RampValue,
    /// `None`: the default of the phase.
    pub momentum: Option<RampValue>,
}

/// Settings of a recipe that do not go together.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Misuse {
    /// The setting at fault, as the path within the recipe's: `at[2]`.
    pub key: String,
    pub message: String,
    pub help: String,
}

impl Misuse {
    fn new(key: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: help.into() }
    }
}

/// An entry of the family `recipe`.
pub type RecipeEntry = Entry<fn(&Settings) -> Result<Vec<Part>, Misuse>>;

pub static ENTRIES: &[&RecipeEntry] = &[
    &one_cycle::ENTRY,
    &trapezoid::ENTRY,
    &sgdr::ENTRY,
    &cyclical::ENTRY,
    &step::ENTRY,
    &piecewise::ENTRY,
    &warmup::ENTRY,
    &lr_range::ENTRY,
];

pub static FAMILY: Family = Family {
    name: "recipe",
    doc: "Well-known schedules that stand for several phases; their settings stand in `[[phases]]` beside the name",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The phases of a recipe, of which each has a length and ramps that its curve can run.
///
/// # Errors
/// The first of its settings that does not fit the others.
pub fn expand(entry: &RecipeEntry, settings: &Settings) -> Result<Vec<Part>, Misuse> {
    let mut parts = (entry.make)(settings)?;
    for part in &mut parts {
        if let Length::Epochs(epochs) = &mut part.length {
            // 0.4·3 is 1.2 to whoever reads it.
            *epochs = (*epochs * 1e12).round() / 1e12;
        }
    }
    for (k, part) in parts.iter().enumerate() {
        let most = MOST_STEPS.unsigned_abs();
        let is_too_long = matches!(part.length, Length::Steps(steps) if steps > most);
        if is_too_long || part.length.is_none() {
            let key = ["steps", "cycle_len", "at"].into_iter().find(|key| settings.0.contains_key(*key));
            let (many, help) = match is_too_long {
                true => (format!("more than {} steps", count(most)), "give fewer steps"),
                false => ("no step".to_owned(), "give more steps"),
            };
            let message = format!("phase {k} of the {} of this recipe would have {many}", parts.len());
            return Err(Misuse::new(key.unwrap_or("recipe"), message, help));
        }
        for ramp in part.momentum.iter().chain([&part.lr]) {
            Ramp::new(ramp).map_err(|error| Misuse::new("curve", error.message, error.help))?;
        }
    }
    Ok(parts)
}

/// The most cycles of one recipe: far above any use.
const MOST_CYCLES: i64 = 1000;

/// The most steps and epochs of one of its phases likewise.
const MOST_STEPS: i64 = 1 << 30;
const MOST_EPOCHS: f64 = 1e6;

const EPOCHS: Param = Param {
    key: "epochs",
    kind: Kind::Share(Interval { min: 0.0, max: MOST_EPOCHS, min_open: true, max_open: false }),
    default: Default::Absent,
    doc: "length of the whole recipe, in passes over the training set, or as a share of `train.epochs`; either this or `steps`",
};

const STEPS: Param = Param {
    key: "steps",
    kind: Kind::Int { min: 1, max: MOST_STEPS },
    default: Default::Absent,
    doc: "length of the whole, in optimizer steps; either this or `epochs`",
};

const MOMENTUM: Param = Param {
    key: "momentum",
    kind: Kind::Float(MOMENTA),
    default: Default::Absent,
    doc: "momentum throughout, beta 1 of Adam-like optimizers; left out: 0.9, for rmsprop 0",
};

/// The momentum of a recipe that may move it.
const STEADY_MOMENTUM: Param =
    Param { doc: "momentum where it stays, in place of `max_momentum` and `min_momentum`", ..MOMENTUM };

const MOMENTA: Interval = Interval::half_open(0.0, 1.0);

const RATES: Interval = Interval::at_least(0.0);

/// The setting of the curve that joins a recipe's rates.
const fn curve_param(default: &'static str) -> Param {
    Param {
        key: "curve",
        kind: Kind::Choice(&super::FAMILY),
        default: Default::Toml(default),
        doc: "how the values go from one to the next",
    }
}

/// The length of the whole: exactly one of [`EPOCHS`] and [`STEPS`].
fn length(settings: &Settings) -> Result<Length, Misuse> {
    let help = "give `epochs = …` (may be fractional) or `steps = …`";
    whole(settings)?.ok_or_else(|| Misuse::new("epochs", "the recipe has no length", help))
}

/// The length of the whole where one is given: at most one of [`EPOCHS`] and [`STEPS`].
fn whole(settings: &Settings) -> Result<Option<Length>, Misuse> {
    match (settings.opt_float("epochs"), settings.opt_int("steps")) {
        (Some(_), Some(_)) => {
            Err(Misuse::new("steps", "`steps` beside `epochs`", "give one of the two: a recipe has one length"))
        }
        (epochs, steps) => Ok(epochs.map(Length::Epochs).or(steps.map(|steps| Length::Steps(steps.unsigned_abs())))),
    }
}

/// The constant momentum of [`MOMENTUM`].
fn momentum(settings: &Settings) -> Option<RampValue> {
    settings.opt_float("momentum").map(RampValue::constant)
}

/// From one value to another; constant where they are the same, which some curves cannot be.
fn ramp(from: f64, to: f64, curve: &Choice) -> RampValue {
    if from == to { RampValue::constant(from) } else { RampValue::new(from, Some(to), curve.clone()) }
}

/// The numbers of a list.
fn numbers(settings: &Settings, key: &str) -> Vec<f64> {
    let number = |value| if let Value::Float(number) = value { Some(number) } else { None };
    settings.list(key).into_iter().filter_map(number).collect()
}

/// That `low` is not above `high`, where both are there. At fault is `low`, unless it has its default: then `high` is
/// what was written.
fn ordered(entry: &RecipeEntry, settings: &Settings, [low, high]: [&str; 2], help: &str) -> Result<(), Misuse> {
    let (Some(least), Some(most)) = (settings.opt_float(low), settings.opt_float(high)) else { return Ok(()) };
    if least <= most {
        return Ok(());
    }
    let is_default = |param: &Param| matches!(param.default, Default::Toml(toml) if toml.parse::<f64>() == Ok(least));
    let key = if entry.params.iter().any(|param| param.key == low && is_default(param)) { high } else { low };
    let message = format!("`{low}` is {}, above `{high}`, which is {}", number(least), number(most));
    Err(Misuse::new(key, message, help))
}

/// The momentum at the lowest rates, and at the highest: as given, else as `left_out`; of a [`STEADY_MOMENTUM`] both are
/// the same.
fn momenta(settings: &Settings, left_out: Option<[f64; 2]>) -> Result<Option<[f64; 2]>, Misuse> {
    const ENDS: [&str; 2] = ["max_momentum", "min_momentum"];
    let given = ENDS.map(|key| settings.opt_float(key));
    if let Some(momentum) = settings.opt_float("momentum") {
        return match ENDS.into_iter().zip(given).find(|(_, given)| given.is_some()) {
            None => Ok(Some([momentum; 2])),
            Some((key, _)) => {
                let help = "give `momentum` where it stays, or its two ends where it moves";
                Err(Misuse::new(key, format!("`{key}` beside `momentum`"), help))
            }
        };
    }
    let [max, min] = match (given, left_out) {
        ([Some(max), Some(min)], _) => [max, min],
        ([max, min], Some(left_out)) => [max.unwrap_or(left_out[0]), min.unwrap_or(left_out[1])],
        ([None, None], None) => return Ok(None),
        ([max, _], None) => {
            let [given, missing] = if max.is_some() { ENDS } else { [ENDS[1], ENDS[0]] };
            let help = "give both, or `momentum` where it stays";
            return Err(Misuse::new(given, format!("`{given}` without `{missing}`"), help));
        }
    };
    if min > max {
        // At fault is the second, unless the first alone was written.
        let key = if given[1].is_some() { ENDS[1] } else { ENDS[0] };
        let message = format!("`min_momentum` is {}, above `max_momentum`, which is {}", number(min), number(max));
        let help = "momentum falls while the rate rises: give `max_momentum` the larger one, or both the same";
        return Err(Misuse::new(key, message, help));
    }
    Ok(Some([max, min]))
}

/// A rate that has fallen by the same factor so many times.
///
/// Divided, for 1/0.1 is exactly 10: multiplied, 0.5·0.1² would be 0.005000000000000001.
fn fallen(rate: f64, gamma: f64, times: usize) -> f64 {
    rate / (1.0 / gamma).powi(times as i32)
}
