use super::{Average, AverageEntry, EVALUATE, PHASES, every, start, statistics};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: AverageEntry = Entry {
    name: "ema",
    summary: "exponential moving average: each update keeps the share `decay` of the mean",
    cite: "Polyak and Juditsky 1992; PyTorch's get_ema_multi_avg_fn; the warm-ups are those of TensorFlow's ExponentialMovingAverage and timm's \
           ModelEmaV3",
    params: &[
        Param {
            key: "decay",
            kind: Kind::Ramp(Interval::half_open(0.0, 1.0)),
            default: Default::Toml("0.999"),
            doc: "share of itself that the mean keeps at each update, not each step: 0.99 a step is 0.951 every fifth; a curve runs from \
                  the start of training to its end",
        },
        Param {
            key: DECAY_WARMUP,
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "whether update k, from 0, keeps no more than (1 + k)/(10 + k), so that the first weights are soon forgotten",
        },
        Param {
            key: WARMUP_POWER,
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Absent,
            doc: "in place of `decay_warmup`: update k, from 0, keeps no more than 1 − (1 + k/`warmup_gamma`)^−`warmup_power`, as timm's \
                  ModelEmaV3; 0.6667 comes to 0.999 after 31.6 thousand updates, 0.75 after 10 thousand",
        },
        Param {
            key: WARMUP_GAMMA,
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Absent,
            doc: "updates that `warmup_power` counts as one; left out: 1",
        },
        start("'0step'"),
        every("'1step'"),
        PHASES,
        statistics("'average'"),
        EVALUATE,
    ],
    shorthand: Some("decay"),
    make: |settings| {
        let warmup = match settings.opt_float(WARMUP_POWER) {
            Some(power) => Warmup::Power { power, gamma: settings.opt_float(WARMUP_GAMMA).unwrap_or(1.0) },
            None if settings.bool(DECAY_WARMUP) => Warmup::Count,
            None => Warmup::None,
        };
        Box::new(Ema { warmup })
    },
};

/// Keys of the settings that warm a mean up.
pub const DECAY_WARMUP: &str = "decay_warmup";
pub const WARMUP_POWER: &str = "warmup_power";
pub const WARMUP_GAMMA: &str = "warmup_gamma";

struct Ema {
    warmup: Warmup,
}

/// What the first updates keep at most.
enum Warmup {
    None,
    /// (1 + k)/(10 + k)
    Count,
    /// 1 − (1 + k/gamma)^−power
    Power {
        power: f64,
        gamma: f64,
    },
}

impl Average for Ema {
    fn share(&self, k: u64, decay: f64) -> f64 {
        if k == 0 {
            return 1.0;
        }
        let most = match self.warmup {
            Warmup::None => 1.0,
            Warmup::Count => (1 + k) as f64 / (10 + k) as f64,
            Warmup::Power { power, gamma } => 1.0 - (1.0 + k as f64 / gamma).powf(-power),
        };
        1.0 - decay.min(most)
    }
}
