//! `y = act(a + s·b)`, or `act(a)`.

use super::activation::ActArgs;
use super::pack::{SizedKernel, width};
use super::{Act, GradTo, address};
use crate::device::{Args, Device, Error, Grid, View, typed_kernel};

typed_kernel!(FORWARD = add_forward_f32, add_forward_bf16, add_forward_f16);
typed_kernel!(FORWARD_WIDE = add_forward_f32_wide, add_forward_bf16_wide, add_forward_f16_wide);
typed_kernel!(BACKWARD = add_backward_f32, add_backward_bf16, add_backward_f16);
typed_kernel!(BACKWARD_WIDE = add_backward_f32_wide, add_backward_bf16_wide, add_backward_f16_wide);

#[repr(C)]
#[derive(Clone, Copy)]
struct ForwardArgs {
    packs: u64,
    a: u64,
    b: u64,
    y: u64,
    scale: f32,
    act: ActArgs,
}
// SAFETY: as `AddForward` of add.cu.
unsafe impl Args for ForwardArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct BackwardArgs {
    packs: u64,
    a: u64,
    b: u64,
    dy: u64,
    da: u64,
    db: u64,
    scale: f32,
    act: ActArgs,
    add_a: u32,
    add_b: u32,
}
// SAFETY: as `AddBackward` of add.cu.
unsafe impl Args for BackwardArgs {}

/// `y = act(a + s·b)`; without `b`, `act(a)`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types differ.
pub fn forward(device: &Device, act: Act, a: View<'_>, b: Option<(View<'_>, f32)>, y: View<'_>) -> Result<(), Error> {
    let (dtype, len) = (y.dtype(), y.len());
    let operands: Vec<View<'_>> = [Some(a), b.map(|(b, _)| b), Some(y)].into_iter().flatten().collect();
    let width = width(dtype, &[len], &operands);
    let args = ForwardArgs {
        packs: (len / width) as u64,
        a: a.expect(dtype, len),
        b: address(b.map(|(b, _)| b), dtype, len),
        y: y.address(),
        scale: b.map_or(0.0, |(_, scale)| scale),
        act: act.into(),
    };
    let kernel = SizedKernel { narrow: &FORWARD, wide: &FORWARD_WIDE }.of(dtype, width);
    // SAFETY: all operands have `len` elements of the type, and are aligned to those of a pack.
    unsafe { device.launch(kernel, Grid::over(len / width), &args) }
}

/// What backward needs of forward: the inputs, or for ReLU with s = 1 the output in place of `a`, and no `b`.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a> {
    /// Unused, may be `None`, without activation.
    pub a: Option<View<'a>>,
    pub b: Option<View<'a>>,
}

/// `da (+)= dz`, `db (+)= s·dz`, `dz = dy·act′(a + s·b)`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types differ, or an activation is given nothing to look at.
pub fn backward(
    device: &Device,
    (act, scale): (Act, f32),
    saved: Saved<'_>,
    dy: View<'_>,
    da: Option<GradTo<'_>>,
    db: Option<GradTo<'_>>,
) -> Result<(), Error> {
    let (dtype, len) = (dy.dtype(), dy.len());
    assert!(act == Act::None || saved.a.is_some(), "the slope of an activation needs what it was applied to");
    let grads = [da, db].map(|grad| grad.map(|grad| grad.to));
    let operands: Vec<View<'_>> = [saved.a, saved.b, Some(dy)].into_iter().chain(grads).flatten().collect();
    let width = width(dtype, &[len], &operands);
    let args = BackwardArgs {
        packs: (len / width) as u64,
        a: address(saved.a, dtype, len),
        b: address(saved.b, dtype, len),
        dy: dy.address(),
        da: address(grads[0], dtype, len),
        db: address(grads[1], dtype, len),
        scale,
        act: act.into(),
        add_a: da.is_some_and(|grad| grad.add).into(),
        add_b: db.is_some_and(|grad| grad.add).into(),
    };
    let kernel = SizedKernel { narrow: &BACKWARD, wide: &BACKWARD_WIDE }.of(dtype, width);
    // SAFETY: all operands that there are have `len` elements of the type, and are aligned to those of a pack.
    unsafe { device.launch(kernel, Grid::over(len / width), &args) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};
    use crate::{DType, GradTo};

    /// The standard normal distribution's function, by the trapezoidal rule.
    fn normal(z: f64) -> f64 {
        let (low, parts) = (-8.0, 4000);
        let width = (z - low) / f64::from(parts);
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        (1..parts).map(|k| density(low + f64::from(k) * width)).sum::<f64>() * width + 0.5 * width * density(z)
    }

    /// The function and its slope, which is that below 0 at a kink.
    pub fn plain(act: Act, z: f64) -> [f64; 2] {
        let sigmoid = 1.0 / (1.0 + (-z).exp());
        match act {
            Act::None => [z, 1.0],
            Act::Relu => [z.max(0.0), f64::from(u8::from(z > 0.0))],
            Act::Gelu => [z * normal(z), normal(z) + z * (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()],
            Act::Silu => [z * sigmoid, sigmoid + z * sigmoid * (1.0 - sigmoid)],
            Act::Mish => {
                let t = z.exp().ln_1p().tanh();
                [z * t, t + z * sigmoid * (1.0 - t * t)]
            }
            Act::Celu { .. } | Act::LeakyRelu { .. } if z > 0.0 => [z, 1.0],
            Act::Celu { alpha } => {
                let power = (z / f64::from(alpha)).exp();
                [f64::from(alpha) * (power - 1.0), power]
            }
            Act::LeakyRelu { slope } => [f64::from(slope) * z, slope.into()],
        }
    }

    #[test]
    fn values_and_gradients_are_those_of_plain_loops() {
        let acts = [
            Act::None,
            Act::Relu,
            Act::Gelu,
            Act::Silu,
            Act::Mish,
            Act::Celu { alpha: 0.3 },
            Act::LeakyRelu { slope: 0.1 },
        ];
        for (device, dtype) in devices() {
            for (act, len) in acts.into_iter().flat_map(|act| [1, 255, 5000, 8192 * 3].map(|len| (act, len))) {
                let [a, b, dy, before] = [1, 2, 3, 4].map(|seed| rounded(dtype, &noise(seed, len)));
                let [a_at, b_at, dy_at, da, db] = [&a, &b, &dy, &before, &before].map(|x| upload(&device, dtype, x));
                let y = device.allocate(dtype, len).unwrap();
                forward(&device, act, a_at.view(), Some((b_at.view(), 0.5)), y.view()).unwrap();
                let z: Vec<f64> = a.iter().zip(&b).map(|(a, b)| f64::from(*a) + 0.5 * f64::from(*b)).collect();
                let want: Vec<f64> = z.iter().map(|z| plain(act, *z)[0]).collect();
                close(&device.read_f32(y.view()).unwrap(), &want, dtype, 1e-5);

                let saved = Saved { a: Some(a_at.view()), b: Some(b_at.view()) };
                let (to_a, to_b) = (GradTo { to: da.view(), add: true }, GradTo::overwrite(db.view()));
                backward(&device, (act, 0.5), saved, dy_at.view(), Some(to_a), Some(to_b)).unwrap();
                let dz: Vec<f64> = z.iter().zip(&dy).map(|(z, dy)| f64::from(*dy) * plain(act, *z)[1]).collect();
                let with: Vec<f64> = dz.iter().zip(&before).map(|(dz, before)| dz + f64::from(*before)).collect();
                close(&device.read_f32(da.view()).unwrap(), &with, dtype, 1e-5);
                close(
                    &device.read_f32(db.view()).unwrap(),
                    &dz.iter().map(|dz| 0.5 * dz).collect::<Vec<_>>(),
                    dtype,
                    1e-3,
                );
            }
        }
    }

    #[test]
    fn what_is_no_number_stays_none_and_halves_round_as_they_should() {
        for (device, dtype) in devices() {
            let mut x = vec![
                f32::NAN,
                f32::INFINITY,
                f32::NEG_INFINITY,
                0.0,
                -0.0,
                65504.0,
                65519.9,
                65520.0,
                1e-8,
                6e-8,
                3.1e-5,
                1e-40,
            ];
            x.extend(noise(7, 4000).iter().enumerate().map(|(k, x)| x * 10f32.powi(k as i32 % 12 - 8)));
            let from = upload(&device, DType::F32, &x);
            let (to, back) = (device.allocate(dtype, x.len()).unwrap(), device.allocate(dtype, x.len()).unwrap());
            crate::ops::cast::cast(&device, from.view(), to.view()).unwrap();
            let same = |a: &[f32], b: &[f32]| {
                a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan())
            };
            assert!(same(&device.read_f32(to.view()).unwrap(), &rounded(dtype, &x)), "{dtype:?}");
            forward(&device, Act::Relu, to.view(), None, back.view()).unwrap();
            let relu = device.read_f32(back.view()).unwrap();
            assert!(relu[0].is_nan() && relu[1] == f32::INFINITY && relu[2] == 0.0);
        }
    }
}
