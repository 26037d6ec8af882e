//! Matrix products.

use crate::DType;

/// What a library is asked for: `c (+)= scale·op(a)·op(b)`, so many times; all matrices row after row, without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Of `c`.
    pub rows: usize,
    /// Of `c`.
    pub cols: usize,
    pub inner: usize,
    /// Of `a` and `b`.
    pub dtype: DType,
    /// Of `c`: `f32`, or that of `a` and `b`. Sums are `f32`.
    pub out: DType,
    /// `(rows, inner)`; transposed: it lies as `(inner, rows)`.
    pub a: u64,
    pub a_transposed: bool,
    /// `(inner, cols)`; transposed: it lies as `(cols, inner)`.
    pub b: u64,
    pub b_transposed: bool,
    pub c: u64,
    pub scale: f32,
    /// Whether the result is added to what is there.
    pub add: bool,
    /// Products, whose matrices lie one after another.
    pub count: usize,
}
