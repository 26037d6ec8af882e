//! The kernel: a row at a time, in `f32`, sums over the batch in `f64`.

use super::{Rule, Score, Target};
use crate::kernels::lanes::{MAX_LANES, padded, spans, store};
use crate::kernels::math::{exp_negative, log_1p_of_share};
use crate::kernels::parallel::{self, Shared};
use crate::kernels::pieces::Pieces;
use crate::kernels::simd::{Kernel, Simd};
use crate::kernels::{Element, Isa};

pub fn score<E: Element>(
    isa: Isa,
    target: Target<'_>,
    logits: &[E],
    gradient: Option<(f32, &mut [E])>,
    losses: Option<&mut [f32]>,
) -> Score {
    let k = target.classes;
    let pieces = Pieces::worth_a_task(target.labels.len(), 8 * k);
    let mut partial = vec![Score::default(); pieces.count()];
    let scores = Shared::new(&mut partial);
    let gradient = gradient.map(|(factor, to)| (factor, Shared::new(to)));
    let losses = losses.map(Shared::new);
    parallel::for_each(pieces.count(), |task| {
        let rows = pieces.get(task);
        // SAFETY: pieces are disjoint.
        let score = unsafe { &mut scores.part(task, 1)[0] };
        let mut scratch = vec![f32::NEG_INFINITY; padded(k)];
        let mut targets = Targets::new(target);
        for row in rows {
            let labels = target.labels(row);
            let z = &mut scratch[..];
            for (z, logit) in z.iter_mut().zip(&logits[row * k..][..k]) {
                *z = logit.to_f32();
            }
            let weight = target.weight(row);
            // SAFETY: rows are disjoint.
            let to = gradient.map(|(factor, to)| (weight * factor, unsafe { to.part(row * k, k) }));
            let loss = match target.rule {
                Rule::CrossEntropy => isa.run(Row { z, k, labels, smoothing: target.smoothing, to }),
                Rule::Binary { .. } => targets.with(labels, |q| isa.run(BinaryRow { z, q, k, to })),
            };
            score.loss += f64::from(weight) * loss;
            if let Some(losses) = losses {
                // SAFETY: likewise.
                unsafe { losses.part(row, 1)[0] = loss as f32 };
            }
            count(&scratch[..k], labels[0].0, score);
        }
    });
    partial.into_iter().fold(Score::default(), |a, b| Score {
        loss: a.loss + b.loss,
        correct: a.correct + b.correct,
        correct_top5: a.correct_top5 + b.correct_top5,
    })
}

fn count(z: &[f32], label: usize, score: &mut Score) {
    if z.iter().any(|v| v.is_nan()) {
        return;
    }
    let better = |(j, v): (usize, &f32)| *v > z[label] || (*v == z[label] && j < label);
    let rank = z.iter().enumerate().filter(|entry| better(*entry)).count();
    score.correct += usize::from(rank == 0);
    score.correct_top5 += usize::from(rank < 5);
}

struct Row<'a, E> {
    /// `k` logits, then −∞ up to whole vectors.
    z: &'a [f32],
    k: usize,
    labels: [(usize, f32); 2],
    smoothing: f32,
    to: Option<(f32, &'a mut [E])>,
}

impl<E: Element> Kernel for Row<'_, E> {
    type Out = f64;
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let (z, k) = (self.z, self.k);
        // A share of nothing must not meet an infinite logit.
        let labels = || self.labels.into_iter().filter(|(_, share)| *share > 0.0);
        let top = z.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        // SAFETY: `z` is padded to whole vectors; `to` has `k` entries.
        unsafe {
            let shift = S::splat(top);
            let mut sums = S::splat(0.0);
            for (at, _) in spans::<S>(k) {
                sums = S::add(sums, exp_negative::<S>(S::sub(S::load(z.as_ptr().add(at)), shift)));
            }
            let sum = S::sum(sums);
            let spread = self.smoothing / k as f32;
            if let Some((factor, to)) = self.to {
                for (at, n) in spans::<S>(k) {
                    let e = exp_negative::<S>(S::sub(S::load(z.as_ptr().add(at)), shift));
                    let d = S::sub(S::div(e, S::splat(sum)), S::splat(spread));
                    store::<S, E>(to.as_mut_ptr().add(at), n, S::mul(d, S::splat(factor)));
                }
                // The labels' own entries once more, so that they round once in narrow types too.
                for (label, share) in labels() {
                    let mut e = [0.0f32; MAX_LANES];
                    S::store(e.as_mut_ptr(), exp_negative::<S>(S::splat(z[label] - top)));
                    to[label] = E::from_f32((e[0] / sum - spread - (1.0 - self.smoothing) * share) * factor);
                }
            }
            let log_sum = f64::from(top) + f64::from(sum).ln();
            let mean = z[..k].iter().map(|v| f64::from(*v)).sum::<f64>() / k as f64;
            let smoothing = f64::from(self.smoothing);
            let of_labels: f64 = labels().map(|(label, share)| f64::from(share) * f64::from(z[label])).sum();
            let expected = (1.0 - smoothing) * of_labels;
            // ε = 0 must not meet an infinite mean.
            log_sum - if smoothing > 0.0 { expected + smoothing * mean } else { expected }
        }
    }
}

/// What each class of an image is to be, for binary cross-entropy.
struct Targets<'a> {
    of: Target<'a>,
    /// That of a class that the image has no share of, `k` times, then zeros up to whole vectors.
    q: Vec<f32>,
}

impl<'a> Targets<'a> {
    fn new(of: Target<'a>) -> Self {
        let mut targets = Self { of, q: Vec::new() };
        if of.rule != Rule::CrossEntropy {
            targets.q = vec![targets.of_share(0.0); of.classes];
            targets.q.resize(padded(of.classes), 0.0);
        }
        targets
    }

    fn of_share(&self, share: f32) -> f32 {
        self.of.rule.target(share, self.of.smoothing, self.of.classes)
    }

    /// Has `look` see those of an image with these labels.
    fn with(&mut self, labels: [(usize, f32); 2], look: impl FnOnce(&[f32]) -> f64) -> f64 {
        // A label that comes twice has its share once.
        let shares = labels.into_iter().filter(|(_, share)| *share > 0.0);
        for (label, share) in shares.clone() {
            self.q[label] = self.of_share(share);
        }
        let seen = look(&self.q);
        for (label, _) in shares {
            self.q[label] = self.of_share(0.0);
        }
        seen
    }
}

struct BinaryRow<'a, E> {
    /// `k` logits, and as many targets, each up to whole vectors.
    z: &'a [f32],
    q: &'a [f32],
    k: usize,
    to: Option<(f32, &'a mut [E])>,
}

impl<E: Element> Kernel for BinaryRow<'_, E> {
    type Out = f64;
    /// With `w` the weight of the answer that the logit speaks against, `1 − q` where it is positive and `q` elsewhere, a class has the
    /// loss `w·|z| + log(1 + e^−|z|)` and the gradient `±(w − σ(−|z|))`: nothing overflows, and nothing cancels but what is nearly right.
    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let Self { z, q, k, mut to } = self;
        let mut sum = 0.0;
        // SAFETY: `z` and `q` are padded to whole vectors; `to` has `k` entries.
        unsafe {
            let (zero, one) = (S::splat(0.0), S::splat(1.0));
            for (at, n) in spans::<S>(k) {
                let (z, q) = (S::load(z.as_ptr().add(at)), S::load(q.as_ptr().add(at)));
                let w = S::select_gt(z, zero, S::sub(one, q), q);
                let size = S::max(S::sub(zero, z), z);
                let e = exp_negative::<S>(S::sub(zero, size));
                // A weight of nothing must not meet an infinite logit.
                let against = S::select_gt(w, zero, S::mul(w, size), zero);
                let mut terms = [0.0f32; MAX_LANES];
                S::store(terms.as_mut_ptr(), S::add(against, log_1p_of_share::<S>(e)));
                sum += terms[..n].iter().map(|term| f64::from(*term)).sum::<f64>();
                if let Some((factor, to)) = &mut to {
                    let s = S::div(e, S::add(one, e));
                    let d = S::select_gt(z, zero, S::sub(w, s), S::sub(s, w));
                    let factor = S::splat(*factor / k as f32);
                    store::<S, E>(to.as_mut_ptr().add(at), n, S::mul(d, factor));
                }
            }
        }
        sum / k as f64
    }
}
