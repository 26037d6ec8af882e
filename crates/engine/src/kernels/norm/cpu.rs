//! Forward kernels: the statistics through [`columns`], then one pass that writes.

use super::table::Table;
use super::{Norm, Within};
use crate::kernels::activation::function::{Function, with_function};
use crate::kernels::columns::{self, Terms};
use crate::kernels::lanes::{load, padded, spans, store};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Isa};
use std::ops::Range;

/// Rows whose mean shifts the sums of the statistics.
const PROBES: usize = 32;

pub fn statistics<E: Element>(isa: Isa, x: &[E], mean: &mut [f32], var: &mut [f32]) {
    let c = mean.len();
    let rows = x.len() / c;
    let mut shift = vec![0.0f32; padded(c)];
    let probes = PROBES.min(rows);
    for probe in 0..probes {
        let row = probe * rows / probes;
        for (s, v) in shift.iter_mut().zip(&x[row * c..][..c]) {
            *s += v.to_f32() / probes as f32;
        }
    }
    let sums = columns::sums(isa, rows, c, &Shifted { x, c, shift: &shift });
    for (channel, [sum, squares]) in sums.into_iter().enumerate() {
        let offset = sum / rows as f64;
        mean[channel] = (f64::from(shift[channel]) + offset) as f32;
        // Not `max`, which would turn NaN into zero.
        let v = squares / rows as f64 - offset * offset;
        var[channel] = if v < 0.0 { 0.0 } else { v as f32 };
    }
}

/// `x − k` and its square.
struct Shifted<'a, E> {
    x: &'a [E],
    c: usize,
    shift: &'a [f32],
}

impl<E: Element> Terms for Shifted<'_, E> {
    #[inline(always)]
    unsafe fn at<S: Simd>(&self, row: usize, channel: usize, n: usize) -> [S::V; 2] {
        // SAFETY: the row is the caller's promise; `shift` is padded to whole vectors.
        unsafe {
            let x = load::<S, E>(self.x.as_ptr().add(row * self.c + channel), n);
            let d = S::sub(x, S::load(self.shift.as_ptr().add(channel)));
            [d, S::mul(d, d)]
        }
    }
}

pub fn forward<E: Element>(isa: Isa, norm: &Norm<'_>, x: &[E], residual: Option<&[E]>, y: &mut [E]) {
    let table = Table::new(norm);
    let within = norm.within();
    let pieces = Pieces::worth_a_task(x.len() / table.c, table.c);
    let y = Shared::new(y);
    parallel::for_each(pieces.count(), |task| {
        let rows = pieces.get(task);
        let part = elements(rows.clone(), table.c);
        let outputs = elements(rows, within.width);
        // SAFETY: pieces are disjoint.
        let y = unsafe { y.part(outputs.start, outputs.len()) };
        let (x, residual) = (&x[part.clone()], residual.map(|r| &r[part]));
        with_function!(norm.act, function => isa.run(Forward { table: &table, x, residual, y, within, function }));
    });
}

/// The elements of whole rows.
pub fn elements(rows: Range<usize>, c: usize) -> Range<usize> {
    rows.start * c..rows.end * c
}

struct Forward<'a, E, F> {
    table: &'a Table,
    x: &'a [E],
    residual: Option<&'a [E]>,
    y: &'a mut [E],
    within: Within,
    function: F,
}

impl<E: Element, F: Function> Kernel for Forward<'_, E, F> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for row in 0..self.y.len() / self.within.width {
            for (channel, n) in spans::<S>(self.table.c) {
                let at = row * self.table.c + channel;
                // SAFETY: `x` and `residual` have as many rows as `y`, whose rows have room for the channels.
                unsafe {
                    let mut z = self.table.affine::<S>(load::<S, E>(self.x.as_ptr().add(at), n), channel);
                    if let Some(residual) = self.residual {
                        z = S::add(z, load::<S, E>(residual.as_ptr().add(at), n));
                    }
                    let to = self.y.as_mut_ptr().add(self.within.index(row, channel));
                    store::<S, E>(to, n, self.function.value::<S>(z));
                }
            }
        }
    }
}
