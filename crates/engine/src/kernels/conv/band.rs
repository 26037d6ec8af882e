//! Copies of what a chunk reads, as words ([`Products`]): bands of padded source rows, and panels of gradient pixels.
//!
//! A copy costs one pass over data that is then read once a tap and panel. It makes every tap a constant distance from
//! its pixel, widens or pairs numbers once, lets pixels lie where they do not fight over cache sets, and brings the chunk into L2.

use super::geometry::{Chunk, Grid};
use crate::kernels::simd::{Kernel, Simd, word};
use crate::kernels::{Element, Products};
use bytemuck::Zeroable;
use half::bf16;
use std::marker::PhantomData;
use std::ops::Range;

/// Copies the padded rows that `chunk` reads into `band`, laid out `(picture, row, column, channel)`, a word being a channel or
/// two neighbouring ones, the last with a zero where their number is odd.
pub(super) struct FillBand<'a, E> {
    pub products: Products,
    pub grid: &'a Grid,
    pub chunk: &'a Chunk,
    /// `(n, h, w, channels)`.
    pub source: &'a [E],
    pub channels: usize,
    /// The channels to copy.
    pub take: Range<usize>,
    pub band: &'a mut [f32],
}

impl<E: Element> Kernel for FillBand<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { products, grid, chunk, source, channels, take, band } = self;
        let block = products.words(take.len()) * products.per_word();
        let rows = Rows { grid, chunk, source, channels, take, block, stride: 0 };
        match products {
            Products::Single => rows.copy::<S, Each<E, f32>>(band),
            Products::Pairs => rows.copy::<S, Each<E, bf16>>(bytemuck::cast_slice_mut(band)),
        }
    }
}

/// As [`FillBand`], laid out `(block, picture, row, column, channel of the block)`; a word is a channel of one image or of two,
/// which are one *picture* of the chunk.
pub(super) struct FillBlocks<'a, E> {
    pub products: Products,
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

impl<E: Element> Kernel for FillBlocks<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { products, grid, chunk, source, channels, take, block, stride, band } = self;
        let rows = Rows { grid, chunk, source, channels, take, block, stride };
        match products {
            Products::Single => rows.copy::<S, Each<E, f32>>(band),
            Products::Pairs => rows.copy::<S, Paired<E>>(band),
        }
    }
}

/// The rows to copy, and where they go to.
struct Rows<'a, E> {
    grid: &'a Grid,
    chunk: &'a Chunk,
    source: &'a [E],
    channels: usize,
    take: Range<usize>,
    block: usize,
    stride: usize,
}

impl<'a, E: Element> Rows<'a, E> {
    #[inline(always)]
    fn copy<S: Simd, R: Rule<'a, E>>(self, band: &mut [R::To]) {
        let Self { grid, chunk, source, channels, take, block, stride } = self;
        let (rows, cols) = (&grid.rows, &grid.cols);
        let line = grid.band_cols() * block;
        let blocks = take.len().div_ceil(block);
        let zero = R::To::zeroed();
        // Columns of the band that hold source: the rest is padding.
        let left = cols.low().min(0).unsigned_abs().div_ceil(cols.pick).min(grid.band_cols());
        let skip = (cols.low() + (left * cols.pick) as isize).max(0) as usize;
        let inside = cols.source.saturating_sub(skip).div_ceil(cols.pick).min(grid.band_cols() - left);
        let distance = channels * cols.pick;
        for (slot, picture) in chunk.images.clone().enumerate() {
            for r in 0..rows.span(chunk.rows.len()) {
                let start = (slot * grid.band_rows() + r) * line;
                let row = ((chunk.rows.start * rows.step + r) * rows.pick) as isize + rows.low();
                if row < 0 || row >= rows.source as isize {
                    for b in 0..blocks {
                        band[b * stride + start..][..line].fill(zero);
                    }
                    continue;
                }
                for b in 0..blocks {
                    let line = &mut band[b * stride + start..][..line];
                    line[..left * block].fill(zero);
                    line[(left + inside) * block..].fill(zero);
                }
                if inside == 0 {
                    continue;
                }
                let first = (row as usize * cols.source + skip) * channels;
                let range = first..first + (inside - 1) * distance + channels;
                let from = R::of(source, rows.source * cols.source * channels, picture, range);
                let shape = Shape { channels, distance, pixels: inside };
                split::<S, E, R>(&from, shape, take.clone(), block, &mut band[start + left * block..], stride);
            }
        }
    }
}

/// Copies the pixels of a chunk's outputs into panels of `lanes` channels: `(panel, picture, pixel, lane)`, the last panel's other
/// lanes zero; words as in [`FillBlocks`].
pub(super) struct FillPanels<'a, E> {
    pub products: Products,
    /// `(n, pixels, channels)`.
    pub source: &'a [E],
    pub channels: usize,
    /// Pixels of an image.
    pub image: usize,
    pub pictures: Range<usize>,
    /// Of each picture.
    pub pixels: Range<usize>,
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
        match self.products {
            Products::Single => self.copy::<S, Each<E, f32>>(),
            Products::Pairs => self.copy::<S, Paired<E>>(),
        }
    }
}

impl<'a, E: Element> FillPanels<'a, E> {
    #[inline(always)]
    fn copy<S: Simd, R: Rule<'a, E, To = f32>>(self) {
        let Self { products: _, source, channels, image, pictures, pixels, take, lanes, stride, panels } = self;
        let (whole, used) = (take.len() / lanes, take.len() % lanes);
        let count = pictures.len() * pixels.len();
        if used > 0 {
            for pixel in panels[whole * stride..][..count * lanes].chunks_exact_mut(lanes) {
                pixel[used..].fill(0.0);
            }
        }
        for (slot, picture) in pictures.enumerate() {
            let range = pixels.start * channels..pixels.end * channels;
            let from = R::of(source, image * channels, picture, range);
            let shape = Shape { channels, distance: channels, pixels: pixels.len() };
            let to = &mut panels[slot * pixels.len() * lanes..];
            split::<S, E, R>(&from, shape, take.clone(), lanes, to, stride);
        }
    }
}

/// How numbers of the source become what is in a band.
trait Rule<'a, E: Element>: Sized {
    /// A word, or half of one.
    type To: bytemuck::Pod;
    /// Of the elements `range` of a picture, of whose `image` elements each image of `source` has as many; the last picture may lack its
    /// second image.
    fn of(source: &'a [E], image: usize, picture: usize, range: Range<usize>) -> Self;
    /// How many there are.
    fn len(&self) -> usize;
    /// Copies a vector of elements, those at `at`.
    ///
    /// # Safety
    /// `S::LANES` of them are there, and there is as much room at `to`.
    unsafe fn vector<S: Simd>(&self, at: usize, to: *mut Self::To);
    fn single(&self, at: usize) -> Self::To;
}

/// Each number by itself: an `f32` a word, a bf16 half of one, which neighbours share.
struct Each<'a, E, T>(&'a [E], PhantomData<T>);

impl<'a, E: Element, T: Element> Rule<'a, E> for Each<'a, E, T> {
    type To = T;
    #[inline(always)]
    fn of(source: &'a [E], image: usize, picture: usize, range: Range<usize>) -> Self {
        Self(&source[picture * image..][range], PhantomData)
    }
    #[inline(always)]
    fn len(&self) -> usize {
        self.0.len()
    }
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, at: usize, to: *mut T) {
        // SAFETY: the caller's promise.
        unsafe {
            let from = self.0.as_ptr().add(at);
            if E::DTYPE == T::DTYPE {
                std::ptr::copy_nonoverlapping(from.cast::<T>(), to, S::LANES);
            } else {
                T::store::<S>(to, E::load::<S>(from));
            }
        }
    }
    #[inline(always)]
    fn single(&self, at: usize) -> T {
        T::from_f32(self.0[at].to_f32())
    }
}

/// The numbers at one place of two images a word; where there is no second one, a zero.
struct Paired<'a, E>(&'a [E], Option<&'a [E]>);

impl<'a, E: Element> Rule<'a, E> for Paired<'a, E> {
    type To = f32;
    #[inline(always)]
    fn of(source: &'a [E], image: usize, picture: usize, range: Range<usize>) -> Self {
        let second = source.get((2 * picture + 1) * image..(2 * picture + 2) * image);
        Self(&source[2 * picture * image..][range.clone()], second.map(|second| &second[range]))
    }
    #[inline(always)]
    fn len(&self) -> usize {
        self.0.len()
    }
    #[inline(always)]
    unsafe fn vector<S: Simd>(&self, at: usize, to: *mut f32) {
        // SAFETY: the caller's promise; the second is as long as the first.
        unsafe {
            let second = match self.1 {
                Some(second) => E::load::<S>(second.as_ptr().add(at)),
                None => S::splat(0.0),
            };
            S::store(to, S::pair_bf16(E::load::<S>(self.0.as_ptr().add(at)), second));
        }
    }
    #[inline(always)]
    fn single(&self, at: usize) -> f32 {
        let second = self.1.map_or(0.0, |second| second[at].to_f32());
        word(bf16::from_f32(self.0[at].to_f32()), bf16::from_f32(second))
    }
}

/// Of the pixels to copy from.
struct Shape {
    channels: usize,
    /// Elements from one pixel to the next.
    distance: usize,
    pixels: usize,
}

/// Copies channels `take` of each pixel, `block` after `block`: block `b` of pixel `p` goes to `to[b · stride + p · block..]`. An only
/// block that is one channel short is filled up with a zero: half a word that would be multiplied.
#[inline(always)]
fn split<'a, S: Simd, E: Element, R: Rule<'a, E>>(
    from: &R,
    Shape { channels, distance, pixels }: Shape,
    take: Range<usize>,
    block: usize,
    to: &mut [R::To],
    stride: usize,
) {
    if take.len() == channels && block == channels && distance == channels {
        return copy::<S, E, R>(from, 0, &mut to[..from.len()]);
    }
    let (whole, rest) = (take.len() / block, take.len() % block);
    assert!(take.end <= channels && channels <= distance);
    assert!(pixels == 0 || (pixels - 1) * distance + channels <= from.len());
    assert!(pixels == 0 || whole == 0 || (whole - 1) * stride + pixels * block <= to.len());
    let blocks = Blocks { start: take.start, pixels, distance, whole, block, stride };
    match block {
        // SAFETY: the assertions bound what the whole blocks of all pixels read and write.
        b if b == 2 * S::LANES => unsafe { split_vectors::<S, E, R, 2>(from, to, blocks) },
        // SAFETY: as above.
        b if b == S::LANES => unsafe { split_vectors::<S, E, R, 1>(from, to, blocks) },
        _ => split_any::<S, E, R>(from, to, blocks),
    }
    if whole == 0 && [rest, block] == [3, 4] {
        // A first layer's: colours, which are pixels of a word and a half.
        for (p, to) in to.chunks_exact_mut(4).take(pixels).enumerate() {
            let at = p * distance + take.start;
            to.copy_from_slice(&[from.single(at), from.single(at + 1), from.single(at + 2), R::To::zeroed()]);
        }
    } else if rest > 0 {
        for p in 0..pixels {
            let to = &mut to[whole * stride + p * block..];
            copy::<S, E, R>(from, p * distance + take.start + whole * block, &mut to[..rest]);
            if whole == 0 && rest + 1 == block {
                to[rest] = R::To::zeroed();
            }
        }
    }
}

/// What [`split`] copies of whole blocks.
struct Blocks {
    /// The first channel.
    start: usize,
    pixels: usize,
    distance: usize,
    whole: usize,
    block: usize,
    stride: usize,
}

/// Blocks of `VECTORS` vectors: a few instructions each.
///
/// # Safety
/// All of them are in `from`, and there is room for them.
#[inline(always)]
unsafe fn split_vectors<'a, S: Simd, E: Element, R: Rule<'a, E>, const VECTORS: usize>(
    from: &R,
    to: &mut [R::To],
    shape: Blocks,
) {
    let to = to.as_mut_ptr();
    for p in 0..shape.pixels {
        for b in 0..shape.whole {
            for v in 0..VECTORS {
                let at = shape.start + p * shape.distance + b * shape.block + v * S::LANES;
                // SAFETY: the caller's promise.
                unsafe { from.vector::<S>(at, to.add(b * shape.stride + p * shape.block + v * S::LANES)) }
            }
        }
    }
}

/// Blocks of any size.
#[inline(always)]
fn split_any<'a, S: Simd, E: Element, R: Rule<'a, E>>(from: &R, to: &mut [R::To], shape: Blocks) {
    for p in 0..shape.pixels {
        for b in 0..shape.whole {
            let at = shape.start + p * shape.distance + b * shape.block;
            copy::<S, E, R>(from, at, &mut to[b * shape.stride + p * shape.block..][..shape.block]);
        }
    }
}

/// Copies as many elements as `to` has, those at `at`.
#[inline(always)]
fn copy<'a, S: Simd, E: Element, R: Rule<'a, E>>(from: &R, at: usize, to: &mut [R::To]) {
    assert!(at + to.len() <= from.len());
    let whole = to.len() / S::LANES * S::LANES;
    for i in (0..whole).step_by(S::LANES) {
        // SAFETY: `i + LANES <= whole <= len` of both.
        unsafe { from.vector::<S>(at + i, to.as_mut_ptr().add(i)) }
    }
    for (i, to) in to.iter_mut().enumerate().skip(whole) {
        *to = from.single(at + i);
    }
}
