//! A correlation over whole batches: the forward pass, and the data gradient with its stride phases.
//!
//! Implicit matrix product: a task copies a chunk's padded source rows ([`super::band`]), then multiplies it with one
//! panel of weights after another. Nothing like im2col is made: a tap is an offset into the band. All phases of a stride read
//! the same band, each with its own taps, and write pixels that lie between each other's.

use super::band::FillBand;
use super::geometry::{Axis, Chunk, Grid};
use super::microkernel::{Correlate, MAX_LANES, Segment, TileShape};
use super::store::{Destination, StorePanel};
use crate::kernels::Products;
use crate::kernels::parallel::{self, Shared};
use crate::kernels::simd::word;
use crate::kernels::{Element, Isa};
use half::bf16;
use std::ops::Range;

/// Output pixels of a chunk, in each phase: enough that weights streamed from L3 cost little, few enough that sums stay in L2.
const CHUNK_PIXELS: usize = 256;
/// Words of a chunk's band, at most: well inside a 512 KiB L2, and four pictures of 4 × 4 pixels and 512 channels.
const BAND_WORDS: usize = 80 * 1024;
/// Words of a block of weights for each lane, at most: 24 KiB in 16 lanes, which stay in L1 while the pixels go by.
pub(super) const BLOCK_DEPTH: usize = 384;
/// Inputs packed together: one cache line of weights a lane and tap.
const PACK_INPUTS: usize = 16;
/// Tasks to cut a call into at least, a worker, where chunks are few: each copies its chunk's band.
const TASKS: usize = 4;

/// Channels of a correlation, and where its weights lie.
///
/// Small groups are worked on in bundles, as one group whose weights between different members are zero: of the products
/// of a depthwise convolution most are then with zeros, but they are made by full tiles, which is many times faster than
/// tiles with one lane in use. It also means that a number that is not finite spreads through its bundle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channels {
    /// Bundles of groups.
    pub groups: usize,
    /// Groups of a bundle.
    pub bundle: usize,
    /// Of the source, per bundle.
    pub inputs: usize,
    /// Of the destination, per bundle.
    pub outputs: usize,
    /// Steps in the weights from one input, output or group to the next.
    pub input_step: usize,
    pub output_step: usize,
    pub group_step: usize,
}

impl Channels {
    /// The first weight of an output of a bundle, and which of the bundle's inputs it sees: none for an output beyond the
    /// last.
    fn weights_of(&self, bundle: usize, output: usize) -> (usize, Range<usize>) {
        if output >= self.outputs {
            return (0, 0..0);
        }
        let (inputs, outputs) = (self.inputs / self.bundle, self.outputs / self.bundle);
        let (member, output) = (output / outputs, output % outputs);
        let start = (bundle * self.bundle + member) * self.group_step + output * self.output_step;
        (start, member * inputs..(member + 1) * inputs)
    }
}

/// What a task works on.
struct Task {
    chunk: Chunk,
    group: usize,
    panels: Range<usize>,
}

/// A correlation, for one size of picture.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    isa: Isa,
    products: Products,
    /// Over what all phases read, and as many outputs as the longest has.
    grid: Grid,
    channels: Channels,
    /// Height and width of the destination.
    size: [usize; 2],
    /// The forward pass is one.
    phases: Vec<Phase>,
}

/// Those outputs that read the same taps.
#[derive(Clone, Debug)]
struct Phase {
    /// Rows and columns of outputs.
    outputs: [usize; 2],
    /// Indices into the kernel, in the order of the packed weights.
    taps: Vec<usize>,
    segments: Vec<Segment>,
    blocks: Vec<Range<usize>>,
    band_offsets: Vec<u32>,
    destination_offsets: Vec<u32>,
    /// Where its packed weights begin.
    packed: usize,
}

impl Pass {
    /// Phases are all pairs of one of `rows` and one of `cols`; `kernel_width` is that of the weights, to number the taps.
    pub fn new(
        rows: &[Axis],
        cols: &[Axis],
        channels: Channels,
        size: [usize; 2],
        kernel_width: usize,
        products: Products,
        isa: Isa,
    ) -> Self {
        let words = products.words(channels.inputs);
        let union = |axes: &[Axis]| Axis::union(&axes.iter().collect::<Vec<_>>());
        let grid = Grid::new(union(rows), union(cols), CHUNK_PIXELS, BAND_WORDS / words);
        let mut pass =
            Self { isa, products, channels, size, grid, phases: Vec::with_capacity(rows.len() * cols.len()) };
        let mut packed = 0;
        for (rows, cols) in rows.iter().flat_map(|rows| cols.iter().map(move |cols| (rows, cols))) {
            let outputs = [rows.outputs, cols.outputs];
            let taps = rows.taps.iter().flat_map(|r| cols.taps.iter().map(|c| r.kernel * kernel_width + c.kernel));
            let (segments, blocks) = cut(&segments(&pass.grid, [rows, cols], words), BLOCK_DEPTH);
            let phase = Phase {
                outputs,
                taps: taps.collect(),
                segments,
                blocks,
                band_offsets: pass.grid.band_offsets_of(outputs, words),
                destination_offsets: pass.grid.destination_offsets([rows, cols], size[0], size[1]),
                packed,
            };
            packed += pass.packed_len_of(&phase);
            pass.phases.push(phase);
        }
        pass
    }

    fn lanes(&self) -> usize {
        TileShape::of(self.isa).lanes
    }

    fn panels(&self) -> usize {
        self.channels.outputs.div_ceil(self.lanes())
    }

    /// Words of a pixel of the band.
    fn words(&self) -> usize {
        self.products.words(self.channels.inputs)
    }

    fn panel_len(&self, phase: &Phase) -> usize {
        phase.taps.len() * self.words() * self.lanes()
    }

    fn packed_len_of(&self, phase: &Phase) -> usize {
        self.channels.groups * self.panels() * self.panel_len(phase)
    }

    /// Words that the packed weights take.
    pub fn packed_len(&self) -> usize {
        self.phases.iter().map(|phase| self.packed_len_of(phase)).sum()
    }

    /// Words of scratch that one task takes.
    pub fn task_scratch(&self) -> usize {
        self.band_len() + self.grid.chunk_pixels() * self.lanes()
    }

    fn band_len(&self) -> usize {
        // Whole cache lines, so that the sums behind it are aligned as the scratch is.
        (self.grid.band_pixels() * self.words()).next_multiple_of(16)
    }

    /// Packs weights as `(phase, group, panel, tap, word of inputs, lane)`; zero for lanes beyond the outputs, between the groups
    /// of a bundle, and beyond the last input.
    pub fn pack(&self, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(packed.len(), self.packed_len());
        let Channels { groups, input_step, .. } = self.channels;
        let (lanes, panels, words) = (self.lanes(), self.panels(), self.words());
        let packed = Shared::new(packed);
        parallel::for_each(self.phases.len() * groups * panels, |task| {
            let (phase, index) = (&self.phases[task / (groups * panels)], task % (groups * panels));
            let panel_len = self.panel_len(phase);
            // SAFETY: one task a panel of a phase.
            let panel = unsafe { packed.part(phase.packed + index * panel_len, panel_len) };
            let mut sources: [(usize, Range<usize>); MAX_LANES] = std::array::from_fn(|_| (0, 0..0));
            for (lane, source) in sources[..lanes].iter_mut().enumerate() {
                *source = self.channels.weights_of(index / panels, index % panels * lanes + lane);
            }
            let weight = |(start, own): &(usize, Range<usize>), input: usize, tap: usize| {
                if own.contains(&input) { weights[start + (input - own.start) * input_step + tap] } else { 0.0 }
            };
            // A few inputs at a time: the weights of all their taps and lanes then stay in L1.
            let step = self.products.words(PACK_INPUTS);
            for few in (0..words).step_by(step) {
                let few = few..words.min(few + step);
                for (t, &tap) in phase.taps.iter().enumerate() {
                    for at in few.clone() {
                        let row = &mut panel[(t * words + at) * lanes..][..lanes];
                        for (out, source) in row.iter_mut().zip(&sources) {
                            *out = match self.products {
                                Products::Single => weight(source, at, tap),
                                Products::Pairs => {
                                    let [low, high] = [2 * at, 2 * at + 1].map(|input| weight(source, input, tap));
                                    word(bf16::from_f32(low), bf16::from_f32(high))
                                }
                            };
                        }
                    }
                }
            }
        });
    }

    /// Correlates `n` pictures. `scratch` has [`Pass::task_scratch`] words for each worker of the pool.
    pub fn run<E: Element>(&self, n: usize, source: &[E], packed: &[f32], to: &Destination<E>, scratch: &Shared<f32>) {
        assert_eq!(packed.len(), self.packed_len());
        let chunks = self.grid.chunks(n);
        let panels = self.panels();
        // Parts of the panels become tasks of their own where chunks alone are too few. No sum depends on the cut.
        let tasks = TASKS * parallel::workers();
        let parts = tasks.div_ceil((chunks * self.channels.groups).max(1)).min(panels);
        parallel::for_each(chunks * self.channels.groups * parts, |task| {
            let part = task % parts;
            let task = Task {
                chunk: self.grid.chunk(task / parts / self.channels.groups, n),
                group: task / parts % self.channels.groups,
                panels: part * panels / parts..(part + 1) * panels / parts,
            };
            // SAFETY: a worker runs one task at a time.
            let scratch = unsafe { scratch.part(parallel::worker() * self.task_scratch(), self.task_scratch()) };
            self.task(&task, source, packed, to, scratch);
        });
    }

    fn task<E: Element>(
        &self,
        Task { chunk, group, panels }: &Task,
        source: &[E],
        packed: &[f32],
        to: &Destination<E>,
        scratch: &mut [f32],
    ) {
        let Channels { groups, inputs, outputs, .. } = self.channels;
        let lanes = self.lanes();
        let (band, sums) = scratch.split_at_mut(self.band_len());
        let take = group * inputs..(group + 1) * inputs;
        let channels = groups * inputs;
        self.isa.run(FillBand { products: self.products, grid: &self.grid, chunk, source, channels, take, band });
        let row = chunk.rows.start * self.grid.rows.every;
        let origin = (chunk.images.start * self.size[0] + row) * self.size[1];
        for panel in panels.clone() {
            let first = panel * lanes;
            for phase in &self.phases {
                if to.accumulate && phase.taps.is_empty() {
                    continue; // No output reads it: nothing to add.
                }
                let pixels = self.grid.pixels_of(phase.outputs, chunk);
                let sums = &mut sums[..pixels * lanes];
                let panel_len = self.panel_len(phase);
                let start = phase.packed + (group * self.panels() + panel) * panel_len;
                self.isa.run(Correlate {
                    products: self.products,
                    band,
                    offsets: &phase.band_offsets[..pixels],
                    segments: &phase.segments,
                    blocks: &phase.blocks,
                    weights: &packed[start..start + panel_len],
                    sums,
                });
                self.isa.run(StorePanel {
                    sums,
                    lanes,
                    used: lanes.min(outputs - first),
                    offsets: &phase.destination_offsets[..pixels],
                    origin,
                    channels: groups * outputs,
                    channel: group * outputs + first,
                    to,
                });
            }
        }
    }
}

/// The words that one pixel reads of the grid's band, in the order of the packed weights: taps of one row that touch are one
/// segment.
pub(super) fn segments(grid: &Grid, [rows, cols]: [&Axis; 2], pixel: usize) -> Vec<Segment> {
    let mut all: Vec<Segment> = Vec::with_capacity(rows.taps.len() * cols.taps.len());
    for row in &rows.taps {
        for col in &cols.taps {
            let down = (row.offset - grid.rows.low()) as usize;
            let right = (col.offset - grid.cols.low()) as usize;
            let offset = (down * grid.band_cols() + right) * pixel;
            match all.last_mut() {
                Some(last) if last.offset + last.len == offset => last.len += pixel,
                _ => all.push(Segment { offset, len: pixel }),
            }
        }
    }
    all
}

/// Cuts segments into blocks of nearly equal depth, at most `limit`.
pub(super) fn cut(whole: &[Segment], limit: usize) -> (Vec<Segment>, Vec<Range<usize>>) {
    let depth: usize = whole.iter().map(|s| s.len).sum();
    let block = depth.div_ceil(depth.div_ceil(limit).max(1)).max(1);
    let (mut segments, mut blocks) = (Vec::new(), Vec::new());
    let (mut start, mut left) = (0, block);
    for &Segment { mut offset, mut len } in whole {
        while len > 0 {
            let part = len.min(left);
            segments.push(Segment { offset, len: part });
            (offset, len, left) = (offset + part, len - part, left - part);
            if left == 0 {
                blocks.push(start..segments.len());
                (start, left) = (segments.len(), block);
            }
        }
    }
    if start < segments.len() {
        blocks.push(start..segments.len());
    }
    (segments, blocks)
}
