//! Average pooling: `y = Σ x / divisor` over the window's part inside the image.

use super::{Window, len};
use crate::kernels::lanes::{load, spans, store, write};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Grad, Isa, Write};
use std::ops::Range;

/// What a window's sum is divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Divisor {
    /// All taps: PyTorch's `count_include_pad = true`, its default.
    #[default]
    Window,
    /// The taps inside the image.
    Valid,
}

/// An average over windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Average {
    pub window: Window,
    pub divisor: Divisor,
}

impl Average {
    #[inline(always)]
    fn factor(&self, taps: usize) -> f32 {
        let taps = match self.divisor {
            Divisor::Window => self.window.kernel[0] * self.window.kernel[1],
            Divisor::Valid => taps,
        };
        1.0 / taps as f32
    }
}

/// `x: shape`, `y: window.output(shape)`.
///
/// # Panics
/// When lengths do not fit.
pub fn forward<E: Element>(isa: Isa, average: Average, shape: [usize; 4], x: &[E], y: &mut [E]) {
    let out = check(average, shape, x.len(), y.len());
    let [n, oh, ow, c] = out;
    let pieces = Pieces::worth_a_task(n * oh, ow * c * average.window.kernel[0] * average.window.kernel[1]);
    let y = Shared::new(y);
    parallel::for_each(pieces.count(), |task| {
        let rows = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let y = unsafe { y.part(rows.start * ow * c, rows.len() * ow * c) };
        isa.run(Forward { average, shape, out, rows, x, y });
    });
}

/// `dx[p] = Σ dy / divisor` over the outputs whose window covers `p`.
///
/// # Panics
/// When lengths do not fit.
pub fn backward<E: Element>(isa: Isa, average: Average, shape: [usize; 4], dy: &[E], dx: Grad<'_, E>) {
    let out = check(average, shape, dx.to.len(), dy.len());
    let [n, h, w, c] = shape;
    let pieces = Pieces::worth_a_task(n * h, w * c);
    let (to, mode) = (Shared::new(dx.to), dx.write);
    parallel::for_each(pieces.count(), |task| {
        let rows = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let to = unsafe { to.part(rows.start * w * c, rows.len() * w * c) };
        isa.run(Backward { average, shape, out, rows, dy, to, mode });
    });
}

fn check(average: Average, shape: [usize; 4], input: usize, output: usize) -> [usize; 4] {
    let out = average.window.expect_output(shape);
    assert!(input == len(shape) && output == len(out), "average pool: lengths do not fit {shape:?}");
    out
}

struct Forward<'a, E> {
    average: Average,
    shape: [usize; 4],
    out: [usize; 4],
    /// Of the output, over all images; `y` is these alone.
    rows: Range<usize>,
    x: &'a [E],
    y: &'a mut [E],
}

impl<E: Element> Kernel for Forward<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let [_, h, w, c] = self.shape;
        let [_, oh, ow, _] = self.out;
        let Window { stride, padding, .. } = self.average.window;
        for (index, row) in self.rows.clone().enumerate() {
            let (image, oy) = (row / oh, row % oh);
            let ky = self.average.window.taps(0, oy, h);
            for ox in 0..ow {
                let kx = self.average.window.taps(1, ox, w);
                let factor = self.average.factor(ky.len() * kx.len());
                for (channel, n) in spans::<S>(c) {
                    // SAFETY: taps lie inside the image, the output inside this task's rows.
                    unsafe {
                        let mut sum = S::splat(0.0);
                        for ty in ky.clone() {
                            let y = oy * stride[0] + ty - padding[0];
                            for tx in kx.clone() {
                                let x = ox * stride[1] + tx - padding[1];
                                let from = ((image * h + y) * w + x) * c + channel;
                                sum = S::add(sum, load::<S, E>(self.x.as_ptr().add(from), n));
                            }
                        }
                        let at = (index * ow + ox) * c + channel;
                        store::<S, E>(self.y.as_mut_ptr().add(at), n, S::mul(sum, S::splat(factor)));
                    }
                }
            }
        }
    }
}

struct Backward<'a, E> {
    average: Average,
    shape: [usize; 4],
    out: [usize; 4],
    /// Of the input, over all images; `to` is these alone.
    rows: Range<usize>,
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
        let window = self.average.window;
        for (index, row) in self.rows.clone().enumerate() {
            let (image, y) = (row / h, row % h);
            let oys = window.covering(0, y, oh);
            for x in 0..w {
                let oxs = window.covering(1, x, ow);
                for (channel, n) in spans::<S>(c) {
                    // SAFETY: outputs lie inside `out`, `(index, x, channel)` inside this task's rows.
                    unsafe {
                        let mut sum = S::splat(0.0);
                        for oy in oys.clone() {
                            let taps = window.taps(0, oy, h).len();
                            for ox in oxs.clone() {
                                let factor = self.average.factor(taps * window.taps(1, ox, w).len());
                                let from = ((image * oh + oy) * ow + ox) * c + channel;
                                let dy = load::<S, E>(self.dy.as_ptr().add(from), n);
                                sum = S::fma(dy, S::splat(factor), sum);
                            }
                        }
                        let at = (index * w + x) * c + channel;
                        write::<S, E>(self.to.as_mut_ptr().add(at), n, sum, self.mode);
                    }
                }
            }
        }
    }
}
