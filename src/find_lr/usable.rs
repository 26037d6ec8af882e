//! Whether anything can be concluded from a curve; where not, why and what to do about it.

use super::curve::{Curve, DIVERGED, End, Point};
use crate::units::number;

/// Fewer points than this are no curve: `slide` compares places fifteen apart.
const FEWEST: usize = 20;
/// A loss that falls by less than this share of itself does not fall.
const LEAST_FALL: f64 = 0.02;

/// Why a curve cannot be used.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unusable {
    /// After so few steps, up to a rate, that no descent can be told.
    DivergesAtOnce { steps: usize, lr: f64 },
    /// From `start` the smoothed loss comes down to `best` at the lowest.
    NeverFalls { start: f64, best: f64, rises: bool },
    /// It falls by less than what one batch differs from the next.
    TooNoisy { fall: f64, noise: f64 },
}

/// Says whether a curve can be used.
///
/// The fall is that of the smoothed loss, from the first point that is looked at to the lowest. It must be 2 % of the loss
/// there, and no less than the noise: the standard deviation of a batch's loss around its trend up to the lowest point,
/// reckoned from successive differences, `√(Σ(xᵢ₊₁ − xᵢ)² / 2(n − 1))` (von Neumann 1941).
///
/// # Errors
/// Why not.
pub fn judge(curve: &Curve) -> Result<(), Unusable> {
    let points = curve.judged();
    let explodes = |point: &Point| point.smoothed > DIVERGED * curve.points[0].loss;
    // Such a sweep need not have been stopped: nothing is the lowest loss before the average has settled.
    if points.len() < FEWEST || explodes(&points[0]) {
        let at = curve.points.iter().position(explodes).unwrap_or(curve.points.len().saturating_sub(1));
        let lr = curve.points.get(at).map_or(0.0, |point| point.lr);
        return Err(Unusable::DivergesAtOnce { steps: at + 1, lr });
    }
    let start = points[0].smoothed;
    let lowest = (0..points.len()).min_by(|a, b| points[*a].smoothed.total_cmp(&points[*b].smoothed)).unwrap_or(0);
    let best = points[lowest].smoothed;
    let descent: Vec<f64> = points[..=lowest].iter().map(|point| point.loss).collect();
    let (fall, noise) = (start - best, noise(&descent));
    if fall < LEAST_FALL * start.abs() {
        return Err(Unusable::NeverFalls { start, best, rises: curve.end != End::Whole });
    }
    if fall < noise { Err(Unusable::TooNoisy { fall, noise }) } else { Ok(()) }
}

/// The deviation around a trend that is slow against the distance of two values.
fn noise(values: &[f64]) -> f64 {
    let squares: f64 = values.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum();
    (squares / (2 * values.len().saturating_sub(1).max(1)) as f64).sqrt()
}

impl Unusable {
    /// One word for other programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::DivergesAtOnce { .. } => "diverges-at-once",
            Self::NeverFalls { .. } => "never-falls",
            Self::TooNoisy { .. } => "too-noisy",
        }
    }

    /// What is wrong with the curve.
    pub fn problem(&self) -> String {
        let short = |x: f64| number((x * 1000.0).round() / 1000.0);
        match *self {
            Self::DivergesAtOnce { steps, lr } => {
                format!("the loss diverges at once: in step {steps}, at a rate of {lr:.1e}")
            }
            Self::NeverFalls { start, best, rises } => {
                let then = if rises { " before it diverges" } else { "" };
                format!(
                    "the loss never falls{then}: it begins at {} and comes to {} at best",
                    short(start),
                    short(best)
                )
            }
            Self::TooNoisy { fall, noise } => format!(
                "the curve is too noisy: the loss falls by {} in all, and by {} from one batch to the next",
                short(fall),
                short(noise)
            ),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::DivergesAtOnce { .. } => {
                "begin lower, with --lr-from; where that does not help, the data or the start of the net are at fault"
            }
            Self::NeverFalls { rises: true, .. } => {
                "take more --steps, so that there is time to learn before the rate is too large"
            }
            Self::NeverFalls { rises: false, .. } => {
                "take more --steps, or begin higher with --lr-from, so that more of them are where the net learns; or go \
                 higher with --lr-to. Where none helps, these weights learn nothing more from these data"
            }
            Self::TooNoisy { .. } => "take larger batches (`--set phases[N].batch=…`) or more --steps",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Sweep;
    use super::*;

    const STEPS: usize = 100;

    fn curve(loss: impl Fn(usize) -> f64) -> Curve {
        let mut sweep = Sweep::new(STEPS);
        (0..STEPS).find_map(|k| sweep.add(1e-7 * 1e8f64.powf(k as f64 / 100.0), loss(k), true)).unwrap()
    }

    /// Between −1 and 1, alike in every run.
    fn jitter(k: usize) -> f64 {
        (k * 7919 % 101) as f64 / 50.0 - 1.0
    }

    fn descent(k: usize) -> f64 {
        2.3 - 1.2 / (1.0 + (-(k as f64 - 50.0) / 5.0).exp())
    }

    #[test]
    fn a_descent_can_be_used_with_noise_or_without() {
        assert_eq!(judge(&curve(descent)), Ok(()));
        assert_eq!(judge(&curve(|k| descent(k) + 0.2 * jitter(k))), Ok(()));
        assert_eq!(judge(&curve(|k| if k < 80 { descent(k) } else { 1e6 })), Ok(()));
    }

    #[test]
    fn what_cannot_be_used_says_why_and_what_to_do() {
        let cases = [
            (curve(|_| 2.3), "never falls: it begins at 2.3 and comes to 2.3 at best", "--lr-to"),
            (curve(|k| if k < 80 { 2.3 } else { 1e6 }), "never falls before it diverges", "--steps"),
            (curve(|k| 2.3 + 0.02 * jitter(k)), "never falls", "--lr-to"),
            (
                curve(|k| if k < 20 { 2.3 } else { f64::NAN }),
                "diverges at once: in step 20, at a rate of 3.3e-6",
                "--lr-from",
            ),
            (curve(|k| if k < 2 { 2.3 } else { 1e9 }), "diverges at once: in step 3", "--lr-from"),
            (curve(|k| descent(k) + 1.5 * jitter(k + 50)), "too noisy", "batch"),
        ];
        for (curve, problem, remedy) in cases {
            let why = judge(&curve).unwrap_err();
            assert!(why.problem().contains(problem), "{}", why.problem());
            assert!(why.remedy().contains(remedy), "{}: {}", why.problem(), why.remedy());
            assert!(!why.word().contains(' '));
        }
    }

    #[test]
    fn noise_is_reckoned_without_the_trend() {
        let slope: Vec<f64> = (0..200).map(|k| -0.001 * k as f64 + 0.3 * jitter(k)).collect();
        let plain: Vec<f64> = (0..200).map(|k| 0.3 * jitter(k)).collect();
        assert!((noise(&slope) / noise(&plain) - 1.0).abs() < 0.01);
        assert_eq!((noise(&[]), noise(&[1.0])), (0.0, 0.0));
    }
}
