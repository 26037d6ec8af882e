//! Batch normalisation, with the sum of a residual branch and an activation in the same pass.
//!
//! Over a channels-last `(n, h, w, c)` value seen as `(rows, c)`, for each channel
//!
//! ```text
//! x̂ = (x − μ)·r,  r = 1/√(σ² + ε)
//! y = act(γ·x̂ + β [+ residual])
//! ```
//!
//! In training μ and σ² (biased) come from [`statistics`] of the batch, in evaluation from the running averages; the
//! same [`forward`] serves both. In bf16 the whole computation is `f32` and rounds once, when `y` is stored.
//!
//! Source: Ioffe and Szegedy, arXiv:1502.03167; semantics of PyTorch's `batch_norm`.

mod backward;
mod cpu;
pub mod ghost;
pub mod reference;
mod table;
#[cfg(test)]
mod tests;

use super::activation::Act;
use super::{Element, Grad, Isa};

/// What a batch norm is, beside the values it is applied to. All slices have one entry a channel.
#[derive(Clone, Copy, Debug)]
pub struct Norm<'a> {
    pub mean: &'a [f32],
    /// Biased in training.
    pub var: &'a [f32],
    pub eps: f32,
    /// 1 when absent.
    pub gamma: Option<&'a [f32]>,
    /// 0 when absent.
    pub beta: Option<&'a [f32]>,
    pub act: Act,
    /// Where `y` and its gradient have other channels too, of which nothing is read or written; a residual then has none.
    pub within: Option<Within>,
}

/// A range of a wider value's channels: a norm that writes there puts its output beside others', and nothing is copied to
/// stand beside them later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Within {
    /// Channels of the wider value.
    pub width: usize,
    /// The first of the norm's own.
    pub first: usize,
}

impl Within {
    /// Where a channel of the norm lies in the wider value.
    #[inline(always)]
    fn index(&self, row: usize, channel: usize) -> usize {
        row * self.width + self.first + channel
    }
}

impl Norm<'_> {
    /// The number of channels.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Where the outputs lie.
    fn within(&self) -> Within {
        self.within.unwrap_or(Within { width: self.channels(), first: 0 })
    }

    fn check(&self) {
        let c = self.channels();
        let Within { width, first } = self.within();
        assert!(first + c <= width, "norm: {c} channels from {first} on do not lie within {width}");
        assert!(c > 0 && self.var.len() == c, "norm: {} variances for {c} means", self.var.len());
        for affine in [self.gamma, self.beta].into_iter().flatten() {
            assert_eq!(affine.len(), c, "norm: parameters do not match the channels");
        }
    }
}

/// Mean and biased variance of each channel of `x: (rows, mean.len())`.
///
/// One pass of sums of `x − k` and `(x − k)²`, where `k` is the mean of a few rows spread over the batch, so that nothing
/// cancels where |μ| ≫ σ; blocks of rows in `f32`, the rest in `f64`.
///
/// # Panics
/// When the lengths do not fit, or there are no rows.
pub fn statistics<E: Element>(isa: Isa, x: &[E], mean: &mut [f32], var: &mut [f32]) {
    let c = mean.len();
    assert!(c > 0 && var.len() == c && !x.is_empty() && x.len().is_multiple_of(c), "norm: lengths do not fit");
    cpu::statistics(isa, x, mean, var);
}

/// Moves running averages towards a batch's statistics, as PyTorch: `running += momentum·(batch − running)`, with the
/// unbiased variance of the batch's `rows`. PyTorch refuses a single row; here its variance counts as zero.
pub fn update_running(rows: usize, momentum: f32, batch: [&[f32]; 2], running: [&mut [f32]; 2]) {
    let unbias = rows as f64 / (rows.max(2) - 1) as f64;
    for ((batch, running), factor) in batch.into_iter().zip(running).zip([1.0, unbias]) {
        for (b, r) in batch.iter().zip(running) {
            let (new, old) = (f64::from(*b) * factor, f64::from(*r));
            *r = moved(old, new, momentum);
        }
    }
}

/// A running average moved towards `new`; with a momentum of 1 that replaces it, whatever it was, NaN too.
fn moved(old: f64, new: f64, momentum: f32) -> f32 {
    (if momentum == 1.0 { new } else { old + f64::from(momentum) * (new - old) }) as f32
}

/// `y = act(γ·x̂ + β [+ residual])`. `x`, `residual`, `y`: `(rows, c)`; `y` is `(rows, width)` where the norm lies
/// within a wider value.
///
/// # Panics
/// When the lengths do not fit.
pub fn forward<E: Element>(isa: Isa, norm: &Norm<'_>, x: &[E], residual: Option<&[E]>, y: &mut [E]) {
    norm.check();
    assert!(x.len().is_multiple_of(norm.channels()), "norm: not whole rows");
    let outputs = x.len() / norm.channels() * norm.within().width;
    assert!(outputs == y.len() && residual.is_none_or(|r| r.len() == x.len()), "norm: lengths differ");
    cpu::forward(isa, norm, x, residual, y);
}

/// Whether the statistics depend on `x`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Training: they are `x`'s own, and the gradient goes through them.
    OfBatch,
    /// Evaluation: constants.
    Frozen,
}

/// What backward needs of forward.
#[derive(Clone, Copy)]
pub struct Saved<'a, E> {
    pub x: &'a [E],
    /// As forward had it. Unused (may be `None`) without activation, and for relu where `y` is given.
    pub residual: Option<&'a [E]>,
    /// Spares relu the recomputation of what it was applied to; unused otherwise.
    pub y: Option<&'a [E]>,
    pub statistics: Statistics,
}

/// Where the gradients go; `None` for those that nobody wants.
pub struct Grads<'a, E> {
    pub dx: Option<Grad<'a, E>>,
    pub dresidual: Option<Grad<'a, E>>,
    pub dgamma: Option<Grad<'a, f32>>,
    pub dbeta: Option<Grad<'a, f32>>,
}

// Derived, it would ask for `E: Default`.
impl<E> Default for Grads<'_, E> {
    fn default() -> Self {
        Self { dx: None, dresidual: None, dgamma: None, dbeta: None }
    }
}

/// Backward, with `dz = dy·act′`:
///
/// ```text
/// dβ = Σ dz,  dγ = Σ dz·x̂,  dresidual = dz
/// dx = γ·r·(dz − dβ/rows − x̂·dγ/rows)      with the batch's statistics
/// dx = γ·r·dz                              with frozen ones
/// ```
///
/// # Panics
/// When the lengths do not fit.
pub fn backward<E: Element>(isa: Isa, norm: &Norm<'_>, saved: Saved<'_, E>, dy: &[E], grads: Grads<'_, E>) {
    norm.check();
    let (len, c) = (saved.x.len(), norm.channels());
    assert!(len.is_multiple_of(c) && dy.len() == len / c * norm.within().width, "norm: lengths differ");
    assert!(saved.residual.is_none_or(|residual| residual.len() == len), "norm: lengths differ");
    assert!(saved.y.is_none_or(|y| y.len() == dy.len()), "norm: lengths differ");
    for grad in [&grads.dx, &grads.dresidual].into_iter().flatten() {
        assert_eq!(grad.to.len(), len, "norm: lengths differ");
    }
    for grad in [&grads.dgamma, &grads.dbeta].into_iter().flatten() {
        assert_eq!(grad.to.len(), c, "norm: parameters do not match the channels");
    }
    backward::run(isa, norm, saved, dy, grads);
}
