use super::{LossScale, LossScaleEntry, Scale};
use crate::registry::{Default, Entry, Interval, Kind, Param};

/// A scale grows no further than this, 2²⁴: it would only be halved again.
pub const LARGEST: f64 = 16_777_216.0;

pub static ENTRY: LossScaleEntry = Entry {
    name: "dynamic",
    summary: "a factor that is lowered, and the step left out, when a gradient is not finite, and raised after many good steps",
    cite: "PyTorch's GradScaler; Micikevicius et al. 2018, arXiv:1710.03740",
    params: &[
        Param {
            key: "initial",
            kind: Kind::Float(Interval::closed(1.0, LARGEST)),
            default: Default::Toml("65536.0"),
            doc: "the factor of the first step",
        },
        Param {
            key: "growth",
            kind: Kind::Float(Interval::at_least(1.0)),
            default: Default::Toml("2.0"),
            doc: "times so much when it is raised",
        },
        Param {
            key: "backoff",
            kind: Kind::Float(Interval { min_open: true, ..Interval::half_open(0.0, 1.0) }),
            default: Default::Toml("0.5"),
            doc: "times so much when it is lowered; training ends where it would fall below 1",
        },
        Param {
            key: "every",
            kind: Kind::Int { min: 1, max: i32::MAX as i64 },
            default: Default::Toml("2000"),
            doc: "good steps in a row after which it is raised",
        },
    ],
    shorthand: Some("initial"),
    make: |settings| {
        Box::new(Dynamic {
            initial: settings.float("initial"),
            growth: settings.float("growth"),
            backoff: settings.float("backoff"),
            every: settings.int("every").unsigned_abs(),
        })
    },
};

struct Dynamic {
    initial: f64,
    growth: f64,
    backoff: f64,
    every: u64,
}

impl LossScale for Dynamic {
    fn initial(&self) -> f64 {
        self.initial
    }

    fn after(&self, scale: Scale, finite: bool) -> Option<Scale> {
        let Scale { value, streak, skipped } = scale;
        if !finite {
            let value = value * self.backoff;
            return (value >= 1.0).then_some(Scale { value, streak: 0, skipped: skipped + 1 });
        }
        Some(match streak + 1 >= self.every {
            true => Scale { value: (value * self.growth).min(LARGEST), streak: 0, skipped },
            false => Scale { value, streak: streak + 1, skipped },
        })
    }
}
