//! Pooling of whole images, `(n, h, w, c) → (n, c)`: average and maximum.

use super::len;
use crate::kernels::lanes::{MAX_LANES, load, spans, store, write};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Grad, Isa, Write};

/// `y[n, c] = Σ x / (h·w)`
///
/// # Panics
/// When lengths do not fit.
pub fn average<E: Element>(isa: Isa, shape: [usize; 4], x: &[E], y: &mut [E]) {
    let (image, c) = check(shape, x.len(), y.len());
    let y = Shared::new(y);
    for_each_image(shape, |n| {
        // SAFETY: images are disjoint.
        let y = unsafe { y.part(n * c, c) };
        isa.run(Average { x: &x[n * image..][..image], y });
    });
}

/// `dx = dy / (h·w)` at every pixel.
///
/// # Panics
/// When lengths do not fit.
pub fn average_backward<E: Element>(isa: Isa, shape: [usize; 4], dy: &[E], dx: Grad<'_, E>) {
    let (image, c) = check(shape, dx.to.len(), dy.len());
    let (to, mode) = (Shared::new(dx.to), dx.write);
    for_each_image(shape, |n| {
        // SAFETY: images are disjoint.
        let dx = unsafe { to.part(n * image, image) };
        isa.run(AverageBackward { dy: &dy[n * c..][..c], dx, mode });
    });
}

/// `y[n, c] = max x`; `argmax` is the pixel's number in its image. The first wins a tie; NaN gives NaN.
///
/// # Panics
/// When lengths do not fit.
pub fn max<E: Element>(isa: Isa, shape: [usize; 4], x: &[E], y: &mut [E], argmax: &mut [u32]) {
    let (image, c) = check(shape, x.len(), y.len());
    assert_eq!(argmax.len(), y.len(), "global pool: lengths do not fit");
    let (y, argmax) = (Shared::new(y), Shared::new(argmax));
    for_each_image(shape, |n| {
        // SAFETY: images are disjoint.
        let (y, argmax) = unsafe { (y.part(n * c, c), argmax.part(n * c, c)) };
        isa.run(Max { x: &x[n * image..][..image], y, argmax });
    });
}

/// `dx = dy` at each channel's argmax, zero elsewhere.
///
/// # Panics
/// When lengths do not fit.
pub fn max_backward<E: Element>(shape: [usize; 4], argmax: &[u32], dy: &[E], dx: Grad<'_, E>) {
    let (image, c) = check(shape, dx.to.len(), dy.len());
    assert_eq!(argmax.len(), dy.len(), "global pool: lengths do not fit");
    let (to, mode) = (Shared::new(dx.to), dx.write);
    for_each_image(shape, |n| {
        // SAFETY: images are disjoint.
        let dx = unsafe { to.part(n * image, image) };
        if mode == Write::Overwrite {
            dx.fill(E::zeroed());
        }
        for (channel, (pixel, dy)) in argmax[n * c..].iter().zip(&dy[n * c..][..c]).enumerate() {
            let at = &mut dx[*pixel as usize * c + channel];
            *at = E::from_f32(at.to_f32() + dy.to_f32());
        }
    });
}

/// The elements of an image, and the channels.
fn check(shape: [usize; 4], input: usize, pooled: usize) -> (usize, usize) {
    let [n, h, w, c] = shape;
    assert!(h * w > 0 && input == len(shape) && pooled == n * c, "global pool: lengths do not fit {shape:?}");
    (h * w * c, c)
}

fn for_each_image([n, h, w, c]: [usize; 4], task: impl Fn(usize) + Sync + Send) {
    let pieces = Pieces::worth_a_task(n, h * w * c);
    parallel::for_each(pieces.count(), |piece| pieces.get(piece).for_each(&task));
}

struct Average<'a, E> {
    x: &'a [E],
    y: &'a mut [E],
}

impl<E: Element> Kernel for Average<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let c = self.y.len();
        let pixels = self.x.len() / c;
        for (channel, n) in spans::<S>(c) {
            // SAFETY: pixels and channels lie inside the image.
            unsafe {
                let mut sum = S::splat(0.0);
                for pixel in 0..pixels {
                    sum = S::add(sum, load::<S, E>(self.x.as_ptr().add(pixel * c + channel), n));
                }
                let mean = S::mul(sum, S::splat(1.0 / pixels as f32));
                store::<S, E>(self.y.as_mut_ptr().add(channel), n, mean);
            }
        }
    }
}

struct AverageBackward<'a, E> {
    dy: &'a [E],
    dx: &'a mut [E],
    mode: Write,
}

impl<E: Element> Kernel for AverageBackward<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let c = self.dy.len();
        let pixels = self.dx.len() / c;
        for (channel, n) in spans::<S>(c) {
            // SAFETY: pixels and channels lie inside the image.
            unsafe {
                let share = S::mul(load::<S, E>(self.dy.as_ptr().add(channel), n), S::splat(1.0 / pixels as f32));
                for pixel in 0..pixels {
                    write::<S, E>(self.dx.as_mut_ptr().add(pixel * c + channel), n, share, self.mode);
                }
            }
        }
    }
}

struct Max<'a, E> {
    x: &'a [E],
    y: &'a mut [E],
    argmax: &'a mut [u32],
}

impl<E: Element> Kernel for Max<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let c = self.y.len();
        for (channel, n) in spans::<S>(c) {
            // SAFETY: pixels and channels lie inside the image. Pixel numbers are exact in `f32` up to 2²⁴.
            unsafe {
                let (zero, one) = (S::splat(0.0), S::splat(1.0));
                let (mut best, mut place, mut nan) = (S::splat(f32::NEG_INFINITY), zero, zero);
                for pixel in 0..self.x.len() / c {
                    let v = load::<S, E>(self.x.as_ptr().add(pixel * c + channel), n);
                    place = S::select_gt(v, best, S::splat(pixel as f32), place);
                    best = S::select_gt(v, best, v, best);
                    // Only NaN is neither above 0 nor below 1.
                    nan = S::select_gt(v, zero, nan, S::select_gt(one, v, nan, v));
                }
                store::<S, E>(self.y.as_mut_ptr().add(channel), n, S::add(best, nan));
                let mut places = [0.0f32; MAX_LANES];
                S::store(places.as_mut_ptr(), place);
                for (to, place) in self.argmax[channel..channel + n].iter_mut().zip(places) {
                    *to = place as u32;
                }
            }
        }
    }
}
