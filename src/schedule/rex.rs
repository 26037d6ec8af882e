use super::{Curve, CurveEntry};
use crate::registry::Entry;

pub static ENTRY: CurveEntry = Entry {
    name: "rex",
    summary: "near the line at first, and late to fall: to + (from − to)·(1 − i/n)/(1 − i/n/2)",
    cite: "Chen, Wolfe and Kyrillidis 2021, REX: Revisiting Budgeted Training with an Improved Schedule, arXiv:2107.04197",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Rex),
};

struct Rex;

impl Curve for Rex {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        to + (from - to) * (1.0 - t) / (1.0 - t / 2.0)
    }
}
