use super::{Curve, CurveEntry};
use crate::registry::Entry;

pub static ENTRY: CurveEntry = Entry {
    name: "linear",
    summary: "a straight line: from + (to − from)·i/n",
    cite: "fast.ai 2018, TrainPhase API (DecayType.LINEAR)",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Linear),
};

struct Linear;

impl Curve for Linear {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        from + (to - from) * t
    }
}
