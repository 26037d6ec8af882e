//! Values side by side: their channels one after another, at every pixel. No arithmetic, but for gradients that are
//! added.

use super::GradTo;
use super::pack::{SizedKernel, width};
use crate::device::{Args, Device, Error, Grid, View, typed_kernel};

typed_kernel!(COPY = concat_f32, concat_bf16, concat_f16);
typed_kernel!(COPY_WIDE = concat_f32_wide, concat_bf16_wide, concat_f16_wide);

#[repr(C)]
#[derive(Clone, Copy)]
struct ConcatArgs {
    rows: u64,
    packs: u64,
    from_row: u64,
    to_row: u64,
    from: u64,
    to: u64,
    add: u32,
}
// SAFETY: as `Concat` of concat.cu.
unsafe impl Args for ConcatArgs {}

/// `y[row] = [part₀[row], part₁[row], …]`; a part is `(rows, channels)` of its own number of channels, given beside it.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit.
pub fn forward(device: &Device, parts: &[(View<'_>, usize)], y: View<'_>) -> Result<(), Error> {
    let c: usize = parts.iter().map(|(_, channels)| channels).sum();
    assert!(c > 0 && y.len().is_multiple_of(c), "concat: not whole rows");
    let rows = y.len() / c;
    let mut first = 0;
    for (part, channels) in parts {
        part.expect(y.dtype(), rows * channels);
        if rows * channels > 0 {
            copy(device, [rows, *channels], [*channels, c], *part, GradTo::overwrite(y.part(first..y.len())))?;
        }
        first += channels;
    }
    Ok(())
}

/// The gradient of the part whose channels begin at `first` of the `c` of the whole: `dx[row] (+)=
/// dy[row][first..][..channels]`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit.
pub fn backward(
    device: &Device,
    dy: View<'_>,
    c: usize,
    first: usize,
    channels: usize,
    dx: GradTo<'_>,
) -> Result<(), Error> {
    assert!(c > 0 && dy.len().is_multiple_of(c) && first + channels <= c, "concat: not whole rows");
    let rows = dy.len() / c;
    dx.to.expect(dy.dtype(), rows * channels);
    if rows * channels == 0 {
        return Ok(());
    }
    copy(device, [rows, channels], [c, channels], dy.part(first..dy.len()), dx)
}

/// So many channels of so many rows, between rows of those lengths. The caller has checked what there is.
fn copy(
    device: &Device,
    [rows, channels]: [usize; 2],
    [from_row, to_row]: [usize; 2],
    from: View<'_>,
    to: GradTo<'_>,
) -> Result<(), Error> {
    let dtype = from.dtype();
    let width = width(dtype, &[channels, from_row, to_row], &[from, to.to]);
    let packs = channels / width;
    let args = ConcatArgs {
        rows: rows as u64,
        packs: packs as u64,
        from_row: from_row as u64,
        to_row: to_row as u64,
        from: from.address(),
        to: to.to.address(),
        add: to.add.into(),
    };
    let kernel = SizedKernel { narrow: &COPY, wide: &COPY_WIDE }.of(dtype, width);
    // SAFETY: both have so many rows, of which the last may end with these channels.
    unsafe { device.launch(kernel, Grid::over(rows * packs), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    #[test]
    fn parts_lie_side_by_side_and_get_their_gradients() {
        let cases: [(usize, &[usize]); 7] = [
            (1, &[1]),
            (3, &[5, 1]),
            (98, &[3, 24, 7]),
            (2000, &[1, 2]),
            (513, &[64, 64]),
            (300, &[8, 16, 12]),
            (40, &[0, 2000, 8]),
        ];
        for (device, dtype) in devices() {
            for (rows, widths) in cases {
                let c: usize = widths.iter().sum();
                let values: Vec<Vec<f32>> =
                    (0..widths.len()).map(|k| rounded(dtype, &noise(k as u64, rows * widths[k]))).collect();
                let buffers: Vec<_> = values.iter().map(|values| upload(&device, dtype, values)).collect();
                let parts: Vec<_> = buffers.iter().map(|part| part.view()).zip(widths.iter().copied()).collect();
                let y = device.allocate(dtype, rows * c).unwrap();
                forward(&device, &parts, y.view()).unwrap();
                let row = |row: usize| {
                    values.iter().zip(widths).flat_map(move |(values, width)| &values[row * width..][..*width])
                };
                let want: Vec<f64> = (0..rows).flat_map(row).map(|x| f64::from(*x)).collect();
                close(&device.read_f32(y.view()).unwrap(), &want, dtype, 0.0);

                let dy = rounded(dtype, &noise(9, rows * c));
                let dy_at = upload(&device, dtype, &dy);
                let mut first = 0;
                for (values, width) in values.iter().zip(widths) {
                    let want: Vec<f64> =
                        (0..rows * width).map(|k| f64::from(dy[k / width * c + first + k % width])).collect();
                    let (dx, sum) = (device.allocate(dtype, rows * width).unwrap(), upload(&device, dtype, values));
                    backward(&device, dy_at.view(), c, first, *width, GradTo::overwrite(dx.view())).unwrap();
                    close(&device.read_f32(dx.view()).unwrap(), &want, dtype, 0.0);
                    let added = GradTo { to: sum.view(), add: true };
                    backward(&device, dy_at.view(), c, first, *width, added).unwrap();
                    let sums: Vec<f64> = want.iter().zip(values).map(|(d, x)| d + f64::from(*x)).collect();
                    close(&device.read_f32(sum.view()).unwrap(), &sums, dtype, 1e-6);
                    first += width;
                }
            }
        }
    }
}
