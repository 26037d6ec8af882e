//! Sums over rows: batch-norm statistics, its backward sums, bias gradients.

use super::lanes::{self, padded, spans};
use super::parallel::{self, Shared};
use super::pieces::Pieces;
use super::simd::{Kernel, Simd};
use super::{Element, Grad, Isa};

/// Two values of every element of a `(rows, c)` matrix, to be summed over the rows.
pub trait Terms: Sync {
    /// The values of a row from `channel` on; lanes past `n` must be zero or garbage that the caller drops.
    ///
    /// # Safety
    /// The row is one of the matrix, and has `n ≤ S::LANES` elements from there on.
    unsafe fn at<S: Simd>(&self, row: usize, channel: usize, n: usize) -> [S::V; 2];
}

/// Rows summed in `f32` before the sums go to `f64`: keeps the error of a sum near one rounding of its largest term.
const BLOCK: usize = 64;
/// Rows that share one read of the accumulators.
const GROUP: usize = 4;
/// Bounds the partial sums to be added at the end, at a task count that still balances on many cores.
const MAX_TASKS: usize = 64;

/// Sums both terms over the rows of each channel: `out[channel] = [Σ first, Σ second]`, in a fixed order.
pub fn sums<T: Terms>(isa: Isa, rows: usize, c: usize, terms: &T) -> Vec<[f64; 2]> {
    let piece = rows.div_ceil(MAX_TASKS).max((1 << 14) / c.max(1)).next_multiple_of(GROUP);
    let pieces = Pieces::of(rows, piece);
    let mut partial = vec![[0.0f64; 2]; pieces.count() * c];
    let shared = Shared::new(&mut partial);
    parallel::for_each(pieces.count(), |task| {
        // SAFETY: every task writes its own `c` sums.
        let out = unsafe { shared.part(task * c, c) };
        isa.run(SumRows { terms, rows: pieces.get(task), c, out });
    });
    let mut total = vec![[0.0f64; 2]; c];
    for part in partial.chunks_exact(c.max(1)) {
        for (t, p) in total.iter_mut().zip(part) {
            t[0] += p[0];
            t[1] += p[1];
        }
    }
    total
}

struct SumRows<'a, T> {
    terms: &'a T,
    rows: std::ops::Range<usize>,
    c: usize,
    out: &'a mut [[f64; 2]],
}

impl<T: Terms> Kernel for SumRows<'_, T> {
    type Out = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let width = padded(self.c);
        let mut acc = vec![0.0f32; 2 * width];
        let mut row = self.rows.start;
        while row < self.rows.end {
            let end = (row + BLOCK).min(self.rows.end);
            acc.fill(0.0);
            let (first, second) = acc.split_at_mut(width);
            while row < end {
                let group = GROUP.min(end - row);
                for (at, n) in spans::<S>(self.c) {
                    // SAFETY: `at < c ≤ width`, and `width` is a multiple of every vector's length; rows are inside.
                    unsafe {
                        let mut a = S::load(first.as_ptr().add(at));
                        let mut b = S::load(second.as_ptr().add(at));
                        for r in row..row + group {
                            let [x, y] = self.terms.at::<S>(r, at, n);
                            a = S::add(a, x);
                            b = S::add(b, y);
                        }
                        S::store(first.as_mut_ptr().add(at), a);
                        S::store(second.as_mut_ptr().add(at), b);
                    }
                }
                row += group;
            }
            for ((out, a), b) in self.out.iter_mut().zip(first).zip(second) {
                out[0] += f64::from(*a);
                out[1] += f64::from(*b);
            }
        }
    }
}

/// The gradient of a bias: `db[channel] = Σ dy` over the rows of `dy: (rows, c)`.
///
/// # Panics
/// When lengths do not fit.
pub fn bias_gradient<E: Element>(isa: Isa, c: usize, dy: &[E], db: Grad<'_, f32>) {
    assert!(db.to.len() == c && dy.len().is_multiple_of(c.max(1)), "bias: lengths do not fit");
    let sums = sums(isa, dy.len() / c.max(1), c, &Plain { values: dy, c });
    db.put(sums.into_iter().map(|[sum, _]| sum));
}

struct Plain<'a, E> {
    values: &'a [E],
    c: usize,
}

impl<E: Element> Terms for Plain<'_, E> {
    #[inline(always)]
    unsafe fn at<S: Simd>(&self, row: usize, channel: usize, n: usize) -> [S::V; 2] {
        // SAFETY: the caller's promise.
        unsafe { [lanes::load::<S, E>(self.values.as_ptr().add(row * self.c + channel), n), S::splat(0.0)] }
    }
}
