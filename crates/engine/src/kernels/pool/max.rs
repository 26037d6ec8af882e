//! Max pooling. `y = max` over the window's part inside the image; the first position in row order wins a tie, as in
//! PyTorch, and NaN anywhere in the window gives NaN.

use super::{Window, len};
use crate::kernels::lanes::{load, load_bytes, spans, store, store_bytes, write};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Grad, Isa, Write};
use std::ops::Range;

/// `x: shape`, `y` and `argmax`: `window.output(shape)`. `argmax` is `tap row · kernel width + tap column`.
///
/// # Panics
/// When lengths do not fit, or the window has more than 256 taps: [`super::global`] serves whole images.
pub fn forward<E: Element>(isa: Isa, window: Window, shape: [usize; 4], x: &[E], y: &mut [E], argmax: &mut [u8]) {
    let out = check(window, shape, x.len(), y.len(), argmax.len());
    let [n, oh, ow, c] = out;
    let row = ow * c;
    let pieces = Pieces::worth_a_task(n * oh, row * window.kernel[0] * window.kernel[1]);
    let (y, argmax) = (Shared::new(y), Shared::new(argmax));
    parallel::for_each(pieces.count(), |task| {
        let rows = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let (y, argmax) =
            unsafe { (y.part(rows.start * row, rows.len() * row), argmax.part(rows.start * row, rows.len() * row)) };
        isa.run(Forward { window, shape, out, rows, x, y, argmax });
    });
}

/// `dx[p] = Σ dy` over the outputs whose argmax is `p`.
///
/// # Panics
/// As [`forward`].
pub fn backward<E: Element>(isa: Isa, window: Window, shape: [usize; 4], argmax: &[u8], dy: &[E], dx: Grad<'_, E>) {
    let out = check(window, shape, dx.to.len(), dy.len(), argmax.len());
    let [n, h, w, c] = shape;
    let row = w * c;
    let pieces = Pieces::worth_a_task(n * h, row);
    let (to, mode) = (Shared::new(dx.to), dx.write);
    let columns: Vec<_> = (0..w).map(|x| window.covering(1, x, out[2])).collect();
    parallel::for_each(pieces.count(), |task| {
        let rows = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let to = unsafe { to.part(rows.start * row, rows.len() * row) };
        isa.run(Backward { window, shape, out, rows, columns: &columns, argmax, dy, to, mode });
    });
}

fn check(window: Window, shape: [usize; 4], input: usize, output: usize, argmax: usize) -> [usize; 4] {
    let out = window.expect_output(shape);
    assert!(window.kernel[0] * window.kernel[1] <= 256, "max pool: more than 256 taps");
    assert!(input == len(shape) && output == len(out) && argmax == len(out), "max pool: lengths do not fit {shape:?}");
    out
}

struct Forward<'a, E> {
    window: Window,
    shape: [usize; 4],
    out: [usize; 4],
    /// Of the output, over all images; `y` and `argmax` are these alone.
    rows: Range<usize>,
    x: &'a [E],
    y: &'a mut [E],
    argmax: &'a mut [u8],
}

impl<E: Element> Kernel for Forward<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let [_, h, w, c] = self.shape;
        let [_, oh, ow, _] = self.out;
        for (index, row) in self.rows.clone().enumerate() {
            let (image, oy) = (row / oh, row % oh);
            let ky = self.window.taps(0, oy, h);
            for ox in 0..ow {
                let kx = self.window.taps(1, ox, w);
                for (channel, n) in spans::<S>(c) {
                    let at = (index * ow + ox) * c + channel;
                    // SAFETY: taps lie inside the image, `at` inside this task's rows.
                    unsafe {
                        let (best, place) = self.window_max::<S>(image, [oy, ox], ky.clone(), kx.clone(), channel, n);
                        store::<S, E>(self.y.as_mut_ptr().add(at), n, best);
                        store_bytes::<S>(self.argmax.as_mut_ptr().add(at), n, place);
                    }
                }
            }
        }
    }
}

impl<E: Element> Forward<'_, E> {
    /// The largest value of a window and its place.
    ///
    /// # Safety
    /// The taps lie inside the image, `channel..channel + n` inside the channels.
    #[inline(always)]
    unsafe fn window_max<S: Simd>(
        &self,
        image: usize,
        [oy, ox]: [usize; 2],
        ky: Range<usize>,
        kx: Range<usize>,
        channel: usize,
        n: usize,
    ) -> (S::V, S::V) {
        let [_, h, w, c] = self.shape;
        let [top, left] = [oy * self.window.stride[0], ox * self.window.stride[1]];
        // SAFETY: the caller's promise.
        unsafe {
            let (zero, one) = (S::splat(0.0), S::splat(1.0));
            let mut best = S::splat(f32::NEG_INFINITY);
            let mut place = S::splat((ky.start * self.window.kernel[1] + kx.start) as f32);
            let mut nan = zero;
            for ty in ky {
                let y = top + ty - self.window.padding[0];
                for tx in kx.clone() {
                    let x = left + tx - self.window.padding[1];
                    let v = load::<S, E>(self.x.as_ptr().add(((image * h + y) * w + x) * c + channel), n);
                    place = S::select_gt(v, best, S::splat((ty * self.window.kernel[1] + tx) as f32), place);
                    best = S::select_gt(v, best, v, best);
                    // Only NaN is neither above 0 nor below 1.
                    nan = S::select_gt(v, zero, nan, S::select_gt(one, v, nan, v));
                }
            }
            (S::add(best, nan), place)
        }
    }
}

struct Backward<'a, E> {
    window: Window,
    shape: [usize; 4],
    out: [usize; 4],
    /// Of the input, over all images; `to` is these alone.
    rows: Range<usize>,
    /// The outputs over each column of the input.
    columns: &'a [Range<usize>],
    argmax: &'a [u8],
    dy: &'a [E],
    to: &'a mut [E],
    mode: Write,
}

impl<E: Element> Kernel for Backward<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let [_, h, w, c] = self.shape;
        let [_, oh, ow, _] = self.out;
        let window = self.window;
        // The outputs over a pixel, and its place in their windows.
        let mut over = Vec::new();
        for (index, row) in self.rows.clone().enumerate() {
            let (image, y) = (row / h, row % h);
            for (x, oxs) in self.columns.iter().enumerate() {
                over.clear();
                for oy in window.covering(0, y, oh) {
                    let ty = y + window.padding[0] - oy * window.stride[0];
                    for ox in oxs.clone() {
                        let tx = x + window.padding[1] - ox * window.stride[1];
                        over.push((((image * oh + oy) * ow + ox) * c, (ty * window.kernel[1] + tx) as f32));
                    }
                }
                let to = &mut self.to[(index * w + x) * c..][..c];
                for (channel, n) in spans::<S>(c) {
                    // SAFETY: outputs lie inside `out`, the channels inside theirs.
                    unsafe {
                        let mut sum = S::splat(0.0);
                        for (from, place) in &over {
                            let dy = load::<S, E>(self.dy.as_ptr().add(from + channel), n);
                            let places = load_bytes::<S>(self.argmax.as_ptr().add(from + channel), n);
                            let off = S::sub(places, S::splat(*place));
                            let here = S::select_gt(S::splat(0.5), S::mul(off, off), dy, S::splat(0.0));
                            sum = S::add(sum, here);
                        }
                        write::<S, E>(to.as_mut_ptr().add(channel), n, sum, self.mode);
                    }
                }
            }
        }
    }
}
