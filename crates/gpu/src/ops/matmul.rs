//! Matrix products.
//!
//! A library makes them where there is one. The kernel of this crate is the emulation's, and what a library is checked
//! against.

use crate::DType;
use crate::device::{Args, Device, Error, Grid, View, typed_kernel};

typed_kernel!(PRODUCT = matmul_f32, matmul_bf16, matmul_f16);

/// Rows and columns of what a block makes: `TILE` of tiles.h.
const TILE: usize = 64;

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
    /// Whether `f32` is multiplied as such, not as TF32, whatever the device is told; nothing to the other types.
    pub strict: bool,
}

/// Matrix products, `c (+)= scale·op(a)·op(b)`, so many of the same shape; all matrices row after row, without gaps.
#[derive(Clone, Copy, Debug)]
pub struct Product<'a> {
    /// Of `c`.
    pub rows: usize,
    /// Of `c`.
    pub cols: usize,
    /// Terms of a sum. With none of them, sums are 0.
    pub inner: usize,
    /// Products, whose matrices lie one after another.
    pub count: usize,
    /// `(rows, inner)`; transposed: it lies as `(inner, rows)`.
    pub a: View<'a>,
    pub a_transposed: bool,
    /// `(inner, cols)`; transposed: it lies as `(cols, inner)`. Of the type of `a`.
    pub b: View<'a>,
    pub b_transposed: bool,
    /// `(rows, cols)`, of `f32` or the type of `a` and `b`. Sums are `f32`.
    pub c: View<'a>,
    pub scale: f32,
    /// Whether the result is added to what is there.
    pub add: bool,
    /// Whether `f32` is multiplied as such, not as TF32, whatever [`Device::set_strict`] was told; nothing to the other
    /// types.
    pub strict: bool,
}

impl Product<'_> {
    /// With all lengths and types checked.
    fn call(&self) -> Call {
        let Self { rows, cols, inner, count, a_transposed, b_transposed, scale, add, strict, .. } = *self;
        let (dtype, out) = (self.a.dtype(), self.c.dtype());
        assert!(out == dtype || out == DType::F32, "a product of {dtype:?} as {out:?}");
        let small = [rows, cols, inner].iter().all(|size| *size < 1 << 31);
        assert!(small, "a product of {rows} × {inner} × {cols}");
        Call {
            rows,
            cols,
            inner,
            dtype,
            out,
            a: self.a.expect(dtype, count * rows * inner),
            a_transposed,
            b: self.b.expect(dtype, count * inner * cols),
            b_transposed,
            c: self.c.expect(out, count * rows * cols),
            scale,
            add,
            count,
            strict,
        }
    }
}

/// `Matmul` of matmul.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct ProductArgs {
    a: u64,
    b: u64,
    c: u64,
    rows: u32,
    cols: u32,
    inner: u32,
    a_transposed: u32,
    b_transposed: u32,
    to_float: u32,
    add: u32,
    scale: f32,
}
// SAFETY: as `Matmul` of matmul.cu.
unsafe impl Args for ProductArgs {}

/// Makes the products; a library does where there is one that takes them. `c` must not overlap `a` and `b`.
///
/// # Errors
/// Those of the driver and of the library.
///
/// # Panics
/// When a length or type is another than the shape asks for, or a size is 2³¹ or more.
pub fn run(device: &Device, product: &Product<'_>) -> Result<(), Error> {
    let call = product.call();
    // SAFETY: the views have the lengths that the shape asks for.
    if call.inner > 0 && !product.c.is_empty() && unsafe { device.backend().multiply(&call)? } {
        return Ok(());
    }
    launch(device, &call)
}

/// As [`run`], but never by a library.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// As [`run`].
pub fn run_own(device: &Device, product: &Product<'_>) -> Result<(), Error> {
    launch(device, &product.call())
}

/// `call` is that of a [`Product`].
fn launch(device: &Device, call: &Call) -> Result<(), Error> {
    let args = ProductArgs {
        a: call.a,
        b: call.b,
        c: call.c,
        rows: call.rows as u32,
        cols: call.cols as u32,
        inner: call.inner as u32,
        a_transposed: call.a_transposed.into(),
        b_transposed: call.b_transposed.into(),
        to_float: (call.out == DType::F32).into(),
        add: call.add.into(),
        scale: call.scale,
    };
    let grid = Grid::blocks(call.count * call.rows.div_ceil(TILE) * call.cols.div_ceil(TILE), 1);
    // SAFETY: `Product::call` checked all lengths; a block for each tile of each product.
    unsafe { device.launch(PRODUCT.of(call.dtype), grid, &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    struct Case {
        /// Rows, columns, terms, products.
        size: [usize; 4],
        transposed: [bool; 2],
        to_float: bool,
        scale: f32,
        add: bool,
    }

    impl Case {
        /// What is there, and what becomes of it.
        fn run(&self, device: &Device, dtype: DType) -> (Vec<f32>, Vec<f64>, DType) {
            let [rows, cols, inner, count] = self.size;
            let out = if self.to_float { DType::F32 } else { dtype };
            let a = rounded(dtype, &noise(1, count * rows * inner));
            let b = rounded(dtype, &noise(2, count * inner * cols));
            let before = rounded(out, &noise(3, count * rows * cols));
            let (a_at, b_at) = (upload(device, dtype, &a), upload(device, dtype, &b));
            // Without `add` it must not be read.
            let c = if self.add { upload(device, out, &before) } else { device.allocate(out, before.len()).unwrap() };
            let [a_transposed, b_transposed] = self.transposed;
            let product = Product {
                rows,
                cols,
                inner,
                count,
                a: a_at.view(),
                a_transposed,
                b: b_at.view(),
                b_transposed,
                c: c.view(),
                scale: self.scale,
                add: self.add,
                strict: false,
            };
            run(device, &product).unwrap();
            let mut want = Vec::new();
            for (n, row, col) in (0..count).flat_map(|n| (0..rows * cols).map(move |k| (n, k / cols, k % cols))) {
                let sum: f64 = (0..inner)
                    .map(|k| {
                        let a_index = if a_transposed { k * rows + row } else { row * inner + k };
                        let b_index = if b_transposed { col * inner + k } else { k * cols + col };
                        f64::from(a[n * rows * inner + a_index]) * f64::from(b[n * inner * cols + b_index])
                    })
                    .sum();
                let there = if self.add { f64::from(before[want.len()]) } else { 0.0 };
                want.push(f64::from(self.scale) * sum + there);
            }
            (device.read_f32(c.view()).unwrap(), want, out)
        }
    }

    fn check(case: &Case) {
        let results: Vec<_> = devices()
            .into_iter()
            .map(|(device, dtype)| {
                let (got, want, out) = case.run(&device, dtype);
                close(&got, &want, out, 1e-5);
                got
            })
            .collect();
        let (ascending, descending) = results.split_at(3);
        assert_eq!(ascending, descending, "the order of threads shows");
    }

    #[test]
    fn products_are_those_of_plain_loops() {
        for [rows, cols, inner, count] in
            [[1, 1, 1, 1], [3, 5, 7, 4], [17, 33, 16, 2], [65, 10, 31, 1], [64, 64, 32, 1], [2, 130, 50, 3]]
        {
            for bits in 0..4 {
                let transposed = [bits & 1 == 1, bits & 2 == 2];
                for (to_float, scale, add) in [(false, 1.0, false), (true, 0.5, true)] {
                    check(&Case { size: [rows, cols, inner, count], transposed, to_float, scale, add });
                }
            }
        }
        check(&Case { size: [9, 6, 4, 1], transposed: [true, false], to_float: false, scale: -2.0, add: true });
        // Longer than what is summed before it goes to the totals.
        check(&Case { size: [2, 3, 700, 1], transposed: [false, true], to_float: true, scale: 1.0, add: false });
    }

    #[test]
    fn without_terms_sums_are_zero_and_without_elements_nothing_happens() {
        for add in [false, true] {
            check(&Case { size: [5, 3, 0, 2], transposed: [false; 2], to_float: false, scale: 1.0, add });
        }
        for size in [[0, 3, 2, 1], [3, 0, 2, 1], [3, 2, 2, 0]] {
            check(&Case { size, transposed: [false; 2], to_float: true, scale: 1.0, add: false });
        }
    }

    #[test]
    #[should_panic(expected = "the memory that a kernel is given")]
    fn lengths_are_checked() {
        let (device, _) = devices().remove(0);
        let buffer = device.zeros(DType::F32, 6).unwrap();
        let view = buffer.view();
        let (rows, cols, inner, count) = (2, 3, 2, 1);
        let (a, a_transposed, b, b_transposed, c) = (view, false, view, false, view);
        let (scale, add, strict) = (1.0, false, false);
        let product = Product { rows, cols, inner, count, a, a_transposed, b, b_transposed, c, scale, add, strict };
        run(&device, &product).unwrap();
    }
}
