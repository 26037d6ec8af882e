//! Blocks of C, one a task: panels of A and B are packed as words ([`Products`]), tiles of some rows × 2 vectors run over them.

use super::{Epilogue, View};
use crate::kernels::lanes::{load, spans, store};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::products::{Multiply, Pairs, Single};
use crate::kernels::simd::{Kernel, Simd, word};
use crate::kernels::{DType, Element, Isa, Products, Write};
use half::bf16;
use std::cell::RefCell;
use std::marker::PhantomData;
use std::ops::Range;

/// A block of C: rows, columns; and how many words of the inner axis are packed at once. Together 80 KB, within the L2 cache.
const ROWS: usize = 64;
const COLS: usize = 64;
const DEPTH: usize = 128;

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
    match (a.cast::<bf16>(), b.cast::<bf16>()) {
        (Some(a), Some(b)) if Products::of(DType::Bf16, isa) == Products::Pairs => {
            blocks::<Pairs, _, _, _>(isa, a, b, epilogue, c)
        }
        _ => blocks::<Single, _, _, _>(isa, a, b, epilogue, c),
    }
}

/// How a panel of `T` is packed for such products.
trait Pack<T>: Multiply {
    fn pack(from: View<'_, T>, rows: Range<usize>, depth: Range<usize>, group: usize, to: &mut [f32]);
}

impl<T: Element> Pack<T> for Single {
    #[inline(always)]
    fn pack(from: View<'_, T>, rows: Range<usize>, depth: Range<usize>, group: usize, to: &mut [f32]) {
        pack(from, rows, depth, group, to);
    }
}

impl Pack<bf16> for Pairs {
    #[inline(always)]
    fn pack(from: View<'_, bf16>, rows: Range<usize>, depth: Range<usize>, group: usize, to: &mut [f32]) {
        pack_pairs(from, rows, depth, group, to);
    }
}

fn blocks<M: Pack<A> + Pack<B>, A: Element, B: Element, C: Element>(
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
            isa.run(Block::<M, A, B> {
                a,
                b,
                rows: rows.clone(),
                cols: cols.clone(),
                sums,
                panel_a,
                panel_b,
                of: PhantomData,
            });
            for (row, sums) in rows.zip(sums.chunks_exact(COLS)) {
                // SAFETY: blocks are disjoint, so are their rows.
                let to = unsafe { c.part(row * width + cols.start, cols.len()) };
                let bias = epilogue.bias.map(|bias| &bias[cols.clone()]);
                isa.run(Finish { sums, alpha: epilogue.alpha, bias, write: epilogue.write, to });
            }
        });
    });
}

struct Block<'a, M, A, B> {
    a: View<'a, A>,
    b: View<'a, B>,
    rows: Range<usize>,
    cols: Range<usize>,
    /// `(ROWS, COLS)`, zero.
    sums: &'a mut [f32],
    panel_a: &'a mut [f32],
    panel_b: &'a mut [f32],
    of: PhantomData<M>,
}

impl<M: Pack<A> + Pack<B>, A: Element, B: Element> Kernel for Block<'_, M, A, B> {
    type Out = ();
    #[inline(always)]
    fn run<S: Simd>(self) {
        // As many sums as registers hold beside the factors.
        if S::REGISTERS < 32 { self.add::<S, 4>() } else { self.add::<S, 8>() }
    }
}

impl<M: Pack<A> + Pack<B>, A: Element, B: Element> Block<'_, M, A, B> {
    /// With tiles of `TILE` rows.
    #[inline(always)]
    fn add<S: Simd, const TILE: usize>(self) {
        let strip = 2 * S::LANES;
        let depths = Pieces::of(self.a.cols, DEPTH * M::PER_WORD);
        for depth in (0..depths.count()).map(|i| depths.get(i)) {
            let words = depth.len().div_ceil(M::PER_WORD);
            <M as Pack<A>>::pack(self.a, self.rows.clone(), depth.clone(), TILE, self.panel_a);
            <M as Pack<B>>::pack(self.b.transposed(), self.cols.clone(), depth, strip, self.panel_b);
            for col in (0..self.cols.len()).step_by(strip) {
                for row in (0..self.rows.len()).step_by(TILE) {
                    let b = &self.panel_b[col * words..][..strip * words];
                    let a = &self.panel_a[row * words..][..TILE * words];
                    // SAFETY: a tile that starts inside the block ends inside it: ROWS and COLS are multiples of it.
                    unsafe { tile::<S, M, TILE>(a, b, self.sums[row * COLS + col..].as_mut_ptr()) };
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

/// As [`pack`], of words of two neighbours along the depth, the last with a zero where that is odd.
#[inline(always)]
fn pack_pairs(from: View<'_, bf16>, rows: Range<usize>, depth: Range<usize>, group: usize, to: &mut [f32]) {
    let words = depth.len().div_ceil(2);
    for (start, to) in rows.clone().step_by(group).zip(to.chunks_exact_mut(group * words)) {
        let lanes = group.min(rows.end - start);
        if lanes < group {
            to.fill(0.0);
        }
        if from.row_stride == 1 {
            let run = |k: usize| &from.data[start + k * from.col_stride..][..lanes];
            for (k, to) in depth.clone().step_by(2).zip(to.chunks_exact_mut(group)) {
                if k + 1 < depth.end {
                    run(k).iter().zip(run(k + 1)).zip(to).for_each(|((low, high), to)| *to = word(*low, *high));
                } else {
                    run(k).iter().zip(to).for_each(|(low, to)| *to = word(*low, bf16::ZERO));
                }
            }
        } else {
            for lane in 0..lanes {
                let first = (start + lane) * from.row_stride + depth.start * from.col_stride;
                let at = |k: usize| from.data[first + k * from.col_stride];
                for (w, to) in to[lane..].iter_mut().step_by(group).enumerate() {
                    *to = word(at(2 * w), if 2 * w + 1 < depth.len() { at(2 * w + 1) } else { bf16::ZERO });
                }
            }
        }
    }
}

/// `sums += a·b` for one tile.
///
/// # Safety
/// `a` holds `TILE` and `b` two vectors for every word of depth; `sums` has `TILE` rows of stride `COLS`, two vectors each.
#[inline(always)]
unsafe fn tile<S: Simd, M: Multiply, const TILE: usize>(a: &[f32], b: &[f32], sums: *mut f32) {
    // SAFETY: the caller's promise.
    unsafe {
        let mut acc = [[S::splat(0.0); 2]; TILE];
        for (a, b) in a.chunks_exact(TILE).zip(b.chunks_exact(2 * S::LANES)) {
            let b = [S::load(b.as_ptr()), S::load(b.as_ptr().add(S::LANES))];
            for (acc, a) in acc.iter_mut().zip(a) {
                let a = S::splat(*a);
                acc[0] = M::multiply_add::<S>(a, b[0], acc[0]);
                acc[1] = M::multiply_add::<S>(a, b[1], acc[1]);
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
