//! Into the transformed domain and back, a vector of channels at a time.

use super::{IN, NOWHERE, OUT, PRODUCTS, Tiles};
use crate::kernels::Element;
use crate::kernels::Products;
use crate::kernels::conv::store::Destination;
use crate::kernels::lanes::{self, overlapping};
use crate::kernels::simd::{Kernel, Simd, prefetch};
use half::bf16;
use std::mem::MaybeUninit;
use std::ops::Range;

/// The points of the polynomials: 0, ±`P`, ±`Q`, ∞.
const P: f32 = 0.75;
const Q: f32 = 1.5;
const P2: f32 = P * P;
const Q2: f32 = Q * Q;
const P3: f32 = P2 * P;
const Q3: f32 = Q2 * Q;
/// What Lagrange's polynomials are divided by at 0, ±`P` and ±`Q`.
const D0: f32 = P2 * Q2;
const DP: f32 = 2.0 * P2 * (P2 - Q2);
const DQ: f32 = 2.0 * Q2 * (Q2 - P2);

/// `Bᵀ d`
///
/// # Safety
/// Of all functions here: the machine has the instructions of `S`.
#[inline(always)]
unsafe fn input<S: Simd>(d: [S::V; IN]) -> [S::V; IN] {
    // SAFETY: the caller's promise.
    unsafe {
        let (p2, q2) = (S::splat(-P2), S::splat(-Q2));
        let (product, sum) = (S::splat(D0), S::splat(-(P2 + Q2)));
        let even_p = S::fma(q2, d[2], d[4]);
        let odd_p = S::mul(S::splat(P), S::fma(q2, d[1], d[3]));
        let even_q = S::fma(p2, d[2], d[4]);
        let odd_q = S::mul(S::splat(Q), S::fma(p2, d[1], d[3]));
        [
            S::fma(product, d[0], S::fma(sum, d[2], d[4])),
            S::add(even_p, odd_p),
            S::sub(even_p, odd_p),
            S::add(even_q, odd_q),
            S::sub(even_q, odd_q),
            S::fma(product, d[1], S::fma(sum, d[3], d[5])),
        ]
    }
}

/// `Aᵀ m`
#[inline(always)]
unsafe fn output<S: Simd>(m: [S::V; IN]) -> [S::V; OUT] {
    // SAFETY: the caller's promise.
    unsafe {
        let (sum_p, less_p) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (sum_q, less_q) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(m[0], S::add(sum_p, sum_q)),
            S::fma(S::splat(P), less_p, S::mul(S::splat(Q), less_q)),
            S::fma(S::splat(P2), sum_p, S::mul(S::splat(Q2), sum_q)),
            S::fma(S::splat(P3), less_p, S::fma(S::splat(Q3), less_q, m[5])),
        ]
    }
}

/// `A y`
#[inline(always)]
unsafe fn gradient<S: Simd>(y: [S::V; OUT]) -> [S::V; IN] {
    // SAFETY: the caller's promise.
    unsafe {
        let even_p = S::fma(S::splat(P2), y[2], y[0]);
        let odd_p = S::fma(S::splat(P3), y[3], S::mul(S::splat(P), y[1]));
        let even_q = S::fma(S::splat(Q2), y[2], y[0]);
        let odd_q = S::fma(S::splat(Q3), y[3], S::mul(S::splat(Q), y[1]));
        [y[0], S::add(even_p, odd_p), S::sub(even_p, odd_p), S::add(even_q, odd_q), S::sub(even_q, odd_q), y[3]]
    }
}

/// `G w`
#[inline(always)]
unsafe fn weights<S: Simd>(w: [S::V; 3]) -> [S::V; IN] {
    // SAFETY: the caller's promise.
    unsafe {
        let even_p = S::mul(S::splat(1.0 / DP), S::fma(S::splat(P2), w[2], w[0]));
        let odd_p = S::mul(S::splat(P / DP), w[1]);
        let even_q = S::mul(S::splat(1.0 / DQ), S::fma(S::splat(Q2), w[2], w[0]));
        let odd_q = S::mul(S::splat(Q / DQ), w[1]);
        [
            S::mul(S::splat(1.0 / D0), w[0]),
            S::add(even_p, odd_p),
            S::sub(even_p, odd_p),
            S::add(even_q, odd_q),
            S::sub(even_q, odd_q),
            w[2],
        ]
    }
}

/// `Gᵀ u`
#[inline(always)]
unsafe fn weight_gradient<S: Simd>(u: [S::V; IN]) -> [S::V; 3] {
    // SAFETY: the caller's promise.
    unsafe {
        let (sum_p, less_p) = (S::add(u[1], u[2]), S::sub(u[1], u[2]));
        let (sum_q, less_q) = (S::add(u[3], u[4]), S::sub(u[3], u[4]));
        let middle = S::fma(S::splat(1.0 / DP), sum_p, S::mul(S::splat(1.0 / DQ), sum_q));
        [
            S::fma(S::splat(1.0 / D0), u[0], middle),
            S::fma(S::splat(P / DP), less_p, S::mul(S::splat(Q / DQ), less_q)),
            S::fma(S::splat(P2 / DP), sum_p, S::fma(S::splat(Q2 / DQ), sum_q, u[5])),
        ]
    }
}

/// Applies `$f` to the columns of an `$n × $n` matrix, then to the rows of what that gives. `$from` loads element
/// `row·$n + col`, `$to` takes element `row·$m + col`: neither matrix is ever held whole, as no register file has room.
macro_rules! both_ways {
    ($S:ty, $f:ident, $n:expr => $m:expr, $from:expr, $to:expr) => {{
        #[allow(unused_mut)] // Some write to what they have borrowed, some do not.
        let (from, mut to) = ($from, $to);
        let mut half = [[MaybeUninit::<<$S as Simd>::V>::uninit(); $n]; $m];
        for col in 0..$n {
            let column = $f::<$S>(std::array::from_fn(|row| from(row * $n + col)));
            for (half, value) in half.iter_mut().zip(column) {
                half[col].write(value);
            }
        }
        // By reference, row by row: by value, all of it would be copied first.
        for (row, half) in half.iter().enumerate() {
            // All `$n` columns were written above.
            let half = std::array::from_fn(|col| half[col].assume_init());
            for (col, value) in $f::<$S>(half).into_iter().enumerate() {
                to(row * $m + col, value);
            }
        }
    }};
}

/// [`both_ways`] to words: of `$first`, or where words are pairs of `$first` and `$second`, which load two tiles.
macro_rules! both_ways_to_words {
    ($S:ty, $products:expr, $f:ident, $n:expr => $m:expr, [$first:expr, $second:expr], $to:expr) => {{
        let to = $to;
        match $products {
            Products::Single => both_ways!($S, $f, $n => $m, $first, to),
            Products::Pairs => {
                let mut half = [MaybeUninit::<<$S as Simd>::V>::uninit(); $m * $m];
                both_ways!($S, $f, $n => $m, $first, |k: usize, v| _ = half[k].write(v));
                // All of `half` was written above.
                let pair = |k: usize, v| to(k, <$S>::pair_bf16(half[k].assume_init(), v));
                both_ways!($S, $f, $n => $m, $second, pair);
            }
        }
    }};
}

/// `$body` compiled twice: once for whole vectors alone, without the code for parts of them, which all but the last are spared.
macro_rules! whole_or_part {
    ($S:ty, $n:ident, $body:block) => {
        if $n == <$S>::LANES {
            let $n = <$S>::LANES;
            $body
        } else {
            $body
        }
    };
}

/// `n` channels of a pixel at `from + pixel·channels`, or zeros where there is none.
#[inline(always)]
unsafe fn load_pixel<S: Simd, E: Element>(from: *const E, pixel: usize, channels: usize, n: usize) -> S::V {
    // SAFETY: the caller's promise that they are there. Of none, `from` may lie outside: nothing is read then.
    unsafe {
        if pixel == NOWHERE {
            return S::splat(0.0);
        }
        lanes::load::<S, E>(from.wrapping_add(pixel * channels), n)
    }
}

/// Asks for the cache lines that begin with channel `at` of the next tile's pixels: no machine foresees rows of a tile.
///
/// Not in the closures that load: larger ones are not inlined, and then lack the vector instructions.
#[inline(always)]
fn ask_for<E: Element>(from: *const E, pixels: &[usize], channels: usize, at: usize) {
    if (at * size_of::<E>()).is_multiple_of(64) {
        for &pixel in pixels.iter().filter(|&&pixel| pixel != NOWHERE) {
            prefetch(from.wrapping_add(pixel * channels).cast());
        }
    }
}

/// `Bᵀ x B` of some tiles' inputs: `planes[k·stride + tile·row + word]`, product `k` of 36. A word is a channel or two neighbouring
/// ones, the last with a zero where their number is odd.
pub(super) struct TransformInputs<'a, E> {
    pub products: Products,
    pub tiles: &'a Tiles,
    pub range: Range<usize>,
    /// `(n, h, w, channels)`.
    pub source: &'a [E],
    pub channels: usize,
    pub row: usize,
    pub stride: usize,
    pub planes: &'a mut [f32],
}

impl<E: Element> Kernel for TransformInputs<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match self.products {
            Products::Single => self.transform::<S, f32>(),
            Products::Pairs => self.transform::<S, bf16>(),
        }
    }
}

impl<E: Element> TransformInputs<'_, E> {
    /// With planes of `T`: an `f32` is a word, a bf16 half of one.
    #[inline(always)]
    fn transform<S: Simd, T: Element>(self) {
        let Self { products, tiles, range, source, channels, row, stride, planes } = self;
        assert!(range.len() * row <= stride && planes.len() >= PRODUCTS * stride && products.words(channels) <= row);
        let (row, stride) = (row * products.per_word(), stride * products.per_word());
        let width = products.words(channels) * products.per_word();
        let planes = planes.as_mut_ptr().cast::<T>();
        // Of this tile and the next one, in turn.
        let mut turns = [[NOWHERE; PRODUCTS]; 2];
        tiles.inputs(Some(range.start), &mut turns[0]);
        for (slot, index) in range.clone().enumerate() {
            let [even, odd] = &mut turns;
            let (pixels, next) = if slot % 2 == 0 { (even, odd) } else { (odd, even) };
            tiles.inputs(Some(index + 1).filter(|&next| next < range.end), next);
            check(pixels, channels, source.len());
            for (at, n) in overlapping::<S>(width, true) {
                // SAFETY: the assertions above; `here` channels of each pixel and `n` numbers of each plane's row are there.
                unsafe {
                    let (from, to) = (source.as_ptr().wrapping_add(at), planes.add(slot * row + at));
                    let here = n.min(channels - at);
                    ask_for(from, next, channels, at);
                    whole_or_part!(S, here, {
                        let n = n.max(here);
                        let load = |i: usize| load_pixel::<S, E>(from, pixels[i], channels, here);
                        both_ways!(S, input, IN => IN, load, |k, v| lanes::store::<S, T>(to.add(k * stride), n, v));
                    });
                }
            }
        }
    }
}

/// That the pixels lie in a source of so many elements.
#[inline(always)]
fn check(pixels: &[usize], channels: usize, len: usize) {
    let there = pixels.iter().map(|&pixel| if pixel == NOWHERE { 0 } else { pixel + 1 });
    assert!(there.fold(0, usize::max) * channels <= len, "a tile outside its picture");
}

/// `Bᵀ x B` of some tiles' inputs, some channels of them: `planes[k·stride + slot·row + channel]`. A word is a channel of one tile
/// or of two neighbouring ones, the last with zeros where their number is odd; so a slot is one tile or two.
pub(super) struct TransformBlock<'a, E> {
    pub products: Products,
    pub tiles: &'a Tiles,
    pub range: Range<usize>,
    /// `(n, h, w, channels)`.
    pub source: &'a [E],
    pub channels: usize,
    pub take: Range<usize>,
    pub row: usize,
    pub stride: usize,
    pub planes: &'a mut [f32],
}

impl<E: Element> Kernel for TransformBlock<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { products, tiles, range, source, channels, take, row, stride, planes } = self;
        let width = take.len();
        assert!(take.end <= channels && width <= row);
        assert!(products.words(range.len()) * row <= stride && planes.len() >= PRODUCTS * stride);
        let find = |slot: usize, pixels: &mut [[usize; PRODUCTS]; 2]| {
            slots(products, &range, slot).into_iter().zip(pixels).for_each(|(tile, pixels)| tiles.inputs(tile, pixels));
        };
        // Of this slot and the next one, in turn.
        let mut turns = [[[NOWHERE; PRODUCTS]; 2]; 2];
        find(0, &mut turns[0]);
        for slot in 0..products.words(range.len()) {
            let [even, odd] = &mut turns;
            let (pixels, next) = if slot % 2 == 0 { (even, odd) } else { (odd, even) };
            find(slot + 1, next);
            let [first, second] = &*pixels;
            check(first, channels, source.len());
            check(second, channels, source.len());
            for (at, n) in overlapping::<S>(width, true) {
                // SAFETY: the assertions above; `at + n` channels of each pixel and of each plane's row are there.
                unsafe {
                    let from = source.as_ptr().wrapping_add(take.start + at);
                    let to = planes.as_mut_ptr().add(slot * row + at);
                    next[..products.per_word()].iter().for_each(|next| ask_for(from, next, channels, at));
                    whole_or_part!(S, n, {
                        let load = |i: usize| load_pixel::<S, E>(from, first[i], channels, n);
                        let store = |k: usize, v| lanes::store::<S, f32>(to.add(k * stride), n, v);
                        let next = |i: usize| load_pixel::<S, E>(from, second[i], channels, n);
                        both_ways_to_words!(S, products, input, IN => IN, [load, next], store);
                    });
                }
            }
        }
    }
}

/// The tiles of `range` that share slot `slot`: one, or two where words are pairs, as far as the range has them.
#[inline(always)]
fn slots(products: Products, range: &Range<usize>, slot: usize) -> [Option<usize>; 2] {
    let first = range.start + slot * products.per_word();
    let inside = |tile: usize| Some(tile).filter(|&tile| tile < range.end);
    [inside(first), inside(first + 1).filter(|_| products == Products::Pairs)]
}

/// `Aᵀ m A`: from one panel of products to the tiles' pixels, with the bias, rounded to `E`.
pub(super) struct TransformOutputs<'a, E> {
    pub tiles: &'a Tiles,
    pub range: Range<usize>,
    /// `products[k·stride + tile·lanes + lane]`.
    pub products: &'a [f32],
    pub stride: usize,
    pub lanes: usize,
    /// Lanes that are channels.
    pub used: usize,
    pub channels: usize,
    /// The first lane's channel.
    pub channel: usize,
    pub to: &'a Destination<'a, E>,
}

impl<E: Element> Kernel for TransformOutputs<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { tiles, range, products, stride, lanes: width, used, channels, channel, to } = self;
        let len = range.len() * width;
        assert!(len <= stride && products.len() >= (PRODUCTS - 1) * stride + len && used <= width);
        assert!(width.is_multiple_of(S::LANES));
        let mut pixels = [NOWHERE; OUT * OUT];
        for (slot, index) in range.enumerate() {
            tiles.outputs(Some(index), &mut pixels);
            for (at, n) in overlapping::<S>(used, !to.accumulate) {
                // SAFETY: the assertion above; each output pixel belongs to one task, and so does each panel.
                unsafe {
                    let from = products.as_ptr().add(slot * width + at);
                    whole_or_part!(S, n, {
                        let bias = match to.bias {
                            Some(bias) => lanes::load::<S, f32>(bias[channel + at..][..n].as_ptr(), n),
                            None => S::splat(0.0),
                        };
                        let store = |i: usize, y: S::V| {
                            if pixels[i] == NOWHERE {
                                return;
                            }
                            let p = to.pixels.part(pixels[i] * channels + channel + at, n).as_mut_ptr();
                            let mut y = S::add(y, bias);
                            if to.accumulate {
                                y = S::add(lanes::load::<S, E>(p, n), y);
                            }
                            lanes::store::<S, E>(p, n, y);
                        };
                        both_ways!(S, output, IN => OUT, |k: usize| S::load(from.add(k * stride)), store);
                    });
                }
            }
        }
    }
}

/// `A dy Aᵀ` of some tiles' output gradients, in panels: `panels[panel·PRODUCTS·stride + k·stride + slot·lanes + lane]`, words as in
/// [`TransformBlock`]. Lanes beyond the channels are zero.
pub(super) struct TransformGradients<'a, E> {
    pub products: Products,
    pub tiles: &'a Tiles,
    pub range: Range<usize>,
    /// `(n, oh, ow, channels)`.
    pub source: &'a [E],
    pub channels: usize,
    pub take: Range<usize>,
    pub lanes: usize,
    pub stride: usize,
    pub panels: &'a mut [f32],
}

impl<E: Element> Kernel for TransformGradients<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { products, tiles, range, source, channels, take, lanes: width, stride, panels } = self;
        let whole = take.len().next_multiple_of(width);
        assert!(products.words(range.len()) * width <= stride);
        assert!(panels.len() >= whole / width * PRODUCTS * stride);
        assert!(take.end <= channels && width.is_multiple_of(S::LANES));
        let find = |slot: usize, pixels: &mut [[usize; OUT * OUT]; 2]| {
            slots(products, &range, slot)
                .into_iter()
                .zip(pixels)
                .for_each(|(tile, pixels)| tiles.outputs(tile, pixels));
        };
        // Of this slot and the next one, in turn.
        let mut turns = [[[NOWHERE; OUT * OUT]; 2]; 2];
        find(0, &mut turns[0]);
        for slot in 0..products.words(range.len()) {
            let [even, odd] = &mut turns;
            let (pixels, next) = if slot % 2 == 0 { (even, odd) } else { (odd, even) };
            find(slot + 1, next);
            let [first, second] = &*pixels;
            check(first, channels, source.len());
            check(second, channels, source.len());
            for at in (0..whole).step_by(S::LANES) {
                let n = S::LANES.min(take.len().saturating_sub(at));
                // SAFETY: the assertions above: `n` channels of each pixel, `LANES` of each panel's row.
                unsafe {
                    let from = source.as_ptr().wrapping_add(take.start + at);
                    let to = panels.as_mut_ptr().add(at / width * PRODUCTS * stride + slot * width + at % width);
                    next[..products.per_word()].iter().for_each(|next| ask_for(from, next, channels, at));
                    whole_or_part!(S, n, {
                        let load = |i: usize| load_pixel::<S, E>(from, first[i], channels, n);
                        let store = |k: usize, m| S::store(to.add(k * stride), m);
                        let next = |i: usize| load_pixel::<S, E>(from, second[i], channels, n);
                        both_ways_to_words!(S, products, gradient, OUT => IN, [load, next], store);
                    });
                }
            }
        }
    }
}

/// `G w Gᵀ` of the weights of `lanes` outputs to one input: `to[k·stride + lane]`.
pub(super) struct TransformWeights<'a> {
    /// `(tap, lane)`, nine taps.
    pub taps: &'a [f32],
    pub lanes: usize,
    pub stride: usize,
    pub to: &'a mut [f32],
}

impl Kernel for TransformWeights<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { taps, lanes, stride, to } = self;
        assert!(taps.len() >= 9 * lanes && to.len() >= (PRODUCTS - 1) * stride + lanes);
        assert!(lanes.is_multiple_of(S::LANES));
        for at in (0..lanes).step_by(S::LANES) {
            // SAFETY: the assertions above.
            unsafe {
                let (from, to) = (taps.as_ptr().add(at), to.as_mut_ptr().add(at));
                let load = |tap: usize| S::load(from.add(tap * lanes));
                both_ways!(S, weights, 3 => IN, load, |k, u| S::store(to.add(k * stride), u));
            }
        }
    }
}

/// Rows of `lanes` numbers, two a row of words, rounded to bf16.
pub(super) struct PairUp<'a> {
    pub rows: &'a [f32],
    pub lanes: usize,
    pub to: &'a mut [f32],
}

impl Kernel for PairUp<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { rows, lanes, to } = self;
        assert!(lanes.is_multiple_of(S::LANES));
        for (two, to) in rows.chunks_exact(2 * lanes).zip(to.chunks_exact_mut(lanes)) {
            for at in (0..lanes).step_by(S::LANES) {
                // SAFETY: the assertion above, and `two` has twice as many as `to`.
                unsafe {
                    let (low, high) = (S::load(two.as_ptr().add(at)), S::load(two.as_ptr().add(lanes + at)));
                    S::store(to.as_mut_ptr().add(at), S::pair_bf16(low, high));
                }
            }
        }
    }
}

/// How many inputs ahead sums are asked for: no machine foresees 36 rows of addresses.
const AHEAD: usize = 4;

/// `Gᵀ u G`: from sums over the tiles, `sums[k·stride + lane]`, to `(tap, lane)`.
pub(super) struct TransformWeightGradients<'a> {
    pub sums: &'a [f32],
    pub lanes: usize,
    pub stride: usize,
    pub taps: &'a mut [f32],
}

impl Kernel for TransformWeightGradients<'_> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { sums, lanes, stride, taps } = self;
        assert!(taps.len() >= 9 * lanes && sums.len() >= (PRODUCTS - 1) * stride + lanes);
        assert!(lanes.is_multiple_of(S::LANES));
        for at in (0..lanes).step_by(S::LANES) {
            // SAFETY: the assertions above.
            unsafe {
                let (from, to) = (sums.as_ptr().add(at), taps.as_mut_ptr().add(at));
                let load = |k: usize| {
                    prefetch(from.wrapping_add(k * stride + AHEAD * lanes));
                    S::load(from.add(k * stride))
                };
                both_ways!(S, weight_gradient, IN => 3, load, |tap, w| S::store(to.add(tap * lanes), w));
            }
        }
    }
}
