//! The weight gradient: 36 products of transformed inputs with transformed output gradients, summed over the tiles; words of two
//! are of neighbouring tiles.
//!
//! Tasks own blocks of the gradient; where those are few, the tiles are split too, and partial sums added in the order of
//! the splits.

use super::transform::{TransformBlock, TransformGradients, TransformWeightGradients};
use super::{GAP, PRODUCTS, Tiles, even, part};
use crate::kernels::Products;
use crate::kernels::conv::backward_weight::AddAssign;
use crate::kernels::conv::microkernel::{MAX_LANES, Outer, Segment, TileShape};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::{Element, Isa};
use std::ops::Range;

/// Slots of a chunk, each a tile or two: the sums go through L2 or L3 once a chunk.
const CHUNK_SLOTS: usize = 48;
/// Channels of a task's block of the gradient each way: a pixel's transform serves so many products.
const TASK_CHANNELS: usize = 128;
/// Tasks to cut a call into at least, where the gradient has few blocks.
const TASKS: usize = 16;

/// The weight gradient of one convolution, for one size of picture.
#[derive(Clone, Debug)]
pub struct WinogradWeightPass {
    isa: Isa,
    products: Products,
    tiles: Tiles,
    inputs: usize,
    outputs: usize,
    /// Input channels and panels of outputs that one task owns.
    block: usize,
    panels: usize,
    /// Where the inputs of each slot of a chunk lie in a plane.
    offsets: Vec<u32>,
}

/// What a task sums: a block of the gradient, over some tiles.
struct Task {
    inputs: Range<usize>,
    panels: Range<usize>,
    tiles: Range<usize>,
    /// Where the sums of its split begin.
    sums: usize,
}

impl WinogradWeightPass {
    pub fn new(
        source: [usize; 2],
        padding: [usize; 2],
        [inputs, outputs]: [usize; 2],
        products: Products,
        isa: Isa,
    ) -> Self {
        let lanes = TileShape::of(isa).lanes;
        let block = even(TASK_CHANNELS, inputs);
        let panels = even((TASK_CHANNELS / lanes).max(1), outputs.div_ceil(lanes));
        let offsets = (0..CHUNK_SLOTS).map(|slot| (slot * block) as u32).collect();
        Self { isa, products, tiles: Tiles::new(source, padding), inputs, outputs, block, panels, offsets }
    }

    fn chunk_tiles(&self) -> usize {
        CHUNK_SLOTS * self.products.per_word()
    }

    fn lanes(&self) -> usize {
        TileShape::of(self.isa).lanes
    }
    fn all_panels(&self) -> usize {
        self.outputs.div_ceil(self.lanes())
    }
    /// Floats of one panel's sums: `(product, input, lane)`.
    fn panel_len(&self) -> usize {
        PRODUCTS * self.inputs * self.lanes()
    }
    fn sums_len(&self) -> usize {
        self.all_panels() * self.panel_len()
    }
    /// Words from one plane of transformed inputs to the next, and from one plane of gradients.
    fn strides(&self) -> [usize; 2] {
        [CHUNK_SLOTS * self.block + GAP, CHUNK_SLOTS * self.lanes() + GAP]
    }
    /// Tasks of one split: parts of the inputs, parts of the panels.
    fn parts(&self) -> [usize; 2] {
        [self.inputs.div_ceil(self.block), self.all_panels().div_ceil(self.panels)]
    }
    fn chunks(&self, n: usize) -> usize {
        (n * self.tiles.per_image()).div_ceil(self.chunk_tiles())
    }
    /// Into how many ranges the tiles of `n` pictures are split.
    fn splits(&self, n: usize) -> usize {
        TASKS.div_ceil(self.parts().iter().product()).min(self.chunks(n)).max(1)
    }

    /// Words of scratch that all tasks share.
    pub fn shared_scratch(&self, n: usize) -> usize {
        (self.splits(n) * self.sums_len()).next_multiple_of(16)
    }

    /// Words of scratch that one task takes.
    pub fn task_scratch(&self) -> usize {
        let [inputs, gradients] = self.strides();
        PRODUCTS * (inputs.next_multiple_of(16) + self.panels * gradients).next_multiple_of(16)
    }

    /// Overwrites `dw`, OIHW.
    pub fn run<E: Element>(&self, n: usize, x: &[E], dy: &[E], dw: &mut [f32], scratch: &mut [f32]) {
        let tiles = n * self.tiles.per_image();
        if tiles == 0 {
            return dw.fill(0.0);
        }
        let (splits, [blocks, parts]) = (self.splits(n), self.parts());
        let (sums, own) = scratch.split_at_mut(self.shared_scratch(n));
        let (sums, own) = (Shared::new(sums), Shared::new(own));
        let per_split = self.chunks(n).div_ceil(splits) * self.chunk_tiles();
        parallel::for_each(splits * blocks * parts, |index| {
            let (split, index) = (index / (blocks * parts), index % (blocks * parts));
            let task = Task {
                inputs: part(index / parts, self.block, self.inputs),
                panels: part(index % parts, self.panels, self.all_panels()),
                tiles: (split * per_split).min(tiles)..((split + 1) * per_split).min(tiles),
                sums: split * self.sums_len(),
            };
            // SAFETY: a worker runs one task at a time.
            let scratch = unsafe { own.part(parallel::worker() * self.task_scratch(), self.task_scratch()) };
            self.task(&task, x, dy, &sums, scratch);
        });
        self.reduce(splits, &sums, dw);
    }

    fn task<E: Element>(&self, task: &Task, x: &[E], dy: &[E], sums: &Shared<f32>, scratch: &mut [f32]) {
        let [stride, gradient_stride] = self.strides();
        let (lanes, width) = (self.lanes(), task.inputs.len());
        let (planes, gradients) = scratch.split_at_mut(PRODUCTS * stride.next_multiple_of(16));
        let segments = [Segment { offset: 0, len: width }];
        let place = |panel: usize, k: usize| {
            task.sums + panel * self.panel_len() + (k * self.inputs + task.inputs.start) * lanes
        };
        if task.tiles.is_empty() {
            for panel in task.panels.clone() {
                for k in 0..PRODUCTS {
                    // SAFETY: split, inputs and panel together belong to one task.
                    unsafe { sums.part(place(panel, k), width * lanes) }.fill(0.0);
                }
            }
        }
        for start in task.tiles.clone().step_by(self.chunk_tiles()) {
            let range = start..task.tiles.end.min(start + self.chunk_tiles());
            let count = self.products.words(range.len());
            self.isa.run(TransformBlock {
                products: self.products,
                tiles: &self.tiles,
                range: range.clone(),
                source: x,
                channels: self.inputs,
                take: task.inputs.clone(),
                row: self.block,
                stride,
                planes,
            });
            self.isa.run(TransformGradients {
                products: self.products,
                tiles: &self.tiles,
                range,
                source: dy,
                channels: self.outputs,
                take: task.panels.start * lanes..self.outputs.min(task.panels.end * lanes),
                lanes,
                stride: gradient_stride,
                panels: gradients,
            });
            for k in 0..PRODUCTS {
                for (slot, panel) in task.panels.clone().enumerate() {
                    // SAFETY: split, inputs and panel together belong to one task.
                    let sums = unsafe { sums.part(place(panel, k), width * lanes) };
                    self.isa.run(Outer {
                        products: self.products,
                        band: &planes[k * stride..][..count * self.block],
                        offsets: &self.offsets[..count],
                        segments: &segments,
                        panel: &gradients[(slot * PRODUCTS + k) * gradient_stride..][..count * lanes],
                        sums,
                        first: start == task.tiles.start,
                    });
                }
            }
        }
    }

    /// Adds the splits in order, and writes `Gᵀ u G` as `(output, input, tap)`.
    fn reduce(&self, splits: usize, sums: &Shared<f32>, dw: &mut [f32]) {
        let (lanes, panel_len) = (self.lanes(), self.panel_len());
        let dw = Shared::new(dw);
        parallel::for_each(self.all_panels(), |panel| {
            // SAFETY: one task a panel, and the splits do not overlap.
            let total = unsafe { sums.part(panel * panel_len, panel_len) };
            for split in 1..splits {
                // SAFETY: as above.
                let addend = unsafe { sums.part(split * self.sums_len() + panel * panel_len, panel_len) };
                self.isa.run(AddAssign { to: total, addend });
            }
            let used = lanes.min(self.outputs - panel * lanes);
            // SAFETY: one task a panel of outputs.
            let dw = unsafe { dw.part(9 * panel * lanes * self.inputs, 9 * used * self.inputs) };
            let mut taps = [0.0; 9 * MAX_LANES];
            for input in 0..self.inputs {
                let sums = &total[input * lanes..];
                let stride = self.inputs * lanes;
                self.isa.run(TransformWeightGradients { sums, lanes, stride, taps: &mut taps[..9 * lanes] });
                for lane in 0..used {
                    for (tap, out) in dw[9 * (lane * self.inputs + input)..][..9].iter_mut().enumerate() {
                        *out = taps[tap * lanes + lane];
                    }
                }
            }
        });
    }
}
