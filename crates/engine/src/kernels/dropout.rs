//! Dropout: some values become zero, drawn anew at each step, and the others grow so that means stay.
//!
//! ```text
//! y = x·m/(1 − p),  dx = dy·m/(1 − p),  m = 0 with probability p, else 1
//! ```
//!
//! as PyTorch's `dropout`. There is a mask for each value, or one for each of as many equal parts of them: with an image a
//! part, this is stochastic depth (`drop_path` of timm, `StochasticDepth(p, "row")` of torchvision). A mask is a function of
//! the stream and of its number in it: which task draws it, or which of several passes, does not matter.
//!
//! Sources: Srivastava et al. 2014, Journal of Machine Learning Research 15; Huang et al. 2016, arXiv:1603.09382.

use super::lanes::{load, spans, write};
use super::parallel::{self, Shared};
use super::pieces::Pieces;
use super::simd::{Kernel, Simd};
use super::{Element, Grad, Isa, Write};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// Values a task.
const CHUNK: usize = 1 << 14;

/// Draws masks: 1, or 0 with probability `p`. Mask `k` takes word `first + k` of the stream.
pub fn draw(stream: &ChaCha8Rng, first: u64, p: f64, kept: &mut [u8]) {
    // Of the 2³² words, those below are dropped.
    let dropped = (p * 2f64.powi(32)).round() as u64;
    if dropped == 0 {
        return kept.fill(1);
    }
    let pieces = Pieces::of(kept.len(), CHUNK);
    let kept = Shared::new(kept);
    parallel::for_each(pieces.count(), |task| {
        let part = pieces.get(task);
        let mut words = stream.clone();
        words.set_word_pos(u128::from(first) + part.start as u128);
        // SAFETY: pieces are disjoint.
        for kept in unsafe { kept.part(part.start, part.len()) } {
            *kept = u8::from(u64::from(words.next_u32()) >= dropped);
        }
    });
}

/// `y = x·m/(1 − p)`; a mask is for `x.len()/kept.len()` neighbours.
///
/// # Panics
/// When the lengths do not fit.
pub fn forward<E: Element>(isa: Isa, p: f64, kept: &[u8], x: &[E], y: &mut [E]) {
    apply(isa, p, kept, x, Grad::overwrite(y));
}

/// `dx = dy·m/(1 − p)`.
///
/// # Panics
/// When the lengths do not fit.
pub fn backward<E: Element>(isa: Isa, p: f64, kept: &[u8], dy: &[E], dx: Grad<'_, E>) {
    apply(isa, p, kept, dy, dx);
}

/// Multiplied, so that what is not finite is not hidden.
fn apply<E: Element>(isa: Isa, p: f64, kept: &[u8], from: &[E], to: Grad<'_, E>) {
    let each = from.len() / kept.len().max(1);
    assert!(kept.len() * each == from.len() && from.len() == to.to.len(), "dropout: lengths do not fit");
    let scale = (1.0 / (1.0 - p)) as f32;
    let factor = |kept: u8| f32::from(kept) * scale;
    let Grad { to, write } = to;
    let pieces = Pieces::of(from.len(), CHUNK);
    let to = Shared::new(to);
    parallel::for_each(pieces.count(), |task| {
        let part = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let to = unsafe { to.part(part.start, part.len()) };
        if each > 1 {
            let masks = part.start / each..part.end.div_ceil(each);
            for (mask, kept) in masks.clone().zip(&kept[masks]) {
                let own = part.start.max(mask * each)..part.end.min((mask + 1) * each);
                let to = &mut to[own.start - part.start..own.end - part.start];
                isa.run(Scaled { factor: factor(*kept), from: &from[own], to, write });
            }
            return;
        }
        // Plain Rust: the compiler makes vector code of it, and it is a small part of the time that drawing takes.
        for ((to, from), kept) in to.iter_mut().zip(&from[part.clone()]).zip(&kept[part]) {
            let value = from.to_f32() * factor(*kept);
            *to = E::from_f32(if write == Write::Add { to.to_f32() + value } else { value });
        }
    });
}

/// `to (+)= factor·from`
struct Scaled<'a, E> {
    factor: f32,
    from: &'a [E],
    to: &'a mut [E],
    write: Write,
}

impl<E: Element> Kernel for Scaled<'_, E> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (at, n) in spans::<S>(self.to.len()) {
            // SAFETY: both slices have `to`'s length.
            unsafe {
                let value = S::mul(S::splat(self.factor), load::<S, E>(self.from.as_ptr().add(at), n));
                write::<S, E>(self.to.as_mut_ptr().add(at), n, value, self.write);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::*;
    use crate::units::{Purpose, rng};

    fn mask(first: u64, p: f64, len: usize) -> Vec<u8> {
        let mut kept = vec![7; len];
        draw(&rng(3, Purpose::Layer, 1, 2), first, p, &mut kept);
        kept
    }

    #[test]
    fn so_many_are_dropped_wherever_one_begins() {
        let len = 100_003;
        for p in [0.0, 0.1, 0.5, 0.9] {
            let whole = mask(5, p, len);
            let share = whole.iter().filter(|kept| **kept == 0).count() as f64 / len as f64;
            assert!((share - p).abs() < 0.005, "{p}: {share}");
            assert_eq!(mask(5 + 77, p, 50_000), whole[77..50_077]);
        }
        assert_ne!(mask(0, 0.5, 100), mask(1, 0.5, 100));
    }

    fn matches_the_formula_both_ways<E: Element>() {
        // Masks, and the values of each: of the last two, more and fewer than a task takes.
        let cases = [
            (0.0, 1, 1),
            (0.5, 17, 1),
            (0.3, 70_000, 1),
            (0.5, 9, 2),
            (0.3, 40, 117),
            (0.4, 5, 20_001),
            (0.2, 700, 63),
        ];
        for (seed, (p, masks, each)) in cases.into_iter().enumerate() {
            let (kept, x) = (mask(0, p, masks), values::<E>(seed as u64, masks * each));
            let factor = |k: usize| f64::from(kept[k / each]) / (1.0 - p);
            let want: Vec<f64> = doubles(&x).iter().enumerate().map(|(k, x)| x * factor(k)).collect();
            let sums: Vec<f64> = doubles(&x).iter().zip(&want).map(|(x, d)| x + d).collect();
            for isa in Isa::available() {
                let (mut y, mut dx, mut added) = (vec![E::zeroed(); x.len()], x.clone(), x.clone());
                forward(isa, p, &kept, &x, &mut y);
                assert_close("y", &y, &want, 0.0);
                // The gradient meets the same mask.
                backward(isa, p, &kept, &x, Grad::overwrite(&mut dx));
                assert!(dx == y);
                backward(isa, p, &kept, &x, Grad::add(&mut added));
                assert_close("added", &added, &sums, 1e-6);
            }
        }
    }
    for_all_types!(matches_the_formula_both_ways);

    #[test]
    fn means_stay_and_nan_is_not_hidden() {
        let (isa, p, len) = (Isa::detect().unwrap(), 0.4, 100_000);
        let mut y = vec![0.0f32; len];
        forward(isa, p, &mask(0, p, len), &vec![1.0; len], &mut y);
        let mean = y.iter().map(|y| f64::from(*y)).sum::<f64>() / len as f64;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        let mut y = [0.0f32; 4];
        forward(isa, 0.5, &[0, 1], &[f32::NAN, 1.0], &mut y[..2]);
        assert!(y[0].is_nan() && y[1] == 2.0);
        forward(isa, 0.5, &[0, 1], &[f32::NAN, 3.0, 1.0, 2.0], &mut y);
        assert!(y[0].is_nan() && y[1..] == [0.0, 2.0, 4.0]);
    }

    #[test]
    fn threads_do_not_matter() {
        let x = values::<f32>(1, 100_000);
        for each in [1, 25_000] {
            assert_same_for_threads("dropout", || {
                let (kept, mut y) = (mask(9, 0.3, x.len() / each), vec![0.0; x.len()]);
                forward(Isa::detect().unwrap(), 0.3, &kept, &x, &mut y);
                (kept, y)
            });
        }
    }
}
