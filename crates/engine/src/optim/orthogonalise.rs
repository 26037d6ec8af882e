//! Newton–Schulz: a matrix with the singular vectors of the given one, and singular values near 1.

use crate::kernels::matmul::{Epilogue, View, product};
use crate::kernels::{Element, Isa, Write, reduce};
use rayon::prelude::*;

/// Of `σ ← aσ + bσ³ + cσ⁵`: steep at 0, so that few iterations lift small singular values, and going to and fro about 1
/// rather than towards it (Jordan et al. 2024).
pub const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// Added to the norm that a matrix is divided by.
const EPS: f64 = 1e-7;

/// Elements a task.
const CHUNK: usize = 1 << 14;

/// A matrix under way and its products; kept from step to step, as large as the largest matrix so far. `E` is the type of
/// the products' operands: the sums, and what stays between two iterations, are `f32`.
#[derive(Default)]
pub struct Room<E> {
    /// `X`, of no more rows than columns.
    x: Vec<f32>,
    x_operand: Vec<E>,
    /// `X·Xᵀ`, then the polynomial in it.
    gram: Vec<f32>,
    gram_operand: Vec<E>,
}

/// A matrix by its two sides, row by row in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    pub rows: usize,
    pub cols: usize,
}

impl Sides {
    /// Of a parameter with two axes or more: output channels are the rows, all else is flattened into the columns. `None`
    /// for others.
    pub fn of(shape: &[usize]) -> Option<Self> {
        let (rows, rest) = shape.split_first()?;
        (!rest.is_empty()).then(|| Self { rows: *rows, cols: rest.iter().product() })
    }

    fn is_tall(self) -> bool {
        self.rows > self.cols
    }

    fn elements(self) -> usize {
        self.rows * self.cols
    }
}

impl<E: Element> Room<E> {
    /// Room for matrices of that size, if there is less.
    fn grow(&mut self, sides: Sides) {
        let (all, gram) = (sides.elements(), sides.rows.min(sides.cols).pow(2));
        if self.x.len() < all {
            self.x.resize(all, 0.0);
            self.x_operand.resize(all, E::from_f32(0.0));
        }
        if self.gram.len() < gram {
            self.gram.resize(gram, 0.0);
            self.gram_operand.resize(gram, E::from_f32(0.0));
        }
    }

    /// `matrix` made nearly orthogonal:
    ///
    /// ```text
    /// X ← matrix / (‖matrix‖ + 1e-7)                    (transposed while at work, where it is tall)
    /// A = X·Xᵀ,  X ← a·X + (b·A + c·A²)·X               as often as there are iterations
    /// ```
    ///
    /// PyTorch's `torch.optim.Muon` rounds every matrix to `bf16`; here operands alone are, and 1e-7 is added to the norm
    /// rather than being its least. A matrix of zeros stays one.
    pub fn orthogonalise(&mut self, isa: Isa, matrix: &[f32], sides: Sides, iterations: usize) -> Orthogonal<'_> {
        self.grow(sides);
        let (rows, cols) = if sides.is_tall() { (sides.cols, sides.rows) } else { (sides.rows, sides.cols) };
        let (x, x_operand) = (&mut self.x[..rows * cols], &mut self.x_operand[..rows * cols]);
        let (gram, gram_operand) = (&mut self.gram[..rows * rows], &mut self.gram_operand[..rows * rows]);
        let factor = (1.0 / (reduce::norm(isa, matrix) + EPS)) as f32;
        if sides.is_tall() {
            x.par_chunks_mut(cols).enumerate().for_each(|(row, x)| {
                x.iter_mut().zip(matrix[row..].iter().step_by(rows)).for_each(|(x, value)| *x = factor * value);
            });
        } else {
            each(x, matrix, |x, value| *x = factor * value);
        }
        let [a, b, c] = COEFFICIENTS;
        for _ in 0..iterations {
            each(x_operand, x, |to, x| *to = E::from_f32(*x));
            let view = View::new(x_operand, rows, cols);
            product(isa, view, view.transposed(), Epilogue::default(), gram);
            each(gram_operand, gram, |to, g| *to = E::from_f32(*g));
            gram.iter_mut().for_each(|g| *g *= b);
            let square = View::new(gram_operand, rows, rows);
            product(isa, square, square, Epilogue { alpha: c, write: Write::Add, ..Epilogue::default() }, gram);
            each(gram_operand, gram, |to, g| *to = E::from_f32(*g));
            x.par_chunks_mut(CHUNK).for_each(|x| x.iter_mut().for_each(|x| *x *= a));
            let polynomial = View::new(gram_operand, rows, rows);
            product(isa, polynomial, view, Epilogue { write: Write::Add, ..Epilogue::default() }, x);
        }
        Orthogonal { x, sides }
    }
}

/// What [`Room::orthogonalise`] gives.
pub struct Orthogonal<'a> {
    /// Transposed where the matrix is tall.
    x: &'a [f32],
    sides: Sides,
}

impl Orthogonal<'_> {
    /// Calls `update` on each element of `params`, laid out as the matrix was, with that of the result.
    pub fn update(&self, params: &mut [f32], update: impl Fn(&mut f32, f32) + Sync) {
        let Sides { rows, cols } = self.sides;
        if self.sides.is_tall() {
            params.par_chunks_mut(cols).enumerate().for_each(|(row, params)| {
                params.iter_mut().zip(self.x[row..].iter().step_by(rows)).for_each(|(p, x)| update(p, *x));
            });
        } else {
            each(params, self.x, |p, x| update(p, *x));
        }
    }
}

/// Calls `f` on each pair, in parallel.
fn each<A: Send, B: Sync>(to: &mut [A], from: &[B], f: impl Fn(&mut A, &B) + Sync) {
    debug_assert_eq!(to.len(), from.len());
    to.par_chunks_mut(CHUNK)
        .zip(from.par_chunks(CHUNK))
        .for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(a, b)| f(a, b)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::bf16;

    /// The slow twin: plain loops in `f64`.
    fn twin(matrix: &[f32], sides: Sides, iterations: usize) -> Vec<f64> {
        let Sides { rows, cols } = sides;
        let norm = matrix.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        let mut x: Vec<f64> = matrix.iter().map(|v| f64::from(*v) / (norm + EPS)).collect();
        let [a, b, c] = COEFFICIENTS.map(f64::from);
        for _ in 0..iterations {
            // Over the rows whatever the sides: X·(XᵀX) and (X·Xᵀ)·X are one.
            let gram = multiply(&x, &transposed(&x, rows, cols), rows, cols, rows);
            let square = multiply(&gram, &gram, rows, rows, rows);
            let polynomial: Vec<f64> = gram.iter().zip(&square).map(|(g, s)| b * g + c * s).collect();
            let product = multiply(&polynomial, &x, rows, rows, cols);
            x.iter_mut().zip(product).for_each(|(x, p)| *x = a * *x + p);
        }
        x
    }

    fn transposed(x: &[f64], rows: usize, cols: usize) -> Vec<f64> {
        (0..rows * cols).map(|at| x[at % rows * cols + at / rows]).collect()
    }

    fn multiply(x: &[f64], y: &[f64], rows: usize, inner: usize, cols: usize) -> Vec<f64> {
        let cell = |at: usize| (0..inner).map(|k| x[at / cols * inner + k] * y[k * cols + at % cols]).sum();
        (0..rows * cols).map(cell).collect()
    }

    fn noise(len: usize) -> Vec<f32> {
        (0..len).map(|i| ((i * 7919 + 13) % 1009) as f32 / 500.0 - 1.0).collect()
    }

    fn result<E: Element + Default>(isa: Isa, matrix: &[f32], sides: Sides, iterations: usize) -> Vec<f32> {
        let mut room = Room::<E>::default();
        // A larger one before: what it leaves behind must not be seen.
        room.orthogonalise(isa, &noise(70 * 70), Sides { rows: 70, cols: 70 }, 1);
        let mut out = vec![f32::NAN; matrix.len()];
        room.orthogonalise(isa, matrix, sides, iterations).update(&mut out, |out, x| *out = x);
        out
    }

    #[test]
    fn every_shape_gives_what_the_twin_gives() {
        for [rows, cols] in [[1, 1], [1, 9], [9, 1], [3, 7], [24, 12], [17, 65], [65, 17], [64, 64]] {
            let (sides, matrix) = (Sides { rows, cols }, noise(rows * cols));
            for (iterations, isa) in
                [1, 3, 5].into_iter().flat_map(|n| Isa::available().into_iter().map(move |isa| (n, isa)))
            {
                let twin = twin(&matrix, sides, iterations);
                let close = |got: Vec<f32>, tolerance: f64| {
                    got.iter().zip(&twin).all(|(got, want)| (f64::from(*got) - want).abs() <= tolerance)
                };
                let what = format!("{isa} {rows}×{cols}, {iterations} iterations");
                assert!(close(result::<f32>(isa, &matrix, sides, iterations), 1e-5), "{what}, f32");
                // Each operand is rounded to 8 bits, and the polynomial's slope, up to 3.4 an iteration, adds to that.
                assert!(close(result::<bf16>(isa, &matrix, sides, iterations), 0.05), "{what}, bf16");
            }
        }
    }

    #[test]
    fn singular_values_come_near_one() {
        let sides = Sides { rows: 12, cols: 40 };
        let x: Vec<f64> = result::<bf16>(Isa::Portable, &noise(480), sides, 5).into_iter().map(f64::from).collect();
        let gram = multiply(&x, &transposed(&x, 12, 40), 12, 40, 12);
        // The trace is the sum of their squares.
        let mean = (0..12).map(|i| gram[i * 13]).sum::<f64>() / 12.0;
        assert!((0.5..1.3).contains(&mean), "{mean}");
        let beside = (0..144).filter(|at| at % 13 != 0).map(|at| gram[at].abs()).fold(0.0, f64::max);
        assert!(beside < 0.3, "{beside}");
    }

    #[test]
    fn nothing_stays_nothing() {
        let zeros = result::<bf16>(Isa::Portable, &[0.0; 12], Sides { rows: 4, cols: 3 }, 3);
        assert_eq!(zeros, [0.0; 12]);
    }
}
