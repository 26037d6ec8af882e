//! Whole vectors, for rules that look at all parameters at once: sums in `f64`, in a fixed order.

use super::pass::CHUNK;
use rayon::prelude::*;

/// `Σ aᵢ·bᵢ`
pub fn dot(a: &[f32], b: &[f32]) -> f64 {
    let part = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    a.par_chunks(CHUNK).zip(b.par_chunks(CHUNK)).map(part).collect::<Vec<f64>>().into_iter().sum()
}

/// `Σ |aᵢ|`
pub fn sum_abs(a: &[f32]) -> f64 {
    let part = |a: &[f32]| a.iter().map(|a| f64::from(a.abs())).sum::<f64>();
    a.par_chunks(CHUNK).map(part).collect::<Vec<f64>>().into_iter().sum()
}

/// `max |aᵢ|`, 0 of nothing; NaN where one is.
pub fn max_abs(a: &[f32]) -> f64 {
    let larger = |most: f32, a: f32| if most.is_nan() || a.abs() <= most { most } else { a.abs() };
    let part = |a: &[f32]| a.iter().fold(0.0, |most, a| larger(most, *a));
    f64::from(a.par_chunks(CHUNK).map(part).collect::<Vec<f32>>().into_iter().fold(0.0, larger))
}

/// `to ← to + by·a`
pub fn add(to: &mut [f32], by: f64, a: &[f32]) {
    let by = by as f32;
    let part = |(to, a): (&mut [f32], &[f32])| to.iter_mut().zip(a).for_each(|(to, a)| *to += by * a);
    to.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).for_each(part);
}

/// `by·a`
pub fn scaled(a: &[f32], by: f64) -> Vec<f32> {
    let by = by as f32;
    a.par_iter().with_min_len(CHUNK).map(|a| by * a).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_the_plain_ones() {
        for len in [0, 1, 5, CHUNK, 2 * CHUNK + 3] {
            let a: Vec<f32> = (0..len).map(|i| (i % 17) as f32 - 8.0).collect();
            let b: Vec<f32> = (0..len).map(|i| (i % 5) as f32).collect();
            let plain: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a * b)).sum();
            assert_eq!(dot(&a, &b), plain);
            assert_eq!(sum_abs(&a), a.iter().map(|a| f64::from(a.abs())).sum::<f64>());
            assert_eq!(max_abs(&a), f64::from(a.iter().fold(0.0f32, |m, a| m.max(a.abs()))));
            let mut c = a.clone();
            add(&mut c, 0.5, &b);
            assert!(c.iter().zip(&a).zip(&b).all(|((c, a), b)| *c == a + 0.5 * b));
        }
        assert!(max_abs(&[1.0, f32::NAN, 3.0]).is_nan());
    }
}
