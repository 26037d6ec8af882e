//! The slow twin in plain candle ops, whose backward is candle's own.

use crate::kernels::activation::{Act, reference as activation};
use candle_core::{Result, Tensor};

/// What is fused with the normalisation; `gamma` and `beta` are `(c)`, `residual` is `(rows, c)`.
#[derive(Clone, Copy, Default)]
pub struct Fused<'a> {
    pub gamma: Option<&'a Tensor>,
    pub beta: Option<&'a Tensor>,
    pub residual: Option<&'a Tensor>,
    pub act: Act,
}

/// Mean and biased variance over the rows of `x: (rows, c)`.
///
/// # Errors
/// candle's.
pub fn statistics(x: &Tensor) -> Result<[Tensor; 2]> {
    let mean = x.mean(0)?;
    let var = x.broadcast_sub(&mean)?.sqr()?.mean(0)?;
    Ok([mean, var])
}

/// `act(γ·(x − μ)/√(σ² + ε) + β [+ residual])`
///
/// # Errors
/// candle's.
pub fn forward(x: &Tensor, [mean, var]: &[Tensor; 2], eps: f64, fused: Fused<'_>) -> Result<Tensor> {
    let mut z = x.broadcast_sub(mean)?.broadcast_div(&(var + eps)?.sqrt()?)?;
    if let Some(gamma) = fused.gamma {
        z = z.broadcast_mul(gamma)?;
    }
    if let Some(beta) = fused.beta {
        z = z.broadcast_add(beta)?;
    }
    if let Some(residual) = fused.residual {
        z = (z + residual)?;
    }
    activation::apply(fused.act, &z)
}
