//! The kernels: one pass, flat.

use super::function::{Function, with_function};
use super::{Act, Branch, Saved};
use crate::kernels::lanes::{load, spans, store, write};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Grad, Isa, Write};

pub fn forward<E: Element>(isa: Isa, act: Act, a: &[E], b: Option<Branch<'_, E>>, y: &mut [E]) {
    let pieces = Pieces::worth_a_task(y.len(), 1);
    let y = Shared::new(y);
    parallel::for_each(pieces.count(), |task| {
        let piece = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let y = unsafe { y.part(piece.start, piece.len()) };
        let (a, b) = (&a[piece.clone()], b.map(|(b, scale)| (&b[piece], scale)));
        with_function!(act, function => isa.run(Forward { a, b, y, function }));
    });
}

/// `a [+ s·b]`
///
/// # Safety
/// Both have `n ≤ S::LANES` elements from `at` on.
#[inline(always)]
unsafe fn sum<S: Simd, E: Element>(a: &[E], b: Option<Branch<'_, E>>, at: usize, n: usize) -> S::V {
    // SAFETY: the caller's promise.
    unsafe {
        let a = load::<S, E>(a.as_ptr().add(at), n);
        match b {
            Some((b, scale)) => S::fma(S::splat(scale), load::<S, E>(b.as_ptr().add(at), n), a),
            None => a,
        }
    }
}

struct Forward<'a, E, F> {
    a: &'a [E],
    b: Option<Branch<'a, E>>,
    y: &'a mut [E],
    function: F,
}

impl<E: Element, F: Function> Kernel for Forward<'_, E, F> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (at, n) in spans::<S>(self.y.len()) {
            // SAFETY: all slices have `y`'s length.
            unsafe {
                let z = sum::<S, E>(self.a, self.b, at, n);
                store::<S, E>(self.y.as_mut_ptr().add(at), n, self.function.value::<S>(z));
            }
        }
    }
}

pub fn backward<E: Element>(
    isa: Isa,
    act: Act,
    saved: Saved<'_, E>,
    dy: &[E],
    da: Option<Grad<'_, E>>,
    db: Option<Grad<'_, E>>,
) {
    let pieces = Pieces::worth_a_task(dy.len(), 1);
    let outputs = [da, db].map(|grad| grad.map(|grad| (Shared::new(grad.to), grad.write)));
    let scale = saved.b.map_or(1.0, |(_, scale)| scale);
    parallel::for_each(pieces.count(), |task| {
        let piece = pieces.get(task);
        let saved = Saved { a: &saved.a[piece.clone()], b: saved.b.map(|(b, scale)| (&b[piece.clone()], scale)) };
        let dy = &dy[piece.clone()];
        // SAFETY: pieces are disjoint.
        let [da, db] = outputs.map(|out| out.map(|(to, write)| (unsafe { to.part(piece.start, piece.len()) }, write)));
        with_function!(act, function => isa.run(Backward { saved, dy, da, db, scale, function }));
    });
}

struct Backward<'a, E, F> {
    saved: Saved<'a, E>,
    dy: &'a [E],
    da: Option<(&'a mut [E], Write)>,
    db: Option<(&'a mut [E], Write)>,
    /// Of b.
    scale: f32,
    function: F,
}

impl<E: Element, F: Function> Kernel for Backward<'_, E, F> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(mut self) {
        for (at, n) in spans::<S>(self.dy.len()) {
            // SAFETY: all slices have `dy`'s length.
            unsafe {
                let z = sum::<S, E>(self.saved.a, self.saved.b, at, n);
                let dz = self.function.pull::<S>(z, load::<S, E>(self.dy.as_ptr().add(at), n));
                if let Some((to, mode)) = &mut self.da {
                    write::<S, E>(to.as_mut_ptr().add(at), n, dz, *mode);
                }
                if let Some((to, mode)) = &mut self.db {
                    write::<S, E>(to.as_mut_ptr().add(at), n, S::mul(S::splat(self.scale), dz), *mode);
                }
            }
        }
    }
}
