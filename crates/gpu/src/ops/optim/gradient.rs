//! What is done to a gradient before a rule steps by it, for whole buffers.
//!
//! Clipping, as PyTorch's `clip_grad_value_` and `clip_grad_norm_`, is [`clip_value`], [`norm`] and [`clip_norm`] in
//! that order: nothing is read in between.

use super::{CHUNK, Table};
use crate::DType;
use crate::device::{Args, Device, Error, Grid, View, kernel};

kernel!(SQUARES = optim_squares);
kernel!(NORM = optim_norm);
kernel!(CLIP_VALUE = optim_clip_value);
kernel!(SCALE = optim_scale);
kernel!(CLIP_NORM = optim_clip_norm);
kernel!(ZERO = optim_zero);

#[repr(C)]
#[derive(Clone, Copy)]
struct SquaresArgs {
    len: u64,
    x: u64,
    partial: u64,
}
// SAFETY: as `OptimSquares` of optim_gradient.cu.
unsafe impl Args for SquaresArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct NormArgs {
    len: u64,
    partial: u64,
    norm: u64,
}
// SAFETY: as `OptimNorm` of optim_gradient.cu.
unsafe impl Args for NormArgs {}

/// A factor or a bound on all elements.
#[repr(C)]
#[derive(Clone, Copy)]
struct EachArgs {
    len: u64,
    x: u64,
    by: f32,
}
// SAFETY: as `OptimClipValue` and `OptimScale` of optim_gradient.cu.
unsafe impl Args for EachArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct ClipNormArgs {
    len: u64,
    x: u64,
    norm: u64,
    most: f64,
}
// SAFETY: as `OptimClipNorm` of optim_gradient.cu.
unsafe impl Args for ClipNormArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct ZeroArgs {
    chunks: u64,
    x: u64,
}
// SAFETY: as `OptimZero` of optim_gradient.cu.
unsafe impl Args for ZeroArgs {}

/// Floats that [`norm`] needs for the sums of so many elements.
pub fn norm_scratch_len(len: usize) -> usize {
    len.div_ceil(CHUNK)
}

/// `norm ← √Σx²` over the whole buffer, one float. Sums of 4096 elements are `f32`, those of them `f64`: it is infinite
/// where a square exceeds `f32` (|x| > 1.8e19), and NaN stays NaN, so that it is finite where every gradient can be
/// stepped by.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When a buffer is not `f32`, or not of its length.
pub fn norm(device: &Device, x: View<'_>, scratch: View<'_>, norm: View<'_>) -> Result<(), Error> {
    let parts = norm_scratch_len(x.len());
    let (x, len, partial) = (x.expect(DType::F32, x.len()), x.len() as u64, scratch.expect(DType::F32, parts));
    let (squares, sum) =
        (SquaresArgs { len, x, partial }, NormArgs { len: parts as u64, partial, norm: norm.expect(DType::F32, 1) });
    // SAFETY: `x` has `len` elements, and scratch one for each block.
    unsafe { device.launch(&SQUARES, Grid::blocks(parts, 1), &squares)? };
    // SAFETY: scratch has as many elements as blocks wrote, and the norm is one.
    unsafe { device.launch(&NORM, Grid::blocks(1, 1), &sum) }
}

/// `x ← min(max(x, −most), most)`; what is no number stays none.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the buffer is not `f32`.
pub fn clip_value(device: &Device, x: View<'_>, most: f32) -> Result<(), Error> {
    let args = EachArgs { len: x.len() as u64, x: x.expect(DType::F32, x.len()), by: most };
    // SAFETY: `x` has `len` elements.
    unsafe { device.launch(&CLIP_VALUE, Grid::over(x.len()), &args) }
}

/// `x ← by·x`
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the buffer is not `f32`.
pub fn scale_by(device: &Device, x: View<'_>, by: f32) -> Result<(), Error> {
    let args = EachArgs { len: x.len() as u64, x: x.expect(DType::F32, x.len()), by };
    // SAFETY: `x` has `len` elements.
    unsafe { device.launch(&SCALE, Grid::over(x.len()), &args) }
}

/// `x ← min(1, most/(norm + 1e-6))·x`, with the norm of `x` as [`norm`] left it on the device. A norm that is NaN
/// spoils all; what is short enough stays to the bit. The norm that is left is `norm·min(1, most/(norm + 1e-6))`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When a buffer is not `f32`, or the norm not one number.
pub fn clip_norm(device: &Device, x: View<'_>, most: f64, norm: View<'_>) -> Result<(), Error> {
    let (len, norm) = (x.len() as u64, norm.expect(DType::F32, 1));
    let args = ClipNormArgs { len, x: x.expect(DType::F32, x.len()), norm, most };
    // SAFETY: `x` has `len` elements, and the norm is one.
    unsafe { device.launch(&CLIP_NORM, Grid::over(x.len()), &args) }
}

/// The segments' values in a flat buffer become 0: for the gradients of parameters that are frozen.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the buffer is not `f32`, or the segments do not lie in it.
pub fn zero(device: &Device, table: &Table, x: View<'_>) -> Result<(), Error> {
    let args = ZeroArgs { chunks: table.chunks.view().address(), x: table.flat(x, x).0 };
    // SAFETY: the table's chunks lie in the buffer.
    unsafe { device.launch(&ZERO, table.each_chunk(), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::testing::{devices, same};
    use crate::ops::testing::noise;

    fn norm_of(device: &Device, x: View<'_>) -> f32 {
        let scratch = device.allocate(DType::F32, norm_scratch_len(x.len())).unwrap();
        let to = device.allocate(DType::F32, 1).unwrap();
        norm(device, x, scratch.view(), to.view()).unwrap();
        device.read_f32(to.view()).unwrap()[0]
    }

    #[test]
    fn the_norm_is_the_plain_one() {
        let mut found = Vec::new();
        for (device, len) in
            devices().into_iter().flat_map(|device| [0, 1, 4095, 4097, 1_100_003].map(|len| (device.clone(), len)))
        {
            let x = noise(5, len);
            let got = norm_of(&device, device.upload(&x).unwrap().view());
            let plain = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            assert!((f64::from(got) - plain).abs() <= 1e-6 * plain, "{len}: {got}, not {plain}");
            found.push(got);
        }
        assert_eq!(found[..5], found[5..], "whatever the order of threads");
    }

    #[test]
    fn a_norm_is_finite_where_all_is() {
        for (device, spoilt) in
            devices().into_iter().flat_map(|device| [f32::NAN, f32::INFINITY, 2e19].map(|x| (device.clone(), x)))
        {
            let mut x = noise(6, 5000);
            x[4321] = spoilt;
            assert!(!norm_of(&device, device.upload(&x).unwrap().view()).is_finite(), "{spoilt}");
            x[4321] = 1e19;
            assert!(norm_of(&device, device.upload(&x).unwrap().view()).is_finite());
        }
    }

    #[test]
    fn values_are_bounded_and_scaled() {
        for device in devices() {
            let mut x = noise(7, 5001);
            x[17] = f32::NAN;
            let at = device.upload(&x).unwrap();
            clip_value(&device, at.view(), 0.25).unwrap();
            scale_by(&device, at.view(), 3.0).unwrap();
            let want = x.iter().map(|x| 3.0 * if x.is_nan() { *x } else { x.clamp(-0.25, 0.25) });
            let got = device.read_f32(at.view()).unwrap();
            assert!(got.iter().zip(want).all(|(got, want)| *got == want || got.is_nan() && want.is_nan()));
            assert!(got[17].is_nan());
        }
    }

    #[test]
    fn norms_are_bounded() {
        for (device, most) in devices().into_iter().flat_map(|device| [0.5, 1e3].map(|most| (device.clone(), most))) {
            let x = noise(8, 5001);
            let [at, scratch, of] =
                [x.len(), norm_scratch_len(x.len()), 1].map(|len| device.zeros(DType::F32, len).unwrap());
            device.write(at.view(), &x).unwrap();
            norm(&device, at.view(), scratch.view(), of.view()).unwrap();
            clip_norm(&device, at.view(), most, of.view()).unwrap();
            let got = device.read_f32(at.view()).unwrap();
            let plain = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            if most > plain {
                assert_eq!(got, x, "what is short enough stays to the bit");
            }
            let scale = (most / (plain + 1e-6)).min(1.0);
            for (got, x) in got.iter().zip(&x) {
                let want = f64::from(*x) * scale;
                assert!((f64::from(*got) - want).abs() <= 1e-6 * want.abs(), "{got}, not {want}");
            }
            device.write(of.view(), &[f32::NAN]).unwrap();
            clip_norm(&device, at.view(), most, of.view()).unwrap();
            assert!(device.read_f32(at.view()).unwrap().iter().all(|x| x.is_nan()));
        }
    }

    #[test]
    fn segments_become_zero_and_gaps_stay() {
        same(|device, table, at, []| zero(device, table, at.params).unwrap(), |at, []| at.params.fill(0.0));
    }
}
