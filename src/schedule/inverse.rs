use super::{Curve, CurveEntry, away_from_zero};
use crate::registry::{Default, Entry, Interval, Kind, Param};

/// As `(1 + k·i)^−power`, with the `k` that brings it from one end to the other:
///
/// ```text
/// from·(1 + ((from/to)^(1/power) − 1)·i/n)^−power
/// ```
///
/// After `w` steps of warming up to `from`, the Transformer's rate `from·√(w/step)` ends a training of `N` steps at
/// `to = from·√(w/N)`.
pub static ENTRY: CurveEntry = Entry {
    name: "inverse",
    summary: "as one over a power of time: from·(1 + ((from/to)^(1/power) − 1)·i/n)^−power",
    cite: "Robbins and Monro 1951 (power 1); Vaswani et al. 2017, arXiv:1706.03762 (0.5, the inverse square root: \
           behind a warm-up of w steps of N, `to` is from·√(w/N))",
    params: &[Param {
        key: "power",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Required,
        doc: "0.5: the inverse square root; 1: 1/(1 + k·i)",
    }],
    shorthand: Some("power"),
    make: |settings| Box::new(Inverse { power: settings.float("power") }),
};

struct Inverse {
    power: f64,
}

impl Curve for Inverse {
    fn value(&self, from: f64, to: f64, t: f64) -> f64 {
        from * (1.0 + ((from / to).powf(1.0 / self.power) - 1.0) * t).powf(-self.power)
    }

    /// Zero is out of reach, so there is no end to assume.
    fn end(&self, _from: f64) -> Option<f64> {
        None
    }

    fn check(&self, from: f64, to: f64) -> Result<(), &'static str> {
        away_from_zero(from, to)?;
        let steepness = (from / to).powf(1.0 / self.power);
        if steepness.is_finite() { Ok(()) } else { Err("would have to fall too steeply") }
    }
}
