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
        Act::Silu => z / (z.neg()?.exp()? + 1.0)?,
        Act::Mish => {
            // log(1 + exp z) = max(0, z) + log(1 + exp(−|z|))
            let above = z.gt(0.0)?.where_cond(z, &z.zeros_like()?)?;
            let softplus = (&above + ((z - (&above * 2.0)?)?.exp()? + 1.0)?.log()?)?;
            z * softplus.tanh()?
        }
        Act::LeakyRelu { slope } => z.gt(0.0)?.where_cond(z, &(z * f64::from(slope))?),
        Act::Celu { alpha } => {
            let (zero, alpha) = (z.zeros_like()?, f64::from(alpha));
            // Zeros in place of what is above: their exponential is not used, and would be too large.
            let below = z.gt(0.0)?.where_cond(&zero, z)?;
            z.gt(0.0)?.where_cond(z, &((((below / alpha)?.exp()? - 1.0)?) * alpha)?)
        }
    }
}
