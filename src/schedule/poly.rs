use super::{Curve, CurveEntry};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: CurveEntry = Entry {
    name: "poly",
    summary: "a power of what is left: to + (from − to)·(1 − i/n)^power",
    cite: "fast.ai 2018, TrainPhase API (DecayType.POLYNOMIAL)",
    params: &[Param {
        key: "power",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Required,
        doc: "1 is linear; below 1 the decay comes late, above 1 early; 0.9 is the usual one",
    }],
    shorthand: Some("power"),
    make: |settings| Box::new(Poly { power: settings.float("power") }),
};

struct Poly {
    power: f64,
}

impl Curve for Poly {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        to + (from - to) * (1.0 - t).powf(self.power)
    }
}
