//! Muon: momentum made orthogonal, matrix by matrix. Matrices are multiplied together, the smaller ones filled up with zeros, which stay
//! zero and change nothing: a product of a small matrix fills a small part of a card, and to launch it takes longer.

use super::{Chunk, Segment, Table, upload};
use crate::DType;
use crate::device::{Args, Buffer, Device, Error, Grid, View, kernel, typed_kernel};
use crate::ops::cast;
use crate::ops::matmul::{self, Product};
use bytemuck::NoUninit;
use std::cmp::Reverse;
use std::ops::Range;

kernel!(MOMENTUM = optim_muon_momentum);
kernel!(FACTORS = optim_muon_factors);
kernel!(GATHER = optim_muon_gather);
kernel!(UPDATE = optim_muon_update);
typed_kernel!(OPERAND = optim_muon_operand_f32, optim_muon_operand_bf16, optim_muon_operand_f16);

/// Of `σ ← aσ + bσ³ + cσ⁵`: steep at 0, so that few iterations lift small singular values, and going to and fro about 1
/// rather than towards it (Jordan et al. 2024).
pub const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// Elements of matrices that are multiplied together, if one of them has not more.
const BATCH: usize = 1 << 24;
/// At most so many times their own elements, what fills them up included.
const FILLED: usize = 2;
/// Sides are multiples of this, as tensor cores want it.
const SIDE: usize = 8;

/// Elements that parts of scratch begin at a multiple of: of 256 bytes or half of that, as libraries like it.
const ALIGN: usize = 64;

/// A parameter that Muon steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub range: Range<usize>,
    /// Output channels; all other axes are the columns.
    pub rows: usize,
    /// Factor on its step, for its sides.
    pub scale: f64,
}

/// Matrices that are multiplied together.
#[derive(Debug)]
struct Batch {
    /// Of the largest, and of all when they are filled up.
    rows: usize,
    cols: usize,
    count: usize,
    /// Whether something has to be filled up.
    has_gaps: bool,
    /// Of all batches' chunks, those of this one.
    chunks: Range<usize>,
}

/// Where a matrix lies among others: `OptimMuonPlace` of optim_muon.cu.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Where it begins in the parameters.
    first: u64,
    /// Factor on its step.
    scale: f64,
    cols: u32,
    /// Columns of the batch.
    across: u32,
}
// SAFETY: plain numbers, and no gaps: 8 + 8 + 4 + 4 bytes, aligned to 8.
unsafe impl NoUninit for Place {}

/// Which matrices, by number, are multiplied together, with the sides that they are filled up to: the largest first, each to those before
/// it unless that were too many elements, or too many zeros.
fn batches(matrices: &[Matrix], most: usize) -> Vec<([usize; 2], Vec<usize>)> {
    let sides = |index: usize| [matrices[index].rows, matrices[index].cols()];
    let filled = |index: usize| sides(index).map(|side| side.next_multiple_of(SIDE));
    let elements = |[rows, cols]: [usize; 2]| rows * cols;
    let mut order: Vec<usize> = (0..matrices.len()).filter(|index| !matrices[*index].range.is_empty()).collect();
    // Products are over the shorter side.
    order.sort_by_key(|index| {
        let [rows, cols] = sides(*index);
        (rows > cols, Reverse(rows * cols), rows, *index)
    });
    let mut batches: Vec<([usize; 2], Vec<usize>)> = Vec::new();
    for index in order {
        if let Some((together, members)) = batches.last_mut() {
            let own = filled(index);
            let larger = [0, 1].map(|k| together[k].max(own[k]));
            let all = elements(larger) * (members.len() + 1);
            let their_own: usize = members.iter().chain([&index]).map(|member| elements(filled(*member))).sum();
            let [rows, cols] = sides(index);
            let [first_rows, first_cols] = sides(members[0]);
            let alike = (rows > cols) == (first_rows > first_cols) && (larger[0] > larger[1]) == (rows > cols);
            if alike && all <= most && all <= FILLED * their_own {
                *together = larger;
                members.push(index);
                continue;
            }
        }
        batches.push((filled(index), vec![index]));
    }
    batches
}

impl Matrix {
    fn cols(&self) -> usize {
        self.range.len() / self.rows.max(1)
    }
}

impl Batch {
    fn elements(&self) -> usize {
        self.count * self.rows * self.cols
    }

    /// Of the products with themselves, over the longer side.
    fn gram_elements(&self) -> usize {
        self.count * self.rows.min(self.cols).pow(2)
    }
}

/// The matrices of an optimizer, on a device: its [`Table`], and their division into batches.
#[derive(Debug)]
pub struct Matrices {
    table: Table,
    batches: Vec<Batch>,
    /// As the table's, with where the matrix begins in the batch in place of the chunk's place in the optimizer's buffers.
    chunks: Buffer,
    /// A [`Place`] for each matrix.
    places: Buffer,
}

impl Matrices {
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When ranges do not ascend, or overlap, or are not of whole rows.
    pub fn new(device: &Device, matrices: &[Matrix]) -> Result<Self, Error> {
        Self::in_batches(device, matrices, BATCH)
    }

    /// The same with so many elements a batch.
    fn in_batches(device: &Device, matrices: &[Matrix], most: usize) -> Result<Self, Error> {
        for Matrix { range, rows, .. } in matrices {
            assert!(range.is_empty() || *rows > 0 && range.len() % rows == 0, "{range:?} in {rows} rows");
        }
        let mut places: Vec<Place> = matrices
            .iter()
            .map(|matrix| Place {
                first: matrix.range.start as u64,
                scale: matrix.scale,
                cols: u32::try_from(matrix.cols()).expect("muon: more than a card takes"),
                across: 0,
            })
            .collect();
        let (mut divided, mut chunks) = (Vec::new(), Vec::new());
        for ([rows, cols], members) in batches(matrices, most) {
            let first = chunks.len();
            for (place, index) in members.iter().enumerate() {
                let begins = (place * rows * cols) as u64;
                chunks.extend(
                    Chunk::of(&matrices[*index].range, 0, *index).map(|chunk| Chunk { state: begins, ..chunk }),
                );
                places[*index].across = u32::try_from(cols).expect("muon: more than a card takes");
            }
            let has_gaps = members.iter().any(|index| matrices[*index].range.len() < rows * cols);
            divided.push(Batch { rows, cols, count: members.len(), has_gaps, chunks: first..chunks.len() });
        }
        let segments: Vec<Segment> =
            matrices.iter().map(|matrix| Segment { range: matrix.range.clone(), adapted: false }).collect();
        let table = Table::with_rows(device, &segments, |index| matrices[index].rows)?;
        Ok(Self { table, batches: divided, chunks: upload(device, &chunks)?, places: upload(device, &places)? })
    }

    /// The matrices as segments.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Elements of [`Scratch::operands`].
    pub fn operands_len(&self) -> usize {
        self.longest(Batch::elements).next_multiple_of(ALIGN) + self.longest(Batch::gram_elements)
    }

    /// Floats of [`Scratch::floats`].
    pub fn floats_len(&self) -> usize {
        self.numbers().next_multiple_of(ALIGN) + self.operands_len()
    }

    /// Floats beside matrices: two sums for each chunk, two factors for each matrix.
    fn numbers(&self) -> usize {
        2 * (self.table.chunk_count + self.table.segment_count)
    }

    fn longest(&self, of: impl Fn(&Batch) -> usize) -> usize {
        self.batches.iter().map(of).max().unwrap_or(0)
    }

    /// The parts of memory for a batch's matrices and their products with themselves, which lie behind one another.
    fn parts<'a>(&self, batch: &Batch, of: View<'a>) -> [View<'a>; 2] {
        let gram = self.longest(Batch::elements).next_multiple_of(ALIGN);
        [of.part(0..batch.elements()), of.part(gram..gram + batch.gram_elements())]
    }
}

/// The factors of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Factors {
    /// The rate, multiplied by the rule's share in a mix of rules.
    pub lr: f64,
    pub weight_decay: f64,
    /// What is kept of the buffer.
    pub keep_momentum: f32,
    /// For Nesterov's step; elsewhere unused.
    pub momentum: f32,
    pub nesterov: bool,
    /// Newton–Schulz iterations.
    pub iterations: usize,
    /// Whether the weights of a matrix are scaled to norm `√rows` before the step.
    pub renormalise: bool,
}

/// Memory for the products.
#[derive(Clone, Copy, Debug)]
pub struct Scratch<'a> {
    /// [`Matrices::floats_len`] of `f32`.
    pub floats: View<'a>,
    /// [`Matrices::operands_len`] of the type of the products' operands.
    pub operands: View<'a>,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct MomentumArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    buffer: u64,
    partial: u64,
    keep_momentum: f32,
    momentum: f32,
    nesterov: u32,
    renormalise: u32,
}
// SAFETY: as `OptimMuonMomentum` of optim_muon.cu.
unsafe impl Args for MomentumArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct FactorsArgs {
    segments: u64,
    partial: u64,
    factors: u64,
    keeps: u64,
    keep: f64,
    renormalise: u32,
}
// SAFETY: as `OptimMuonFactors` of optim_muon.cu.
unsafe impl Args for FactorsArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct GatherArgs {
    chunks: u64,
    places: u64,
    grads: u64,
    factors: u64,
    x: u64,
}
// SAFETY: as `OptimMuonGather` of optim_muon.cu.
unsafe impl Args for GatherArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct UpdateArgs {
    chunks: u64,
    places: u64,
    params: u64,
    x: u64,
    keeps: u64,
    lr: f64,
}
// SAFETY: as `OptimMuonUpdate` of optim_muon.cu.
unsafe impl Args for UpdateArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct OperandArgs {
    len: u64,
    x: u64,
    operand: u64,
    by: f32,
}
// SAFETY: as `OptimMuonOperand` of optim_muon.cu.
unsafe impl Args for OperandArgs {}

/// Of matrices `p` of `R` rows; the gradients are used up:
///
/// ```text
/// b ← keep_momentum·b + g
/// g ← g + momentum·b                       (Nesterov; else b)
/// X ← g / (‖g‖ + 1e-7)
/// A = X·Xᵀ,  X ← a·X + (b·A + c·A²)·X      as often as there are iterations; over the shorter side
/// p ← √R/‖p‖ · p                           (renormalise; weights that are all zero stay)
/// p ← (1 − lr·weight_decay)·p − lr·scale·X
/// ```
///
/// What is multiplied is rounded to the type of the operands, of which `f32` is not multiplied as TF32; sums, and what
/// stays between two products, are `f32`.
///
/// # Errors
/// Those of the driver and of the products.
///
/// # Panics
/// When buffers are not as long as the matrices say, or not `f32`, or the operands are of no type of activations.
pub fn step(
    device: &Device,
    matrices: &Matrices,
    factors: &Factors,
    params: View<'_>,
    grads: View<'_>,
    buffer: View<'_>,
    scratch: Scratch<'_>,
) -> Result<(), Error> {
    let Matrices { table, batches, chunks, places } = matrices;
    let places = places.view().address();
    let Scratch { floats, operands } = scratch;
    floats.expect(DType::F32, matrices.floats_len());
    operands.expect(operands.dtype(), matrices.operands_len());
    let (params, grads) = table.flat(params, grads);
    let numbers = floats.part(0..matrices.numbers());
    let (partial, numbers) = (numbers.address(), numbers.part(2 * table.chunk_count..numbers.len()));
    let (per_matrix, keeps) = (numbers.address(), numbers.part(table.segment_count..numbers.len()).address());
    let floats = floats.part(matrices.numbers().next_multiple_of(ALIGN)..floats.len());

    let momentum_args = MomentumArgs {
        chunks: table.chunks.view().address(),
        params,
        grads,
        buffer: table.own(buffer),
        partial,
        keep_momentum: factors.keep_momentum,
        momentum: factors.momentum,
        nesterov: factors.nesterov.into(),
        renormalise: factors.renormalise.into(),
    };
    let factors_args = FactorsArgs {
        segments: table.segments.view().address(),
        partial,
        factors: per_matrix,
        keeps,
        keep: 1.0 - factors.lr * factors.weight_decay,
        renormalise: factors.renormalise.into(),
    };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked; there are two numbers for each chunk,
    unsafe { device.launch(&MOMENTUM, table.each_chunk(), &momentum_args)? };
    // SAFETY: and two for each matrix, whose chunks are those of the table.
    unsafe { device.launch(&FACTORS, table.each_segment(), &factors_args)? };

    for batch in batches {
        let [x, gram] = matrices.parts(batch, floats);
        let operands = matrices.parts(batch, operands);
        let of_chunk = size_of::<Chunk>();
        let chunks = chunks.view().part(batch.chunks.start * of_chunk..batch.chunks.end * of_chunk).address();
        let grid = Grid::blocks(batch.chunks.len(), 1);
        if batch.has_gaps {
            device.zero(x)?;
        }
        let gather = GatherArgs { chunks, places, grads, factors: per_matrix, x: x.address() };
        // SAFETY: the batch's chunks lie in the gradients, and in its matrices, of which `x` has room for all.
        unsafe { device.launch(&GATHER, grid, &gather)? };
        for _ in 0..factors.iterations {
            iterate(device, batch, [x, gram], operands)?;
        }
        let update = UpdateArgs { chunks, places, params, x: x.address(), keeps, lr: factors.lr };
        // SAFETY: as before, in the parameters.
        unsafe { device.launch(&UPDATE, grid, &update)? };
    }
    Ok(())
}

/// `A = X·Xᵀ, X ← a·X + (b·A + c·A²)·X`, or where there are more rows than columns, the same of the transposed.
fn iterate(
    device: &Device,
    batch: &Batch,
    [x, gram]: [View<'_>; 2],
    [x_operand, gram_operand]: [View<'_>; 2],
) -> Result<(), Error> {
    let Batch { rows, cols, count, .. } = *batch;
    let [a, b, c] = COEFFICIENTS;
    let tall = rows > cols;
    let (short, long) = (rows.min(cols), rows.max(cols));
    to_operand(device, x, x_operand, a)?;
    let of_itself = Product {
        rows: short,
        cols: short,
        inner: long,
        a: x_operand,
        a_transposed: tall,
        b: x_operand,
        b_transposed: !tall,
        c: gram,
        scale: 1.0,
        add: false,
        count,
        // Who has `f32` operands asked for `f32`, which TF32 is not.
        strict: true,
    };
    matmul::run(device, &of_itself)?;
    to_operand(device, gram, gram_operand, b)?;
    let square = Product {
        inner: short,
        a: gram_operand,
        a_transposed: false,
        b: gram_operand,
        b_transposed: false,
        scale: c,
        add: true,
        ..of_itself
    };
    matmul::run(device, &square)?;
    cast::cast(device, gram, gram_operand)?;
    // Transposed, (b·A + c·A²)·Xᵀ is X·(b·A + c·A²)ᵀ.
    let (a, b) = if tall { (x_operand, gram_operand) } else { (gram_operand, x_operand) };
    matmul::run(device, &Product { rows, cols, a, b, b_transposed: tall, c: x, scale: 1.0, ..square })
}

/// `operand ← x`, rounded; `x ← by·x`
fn to_operand(device: &Device, x: View<'_>, operand: View<'_>, by: f32) -> Result<(), Error> {
    let len = x.len();
    let args = OperandArgs {
        len: len as u64,
        x: x.expect(DType::F32, len),
        operand: operand.expect(operand.dtype(), len),
        by,
    };
    // SAFETY: both have `len` elements, of the kernel's types.
    unsafe { device.launch(OPERAND.of(operand.dtype()), Grid::over(len), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::testing::{devices, plain_norm, run};
    use crate::ops::testing::{close, noise};

    fn multiply(x: &[f64], y: &[f64], [rows, inner, cols]: [usize; 3]) -> Vec<f64> {
        let cell = |at: usize| (0..inner).map(|k| x[at / cols * inner + k] * y[k * cols + at % cols]).sum();
        (0..rows * cols).map(cell).collect()
    }

    /// Newton–Schulz over the rows, whatever the sides: `X·(XᵀX)` and `(X·Xᵀ)·X` are one.
    fn orthogonal(matrix: &[f64], rows: usize, iterations: usize) -> Vec<f64> {
        let cols = matrix.len() / rows;
        let norm = plain_norm(matrix) + 1e-7;
        let mut x: Vec<f64> = matrix.iter().map(|x| x / norm).collect();
        let [a, b, c] = COEFFICIENTS.map(f64::from);
        for _ in 0..iterations {
            let transposed: Vec<f64> = (0..x.len()).map(|at| x[at % rows * cols + at / rows]).collect();
            let gram = multiply(&x, &transposed, [rows, cols, rows]);
            let square = multiply(&gram, &gram, [rows, rows, rows]);
            let polynomial: Vec<f64> = gram.iter().zip(&square).map(|(g, s)| b * g + c * s).collect();
            let product = multiply(&polynomial, &x, [rows, rows, cols]);
            x.iter_mut().zip(product).for_each(|(x, p)| *x = a * *x + p);
        }
        x
    }

    /// Wide, tall, square, thin, empty, more than a chunk; several of the same sides, of two scales.
    fn matrices() -> Vec<Matrix> {
        let shapes = [[7, 12], [12, 7], [7, 12], [9, 9], [1, 5], [5, 0], [20, 230], [5, 1], [7, 12], [7, 12]];
        let mut end = 0;
        let place = |(index, [rows, cols]): (usize, [usize; 2])| {
            let start = end + index % 3;
            end = start + rows * cols;
            Matrix { range: start..end, rows, scale: if index == 8 { 2.0 } else { 0.5 } }
        };
        shapes.into_iter().enumerate().map(place).collect()
    }

    fn check_with(dtype: DType, most: usize, nesterov: bool, renormalise: bool, tolerance: f64) {
        let factors = |step: usize| Factors {
            lr: 0.05,
            weight_decay: 0.1,
            keep_momentum: [0.9, 0.8, 0.7][step],
            momentum: 0.9,
            nesterov,
            iterations: [3, 0, 2][step],
            renormalise,
        };
        let all = matrices();
        let segments: Vec<Segment> =
            all.iter().map(|matrix| Segment { range: matrix.range.clone(), adapted: false }).collect();
        run(
            &segments,
            |device, _, at, [buffer]| {
                let matrices = Matrices::in_batches(device, &all, most).unwrap();
                let floats = device.allocate(DType::F32, matrices.floats_len()).unwrap();
                let operands = device.allocate(dtype, matrices.operands_len()).unwrap();
                let scratch = Scratch { floats: floats.view(), operands: operands.view() };
                step(device, &matrices, &factors(at.step), at.params, at.grads, buffer, scratch).unwrap();
            },
            |at, [buffer]| {
                let f = factors(at.step);
                let Matrix { rows, scale, .. } = all[at.index];
                for (g, b) in at.grads.iter_mut().zip(buffer) {
                    *b = f64::from(f.keep_momentum) * *b + *g;
                    *g = if nesterov { *g + f64::from(f.momentum) * *b } else { *b };
                }
                if at.grads.is_empty() {
                    return;
                }
                let x = orthogonal(at.grads, rows, f.iterations);
                let norm = plain_norm(at.params);
                let to_norm = if renormalise && norm > 0.0 { (rows as f64).sqrt() / norm } else { 1.0 };
                for (p, x) in at.params.iter_mut().zip(x) {
                    *p = to_norm * (1.0 - f.lr * f.weight_decay) * *p - f.lr * scale * x;
                }
            },
            |got, want| close(got, want, DType::F32, tolerance),
        );
    }

    #[test]
    fn steps_are_those_of_a_plain_loop() {
        for (nesterov, renormalise) in [(true, false), (false, true)] {
            check_with(DType::F32, BATCH, nesterov, renormalise, 2e-6);
            // Batches of two and of one.
            check_with(DType::F32, 170, nesterov, renormalise, 2e-6);
            // Each operand is rounded to 8 bits, and the polynomial's slope, up to 3.4 an iteration, adds to that; the
            // rate, 0.05 or less with its scale, takes away of it.
            check_with(DType::Bf16, BATCH, nesterov, renormalise, 2e-3);
            check_with(DType::F16, BATCH, nesterov, renormalise, 3e-4);
        }
    }

    #[test]
    fn matrices_are_multiplied_together_unless_that_is_mostly_zeros() {
        let counts = |matrices: &[Matrix], most: usize| -> Vec<([usize; 2], usize)> {
            batches(matrices, most).into_iter().map(|(sides, members)| (sides, members.len())).collect()
        };
        let all = matrices();
        let together = [([24, 232], 2), ([16, 16], 5), ([16, 8], 2)];
        assert_eq!(counts(&all, BATCH), together);
        assert_eq!(
            counts(&all, 300),
            [([24, 232], 1), ([8, 16], 2), ([8, 16], 2), ([16, 16], 1), ([8, 8], 1), ([16, 8], 2)]
        );
        // Those of airbench94, and of a ResNet-18.
        let of = |shapes: &[[usize; 2]]| -> Vec<Matrix> {
            let mut end = 0;
            let place = |[rows, cols]: &[usize; 2]| {
                end += rows * cols;
                Matrix { range: end - rows * cols..end, rows: *rows, scale: 1.0 }
            };
            shapes.iter().map(place).collect()
        };
        let airbench = of(&[[64, 216], [64, 576], [256, 576], [256, 2304], [256, 2304], [256, 2304]]);
        assert_eq!(counts(&airbench, BATCH), [([256, 2304], 6)]);
        let mut resnet = vec![[64, 147]];
        resnet.extend([[64, 576]; 4]);
        for (c, narrower) in [(128, 64), (256, 128), (512, 256)] {
            resnet.extend([[c, 9 * narrower], [c, narrower], [c, 9 * c], [c, 9 * c], [c, 9 * c]]);
        }
        assert_eq!(counts(&of(&resnet), BATCH).len(), 5);
    }

    #[test]
    fn a_matrix_of_zeros_has_no_direction() {
        for device in devices() {
            let matrices = Matrices::new(&device, &[Matrix { range: 1..13, rows: 4, scale: 1.0 }]).unwrap();
            let start = noise(3, 14);
            let params = device.upload(&start).unwrap();
            let [grads, buffer] = [14, 12].map(|len| device.zeros(DType::F32, len).unwrap());
            let [floats, operands] = [(DType::F32, matrices.floats_len()), (DType::Bf16, matrices.operands_len())]
                .map(|(dtype, len)| device.allocate(dtype, len).unwrap());
            let scratch = Scratch { floats: floats.view(), operands: operands.view() };
            let factors = Factors { lr: 0.5, iterations: 3, ..Factors::default() };
            step(&device, &matrices, &factors, params.view(), grads.view(), buffer.view(), scratch).unwrap();
            assert_eq!(device.read_f32(params.view()).unwrap(), start);
        }
    }
}
