//! Winograd's convolution F(4×4, 3×3): a 3×3 kernel with stride 1 in a quarter of the products.
//!
//! ```text
//! forward           y  = Aᵀ [ (G w Gᵀ) ⊙ (Bᵀ x B) ] A      on tiles of 4 × 4 outputs, which read 6 × 6 inputs
//! data gradient     the same with the weights turned about and inputs and outputs exchanged
//! weight gradient   dw = Gᵀ [ Σ_tiles (Bᵀ x B) ⊙ (A dy Aᵀ) ] G
//! ```
//! Over channels each of the 36 products of `⊙` is a matrix product. Lavin and Gray 2015 (arXiv:1509.09308).
//!
//! The polynomials behind `A`, `B` and `G` are taken at 0, ±3/4, ±3/2 and ∞, not at the usual 0, ±1, ±2, ∞: that keeps the
//! numbers in the transformed domain of one size. On normal inputs with 256 channels the largest error is 1.4 times that
//! of the direct sum in `f32` (the usual points: 5.5 times), and the transforms' constants are exact. Between ±3/4 and
//! ±3/2 others are as good (Barabasz et al. 2018, arXiv:1803.10986); these are short binary fractions.
//!
//! Transforms are made in `f32`; with [`Products::Pairs`](crate::kernels::Products) what they give is rounded to bf16, so that the errors are
//! of that size.

mod pass;
mod transform;
mod weight;

pub(super) use pass::{Direction, WinogradPass};
pub(super) use weight::WinogradWeightPass;

use super::Conv2d;
use std::ops::Range;

/// Outputs of a tile each way.
const OUT: usize = 4;
/// Inputs of a tile each way.
const IN: usize = 6;
/// Products of a tile.
const PRODUCTS: usize = IN * IN;
/// Planes of the transformed domain lie one cache line more than their size apart: at a power of two all 36 would fall
/// into one set of the cache.
const GAP: usize = 16;

/// Channels below which the transforms cost more than they save.
const FEWEST_CHANNELS: usize = 16;
/// Least factor by which products must become fewer, tiles that stand over the edge counted in.
const LEAST_GAIN: f64 = 1.5;

/// Whether this convolution is faster this way on pictures of which it makes `output` pixels.
pub(super) fn suits(conv: &Conv2d, output: [usize; 2]) -> bool {
    let shape = conv.kernel == [3, 3] && conv.stride == [1, 1] && conv.dilation == [1, 1] && conv.groups == 1;
    let padding = conv.padding.iter().all(|p| *p <= 2);
    let channels = conv.cin.min(conv.cout) >= FEWEST_CHANNELS;
    let tiles = output[0].div_ceil(OUT) * output[1].div_ceil(OUT);
    let gain = (9 * output[0] * output[1]) as f64 / (PRODUCTS * tiles) as f64;
    shape && padding && channels && gain >= LEAST_GAIN
}

/// In the place of a pixel: there is none.
const NOWHERE: usize = usize::MAX;

/// Where the tiles of a batch lie.
#[derive(Clone, Copy, Debug)]
struct Tiles {
    /// Height and width of what is read.
    source: [usize; 2],
    padding: [usize; 2],
    /// Height and width of what is tiled.
    output: [usize; 2],
    /// Tiles of a picture each way.
    across: [usize; 2],
}

/// One tile: its picture, and its first output pixel.
#[derive(Clone, Copy, Debug)]
struct Tile {
    image: usize,
    row: usize,
    col: usize,
}

impl Tiles {
    fn new(source: [usize; 2], padding: [usize; 2]) -> Self {
        let output = [0, 1].map(|a| source[a] + 2 * padding[a] - 2);
        Self { source, padding, output, across: output.map(|o| o.div_ceil(OUT)) }
    }

    fn per_image(&self) -> usize {
        self.across[0] * self.across[1]
    }

    fn get(&self, index: usize) -> Tile {
        let (image, within) = (index / self.per_image(), index % self.per_image());
        Tile { image, row: within / self.across[1] * OUT, col: within % self.across[1] * OUT }
    }

    /// The source pixels of a tile in rows, counted over the whole batch; [`NOWHERE`] where there is padding, and all of no tile.
    ///
    /// Written in place, here and below: as values they would be copied about, which took a twentieth of a step.
    #[inline]
    fn inputs(&self, tile: Option<usize>, pixels: &mut [usize; PRODUCTS]) {
        let Some(tile) = tile.map(|index| self.get(index)) else { return pixels.fill(NOWHERE) };
        let inside = |first: usize, k: usize, axis: usize| {
            let at = (first + k).wrapping_sub(self.padding[axis]);
            (at < self.source[axis]).then_some(at)
        };
        for (i, row) in pixels.chunks_exact_mut(IN).enumerate() {
            let Some(line) = inside(tile.row, i, 0) else {
                row.fill(NOWHERE);
                continue;
            };
            let line = (tile.image * self.source[0] + line) * self.source[1];
            for (j, pixel) in row.iter_mut().enumerate() {
                *pixel = inside(tile.col, j, 1).map_or(NOWHERE, |col| line + col);
            }
        }
    }

    /// The output pixels of a tile in rows, counted over the whole batch; [`NOWHERE`] beyond the edge, and all of no tile.
    #[inline]
    fn outputs(&self, tile: Option<usize>, pixels: &mut [usize; OUT * OUT]) {
        let Some(tile) = tile.map(|index| self.get(index)) else { return pixels.fill(NOWHERE) };
        for (i, pixel) in pixels.iter_mut().enumerate() {
            let (row, col) = (tile.row + i / OUT, tile.col + i % OUT);
            let inside = row < self.output[0] && col < self.output[1];
            let at = (tile.image * self.output[0] + row) * self.output[1] + col;
            *pixel = if inside { at } else { NOWHERE };
        }
    }
}

/// Part `index` of `0..total` in steps of `step`.
fn part(index: usize, step: usize, total: usize) -> Range<usize> {
    index * step..total.min((index + 1) * step)
}

/// The size of equal parts of `total`, each at most `limit`.
fn even(limit: usize, total: usize) -> usize {
    total.div_ceil(total.div_ceil(limit.max(1)).max(1)).max(1)
}
