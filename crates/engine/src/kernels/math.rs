//! Functions that processors have no instruction for, a vector at a time.

use super::simd::Simd;

/// `eˣ` for `x ≤ 0`: relative error below 2e-7; below `e⁻⁸⁷` the result stays there. NaN stays NaN.
///
/// Cody and Waite's reduction by `ln 2` in two parts, then Taylor to degree 7 on `|r| ≤ ln 2 / 2`.
///
/// # Safety
/// As for [`Simd`].
#[inline(always)]
pub unsafe fn exp_negative<S: Simd>(x: S::V) -> S::V {
    const TAYLOR: [f32; 8] = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    // Adding and taking away 1.5·2²³ rounds to an integer.
    const ROUND: f32 = 12_582_912.0;
    // SAFETY: the caller's promise.
    unsafe {
        let x = S::max(S::splat(-87.0), x);
        let shifted = S::fma(x, S::splat(std::f32::consts::LOG2_E), S::splat(ROUND));
        let n = S::sub(shifted, S::splat(ROUND));
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(TAYLOR[0]);
        for coefficient in &TAYLOR[1..] {
            p = S::fma(p, r, S::splat(*coefficient));
        }
        S::mul(p, S::pow2(n))
    }
}

/// `log(1 + x)` for `0 ≤ x ≤ 1`: relative error below 3e-7. NaN stays NaN.
///
/// `2·artanh(x/(2 + x))`, by its series to degree 13 on `|s| ≤ 1/3`.
///
/// # Safety
/// As for [`Simd`].
#[inline(always)]
pub unsafe fn log_1p_of_share<S: Simd>(x: S::V) -> S::V {
    const SERIES: [f32; 7] = [2.0 / 13.0, 2.0 / 11.0, 2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0, 2.0];
    // SAFETY: the caller's promise.
    unsafe {
        let s = S::div(x, S::add(x, S::splat(2.0)));
        let square = S::mul(s, s);
        let mut p = S::splat(SERIES[0]);
        for coefficient in &SERIES[1..] {
            p = S::fma(p, square, S::splat(*coefficient));
        }
        S::mul(p, s)
    }
}

/// The normal distribution: `(Φ(z), φ(z))`, the cumulative probability and the density.
///
/// Abramowitz and Stegun 7.1.26, whose `erfc` shares its exponential with the density: absolute error below 3e-7 in both.
/// For negative `z` nothing cancels, so `Φ` falls off smoothly to zero.
///
/// # Safety
/// As for [`Simd`].
#[inline(always)]
pub unsafe fn normal<S: Simd>(z: S::V) -> (S::V, S::V) {
    const POLY: [f32; 5] = [1.061_405_4, -1.453_152, 1.421_413_7, -0.284_496_72, 0.254_829_6];
    const P_OVER_SQRT_2: f32 = 0.231_641_89;
    const INV_SQRT_TAU: f32 = 0.398_942_3;
    // SAFETY: the caller's promise.
    unsafe {
        let zero = S::splat(0.0);
        let one = S::splat(1.0);
        let size = S::max(S::sub(zero, z), z);
        let t = S::div(one, S::fma(size, S::splat(P_OVER_SQRT_2), one));
        let e = exp_negative::<S>(S::mul(S::mul(z, z), S::splat(-0.5)));
        let mut p = S::splat(POLY[0]);
        for coefficient in &POLY[1..] {
            p = S::fma(p, t, S::splat(*coefficient));
        }
        let tail = S::mul(S::mul(S::mul(p, t), e), S::splat(0.5));
        (S::select_gt(z, zero, S::sub(one, tail), tail), S::mul(e, S::splat(INV_SQRT_TAU)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::kernels::simd::Kernel;

    /// `erf` in `f64` by its Taylor series, or its continued fraction far out: the oracle.
    pub fn erf(x: f64) -> f64 {
        if x.abs() < 3.0 {
            let (mut term, mut sum) = (x, x);
            for k in 1..120 {
                term *= -x * x / f64::from(k);
                sum += term / f64::from(2 * k + 1);
            }
            return sum * std::f64::consts::FRAC_2_SQRT_PI;
        }
        let mut fraction = 0.0;
        for k in (1..80).rev() {
            fraction = f64::from(k) / 2.0 / (x.abs() + fraction);
        }
        x.signum() * (1.0 - (-x * x).exp() / (x.abs() + fraction) / std::f64::consts::PI.sqrt())
    }

    struct Table<'a> {
        z: &'a [f32],
        cdf: &'a mut [f32],
        pdf: &'a mut [f32],
        exp: &'a mut [f32],
        /// Of 1 and the exponential.
        log: &'a mut [f32],
    }

    impl Kernel for Table<'_> {
        type Out = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            for at in (0..self.z.len()).step_by(S::LANES) {
                // SAFETY: the tables are whole vectors long.
                unsafe {
                    let z = S::load(self.z.as_ptr().add(at));
                    let (cdf, pdf) = normal::<S>(z);
                    S::store(self.cdf.as_mut_ptr().add(at), cdf);
                    S::store(self.pdf.as_mut_ptr().add(at), pdf);
                    let exp = exp_negative::<S>(S::min(z, S::splat(0.0)));
                    S::store(self.exp.as_mut_ptr().add(at), exp);
                    S::store(self.log.as_mut_ptr().add(at), log_1p_of_share::<S>(exp));
                }
            }
        }
    }

    #[test]
    fn errors_stay_within_what_the_docs_promise() {
        let z: Vec<f32> = (-160_000..160_000).map(|i| i as f32 / 10_000.0).collect();
        for isa in Isa::available() {
            let [mut cdf, mut pdf, mut exp, mut log] = [(); 4].map(|()| vec![0.0; z.len()]);
            isa.run(Table { z: &z, cdf: &mut cdf, pdf: &mut pdf, exp: &mut exp, log: &mut log });
            for (i, z) in z.iter().enumerate() {
                let z = f64::from(*z);
                let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
                let probability = 0.5 * (1.0 + erf(z / std::f64::consts::SQRT_2));
                let power = z.min(0.0).exp();
                assert!(
                    (f64::from(cdf[i]) - probability).abs() < 3e-7,
                    "{isa}: Φ({z}) = {} is not {probability}",
                    cdf[i]
                );
                assert!((f64::from(pdf[i]) - density).abs() < 3e-7, "{isa}: φ({z}) = {} is not {density}", pdf[i]);
                assert!((f64::from(exp[i]) / power - 1.0).abs() < 2e-7, "{isa}: exp({z}) = {} is not {power}", exp[i]);
                let share = f64::from(exp[i]);
                assert!((f64::from(log[i]) / share.ln_1p() - 1.0).abs() < 3e-7, "{isa}: log(1 + {share}) = {}", log[i]);
            }
        }
    }

    #[test]
    fn extremes_and_nan() {
        let z: Vec<f32> = [-1e30, -200.0, 200.0, 1e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0].repeat(2);
        for isa in Isa::available() {
            let [mut cdf, mut pdf, mut exp, mut log] = [(); 4].map(|()| vec![0.0; 16]);
            isa.run(Table { z: &z, cdf: &mut cdf, pdf: &mut pdf, exp: &mut exp, log: &mut log });
            assert!(cdf[0] < 1e-30 && cdf[1] < 1e-30 && cdf[6] < 1e-30, "{isa}: {cdf:?}");
            assert_eq!((cdf[2], cdf[3], cdf[5]), (1.0, 1.0, 1.0), "{isa}");
            assert!(cdf[4].is_nan() && pdf[4].is_nan(), "{isa}");
        }
    }
}
