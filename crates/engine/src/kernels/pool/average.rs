//! Means over windows: average pooling, with padding counted or not; to a given size; and blurring.
//!
//! All are weighted sums that separate by axis, and are linear, so one kernel does forward and backward:
//!
//! ```text
//! y[oy, ox]  = Σ rows[oy, iy]·columns[ox, ix]·x[iy, ix]
//! dx[iy, ix] = Σ rows[oy, iy]·columns[ox, ix]·dy[oy, ox]
//! ```
//!
//! with a sparse matrix an axis, whose transpose serves backward.

use super::{Window, len};
use crate::kernels::lanes::{load, spans, write};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Grad, Isa, Write};
use std::ops::Range;

/// Which mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Average {
    /// Of all taps, padding counting as zeros: PyTorch's `count_include_pad = true`, its default.
    Windows(Window),
    /// Of the taps inside the image: `count_include_pad = false`.
    Inside(Window),
    /// Of `side × side` pixels each, those at the far edges of fewer where the image is not made of whole ones:
    /// `AvgPool2d(side, side, ceil_mode = true, count_include_pad = false)`.
    Tiles { side: usize },
    /// To `side × side` pixels, from an image of any size: output `o` of an axis is the mean of inputs
    /// `⌊o·size/side⌋ … ⌈(o + 1)·size/side⌉ − 1`, as PyTorch's `AdaptiveAvgPool2d` has it.
    Adaptive { side: usize },
    /// `[1, 2, 1]/4` each way around every `stride`-th pixel: what a convolution or pool of that stride aliases is gone
    /// (Zhang 2019, arXiv:1904.11486).
    Blur { stride: usize, edge: Edge },
}

/// What a blur sees beyond the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Edge {
    /// The image, mirrored at its outermost pixels: timm's `BlurPool2d`.
    Mirrored,
    /// Zeros: `conv2d(padding=1)` with such a filter, as in FFCV's `BlurPoolConv2d` (Leclerc et al. 2022).
    Zeros,
}

impl Average {
    /// Outputs of an axis of so many inputs. `None` where there are none.
    fn outputs(&self, axis: usize, size: usize) -> Option<usize> {
        match self {
            Self::Windows(window) | Self::Inside(window) => window.outputs(axis, size),
            Self::Tiles { side } => (size > 0 && *side > 0).then(|| size.div_ceil(*side)),
            Self::Adaptive { side } => (size > 0 && *side > 0).then_some(*side),
            // A single pixel has no neighbour to be mirrored.
            Self::Blur { stride, edge } => {
                let least = if *edge == Edge::Mirrored { 2 } else { 1 };
                (size >= least && *stride > 0).then(|| (size - 1) / stride + 1)
            }
        }
    }

    /// The output's shape. `None` where the image is too small.
    pub fn output(&self, [n, h, w, c]: [usize; 4]) -> Option<[usize; 4]> {
        Some([n, self.outputs(0, h)?, self.outputs(1, w)?, c])
    }

    /// The inputs and weights of one output of an axis.
    pub(crate) fn taps(&self, axis: usize, out: usize, size: usize) -> Vec<(usize, f32)> {
        let evenly = |inputs: Range<usize>, of: usize| inputs.map(|input| (input, 1.0 / of as f32)).collect();
        match self {
            Self::Windows(window) => evenly(window.inputs(axis, out, size), window.kernel[axis]),
            Self::Inside(window) => {
                let inputs = window.inputs(axis, out, size);
                evenly(inputs.clone(), inputs.len())
            }
            Self::Tiles { side } => {
                let inputs = out * side..((out + 1) * side).min(size);
                evenly(inputs.clone(), inputs.len())
            }
            Self::Adaptive { side } => {
                let inputs = out * size / side..((out + 1) * size).div_ceil(*side);
                evenly(inputs.clone(), inputs.len())
            }
            Self::Blur { stride, edge: Edge::Zeros } => {
                let centre = out * stride;
                let around = [(centre.wrapping_sub(1), 0.25), (centre, 0.5), (centre + 1, 0.25)];
                around.into_iter().filter(|(input, _)| *input < size).collect()
            }
            Self::Blur { stride, edge: Edge::Mirrored } => {
                let centre = out * stride;
                let before = if centre == 0 { 1 } else { centre - 1 };
                let behind = if centre + 1 == size { size - 2 } else { centre + 1 };
                match before == behind {
                    true => vec![(before, 0.5), (centre, 0.5)],
                    false => vec![(before, 0.25), (centre, 0.5), (behind, 0.25)],
                }
            }
        }
    }
}

/// A sparse matrix: of each output the inputs and their weights.
#[derive(Clone, Debug)]
struct Axis {
    /// Where each output's taps end.
    ends: Vec<usize>,
    taps: Vec<(usize, f32)>,
}

impl Axis {
    fn new(outputs: impl Iterator<Item = Vec<(usize, f32)>>) -> Self {
        let (mut ends, mut taps) = (Vec::new(), Vec::new());
        for of_one in outputs {
            taps.extend(of_one);
            ends.push(taps.len());
        }
        Self { ends, taps }
    }

    /// Of each of `inputs` inputs the outputs.
    fn transposed(&self, inputs: usize) -> Self {
        let mut columns = vec![Vec::new(); inputs];
        for out in 0..self.ends.len() {
            self.of(out).iter().for_each(|(input, weight)| columns[*input].push((out, *weight)));
        }
        Self::new(columns.into_iter())
    }

    #[inline(always)]
    fn of(&self, out: usize) -> &[(usize, f32)] {
        let start = if out == 0 { 0 } else { self.ends[out - 1] };
        &self.taps[start..self.ends[out]]
    }
}

/// A mean laid out for images of one size.
#[derive(Clone, Debug)]
pub struct AveragePlan {
    /// Height and width.
    input: [usize; 2],
    output: [usize; 2],
    forward: [Axis; 2],
    backward: [Axis; 2],
}

impl AveragePlan {
    /// `None` where the image is too small.
    pub fn new(average: Average, h: usize, w: usize) -> Option<Self> {
        let [_, oh, ow, _] = average.output([1, h, w, 1])?;
        let (input, output) = ([h, w], [oh, ow]);
        let forward = [0, 1].map(|axis| Axis::new((0..output[axis]).map(|out| average.taps(axis, out, input[axis]))));
        let backward = [0, 1].map(|axis| forward[axis].transposed(input[axis]));
        Some(Self { input, output, forward, backward })
    }

    /// `x: (n, h, w, c)`, `y: (n, oh, ow, c)`.
    ///
    /// # Panics
    /// When lengths do not fit.
    pub fn forward<E: Element>(&self, isa: Isa, c: usize, x: &[E], y: &mut [E]) {
        run(isa, &self.forward, [self.input, self.output], c, x, Grad::overwrite(y));
    }

    /// The gradient of x.
    ///
    /// # Panics
    /// When lengths do not fit.
    pub fn backward<E: Element>(&self, isa: Isa, c: usize, dy: &[E], dx: Grad<'_, E>) {
        run(isa, &self.backward, [self.output, self.input], c, dy, dx);
    }
}

fn run<E: Element>(isa: Isa, axes: &[Axis; 2], [from, to]: [[usize; 2]; 2], c: usize, x: &[E], y: Grad<'_, E>) {
    let images = x.len() / (from[0] * from[1] * c).max(1);
    let lens = [from, to].map(|[h, w]| len([images, h, w, c]));
    assert!(lens == [x.len(), y.to.len()], "average: lengths do not fit {from:?} → {to:?}, {c} channels");
    let taps = (axes[0].taps.len() * axes[1].taps.len()).div_ceil(to[0]);
    let pieces = Pieces::worth_a_task(images * to[0], taps * c);
    let (y, mode) = (Shared::new(y.to), y.write);
    parallel::for_each(pieces.count(), |task| {
        let rows = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let y = unsafe { y.part(rows.start * to[1] * c, rows.len() * to[1] * c) };
        isa.run(Sums { axes, from, to, c, rows, x, y, mode });
    });
}

struct Sums<'a, E> {
    axes: &'a [Axis; 2],
    from: [usize; 2],
    to: [usize; 2],
    c: usize,
    /// Of the output, over all images; `y` is these alone.
    rows: Range<usize>,
    x: &'a [E],
    y: &'a mut [E],
    mode: Write,
}

impl<E: Element> Kernel for Sums<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { axes: [rows, columns], from: [h, w], to: [oh, ow], c, .. } = self;
        for (index, row) in self.rows.clone().enumerate() {
            let (image, row) = (row / oh, rows.of(row % oh));
            for ox in 0..ow {
                let column = columns.of(ox);
                for (channel, n) in spans::<S>(c) {
                    // SAFETY: taps lie inside the image, the output inside this task's rows.
                    unsafe {
                        let mut sum = S::splat(0.0);
                        for (y, wy) in row {
                            for (x, wx) in column {
                                let from = ((image * h + y) * w + x) * c + channel;
                                let value = load::<S, E>(self.x.as_ptr().add(from), n);
                                sum = S::fma(value, S::splat(wy * wx), sum);
                            }
                        }
                        let at = (index * ow + ox) * c + channel;
                        write::<S, E>(self.y.as_mut_ptr().add(at), n, sum, self.mode);
                    }
                }
            }
        }
    }
}
