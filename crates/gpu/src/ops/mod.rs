//! Operations on device memory: one file each, beside the kernels of the same name in `kernels/`.

pub mod activation;
pub mod add;
pub mod cast;
pub mod columns;
pub mod concat;
pub mod conv;
pub mod dropout;
pub mod gate;
mod lanes;
pub mod loss;
pub mod matmul;
pub mod norm;
pub mod optim;
mod pack;
pub mod pool;
pub mod serve;
#[cfg(test)]
pub(crate) mod testing;

pub use activation::Act;

use crate::device::View;

/// Where a gradient goes.
#[derive(Clone, Copy, Debug)]
pub struct GradTo<'a> {
    pub to: View<'a>,
    /// Whether it is added to what is there.
    pub add: bool,
}

impl<'a> GradTo<'a> {
    pub fn overwrite(to: View<'a>) -> Self {
        Self { to, add: false }
    }
}

/// The address of an operand that may be absent; absent is 0.
#[track_caller]
fn address(view: Option<View<'_>>, dtype: crate::DType, len: usize) -> u64 {
    view.map_or(0, |view| view.expect(dtype, len))
}
