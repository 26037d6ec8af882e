//! Bootstrap intervals of a difference of means.

use super::{are_equal, differences, mean};
use crate::units::{Purpose, rng};
use rand::RngExt as _;
use statrs::distribution::{ContinuousCDF, Normal};

/// Two values give three different resamples: no interval of theirs has any confidence.
const FEWEST: usize = 3;
/// Resamples drawn.
const RESAMPLES: usize = 9_999;

/// How two samples belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pairing {
    /// Not at all: each is drawn again on its own.
    Unpaired,
    /// `a[i]` belongs to `b[i]`, as runs of one seed do: pairs are drawn.
    Paired,
}

impl Pairing {
    /// As `compare --json` and `--csv` write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unpaired => "unpaired",
            Self::Paired => "paired",
        }
    }
}

/// Plausible values, from the least to the greatest.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

impl Interval {
    /// Whether all its values lie between `-margin` and `margin`.
    pub fn is_within(self, margin: f64) -> bool {
        -margin < self.low && self.high < margin
    }

    /// Its value that is farthest from zero.
    pub fn farthest(self) -> f64 {
        if self.low.abs() > self.high.abs() { self.low } else { self.high }
    }
}

/// The bias-corrected and accelerated bootstrap interval of `mean a − mean b` at `confidence` (Efron 1987; SciPy's
/// `bootstrap(method="BCa")`), from 9,999 resamples of a fixed seed: the same samples give the same interval.
///
/// From few values a side it is too narrow, for it cannot leave the range of what was observed: read it as the least that the
/// uncertainty can be. `None` for fewer than three values a side, for pairs of unequal number, and when nothing varies.
pub fn bootstrap(a: &[f64], b: &[f64], pairing: Pairing, confidence: f64) -> Option<Interval> {
    let differences = differences(a, b);
    let samples = match pairing {
        Pairing::Unpaired => vec![(1.0, a), (-1.0, b)],
        Pairing::Paired if a.len() == b.len() => vec![(1.0, differences.as_slice())],
        Pairing::Paired => return None,
    };
    if samples.iter().any(|(_, sample)| sample.len() < FEWEST) {
        return None;
    }
    if samples.iter().all(|(_, sample)| are_equal(sample)) {
        return None;
    }
    let acceleration = acceleration(&samples);
    let resamples = resamples(&samples);
    let normal = Normal::standard();
    // Where the observed value lies among the resamples, those equal to it counted half.
    let observed: f64 = samples.iter().map(|(sign, sample)| sign * mean(sample)).sum();
    let below = resamples.partition_point(|x| *x < observed);
    let up_to = resamples.partition_point(|x| *x <= observed);
    let bias = normal.inverse_cdf((below + up_to) as f64 / (2 * RESAMPLES) as f64);
    let at = |share: f64| {
        let z = bias + normal.inverse_cdf(share);
        let corrected = normal.cdf(bias + z / (1.0 - acceleration * z));
        corrected.is_finite().then(|| percentile(&resamples, corrected))
    };
    let tail = (1.0 - confidence) / 2.0;
    Some(Interval { low: at(tail)?, high: at(1.0 - tail)? })
}

/// The signed sum of means of samples drawn again with replacement, many times, sorted.
fn resamples(samples: &[(f64, &[f64])]) -> Vec<f64> {
    let mut draw = rng(0, Purpose::Bootstrap, 0, 0);
    let mut again = |sample: &[f64]| {
        let sum: f64 = (0..sample.len()).map(|_| sample[draw.random_range(0..sample.len())]).sum();
        sum / sample.len() as f64
    };
    let mut values: Vec<f64> =
        (0..RESAMPLES).map(|_| samples.iter().map(|(sign, sample)| sign * again(sample)).sum()).collect();
    values.sort_by(f64::total_cmp);
    values
}

/// A sixth of the skewness of the jackknife's influence values: leaving `x` out of a sample of n moves its mean in
/// proportion to `(x − mean) / n`.
fn acceleration(samples: &[(f64, &[f64])]) -> f64 {
    let influences: Vec<f64> = samples
        .iter()
        .flat_map(|(sign, sample)| {
            let centre = mean(sample);
            sample.iter().map(move |x| sign * (x - centre) / sample.len() as f64)
        })
        .collect();
    let moment = |power: i32| influences.iter().map(|u| u.powi(power)).sum::<f64>();
    moment(3) / (6.0 * moment(2).powf(1.5))
}

/// Between the two nearest of sorted values, as NumPy's `percentile` does by default.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + part * (sorted[high] - sorted[low])
}
