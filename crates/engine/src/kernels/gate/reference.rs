//! The slow twin in plain candle ops, whose backward is candle's own.

use candle_core::{Result, Tensor};

/// `x·σ(g)` of `x: (n, pixels, c)` and `g: (n, 1, c)`.
///
/// # Errors
/// candle's.
pub fn apply(x: &Tensor, g: &Tensor) -> Result<Tensor> {
    x.broadcast_mul(&(g.neg()?.exp()? + 1.0)?.recip()?)
}
