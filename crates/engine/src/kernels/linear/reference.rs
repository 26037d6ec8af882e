//! The slow twin in plain candle ops, whose backward is candle's own.

use candle_core::{Result, Tensor};

/// `scale·x·Wᵀ + b`; `x: (n, inputs)`, `weight: (outputs, inputs)`, `bias: (outputs)`.
///
/// # Errors
/// candle's.
pub fn forward(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, scale: f64) -> Result<Tensor> {
    let y = (x.matmul(&weight.t()?)? * scale)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}
