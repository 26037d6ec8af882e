//! Cross-entropy with label smoothing, and the counts that accuracies are made of.
//!
//! For logits `z` of `k` classes, label `t`, smoothing `ε`, as PyTorch's `cross_entropy(label_smoothing)`:
//!
//! ```text
//! loss = −Σⱼ qⱼ·log pⱼ,  p = softmax(z),  qⱼ = (1 − ε)·[j = t] + ε/k
//! dz   = factor·(p − q)
//! ```

mod cpu;
pub mod reference;
#[cfg(test)]
mod tests;

use super::{Element, Isa};

/// The labels of a batch and how they count.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub labels: &'a [u32],
    pub classes: usize,
    /// ε, in `0..1`.
    pub smoothing: f32,
}

/// Sums over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Σ loss. NaN when any logit is.
    pub loss: f64,
    /// Images whose label has the largest logit; the first class wins a tie. A row with NaN is not correct.
    pub correct: usize,
    /// Images whose label is among the five largest.
    pub correct_top5: usize,
}

/// The loss of `logits: (n, classes)`.
///
/// # Panics
/// When lengths do not fit, or a label is none of the classes.
pub fn score<E: Element>(isa: Isa, target: Target<'_>, logits: &[E]) -> Score {
    check(target, logits.len());
    cpu::score(isa, target, logits, None)
}

/// The loss, and its gradient times `factor` (`1/n`: that of the mean over the batch) into `dlogits`.
///
/// # Panics
/// As [`score`].
pub fn score_and_gradient<E: Element>(
    isa: Isa,
    target: Target<'_>,
    logits: &[E],
    factor: f32,
    dlogits: &mut [E],
) -> Score {
    check(target, logits.len());
    assert_eq!(dlogits.len(), logits.len(), "loss: lengths differ");
    cpu::score(isa, target, logits, Some((factor, dlogits)))
}

fn check(target: Target<'_>, logits: usize) {
    let Target { labels, classes, .. } = target;
    assert!(classes > 0 && logits == labels.len() * classes, "loss: {logits} logits for {} labels", labels.len());
    for label in labels {
        assert!((*label as usize) < classes, "loss: label {label} of {classes} classes");
    }
}
