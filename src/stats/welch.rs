//! Welch's test.

use super::{mean, variance};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// What Welch's test found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Welch {
    /// `(mean a − mean b) / √(s²a/na + s²b/nb)`
    pub t: f64,
    /// Degrees of freedom after Welch and Satterthwaite; not whole.
    pub df: f64,
    /// Two-sided.
    pub p: f64,
}

/// Whether two samples have different means, their variances being whatever they are (Welch 1947; SciPy's
/// `ttest_ind(equal_var=False)`).
///
/// `None` where it cannot be told: fewer than two values on a side, or neither sample varies.
pub fn welch(a: &[f64], b: &[f64]) -> Option<Welch> {
    let (va, vb) = (variance(a)? / a.len() as f64, variance(b)? / b.len() as f64);
    let error = va + vb;
    if error.is_nan() || error <= 0.0 {
        return None;
    }
    let t = (mean(a) - mean(b)) / error.sqrt();
    let df = error.powi(2) / (va.powi(2) / (a.len() - 1) as f64 + vb.powi(2) / (b.len() - 1) as f64);
    let distribution = StudentsT::new(0.0, 1.0, df).ok()?;
    Some(Welch { t, df, p: (2.0 * distribution.sf(t.abs())).min(1.0) })
}
