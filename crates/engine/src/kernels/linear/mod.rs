//! The linear layer: `y = scale·x·Wᵀ + b`.
//!
//! `x: (n, inputs)`, `W: (outputs, inputs)` as PyTorch shapes it, `b: (outputs)`, `y: (n, outputs)`. `y` may be of another
//! type than `x`: a bf16 net has `f32` logits.

pub mod reference;
#[cfg(test)]
mod tests;

use super::matmul::{Epilogue, View, product};
use super::{Element, Grad, Isa, Write, columns};

/// The layer's parameters.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    pub weight: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub inputs: usize,
    pub outputs: usize,
    /// A fixed factor on the product (not on the bias): 1/9 in airbench's head.
    pub scale: f32,
}

impl<'a> Linear<'a> {
    fn weight(&self) -> View<'a, f32> {
        View::new(self.weight, self.outputs, self.inputs)
    }
}

/// Where the gradients go; `None` for those that nobody wants.
pub struct Grads<'a, X> {
    pub dx: Option<Grad<'a, X>>,
    pub dweight: Option<Grad<'a, f32>>,
    pub dbias: Option<Grad<'a, f32>>,
}

/// `y = scale·x·Wᵀ + b`
///
/// # Panics
/// When lengths do not fit.
pub fn forward<X: Element, Y: Element>(isa: Isa, linear: &Linear<'_>, x: &[X], y: &mut [Y]) {
    let x = View::new(x, x.len() / linear.inputs, linear.inputs);
    let epilogue = Epilogue { alpha: linear.scale, bias: linear.bias, ..Epilogue::default() };
    product(isa, x, linear.weight().transposed(), epilogue, y);
}

/// `dx = scale·dy·W`, `dW = scale·dyᵀ·x`, `db = Σ dy`; `x` is looked at for `dW` alone.
///
/// # Panics
/// When lengths do not fit.
pub fn backward<X: Element, Y: Element>(isa: Isa, linear: &Linear<'_>, x: &[X], dy: &[Y], grads: Grads<'_, X>) {
    let rows = dy.len() / linear.outputs;
    let pull = View::new(dy, rows, linear.outputs);
    let epilogue = |write: Write| Epilogue { alpha: linear.scale, bias: None, write };
    if let Some(dx) = grads.dx {
        product(isa, pull, linear.weight(), epilogue(dx.write), dx.to);
    }
    if let Some(dweight) = grads.dweight {
        let x = View::new(x, rows, linear.inputs);
        product(isa, pull.transposed(), x, epilogue(dweight.write), dweight.to);
    }
    if let Some(dbias) = grads.dbias {
        columns::bias_gradient(isa, linear.outputs, dy, dbias);
    }
}
