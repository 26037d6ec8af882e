//! Student's test of pairs.

use super::{mean, variance};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// Whether paired differences have a mean other than zero (Student 1908; SciPy's `ttest_rel`). Two-sided p.
///
/// What both of a pair share, such as a seed or a beginning that was trained once for both, goes out of the differences: where
/// values of a pair rise and fall together, fewer pairs settle a question than [`welch`](super::welch) needs.
///
/// `None` where it cannot be told: fewer than two differences, or all are equal. Of values that were rounded take
/// [`differences`](super::differences).
pub fn paired(differences: &[f64]) -> Option<f64> {
    let n = differences.len() as f64;
    let error = (variance(differences)? / n).sqrt();
    if error.is_nan() || error <= 0.0 {
        return None;
    }
    let t = mean(differences) / error;
    let distribution = StudentsT::new(0.0, 1.0, n - 1.0).ok()?;
    Some((2.0 * distribution.sf(t.abs())).min(1.0))
}
