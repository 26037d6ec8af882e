//! Blocks of C, one a task: panels of A and B are packed as `f32`, tiles of 4 rows × 2 vectors run over them.

use super::{Epilogue, View};
use crate::kernels::lanes::{load, spans, store};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Isa, Write};
use std::cell::RefCell;
use std::ops::Range;

/// A block of C: rows, columns; and how much of the inner axis is packed at once. Together 80 KB, within the L2 cache.
const ROWS: usize = 64;
const COLS: usize = 64;
const DEPTH: usize = 128;
/// Rows of a register tile.
const TILE: usize = 4;

/// What a task works in, kept by its thread for the next one: with the system's allocator in every task, products of a
/// step would ask for hundreds of megabytes.
#[derive(Default)]
struct Room {
    /// `(ROWS, COLS)`
    sums: Vec<f32>,
    panel_a: Vec<f32>,
    panel_b: Vec<f32>,
}

thread_local! {
    static ROOM: RefCell<Room> = RefCell::default();
}

pub fn product<A: Element, B: Element, C: Element>(
    isa: Isa,
    a: View<'_, A>,
    b: View<'_, B>,
    epilogue: Epilogue<'_>,
    c: &mut [C],
) {
    let rows = Pieces::of(a.rows, ROWS);
    let cols = Pieces::of(b.cols, COLS);
    let width = b.cols;
    let c = Shared::new(c);
    parallel::for_each(rows.count() * cols.count(), |task| {
        let (rows, cols) = (rows.get(task / cols.count()), cols.get(task % cols.count()));
        ROOM.with_borrow_mut(|Room { sums, panel_a, panel_b }| {
            sums.clear();
            sums.resize(ROWS * COLS, 0.0);
            panel_a.resize(ROWS * DEPTH, 0.0);
            panel_b.resize(COLS * DEPTH, 0.0);
            isa.run(Block { a, b, rows: rows.clone(), cols: cols.clone(), sums, panel_a, panel_b });
            for (row, sums) in rows.zip(sums.chunks_exact(COLS)) {
                // SAFETY: blocks are disjoint, so are their rows.
                let to = unsafe { c.part(row * width + cols.start, cols.len()) };
                let bias = epilogue.bias.map(|bias| &bias[cols.clone()]);
                isa.run(Finish { sums, alpha: epilogue.alpha, bias, write: epilogue.write, to });
            }
        });
    });
}

struct Block<'a, A, B> {
    a: View<'a, A>,
    b: View<'a, B>,
    rows: Range<usize>,
    cols: Range<usize>,
    /// `(ROWS, COLS)`, zero.
    sums: &'a mut [f32],
    panel_a: &'a mut [f32],
    panel_b: &'a mut [f32],
}

impl<A: Element, B: Element> Kernel for Block<'_, A, B> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        let strip = 2 * S::LANES;
        let depths = Pieces::of(self.a.cols, DEPTH);
        for depth in (0..depths.count()).map(|i| depths.get(i)) {
            pack(self.a, self.rows.clone(), depth.clone(), TILE, self.panel_a);
            pack(self.b.transposed(), self.cols.clone(), depth.clone(), strip, self.panel_b);
            for col in (0..self.cols.len()).step_by(strip) {
                for row in (0..self.rows.len()).step_by(TILE) {
                    let b = &self.panel_b[col * depth.len()..][..strip * depth.len()];
                    let a = &self.panel_a[row * depth.len()..][..TILE * depth.len()];
                    // SAFETY: a tile that starts inside the block ends inside it: ROWS and COLS are multiples of it.
                    unsafe { tile::<S>(a, b, self.sums[row * COLS + col..].as_mut_ptr()) };
                }
            }
        }
    }
}

/// Groups of `group` rows of `from`, each laid out `[depth][group]`; rows past the end are zero.
///
/// Memory is read along its runs, whichever way they lie: packing is a third of a product of 64 columns, and would be most
/// of it element by element.
#[inline(always)]
fn pack<T: Element>(from: View<'_, T>, rows: Range<usize>, depth: Range<usize>, group: usize, to: &mut [f32]) {
    for (start, to) in rows.clone().step_by(group).zip(to.chunks_exact_mut(group * depth.len())) {
        let lanes = group.min(rows.end - start);
        if lanes < group {
            to.fill(0.0);
        }
        if from.row_stride == 1 {
            for (k, to) in depth.clone().zip(to.chunks_exact_mut(group)) {
                let run = &from.data[start + k * from.col_stride..][..lanes];
                run.iter().zip(to).for_each(|(from, to)| *to = from.to_f32());
            }
        } else {
            for lane in 0..lanes {
                let first = (start + lane) * from.row_stride + depth.start * from.col_stride;
                let row = from.data[first..].iter().step_by(from.col_stride).take(depth.len());
                to[lane..].iter_mut().step_by(group).zip(row).for_each(|(to, from)| *to = from.to_f32());
            }
        }
    }
}

/// `sums += a·b` for one tile.
///
/// # Safety
/// `a` holds `TILE` and `b` two vectors for every depth; `sums` has `TILE` rows of stride `COLS`, two vectors each.
#[inline(always)]
unsafe fn tile<S: Simd>(a: &[f32], b: &[f32], sums: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = [[S::splat(0.0); 2]; TILE];
        for (a, b) in a.chunks_exact(TILE).zip(b.chunks_exact(2 * S::LANES)) {
            let b = [S::load(b.as_ptr()), S::load(b.as_ptr().add(S::LANES))];
            for (acc, a) in acc.iter_mut().zip(a) {
                let a = S::splat(*a);
                acc[0] = S::fma(a, b[0], acc[0]);
                acc[1] = S::fma(a, b[1], acc[1]);
            }
        }
        for (row, acc) in acc.into_iter().enumerate() {
            for (half, acc) in acc.into_iter().enumerate() {
                let to = sums.add(row * COLS + half * S::LANES);
                S::store(to, S::add(S::load(to), acc));
            }
        }
    }
}

/// A row of sums on its way to memory.
struct Finish<'a, C> {
    sums: &'a [f32],
    alpha: f32,
    bias: Option<&'a [f32]>,
    write: Write,
    to: &'a mut [C],
}

impl<C: Element> Kernel for Finish<'_, C> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        for (at, n) in spans::<S>(self.to.len()) {
            // SAFETY: `to` and `bias` are equally long, `sums` is at least so.
            unsafe {
                let mut v = S::mul(load::<S, f32>(self.sums.as_ptr().add(at), n), S::splat(self.alpha));
                if let Some(bias) = self.bias {
                    v = S::add(v, load::<S, f32>(bias.as_ptr().add(at), n));
                }
                if self.write == Write::Add {
                    v = S::add(v, load::<S, C>(self.to.as_ptr().add(at), n));
                }
                store::<S, C>(self.to.as_mut_ptr().add(at), n, v);
            }
        }
    }
}
