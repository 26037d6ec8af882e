//! Numbers of one type as another.

use crate::DType;
use crate::device::{Args, Device, Error, Grid, View, typed_kernel};

typed_kernel!(FROM_FLOAT = cast_from_float_f32, cast_from_float_bf16, cast_from_float_f16);
typed_kernel!(TO_FLOAT = cast_to_float_f32, cast_to_float_bf16, cast_to_float_f16);

#[repr(C)]
#[derive(Clone, Copy)]
struct CastArgs {
    len: u64,
    from: u64,
    to: u64,
}
// SAFETY: as `Cast` of cast.cu.
unsafe impl Args for CastArgs {}

/// Rounds `f32` to another type, or widens another type to it.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the lengths differ, or neither is `f32`.
pub fn cast(device: &Device, from: View<'_>, to: View<'_>) -> Result<(), Error> {
    let len = to.len();
    let args = CastArgs { len: len as u64, from: from.expect(from.dtype(), len), to: to.address() };
    let kernel = match (from.dtype(), to.dtype()) {
        (DType::F32, dtype) => FROM_FLOAT.of(dtype),
        (dtype, DType::F32) => TO_FLOAT.of(dtype),
        (from, to) => panic!("no cast from {from:?} to {to:?}"),
    };
    // SAFETY: both have `len` elements, of the kernel's types.
    unsafe { device.launch(kernel, Grid::over(len), &args) }
}
