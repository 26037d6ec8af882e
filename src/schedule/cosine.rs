use super::{Curve, CurveEntry};
use crate::registry::Entry;
use std::f64::consts::PI;

/// The lesson's notebook prints the bracket in the wrong place, `cos(i·π)/n`; its code, like this, takes `cos(π·i/n)`.
pub static ENTRY: CurveEntry = Entry {
    name: "cosine",
    summary: "half a cosine wave: to + (from − to)/2·(1 + cos(π·i/n))",
    cite: "Loshchilov and Hutter 2016, arXiv:1608.03983; fast.ai 2018, TrainPhase API (DecayType.COSINE)",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Cosine),
};

struct Cosine;

impl Curve for Cosine {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        to + (from - to) / 2.0 * (1.0 + (PI * t).cos())
    }
}
