//! Several neighbouring elements a thread: `pack.h`.

use crate::device::{DType, Kernel, TypedKernel, View};

/// A kernel for one element a thread, and for 16 bytes of them.
#[derive(Debug)]
pub(super) struct SizedKernel {
    pub narrow: &'static TypedKernel,
    pub wide: &'static TypedKernel,
}

impl SizedKernel {
    /// The kernel for so many elements a thread.
    pub fn of(&self, dtype: DType, width: usize) -> &'static Kernel {
        if width == 1 { self.narrow.of(dtype) } else { self.wide.of(dtype) }
    }
}

/// How many elements a thread takes: 16 bytes of them where all these numbers of channels are multiples of that, and so
/// much of each operand is aligned; else 1.
pub(super) fn width(dtype: DType, channels: &[usize], operands: &[View<'_>]) -> usize {
    let width = 16 / dtype.size();
    let aligned = |view: &View<'_>| view.address().is_multiple_of((width * view.dtype().size()) as u64);
    let whole = channels.iter().all(|channels| channels.is_multiple_of(width)) && operands.iter().all(aligned);
    if whole { width } else { 1 }
}
