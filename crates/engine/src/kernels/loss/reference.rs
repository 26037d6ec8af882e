//! The slow twins in plain candle ops, whose backward is candle's own.

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

/// Each row's binary loss, the mean over classes of `−q·log σ(z) − (1 − q)·log σ(−z)`; `logits` and `targets`: `(n, k)`.
///
/// # Errors
/// candle's.
pub fn binary_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    // log σ(z) = min(z, 0) − log(1 + e^−|z|), and log σ(−z) is that less z.
    let log_sigmoid = (logits.neg()?.relu()?.neg()? - (logits.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    let against = (targets.affine(-1.0, 1.0)? * logits)?;
    (against - log_sigmoid)?.mean(D::Minus1)
}
