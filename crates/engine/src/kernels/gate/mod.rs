//! Channels let through in part, as much as each image asks: squeeze and excitation's last step.
//!
//! For `x: (n, h·w, c)` and `g: (n, c)`
//!
//! ```text
//! y  = x·σ(g),  σ(g) = 1/(1 + exp(−g))
//! dx = dy·σ(g),  dg = σ(g)·(1 − σ(g))·Σ dy·x  over the pixels
//! ```
//!
//! Source: Hu et al. 2017, arXiv:1709.01507.

pub mod reference;
#[cfg(test)]
mod tests;

use super::activation::function::sigmoid;
use super::lanes::{load, spans, store, write};
use super::parallel::{self, Shared};
use super::pieces::Pieces;
use super::simd::{Kernel, Simd};
use super::{Element, Grad, Isa, Write};

/// `y = x·σ(g)`; `c` channels.
///
/// # Panics
/// When the lengths do not fit.
pub fn forward<E: Element>(isa: Isa, c: usize, x: &[E], g: &[E], y: &mut [E]) {
    let pixels = check(c, x.len(), g.len());
    assert_eq!(x.len(), y.len(), "gate: lengths differ");
    let image = pixels * c;
    let y = Shared::new(y);
    for_each_image(g.len() / c, image, |k| {
        // SAFETY: images are disjoint.
        let y = unsafe { y.part(k * image, image) };
        isa.run(Forward { x: &x[k * image..][..image], g: &g[k * c..][..c], y });
    });
}

/// The gradients of x and g; `None` for one that nobody wants.
///
/// # Panics
/// When the lengths do not fit.
pub fn backward<E: Element>(
    isa: Isa,
    c: usize,
    [x, g]: [&[E]; 2],
    dy: &[E],
    dx: Option<Grad<'_, E>>,
    dg: Option<Grad<'_, E>>,
) {
    let pixels = check(c, x.len(), g.len());
    assert_eq!(x.len(), dy.len(), "gate: lengths differ");
    assert!(dx.as_ref().is_none_or(|dx| dx.to.len() == x.len()), "gate: lengths differ");
    assert!(dg.as_ref().is_none_or(|dg| dg.to.len() == g.len()), "gate: lengths differ");
    let image = pixels * c;
    let [dx, dg] = [dx, dg].map(|grad| grad.map(|grad| (Shared::new(grad.to), grad.write)));
    for_each_image(g.len() / c, image, |k| {
        let own = |grad: Option<(Shared<E>, Write)>, len: usize| {
            // SAFETY: images are disjoint.
            grad.map(|(to, mode)| (unsafe { to.part(k * len, len) }, mode))
        };
        let (dx, dg) = (own(dx, image), own(dg, c));
        let [x, dy] = [x, dy].map(|values| &values[k * image..][..image]);
        isa.run(Backward { x, dy, g: &g[k * c..][..c], dx, dg });
    });
}

/// The pixels of an image.
fn check(c: usize, values: usize, gates: usize) -> usize {
    let fit = c > 0 && gates > 0 && gates.is_multiple_of(c) && values.is_multiple_of(gates);
    assert!(fit, "gate: {gates} gates of {c} channels do not fit {values} values");
    values / gates
}

fn for_each_image(images: usize, cost: usize, task: impl Fn(usize) + Sync + Send) {
    let pieces = Pieces::worth_a_task(images, cost);
    parallel::for_each(pieces.count(), |piece| pieces.get(piece).for_each(&task));
}

struct Forward<'a, E> {
    x: &'a [E],
    g: &'a [E],
    y: &'a mut [E],
}

impl<E: Element> Kernel for Forward<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let c = self.g.len();
        for (channel, n) in spans::<S>(c) {
            // SAFETY: pixels and channels lie inside the image.
            unsafe {
                let gate = sigmoid::<S>(load::<S, E>(self.g.as_ptr().add(channel), n));
                for at in (channel..self.x.len()).step_by(c) {
                    let x = load::<S, E>(self.x.as_ptr().add(at), n);
                    store::<S, E>(self.y.as_mut_ptr().add(at), n, S::mul(x, gate));
                }
            }
        }
    }
}

struct Backward<'a, E> {
    x: &'a [E],
    dy: &'a [E],
    g: &'a [E],
    dx: Option<(&'a mut [E], Write)>,
    dg: Option<(&'a mut [E], Write)>,
}

impl<E: Element> Kernel for Backward<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let c = self.g.len();
        for (channel, n) in spans::<S>(c) {
            // SAFETY: pixels and channels lie inside the image.
            unsafe {
                let gate = sigmoid::<S>(load::<S, E>(self.g.as_ptr().add(channel), n));
                let mut sum = S::splat(0.0);
                for at in (channel..self.x.len()).step_by(c) {
                    let dy = load::<S, E>(self.dy.as_ptr().add(at), n);
                    sum = S::fma(dy, load::<S, E>(self.x.as_ptr().add(at), n), sum);
                    if let Some((to, mode)) = &mut self.dx {
                        write::<S, E>(to.as_mut_ptr().add(at), n, S::mul(dy, gate), *mode);
                    }
                }
                if let Some((to, mode)) = &mut self.dg {
                    let slope = S::mul(gate, S::sub(S::splat(1.0), gate));
                    write::<S, E>(to.as_mut_ptr().add(channel), n, S::mul(slope, sum), *mode);
                }
            }
        }
    }
}
