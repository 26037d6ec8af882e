//! Convolutions: forward, data gradient, weight gradient, with strides, padding and dilation for each axis, and groups.
//!
//! `y[n, p, q, o] = Σ x[n, p·stride − padding + k·dilation, …, c] · w[o, k, …, c]`. A library makes them where there is
//! one. The kernels of this crate, direct sums, are the emulation's, and what a library is checked against.
//!
//! Filters lie as `(cout, kh, kw, cin / groups)`, of the activations' type. The optimizer's are `f32` and lie as
//! PyTorch's, `(cout, cin / groups, kh, kw)`: see [`pack_filters`] and [`unpack_gradient`].

use crate::DType;
use crate::device::{Args, Device, Error, Grid, TypedKernel, View, typed_kernel};

typed_kernel!(WIDE = conv_wide_f32, conv_wide_bf16, conv_wide_f16);
typed_kernel!(NARROW = conv_narrow_f32, conv_narrow_bf16, conv_narrow_f16);
typed_kernel!(WEIGHT = conv_weight_f32, conv_weight_bf16, conv_weight_f16);
typed_kernel!(PACK = conv_pack_f32, conv_pack_bf16, conv_pack_f16);
typed_kernel!(UNPACK = conv_unpack_f32, conv_unpack_bf16, conv_unpack_f16);

/// Pixels and channels of what a block makes: `TILE` of tiles.h.
const TILE: usize = 64;
/// Channels of a group and their taps that a block of the weight gradient makes, each.
const WEIGHT_TILE: usize = 16;
/// Made channels of a group from which on tiles are full enough.
const WIDE_FROM: usize = 8;

/// A convolution of a batch, channels-last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    pub images: usize,
    /// Of an input image: rows and columns.
    pub input: [usize; 2],
    /// Of an output image.
    pub output: [usize; 2],
    pub cin: usize,
    pub cout: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// On both sides of each axis.
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

impl Shape {
    /// Elements of `x`.
    pub fn x_len(&self) -> usize {
        self.images * self.input[0] * self.input[1] * self.cin
    }

    /// Elements of `w`.
    pub fn w_len(&self) -> usize {
        self.cout * self.taps() * (self.cin / self.groups)
    }

    /// Elements of `y`.
    pub fn y_len(&self) -> usize {
        self.images * self.output[0] * self.output[1] * self.cout
    }

    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Asserts that it is the shape of a convolution, and small enough for the kernels' indices.
    fn assert_sound(&self) {
        let Self { images, input, output, cin, cout, kernel, stride, padding, dilation, groups } = *self;
        let pairs = [input, output, kernel, stride, dilation, [cin, cout], [groups, 1]];
        assert!(!pairs.as_flattened().contains(&0), "a zero in {self:?}");
        assert!(
            cin.is_multiple_of(groups) && cout.is_multiple_of(groups),
            "groups do not divide the channels of {self:?}"
        );
        for axis in 0..2 {
            let reach = (kernel[axis] - 1) * dilation[axis] + 1;
            let padded = input[axis] + 2 * padding[axis];
            let fits = padded >= reach && output[axis] == (padded - reach) / stride[axis] + 1;
            assert!(fits, "the output of {self:?} has another size");
            assert!(padded < 1 << 29 && stride[axis] < 1 << 29, "{self:?} is too large");
        }
        let counts =
            [images * input[0] * input[1], images * output[0] * output[1], self.taps() * cin, self.taps() * cout];
        assert!(counts.iter().all(|count| *count < 1 << 31), "{self:?} is too large");
    }
}

/// Which of its operands a convolution makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// `y` of `x` and `w`.
    Forward,
    /// The gradient `x` of `w` and the gradient `y`.
    BackwardData,
    /// The gradient `w` of `x` and the gradient `y`.
    BackwardWeight,
}

impl Direction {
    /// The place of the operand that is made among `x`, `w` and `y`.
    pub fn made(self) -> usize {
        match self {
            Self::BackwardData => 0,
            Self::BackwardWeight => 1,
            Self::Forward => 2,
        }
    }
}

/// What a library is asked for: `made (+)= convolution`.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub direction: Direction,
    /// Of all operands; sums are `f32`.
    pub dtype: DType,
    pub shape: Shape,
    /// `(images, h, w, cin)`
    pub x: u64,
    /// `(cout, kh, kw, cin/groups)`
    pub w: u64,
    /// `(images, oh, ow, cout)`
    pub y: u64,
    /// Whether the result is added to what is there.
    pub add: bool,
}

/// A convolution with its operands, all of one type: one of them, by the [`Direction`], is made of the other two,
/// `made (+)= convolution`.
#[derive(Clone, Copy, Debug)]
pub struct Convolution<'a> {
    /// Of all operands; sums are `f32`.
    pub dtype: DType,
    pub shape: Shape,
    /// `(images, h, w, cin)`, or its gradient.
    pub x: View<'a>,
    /// `(cout, kh, kw, cin / groups)`, or its gradient.
    pub w: View<'a>,
    /// `(images, oh, ow, cout)`, or its gradient.
    pub y: View<'a>,
    /// Whether the result is added to what is there.
    pub add: bool,
}

impl Convolution<'_> {
    /// With all lengths and types checked.
    fn call(&self, direction: Direction) -> Call {
        let Self { dtype, shape, add, .. } = *self;
        shape.assert_sound();
        let x = self.x.expect(dtype, shape.x_len());
        let w = self.w.expect(dtype, shape.w_len());
        let y = self.y.expect(dtype, shape.y_len());
        Call { direction, dtype, shape, x, w, y, add }
    }
}

/// `Conv` of conv.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct ConvArgs {
    from: u64,
    to: u64,
    w: u64,
    w_group: u64,
    w_made: u64,
    w_tap: u64,
    w_summed: u64,
    groups: u32,
    summed: u32,
    made: u32,
    pixels: u32,
    from_size: [u32; 2],
    to_size: [u32; 2],
    kernel: [u32; 2],
    stride: [u32; 2],
    padding: [u32; 2],
    dilation: [u32; 2],
    backward: u32,
    add: u32,
}
// SAFETY: as `Conv` of conv.cu.
unsafe impl Args for ConvArgs {}

impl From<&Call> for ConvArgs {
    fn from(call: &Call) -> Self {
        let shape = &call.shape;
        let [cin, cout] = [shape.cin, shape.cout].map(|channels| channels / shape.groups);
        let backward = call.direction == Direction::BackwardData;
        let (x, y) = ((call.x, shape.input, cin), (call.y, shape.output, cout));
        let ((from, from_size, summed), (to, to_size, made)) = if backward { (y, x) } else { (x, y) };
        let filter = (shape.taps() * cin) as u64;
        let (w_made, w_summed) = if backward { (1, filter) } else { (filter, 1) };
        let pair = |pair: [usize; 2]| pair.map(|size| size as u32);
        Self {
            from,
            to,
            w: call.w,
            w_group: cout as u64 * filter,
            w_made,
            w_tap: cin as u64,
            w_summed,
            groups: shape.groups as u32,
            summed: summed as u32,
            made: made as u32,
            pixels: (shape.images * to_size[0] * to_size[1]) as u32,
            from_size: pair(from_size),
            to_size: pair(to_size),
            kernel: pair(shape.kernel),
            stride: pair(shape.stride),
            padding: pair(shape.padding),
            dilation: pair(shape.dilation),
            backward: backward.into(),
            add: call.add.into(),
        }
    }
}

/// Makes one operand of the other two; a library does where there is one that takes the call. What is made must not
/// overlap the others.
///
/// # Errors
/// Those of the driver and of the library.
///
/// # Panics
/// When a length or type is another than the shape asks for, the shape is that of no convolution, or it has 2³¹ pixels
/// or more.
pub fn run(device: &Device, direction: Direction, convolution: &Convolution<'_>) -> Result<(), Error> {
    let call = convolution.call(direction);
    // SAFETY: the views have the lengths that the shape asks for.
    if call.shape.images > 0 && unsafe { device.backend().convolve(&call)? } {
        return Ok(());
    }
    launch(device, &call)
}

/// As [`run`], but never by a library.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// As [`run`].
pub fn run_own(device: &Device, direction: Direction, convolution: &Convolution<'_>) -> Result<(), Error> {
    launch(device, &convolution.call(direction))
}

/// `call` is that of a [`Convolution`].
fn launch(device: &Device, call: &Call) -> Result<(), Error> {
    let args = ConvArgs::from(call);
    let [groups, made, pixels] = [args.groups, args.made, args.pixels].map(|size| size as usize);
    let (kernel, grid): (&TypedKernel, _) = if call.direction == Direction::BackwardWeight {
        let filter = call.shape.taps() * args.summed as usize;
        (&WEIGHT, Grid::blocks(groups * made.div_ceil(WEIGHT_TILE) * filter.div_ceil(WEIGHT_TILE), 1))
    } else if made >= WIDE_FROM {
        (&WIDE, Grid::blocks(pixels.div_ceil(TILE), groups * made.div_ceil(TILE)))
    } else {
        // An element for a thread: each is a long sum.
        (&NARROW, Grid::blocks((pixels * groups * made).div_ceil(256).min(1 << 20), 1))
    };
    // SAFETY: `Convolution::call` checked all lengths and that indices fit; the grid is that of the kernel.
    unsafe { device.launch(kernel.of(call.dtype), grid, &args) }
}

/// `ConvFilters` of conv.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct FiltersArgs {
    from: u64,
    to: u64,
    len: u32,
    channels: u32,
    taps: u32,
}
// SAFETY: as `ConvFilters` of conv.cu.
unsafe impl Args for FiltersArgs {}

impl FiltersArgs {
    fn new(shape: &Shape, from: u64, to: u64) -> Self {
        // So that a grid's step beyond it is a number too.
        assert!(shape.w_len() < 1 << 31, "convolution: {shape:?} has too many filters");
        let [len, channels, taps] = [shape.w_len(), shape.cin / shape.groups, shape.taps()].map(|count| count as u32);
        Self { from, to, len, channels, taps }
    }
}

/// The filters as convolutions take them, `(cout, kh, kw, cin / groups)` of a type of activations, of those that are
/// trained, `(cout, cin / groups, kh, kw)` of `f32`.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the lengths are not those of the shape's filters, or `from` is not `f32`.
pub fn pack_filters(device: &Device, shape: &Shape, from: View<'_>, to: View<'_>) -> Result<(), Error> {
    let (dtype, len) = (to.dtype(), shape.w_len());
    let args = FiltersArgs::new(shape, from.expect(DType::F32, len), to.expect(dtype, len));
    // SAFETY: both have `len` elements, of the kernel's types.
    unsafe { device.launch(PACK.of(dtype), Grid::each(len / shape.taps()), &args) }
}

/// The gradient of the filters that are trained, `(cout, cin / groups, kh, kw)` of `f32`, of that which a convolution
/// makes, `(cout, kh, kw, cin / groups)` of a type of activations.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the lengths are not those of the shape's filters, or `to` is not `f32`.
pub fn unpack_gradient(device: &Device, shape: &Shape, from: View<'_>, to: View<'_>) -> Result<(), Error> {
    let (dtype, len) = (from.dtype(), shape.w_len());
    let args = FiltersArgs::new(shape, from.expect(dtype, len), to.expect(DType::F32, len));
    // SAFETY: both have `len` elements, of the kernel's types.
    unsafe { device.launch(UNPACK.of(dtype), Grid::over(len), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    /// A convolution of so many images: stride 1, no padding, no dilation, one group.
    fn plain(images: usize, input: [usize; 2], [cin, cout]: [usize; 2], kernel: [usize; 2]) -> Shape {
        let (stride, padding, dilation, groups) = ([1; 2], [0; 2], [1; 2], 1);
        let shape = Shape { images, input, output: [0; 2], cin, cout, kernel, stride, padding, dilation, groups };
        sized(shape)
    }

    /// With the output that it has.
    fn sized(shape: Shape) -> Shape {
        let along = |axis: usize| {
            let reach = (shape.kernel[axis] - 1) * shape.dilation[axis] + 1;
            (shape.input[axis] + 2 * shape.padding[axis] - reach) / shape.stride[axis] + 1
        };
        Shape { output: [along(0), along(1)], ..shape }
    }

    /// Adds each product of the convolution to one of the three, in `f64`.
    fn by_loops(direction: Direction, shape: &Shape, [x, w, y]: [&[f32]; 3]) -> Vec<f64> {
        let Shape { images, input, output, cin, cout, kernel, stride, padding, dilation, groups } = *shape;
        let [in_group, out_group] = [cin / groups, cout / groups];
        let mut made = vec![
            0.0;
            match direction {
                Direction::Forward => y.len(),
                Direction::BackwardData => x.len(),
                Direction::BackwardWeight => w.len(),
            }
        ];
        for n in 0..images {
            for (p, q) in (0..output[0]).flat_map(|p| (0..output[1]).map(move |q| (p, q))) {
                for (i, j) in (0..kernel[0]).flat_map(|i| (0..kernel[1]).map(move |j| (i, j))) {
                    let row = (p * stride[0] + i * dilation[0]).wrapping_sub(padding[0]);
                    let col = (q * stride[1] + j * dilation[1]).wrapping_sub(padding[1]);
                    if row >= input[0] || col >= input[1] {
                        continue;
                    }
                    for (o, c) in (0..cout).flat_map(|o| (0..in_group).map(move |c| (o, c))) {
                        let x_at = ((n * input[0] + row) * input[1] + col) * cin + o / out_group * in_group + c;
                        let w_at = ((o * kernel[0] + i) * kernel[1] + j) * in_group + c;
                        let y_at = ((n * output[0] + p) * output[1] + q) * cout + o;
                        let [x, w, y] =
                            [x.get(x_at), w.get(w_at), y.get(y_at)].map(|v| v.copied().map_or(0.0, f64::from));
                        match direction {
                            Direction::Forward => made[y_at] += x * w,
                            Direction::BackwardData => made[x_at] += y * w,
                            Direction::BackwardWeight => made[w_at] += x * y,
                        }
                    }
                }
            }
        }
        made
    }

    /// Checks all directions with all devices, in both orders of threads with the same bytes.
    fn check(shape: Shape, add: bool) {
        for direction in [Direction::Forward, Direction::BackwardData, Direction::BackwardWeight] {
            let mut results = Vec::new();
            for (device, dtype) in devices() {
                let lens = [shape.x_len(), shape.w_len(), shape.y_len()];
                let seeds = [1, 2, 3];
                let values: [Vec<f32>; 3] = std::array::from_fn(|k| rounded(dtype, &noise(seeds[k], lens[k])));
                let which = direction.made();
                let at: [crate::Buffer; 3] = std::array::from_fn(|k| {
                    // Without `add` what is made must not be read.
                    if k == which && !add {
                        device.allocate(dtype, lens[k]).unwrap()
                    } else {
                        upload(&device, dtype, &values[k])
                    }
                });
                let [x, w, y] = [&at[0], &at[1], &at[2]].map(crate::Buffer::view);
                run(&device, direction, &Convolution { dtype, shape, x, w, y, add }).unwrap();
                let got = device.read_f32(at[which].view()).unwrap();
                let want: Vec<f64> = by_loops(direction, &shape, [&values[0], &values[1], &values[2]])
                    .iter()
                    .zip(&values[which])
                    .map(|(sum, there)| sum + if add { f64::from(*there) } else { 0.0 })
                    .collect();
                close(&got, &want, dtype, 1e-5);
                results.push(got);
            }
            let (ascending, descending) = results.split_at(3);
            assert_eq!(ascending, descending, "{direction:?} of {shape:?}: the order of threads shows");
        }
    }

    /// With and without what is there.
    fn check_both(shape: Shape) {
        check(shape, false);
        check(shape, true);
    }

    #[test]
    fn usual_kernels_are_those_of_plain_loops() {
        let three = Shape { padding: [1; 2], ..plain(3, [7, 5], [3, 10], [3, 3]) };
        check_both(sized(three));
        check_both(sized(Shape { stride: [2; 2], ..three }));
        check_both(sized(Shape { stride: [2; 2], input: [8, 6], images: 1, ..three }));
        check_both(plain(1, [5, 7], [9, 17], [1, 1]));
        check_both(sized(Shape { stride: [2; 2], ..plain(3, [5, 6], [4, 9], [1, 1]) }));
        check_both(sized(Shape { padding: [0, 3], ..plain(1, [4, 9], [5, 8], [1, 7]) }));
        check_both(sized(Shape { padding: [3, 0], ..plain(1, [9, 4], [8, 5], [7, 1]) }));
        check_both(sized(Shape { stride: [2; 2], padding: [3; 2], ..plain(1, [13, 11], [3, 8], [7, 7]) }));
    }

    #[test]
    fn unusual_kernels_are_those_of_plain_loops() {
        // An output pixel alone, more padding than kernel, an axis unlike the other, input that no tap meets.
        check_both(plain(1, [3, 3], [1, 1], [3, 3]));
        check_both(sized(Shape { padding: [4, 0], ..plain(1, [2, 6], [1, 2], [2, 3]) }));
        check_both(sized(Shape {
            stride: [3, 2],
            padding: [1, 2],
            dilation: [1, 3],
            ..plain(3, [8, 9], [2, 9], [2, 3])
        }));
        check_both(sized(Shape { stride: [4, 4], ..plain(1, [11, 10], [8, 8], [2, 2]) }));
        check_both(sized(Shape { dilation: [2; 2], padding: [2; 2], ..plain(3, [6, 7], [4, 8], [3, 3]) }));
        check_both(sized(Shape {
            dilation: [2; 2],
            stride: [2; 2],
            padding: [2; 2],
            ..plain(1, [7, 7], [8, 3], [3, 3])
        }));
    }

    #[test]
    fn groups_are_those_of_plain_loops() {
        let padding = [1; 2];
        check_both(sized(Shape { groups: 2, padding, ..plain(3, [5, 4], [6, 4], [3, 3]) }));
        check_both(sized(Shape { groups: 2, padding, stride: [2; 2], ..plain(1, [7, 6], [18, 20], [3, 3]) }));
        check_both(sized(Shape { groups: 7, padding, ..plain(3, [5, 5], [7, 7], [3, 3]) }));
        check_both(sized(Shape { groups: 5, padding, stride: [2; 2], ..plain(1, [7, 8], [5, 10], [3, 3]) }));
    }

    #[test]
    fn what_takes_many_tiles_is_that_of_plain_loops() {
        // More channels and pixels than a tile has.
        check(plain(3, [5, 7], [70, 66], [1, 1]), false);
        check(sized(Shape { groups: 2, ..plain(1, [9, 9], [16, 140], [1, 1]) }), true);
        // More terms than are summed before they go to the totals, each way.
        check(plain(1, [4, 4], [40, 9], [3, 3]), false);
        check(plain(1, [4, 4], [9, 40], [3, 3]), false);
        check(plain(1, [67, 65], [1, 2], [1, 1]), false);
    }

    #[test]
    fn without_images_the_weight_gradient_is_zero() {
        for (device, dtype) in devices() {
            let shape = Shape { images: 0, ..plain(1, [3, 3], [2, 3], [3, 3]) };
            let none = device.allocate(dtype, 0).unwrap();
            let w = device.allocate(dtype, shape.w_len()).unwrap();
            let (x, y) = (none.view(), none.view());
            let convolution = Convolution { dtype, shape, x, w: w.view(), y, add: false };
            run(&device, Direction::BackwardWeight, &convolution).unwrap();
            assert!(device.read_f32(w.view()).unwrap().iter().all(|w| *w == 0.0));
            run(&device, Direction::Forward, &convolution).unwrap();
            run_own(&device, Direction::BackwardData, &convolution).unwrap();
        }
    }

    #[test]
    fn filters_are_turned_and_turned_back() {
        for (device, dtype) in devices() {
            for (channels, kernel, groups) in [([3, 5], [3, 3], 1), ([8, 6], [1, 7], 2), ([700, 1], [1, 2], 1)] {
                let shape = Shape { groups, ..plain(1, [9, 9], channels, kernel) };
                let (cin, taps) = (shape.cin / groups, shape.taps());
                let values = rounded(dtype, &noise(5, shape.w_len()));
                let (from, back) =
                    (device.upload(&values).unwrap(), device.allocate(DType::F32, values.len()).unwrap());
                let packed = device.allocate(dtype, values.len()).unwrap();
                pack_filters(&device, &shape, from.view(), packed.view()).unwrap();
                let want: Vec<f32> = (0..values.len())
                    .map(|k| values[(k / (taps * cin) * cin + k % cin) * taps + k / cin % taps])
                    .collect();
                assert_eq!(device.read_f32(packed.view()).unwrap(), want);
                unpack_gradient(&device, &shape, packed.view(), back.view()).unwrap();
                assert_eq!(device.read_f32(back.view()).unwrap(), values);
            }
        }
    }

    #[test]
    #[should_panic(expected = "has another size")]
    fn shapes_are_checked() {
        Shape { output: [3, 4], ..plain(1, [5, 5], [1, 1], [3, 3]) }.assert_sound();
    }
}
