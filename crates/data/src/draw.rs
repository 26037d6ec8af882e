//! Random draws whose values depend on the generator's bits alone: not on the width of `usize`, the mathematics library
//! or the version of a crate.

use rand_chacha::rand_core::Rng;

/// A whole number in `0..n`, each equally likely (Lemire 2019, "Fast random integer generation in an interval").
///
/// # Panics
/// When `n` is 0.
pub fn below(rng: &mut impl Rng, n: u32) -> u32 {
    assert!(n > 0, "a draw from an empty range");
    // The low half tells how far into its slot the draw fell; the first `2^32 mod n` places of a slot are one too many.
    let reject = n.wrapping_neg() % n;
    loop {
        let wide = u64::from(rng.next_u32()) * u64::from(n);
        if wide as u32 >= reject {
            return (wide >> 32) as u32;
        }
    }
}

/// Puts them in an order of which each is equally likely.
///
/// # Panics
/// When there are more of them than a `u32` counts.
pub fn shuffle<T>(rng: &mut impl Rng, items: &mut [T]) {
    let count = u32::try_from(items.len()).expect("fewer than 2³²");
    for last in (1..count).rev() {
        items.swap(last as usize, below(rng, last + 1) as usize);
    }
}

/// Heads or tails.
pub fn coin(rng: &mut impl Rng) -> bool {
    rng.next_u32() >> 31 == 1
}

/// A number in `[low, high)`, in steps of 2⁻²⁴ of the range.
pub fn between(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    low + (high - low) * ((rng.next_u32() >> 8) as f32 / 16_777_216.0)
}

/// A direction in the plane as a unit vector, without sine and cosine, which differ between systems: a point of the
/// unit disc, pushed out to its rim.
pub fn direction(rng: &mut impl Rng) -> (f32, f32) {
    loop {
        let (x, y) = (between(rng, -1.0, 1.0), between(rng, -1.0, 1.0));
        let squared = x * x + y * y;
        if squared > 0.01 && squared <= 1.0 {
            let length = squared.sqrt();
            return (x / length, y / length);
        }
    }
}

/// A number in `[0, 1]` of the distribution Beta(α, α).
///
/// Up to α = 1 by Jöhnk's rejection, in logarithms, so that a small α loses nothing; above by Ulrich's formula,
/// `½ + ½·cos(2πv)·√(1 − u^(2/(2α − 1)))` (Devroye 1986, Non-Uniform Random Variate Generation, IX.3). Logarithms differ
/// between systems in the last bit of an `f64`, of which nothing is left in almost any `f32`.
pub fn beta(rng: &mut impl Rng, alpha: f64) -> f32 {
    // Neither 0 nor 1.
    let uniform = |word: u32| (f64::from(word) + 0.5) / 2f64.powi(32);
    if alpha > 1.0 {
        let radius = (1.0 - uniform(rng.next_u32()).powf(2.0 / (2.0 * alpha - 1.0))).sqrt();
        return (0.5 + 0.5 * f64::from(direction(rng).0) * radius) as f32;
    }
    loop {
        let [a, b] = [rng.next_u32(), rng.next_u32()].map(|word| uniform(word).ln() / alpha);
        let top = a.max(b);
        let sum = top + ((a - top).exp() + (b - top).exp()).ln();
        if sum <= 0.0 {
            return (a - sum).exp() as f32;
        }
    }
}

/// A number of mean 0 and deviation 1, nearly normal: the four bytes of a word, summed (Irwin–Hall).
pub fn noise(rng: &mut impl Rng) -> f32 {
    /// Four times the mean of a byte, and twice its deviation, √((256² − 1)/12).
    const MEAN: f32 = 510.0;
    const DEVIATION: f32 = 147.80054;
    let sum: u32 = rng.next_u32().to_le_bytes().into_iter().map(u32::from).sum();
    (sum as f32 - MEAN) / DEVIATION
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Purpose, rng};

    #[test]
    fn whole_numbers_fill_their_range_evenly() {
        let mut rng = rng(1, Purpose::Order, 0, 0);
        for n in [1, 2, 7, 10] {
            let mut counts = vec![0u32; n as usize];
            for _ in 0..10_000 {
                counts[below(&mut rng, n) as usize] += 1;
            }
            let expected = 10_000 / n;
            assert!(counts.iter().all(|c| c.abs_diff(expected) < 300), "{n}: {counts:?}");
        }
    }

    #[test]
    fn the_largest_range_rejects_nothing_it_should_keep() {
        let mut rng = rng(2, Purpose::Order, 0, 0);
        let mean = (0..4096).map(|_| f64::from(below(&mut rng, u32::MAX))).sum::<f64>() / 4096.0;
        assert!((mean / f64::from(u32::MAX) - 0.5).abs() < 0.03, "{mean}");
    }

    #[test]
    fn noise_is_centred_and_of_unit_deviation() {
        let mut rng = rng(3, Purpose::Generate, 0, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| f64::from(noise(&mut rng))).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05, "{mean} {variance}");
    }

    /// Mean, variance and fourth central moment of Beta(α, α): ½, 1/(4(2α + 1)), 3/(16(2α + 1)(2α + 3)).
    #[test]
    fn shares_have_the_moments_of_their_distribution() {
        for alpha in [1e-3, 0.1, 0.4, 1.0, 1.001, 2.0, 8.0, 1e3] {
            let mut rng = rng(5, Purpose::Mix, 0, 0);
            let draws: Vec<f64> = (0..40_000).map(|_| f64::from(beta(&mut rng, alpha))).collect();
            assert!(draws.iter().all(|share| (0.0..=1.0).contains(share)), "{alpha}");
            let moment = |k: i32| draws.iter().map(|x| (x - 0.5).powi(k)).sum::<f64>() / draws.len() as f64;
            let (second, fourth) = (0.25 / (2.0 * alpha + 1.0), 3.0 / 16.0 / (2.0 * alpha + 1.0) / (2.0 * alpha + 3.0));
            assert!(moment(1).abs() < 4.0 * (second / 40_000.0).sqrt(), "{alpha}: {}", moment(1));
            assert!((moment(2) / second - 1.0).abs() < 0.04, "{alpha}: {} is not {second}", moment(2));
            assert!((moment(4) / fourth - 1.0).abs() < 0.08, "{alpha}: {} is not {fourth}", moment(4));
        }
    }

    #[test]
    fn directions_have_unit_length() {
        let mut rng = rng(4, Purpose::Generate, 0, 0);
        for _ in 0..1000 {
            let (x, y) = direction(&mut rng);
            assert!((x * x + y * y - 1.0).abs() < 1e-5);
        }
    }
}
