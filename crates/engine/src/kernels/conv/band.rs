//! Copies of what a chunk reads, as `f32`: bands of padded source rows, and panels of gradient pixels.
//!
//! A copy costs one pass over data that is then read once a tap and panel. It makes every tap a constant distance from
//! its pixel, widens bf16 once, lets pixels lie where they do not fight over cache sets, and brings the chunk into L2.

use super::geometry::{Chunk, Grid};
use crate::kernels::Element;
use crate::kernels::simd::{Kernel, Simd};
use std::ops::Range;

/// Copies the padded rows that `chunk` reads into `band`, laid out `(block, picture, row, column, channel of the block)`.
pub(super) struct FillBand<'a, E> {
    pub grid: &'a Grid,
    pub chunk: &'a Chunk,
    /// `(n, h, w, channels)`.
    pub source: &'a [E],
    pub channels: usize,
    /// The channels to copy, cut into blocks of `block`; the last may have fewer.
    pub take: Range<usize>,
    /// Also the distance between neighbouring pixels of a block.
    pub block: usize,
    /// Distance between blocks.
    pub stride: usize,
    pub band: &'a mut [f32],
}

impl<E: Element> Kernel for FillBand<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { grid, chunk, source, channels, take, block, stride, band } = self;
        let (rows, cols) = (&grid.rows, &grid.cols);
        let line = grid.band_cols() * block;
        let blocks = take.len().div_ceil(block);
        // Columns of the band that hold source: the rest is padding.
        let left = cols.low().min(0).unsigned_abs().div_ceil(cols.pick).min(grid.band_cols());
        let skip = (cols.low() + (left * cols.pick) as isize).max(0) as usize;
        let inside = cols.source.saturating_sub(skip).div_ceil(cols.pick).min(grid.band_cols() - left);
        let distance = channels * cols.pick;
        for (slot, image) in chunk.images.clone().enumerate() {
            for r in 0..rows.span(chunk.rows.len()) {
                let start = (slot * grid.band_rows() + r) * line;
                let row = ((chunk.rows.start * rows.step + r) * rows.pick) as isize + rows.low();
                if row < 0 || row >= rows.source as isize {
                    for b in 0..blocks {
                        band[b * stride + start..][..line].fill(0.0);
                    }
                    continue;
                }
                for b in 0..blocks {
                    let line = &mut band[b * stride + start..][..line];
                    line[..left * block].fill(0.0);
                    line[(left + inside) * block..].fill(0.0);
                }
                if inside == 0 {
                    continue;
                }
                let from = ((image * rows.source + row as usize) * cols.source + skip) * channels;
                let from = &source[from..from + (inside - 1) * distance + channels];
                let pixels = Pixels { from, channels, distance, count: inside };
                split::<S, E>(pixels, take.clone(), block, &mut band[start + left * block..], stride);
            }
        }
    }
}

/// Copies pixels into panels of `lanes` channels: `(panel, pixel, lane)`, the last panel's other lanes zero.
pub(super) struct FillPanels<'a, E> {
    /// `(pixels, channels)`.
    pub source: &'a [E],
    pub channels: usize,
    pub take: Range<usize>,
    pub lanes: usize,
    /// Distance between panels.
    pub stride: usize,
    pub panels: &'a mut [f32],
}

impl<E: Element> Kernel for FillPanels<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { source, channels, take, lanes, stride, panels } = self;
        let (whole, used) = (take.len() / lanes, take.len() % lanes);
        let count = source.len() / channels;
        if used > 0 {
            for pixel in panels[whole * stride..][..count * lanes].chunks_exact_mut(lanes) {
                pixel[used..].fill(0.0);
            }
        }
        split::<S, E>(Pixels { from: source, channels, distance: channels, count }, take, lanes, panels, stride);
    }
}

/// Pixels to copy from.
struct Pixels<'a, E> {
    /// From the first one on.
    from: &'a [E],
    channels: usize,
    /// Elements from one pixel to the next.
    distance: usize,
    count: usize,
}

/// Copies channels `take` of each pixel, `block` after `block`: block `b` of pixel `p` goes to `to[b · stride + p · block..]`.
#[inline(always)]
fn split<S: Simd, E: Element>(
    Pixels { from, channels, distance, count }: Pixels<'_, E>,
    take: Range<usize>,
    block: usize,
    to: &mut [f32],
    stride: usize,
) {
    if take.len() == channels && block == channels && distance == channels {
        return widen::<S, E>(from, &mut to[..from.len()]);
    }
    let (whole, rest) = (take.len() / block, take.len() % block);
    assert!(take.end <= channels && channels <= distance);
    assert!(count == 0 || (count - 1) * distance + channels <= from.len());
    assert!(count == 0 || whole == 0 || (whole - 1) * stride + count * block <= to.len());
    // SAFETY: the assertions bound what the whole blocks of all pixels read and write.
    unsafe {
        let (from, to) = (from.as_ptr().add(take.start), to.as_mut_ptr());
        let shape = Blocks { pixels: count, distance, whole, block, stride };
        match block {
            b if b == 2 * S::LANES => split_vectors::<S, E, 2>(from, to, shape),
            b if b == S::LANES => split_vectors::<S, E, 1>(from, to, shape),
            _ => split_any::<S, E>(from, to, shape),
        }
    }
    if rest > 0 {
        for p in 0..count {
            let pixel = &from[p * distance..][take.clone()][whole * block..];
            widen::<S, E>(pixel, &mut to[whole * stride + p * block..][..rest]);
        }
    }
}

/// What [`split`] copies of whole blocks.
struct Blocks {
    pixels: usize,
    distance: usize,
    whole: usize,
    block: usize,
    stride: usize,
}

/// Blocks of `VECTORS` vectors: a few instructions each.
#[inline(always)]
unsafe fn split_vectors<S: Simd, E: Element, const VECTORS: usize>(from: *const E, to: *mut f32, shape: Blocks) {
    for p in 0..shape.pixels {
        for b in 0..shape.whole {
            for v in 0..VECTORS {
                // SAFETY: the caller's promise.
                unsafe {
                    let x = E::load::<S>(from.add(p * shape.distance + b * shape.block + v * S::LANES));
                    S::store(to.add(b * shape.stride + p * shape.block + v * S::LANES), x);
                }
            }
        }
    }
}

/// Blocks of any size.
#[inline(always)]
unsafe fn split_any<S: Simd, E: Element>(from: *const E, to: *mut f32, shape: Blocks) {
    for p in 0..shape.pixels {
        for b in 0..shape.whole {
            // SAFETY: the caller's promise.
            let (from, to) = unsafe {
                let from = from.add(p * shape.distance + b * shape.block);
                let to = to.add(b * shape.stride + p * shape.block);
                (std::slice::from_raw_parts(from, shape.block), std::slice::from_raw_parts_mut(to, shape.block))
            };
            widen::<S, E>(from, to);
        }
    }
}

/// `to[i] = from[i]`, for slices of one length.
#[inline(always)]
fn widen<S: Simd, E: Element>(from: &[E], to: &mut [f32]) {
    assert_eq!(from.len(), to.len());
    let whole = from.len() / S::LANES * S::LANES;
    for i in (0..whole).step_by(S::LANES) {
        // SAFETY: `i + LANES <= whole <= len` of both.
        unsafe { S::store(to.as_mut_ptr().add(i), E::load::<S>(from.as_ptr().add(i))) }
    }
    for (to, from) in to[whole..].iter_mut().zip(&from[whole..]) {
        *to = from.to_f32();
    }
}
