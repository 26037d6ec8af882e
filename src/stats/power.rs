//! How many more seeds would settle a question.

use super::{mean, variance};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// With so many the answer is "very many".
const MOST: usize = 10_000;

/// About how many values a side Welch's test would need to find a difference like the one observed at level `alpha` with
/// probability `power`, were difference and variances exactly as observed:
/// `n ≥ (s²a + s²b) (t₁₋α/₂ + t_power)² / Δ²`, with the t quantiles of `2n − 2` degrees of freedom.
///
/// It is rough: from three seeds the observed difference itself is. `None` where nothing can be said: fewer than two values
/// on a side, no difference, or more than 10,000.
pub fn samples_needed(a: &[f64], b: &[f64], alpha: f64, power: f64) -> Option<usize> {
    needed(mean(a) - mean(b), variance(a)? + variance(b)?, |n| 2 * n - 2, (alpha, power))
}

/// The same for the test of pairs with such differences, [`paired`](super::paired): `n ≥ s² (t₁₋α/₂ + t_power)² / Δ²`, with the t
/// quantiles of `n − 1` degrees of freedom.
pub fn pairs_needed(differences: &[f64], alpha: f64, power: f64) -> Option<usize> {
    needed(mean(differences), variance(differences)?, |n| n - 1, (alpha, power))
}

fn needed(
    difference: f64,
    variance: f64,
    freedom: impl Fn(usize) -> usize,
    (alpha, power): (f64, f64),
) -> Option<usize> {
    if difference == 0.0 || !difference.is_finite() || !variance.is_finite() {
        return None;
    }
    let enough = |n: usize| {
        let t = StudentsT::new(0.0, 1.0, freedom(n) as f64).ok();
        let quantiles = t.map_or(f64::INFINITY, |t| t.inverse_cdf(1.0 - alpha / 2.0) + t.inverse_cdf(power));
        n as f64 >= variance * quantiles.powi(2) / difference.powi(2)
    };
    if !enough(MOST) {
        return None;
    }
    // More degrees of freedom only make it easier, so the numbers that are enough are all those from some n on.
    let (mut low, mut high) = (1, MOST);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if enough(middle) { high = middle } else { low = middle }
    }
    Some(high)
}
