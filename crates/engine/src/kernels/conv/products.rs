//! What products are made of: numbers, or words of two.

use crate::kernels::simd::Simd;
use crate::kernels::{DType, Isa};

/// The factors of a convolution's products, as they lie in bands, planes, panels and packed weights. All of these are made of
/// words of 32 bits, each an `f32` or two bf16, so lengths and offsets are in words whatever the factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Products {
    /// `f32`, one a word.
    #[default]
    Single,
    /// bf16, two neighbours along the axis that is summed over in each word, whose products an instruction adds to an `f32` sum
    /// (`vdpbf16ps`): twice as many a second. Weights, and what Winograd's transforms give, are rounded to bf16 for it.
    Pairs,
}

impl Products {
    /// The fastest whose error is of the size that rounding activations of this type has already.
    pub fn of(dtype: DType, isa: Isa) -> Self {
        if dtype == DType::Bf16 && isa == Isa::Avx512Bf16 { Self::Pairs } else { Self::Single }
    }

    /// Numbers in a word.
    pub(in crate::kernels) fn per_word(self) -> usize {
        match self {
            Self::Single => 1,
            Self::Pairs => 2,
        }
    }

    /// Words that hold so many numbers.
    pub(super) fn words(self, numbers: usize) -> usize {
        numbers.div_ceil(self.per_word())
    }
}

/// The product of two words, at compile time.
pub(super) trait Multiply {
    /// `sum + x·w`, all products of the words.
    ///
    /// # Safety
    /// The machine has the instructions of `S`.
    unsafe fn multiply_add<S: Simd>(x: S::V, w: S::V, sum: S::V) -> S::V;
}

/// Of [`Products::Single`].
pub(super) struct Single;

impl Multiply for Single {
    #[inline(always)]
    unsafe fn multiply_add<S: Simd>(x: S::V, w: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::fma(x, w, sum) }
    }
}

/// Of [`Products::Pairs`].
pub(super) struct Pairs;

impl Multiply for Pairs {
    #[inline(always)]
    unsafe fn multiply_add<S: Simd>(x: S::V, w: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::dot_bf16(x, w, sum) }
    }
}
