//! Backward kernels: the sums through [`columns`], then one pass that writes.

use super::cpu::elements;
use super::table::{Table, inverse_std};
use super::{Grads, Norm, Saved, Statistics, Within};
use crate::kernels::activation::Act;
use crate::kernels::activation::function::{Function, Identity, Relu, with_function};
use crate::kernels::columns::{self, Terms};
use crate::kernels::lanes::{load, spans, write};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Isa, Write};
use std::ops::Range;

pub fn run<E: Element>(isa: Isa, norm: &Norm<'_>, saved: Saved<'_, E>, dy: &[E], grads: Grads<'_, E>) {
    let task = Task { isa, norm, x: saved.x, dy, statistics: saved.statistics };
    match (norm.act, saved.y, saved.residual) {
        (Act::None, _, _) => task.run(Identity, FromInput, grads),
        (Act::Relu, Some(y), _) => task.run(Relu, FromOutput(y), grads),
        (act, _, None) => with_function!(act, function => task.run(function, FromInput, grads)),
        (act, _, Some(residual)) => with_function!(act, function => task.run(function, FromSum(residual), grads)),
    }
}

/// What the activation is asked for its slope at: a type, so that the inner loops do not choose.
trait Source<E>: Copy + Sync {
    /// # Safety
    /// `channel` and `n` as for [`Terms::at`], in the row that `at` says; `x` is the input there.
    unsafe fn argument<S: Simd>(&self, table: &Table, x: S::V, at: At, channel: usize, n: usize) -> S::V;
}

/// Where a row's channel lies in the input, and where in the output.
#[derive(Clone, Copy)]
struct At {
    input: usize,
    output: usize,
}

/// The normalised input.
#[derive(Clone, Copy)]
struct FromInput;
/// Its sum with a residual.
#[derive(Clone, Copy)]
struct FromSum<'a, E>(&'a [E]);
/// The output, which for relu is positive where the argument is.
#[derive(Clone, Copy)]
struct FromOutput<'a, E>(&'a [E]);

// SAFETY of the bodies below: the caller's promise.
impl<E: Element> Source<E> for FromInput {
    #[inline(always)]
    unsafe fn argument<S: Simd>(&self, table: &Table, x: S::V, _at: At, channel: usize, _n: usize) -> S::V {
        unsafe { table.affine::<S>(x, channel) }
    }
}

impl<E: Element> Source<E> for FromSum<'_, E> {
    #[inline(always)]
    unsafe fn argument<S: Simd>(&self, table: &Table, x: S::V, at: At, channel: usize, n: usize) -> S::V {
        unsafe { S::add(table.affine::<S>(x, channel), load::<S, E>(self.0.as_ptr().add(at.input), n)) }
    }
}

impl<E: Element> Source<E> for FromOutput<'_, E> {
    #[inline(always)]
    unsafe fn argument<S: Simd>(&self, _table: &Table, _x: S::V, at: At, _channel: usize, n: usize) -> S::V {
        unsafe { load::<S, E>(self.0.as_ptr().add(at.output), n) }
    }
}

/// One call of backward, but for what its types say.
struct Task<'a, E> {
    isa: Isa,
    norm: &'a Norm<'a>,
    x: &'a [E],
    dy: &'a [E],
    statistics: Statistics,
}

impl<E: Element> Task<'_, E> {
    fn run<F: Function, Z: Source<E>>(self, function: F, source: Z, grads: Grads<'_, E>) {
        let Self { isa, norm, x, dy, statistics } = self;
        let mut table = Table::new(norm);
        let c = table.c;
        let (rows, within) = (x.len() / c, norm.within());
        let Grads { dx, dresidual, dgamma, dbeta } = grads;
        if statistics == Statistics::OfBatch || dgamma.is_some() || dbeta.is_some() {
            let pull = Pull { table: &table, within, x, dy, source, function };
            let sums = columns::sums(isa, rows, c, &pull);
            if statistics == Statistics::OfBatch {
                table.set_pulls(norm, &sums, rows);
            }
            if let Some(dbeta) = dbeta {
                dbeta.put(sums.iter().map(|[dz, _]| *dz));
            }
            if let Some(dgamma) = dgamma {
                dgamma.put(sums.iter().enumerate().map(|(channel, [_, s])| s * inverse_std(norm, channel)));
            }
        }
        if dx.is_none() && dresidual.is_none() {
            return;
        }
        let outputs = [dx, dresidual].map(|grad| grad.map(|grad| (Shared::new(grad.to), grad.write)));
        let pull = Pull { table: &table, within, x, dy, source, function };
        let pieces = Pieces::worth_a_task(rows, c);
        parallel::for_each(pieces.count(), |task| {
            let rows = pieces.get(task);
            let part = elements(rows.clone(), c);
            // SAFETY: pieces are disjoint.
            let own = |(to, mode): (Shared<E>, Write)| (unsafe { to.part(part.start, part.len()) }, mode);
            let [dx, dresidual] = outputs.map(|out| out.map(own));
            isa.run(Backward { pull: &pull, rows, dx, dresidual });
        });
    }
}

/// `dz` and `dz·(x − μ)`.
struct Pull<'a, E, F, Z> {
    table: &'a Table,
    within: Within,
    x: &'a [E],
    dy: &'a [E],
    source: Z,
    function: F,
}

impl<E: Element, F: Function, Z: Source<E>> Pull<'_, E, F, Z> {
    /// `dz` and `x − μ`.
    ///
    /// # Safety
    /// As for [`Terms::at`].
    #[inline(always)]
    unsafe fn parts<S: Simd>(&self, row: usize, channel: usize, n: usize) -> [S::V; 2] {
        let at = At { input: row * self.table.c + channel, output: self.within.index(row, channel) };
        // SAFETY: the caller's promise; all slices have as many rows.
        unsafe {
            let x = load::<S, E>(self.x.as_ptr().add(at.input), n);
            let z = self.source.argument::<S>(self.table, x, at, channel, n);
            let dz = self.function.pull::<S>(z, load::<S, E>(self.dy.as_ptr().add(at.output), n));
            [dz, S::sub(x, self.table.get::<S>(Table::MEAN, channel))]
        }
    }
}

impl<E: Element, F: Function, Z: Source<E>> Terms for Pull<'_, E, F, Z> {
    #[inline(always)]
    unsafe fn at<S: Simd>(&self, row: usize, channel: usize, n: usize) -> [S::V; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let [dz, centred] = self.parts::<S>(row, channel, n);
            [dz, S::mul(dz, centred)]
        }
    }
}

struct Backward<'a, E, F, Z> {
    pull: &'a Pull<'a, E, F, Z>,
    /// Of this task; `dx` and `dresidual` are these alone.
    rows: Range<usize>,
    dx: Option<(&'a mut [E], Write)>,
    dresidual: Option<(&'a mut [E], Write)>,
}

impl<E: Element, F: Function, Z: Source<E>> Kernel for Backward<'_, E, F, Z> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let table = self.pull.table;
        for (index, row) in self.rows.enumerate() {
            for (channel, n) in spans::<S>(table.c) {
                let at = index * table.c + channel;
                // SAFETY: the row lies in all slices.
                unsafe {
                    let [dz, centred] = self.pull.parts::<S>(row, channel, n);
                    if let Some((to, mode)) = &mut self.dresidual {
                        write::<S, E>(to.as_mut_ptr().add(at), n, dz, *mode);
                    }
                    if let Some((to, mode)) = &mut self.dx {
                        let d = S::sub(dz, table.get::<S>(Table::PULL_MEAN, channel));
                        let d = S::sub(d, S::mul(centred, table.get::<S>(Table::PULL_SLOPE, channel)));
                        let d = S::mul(d, table.get::<S>(Table::SCALE, channel));
                        write::<S, E>(to.as_mut_ptr().add(at), n, d, *mode);
                    }
                }
            }
        }
    }
}
