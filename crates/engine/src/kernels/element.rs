//! The types that activations may have in memory.

use super::simd::Simd;
use half::{bf16, f16};

/// A type by name, for what is decided at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    F32,
    Bf16,
    F16,
    U8,
}

impl DType {
    pub fn size(self) -> usize {
        match self {
            DType::F32 => 4,
            DType::Bf16 | DType::F16 => 2,
            DType::U8 => 1,
        }
    }
}

/// A type of activations: kept in memory as `Self`, computed with as `f32`.
pub trait Element: bytemuck::Pod + Send + Sync + PartialEq + std::fmt::Debug + 'static {
    const DTYPE: DType;
    fn to_f32(self) -> f32;
    /// Rounds to nearest even.
    fn from_f32(x: f32) -> Self;
    /// # Safety
    /// `p` has `S::LANES` readable elements.
    unsafe fn load<S: Simd>(p: *const Self) -> S::V;
    /// Rounds as [`Element::from_f32`] does, but that subnormal bf16 may become zero.
    ///
    /// # Safety
    /// `p` has `S::LANES` writable elements.
    unsafe fn store<S: Simd>(p: *mut Self, v: S::V);
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn from_f32(x: f32) -> f32 {
        x
    }
    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const f32) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load(p) }
    }
    #[inline(always)]
    unsafe fn store<S: Simd>(p: *mut f32, v: S::V) {
        // SAFETY: the caller's promise.
        unsafe { S::store(p, v) }
    }
}

impl Element for bf16 {
    const DTYPE: DType = DType::Bf16;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }
    #[inline(always)]
    fn from_f32(x: f32) -> bf16 {
        bf16::from_f32(x)
    }
    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const bf16) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_bf16(p) }
    }
    #[inline(always)]
    unsafe fn store<S: Simd>(p: *mut bf16, v: S::V) {
        // SAFETY: the caller's promise.
        unsafe { S::store_bf16(p, v) }
    }
}

impl Element for f16 {
    const DTYPE: DType = DType::F16;
    #[inline(always)]
    fn to_f32(self) -> f32 {
        f16::to_f32(self)
    }
    #[inline(always)]
    fn from_f32(x: f32) -> f16 {
        f16::from_f32(x)
    }
    #[inline(always)]
    unsafe fn load<S: Simd>(p: *const f16) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::load_f16(p) }
    }
    #[inline(always)]
    unsafe fn store<S: Simd>(p: *mut f16, v: S::V) {
        // SAFETY: the caller's promise.
        unsafe { S::store_f16(p, v) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Isa;
    use crate::kernels::simd::Kernel;

    /// Loads and stores whole vectors.
    struct Convert<'a, E, F>(&'a [E], &'a mut [F]);

    impl<E: Element, F: Element> Kernel for Convert<'_, E, F> {
        type Out = ();
        #[inline(always)]
        fn run<S: Simd>(self) {
            for (from, to) in self.0.chunks_exact(S::LANES).zip(self.1.chunks_exact_mut(S::LANES)) {
                // SAFETY: both chunks have `S::LANES` elements.
                unsafe { F::store::<S>(to.as_mut_ptr(), E::load::<S>(from.as_ptr())) }
            }
        }
    }

    /// Every number of the type is widened exactly; a number between two neighbours, in their middle or a bit beside it, goes
    /// to the one that `half` rounds to.
    ///
    /// The instruction for bf16 makes zeros of subnormal numbers, its own and those of `f32`.
    fn rounds_as_half<E: Element>(bits: impl Fn(E) -> u16, from_bits: impl Fn(u16) -> E) {
        let all: Vec<E> = (0..=u16::MAX).map(&from_bits).collect();
        for isa in Isa::available() {
            let mut wide = vec![0.0f32; all.len()];
            isa.run(Convert(&all, &mut wide));
            for (k, (wide, exact)) in wide.iter().zip(&all).enumerate() {
                assert!(*wide == exact.to_f32() || wide.is_nan() && exact.to_f32().is_nan(), "{isa}: {k:#x}");
            }
            let between = |k: usize, nudge: i32| {
                let middle = 0.5 * (f64::from(wide[k]) + f64::from(wide[(k + 1) % wide.len()]));
                f32::from_bits((middle as f32).to_bits().wrapping_add_signed(nudge))
            };
            for nudge in [-1, 0, 1] {
                let inputs: Vec<f32> = (0..wide.len()).map(|k| between(k, nudge)).collect();
                let mut stored = vec![E::from_f32(0.0); inputs.len()];
                isa.run(Convert(&inputs, &mut stored));
                for (x, found) in inputs.iter().zip(&stored) {
                    let exact = E::from_f32(*x);
                    let flushed = isa == Isa::Avx512Bf16 && E::DTYPE == DType::Bf16 && x.is_subnormal();
                    let exact = if flushed { E::from_f32(0.0f32.copysign(*x)) } else { exact };
                    let same = bits(*found) == bits(exact) || x.is_nan() && found.to_f32().is_nan();
                    assert!(same, "{isa}: {x:e} is {found:?}, not {exact:?}");
                }
            }
        }
    }

    #[test]
    fn bf16_is_rounded_to_nearest_even() {
        rounds_as_half(bf16::to_bits, bf16::from_bits);
    }

    #[test]
    fn f16_is_rounded_to_nearest_even_to_the_smallest_and_beyond_the_largest() {
        rounds_as_half(f16::to_bits, f16::from_bits);
        assert_eq!([6e-8f32, 2e-8, 65519.0, 65520.0].map(f16::from_f32).map(f16::to_bits), [1, 0, 0x7bff, 0x7c00]);
    }
}
