//! Matrix products as cuBLAS takes them: column after column.

use crate::DType;
use crate::ops::matmul::Call;

/// Arguments of `cublasGemmStridedBatchedEx`. A matrix that lies row after row is, column after column, its transpose:
/// so `cᵀ = op(b)ᵀ·op(a)ᵀ` is asked for, with `b` first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Rows and columns of what is made, and the sum's terms, as cuBLAS sees them.
    pub m: i32,
    pub n: i32,
    pub k: i32,
    pub first: Operand,
    pub second: Operand,
    pub made: Operand,
    pub count: i32,
}

/// A matrix column after column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operand {
    pub address: u64,
    pub transposed: bool,
    /// Elements from one column to the next.
    pub leading: i32,
    /// Elements from one matrix to the next.
    pub stride: i64,
}

/// Whether factors may be rounded to TF32. `strict`: the device is told that they may not.
pub fn is_tf32(call: &Call, strict: bool) -> bool {
    call.dtype == DType::F32 && !strict && !call.strict
}

impl Product {
    /// `None` where a number is larger than cuBLAS takes.
    pub fn of(call: &Call) -> Option<Self> {
        let number = |value: usize| i32::try_from(value).ok();
        let operand = |address, transposed, width: usize, height: usize| {
            let stride = i64::try_from(width.checked_mul(height)?).ok()?;
            // Of a matrix without elements too.
            Some(Operand { address, transposed, leading: number(width.max(1))?, stride })
        };
        let width = |transposed: bool, rows: usize, cols: usize| if transposed { (rows, cols) } else { (cols, rows) };
        let (a_width, a_height) = width(call.a_transposed, call.rows, call.inner);
        let (b_width, b_height) = width(call.b_transposed, call.inner, call.cols);
        Some(Self {
            m: number(call.cols)?,
            n: number(call.rows)?,
            k: number(call.inner)?,
            first: operand(call.b, call.b_transposed, b_width, b_height)?,
            second: operand(call.a, call.a_transposed, a_width, a_height)?,
            made: operand(call.c, false, call.cols, call.rows)?,
            count: number(call.count)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cuBLAS documents: `C = α·op(A)·op(B) + β·C`, element (i, j) of a matrix at `i + j·leading`.
    fn documented(product: &Product, memory: &mut [f64], scale: f64, beta: f64) {
        let at = |of: &Operand, batch: i32, i: i32, j: i32| {
            let (i, j) = if of.transposed { (j, i) } else { (i, j) };
            assert!(i < of.leading, "an element beyond its column");
            of.address as usize
                + (i64::from(batch) * of.stride + i64::from(i) + i64::from(j) * i64::from(of.leading)) as usize
        };
        for batch in 0..product.count {
            for (i, j) in (0..product.m).flat_map(|i| (0..product.n).map(move |j| (i, j))) {
                let sum: f64 = (0..product.k)
                    .map(|k| memory[at(&product.first, batch, i, k)] * memory[at(&product.second, batch, k, j)])
                    .sum();
                let to = at(&product.made, batch, i, j);
                memory[to] = scale * sum + if beta == 0.0 { 0.0 } else { beta * memory[to] };
            }
        }
    }

    #[test]
    fn products_by_columns_are_those_by_rows() {
        for (rows, cols, inner, count) in [(3, 5, 4, 1), (1, 6, 2, 3), (7, 1, 3, 2), (2, 3, 1, 2), (4, 4, 4, 2)] {
            for transposed in 0..4 {
                let [a_len, b_len, c_len] = [rows * inner, inner * cols, rows * cols].map(|len| len * count);
                let mut memory: Vec<f64> =
                    (0..a_len + b_len + c_len).map(|k| f64::from((k * k % 17) as u32) - 8.0).collect();
                let call = Call {
                    rows,
                    cols,
                    inner,
                    dtype: DType::F32,
                    out: DType::F32,
                    a: 0,
                    a_transposed: transposed & 1 != 0,
                    b: a_len as u64,
                    b_transposed: transposed & 2 != 0,
                    c: (a_len + b_len) as u64,
                    scale: 0.5,
                    add: true,
                    count,
                    strict: false,
                };
                let mut want = memory.clone();
                for batch in 0..count {
                    for (i, j) in (0..rows).flat_map(|i| (0..cols).map(move |j| (i, j))) {
                        let sum: f64 = (0..inner)
                            .map(|k| {
                                let a = if call.a_transposed { k * rows + i } else { i * inner + k };
                                let b = if call.b_transposed { j * inner + k } else { k * cols + j };
                                memory[batch * rows * inner + a] * memory[a_len + batch * inner * cols + b]
                            })
                            .sum();
                        want[a_len + b_len + batch * rows * cols + i * cols + j] += 0.5 * sum;
                    }
                }
                documented(&Product::of(&call).unwrap(), &mut memory, 0.5, 1.0);
                assert_eq!(memory, want, "{call:?}");
            }
        }
    }

    #[test]
    fn sums_of_nothing_have_valid_arguments_and_what_is_too_large_is_none() {
        let call = Call {
            rows: 3,
            cols: 2,
            inner: 0,
            dtype: DType::Bf16,
            out: DType::F32,
            a: 0,
            a_transposed: false,
            b: 0,
            b_transposed: true,
            c: 0,
            scale: 1.0,
            add: false,
            count: 1,
            strict: false,
        };
        let product = Product::of(&call).unwrap();
        assert_eq!((product.first.leading, product.second.leading, product.made.leading), (1, 1, 2));
        let mut memory = vec![7.0; 6];
        documented(&product, &mut memory, 1.0, 0.0);
        assert_eq!(memory, [0.0; 6]);
        assert_eq!(Product::of(&Call { rows: 1 << 31, ..call }), None);
        assert_eq!(Product::of(&Call { inner: 1 << 40, ..call }), None);
        assert_eq!(Product::of(&Call { count: 1 << 31, ..call }), None);
        let tf32 = |dtype, of_call, of_device| is_tf32(&Call { dtype, strict: of_call, ..call }, of_device);
        assert!(tf32(DType::F32, false, false));
        assert!(!tf32(DType::F32, true, false) && !tf32(DType::F32, false, true) && !tf32(DType::Bf16, false, false));
    }
}
