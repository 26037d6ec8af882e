//! The slow twin in plain candle ops, whose backward is candle's own.

use candle_core::{D, Result, Tensor};

/// Each row's loss: `−Σⱼ qⱼ·log pⱼ`; `logits: (n, k)`, `labels: (n)` of `u32`.
///
/// # Errors
/// candle's.
pub fn losses(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<Tensor> {
    let log_p = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    let of_label = log_p.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?;
    ((of_label * (smoothing - 1.0))? - (log_p.mean(D::Minus1)? * smoothing)?)?.contiguous()
}
