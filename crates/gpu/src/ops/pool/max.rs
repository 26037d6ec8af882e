//! Max pooling. `y = max` over the window's part inside the image; the first position in row order wins a tie, and NaN
//! anywhere in the window gives NaN.

use super::{RowsArgs, Window, WindowArgs, count, len};
use crate::device::{Args, DType, Device, Error, View, typed_kernel};
use crate::ops::GradTo;
use crate::ops::pack::{SizedKernel, width};

typed_kernel!(FORWARD = max_pool_forward_f32, max_pool_forward_bf16, max_pool_forward_f16);
typed_kernel!(FORWARD_WIDE = max_pool_forward_f32_wide, max_pool_forward_bf16_wide, max_pool_forward_f16_wide);
typed_kernel!(BACKWARD = max_pool_backward_f32, max_pool_backward_bf16, max_pool_backward_f16);
typed_kernel!(BACKWARD_WIDE = max_pool_backward_f32_wide, max_pool_backward_bf16_wide, max_pool_backward_f16_wide);

#[repr(C)]
#[derive(Clone, Copy)]
struct ForwardArgs {
    to: RowsArgs,
    window: WindowArgs,
    h: u32,
    w: u32,
    x: u64,
    y: u64,
    argmax: u64,
}
// SAFETY: as `MaxPoolForward` of pool.cu.
unsafe impl Args for ForwardArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct BackwardArgs {
    to: RowsArgs,
    window: WindowArgs,
    oh: u32,
    ow: u32,
    dy: u64,
    argmax: u64,
    dx: u64,
    add: u32,
}
// SAFETY: as `MaxPoolBackward` of pool.cu.
unsafe impl Args for BackwardArgs {}

/// `x: shape`, `y` and `argmax`, bytes: `window.output(shape)`. `argmax` is `tap row · kernel width + tap column`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit, or the window does not, or has more than 256 taps: [`super::global`] serves whole
/// images.
pub fn forward(
    device: &Device,
    window: Window,
    shape: [usize; 4],
    x: View<'_>,
    y: View<'_>,
    argmax: View<'_>,
) -> Result<(), Error> {
    let (dtype, out) = (y.dtype(), output(window, shape));
    let width = width(dtype, &[shape[3]], &[x, y, argmax]);
    let args = ForwardArgs {
        to: RowsArgs::new(out, width),
        window: window.into(),
        h: count(shape[1]),
        w: count(shape[2]),
        x: x.expect(dtype, len(shape)),
        y: y.expect(dtype, len(out)),
        argmax: argmax.expect(DType::U8, len(out)),
    };
    let kernel = SizedKernel { narrow: &FORWARD, wide: &FORWARD_WIDE }.of(dtype, width);
    // SAFETY: the operands have the lengths of their shapes.
    unsafe { device.launch(kernel, args.to.grid(), &args) }
}

/// `dx[p] (+)= Σ dy` over the outputs whose argmax is `p`; `dx: shape`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// As [`forward`].
pub fn backward(
    device: &Device,
    window: Window,
    shape: [usize; 4],
    argmax: View<'_>,
    dy: View<'_>,
    dx: GradTo<'_>,
) -> Result<(), Error> {
    let (dtype, out) = (dy.dtype(), output(window, shape));
    let width = width(dtype, &[shape[3]], &[dx.to, dy, argmax]);
    let args = BackwardArgs {
        to: RowsArgs::new(shape, width),
        window: window.into(),
        oh: count(out[1]),
        ow: count(out[2]),
        dy: dy.expect(dtype, len(out)),
        argmax: argmax.expect(DType::U8, len(out)),
        dx: dx.to.expect(dtype, len(shape)),
        add: dx.add.into(),
    };
    let kernel = SizedKernel { narrow: &BACKWARD, wide: &BACKWARD_WIDE }.of(dtype, width);
    // SAFETY: the operands have the lengths of their shapes.
    unsafe { device.launch(kernel, args.to.grid(), &args) }
}

fn output(window: Window, shape: [usize; 4]) -> [usize; 4] {
    assert!(shape[3] > 0, "max pool of no channels");
    assert!(window.kernel[0] * window.kernel[1] <= 256, "max pool: more than 256 taps");
    window.output(shape).unwrap_or_else(|| panic!("max pool: {window:?} does not fit {shape:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    const WINDOWS: [Window; 6] = [
        Window { kernel: [2, 2], stride: [2, 2], padding: [0, 0] },
        Window { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
        Window { kernel: [3, 3], stride: [1, 1], padding: [1, 1] },
        Window { kernel: [2, 5], stride: [3, 1], padding: [1, 2] },
        Window { kernel: [1, 1], stride: [2, 2], padding: [0, 0] },
        Window { kernel: [16, 16], stride: [5, 7], padding: [8, 8] },
    ];

    const SHAPES: [[usize; 4]; 8] = [
        [2, 1, 1, 3],
        [1, 3, 3, 1],
        [3, 7, 7, 24],
        [2, 17, 3, 65],
        [1, 11, 100, 3],
        [2, 9, 9, 64],
        [1, 5, 8, 16],
        [1, 3, 4, 1032],
    ];

    /// Of each output: its taps inside the image, as (place in the window, input's position).
    fn windows(window: Window, shape: [usize; 4]) -> Vec<Vec<(usize, usize)>> {
        let [n, h, w, c] = shape;
        let [_, oh, ow, _] = window.output(shape).unwrap();
        let of = |out: usize| {
            let (channel, ox, oy, image) = (out % c, out / c % ow, out / c / ow % oh, out / c / ow / oh);
            let mut taps = Vec::new();
            for place in 0..window.kernel[0] * window.kernel[1] {
                let y = (oy * window.stride[0] + place / window.kernel[1]).checked_sub(window.padding[0]);
                let x = (ox * window.stride[1] + place % window.kernel[1]).checked_sub(window.padding[1]);
                if let (Some(y), Some(x)) = (y.filter(|y| *y < h), x.filter(|x| *x < w)) {
                    taps.push((place, ((image * h + y) * w + x) * c + channel));
                }
            }
            taps
        };
        (0..n * oh * ow * c).map(of).collect()
    }

    #[test]
    fn values_places_and_gradients_are_those_of_plain_loops() {
        for (device, dtype) in devices() {
            let cases = WINDOWS.into_iter().flat_map(|window| SHAPES.map(|shape| (window, shape)));
            for (window, shape) in cases {
                let Some(out) = window.output(shape) else { continue };
                // Few different values: ties are many.
                let x: Vec<f32> = noise(1, len(shape)).iter().map(|x| (x * 6.0).round() / 4.0).collect();
                let (dy, before) = (rounded(dtype, &noise(2, len(out))), rounded(dtype, &noise(3, len(shape))));
                let (mut want, mut places, mut grads) = (Vec::new(), Vec::new(), vec![0.0f64; len(shape)]);
                for (taps, dy) in windows(window, shape).iter().zip(&dy) {
                    let best = taps.iter().fold(f64::NEG_INFINITY, |best, (_, at)| best.max(f64::from(x[*at])));
                    let (place, at) = taps.iter().find(|(_, at)| f64::from(x[*at]) == best).unwrap();
                    want.push(best);
                    places.push(*place as u8);
                    grads[*at] += f64::from(*dy);
                }
                // With an element before, memory is not aligned.
                for skip in [0, 1] {
                    let shifted = |values: &[f32]| upload(&device, dtype, &[&vec![0.5; skip], values].concat());
                    let [x_at, dy_at, dx, sum] = [&x, &dy, &before, &before].map(|values| shifted(values));
                    let y = device.allocate(dtype, skip + len(out)).unwrap();
                    let argmax = device.allocate(DType::U8, skip + len(out)).unwrap();
                    let [x_at, dy_at, dx, sum, y, argmax] =
                        [&x_at, &dy_at, &dx, &sum, &y, &argmax].map(|all| all.view().part(skip..all.view().len()));
                    forward(&device, window, shape, x_at, y, argmax).unwrap();
                    close(&device.read_f32(y).unwrap(), &want, dtype, 0.0);
                    let mut found = vec![0u8; len(out)];
                    device.read(argmax, &mut found).unwrap();
                    assert!(found == places, "{window:?} {shape:?}");
                    backward(&device, window, shape, argmax, dy_at, GradTo::overwrite(dx)).unwrap();
                    close(&device.read_f32(dx).unwrap(), &grads, dtype, 1e-6);
                    backward(&device, window, shape, argmax, dy_at, GradTo { to: sum, add: true }).unwrap();
                    let sums: Vec<f64> = grads.iter().zip(&before).map(|(d, b)| d + f64::from(*b)).collect();
                    close(&device.read_f32(sum).unwrap(), &sums, dtype, 1e-6);
                }
            }
        }
    }

    #[test]
    fn the_first_of_equals_wins_and_nan_goes_through() {
        let window = Window { kernel: [2, 2], stride: [2, 2], padding: [0, 0] };
        for (device, dtype) in devices() {
            for c in [1, 8] {
                let run = |rows: &[f32], shape: [usize; 4]| {
                    let each: Vec<f32> = rows.iter().flat_map(|x| vec![*x; c]).collect();
                    let (x, outputs) = (upload(&device, dtype, &each), each.len() / 4);
                    let y = device.allocate(dtype, outputs).unwrap();
                    let argmax = device.allocate(DType::U8, outputs).unwrap();
                    forward(&device, window, shape, x.view(), y.view(), argmax.view()).unwrap();
                    let mut places = vec![9u8; outputs];
                    device.read(argmax.view(), &mut places).unwrap();
                    (device.read_f32(y.view()).unwrap(), places)
                };
                let (y, places) = run(&[1.0, 5.0, 1.0, 7.0, 5.0, 5.0, 2.0, f32::NAN], [1, 2, 4, c]);
                assert_eq!((y[0], places[0]), (5.0, 1));
                assert!(y[c].is_nan() && places[c] == 1);
                let (y, places) = run(&[f32::NEG_INFINITY; 4], [1, 2, 2, c]);
                assert_eq!((y[c - 1], places[c - 1]), (f32::NEG_INFINITY, 0));
            }
        }
    }

    #[test]
    fn windows_that_do_not_fit_have_no_output() {
        let fits = |kernel, padding, size| {
            let window = Window { kernel: [kernel; 2], stride: [1; 2], padding: [padding; 2] };
            window.output([1, size, size, 1]).is_some()
        };
        assert!(!fits(3, 0, 2) && fits(3, 1, 1) && !fits(2, 2, 9) && !fits(0, 0, 9));
    }
}
