//! Places and spans within a recipe, given in epochs, in steps or as shares of its length.

use super::Misuse;
use crate::registry::{Duration, DurationUnit, Kind, Settings, Value};
use crate::schedule::Length;

/// A place or a span; a plain number is one of epochs, whatever the recipe's length is given in: what `--set` makes of
/// that changes no other setting.
pub const PLACE: Kind = Kind::Duration { unit: Some(DurationUnit::Epochs) };

/// Places counted from the recipe's start, all in epochs or all in steps.
pub struct Places {
    key: &'static str,
    given: Vec<Duration>,
    /// What they are counted in.
    pub unit: DurationUnit,
    /// Of shares of a length in steps, not whole.
    pub at: Vec<f64>,
}

impl Places {
    /// The places under `key` in a recipe that is so long, where it says how long it is: shares are of that.
    pub fn new(settings: &Settings, key: &'static str, whole: Option<Length>) -> Result<Self, Misuse> {
        let place = |value| if let Value::Duration(place) = value { Some(place) } else { None };
        let given: Vec<Duration> = settings.list(key).into_iter().filter_map(place).collect();
        let own = given.iter().find(|place| place.unit != DurationUnit::Percent && place.amount > 0.0);
        let of_whole = whole.map(|whole| in_unit(whole).0);
        let unit = of_whole.or(own.map(|place| place.unit)).unwrap_or(DurationUnit::Epochs);
        let counted = |(k, place): (usize, &Duration)| counted(&format!("{key}[{k}]"), *place, unit, whole);
        let at = given.iter().enumerate().map(counted).collect::<Result<Vec<f64>, Misuse>>()?;
        Ok(Self { key, given, unit, at })
    }

    /// One of them in words: `epoch 5`, `23%`.
    pub fn named(&self, k: usize) -> String {
        named(self.given[k])
    }

    /// That none lies before the one in front of it, nor, unless there are `jumps`, at the same place.
    pub fn ascend(&self, jumps: bool) -> Result<(), Misuse> {
        let at = &self.at;
        let is_wrong = |k: &usize| at[*k] < at[k - 1] || (at[*k] == at[k - 1] && !jumps);
        match (1..at.len()).find(is_wrong) {
            None => Ok(()),
            Some(k) => {
                let message = format!("{} does not come after {}", self.named(k), self.named(k - 1));
                let help = "places are counted from the recipe's start and go up";
                Err(Misuse::new(format!("{}[{k}]", self.key), message, help))
            }
        }
    }
}

/// What a place or a span comes to in `unit`, epochs or steps; a share is one of the `whole`.
pub fn counted(key: &str, place: Duration, unit: DurationUnit, whole: Option<Length>) -> Result<f64, Misuse> {
    match place.unit {
        // Nothing is the same in any unit.
        _ if place.amount == 0.0 => Ok(0.0),
        DurationUnit::Percent => match whole {
            Some(whole) => Ok(place.amount / 100.0 * in_unit(whole).1),
            None => {
                let message = format!("{place} of a length that is not given");
                Err(Misuse::new(key, message, "give `epochs = …` (may be fractional) or `steps = …`"))
            }
        },
        own if own == unit => Ok(place.amount),
        own => {
            let message = format!("{place} is in {}, and the recipe in {}", in_words(own), in_words(unit));
            let help = "a number is one of epochs: write `\"300step\"` for steps, `\"30%\"` for a share of the length";
            Err(Misuse::new(key, message, help))
        }
    }
}

/// The length from one place to another. Steps are whole: each place is the nearest.
pub fn between(unit: DurationUnit, from: f64, to: f64) -> Length {
    match unit {
        DurationUnit::Steps => Length::Steps((to.round() - from.round()) as u64),
        _ => Length::Epochs(to - from),
    }
}

/// A length as its unit and amount.
pub fn in_unit(length: Length) -> (DurationUnit, f64) {
    match length {
        Length::Epochs(epochs) => (DurationUnit::Epochs, epochs),
        Length::Steps(steps) => (DurationUnit::Steps, steps as f64),
    }
}

/// Where a recipe that is so long ends, in words: `epoch 30`.
pub fn end(whole: Length) -> String {
    let (unit, amount) = in_unit(whole);
    named(Duration { amount, unit })
}

/// A place in words.
pub fn named(place: Duration) -> String {
    match place.unit {
        DurationUnit::Epochs => format!("epoch {}", place.amount),
        DurationUnit::Steps => format!("step {}", place.amount),
        DurationUnit::Percent => place.to_string(),
    }
}

/// What is counted in a unit.
pub fn in_words(unit: DurationUnit) -> &'static str {
    match unit {
        DurationUnit::Epochs => "epochs",
        DurationUnit::Steps => "steps",
        DurationUnit::Percent => "per cent",
    }
}
