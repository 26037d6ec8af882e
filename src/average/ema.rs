use super::{Average, AverageEntry, EVALUATE, PHASES, every, start, statistics};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: AverageEntry = Entry {
    name: "ema",
    summary: "exponential moving average: each update keeps the share `decay` of the mean",
    cite: "Polyak and Juditsky 1992; PyTorch's get_ema_multi_avg_fn; the warm-up is TensorFlow's ExponentialMovingAverage",
    params: &[
        Param {
            key: "decay",
            kind: Kind::Float(Interval::half_open(0.0, 1.0)),
            default: Default::Toml("0.999"),
            doc: "share of itself that the mean keeps at each update, not each step: 0.99 a step is 0.951 every fifth",
        },
        Param {
            key: "decay_warmup",
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "whether update k, from 0, keeps no more than (1 + k)/(10 + k), so that the first weights are soon forgotten",
        },
        start("'0step'"),
        every("'1step'"),
        PHASES,
        statistics("'average'"),
        EVALUATE,
    ],
    shorthand: Some("decay"),
    make: |settings| Box::new(Ema { decay: settings.float("decay"), warmup: settings.bool("decay_warmup") }),
};

struct Ema {
    decay: f64,
    warmup: bool,
}

impl Average for Ema {
    fn share(&self, k: u64) -> f64 {
        if k == 0 {
            return 1.0;
        }
        let most = if self.warmup { (1 + k) as f64 / (10 + k) as f64 } else { 1.0 };
        1.0 - self.decay.min(most)
    }
}
