//! Means over windows, and all other weighted sums that separate by axis: means of what lies inside the image, means to
//! a given size, blurring.
//!
//! ```text
//! y[oy, ox]       = Σ rows[oy, iy]·columns[ox, ix]·x[iy, ix]
//! dx[iy, ix] (+)= Σ rows[oy, iy]·columns[ox, ix]·dy[oy, ox]
//! ```
//!
//! with a sparse matrix an axis, which the caller gives: it says which mean it is, and how padding counts. One kernel
//! does both.

use super::{RowsArgs, count, len};
use crate::device::{Args, Buffer, DType, Device, Error, View, typed_kernel};
use crate::ops::GradTo;
use crate::ops::pack::{SizedKernel, width};

typed_kernel!(SUMS = average_pool_f32, average_pool_bf16, average_pool_f16);
typed_kernel!(SUMS_WIDE = average_pool_f32_wide, average_pool_bf16_wide, average_pool_f16_wide);

#[repr(C)]
#[derive(Clone, Copy)]
struct SumsArgs {
    to: RowsArgs,
    h: u32,
    w: u32,
    rows: u64,
    columns: u64,
    x: u64,
    y: u64,
    add: u32,
}
// SAFETY: as `AveragePool` of pool.cu.
unsafe impl Args for SumsArgs {}

/// Of each output of an axis: its inputs, with their weights.
pub type Taps = Vec<Vec<(usize, f32)>>;

/// A mean laid out for images of one size, on a device.
#[derive(Debug)]
pub struct AveragePlan {
    /// Height and width.
    input: [usize; 2],
    output: [usize; 2],
    /// The sparse matrices of the two axes, then their transposes.
    tables: Buffer,
    /// Where each of them begins; where the last ends.
    at: [usize; 5],
}

impl AveragePlan {
    /// Of images of that height and width, with the taps of output rows and columns. For PyTorch's `AvgPool2d` output
    /// `o` has those of the inputs `o·stride − padding ..` that lie inside the image; each weighs `1/kernel` where padding
    /// counts (`count_include_pad`), else one divided by how many they are.
    ///
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When there are no outputs, or an input is none.
    pub fn new(device: &Device, input: [usize; 2], taps: [&Taps; 2]) -> Result<Self, Error> {
        let output = taps.map(Vec::len);
        assert!(output.iter().all(|outputs| *outputs > 0), "average: no outputs of {input:?}");
        let backward = [0, 1].map(|axis| transposed(taps[axis], input[axis]));
        let parts = [taps[0], taps[1], &backward[0], &backward[1]].map(table);
        let mut at = [0; 5];
        (0..4).for_each(|k| at[k + 1] = at[k] + parts[k].len());
        let tables = device.allocate(DType::U32, at[4])?;
        device.write(tables.view(), &parts.concat())?;
        Ok(Self { input, output, tables, at })
    }

    /// Height and width of an output image.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// `x: (n, h, w, c)`, `y: (n, oh, ow, c)`.
    ///
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When lengths or types do not fit.
    pub fn forward(&self, device: &Device, c: usize, x: View<'_>, y: View<'_>) -> Result<(), Error> {
        self.run(device, c, [self.input, self.output], [0, 1], x, GradTo::overwrite(y))
    }

    /// The gradient of x.
    ///
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When lengths or types do not fit.
    pub fn backward(&self, device: &Device, c: usize, dy: View<'_>, dx: GradTo<'_>) -> Result<(), Error> {
        self.run(device, c, [self.output, self.input], [2, 3], dy, dx)
    }

    fn run(
        &self,
        device: &Device,
        c: usize,
        [from, to]: [[usize; 2]; 2],
        tables: [usize; 2],
        x: View<'_>,
        y: GradTo<'_>,
    ) -> Result<(), Error> {
        assert!(c > 0, "average of no channels");
        let (dtype, images) = (x.dtype(), x.len() / (from[0] * from[1] * c));
        let [from, to] = [from, to].map(|[h, w]| [images, h, w, c]);
        let width = width(dtype, &[c], &[x, y.to]);
        let [rows, columns] = tables.map(|k| self.tables.view().part(self.at[k]..self.at[k + 1]).address());
        let args = SumsArgs {
            to: RowsArgs::new(to, width),
            h: count(from[1]),
            w: count(from[2]),
            rows,
            columns,
            x: x.expect(dtype, len(from)),
            y: y.to.expect(dtype, len(to)),
            add: y.add.into(),
        };
        let kernel = SizedKernel { narrow: &SUMS, wide: &SUMS_WIDE }.of(dtype, width);
        // SAFETY: the operands have the lengths of their shapes, and the tables were made for these.
        unsafe { device.launch(kernel, args.to.grid(), &args) }
    }
}

/// Of each of `inputs` inputs the outputs.
fn transposed(taps: &Taps, inputs: usize) -> Taps {
    let mut columns = vec![Vec::new(); inputs];
    for (out, of_one) in taps.iter().enumerate() {
        of_one.iter().for_each(|(input, weight)| columns[*input].push((out, *weight)));
    }
    columns
}

/// As kernels take it: where the taps of each output begin and those of the last end, then the taps.
fn table(taps: &Taps) -> Vec<u32> {
    let mut words = vec![0];
    for of_one in taps {
        words.push(words[words.len() - 1] + of_one.len() as u32);
    }
    words.extend(taps.iter().flatten().flat_map(|(input, weight)| [count(*input), weight.to_bits()]));
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    /// The means that nets have, on one axis.
    #[derive(Clone, Copy, Debug)]
    enum Mean {
        /// Kernel, stride, padding, and whether padding counts.
        Windows(usize, usize, usize, bool),
        Adaptive(usize),
        Blur(usize),
    }

    impl Mean {
        fn outputs(self, size: usize) -> Option<usize> {
            match self {
                Mean::Windows(kernel, stride, padding, _) => {
                    Some((size + 2 * padding).checked_sub(kernel)? / stride + 1)
                }
                Mean::Adaptive(side) => Some(side),
                Mean::Blur(stride) => (size > 1).then(|| (size - 1) / stride + 1),
            }
        }

        /// Dense: of each output all inputs.
        fn matrix(self, size: usize) -> Option<Vec<Vec<f64>>> {
            let row = |out: usize| -> Vec<f64> {
                let mut row = vec![0.0; size];
                match self {
                    Mean::Windows(kernel, stride, padding, padded) => {
                        let held = |at: usize| (out * stride..out * stride + kernel).contains(&(at + padding));
                        let inside = (0..size).filter(|at| held(*at)).count();
                        let weight = 1.0 / if padded { kernel } else { inside } as f64;
                        (0..size).filter(|at| held(*at)).for_each(|at| row[at] = weight);
                    }
                    Mean::Adaptive(side) => {
                        let held = out * size / side..((out + 1) * size).div_ceil(side);
                        let weight = 1.0 / held.len() as f64;
                        held.for_each(|at| row[at] = weight);
                    }
                    Mean::Blur(stride) => {
                        for (step, weight) in [(-1, 0.25), (0, 0.5), (1, 0.25)] {
                            let at = (out * stride) as isize + step;
                            let last = size as isize - 1;
                            let mirrored = if at < 0 { -at } else { last - (last - at).abs() };
                            row[mirrored as usize] += weight;
                        }
                    }
                }
                row
            };
            Some((0..self.outputs(size)?).map(row).collect())
        }
    }

    fn sparse(matrix: &[Vec<f64>]) -> Taps {
        let of = |row: &Vec<f64>| {
            row.iter().enumerate().filter(|(_, w)| **w > 0.0).map(|(at, weight)| (at, *weight as f32)).collect()
        };
        matrix.iter().map(of).collect()
    }

    const MEANS: [[Mean; 2]; 9] = [
        [Mean::Windows(2, 2, 0, true); 2],
        [Mean::Windows(3, 2, 1, true); 2],
        [Mean::Windows(3, 2, 1, false); 2],
        [Mean::Windows(1, 2, 0, false); 2],
        [Mean::Windows(2, 3, 1, false), Mean::Windows(5, 1, 2, true)],
        [Mean::Adaptive(1); 2],
        [Mean::Adaptive(7), Mean::Adaptive(2)],
        [Mean::Blur(1); 2],
        [Mean::Blur(2); 2],
    ];

    const SHAPES: [[usize; 4]; 7] =
        [[2, 1, 1, 3], [1, 3, 3, 1], [3, 7, 7, 24], [2, 13, 3, 65], [1, 11, 100, 3], [1, 5, 8, 16], [1, 3, 4, 1032]];

    #[test]
    fn values_and_gradients_are_those_of_plain_loops() {
        for (device, dtype) in devices() {
            for (means, shape) in MEANS.into_iter().flat_map(|means| SHAPES.map(|shape| (means, shape))) {
                let [n, h, w, c] = shape;
                let (Some(down), Some(along)) = (means[0].matrix(h), means[1].matrix(w)) else { continue };
                let (oh, ow) = (down.len(), along.len());
                let outputs = n * oh * ow * c;
                let [x, before] = [1, 2].map(|seed| rounded(dtype, &noise(seed, len(shape))));
                let dy = rounded(dtype, &noise(3, outputs));
                let (mut want, mut grads) = (vec![0.0f64; outputs], vec![0.0f64; len(shape)]);
                for (image, oy, ox, y, x_at) in (0..n * oh * ow * h * w)
                    .map(|k| (k / w / h / ow / oh, k / w / h / ow % oh, k / w / h % ow, k / w % h, k % w))
                {
                    let weight = down[oy][y] * along[ox][x_at];
                    for channel in (0..c).filter(|_| weight > 0.0) {
                        let from = ((image * h + y) * w + x_at) * c + channel;
                        let to = ((image * oh + oy) * ow + ox) * c + channel;
                        want[to] += weight * f64::from(x[from]);
                        grads[from] += weight * f64::from(dy[to]);
                    }
                }
                let plan = AveragePlan::new(&device, [h, w], [&sparse(&down), &sparse(&along)]).unwrap();
                assert_eq!(plan.output(), [oh, ow]);
                let [x_at, dy_at, dx, sum] = [&x, &dy, &before, &before].map(|values| upload(&device, dtype, values));
                let y = device.allocate(dtype, outputs).unwrap();
                plan.forward(&device, c, x_at.view(), y.view()).unwrap();
                close(&device.read_f32(y.view()).unwrap(), &want, dtype, 1e-6);
                plan.backward(&device, c, dy_at.view(), GradTo::overwrite(dx.view())).unwrap();
                close(&device.read_f32(dx.view()).unwrap(), &grads, dtype, 1e-6);
                plan.backward(&device, c, dy_at.view(), GradTo { to: sum.view(), add: true }).unwrap();
                let sums: Vec<f64> = grads.iter().zip(&before).map(|(d, b)| d + f64::from(*b)).collect();
                close(&device.read_f32(sum.view()).unwrap(), &sums, dtype, 1e-6);
            }
        }
    }
}
