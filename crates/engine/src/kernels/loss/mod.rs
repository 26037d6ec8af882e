//! Cross-entropy and binary cross-entropy with label smoothing, and the counts that accuracies are made of.
//!
//! For logits `z` of `k` classes, label `t`, smoothing `ε`, as PyTorch's `cross_entropy(label_smoothing)`:
//!
//! ```text
//! loss = −Σⱼ qⱼ·log pⱼ,  p = softmax(z),  qⱼ = (1 − ε)·[j = t] + ε/k
//! dz   = factor·(p − q)
//! ```
//!
//! An image that is a mixture of two has the two labels with shares `λ` and `1 − λ`, and the loss
//! `λ·loss(a) + (1 − λ)·loss(b)`: in `q`, `λ·[j = a] + (1 − λ)·[j = b]` in place of `[j = t]`, as PyTorch's `cross_entropy`
//! with probabilities for a target. What counts as correct is the label of the larger share, the first of equals.
//!
//! Binary cross-entropy ([`Rule::Binary`]) asks of each class by itself whether the image has it, with the same `q`, or, with a
//! threshold, 1 where that is above it and 0 elsewhere; an image's loss is the mean over classes, so that the mean over images is
//! PyTorch's `BCEWithLogitsLoss`, and timm's `BinaryCrossEntropy` with its `target_threshold`:
//!
//! ```text
//! loss = −(1/k)·Σⱼ (qⱼ·log σ(zⱼ) + (1 − qⱼ)·log σ(−zⱼ)),  σ(z) = 1/(1 + e⁻ᶻ)
//! dz   = factor/k·(σ(z) − q)
//! ```
//!
//! Where images have weights, both are multiplied by an image's own: the sum is `Σᵢ wᵢ·lossᵢ`, whose gradient is `wᵢ·dzᵢ`.

mod cpu;
pub mod reference;
#[cfg(test)]
mod tests;

use super::{Element, Isa};

/// What the loss of an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rule {
    /// That of a softmax over the classes.
    #[default]
    CrossEntropy,
    /// That of each class by itself, in the mean over classes.
    Binary {
        /// In `0..1`: targets above it become 1, all others 0.
        threshold: Option<f32>,
    },
}

impl Rule {
    /// The target `q` of a class that has such a share of an image, in `0..=1`, among so many classes: `(1 − ε)·share + ε/k`, held
    /// against the threshold where there is one.
    pub fn target(self, share: f32, smoothing: f32, classes: usize) -> f32 {
        let smoothing = f64::from(smoothing);
        let soft = ((1.0 - smoothing) * f64::from(share) + smoothing / classes as f64) as f32;
        match self {
            Self::Binary { threshold: Some(threshold) } => f32::from(u8::from(soft > threshold)),
            Self::Binary { threshold: None } | Self::CrossEntropy => soft,
        }
    }
}

/// The labels of a batch and how they count.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub rule: Rule,
    pub labels: &'a [u32],
    pub classes: usize,
    /// ε, in `0..1`.
    pub smoothing: f32,
    /// Where images are mixtures of two.
    pub mixed: Option<Mixed<'a>>,
    /// How much each image's loss counts; 1 where there are none.
    pub weights: Option<&'a [f32]>,
}

/// Second labels.
#[derive(Clone, Copy, Debug)]
pub struct Mixed<'a> {
    pub labels: &'a [u32],
    /// The share λ of the first ones, in `0..=1`.
    pub own: f32,
}

impl<'a> Target<'a> {
    /// Of whole images that count alike, without smoothing.
    pub fn plain(rule: Rule, labels: &'a [u32], classes: usize) -> Self {
        Self { rule, labels, classes, smoothing: 0.0, mixed: None, weights: None }
    }

    /// An image's labels with their shares, that of the larger first; none twice with a share.
    fn labels(&self, image: usize) -> [(usize, f32); 2] {
        let first = self.labels[image] as usize;
        let Some(Mixed { labels, own }) = self.mixed else { return [(first, 1.0), (first, 0.0)] };
        let second = labels[image] as usize;
        match own {
            _ if first == second => [(first, 1.0), (first, 0.0)],
            own if own >= 0.5 => [(first, own), (second, 1.0 - own)],
            own => [(second, 1.0 - own), (first, own)],
        }
    }

    fn weight(&self, image: usize) -> f32 {
        self.weights.map_or(1.0, |weights| weights[image])
    }
}

/// Sums over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Σ loss, each times its weight. NaN when any logit is.
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
    cpu::score(isa, target, logits, None, None)
}

/// The loss, and its gradient times `factor` (`1/n`: that of the mean over the batch) into `dlogits`. Binary cross-entropy
/// divides that by the classes once more, as its loss is a mean over them.
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
    cpu::score(isa, target, logits, Some((factor, dlogits)), None)
}

/// As [`score_and_gradient`], and the loss of each image, whatever its weight, into `losses`.
///
/// # Panics
/// As there.
pub fn score_gradient_and_losses<E: Element>(
    isa: Isa,
    target: Target<'_>,
    logits: &[E],
    factor: f32,
    dlogits: &mut [E],
    losses: &mut [f32],
) -> Score {
    check(target, logits.len());
    assert_eq!([dlogits.len(), losses.len()], [logits.len(), target.labels.len()], "loss: lengths differ");
    cpu::score(isa, target, logits, Some((factor, dlogits)), Some(losses))
}

fn check(target: Target<'_>, logits: usize) {
    let Target { labels, classes, mixed, weights, .. } = target;
    assert!(weights.is_none_or(|weights| weights.len() == labels.len()), "loss: a weight for each image");
    assert!(classes > 0 && logits == labels.len() * classes, "loss: {logits} logits for {} labels", labels.len());
    let second = mixed.map_or(&[][..], |mixed| mixed.labels);
    assert!(mixed.is_none() || second.len() == labels.len(), "loss: {} second labels", second.len());
    assert!(mixed.is_none_or(|mixed| (0.0..=1.0).contains(&mixed.own)), "loss: shares of no mixture");
    for label in labels.iter().chain(second) {
        assert!((*label as usize) < classes, "loss: label {label} of {classes} classes");
    }
}
