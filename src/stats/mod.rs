//! Statistics for few samples: what a handful of seeds can tell, and what they cannot.
//!
//! Distribution functions are `statrs`'s; every test here is held against SciPy (`scripts/make_stats_fixtures.py`).

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

pub use bootstrap::{Interval, Pairing, bootstrap};
pub use effect::hedges_g;
pub use holm::holm;
pub use paired::paired;
pub use power::{pairs_needed, samples_needed};
pub use rank::{rank_sum, signed_rank};
pub use smooth::Smooth;
pub use welch::{Welch, welch};

/// `Σx / n`; NaN without values. Of equal values it is that value, which the rounded sum would miss: what does not vary has
/// no variance.
pub fn mean(values: &[f64]) -> f64 {
    match values {
        [first, others @ ..] if others.iter().all(|x| x == first) => *first,
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

/// `Σ(x − mean)² / (n − 1)`: unbiased; `None` for fewer than two values.
pub fn variance(values: &[f64]) -> Option<f64> {
    let mean = mean(values);
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (values.len() > 1).then(|| squares / (values.len() - 1) as f64)
}

/// The sample standard deviation, the root of [`variance`].
pub fn deviation(values: &[f64]) -> Option<f64> {
    variance(values).map(f64::sqrt)
}
