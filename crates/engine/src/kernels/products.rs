//! What products are made of: numbers, or words of two.

use super::simd::Simd;
use super::{DType, Isa};

/// The factors of products, as they lie in what convolutions and matrix products copy them to (bands, planes, panels, packed weights). All of these are made of
/// words of 32 bits, each an `f32` or two bf16, so lengths and offsets are in words whatever the factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Products {
    /// `f32`, one a word.
    #[default]
    Single,
    /// bf16, two neighbours along the axis that is summed over in each word, whose products an instruction adds to an `f32` sum
    /// (`vdpbf16ps`): twice as many a second. For activations of bf16 alone.
    ///
    /// Weights are rounded to bf16 for it, which changes outputs and data gradients by as much as rounding these does; direct weight
    /// gradients stay as they are. Winograd's transforms are rounded too: what comes of them, weight gradients included, is off by
    /// 1.2 to 1.4 % (root mean square; DESIGN, *Pairs of bf16*).
    Pairs,
}

impl Products {
    /// The fastest for activations of this type.
    pub fn of(dtype: DType, isa: Isa) -> Self {
        if dtype == DType::Bf16 && isa == Isa::Avx512Bf16 { Self::Pairs } else { Self::Single }
    }

    /// Numbers in a word.
    pub(super) fn per_word(self) -> usize {
        match self {
            Self::Single => Single::PER_WORD,
            Self::Pairs => Pairs::PER_WORD,
        }
    }

    /// Words that hold so many numbers.
    pub(super) fn words(self, numbers: usize) -> usize {
        numbers.div_ceil(self.per_word())
    }
}

/// The product of two words, at compile time.
pub(super) trait Multiply {
    /// Numbers in a word.
    const PER_WORD: usize;
    /// `sum + x·w`, all products of the words.
    ///
    /// # Safety
    /// The machine has the instructions of `S`.
    unsafe fn multiply_add<S: Simd>(x: S::V, w: S::V, sum: S::V) -> S::V;
}

/// Of [`Products::Single`].
pub(super) struct Single;

impl Multiply for Single {
    const PER_WORD: usize = 1;
    #[inline(always)]
    unsafe fn multiply_add<S: Simd>(x: S::V, w: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::fma(x, w, sum) }
    }
}

/// Of [`Products::Pairs`].
pub(super) struct Pairs;

impl Multiply for Pairs {
    const PER_WORD: usize = 2;
    #[inline(always)]
    unsafe fn multiply_add<S: Simd>(x: S::V, w: S::V, sum: S::V) -> S::V {
        // SAFETY: the caller's promise.
        unsafe { S::dot_bf16(x, w, sum) }
    }
}
