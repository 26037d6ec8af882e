//! The weight gradient: `dw[o][c][tap] = Σ_pixels dy[pixel][o] · x[pixel through tap][c]`.
//!
//! Sums over pixels need no transposition: a pixel's channels are neighbours in both factors. What needs care is L1: for
//! one panel of outputs and one block of at most 16 input channels, all taps read the same few kilobytes. So `x` is
//! copied block by block, each block's pixels side by side. Tasks own blocks of the gradient; where those are few,
//! pictures are split too, and partial sums added in the order of the splits.
//!
//! With [`Products::Pairs`] the two numbers of a word are those of one place in two images, as all taps move both alike: what is
//! called a picture here is two images then, the last with one of zeros where their number is odd.

use super::band::{FillBlocks, FillPanels};
use super::geometry::{Axis, Chunk, Grid};
use super::microkernel::{Outer, Segment, TileShape};
use super::pass::{Channels, segments};
use crate::kernels::Products;
use crate::kernels::parallel::{self, Shared};
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Isa};
use std::ops::Range;

/// Pixels of a chunk, and of its band, at most: with 16 channels each, 16 and 20 KiB: little more than a 32 KiB L1.
const CHUNK_PIXELS: usize = 256;
const BAND_PIXELS: usize = 320;
/// Input channels of a block: one cache line.
const BLOCK_CHANNELS: usize = 16;
/// Sums of a task, at most: they go through L2 once a chunk.
const TASK_SUMS: usize = 144 * 1024;
/// Tasks to cut a call into at least, where the gradient has few blocks.
const TASKS: usize = 16;

/// The weight gradient of one convolution, for one size of picture.
#[derive(Clone, Debug)]
pub(super) struct WeightPass {
    isa: Isa,
    products: Products,
    grid: Grid,
    /// Bundles of groups, and groups of a bundle: see [`Channels`].
    groups: usize,
    bundle: usize,
    /// Per bundle.
    inputs: usize,
    outputs: usize,
    taps: usize,
    /// Channels of a block of inputs; the last may have fewer.
    block: usize,
    segments: Vec<Segment>,
    /// The same for the last block.
    last_segments: Vec<Segment>,
    band_offsets: Vec<u32>,
    /// Blocks of inputs and panels of outputs that one task owns.
    task_blocks: usize,
    task_panels: usize,
}

/// Which part of the gradient a task owns, and over which chunks it sums.
struct Task {
    group: usize,
    blocks: Range<usize>,
    panels: Range<usize>,
    chunks: Range<usize>,
    /// Where the sums of its split begin.
    sums: usize,
}

impl WeightPass {
    /// Axes and channels are those of the forward pass.
    pub fn new(rows: Axis, cols: Axis, channels: &Channels, products: Products, isa: Isa) -> Self {
        let Channels { groups, bundle, inputs, outputs, .. } = *channels;
        let lanes = TileShape::of(isa).lanes;
        let taps = rows.taps.len() * cols.taps.len();
        let grid = Grid::new(rows, cols, CHUNK_PIXELS, BAND_PIXELS);
        let block = inputs.div_ceil(inputs.div_ceil(BLOCK_CHANNELS));
        let blocks = inputs.div_ceil(block);
        let panels = outputs.div_ceil(lanes);
        // Near squares: copying the factors costs the sum of the sides, the work is their product.
        let sums = block * taps * lanes;
        let side = (TASK_SUMS as f64 / sums as f64).sqrt();
        let task_blocks = even((side as usize).max(1), blocks);
        let task_panels = even((TASK_SUMS / (sums * task_blocks)).max(1), panels);
        // Taps that touch are one run of rows, which a first layer of three channels needs to fill its tiles; a tap of a
        // full block is cut into tiles well enough by itself.
        let merged = segments(&grid, [&grid.rows, &grid.cols], block);
        let single = |width: usize| -> Vec<Segment> {
            let starts = merged.iter().flat_map(|s| (s.offset..s.offset + s.len).step_by(block));
            starts.map(|offset| Segment { offset, len: width }).collect()
        };
        let last = inputs - (blocks - 1) * block;
        let last_segments = single(last);
        let segments = if blocks == 1 && block < TileShape::of(isa).rows { merged } else { single(block) };
        Self {
            isa,
            products,
            groups,
            bundle,
            inputs,
            outputs,
            taps,
            block,
            last_segments: if last == block { segments.clone() } else { last_segments },
            segments,
            band_offsets: grid.band_offsets(block),
            task_blocks,
            task_panels,
            grid,
        }
    }

    fn lanes(&self) -> usize {
        TileShape::of(self.isa).lanes
    }
    fn panels(&self) -> usize {
        self.outputs.div_ceil(self.lanes())
    }
    fn blocks(&self) -> usize {
        self.inputs.div_ceil(self.block)
    }
    /// Floats of one panel's sums: `(block, tap, channel, lane)`.
    fn panel_len(&self) -> usize {
        self.inputs * self.taps * self.lanes()
    }
    fn sums_len(&self) -> usize {
        self.groups * self.panels() * self.panel_len()
    }
    fn band_len(&self) -> usize {
        (self.grid.band_pixels() * self.block).next_multiple_of(16)
    }
    fn dy_len(&self) -> usize {
        self.grid.chunk_pixels() * self.lanes()
    }
    /// Tasks of one split: `[groups, parts of the blocks, parts of the panels]`.
    fn parts(&self) -> [usize; 3] {
        [self.groups, self.blocks().div_ceil(self.task_blocks), self.panels().div_ceil(self.task_panels)]
    }
    /// Into how many ranges the chunks of `n` images are split.
    fn splits(&self, n: usize) -> usize {
        TASKS.div_ceil(self.parts().iter().product()).min(self.grid.chunks(self.products.words(n))).max(1)
    }

    /// Words of scratch that a task takes.
    pub fn task_scratch(&self) -> usize {
        self.task_blocks * self.band_len() + self.task_panels * self.dy_len()
    }

    /// Words of scratch that all tasks share: the partial sums.
    pub fn shared_scratch(&self, n: usize) -> usize {
        self.splits(n) * self.sums_len()
    }

    /// Overwrites `dw`. `scratch` has [`WeightPass::shared_scratch`] words and then [`WeightPass::task_scratch`] for
    /// each worker of the pool.
    pub fn run<E: Element>(&self, n: usize, x: &[E], dy: &[E], dw: &mut [f32], scratch: &mut [f32]) {
        let pictures = self.products.words(n);
        let (sums, workers) = scratch.split_at_mut(self.shared_scratch(n));
        let (sums, workers) = (Shared::new(sums), Shared::new(workers));
        let [groups, block_parts, panel_parts] = self.parts();
        let (splits, chunks) = (self.splits(n), self.grid.chunks(pictures));
        parallel::for_each(splits * groups * block_parts * panel_parts, |index| {
            let split = index / (groups * block_parts * panel_parts);
            let (block, panel) = (index / panel_parts % block_parts, index % panel_parts);
            let task = Task {
                group: index / (panel_parts * block_parts) % groups,
                blocks: part(block, self.task_blocks, self.blocks()),
                panels: part(panel, self.task_panels, self.panels()),
                chunks: split * chunks / splits..(split + 1) * chunks / splits,
                sums: split * self.sums_len(),
            };
            // SAFETY: a worker runs one task at a time.
            let scratch = unsafe { workers.part(parallel::worker() * self.task_scratch(), self.task_scratch()) };
            for chunk in task.chunks.clone() {
                self.add_chunk(
                    &task,
                    &self.grid.chunk(chunk, pictures),
                    chunk == task.chunks.start,
                    (x, dy),
                    &sums,
                    scratch,
                );
            }
        });
        self.reduce(if chunks == 0 { 0 } else { splits }, &sums, dw);
    }

    /// Adds a chunk's products to the task's sums; the first chunk overwrites them.
    fn add_chunk<E: Element>(
        &self,
        task: &Task,
        chunk: &Chunk,
        first: bool,
        (x, dy): (&[E], &[E]),
        sums: &Shared<f32>,
        scratch: &mut [f32],
    ) {
        let (lanes, pixels) = (self.lanes(), self.grid.pixels(chunk));
        let (bands, dys) = scratch.split_at_mut(self.task_blocks * self.band_len());
        let start = task.group * self.inputs;
        let take = start + task.blocks.start * self.block..start + self.inputs.min(task.blocks.end * self.block);
        let (channels, block, stride) = (self.groups * self.inputs, self.block, self.band_len());
        let (products, grid, band) = (self.products, &self.grid, &mut *bands);
        self.isa.run(FillBlocks { products, grid, chunk, source: x, channels, take, block, stride, band });
        let start = task.group * self.outputs;
        let take = start + task.panels.start * lanes..start + self.outputs.min(task.panels.end * lanes);
        let (channels, stride) = (self.groups * self.outputs, self.dy_len());
        let width = self.grid.cols.outputs;
        self.isa.run(FillPanels {
            products,
            source: dy,
            channels,
            image: self.grid.rows.outputs * width,
            pictures: chunk.images.clone(),
            pixels: chunk.rows.start * width..chunk.rows.end * width,
            take,
            lanes,
            stride,
            panels: dys,
        });
        for (panel, dy) in task.panels.clone().zip(dys.chunks_exact(self.dy_len())) {
            for (block, band) in task.blocks.clone().zip(bands.chunks_exact(self.band_len())) {
                let segments = if block + 1 == self.blocks() { &self.last_segments } else { &self.segments };
                let rows = segments.iter().map(|s| s.len).sum::<usize>();
                let start = task.sums
                    + (task.group * self.panels() + panel) * self.panel_len()
                    + block * self.block * self.taps * lanes;
                // SAFETY: split, group, panel and block together belong to one task.
                let sums = unsafe { sums.part(start, rows * lanes) };
                let offsets = &self.band_offsets[..pixels];
                let panel = &dy[..pixels * lanes];
                self.isa.run(Outer { products, band, offsets, segments, panel, sums, first });
            }
        }
    }

    /// Adds the splits in order and writes them as `(output, input, tap)`.
    fn reduce(&self, splits: usize, sums: &Shared<f32>, dw: &mut [f32]) {
        if splits == 0 {
            dw.fill(0.0);
            return;
        }
        let (lanes, panels, panel_len) = (self.lanes(), self.panels(), self.panel_len());
        // What the gradient has of a bundle's inputs: those of the output's own group.
        let (own_inputs, own_outputs) = (self.inputs / self.bundle, self.outputs / self.bundle);
        let width = own_inputs * self.taps;
        let dw = Shared::new(dw);
        parallel::for_each(self.groups * panels, |index| {
            let (group, panel) = (index / panels, index % panels);
            // SAFETY: one task a panel, and the splits do not overlap.
            let total = unsafe { sums.part(index * panel_len, panel_len) };
            for split in 1..splits {
                // SAFETY: as above.
                let addend = unsafe { sums.part(split * self.sums_len() + index * panel_len, panel_len) };
                self.isa.run(AddAssign { to: total, addend });
            }
            let first = group * self.outputs + panel * lanes;
            let used = lanes.min(self.outputs - panel * lanes);
            // SAFETY: one task a panel of outputs.
            let dw = unsafe { dw.part(first * width, used * width) };
            // Block by block, as the strided reads then stay in L1.
            for block in (0..self.inputs).step_by(self.block) {
                let channels = self.block.min(self.inputs - block);
                let sums = &total[block * self.taps * lanes..][..channels * self.taps * lanes];
                for lane in 0..used {
                    let own = (panel * lanes + lane) / own_outputs * own_inputs;
                    for c in block.max(own)..(block + channels).min(own + own_inputs) {
                        let taps = &mut dw[lane * width + (c - own) * self.taps..][..self.taps];
                        for (t, out) in taps.iter_mut().enumerate() {
                            *out = sums[(t * channels + c - block) * lanes + lane];
                        }
                    }
                }
            }
        });
    }
}

/// The size of equal parts of `total`, each at most `limit`.
fn even(limit: usize, total: usize) -> usize {
    total.div_ceil(total.div_ceil(limit))
}

/// Part `index` of `0..total` in steps of `step`.
fn part(index: usize, step: usize, total: usize) -> Range<usize> {
    index * step..total.min((index + 1) * step)
}

/// `to[i] += addend[i]`.
pub(super) struct AddAssign<'a> {
    pub to: &'a mut [f32],
    pub addend: &'a [f32],
}

impl Kernel for AddAssign<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for (to, addend) in self.to.iter_mut().zip(self.addend) {
            *to += addend;
        }
    }
}
