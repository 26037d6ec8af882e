//! Convolution, channels last: forward, data gradient, weight gradient.
//!
//! `y[n, p, q, o] = bias[o] + Σ x[n, p·stride − padding + k·dilation, …, c] · w[o, c, k, …]`, sums in `f32`, one rounding
//! to the activations' type ([`Products`] says what else may be rounded). Weights and their gradient are OIHW, `(cout, cin / groups, kh, kw)`, as PyTorch keeps them;
//! unlike candle, kernel, stride, padding and dilation are per axis.
//!
//! A [`ConvPlan`] is made once for a shape, products and an instruction set. Weights are packed for the kernels after each change:
//! once for the forward pass, once for the data gradient. Scratch is the caller's and may be shared by all layers.
//!
//! Versions: [`mod@reference`] is the slow twin, plain loops in `f64`. The direct one is an implicit matrix product on
//! register tiles (`microkernel`), over copies of the rows that a chunk of outputs reads (`band`): `pass` serves forward
//! and data gradient, `backward_weight` sums over pixels. 3×3 kernels of stride 1 go through `winograd` instead where
//! that is less work, on the same register tiles. What tiles multiply is `f32` or pairs of bf16 ([`Products`]).

mod backward_bias;
mod backward_weight;
mod band;
mod geometry;
mod microkernel;
mod pass;
pub mod reference;
mod store;
#[cfg(test)]
mod tests;
mod winograd;

use super::parallel::{self, Shared};
use super::{DType, Element, Isa, Products};
use backward_weight::WeightPass;
use geometry::Axis;
use microkernel::TileShape;
use pass::{Channels, Pass};
use store::Destination;
use winograd::{Direction, WinogradPass, WinogradWeightPass};

/// A convolution without its weights. Pairs are `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    pub cin: usize,
    pub cout: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    /// Parts that the channels are cut into; each part of the outputs sees one part of the inputs.
    pub groups: usize,
}

impl Conv2d {
    /// A square kernel with stride 1, padding that keeps odd kernels' sizes, no dilation, one group.
    pub fn same(cin: usize, cout: usize, kernel: usize) -> Self {
        let padding = [kernel / 2; 2];
        Self { cin, cout, kernel: [kernel; 2], stride: [1; 2], padding, dilation: [1; 2], groups: 1 }
    }

    /// Height and width of the output; none when the kernel is larger than the padded picture, or when the numbers make
    /// no convolution (a zero, or groups that do not divide the channels).
    pub fn output(&self, h: usize, w: usize) -> Option<[usize; 2]> {
        let pairs = [[self.cin, self.cout], [self.groups, 1], self.kernel, self.stride, self.dilation, [h, w]];
        if pairs.as_flattened().contains(&0) || [self.cin, self.cout].iter().any(|c| !c.is_multiple_of(self.groups)) {
            return None;
        }
        let along = |axis: usize, size: usize| {
            let reach = (self.kernel[axis] - 1) * self.dilation[axis] + 1;
            Some((size + 2 * self.padding[axis]).checked_sub(reach)? / self.stride[axis] + 1)
        };
        Some([along(0, h)?, along(1, w)?])
    }

    /// Number of weights.
    pub fn weight_len(&self) -> usize {
        self.cout * (self.cin / self.groups) * self.kernel[0] * self.kernel[1]
    }

    /// Floating-point operations of one direction for one picture, a multiply-add counting two and padding counted in:
    /// the usual figure. Zero when it does not fit.
    pub fn flops(&self, h: usize, w: usize) -> u64 {
        let [oh, ow] = self.output(h, w).unwrap_or([0, 0]);
        2 * (oh * ow) as u64 * self.weight_len() as u64
    }
}

/// A convolution made ready for pictures of one size: tables and blocking, a pure function of shape, products and instruction set.
///
/// All slices are of exact length, except scratch, which has at least [`ConvPlan::scratch_len`] words of 32 bits, as packed weights
/// are: `f32` or two bf16.
#[derive(Clone, Debug)]
pub struct ConvPlan {
    conv: Conv2d,
    isa: Isa,
    input: [usize; 2],
    output: [usize; 2],
    products: Products,
    kernels: Kernels,
}

/// How the sums are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Algorithm {
    /// Winograd's where it is less work, else direct sums.
    #[default]
    Fastest,
    /// Sums of products as the formula has them.
    Direct,
}

/// A plan's passes.
#[derive(Clone, Debug)]
enum Kernels {
    Direct {
        forward: Pass,
        /// With a phase for each that the stride makes and that has any input pixels.
        backward: Pass,
        weight: Box<WeightPass>,
    },
    Winograd {
        forward: WinogradPass,
        backward: WinogradPass,
        weight: WinogradWeightPass,
    },
}

impl ConvPlan {
    /// Plans `conv` on pictures `h` high and `w` wide, of any type of activations.
    ///
    /// # Panics
    /// When it does not fit: when [`Conv2d::output`] is none.
    pub fn new(conv: Conv2d, h: usize, w: usize, isa: Isa) -> Self {
        Self::with(Algorithm::Fastest, Products::Single, conv, h, w, isa)
    }

    /// As [`ConvPlan::new`], with a choice of algorithm and products; one of pairs takes activations of bf16 alone.
    ///
    /// # Panics
    /// As [`ConvPlan::new`].
    pub fn with(algorithm: Algorithm, products: Products, conv: Conv2d, h: usize, w: usize, isa: Isa) -> Self {
        let output = conv.output(h, w).expect("the convolution fits the picture");
        let kernels = match algorithm {
            Algorithm::Fastest if winograd::suits(&conv, output) => {
                let Conv2d { cin, cout, padding, .. } = conv;
                let back = padding.map(|p| 2 - p);
                Kernels::Winograd {
                    forward: WinogradPass::new(Direction::Forward, [h, w], padding, [cin, cout], products, isa),
                    backward: WinogradPass::new(Direction::Backward, output, back, [cout, cin], products, isa),
                    weight: WinogradWeightPass::new([h, w], padding, [cin, cout], products, isa),
                }
            }
            _ => Self::direct(&conv, [h, w], output, products, isa),
        };
        Self { conv, isa, input: [h, w], output, products, kernels }
    }

    fn direct(conv: &Conv2d, [h, w]: [usize; 2], output: [usize; 2], products: Products, isa: Isa) -> Kernels {
        let axis = |a: usize, source: usize| {
            Axis::forward(source, output[a], conv.kernel[a], conv.stride[a], conv.padding[a], conv.dilation[a])
        };
        let (rows, cols) = (axis(0, h), axis(1, w));
        let taps = conv.kernel[0] * conv.kernel[1];
        let (inputs, outputs) = (conv.cin / conv.groups, conv.cout / conv.groups);
        let lanes = TileShape::of(isa).lanes;
        let fits = |d: &usize| conv.groups.is_multiple_of(*d) && d * inputs.max(outputs) <= lanes;
        let bundle = (1..=lanes).rev().find(fits).unwrap_or(1);
        let channels = Channels {
            groups: conv.groups / bundle,
            bundle,
            inputs: inputs * bundle,
            outputs: outputs * bundle,
            input_step: taps,
            output_step: inputs * taps,
            group_step: outputs * inputs * taps,
        };
        // The data gradient goes from outputs to inputs.
        let back = Channels {
            inputs: channels.outputs,
            outputs: channels.inputs,
            input_step: channels.output_step,
            output_step: channels.input_step,
            ..channels
        };
        let phases = |forward: &Axis, a: usize, source: usize| -> Vec<Axis> {
            let phase = |phase| Axis::backward(forward, conv.dilation[a], conv.padding[a], phase);
            (0..conv.stride[a].min(source)).map(phase).collect()
        };
        let backward = [phases(&rows, 0, h), phases(&cols, 1, w)];
        Kernels::Direct {
            weight: Box::new(WeightPass::new(rows.clone(), cols.clone(), &channels, products, isa)),
            forward: Pass::new(&[rows], &[cols], channels, output, conv.kernel[1], products, isa),
            backward: Pass::new(&backward[0], &backward[1], back, [h, w], conv.kernel[1], products, isa),
        }
    }

    /// That activations of `E` are what the products are made of.
    fn takes<E: Element>(&self) {
        assert!(self.products == Products::Single || E::DTYPE == DType::Bf16, "pairs of bf16 made of {:?}", E::DTYPE);
    }

    pub fn conv(&self) -> &Conv2d {
        &self.conv
    }

    /// Height and width of the output.
    pub fn output(&self) -> [usize; 2] {
        self.output
    }

    /// Elements of `x` and `dx`.
    pub fn input_len(&self, n: usize) -> usize {
        n * self.input[0] * self.input[1] * self.conv.cin
    }

    /// Elements of `y` and `dy`.
    pub fn output_len(&self, n: usize) -> usize {
        n * self.output[0] * self.output[1] * self.conv.cout
    }

    /// Words of 32 bits that weights packed for [`ConvPlan::forward`] take.
    pub fn forward_pack_len(&self) -> usize {
        match &self.kernels {
            Kernels::Direct { forward, .. } => forward.packed_len(),
            Kernels::Winograd { forward, .. } => forward.packed_len(),
        }
    }

    /// Packs OIHW weights for [`ConvPlan::forward`].
    pub fn pack_forward(&self, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(weights.len(), self.conv.weight_len());
        match &self.kernels {
            Kernels::Direct { forward, .. } => forward.pack(weights, packed),
            Kernels::Winograd { forward, .. } => forward.pack(weights, packed),
        }
    }

    /// Words of 32 bits that weights packed for [`ConvPlan::backward_data`] take.
    pub fn backward_pack_len(&self) -> usize {
        match &self.kernels {
            Kernels::Direct { backward, .. } => backward.packed_len(),
            Kernels::Winograd { backward, .. } => backward.packed_len(),
        }
    }

    /// Packs OIHW weights for [`ConvPlan::backward_data`].
    pub fn pack_backward(&self, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(weights.len(), self.conv.weight_len());
        assert_eq!(packed.len(), self.backward_pack_len());
        match &self.kernels {
            Kernels::Direct { backward, .. } => backward.pack(weights, packed),
            Kernels::Winograd { backward, .. } => backward.pack(weights, packed),
        }
    }

    /// Words of scratch that any call on `n` pictures takes, in the thread pool that this is asked in: scratch grows
    /// with the threads, results do not depend on them.
    pub fn scratch_len(&self, n: usize) -> usize {
        let workers = parallel::workers();
        let (passes, weight) = match &self.kernels {
            Kernels::Direct { forward, backward, weight } => (
                forward.task_scratch().max(backward.task_scratch()),
                weight.shared_scratch(n) + workers * weight.task_scratch(),
            ),
            Kernels::Winograd { forward, backward, weight } => (
                forward.task_scratch().max(backward.task_scratch()),
                weight.shared_scratch(n) + workers * weight.task_scratch(),
            ),
        };
        (workers * passes).max(weight).max(backward_bias::scratch_len(self.conv.cout))
    }

    /// `y = x ∗ w + bias` for `n` pictures; `x` is `(n, h, w, cin)`, `y` `(n, oh, ow, cout)`.
    pub fn forward<E: Element>(
        &self,
        n: usize,
        x: &[E],
        packed: &[f32],
        bias: Option<&[f32]>,
        y: &mut [E],
        scratch: &mut [f32],
    ) {
        self.takes::<E>();
        assert_eq!([x.len(), y.len()], [self.input_len(n), self.output_len(n)]);
        assert!(bias.is_none_or(|b| b.len() == self.conv.cout));
        let to = Destination { pixels: Shared::new(y), bias, accumulate: false };
        let scratch = Shared::new(scratch);
        match &self.kernels {
            Kernels::Direct { forward, .. } => forward.run(n, x, packed, &to, &scratch),
            Kernels::Winograd { forward, .. } => forward.run(n, x, packed, &to, &scratch),
        }
    }

    /// The gradient of the loss in `x`, from `dy`, that in `y`: written to `dx`, or added to it.
    pub fn backward_data<E: Element>(
        &self,
        n: usize,
        dy: &[E],
        packed: &[f32],
        dx: &mut [E],
        accumulate: bool,
        scratch: &mut [f32],
    ) {
        self.takes::<E>();
        assert_eq!([dx.len(), dy.len()], [self.input_len(n), self.output_len(n)]);
        assert_eq!(packed.len(), self.backward_pack_len());
        let to = Destination { pixels: Shared::new(dx), bias: None, accumulate };
        let scratch = Shared::new(scratch);
        match &self.kernels {
            Kernels::Direct { backward, .. } => backward.run(n, dy, packed, &to, &scratch),
            Kernels::Winograd { backward, .. } => backward.run(n, dy, packed, &to, &scratch),
        }
    }

    /// The gradient in the weights, OIHW, summed over the batch; overwrites `dw`.
    pub fn backward_weight<E: Element>(&self, n: usize, x: &[E], dy: &[E], dw: &mut [f32], scratch: &mut [f32]) {
        self.takes::<E>();
        assert_eq!([x.len(), dy.len()], [self.input_len(n), self.output_len(n)]);
        assert_eq!(dw.len(), self.conv.weight_len());
        match &self.kernels {
            Kernels::Direct { weight, .. } => weight.run(n, x, dy, dw, scratch),
            Kernels::Winograd { weight, .. } => weight.run(n, x, dy, dw, scratch),
        }
    }

    /// The gradient in the bias, `Σ dy` over pictures and pixels; overwrites `db`.
    pub fn backward_bias<E: Element>(&self, n: usize, dy: &[E], db: &mut [f32], scratch: &mut [f32]) {
        assert_eq!([dy.len(), db.len()], [self.output_len(n), self.conv.cout]);
        backward_bias::run(self.isa, dy, db, scratch);
    }
}
