//! The slow twin in plain candle ops, whose backward is candle's own.

use super::Act;
use candle_core::{Result, Tensor};

/// `act(z)`
///
/// # Errors
/// candle's.
pub fn apply(act: Act, z: &Tensor) -> Result<Tensor> {
    match act {
        Act::None => Ok(z.clone()),
        // Not candle's relu, whose derivative at 0 is 1.
        Act::Relu => z.gt(0.0)?.where_cond(z, &z.zeros_like()?),
        Act::Gelu => z.gelu_erf(),
    }
}
