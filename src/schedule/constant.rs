use super::{Curve, CurveEntry};
use crate::registry::{Entry, RampValue};

pub static ENTRY: CurveEntry = Entry {
    name: RampValue::CONSTANT,
    summary: "stays at `from`",
    cite: "fast.ai 2018, TrainPhase API (DecayType.NO)",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Constant),
};

struct Constant;

impl Curve for Constant {
    fn value(&self, from: f64, _to: f64, _t: f64) -> f64 {
        from
    }

    fn end(&self, from: f64) -> Option<f64> {
        Some(from)
    }

    fn check(&self, from: f64, to: f64) -> Result<(), &'static str> {
        if from == to { Ok(()) } else { Err("stays at `from` and never reaches another value") }
    }
}
