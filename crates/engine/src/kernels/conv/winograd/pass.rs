//! Forward pass and data gradient.
//!
//! A task transforms the inputs of a chunk of tiles, then makes each of the 36 matrix products with one panel of weights
//! after another, so that the plane of inputs stays in L2, and takes the products back to pixels.

use super::transform::{PairUp, TransformInputs, TransformOutputs, TransformWeights};
use super::{GAP, PRODUCTS, Tiles, even, part};
use crate::kernels::Products;
use crate::kernels::conv::microkernel::{Correlate, MAX_LANES, Segment, TileShape};
use crate::kernels::conv::pass::{BLOCK_DEPTH, cut};
use crate::kernels::conv::store::Destination;
use crate::kernels::parallel::{self, Shared};
use crate::kernels::{Element, Isa};
use std::ops::Range;

/// Transformed inputs and products of a chunk, at most, in words: they go through L3 once.
const CHUNK_WORDS: usize = 256 * 1024;
/// Tiles of a chunk, at least, where there are so many: the weights, which come from L3 or memory, serve as many.
const CHUNK_TILES: usize = 48;
/// Tasks to cut a call into at least, and panels that such a task has at least: all tasks of a chunk transform its inputs.
const TASKS: usize = 16;
const PART_PANELS: usize = 4;

/// Inputs whose weights are transformed before they are written: 1 KiB of each product in 32 lanes.
const PACK_INPUTS: usize = 8;
const _: () = assert!(PACK_INPUTS.is_multiple_of(2), "no word may lie in two parts");

/// Where the weights come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Direction {
    /// From `cin` to `cout`.
    Forward,
    /// From `cout` to `cin`, kernels turned about.
    Backward,
}

/// One direction of a convolution, for one size of picture.
#[derive(Clone, Debug)]
pub struct WinogradPass {
    isa: Isa,
    products: Products,
    direction: Direction,
    tiles: Tiles,
    inputs: usize,
    outputs: usize,
    segments: Vec<Segment>,
    blocks: Vec<Range<usize>>,
    /// Tiles of a chunk at most.
    chunk: usize,
    /// Where the inputs of each tile of a chunk lie in a plane.
    offsets: Vec<u32>,
}

impl WinogradPass {
    /// `source` is the size of the pictures read, `padding` that of this direction.
    pub fn new(
        direction: Direction,
        source: [usize; 2],
        padding: [usize; 2],
        [inputs, outputs]: [usize; 2],
        products: Products,
        isa: Isa,
    ) -> Self {
        let words = products.words(inputs);
        let (segments, blocks) = cut(&[Segment { offset: 0, len: words }], BLOCK_DEPTH);
        let rows = TileShape::of(isa).rows;
        let chunk = (CHUNK_WORDS / (PRODUCTS * (words + outputs))).max(CHUNK_TILES).next_multiple_of(rows);
        let offsets = (0..chunk).map(|tile| (tile * words) as u32).collect();
        let tiles = Tiles::new(source, padding);
        Self { isa, products, direction, tiles, inputs, outputs, segments, blocks, chunk, offsets }
    }

    /// Words of a tile's inputs in a plane.
    fn words(&self) -> usize {
        self.products.words(self.inputs)
    }

    fn lanes(&self) -> usize {
        TileShape::of(self.isa).lanes
    }
    fn panels(&self) -> usize {
        self.outputs.div_ceil(self.lanes())
    }
    /// Words of one panel of weights of one product.
    fn panel_len(&self) -> usize {
        self.words() * self.lanes()
    }
    /// Words from one plane of transformed inputs to the next, and of products, which hold panel after panel.
    fn strides(&self) -> [usize; 2] {
        [self.chunk * self.words() + GAP, self.panels() * self.chunk * self.lanes() + GAP]
    }

    /// Words from the weights of one product to those of the next.
    fn packed_stride(&self) -> usize {
        self.panels() * self.panel_len() + GAP
    }

    /// Words that the packed weights take.
    pub fn packed_len(&self) -> usize {
        PRODUCTS * self.packed_stride()
    }

    /// Words of scratch that one task takes.
    pub fn task_scratch(&self) -> usize {
        let [inputs, products] = self.strides();
        PRODUCTS * (inputs.next_multiple_of(16) + products)
    }

    /// Packs OIHW weights as `(product, panel, word of inputs, lane)`, transformed; zero for lanes beyond the outputs and beyond the
    /// last input.
    pub fn pack(&self, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(packed.len(), self.packed_len());
        assert_eq!(weights.len(), 9 * self.inputs * self.outputs);
        let (lanes, panel_len) = (self.lanes(), self.panel_len());
        let packed = Shared::new(packed);
        parallel::for_each(self.panels(), |panel| {
            // A few inputs at a time: of 32 outputs a kernel each, or 36 planes a line each, would drive each other out of
            // the caches.
            let mut taps = [0.0; PACK_INPUTS * 9 * MAX_LANES];
            let mut few = [0.0; PRODUCTS * PACK_INPUTS * MAX_LANES];
            for first in (0..self.inputs).step_by(PACK_INPUTS) {
                let count = PACK_INPUTS.min(self.inputs - first);
                self.gather(weights, panel, first..first + count, &mut taps);
                for slot in 0..count {
                    let (taps, to) = (&taps[slot * 9 * lanes..][..9 * lanes], &mut few[slot * lanes..]);
                    self.isa.run(TransformWeights { taps, lanes, stride: PACK_INPUTS * lanes, to });
                }
                let (before, words) = (first / self.products.per_word(), self.products.words(count));
                for (k, few) in few.chunks_exact_mut(PACK_INPUTS * lanes).take(PRODUCTS).enumerate() {
                    let start = k * self.packed_stride() + panel * panel_len + before * lanes;
                    // SAFETY: one task a panel, and the products do not overlap.
                    let to = unsafe { packed.part(start, words * lanes) };
                    match self.products {
                        Products::Single => to.copy_from_slice(&few[..count * lanes]),
                        Products::Pairs => {
                            if count % 2 == 1 {
                                few[count * lanes..][..lanes].fill(0.0);
                            }
                            self.isa.run(PairUp { rows: &few[..2 * words * lanes], lanes, to });
                        }
                    }
                }
            }
        });
    }

    /// The weights from some inputs to the outputs of a panel, as `(input, tap, lane)`. Lanes beyond the outputs are left as
    /// they are.
    fn gather(&self, weights: &[f32], panel: usize, inputs: Range<usize>, taps: &mut [f32]) {
        let lanes = self.lanes();
        for lane in 0..lanes.min(self.outputs - panel * lanes) {
            let output = panel * lanes + lane;
            for (slot, input) in inputs.clone().enumerate() {
                let (kernel, turned) = match self.direction {
                    Direction::Forward => (output * self.inputs + input, false),
                    Direction::Backward => (input * self.outputs + output, true),
                };
                let to = &mut taps[slot * 9 * lanes + lane..][..8 * lanes + 1];
                for (tap, weight) in weights[9 * kernel..][..9].iter().enumerate() {
                    to[if turned { 8 - tap } else { tap } * lanes] = *weight;
                }
            }
        }
    }

    /// Convolves `n` pictures. `scratch` has [`Self::task_scratch`] words for each worker of the pool.
    pub fn run<E: Element>(&self, n: usize, source: &[E], packed: &[f32], to: &Destination<E>, scratch: &Shared<f32>) {
        assert_eq!(packed.len(), self.packed_len());
        let tiles = n * self.tiles.per_image();
        let panels = self.panels();
        // Chunks of equal size; parts of the panels where chunks alone are too few. No sum depends on the cut.
        let chunk = even(self.chunk, tiles);
        let chunks = tiles.div_ceil(chunk);
        let parts = TASKS.div_ceil(chunks.max(1)).min(panels.div_ceil(PART_PANELS));
        parallel::for_each(chunks * parts, |task| {
            let range = part(task / parts, chunk, tiles);
            let panels = task % parts * panels / parts..(task % parts + 1) * panels / parts;
            // SAFETY: a worker runs one task at a time.
            let scratch = unsafe { scratch.part(parallel::worker() * self.task_scratch(), self.task_scratch()) };
            self.task(range, panels, source, packed, to, scratch);
        });
    }

    fn task<E: Element>(
        &self,
        range: Range<usize>,
        panels: Range<usize>,
        source: &[E],
        packed: &[f32],
        to: &Destination<E>,
        scratch: &mut [f32],
    ) {
        let (lanes, tiles) = (self.lanes(), range.len());
        let [stride, product_stride] = self.strides();
        let (planes, products) = scratch.split_at_mut(PRODUCTS * stride.next_multiple_of(16));
        self.isa.run(TransformInputs {
            products: self.products,
            tiles: &self.tiles,
            range: range.clone(),
            source,
            channels: self.inputs,
            row: self.words(),
            stride,
            planes,
        });
        for k in 0..PRODUCTS {
            for panel in panels.clone() {
                self.isa.run(Correlate {
                    products: self.products,
                    band: &planes[k * stride..][..tiles * self.words()],
                    offsets: &self.offsets[..tiles],
                    segments: &self.segments,
                    blocks: &self.blocks,
                    weights: &packed[k * self.packed_stride() + panel * self.panel_len()..][..self.panel_len()],
                    sums: &mut products[k * product_stride + panel * tiles * lanes..][..tiles * lanes],
                });
            }
        }
        for panel in panels {
            self.isa.run(TransformOutputs {
                tiles: &self.tiles,
                range: range.clone(),
                products: &products[panel * tiles * lanes..],
                stride: product_stride,
                lanes,
                used: lanes.min(self.outputs - panel * lanes),
                channels: self.outputs,
                channel: panel * lanes,
                to,
            });
        }
    }
}
