//! Matrix products for small shapes: `C = α·A·B [+ bias] [+ C]`, `f32` sums.
//!
//! Made for the classifier's ends of a net, where a product takes a thousandth of the step, and for Muon's iterations; convolutions
//! have their own. Of two matrices of bf16 pairs are multiplied, where the machine has instructions for it ([`super::Products`]).

mod cpu;
pub mod reference;
#[cfg(test)]
mod tests;

use super::{Element, Isa, Write};

/// A matrix by strides over a slice.
#[derive(Clone, Copy, Debug)]
pub struct View<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, T: Copy> View<'a, T> {
    /// `data` as `(rows, cols)`, row by row.
    ///
    /// # Panics
    /// When the length is another.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "matmul: {} values are not {rows} × {cols}", data.len());
        Self { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The same memory with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        let Self { data, rows, cols, row_stride, col_stride } = self;
        Self { data, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride }
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The same of that type, if it is.
    fn cast<U: Element>(self) -> Option<View<'a, U>>
    where
        T: Element,
    {
        let Self { data, rows, cols, row_stride, col_stride } = self;
        (T::DTYPE == U::DTYPE).then(|| View { data: bytemuck::cast_slice(data), rows, cols, row_stride, col_stride })
    }

    fn get(&self, row: usize, col: usize) -> T {
        self.data[row * self.row_stride + col * self.col_stride]
    }
}

/// What happens to a product on its way to memory.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue<'a> {
    pub alpha: f32,
    /// Added to every row.
    pub bias: Option<&'a [f32]>,
    pub write: Write,
}

impl Default for Epilogue<'_> {
    fn default() -> Self {
        Self { alpha: 1.0, bias: None, write: Write::Overwrite }
    }
}

/// `c = α·a·b [+ bias] [+ c]`, `c: (a.rows, b.cols)` row by row.
///
/// # Panics
/// When the shapes do not fit.
pub fn product<A: Element, B: Element, C: Element>(
    isa: Isa,
    a: View<'_, A>,
    b: View<'_, B>,
    epilogue: Epilogue<'_>,
    c: &mut [C],
) {
    assert_eq!(a.cols, b.rows, "matmul: {} columns meet {} rows", a.cols, b.rows);
    assert_eq!(c.len(), a.rows * b.cols, "matmul: the result is not {} × {}", a.rows, b.cols);
    assert!(epilogue.bias.is_none_or(|bias| bias.len() == b.cols), "matmul: bias does not match the columns");
    cpu::product(isa, a, b, epilogue, c);
}
