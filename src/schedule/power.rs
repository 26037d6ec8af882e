use super::{Curve, CurveEntry};
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: CurveEntry = Entry {
    name: "power",
    summary: "a power of what is done: from + (to − from)·(i/n)^exponent",
    cite: "cifar10-airbench's lookahead (Jordan 2024, arXiv:2404.00498), with exponent 3",
    params: &[Param {
        key: "exponent",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Required,
        doc: "1 is linear; above 1 the change comes late, below 1 early",
    }],
    shorthand: Some("exponent"),
    make: |settings| Box::new(Power { exponent: settings.float("exponent") }),
};

struct Power {
    exponent: f64,
}

impl Curve for Power {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        from + (to - from) * t.powf(self.exponent)
    }
}
