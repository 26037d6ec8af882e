//! Means of the weights over training: what share of the mean each update gives to the newest weights.

pub mod ema;
pub mod lookahead;
pub mod swa;

use crate::registry::{Default, Describe, Entry, Family, Kind, Param, Settings};
use crate::words;

/// A running mean: `mean ← mean + share·(weights − mean)`.
pub trait Average: Send + Sync {
    /// The share of update `k`, from 0; the first one is 1, as there is no mean before it. `decay`: what a setting of that name has
    /// come to; means without one do not look at it.
    fn share(&self, k: u64, decay: f64) -> f64;
}

/// An entry of the family `average`. Each has the settings `statistics` and `evaluate`, besides its own, and either both
/// `start`, `every` and `phases` or none of them: then weights are taken in whenever lookahead has mixed them.
pub type AverageEntry = Entry<fn(&Settings) -> Box<dyn Average>>;

pub static ENTRIES: &[&AverageEntry] = &[&swa::ENTRY, &ema::ENTRY, &lookahead::ENTRY];

pub static FAMILY: Family = Family {
    name: "average",
    doc: "A mean of the weights over training, evaluated and saved as a model of its own",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// Where the running statistics of averaged weights come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// One pass over the training images, before the weights are evaluated.
    Measure,
    /// They are averaged as the weights are.
    Average,
}

words!(Statistics { Measure = "measure", Average = "average" });

/// The evaluations that the averaged weights are part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvaluatedAt {
    Every,
    Last,
}

words!(EvaluatedAt { Every = "every", Last = "last" });

const fn start(default: &'static str) -> Param {
    Param {
        key: "start",
        kind: Kind::Duration { unit: None },
        default: Default::Toml(default),
        doc: "how much of training is over when the first weights are taken in",
    }
}

const fn every(default: &'static str) -> Param {
    Param {
        key: "every",
        kind: Kind::Duration { unit: None },
        default: Default::Toml(default),
        doc: "how often weights are taken in, counted from the start of training",
    }
}

const PHASES: Param = Param {
    key: "phases",
    kind: Kind::Bool,
    default: Default::Absent,
    doc: "whether weights are taken in at the ends of phases, so of each cycle of a recipe, in place of `every`; left out: not",
};

const fn statistics(default: &'static str) -> Param {
    Param {
        key: "statistics",
        kind: Kind::Word(Statistics::WORDS),
        default: Default::Toml(default),
        doc: "whether the running statistics of batch norm are averaged too, or measured by a pass over the training images \
              before each evaluation",
    }
}

const EVALUATE: Param = Param {
    key: "evaluate",
    kind: Kind::Word(EvaluatedAt::WORDS),
    default: Default::Toml("'every'"),
    doc: "the evaluations that the averaged weights are part of, for a column `val_acc_avg`: every one, or the last alone",
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Value;

    fn made(entry: &AverageEntry, settings: &[(&str, Value)]) -> Box<dyn Average> {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        (entry.make)(&Settings(settings))
    }

    #[test]
    fn shares_are_equal_or_fall_off() {
        let shares = |average: &dyn Average, decay| [0, 1, 2, 3].map(|k| average.share(k, decay));
        assert_eq!(shares(&*made(&swa::ENTRY, &[]), f64::NAN), [1.0, 1.0 / 2.0, 1.0 / 3.0, 1.0 / 4.0]);
        let ema = |decay, warmup| shares(&*made(&ema::ENTRY, &[(ema::DECAY_WARMUP, Value::Bool(warmup))]), decay);
        assert_eq!(ema(0.75, false), [1.0, 0.25, 0.25, 0.25]);
        // (1 + k)/(10 + k) is 2/11, 3/12, 4/13.
        assert_eq!(ema(0.24, true), [1.0, 1.0 - 2.0 / 11.0, 1.0 - 0.24, 1.0 - 0.24]);
    }

    /// The steps at which timm's documentation of ModelEmaV3 has its warm-up come to 0.999 and 0.9999; it copies the first weights too.
    #[test]
    fn the_warm_up_by_a_power_is_that_of_timm() {
        let kept = |power: f64, gamma: Option<f64>, k: u64| {
            let mut settings = vec![(ema::DECAY_WARMUP, Value::Bool(false)), (ema::WARMUP_POWER, Value::Float(power))];
            settings.extend(gamma.map(|gamma| (ema::WARMUP_GAMMA, Value::Float(gamma))));
            1.0 - made(&ema::ENTRY, &settings).share(k, 0.99995)
        };
        let two_thirds = 2.0 / 3.0;
        for (power, steps, decay) in [
            (two_thirds, 31_600, 0.999),
            (two_thirds, 1_000_000, 0.9999),
            (0.75, 10_000, 0.999),
            (0.75, 215_400, 0.9999),
        ] {
            assert!((kept(power, None, steps) - decay).abs() < 1e-6, "{power} {steps}: {}", kept(power, None, steps));
        }
        assert_eq!([kept(two_thirds, None, 0), kept(1.0, None, 1), kept(1.0, Some(4.0), 4)], [0.0, 0.5, 0.5]);
        assert_eq!(kept(1.0, None, 1_000_000), 1.0 - (1.0 - 0.99995), "no more than the decay");
    }

    #[test]
    fn all_have_the_common_settings() {
        for entry in ENTRIES {
            let keys: Vec<&str> = entry.params.iter().map(|param| param.key).collect();
            assert!(keys.ends_with(&["statistics", "evaluate"]), "{}: {keys:?}", entry.name);
            assert_eq!(keys.contains(&"start"), keys.contains(&"every"), "{}: {keys:?}", entry.name);
        }
    }
}
