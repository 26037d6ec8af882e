//! Effect size.

use super::{mean, variance};

/// Hedges' g: the difference of the means in pooled standard deviations, corrected for the bias of small samples
/// (Hedges 1981, with the approximation `1 − 3 / (4 df − 1)`). About 0.2 is small, 0.8 large; between schedules of training
/// several are common.
///
/// `None` for fewer than two values on a side, or when neither sample varies.
pub fn hedges_g(a: &[f64], b: &[f64]) -> Option<f64> {
    let (na, nb) = (a.len() as f64 - 1.0, b.len() as f64 - 1.0);
    let df = na + nb;
    let pooled = ((na * variance(a)? + nb * variance(b)?) / df).sqrt();
    let correction = 1.0 - 3.0 / (4.0 * df - 1.0);
    (pooled > 0.0).then(|| correction * (mean(a) - mean(b)) / pooled)
}
