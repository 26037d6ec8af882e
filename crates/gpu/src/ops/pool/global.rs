//! Pooling of whole images, `(n, h, w, c) → (n, c)`: average and maximum.

use super::len;
use crate::device::{Args, DType, Device, Error, View, typed_kernel};
use crate::ops::GradTo;
use crate::ops::lanes::Columns;

typed_kernel!(AVERAGE = global_average_f32, global_average_bf16, global_average_f16);
typed_kernel!(
    AVERAGE_BACKWARD = global_average_backward_f32,
    global_average_backward_bf16,
    global_average_backward_f16
);
typed_kernel!(MAX = global_max_f32, global_max_bf16, global_max_f16);
typed_kernel!(MAX_BACKWARD = global_max_backward_f32, global_max_backward_bf16, global_max_backward_f16);

#[repr(C)]
#[derive(Clone, Copy)]
struct AverageArgs {
    of: Columns,
    x: u64,
    y: u64,
    scale: f32,
}
// SAFETY: as `GlobalAverage` of pool_global.cu.
unsafe impl Args for AverageArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct AverageBackwardArgs {
    of: Columns,
    dy: u64,
    dx: u64,
    scale: f32,
    add: u32,
}
// SAFETY: as `GlobalAverageBackward` of pool_global.cu.
unsafe impl Args for AverageBackwardArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct MaxArgs {
    of: Columns,
    x: u64,
    y: u64,
    argmax: u64,
}
// SAFETY: as `GlobalMax` of pool_global.cu.
unsafe impl Args for MaxArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct MaxBackwardArgs {
    of: Columns,
    dy: u64,
    argmax: u64,
    dx: u64,
    add: u32,
}
// SAFETY: as `GlobalMaxBackward` of pool_global.cu.
unsafe impl Args for MaxBackwardArgs {}

/// `y[n, c] = Σ x / (h·w)`
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit, or there are no pixels or channels.
pub fn average(device: &Device, shape: [usize; 4], x: View<'_>, y: View<'_>) -> Result<(), Error> {
    let (dtype, of) = (y.dtype(), columns(shape));
    let args = AverageArgs {
        of,
        x: x.expect(dtype, len(shape)),
        y: y.expect(dtype, shape[0] * shape[3]),
        scale: share(shape),
    };
    // SAFETY: the operands have the lengths of their shapes.
    unsafe { device.launch(AVERAGE.of(dtype), of.whole(), &args) }
}

/// `dx (+)= dy / (h·w)` at every pixel.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// As [`average`].
pub fn average_backward(device: &Device, shape: [usize; 4], dy: View<'_>, dx: GradTo<'_>) -> Result<(), Error> {
    let (dtype, of) = (dy.dtype(), columns(shape));
    let args = AverageBackwardArgs {
        of,
        dy: dy.expect(dtype, shape[0] * shape[3]),
        dx: dx.to.expect(dtype, len(shape)),
        scale: share(shape),
        add: dx.add.into(),
    };
    // SAFETY: the operands have the lengths of their shapes.
    unsafe { device.launch(AVERAGE_BACKWARD.of(dtype), of.divided(), &args) }
}

/// `y[n, c] = max x`; `argmax`, `u32`, is the pixel's number in its image. The first wins a tie; NaN gives NaN.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// As [`average`].
pub fn max(device: &Device, shape: [usize; 4], x: View<'_>, y: View<'_>, argmax: View<'_>) -> Result<(), Error> {
    let (dtype, of, outputs) = (y.dtype(), columns(shape), shape[0] * shape[3]);
    let args = MaxArgs {
        of,
        x: x.expect(dtype, len(shape)),
        y: y.expect(dtype, outputs),
        argmax: argmax.expect(DType::U32, outputs),
    };
    // SAFETY: the operands have the lengths of their shapes.
    unsafe { device.launch(MAX.of(dtype), of.whole(), &args) }
}

/// `dx (+)= dy` at each channel's argmax, zero elsewhere.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// As [`average`].
pub fn max_backward(
    device: &Device,
    shape: [usize; 4],
    argmax: View<'_>,
    dy: View<'_>,
    dx: GradTo<'_>,
) -> Result<(), Error> {
    let (dtype, of, outputs) = (dy.dtype(), columns(shape), shape[0] * shape[3]);
    let args = MaxBackwardArgs {
        of,
        dy: dy.expect(dtype, outputs),
        argmax: argmax.expect(DType::U32, outputs),
        dx: dx.to.expect(dtype, len(shape)),
        add: dx.add.into(),
    };
    // Added, it is one pixel a column.
    let grid = if dx.add { of.whole() } else { of.divided() };
    // SAFETY: the operands have the lengths of their shapes; places are those that `max` found in images of that shape.
    unsafe { device.launch(MAX_BACKWARD.of(dtype), grid, &args) }
}

fn columns([n, h, w, c]: [usize; 4]) -> Columns {
    assert!(h * w > 0 && c > 0 && h * w < 1 << 32, "global pool of {h}×{w} pixels, {c} channels");
    Columns::new(n, h * w, c)
}

fn share([_, h, w, _]: [usize; 4]) -> f32 {
    1.0 / (h * w) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    const SHAPES: [[usize; 4]; 8] = [
        [2, 1, 1, 3],
        [1, 3, 3, 1],
        [3, 7, 7, 24],
        [2, 17, 3, 65],
        [5, 2, 2, 300],
        [1, 31, 33, 7],
        [2, 2, 4, 512],
        [0, 2, 2, 3],
    ];

    #[test]
    fn values_places_and_gradients_are_those_of_plain_loops() {
        for (device, dtype) in devices() {
            for shape in SHAPES {
                let [n, h, w, c] = shape;
                let (pixels, outputs) = (h * w, n * c);
                // Few different values: ties are many.
                let x: Vec<f32> = noise(1, len(shape)).iter().map(|x| (x * 6.0).round() / 4.0).collect();
                let before = rounded(dtype, &noise(3, len(shape)));
                // Its share is large enough for halves.
                let dy: Vec<f32> = noise(2, outputs).iter().map(|dy| dy * pixels as f32).collect();
                let dy = rounded(dtype, &dy);
                let (mut means, mut most, mut places) =
                    (vec![0.0; outputs], vec![f64::NEG_INFINITY; outputs], vec![0; outputs]);
                let (mut of_mean, mut of_most) = (vec![0.0f64; len(shape)], vec![0.0f64; len(shape)]);
                for (k, x) in x.iter().enumerate() {
                    let out = k / (pixels * c) * c + k % c;
                    means[out] += f64::from(*x) / pixels as f64;
                    of_mean[k] = f64::from(dy[out]) / pixels as f64;
                    if f64::from(*x) > most[out] {
                        (most[out], places[out]) = (f64::from(*x), (k / c % pixels) as u32);
                    }
                }
                for out in 0..outputs {
                    of_most[(out / c * pixels + places[out] as usize) * c + out % c] = f64::from(dy[out]);
                }
                let (x_at, dy_at) = (upload(&device, dtype, &x), upload(&device, dtype, &dy));
                let (y, argmax) =
                    (device.allocate(dtype, outputs).unwrap(), device.allocate(DType::U32, outputs).unwrap());
                average(&device, shape, x_at.view(), y.view()).unwrap();
                close(&device.read_f32(y.view()).unwrap(), &means, dtype, 1e-6);
                max(&device, shape, x_at.view(), y.view(), argmax.view()).unwrap();
                close(&device.read_f32(y.view()).unwrap(), &most, dtype, 0.0);
                let mut found = vec![0u32; outputs];
                device.read(argmax.view(), &mut found).unwrap();
                assert!(found == places, "{shape:?}");
                for add in [false, true] {
                    let plus = |grads: &[f64]| -> Vec<f64> {
                        let old = |before: &f32| if add { f64::from(*before) } else { 0.0 };
                        grads.iter().zip(&before).map(|(d, before)| d + old(before)).collect()
                    };
                    let dx = upload(&device, dtype, &before);
                    average_backward(&device, shape, dy_at.view(), GradTo { to: dx.view(), add }).unwrap();
                    close(&device.read_f32(dx.view()).unwrap(), &plus(&of_mean), dtype, 1e-6);
                    let dx = upload(&device, dtype, &before);
                    let to = GradTo { to: dx.view(), add };
                    max_backward(&device, shape, argmax.view(), dy_at.view(), to).unwrap();
                    close(&device.read_f32(dx.view()).unwrap(), &plus(&of_most), dtype, 1e-6);
                }
            }
        }
    }

    #[test]
    fn the_first_of_equals_wins_and_nan_goes_through() {
        for (device, dtype) in devices() {
            let run = |x: &[f32]| {
                let (x, y) = (upload(&device, dtype, x), device.allocate(dtype, 1).unwrap());
                let argmax = device.allocate(DType::U32, 1).unwrap();
                max(&device, [1, 1, x.view().len(), 1], x.view(), y.view(), argmax.view()).unwrap();
                let mut place = [9u32];
                device.read(argmax.view(), &mut place).unwrap();
                (device.read_f32(y.view()).unwrap()[0], place[0])
            };
            let mut x = vec![1.0; 40];
            (x[13], x[22], x[30]) = (2.0, 2.0, 2.0);
            assert_eq!(run(&x), (2.0, 13));
            assert_eq!(run(&[f32::NEG_INFINITY; 40]), (f32::NEG_INFINITY, 0));
            x[39] = f32::NAN;
            let (y, place) = run(&x);
            assert!(y.is_nan() && place == 13);
            let (y, place) = run(&[f32::NAN; 9]);
            assert!(y.is_nan() && place == 0);
        }
    }
}
