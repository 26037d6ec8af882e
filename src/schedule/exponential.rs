use super::{Curve, CurveEntry, away_from_zero};
use crate::registry::Entry;

pub static ENTRY: CurveEntry = Entry {
    name: "exponential",
    summary: "by the same factor each step: from·(to/from)^(i/n)",
    cite: "fast.ai 2018, TrainPhase API (DecayType.EXPONENTIAL)",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Exponential),
};

struct Exponential;

impl Curve for Exponential {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        from * (to / from).powf(t)
    }

    /// Zero is out of reach, so there is no end to assume.
    fn end(&self, _from: f64) -> Option<f64> {
        None
    }

    fn check(&self, from: f64, to: f64) -> Result<(), &'static str> {
        away_from_zero(from, to)
    }
}
