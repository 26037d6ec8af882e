//! Statistics for few samples: what a handful of seeds can tell, and what they cannot.
//!
//! Distribution functions are `statrs`'s; every test here is held against SciPy (`scripts/make_stats_fixtures.py`).

mod anova;
mod bootstrap;
mod effect;
mod holm;
mod paired;
mod power;
mod rank;
mod smooth;
mod welch;

#[cfg(test)]
mod tests;

pub use anova::{Anova, Effect, anova};
pub use bootstrap::{Interval, Pairing, bootstrap};
pub use effect::hedges_g;
pub use holm::holm;
pub use paired::paired;
pub use power::{pairs_needed, samples_needed};
pub use rank::{fewest_more, fewest_pairs, rank_sum, signed_rank};
pub use smooth::Smooth;
pub use welch::{Welch, welch};

/// Values that differ by no more than this part of the largest of them differ by how they were rounded.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// Whether values are equal but for rounding.
fn are_equal(values: &[f64]) -> bool {
    let bound = ROUNDING * largest(values);
    bound.is_finite() && values.iter().all(|x| (x - values[0]).abs() <= bound)
}

/// The largest magnitude.
fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest: f64, x| largest.max(x.abs()))
}

/// `a[i] − b[i]`, for tests of pairs. 0.81 − 0.80 and 0.82 − 0.81 are not the same number: magnitudes that rounding of the values
/// alone tells apart are made one, and those that it makes are zero.
pub fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    let bound = ROUNDING * largest(a).max(largest(b));
    let mut differences: Vec<f64> = a.iter().zip(b).map(|(x, y)| x - y).collect();
    let mut order: Vec<usize> = (0..differences.len()).collect();
    order.sort_by(|i, k| differences[*i].abs().total_cmp(&differences[*k].abs()));
    let mut magnitude: f64 = 0.0;
    for k in order {
        let own = differences[k].abs();
        if bound.is_finite() && own - magnitude <= bound {
            differences[k] = magnitude.copysign(differences[k]);
        } else {
            magnitude = own;
        }
    }
    differences
}

/// `Σx / n`; NaN without values. Of equal values it is the first, which the rounded sum would miss: what does not vary has no
/// variance.
pub fn mean(values: &[f64]) -> f64 {
    match values {
        [first, ..] if are_equal(values) => *first,
        _ => values.iter().sum::<f64>() / values.len() as f64,
    }
}

/// Of values in order; of infinite ones infinite.
pub fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        n => 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
    }
}

/// `Σ(x − mean)² / (n − 1)`: unbiased; zero where values are equal but for rounding. `None` for fewer than two.
pub fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = if are_equal(values) { 0.0 } else { values.iter().map(|x| (x - mean).powi(2)).sum() };
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
}

/// The sample standard deviation, the root of [`variance`].
pub fn deviation(values: &[f64]) -> Option<f64> {
    variance(values).map(f64::sqrt)
}
