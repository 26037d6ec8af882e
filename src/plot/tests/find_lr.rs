//! Pictures of range tests.

use super::*;
use crate::plot::{RateCurve, RateMark, RateScale, find_lr};

fn curve(seed: usize, usable: bool, loss: impl Fn(f64) -> f64) -> RateCurve {
    let rates = (0..90).map(|k| 1e-7 * 10f64.powf(f64::from(k) / 12.0));
    let smoothed: Vec<_> = rates.map(|rate| (rate, loss(rate))).collect();
    let raw = smoothed.iter().map(|(rate, loss)| (*rate, loss * 1.1)).collect();
    RateCurve { name: format!("seed {seed}"), raw, smoothed, usable }
}

fn marks() -> Vec<RateMark> {
    let mark = |(words, median): (&str, f64)| RateMark {
        words: format!("{words}: {median}, seeds from {} to {}", median / 3.0, median * 3.0),
        median,
        low: median / 3.0,
        high: median * 3.0,
    };
    [("valley", 1e-3), ("slide", 2e-3), ("minimum/10", 1e-2), ("steepest", 9e-4)].into_iter().map(mark).collect()
}

fn falling(rate: f64) -> f64 {
    2.3 - 1.5 / (1.0 + (1e-3 / rate)) + 1e3 * rate.powi(3)
}

#[test]
fn no_word_lies_over_another() {
    let one = vec![curve(1, true, falling)];
    let mixed: Vec<RateCurve> = (0..9).map(|k| curve(k, k % 3 > 0, move |r| falling(r) + k as f64 * 0.01)).collect();
    let wild = vec![curve(1, false, |_| f64::NAN), curve(2, false, |r| r * 1e200), curve(3, true, |_| 2.3)];
    for scale in [RateScale::Log, RateScale::Linear] {
        for curves in [one.clone(), mixed.clone(), wild.clone(), vec![]] {
            for marks in [marks(), vec![]] {
                let picture = find_lr("a-name: learning-rate range test", "phase 0".to_owned(), &curves, &marks, scale);
                assert_readable(&picture);
                assert!(!picture.contains("NaN") && !picture.contains("inf\""), "{picture}");
            }
        }
    }
}

#[test]
fn rates_are_named_along_the_bottom() {
    let words = |curves: &[RateCurve], scale| -> Vec<String> {
        texts(&find_lr("t", "s".to_owned(), curves, &marks(), scale)).0.into_iter().map(|text| text.1).collect()
    };
    let wide = words(&[curve(1, true, falling)], RateScale::Log);
    for word in ["10⁻⁶", "0.01", "seed 1", "training loss, smoothed"] {
        assert!(wide.iter().any(|w| w == word), "{word} is missing among {wide:?}");
    }
    let mut narrow = curve(1, true, falling);
    narrow.smoothed.retain(|(rate, _)| (0.003..=0.05).contains(rate));
    let few = texts(&find_lr("t", "s".to_owned(), &[narrow], &[], RateScale::Log)).0;
    assert!(few.iter().any(|text| text.1 == "0.02"), "{few:?}");
}
