//! Batch normalisation, with the sum of a residual branch and an activation in the same pass; also of parts of a batch that have
//! statistics of their own (*ghost* batch norm).
//!
//! Over a channels-last `(n, h, w, c)` value seen as `(rows, c)`, for each channel of each part of the batch
//!
//! ```text
//! x̂ = (x − μ)·r,  r = 1/√(σ² + ε)
//! y = act(γ·x̂ + β [+ residual])
//! ```
//!
//! In training μ and σ² (biased) come from [`statistics`] of the part, in evaluation from the running averages; the same
//! [`forward`] serves both. Statistics, parameters and their gradients are `f32`; statistics are `(parts, c)`.
//!
//! Sources: Ioffe and Szegedy, arXiv:1502.03167; Hoffer et al. 2017, arXiv:1705.08741; semantics of PyTorch's `batch_norm`.

#[cfg(test)]
mod tests;

use super::activation::ActArgs;
use super::{Act, GradTo, address};
use crate::DType;
use crate::device::{Args, Device, Error, Grid, View, kernel, typed_kernel};

typed_kernel!(
    PARTIAL_STATISTICS = norm_partial_statistics_f32,
    norm_partial_statistics_bf16,
    norm_partial_statistics_f16
);
typed_kernel!(FORWARD = norm_forward_f32, norm_forward_bf16, norm_forward_f16);
typed_kernel!(PARTIAL_SUMS = norm_partial_sums_f32, norm_partial_sums_bf16, norm_partial_sums_f16);
typed_kernel!(BACKWARD = norm_backward_f32, norm_backward_bf16, norm_backward_f16);
kernel!(STATISTICS = norm_statistics);
kernel!(RUNNING = norm_running);
kernel!(SUMS = norm_sums);
kernel!(TOTAL = norm_total);

/// How a batch is cut into parts of consecutive images, each the batch of an ordinary batch norm: with `k` parts of `n`
/// images, part `j` is of images `⌊j·n/k⌋ … ⌊(j+1)·n/k⌋ − 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ghosts {
    images: usize,
    pixels: usize,
    count: usize,
}

impl Ghosts {
    /// All of a batch of images of so many pixels.
    pub fn whole(images: usize, pixels: usize) -> Self {
        Self { images, pixels, count: 1 }
    }

    /// Parts of about `each` images: `max(1, ⌊images/each + ½⌋)` of them, whose sizes differ by one at most.
    ///
    /// # Panics
    /// When `each` is 0.
    pub fn of(images: usize, pixels: usize, each: usize) -> Self {
        Self { images, pixels, count: ((2 * images + each) / (2 * each)).max(1) }
    }

    /// The number of parts.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Rows of the batch.
    pub fn rows(&self) -> usize {
        self.images * self.pixels
    }
}

/// A range of a wider value's channels: a norm that writes there puts its output beside others'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// Channels of the wider value.
    pub width: usize,
    /// The first of the norm's own.
    pub first: usize,
}

/// What a batch norm is, beside the values it is applied to. It has as many channels as `gamma`.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    /// `(parts, c)`
    pub mean: View<'a>,
    /// `(parts, c)`; biased in training.
    pub var: View<'a>,
    pub eps: f32,
    /// `(c)`
    pub gamma: View<'a>,
    /// `(c)`
    pub beta: View<'a>,
    pub act: Act,
    /// Where `y` and its gradient have other channels too, of which nothing is read or written.
    pub within: Option<Within>,
}

impl Norm<'_> {
    fn channels(&self) -> usize {
        self.gamma.len()
    }

    /// Where the outputs lie.
    fn within(&self) -> Within {
        let within = self.within.unwrap_or(Within { width: self.channels(), first: 0 });
        let c = self.channels();
        assert!(within.first + c <= within.width, "norm: {c} channels do not lie within {within:?}");
        within
    }

    /// The addresses of mean, variance, γ and β.
    fn operands(&self, ghosts: Ghosts) -> [u64; 4] {
        let c = self.channels();
        let [mean, var] = [self.mean, self.var].map(|of_parts| of_parts.expect(DType::F32, ghosts.count * c));
        [mean, var, self.gamma.expect(DType::F32, c), self.beta.expect(DType::F32, c)]
    }
}

/// Whether the statistics depend on `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Training: they are `x`'s own, and the gradient goes through them.
    OfBatch,
    /// Evaluation: constants.
    Frozen,
}

/// What backward needs of forward.
#[derive(Clone, Copy, Debug)]
pub struct Saved<'a> {
    pub x: View<'a>,
    /// As forward had it. Unused (may be `None`) without activation, and for ReLU where `y` is given.
    pub residual: Option<View<'a>>,
    /// Spares ReLU the recomputation of what it was applied to; unused otherwise.
    pub y: Option<View<'a>>,
    pub statistics: Statistics,
}

/// Where the gradients go; `None` for those that nobody wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Grads<'a> {
    pub dx: Option<GradTo<'a>>,
    pub dresidual: Option<GradTo<'a>>,
    /// `(c)`, overwritten.
    pub dgamma: Option<View<'a>>,
    /// `(c)`, overwritten.
    pub dbeta: Option<View<'a>>,
}

/// `NormCut` of norm.cu: how work is cut into blocks.
#[repr(C)]
#[derive(Clone, Copy)]
struct Cut {
    images: u64,
    pixels: u64,
    length: u64,
    parts: u32,
    pieces: u32,
    channels: u32,
    columns: u32,
    tiles: u32,
    width: u32,
}

/// Threads of a block.
const THREADS: usize = 256;

/// How finely work is cut: enough to fill any card, and not so fine that what a block does once weighs.
#[derive(Clone, Copy)]
struct Fineness {
    /// Blocks that are not exceeded by cutting parts of a batch.
    blocks: usize,
    /// Rows of a thread that are not undercut by cutting parts of a batch.
    rows: usize,
}

/// Of sums, whose pieces are to be added up: few.
const OF_SUMS: Fineness = Fineness { blocks: 1024, rows: 8 };
/// Of what goes through all elements.
const OF_ELEMENTS: Fineness = Fineness { blocks: 4096, rows: 4 };

impl Cut {
    /// # Panics
    /// When there are no rows or channels, or too many.
    fn new(ghosts: Ghosts, c: usize, width: usize, fineness: Fineness) -> Self {
        let Ghosts { images, pixels, count } = ghosts;
        assert!(images * pixels > 0 && c > 0, "norm: {ghosts:?} of {c} channels");
        let columns = c.div_ceil(width).next_power_of_two().min(32);
        let (lanes, tiles) = (THREADS / columns, c.div_ceil(width * columns));
        // Of the largest part.
        let rows = images.div_ceil(count) * pixels;
        let most_pieces = (fineness.blocks / (tiles * count)).max(1);
        let length = rows.div_ceil(most_pieces).max(lanes * fineness.rows).next_multiple_of(lanes);
        let narrow = |n: usize| u32::try_from(n).expect("norm: more than a card takes");
        Self {
            images: images as u64,
            pixels: pixels as u64,
            length: length as u64,
            parts: narrow(count),
            pieces: narrow(rows.div_ceil(length)),
            channels: narrow(c),
            columns: columns as u32,
            tiles: narrow(tiles),
            width: width as u32,
        }
    }

    /// Pieces of all parts.
    fn pieces(&self) -> usize {
        self.parts as usize * self.pieces as usize
    }

    /// A block for each tile of each piece.
    fn grid(&self) -> Grid {
        Grid::blocks(self.pieces() * self.tiles as usize, 1)
    }

    /// For kernels that add up pieces: blocks of as many channels as `NORM_COLUMNS` of norm.cu says.
    fn grid_of_parts(&self) -> Grid {
        Grid::blocks(self.parts as usize * (self.channels as usize).div_ceil(2), 1)
    }

    /// A thread for each channel, in blocks so small that there are many.
    fn grid_of_channels(&self) -> Grid {
        Grid::blocks((self.channels as usize).div_ceil(32), 1).threads(32)
    }
}

/// Channels of a thread: 4 where all rows of all values allow to read four elements at once, else 1. Buffers do; a view that
/// begins inside of one may not, which changes the order of sums.
fn width(c: usize, within: Within, values: &[Option<View<'_>>]) -> usize {
    let aligned = |view: &View<'_>| view.address().is_multiple_of(4 * view.dtype().size() as u64);
    let fours = [c, within.width, within.first].iter().all(|n| n.is_multiple_of(4));
    if fours && values.iter().flatten().all(aligned) { 4 } else { 1 }
}

/// Floats that [`statistics`] and [`backward`] need to add up sums in.
///
/// # Panics
/// When there are no rows or channels, or too many.
pub fn scratch_len(ghosts: Ghosts, c: usize) -> usize {
    let of_width = |width: usize| {
        let pieces = Cut::new(ghosts, c, width, OF_SUMS).pieces();
        (3 * pieces * c).max(2 * pieces * c + 2 * ghosts.count * c)
    };
    // Whether four can be read at once is known when the memory is.
    if c.is_multiple_of(4) { of_width(1).max(of_width(4)) } else { of_width(1) }
}

/// `NormStatistics` of norm.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct StatisticsArgs {
    cut: Cut,
    x: u64,
    partials: u64,
    mean: u64,
    var: u64,
}
// SAFETY: as `NormStatistics` of norm.cu.
unsafe impl Args for StatisticsArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct RunningArgs {
    cut: Cut,
    mean: u64,
    var: u64,
    running_mean: u64,
    running_var: u64,
    momentum: f32,
}
// SAFETY: as `NormRunning` of norm.cu.
unsafe impl Args for RunningArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct ForwardArgs {
    cut: Cut,
    row: u64,
    first: u64,
    x: u64,
    residual: u64,
    y: u64,
    mean: u64,
    var: u64,
    gamma: u64,
    beta: u64,
    eps: f32,
    act: ActArgs,
}
// SAFETY: as `NormForward` of norm.cu.
unsafe impl Args for ForwardArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct BackwardArgs {
    cut: Cut,
    row: u64,
    first: u64,
    x: u64,
    residual: u64,
    y: u64,
    dy: u64,
    mean: u64,
    var: u64,
    gamma: u64,
    beta: u64,
    partials: u64,
    sums: u64,
    dx: u64,
    dresidual: u64,
    dgamma: u64,
    dbeta: u64,
    eps: f32,
    act: ActArgs,
    add_dx: u32,
    add_dresidual: u32,
}
// SAFETY: as `NormBackward` of norm.cu.
unsafe impl Args for BackwardArgs {}

/// Mean and biased variance of each channel of each part: `x` is `(rows, c)`, `mean` and `var` are `(parts, c)`, and `scratch` has
/// [`scratch_len`] floats or more.
///
/// From the rows of a piece the mean of a few of them is subtracted first, and pieces are put together in `f64`, so that
/// nothing cancels where |μ| ≫ σ. No variance is below 0.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit, or there are no rows.
pub fn statistics(
    device: &Device,
    ghosts: Ghosts,
    x: View<'_>,
    mean: View<'_>,
    var: View<'_>,
    scratch: View<'_>,
) -> Result<(), Error> {
    let (dtype, c) = (x.dtype(), mean.len() / ghosts.count);
    let cut = Cut::new(ghosts, c, width(c, Within { width: c, first: 0 }, &[Some(x)]), OF_SUMS);
    let args = StatisticsArgs {
        cut,
        x: x.expect(dtype, ghosts.rows() * c),
        partials: floats(scratch, 3 * cut.pieces() * c).address(),
        mean: mean.expect(DType::F32, ghosts.count * c),
        var: var.expect(DType::F32, ghosts.count * c),
    };
    // SAFETY: `x` has `c` elements in each row of the parts, of the type; `partials` has 3·c floats for each piece; mean and
    // variance have `c` for each part.
    unsafe {
        device.launch(PARTIAL_STATISTICS.of(dtype), cut.grid(), &args)?;
        device.launch(&STATISTICS, cut.grid_of_parts(), &args)
    }
}

/// So many floats of the scratch memory.
#[track_caller]
fn floats(scratch: View<'_>, len: usize) -> View<'_> {
    assert_eq!(scratch.dtype(), DType::F32, "norm: scratch memory is of floats");
    scratch.part(0..len)
}

/// Moves running averages, `(c)`, towards a batch's statistics, `(parts, c)`, as PyTorch:
/// `running += momentum·(batch − running)`, where the batch's are the means of the parts' by their rows, with unbiased
/// variances (a single row's counts as zero). A momentum of 1 replaces what is there.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit, or there are no rows.
pub fn update_running(
    device: &Device,
    ghosts: Ghosts,
    momentum: f32,
    [mean, var]: [View<'_>; 2],
    [running_mean, running_var]: [View<'_>; 2],
) -> Result<(), Error> {
    let c = running_mean.len();
    let cut = Cut::new(ghosts, c, 1, OF_SUMS);
    let args = RunningArgs {
        cut,
        mean: mean.expect(DType::F32, ghosts.count * c),
        var: var.expect(DType::F32, ghosts.count * c),
        running_mean: running_mean.expect(DType::F32, c),
        running_var: running_var.expect(DType::F32, c),
        momentum,
    };
    // SAFETY: the batch's have `c` floats for each part, the running ones `c`.
    unsafe { device.launch(&RUNNING, cut.grid_of_channels(), &args) }
}

/// `y = act(γ·x̂ + β [+ residual])`. `x` and `residual` are `(rows, c)`; `y` too, or `(rows, width)` where the norm lies
/// within a wider value.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit, or there are no rows.
pub fn forward(
    device: &Device,
    ghosts: Ghosts,
    norm: &Norm<'_>,
    x: View<'_>,
    residual: Option<View<'_>>,
    y: View<'_>,
) -> Result<(), Error> {
    let (dtype, c, within, rows) = (x.dtype(), norm.channels(), norm.within(), ghosts.rows());
    let cut = Cut::new(ghosts, c, width(c, within, &[Some(x), residual, Some(y)]), OF_ELEMENTS);
    let [mean, var, gamma, beta] = norm.operands(ghosts);
    let args = ForwardArgs {
        cut,
        row: within.width as u64,
        first: within.first as u64,
        x: x.expect(dtype, rows * c),
        residual: address(residual, dtype, rows * c),
        y: y.expect(dtype, rows * within.width),
        mean,
        var,
        gamma,
        beta,
        eps: norm.eps,
        act: norm.act.into(),
    };
    // SAFETY: values have as many elements of the type as their rows have, statistics `c` floats for each part, parameters `c`.
    unsafe { device.launch(FORWARD.of(dtype), cut.grid(), &args) }
}

/// Backward, with `dz = dy·act′`:
///
/// ```text
/// dβ = Σ dz,  dγ = Σ dz·x̂                        over all parts
/// dresidual (+)= dz
/// dx (+)= γ·r·(dz − Σ dz/rows − x̂·Σ(dz·x̂)/rows)   with the batch's statistics, over the rows of the part
/// dx (+)= γ·r·dz                                 with frozen ones
/// ```
///
/// `dy` and `saved.y` are as `y` of [`forward`]; `dx` and `dresidual` are `(rows, c)`, and memory of their own. `scratch` has
/// [`scratch_len`] floats or more.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit, or there are no rows.
pub fn backward(
    device: &Device,
    ghosts: Ghosts,
    norm: &Norm<'_>,
    saved: Saved<'_>,
    dy: View<'_>,
    grads: Grads<'_>,
    scratch: View<'_>,
) -> Result<(), Error> {
    let (dtype, c, within, rows) = (dy.dtype(), norm.channels(), norm.within(), ghosts.rows());
    let (inputs, outputs) = (rows * c, rows * within.width);
    // What the slope of the activation does not need is not read.
    let y = saved.y.filter(|_| norm.act == Act::Relu);
    let residual = saved.residual.filter(|_| norm.act != Act::None && y.is_none());
    let [dx, dresidual] = [grads.dx, grads.dresidual].map(|grad| grad.map(|grad| grad.to));
    let [to_x, to_residual] = [dx, dresidual].map(|grad| address(grad, dtype, inputs));
    assert!(to_x == 0 || to_x != to_residual, "norm: two gradients go to the same place");

    let width = width(c, within, &[Some(saved.x), residual, y, Some(dy), dx, dresidual]);
    let cut = Cut::new(ghosts, c, width, OF_SUMS);
    let [mean, var, gamma, beta] = norm.operands(ghosts);
    let partials = 2 * cut.pieces() * c;
    let scratch = floats(scratch, partials + 2 * ghosts.count * c);
    let args = BackwardArgs {
        cut,
        row: within.width as u64,
        first: within.first as u64,
        x: saved.x.expect(dtype, inputs),
        residual: address(residual, dtype, inputs),
        y: address(y, dtype, outputs),
        dy: dy.expect(dtype, outputs),
        mean,
        var,
        gamma,
        beta,
        partials: scratch.address(),
        sums: scratch.part(partials..scratch.len()).address(),
        dx: to_x,
        dresidual: to_residual,
        dgamma: address(grads.dgamma, DType::F32, c),
        dbeta: address(grads.dbeta, DType::F32, c),
        eps: norm.eps,
        act: norm.act.into(),
        add_dx: grads.dx.is_some_and(|grad| grad.add).into(),
        add_dresidual: grads.dresidual.is_some_and(|grad| grad.add).into(),
    };
    let of_parameters = grads.dgamma.is_some() || grads.dbeta.is_some();
    let through_statistics = grads.dx.is_some() && saved.statistics == Statistics::OfBatch;
    if of_parameters || through_statistics {
        // SAFETY: values have as many elements of the type as their rows have, statistics `c` floats for each part, parameters and
        // their gradients `c`, `partials` 2·c for each piece and `sums` 2·c for each part.
        unsafe {
            device.launch(PARTIAL_SUMS.of(dtype), cut.grid(), &args)?;
            device.launch(&SUMS, cut.grid_of_parts(), &args)?;
            if of_parameters && ghosts.count > 1 {
                device.launch(&TOTAL, cut.grid_of_channels(), &args)?;
            }
        }
    }
    if grads.dx.is_none() && grads.dresidual.is_none() {
        return Ok(());
    }
    let cut = Cut::new(ghosts, c, width, OF_ELEMENTS);
    let args = BackwardArgs { cut, sums: if through_statistics { args.sums } else { 0 }, ..args };
    // SAFETY: as above.
    unsafe { device.launch(BACKWARD.of(dtype), cut.grid(), &args) }
}
