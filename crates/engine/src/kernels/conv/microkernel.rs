//! The two inner loops, on register tiles: all the time goes here.
//!
//! A tile has up to [`TileShape::rows`] rows of [`TileShape::lanes`] sums, kept in registers. Each step loads one row of
//! the right factor as vectors, and multiplies it with one broadcast number a row. AVX2: 6 × 16 is 12 sums, 2 vectors and
//! a broadcast in 16 registers, and 12 products on 8 loads keep both multipliers of a core busy.

use crate::kernels::Isa;
use crate::kernels::products::{Multiply, Pairs, Products, Single};
use crate::kernels::simd::{Kernel, Simd, prefetch, prefetch_l2};
use std::ops::Range;

/// Lanes of the widest tile.
pub(super) const MAX_LANES: usize = 32;

/// The register tile of an instruction set.
#[derive(Clone, Copy, Debug)]
pub(super) struct TileShape {
    pub rows: usize,
    pub lanes: usize,
}

impl TileShape {
    pub fn of(isa: Isa) -> Self {
        match isa {
            Isa::Portable => Self { rows: 4, lanes: 8 },
            Isa::Avx2 => Self { rows: 6, lanes: 16 },
            // Twelve row pointers are what the general registers hold.
            Isa::Avx512 | Isa::Avx512Bf16 => Self { rows: 12, lanes: 32 },
        }
    }
}

/// Words of a cache line.
const LINE: usize = 16;

/// `len` neighbouring words of a band, `offset` after the pixel's own: one or more taps, or part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub offset: usize,
    pub len: usize,
}

/// Calls `$tile::<S, M, ROWS, VECTORS>` for the number of rows at hand.
macro_rules! dispatch {
    ($S:ty, $M:ty, $rows:expr, $tile:ident($($arg:expr),*)) => {
        if <$S>::REGISTERS < 16 {
            match $rows {
                1 => $tile::<$S, $M, 1, 1>($($arg),*),
                2 => $tile::<$S, $M, 2, 1>($($arg),*),
                3 => $tile::<$S, $M, 3, 1>($($arg),*),
                _ => $tile::<$S, $M, 4, 1>($($arg),*),
            }
        } else if <$S>::REGISTERS < 32 || $rows < 6 {
            match $rows {
                1 => $tile::<$S, $M, 1, 2>($($arg),*),
                2 => $tile::<$S, $M, 2, 2>($($arg),*),
                3 => $tile::<$S, $M, 3, 2>($($arg),*),
                4 => $tile::<$S, $M, 4, 2>($($arg),*),
                5 => $tile::<$S, $M, 5, 2>($($arg),*),
                _ => $tile::<$S, $M, 6, 2>($($arg),*),
            }
        } else {
            match $rows {
                6 => $tile::<$S, $M, 6, 2>($($arg),*),
                7 => $tile::<$S, $M, 7, 2>($($arg),*),
                8 => $tile::<$S, $M, 8, 2>($($arg),*),
                9 => $tile::<$S, $M, 9, 2>($($arg),*),
                10 => $tile::<$S, $M, 10, 2>($($arg),*),
                11 => $tile::<$S, $M, 11, 2>($($arg),*),
                _ => $tile::<$S, $M, 12, 2>($($arg),*),
            }
        }
    };
}

/// The rows of tile `index` when `total` rows are cut into `tiles` nearly equal ones, the larger first: a tile of five
/// rows still fills the multipliers, one of two does not.
#[inline(always)]
fn balanced(total: usize, tiles: usize, index: usize) -> Range<usize> {
    let (small, larger) = (total / tiles, total % tiles);
    let start = index * small + index.min(larger);
    start..start + small + usize::from(index < larger)
}

/// The largest of them, by vectors: `Iterator::max` is a branch each.
#[inline(always)]
fn furthest(offsets: &[u32]) -> usize {
    offsets.iter().fold(0, |most, &offset| most.max(offset)) as usize
}

/// `sums[q][l] = Σ_k band[offsets[q] + k-th word of the segments] · weights[k][l]`: one panel of a correlation.
pub(super) struct Correlate<'a> {
    pub products: Products,
    pub band: &'a [f32],
    /// Where each output pixel's first tap lies in `band`.
    pub offsets: &'a [u32],
    pub segments: &'a [Segment],
    /// Runs of `segments` that are worked through one after another for all pixels, so that their weights stay in L1.
    pub blocks: &'a [Range<usize>],
    /// `(k, lanes)`.
    pub weights: &'a [f32],
    /// `(pixels, lanes)`, overwritten.
    pub sums: &'a mut [f32],
}

impl Kernel for Correlate<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match self.products {
            Products::Single => self.correlate::<S, Single>(),
            Products::Pairs => self.correlate::<S, Pairs>(),
        }
    }
}

impl Correlate<'_> {
    #[inline(always)]
    fn correlate<S: Simd, M: Multiply>(self) {
        let shape = shape::<S>();
        let Self { products: _, band, offsets, segments, blocks, weights, sums } = self;
        let depth: usize = segments.iter().map(|s| s.len).sum();
        let reach = segments.iter().map(|s| s.offset + s.len).max().unwrap_or(0);
        let furthest = furthest(offsets);
        assert!(weights.len() == depth * shape.lanes && sums.len() == offsets.len() * shape.lanes);
        if depth == 0 {
            sums.fill(0.0);
            return;
        }
        assert!(furthest + reach <= band.len(), "a band shorter than what its pixels read");
        let tiles = offsets.len().div_ceil(shape.rows);
        let mut weights = weights.as_ptr();
        for (b, block) in blocks.iter().enumerate() {
            let segments = &segments[block.clone()];
            let depth: usize = segments.iter().map(|s| s.len).sum();
            for tile in 0..tiles {
                let rows = balanced(offsets.len(), tiles, tile);
                // The weights after these lie in L3 or memory: two tiles ask for a line of them at each step.
                let next = weights.wrapping_add(depth * (shape.lanes + tile % 2 * LINE));
                // SAFETY: the assertions above bound every read of the band and of the weights, which the blocks cut
                // into consecutive parts; the rows lie in `offsets` and `sums`.
                unsafe {
                    let offsets = offsets.as_ptr().add(rows.start);
                    let sums = sums.as_mut_ptr().add(rows.start * shape.lanes);
                    dispatch!(
                        S,
                        M,
                        rows.len(),
                        correlate_tile(band.as_ptr(), offsets, segments, weights, next, sums, b == 0)
                    );
                }
            }
            // SAFETY: the depths of the blocks add up to that of the weights.
            weights = unsafe { weights.add(depth * shape.lanes) };
        }
    }
}

#[inline(always)]
unsafe fn correlate_tile<S: Simd, M: Multiply, const ROWS: usize, const VECTORS: usize>(
    band: *const f32,
    offsets: *const u32,
    segments: &[Segment],
    mut weights: *const f32,
    mut next: *const f32,
    sums: *mut f32,
    first: bool,
) {
    // SAFETY: the caller's promise, see `Correlate::correlate`.
    unsafe {
        let mut pixels = [band; ROWS];
        for (m, pixel) in pixels.iter_mut().enumerate() {
            *pixel = band.add(*offsets.add(m) as usize);
        }
        let mut acc = load_tile::<S, ROWS, VECTORS>(sums, first);
        for segment in segments {
            let mut rows = pixels;
            for row in &mut rows {
                *row = row.add(segment.offset);
            }
            for k in 0..segment.len {
                let mut w = [S::splat(0.0); VECTORS];
                for (v, w) in w.iter_mut().enumerate() {
                    *w = S::load(weights.add(v * S::LANES));
                }
                prefetch_l2(next);
                next = next.wrapping_add(LINE);
                for (acc, row) in acc.iter_mut().zip(&rows) {
                    let x = S::splat(*row.add(k));
                    for (acc, &w) in acc.iter_mut().zip(&w) {
                        *acc = M::multiply_add::<S>(x, w, *acc);
                    }
                }
                weights = weights.add(VECTORS * S::LANES);
            }
        }
        store_tile::<S, ROWS, VECTORS>(sums, &acc);
    }
}

/// `sums[r][l] += Σ_q band[offsets[q] + start + r] · panel[q][l]` for `rows` rows: part of a weight gradient.
pub(super) struct Outer<'a> {
    pub products: Products,
    pub band: &'a [f32],
    pub offsets: &'a [u32],
    /// Runs of neighbouring words of the band: their rows of sums follow each other.
    pub segments: &'a [Segment],
    /// `(pixels, lanes)`.
    pub panel: &'a [f32],
    /// `(rows, lanes)`.
    pub sums: &'a mut [f32],
    /// Starts from zero instead of from what `sums` holds.
    pub first: bool,
}

impl Kernel for Outer<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match self.products {
            Products::Single => self.sum::<S, Single>(),
            Products::Pairs => self.sum::<S, Pairs>(),
        }
    }
}

impl Outer<'_> {
    #[inline(always)]
    fn sum<S: Simd, M: Multiply>(self) {
        let shape = shape::<S>();
        let Self { products: _, band, offsets, segments, panel, sums, first } = self;
        let depth: usize = segments.iter().map(|s| s.len).sum();
        let reach = segments.iter().map(|s| s.offset + s.len).max().unwrap_or(0);
        let furthest = furthest(offsets);
        assert!(furthest + reach <= band.len(), "a band shorter than what its pixels read");
        assert!(panel.len() == offsets.len() * shape.lanes && sums.len() == depth * shape.lanes);
        let mut sums = sums.as_mut_ptr();
        for segment in segments {
            let tiles = segment.len.div_ceil(shape.rows);
            for tile in 0..tiles {
                let rows = balanced(segment.len, tiles, tile);
                // SAFETY: the assertions above bound every read of band and panel; the tiles' rows follow each other in
                // `sums` and number `depth` in all.
                unsafe {
                    let band = band.as_ptr().add(segment.offset + rows.start);
                    dispatch!(S, M, rows.len(), outer_tile(band, offsets, panel.as_ptr(), sums, first));
                    sums = sums.add(rows.len() * shape.lanes);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn outer_tile<S: Simd, M: Multiply, const ROWS: usize, const VECTORS: usize>(
    band: *const f32,
    offsets: &[u32],
    mut panel: *const f32,
    sums: *mut f32,
    first: bool,
) {
    // SAFETY: the caller's promise, see `Outer::sum`.
    unsafe {
        let mut acc = load_tile::<S, ROWS, VECTORS>(sums, first);
        // The sums of the next tile lie in L2 or beyond.
        let len = ROWS * VECTORS * S::LANES;
        for line in (0..len).step_by(LINE) {
            prefetch(sums.cast_const().wrapping_add(len + line));
        }
        for &offset in offsets {
            let pixel = band.add(offset as usize);
            let mut w = [S::splat(0.0); VECTORS];
            for (v, w) in w.iter_mut().enumerate() {
                *w = S::load(panel.add(v * S::LANES));
            }
            for (m, acc) in acc.iter_mut().enumerate() {
                let x = S::splat(*pixel.add(m));
                for (acc, &w) in acc.iter_mut().zip(&w) {
                    *acc = M::multiply_add::<S>(x, w, *acc);
                }
            }
            panel = panel.add(VECTORS * S::LANES);
        }
        store_tile::<S, ROWS, VECTORS>(sums, &acc);
    }
}

#[inline(always)]
unsafe fn load_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(
    sums: *const f32,
    zero: bool,
) -> [[S::V; VECTORS]; ROWS] {
    // SAFETY: the caller has `ROWS · VECTORS` vectors there.
    unsafe {
        let mut acc = [[S::splat(0.0); VECTORS]; ROWS];
        if !zero {
            for (i, acc) in acc.as_flattened_mut().iter_mut().enumerate() {
                *acc = S::load(sums.add(i * S::LANES));
            }
        }
        acc
    }
}

#[inline(always)]
unsafe fn store_tile<S: Simd, const ROWS: usize, const VECTORS: usize>(sums: *mut f32, acc: &[[S::V; VECTORS]; ROWS]) {
    for (i, &acc) in acc.as_flattened().iter().enumerate() {
        // SAFETY: the caller has `ROWS · VECTORS` vectors there.
        unsafe { S::store(sums.add(i * S::LANES), acc) }
    }
}

/// [`TileShape::of`], from inside a kernel.
#[inline(always)]
fn shape<S: Simd>() -> TileShape {
    match S::REGISTERS {
        0..16 => TileShape { rows: 4, lanes: S::LANES },
        16..32 => TileShape { rows: 6, lanes: 2 * S::LANES },
        _ => TileShape { rows: 12, lanes: 2 * S::LANES },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::simd::{Portable, word};
    use half::bf16;

    /// The shape of AVX-512 in plain Rust, so that its tiles are tested on any machine. Only what tiles call exists.
    #[derive(Clone, Copy)]
    struct Wide;

    impl Simd for Wide {
        const LANES: usize = 16;
        const REGISTERS: usize = 32;
        type V = [f32; 16];
        unsafe fn splat(x: f32) -> [f32; 16] {
            [x; 16]
        }
        unsafe fn load(p: *const f32) -> [f32; 16] {
            // SAFETY: the caller's promise.
            unsafe { p.cast::<[f32; 16]>().read_unaligned() }
        }
        unsafe fn store(p: *mut f32, v: [f32; 16]) {
            // SAFETY: the caller's promise.
            unsafe { p.cast::<[f32; 16]>().write_unaligned(v) }
        }
        unsafe fn fma(a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
        unsafe fn load_bf16(_: *const half::bf16) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn store_bf16(_: *mut half::bf16, _: [f32; 16]) {
            unreachable!()
        }
        unsafe fn pair_bf16(_: [f32; 16], _: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn dot_bf16(a: [f32; 16], b: [f32; 16], c: [f32; 16]) -> [f32; 16] {
            let of = |x: [f32; 16], i: usize| -> [f32; 8] { x[8 * i..][..8].try_into().unwrap() };
            // SAFETY: plain Rust.
            let [low, high] = [0, 1].map(|i| unsafe { Portable::dot_bf16(of(a, i), of(b, i), of(c, i)) });
            std::array::from_fn(|i| if i < 8 { low[i] } else { high[i - 8] })
        }
        unsafe fn load_f16(_: *const half::f16) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn store_f16(_: *mut half::f16, _: [f32; 16]) {
            unreachable!()
        }
        unsafe fn load_u8(_: *const u8) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn store_u8(_: *mut u8, _: [f32; 16]) {
            unreachable!()
        }
        unsafe fn add(_: [f32; 16], _: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn sub(_: [f32; 16], _: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn mul(_: [f32; 16], _: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn div(_: [f32; 16], _: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn max(_: [f32; 16], _: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn pow2(_: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn min(_: [f32; 16], _: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn select_gt(_: [f32; 16], _: [f32; 16], _: [f32; 16], _: [f32; 16]) -> [f32; 16] {
            unreachable!()
        }
        unsafe fn sum(_: [f32; 16]) -> f32 {
            unreachable!()
        }
    }

    /// Small whole numbers, whose sums are exact.
    fn numbers(len: usize, salt: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7 + salt) % 13) as f32 - 6.0).collect()
    }

    /// Words of such numbers.
    fn words(products: Products, len: usize, salt: usize) -> Vec<f32> {
        let all = numbers(len * products.per_word(), salt);
        match products {
            Products::Single => all,
            Products::Pairs => {
                let pair = |two: &[f32]| word(bf16::from_f32(two[0]), bf16::from_f32(two[1]));
                all.chunks_exact(2).map(pair).collect()
            }
        }
    }

    /// The product of two words.
    fn product(products: Products, a: f32, b: f32) -> f32 {
        match products {
            Products::Single => a * b,
            Products::Pairs => {
                let halves = |word: f32| [word.to_bits() << 16, word.to_bits() & 0xffff_0000].map(f32::from_bits);
                halves(a).iter().zip(halves(b)).map(|(a, b)| a * b).sum()
            }
        }
    }

    const SEGMENTS: [Segment; 3] =
        [Segment { offset: 1, len: 5 }, Segment { offset: 9, len: 1 }, Segment { offset: 11, len: 16 }];
    const DEPTH: usize = 22;

    /// What a pixel reads from its place in the band, in order.
    fn reads() -> impl Iterator<Item = usize> {
        SEGMENTS.iter().flat_map(|s| s.offset..s.offset + s.len)
    }

    fn check<S: Simd>(products: Products) {
        let lanes = shape::<S>().lanes;
        for pixels in 1..30 {
            let offsets: Vec<u32> = (0..pixels as u32).map(|q| q * 3 % 40).collect();
            let (band, weights) = (words(products, 80, 1), words(products, DEPTH * lanes, 2));
            let mut sums = vec![f32::NAN; pixels * lanes];
            let (segments, blocks) = (&SEGMENTS, &[0..2, 2..3]);
            Correlate {
                products,
                band: &band,
                offsets: &offsets,
                segments,
                blocks,
                weights: &weights,
                sums: &mut sums,
            }
            .run::<S>();
            let panel = words(products, pixels * lanes, 3);
            let mut outer = numbers(DEPTH * lanes, 4);
            for first in [true, false] {
                let sums = &mut outer;
                Outer { products, band: &band, offsets: &offsets, segments, panel: &panel, sums, first }.run::<S>();
            }
            for l in 0..lanes {
                let at = |q: usize, read: usize| band[offsets[q] as usize + read];
                for q in 0..pixels {
                    let terms =
                        reads().enumerate().map(|(k, read)| product(products, at(q, read), weights[k * lanes + l]));
                    let sum: f32 = terms.sum();
                    assert_eq!(sums[q * lanes + l], sum, "{products:?}, {pixels} pixels: pixel {q}, lane {l}");
                }
                for (k, read) in reads().enumerate() {
                    let sum: f32 = (0..pixels).map(|q| product(products, at(q, read), panel[q * lanes + l])).sum();
                    assert_eq!(outer[k * lanes + l], 2.0 * sum, "{products:?}, {pixels} pixels: row {k}, lane {l}");
                }
            }
        }
    }

    /// [`check`] on an instruction set of this machine.
    struct Check(Products);

    impl Kernel for Check {
        type Out = ();
        fn run<S: Simd>(self) {
            check::<S>(self.0);
        }
    }

    #[test]
    fn tiles_of_every_height_are_right() {
        for products in [Products::Single, Products::Pairs] {
            check::<Wide>(products);
            Isa::available().into_iter().for_each(|isa| isa.run(Check(products)));
        }
    }

    #[test]
    fn kernels_and_plans_agree_on_the_shape() {
        fn assert_shape<S: Simd>(isa: Isa) {
            let (kernel, plan) = (shape::<S>(), TileShape::of(isa));
            assert_eq!((kernel.rows, kernel.lanes), (plan.rows, plan.lanes), "{isa}");
            assert!(plan.lanes <= MAX_LANES);
        }
        assert_shape::<Portable>(Isa::Portable);
        #[cfg(target_arch = "x86_64")]
        {
            assert_shape::<crate::kernels::simd::x86::Avx2>(Isa::Avx2);
            assert_shape::<crate::kernels::simd::x86::Avx512>(Isa::Avx512);
            assert_shape::<crate::kernels::simd::x86::Avx512Bf16>(Isa::Avx512Bf16);
        }
    }
}
