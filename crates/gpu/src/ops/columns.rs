//! Values seen as a matrix `(rows, c)`: biases, and their gradient.

use super::pack::{SizedKernel, width};
use crate::DType;
use crate::device::{Args, Device, Error, Grid, View, kernel, typed_kernel};

typed_kernel!(BIAS_ADD = bias_add_f32, bias_add_bf16, bias_add_f16);
typed_kernel!(BIAS_ADD_WIDE = bias_add_f32_wide, bias_add_bf16_wide, bias_add_f16_wide);
typed_kernel!(SUMS = column_sums_f32, column_sums_bf16, column_sums_f16);
kernel!(TOTALS = column_totals);

/// Columns of a block, at most.
const WIDTH: usize = 32;
/// Elements of a block, at least: 32 for a thread.
const PART: usize = 8192;
/// Parts of the rows, at most.
const PARTS: usize = 1024;

/// `BiasAdd` of bias.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct BiasAddArgs {
    packs: u64,
    bias: u64,
    y: u64,
    across: u32,
}
// SAFETY: as `BiasAdd` of bias.cu.
unsafe impl Args for BiasAddArgs {}

/// `ColumnSums` of columns.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct ColumnSumsArgs {
    rows: u64,
    part: u64,
    from: u64,
    to: u64,
    c: u32,
    width: u32,
}
// SAFETY: as `ColumnSums` of columns.cu.
unsafe impl Args for ColumnSumsArgs {}

/// `y += bias`, in each row: `y` is `(rows, c)` of a type of activations, in place, and `bias` is `(c)` of `f32`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When `bias` is not `f32`, or `y` is no multiple of its length.
pub fn bias_add(device: &Device, bias: View<'_>, y: View<'_>) -> Result<(), Error> {
    let c = bias.len();
    assert_columns(y.len(), c);
    let width = width(y.dtype(), &[c], &[y]);
    let packs = y.len() / width;
    let bias = bias.expect(DType::F32, c);
    let args = BiasAddArgs { packs: packs as u64, bias, y: y.address(), across: (c / width) as u32 };
    let kernel = SizedKernel { narrow: &BIAS_ADD, wide: &BIAS_ADD_WIDE }.of(y.dtype(), width);
    // SAFETY: `y` has so many packs, rows as long as the bias, and is aligned to one.
    unsafe { device.launch(kernel, Grid::over(packs), &args) }
}

fn assert_columns(len: usize, c: usize) {
    assert!(0 < c && c < 1 << 31 && len.is_multiple_of(c), "{len} elements in rows of {c}");
}

/// How the sums of columns are cut: a function of the shape alone.
#[derive(Clone, Copy)]
struct Cut {
    /// Columns of a block: a power of two.
    width: usize,
    /// Rows that a block sums.
    part: usize,
    /// Of the rows: at least one, which may be empty.
    parts: usize,
}

impl Cut {
    fn of(rows: usize, c: usize) -> Self {
        let width = Self::width(c);
        let part = rows.div_ceil(PARTS).max(PART / width);
        Self { width, part, parts: rows.div_ceil(part).max(1) }
    }

    fn width(c: usize) -> usize {
        c.next_power_of_two().min(WIDTH)
    }

    /// The most parts that so many rows or fewer are cut into. (More rows may be cut into fewer parts, longer ones.)
    fn most_parts(rows: usize, c: usize) -> usize {
        rows.div_ceil(PART / Self::width(c)).clamp(1, PARTS)
    }
}

/// Floats of scratch that are enough for [`bias_gradient`] of a gradient `(rows, c)`, and of one with fewer rows.
///
/// # Panics
/// When `c` is 0.
pub fn scratch_len(rows: usize, c: usize) -> usize {
    assert_columns(0, c);
    Cut::most_parts(rows, c) * c
}

/// `to[k] = Σ dy[row, k]`: `dy` is `(rows, c)` of a type of activations, `to` is `(c)` of `f32`, and is overwritten.
/// Without rows, zeros.
///
/// `scratch` is `f32`, at least as long as [`scratch_len`] says, and holds nothing of use afterwards.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When a length or type is another.
pub fn bias_gradient(device: &Device, c: usize, dy: View<'_>, to: View<'_>, scratch: View<'_>) -> Result<(), Error> {
    assert_columns(dy.len(), c);
    let rows = dy.len() / c;
    let cut = Cut::of(rows, c);
    let partial = scratch.part(0..cut.parts * c).expect(DType::F32, cut.parts * c);
    let (part, width, blocks) = (cut.part as u64, cut.width as u32, c.div_ceil(cut.width));
    let args = ColumnSumsArgs { rows: rows as u64, part, from: dy.address(), to: partial, c: c as u32, width };
    let to = to.expect(DType::F32, c);
    // SAFETY: `dy` has `rows` rows, the scratch has room for the sums of all parts.
    unsafe { device.launch(SUMS.of(dy.dtype()), Grid::blocks(blocks, cut.parts), &args)? };
    let args = ColumnSumsArgs { rows: cut.parts as u64, part: cut.parts as u64, from: partial, to, ..args };
    // SAFETY: the scratch has a row for each part, `to` has `c` floats.
    unsafe { device.launch(&TOTALS, Grid::blocks(blocks, 1), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    const SHAPES: [[usize; 2]; 8] = [[1, 1], [5, 3], [300, 10], [3, 257], [700, 33], [2, 2000], [20_000, 1], [500, 24]];

    #[test]
    fn biases_are_added_to_each_row() {
        for (device, dtype) in devices() {
            for [rows, c] in SHAPES {
                let (bias, y) = (noise(1, c), rounded(dtype, &noise(2, rows * c)));
                let (bias_at, y_at) = (device.upload(&bias).unwrap(), upload(&device, dtype, &y));
                bias_add(&device, bias_at.view(), y_at.view()).unwrap();
                let want: Vec<f32> = y.iter().enumerate().map(|(k, y)| y + bias[k % c]).collect();
                assert_eq!(device.read_f32(y_at.view()).unwrap(), rounded(dtype, &want));
            }
        }
    }

    #[test]
    fn gradients_are_the_sums_of_columns() {
        let mut results = Vec::new();
        for (device, dtype) in devices() {
            for [rows, c] in SHAPES {
                let dy = rounded(dtype, &noise(3, rows * c));
                let (dy_at, to) = (upload(&device, dtype, &dy), device.allocate(DType::F32, c).unwrap());
                let scratch = device.allocate(DType::F32, scratch_len(rows, c) + 3).unwrap();
                bias_gradient(&device, c, dy_at.view(), to.view(), scratch.view()).unwrap();
                let want: Vec<f64> =
                    (0..c).map(|k| dy.iter().skip(k).step_by(c).copied().map(f64::from).sum()).collect();
                let got = device.read_f32(to.view()).unwrap();
                close(&got, &want, DType::F32, 1e-6 * (rows as f64).sqrt());
                results.push(got);
            }
        }
        let (ascending, descending) = results.split_at(results.len() / 2);
        assert_eq!(ascending, descending, "the order of threads shows");
    }

    #[test]
    fn scratch_for_many_rows_is_enough_for_fewer() {
        for c in [1, 3, 10, 32, 100] {
            let part = PART / Cut::width(c);
            let near = |rows: usize| rows.saturating_sub(2)..rows + 3;
            let around = [0, 1, 2, 511, 512, 513, 1023, 1024, 1025, 2048, 5000].map(|parts| near(parts * part));
            let steps = (0..3000 * part).step_by(part / 3 + 1);
            let mut rows: Vec<usize> = around.into_iter().flatten().chain(steps).collect();
            rows.sort_unstable();
            let (mut most, mut last) = (0, 0);
            for rows in rows {
                most = most.max(Cut::of(rows, c).parts);
                let len = scratch_len(rows, c);
                assert!(len >= most * c && len >= last, "{rows} rows of {c}");
                last = len;
            }
            assert_eq!(last, PARTS * c);
        }
    }

    #[test]
    fn without_rows_sums_are_zero() {
        for (device, dtype) in devices() {
            let (dy, to) = (device.allocate(dtype, 0).unwrap(), device.allocate(DType::F32, 5).unwrap());
            let scratch = device.allocate(DType::F32, scratch_len(0, 5)).unwrap();
            bias_gradient(&device, 5, dy.view(), to.view(), scratch.view()).unwrap();
            assert_eq!(device.read_f32(to.view()).unwrap(), [0.0; 5]);
            bias_add(&device, to.view(), dy.view()).unwrap();
        }
    }
}
