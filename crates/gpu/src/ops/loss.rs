//! Cross-entropy with label smoothing, binary cross-entropy, and the counts that accuracies are made of.
//!
//! For logits `z` of `k` classes, label `t`, smoothing `ε`, as PyTorch's `cross_entropy(label_smoothing)`:
//!
//! ```text
//! loss = −Σⱼ qⱼ·log pⱼ,  p = softmax(z),  qⱼ = (1 − ε)·[j = t] + ε/k
//! dz   = factor·(p − q)
//! ```
//!
//! An image that is a mixture of two has the two labels with shares `λ` and `1 − λ`, and the loss
//! `λ·loss(a) + (1 − λ)·loss(b)`: in `q`, `λ·[j = a] + (1 − λ)·[j = b]` in place of `[j = t]`. What counts as correct is
//! the label of the larger share, the first of equals.
//!
//! Of binary cross-entropy the targets `q` are given ([`Targets`]), and an image's loss is the mean over classes:
//!
//! ```text
//! loss = −(1/k)·Σⱼ (qⱼ·log σ(zⱼ) + (1 − qⱼ)·log σ(−zⱼ)),  σ(z) = 1/(1 + e⁻ᶻ)
//! dz   = factor/k·(σ(z) − q)
//! ```

use super::address;
use crate::device::{Args, DType, Device, Error, Grid, THREADS, View, kernel, typed_kernel};

typed_kernel!(ROWS = loss_rows_f32, loss_rows_bf16, loss_rows_f16);
typed_kernel!(BINARY_ROWS = loss_binary_rows_f32, loss_binary_rows_bf16, loss_binary_rows_f16);
kernel!(ADD_UP = loss_total);

#[repr(C)]
#[derive(Clone, Copy)]
struct RowsArgs {
    rows: u64,
    classes: u64,
    logits: u64,
    labels: u64,
    second: u64,
    weights: u64,
    gradient: u64,
    losses: u64,
    counts: u64,
    own: f32,
    smoothing: f32,
    factor: f32,
    width: u32,
}
// SAFETY: as `LossRows` of loss.cu.
unsafe impl Args for RowsArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct BinaryRowsArgs {
    rows: u64,
    classes: u64,
    logits: u64,
    labels: u64,
    second: u64,
    weights: u64,
    gradient: u64,
    losses: u64,
    counts: u64,
    own: f32,
    targets: Targets,
    factor: f32,
    width: u32,
}
// SAFETY: as `LossBinaryRows` of loss.cu.
unsafe impl Args for BinaryRowsArgs {}

impl RowsArgs {
    /// The same rows against such targets.
    fn binary(self, targets: Targets) -> BinaryRowsArgs {
        let Self {
            rows, classes, logits, labels, second, weights, gradient, losses, counts, own, factor, width, ..
        } = self;
        BinaryRowsArgs {
            rows,
            classes,
            logits,
            labels,
            second,
            weights,
            gradient,
            losses,
            counts,
            own,
            targets,
            factor: factor / classes as f32,
            width,
        }
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
struct TotalArgs {
    rows: u64,
    losses: u64,
    counts: u64,
    weights: u64,
    total: u64,
    add: u32,
}
// SAFETY: as `LossTotal` of loss.cu.
unsafe impl Args for TotalArgs {}

/// What the loss of an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Rule {
    /// That of a softmax over the classes.
    #[default]
    CrossEntropy,
    /// That of each class by itself, against these targets, in the mean over classes.
    Binary(Targets),
}

/// The targets of binary cross-entropy, each in `0..=1`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Targets {
    /// Of a class that an image has no share of.
    pub none: f32,
    /// Of one that has all of it.
    pub all: f32,
    /// Of the first and of the second label of a mixture, where these are two classes.
    pub first: f32,
    pub second: f32,
}

/// The labels of a batch and how they count.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub rule: Rule,
    /// `u32`, one an image. One that is none of the classes makes the loss NaN.
    pub labels: View<'a>,
    pub classes: usize,
    /// ε, in `0..1`; of binary cross-entropy it is part of the targets, and not looked at.
    pub smoothing: f32,
    /// Where images are mixtures of two.
    pub mixed: Option<Mixed<'a>>,
    /// `f32`, one an image: how much its loss and its gradient count; 1 where there are none.
    pub weights: Option<View<'a>>,
}

/// Second labels.
#[derive(Clone, Copy, Debug)]
pub struct Mixed<'a> {
    /// As [`Target::labels`].
    pub labels: View<'a>,
    /// The share λ of the first ones, in `0..=1`.
    pub own: f32,
}

/// Sums over a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Σ loss, each times its weight. NaN when any logit is.
    pub loss: f64,
    /// Images whose label has the largest logit; the first class wins a tie. A row with NaN is not correct.
    pub correct: u64,
    /// Images whose label is among the five largest.
    pub correct_top5: u64,
}

/// Words of `u32` that a [`Score`] takes on a device, where it is three doubles.
pub const TOTAL: usize = 6;

/// Words of `u32` that [`score`] uses for so many images.
pub fn scratch(images: usize) -> usize {
    3 * images
}

/// Words of `u32` at the beginning of those, where [`score`] leaves the loss of each image, whatever its weight: doubles.
pub fn of_images(images: usize) -> usize {
    2 * images
}

/// The loss of `logits: (n, classes)`, put into `total`, or added to what is there (zeros are no images); and with
/// `gradient` its gradient times that factor (`1/n`: that of the mean over the batch), shaped and typed as the logits,
/// whose memory it may take.
///
/// `total` and `space` are words of `u32` at addresses that are multiples of 8: [`TOTAL`] of them, and [`scratch()`]
/// of the images.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit, or a share or the smoothing is none.
pub fn score(
    device: &Device,
    target: Target<'_>,
    logits: View<'_>,
    gradient: Option<(f32, View<'_>)>,
    space: View<'_>,
    total: View<'_>,
    add: bool,
) -> Result<(), Error> {
    let Target { rule, labels, classes, smoothing, mixed, weights } = target;
    let (dtype, images) = (logits.dtype(), labels.len());
    assert!(classes > 0 && classes < 1 << 32, "loss of {classes} classes");
    assert!(mixed.is_none_or(|mixed| (0.0..=1.0).contains(&mixed.own)), "loss: shares of no mixture");
    assert!((0.0..1.0).contains(&smoothing), "loss: smoothing of {smoothing}");
    let (losses, total) = (space.expect(DType::U32, scratch(images)), total.expect(DType::U32, TOTAL));
    assert!(losses.is_multiple_of(8) && total.is_multiple_of(8), "loss: doubles out of line");
    let counts = space.part(of_images(images)..scratch(images)).address();
    let weights = address(weights, DType::F32, images);
    let args = RowsArgs {
        rows: images as u64,
        classes: classes as u64,
        logits: logits.expect(dtype, images * classes),
        labels: labels.expect(DType::U32, images),
        second: address(mixed.map(|mixed| mixed.labels), DType::U32, images),
        weights,
        gradient: address(gradient.map(|(_, to)| to), dtype, images * classes),
        losses,
        counts,
        own: mixed.map_or(1.0, |mixed| mixed.own),
        smoothing,
        factor: gradient.map_or(0.0, |(factor, _)| factor),
        width: classes.next_power_of_two().min(THREADS as usize) as u32,
    };
    let grid = Grid::blocks(images.div_ceil((THREADS / args.width) as usize), 1);
    match rule {
        // SAFETY: the operands have the lengths of `images` rows of `classes`; the kernel minds labels that are none.
        Rule::CrossEntropy => unsafe { device.launch(ROWS.of(dtype), grid, &args)? },
        // SAFETY: likewise.
        Rule::Binary(targets) => unsafe { device.launch(BINARY_ROWS.of(dtype), grid, &args.binary(targets))? },
    }
    let args = TotalArgs { rows: images as u64, losses, counts, weights, total, add: add.into() };
    // SAFETY: losses and counts are of `images` rows, the total is three doubles.
    unsafe { device.launch(&ADD_UP, Grid::blocks(1, 1), &args) }
}

/// Waits for all work, and reads what [`score`] put into `total`.
///
/// # Errors
/// Those of the driver, and of work before.
///
/// # Panics
/// When it is not [`TOTAL`] words.
pub fn read(device: &Device, total: View<'_>) -> Result<Score, Error> {
    let mut sums = [0.0f64; 3];
    device.read(total, &mut sums)?;
    Ok(Score { loss: sums[0], correct: sums[1] as u64, correct_top5: sums[2] as u64 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    /// Labels in memory.
    fn words(device: &Device, values: &[u32]) -> crate::Buffer {
        let buffer = device.allocate(DType::U32, values.len()).unwrap();
        device.write(buffer.view(), values).unwrap();
        buffer
    }

    /// What a device makes of it: the sums, and the gradient where there is a factor.
    fn scored(
        device: &Device,
        dtype: DType,
        of: (&[u32], Option<(&[u32], f32)>),
        smoothing: f32,
        logits: &[f32],
        factor: Option<f32>,
    ) -> (Score, Vec<f32>) {
        scored_by(Rule::CrossEntropy, device, dtype, of, smoothing, logits, factor)
    }

    /// The same by that rule.
    fn scored_by(
        rule: Rule,
        device: &Device,
        dtype: DType,
        (labels, second): (&[u32], Option<(&[u32], f32)>),
        smoothing: f32,
        logits: &[f32],
        factor: Option<f32>,
    ) -> (Score, Vec<f32>) {
        let labels_at = words(device, labels);
        let second = second.map(|(labels, own)| (words(device, labels), own));
        let target = Target {
            rule,
            labels: labels_at.view(),
            classes: logits.len() / labels.len(),
            smoothing,
            mixed: second.as_ref().map(|(labels, own)| Mixed { labels: labels.view(), own: *own }),
            weights: None,
        };
        let logits_at = upload(device, dtype, logits);
        let gradient = device.allocate(dtype, logits.len()).unwrap();
        let space = device.allocate(DType::U32, scratch(labels.len())).unwrap();
        let total = device.allocate(DType::U32, TOTAL).unwrap();
        let to = factor.map(|factor| (factor, gradient.view()));
        score(device, target, logits_at.view(), to, space.view(), total.view(), false).unwrap();
        (read(device, total.view()).unwrap(), device.read_f32(gradient.view()).unwrap())
    }

    /// `−Σⱼ qⱼ·log pⱼ` and `p − q`.
    fn plain(z: &[f32], q: &[f64]) -> (f64, Vec<f64>) {
        let top = z.iter().fold(f64::NEG_INFINITY, |top, z| top.max(f64::from(*z)));
        let sum: f64 = z.iter().map(|z| (f64::from(*z) - top).exp()).sum();
        let log_p = |z: &f32| f64::from(*z) - top - sum.ln();
        let loss = z.iter().zip(q).map(|(z, q)| -q * log_p(z)).sum();
        (loss, z.iter().zip(q).map(|(z, q)| log_p(z).exp() - q).collect())
    }

    #[test]
    fn sums_and_gradients_are_those_of_plain_loops() {
        let shapes = [(1, 1), (3, 1), (1, 2), (7, 10), (33, 17), (300, 10), (20, 257), (9, 1000)];
        for (device, dtype) in devices() {
            for (seed, (n, classes)) in shapes.into_iter().enumerate() {
                let logits: Vec<f32> = noise(seed as u64, n * classes).iter().map(|z| 4.0 * z).collect();
                let logits = rounded(dtype, &logits);
                // Some images are mixed with their own class.
                let [labels, second] =
                    [7, 11].map(|step| (0..n).map(|k| (k * step % classes) as u32).collect::<Vec<u32>>());
                let mixtures = [None, Some(0.7), Some(0.5), Some(0.2), Some(1.0), Some(0.0)];
                for (own, smoothing) in mixtures.into_iter().flat_map(|own| [0.0f32, 0.1].map(|s| (own, s))) {
                    let share = f64::from(own.unwrap_or(1.0f32));
                    let (mut loss, mut grads, mut correct) = (0.0, Vec::new(), [0, 0]);
                    for (k, z) in logits.chunks(classes).enumerate() {
                        let epsilon = f64::from(smoothing);
                        let mut q = vec![epsilon / classes as f64; classes];
                        q[labels[k] as usize] += (1.0 - epsilon) * share;
                        q[second[k] as usize] += (1.0 - epsilon) * (1.0 - share);
                        let (of_row, grad) = plain(z, &q);
                        loss += of_row;
                        grads.extend(grad.iter().map(|d| d / n as f64));
                        let label = if share >= 0.5 { labels[k] } else { second[k] } as usize;
                        let before = |j: usize| z[j] > z[label] || z[j] == z[label] && j < label;
                        let rank = (0..classes).filter(|j| before(*j)).count();
                        correct[0] += u64::from(rank == 0);
                        correct[1] += u64::from(rank < 5);
                    }
                    let of = (&labels[..], own.map(|own| (&second[..], own)));
                    let factor = 1.0 / n as f32;
                    let (got, gradient) = scored(&device, dtype, of, smoothing, &logits, Some(factor));
                    let what = format!("{dtype:?} {n}×{classes} {own:?} {smoothing}");
                    assert!(
                        (got.loss - loss).abs() <= 1e-6 * loss.abs().max(0.1),
                        "{what}: {} is not {loss}",
                        got.loss
                    );
                    assert_eq!([got.correct, got.correct_top5], correct, "{what}");
                    // What cancels in p − q stays with the rounding of p; the smallest halves are multiples of 2⁻²⁴.
                    let smallest = if dtype == DType::F16 { 2f64.powi(-25) } else { 0.0 };
                    let most = 4e-7 / n as f64 + smallest;
                    let largest = grads.iter().fold(1e-30, |most: f64, d| most.max(d.abs()));
                    close(&gradient, &grads, dtype, (most / largest).max(1e-6));
                    assert_eq!(scored(&device, dtype, of, smoothing, &logits, None).0, got, "{what}");
                }
            }
        }
    }

    #[test]
    fn counts_and_ties_and_nan() {
        let logits = [
            3.0f32, 3.0, 1.0, 0.0, -1.0, -2.0, -3.0, // label 1: tied for first, the lower class wins
            0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, // label 6: first
            0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, // label 1: sixth
            0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, // label 2: fifth
        ];
        for (device, dtype) in devices() {
            let run =
                |labels: &[u32; 4], logits: &[f32]| scored(&device, dtype, (labels, None), 0.0, logits, Some(1.0)).0;
            let got = run(&[1, 6, 1, 2], &logits);
            assert_eq!((got.correct, got.correct_top5), (1, 3));
            let got = run(&[1, 6, 1, 2], &logits.map(|z| if z == 6.0 { f32::NAN } else { z }));
            assert!(got.loss.is_nan());
            assert_eq!((got.correct, got.correct_top5), (0, 1));
            // What is none of the classes is not read, and shows.
            let got = run(&[1, 7, 1, u32::MAX], &logits);
            assert!(got.loss.is_nan());
            assert_eq!((got.correct, got.correct_top5), (0, 1));
        }
    }

    #[test]
    fn far_logits_neither_overflow_nor_vanish_nor_meet_shares_of_nothing() {
        for (device, dtype) in devices() {
            let (got, gradient) = scored(&device, dtype, (&[1], None), 0.0, &[8192.0, -8192.0, 0.0], Some(1.0));
            assert!((got.loss - 16384.0).abs() < 1e-6, "{}", got.loss);
            close(&gradient, &[1.0, -1.0, 0.0], dtype, 1e-7);
            let infinite = [1.0, f32::NEG_INFINITY, 1.0];
            let (got, _) = scored(&device, dtype, (&[0], Some((&[1], 1.0))), 0.0, &infinite, None);
            assert!((got.loss - 2f64.ln()).abs() < 1e-6, "{}", got.loss);
            let (got, _) = scored(&device, dtype, (&[0], None), 0.1, &infinite, None);
            assert!(got.loss == f64::INFINITY);
        }
    }

    #[test]
    fn totals_add_up_over_batches_and_gradients_may_lie_on_the_logits() {
        for (device, dtype) in devices() {
            let (n, classes) = (5, 10);
            let logits = rounded(dtype, &noise(1, n * classes));
            let labels: Vec<u32> = (0..n as u32).collect();
            let (once, gradient) = scored(&device, dtype, (&labels, None), 0.1, &logits, Some(0.5));
            let labels_at = words(&device, &labels);
            let rule = Rule::CrossEntropy;
            let target = Target { rule, labels: labels_at.view(), classes, smoothing: 0.1, mixed: None, weights: None };
            let logits_at = upload(&device, dtype, &logits);
            let space = device.allocate(DType::U32, scratch(n)).unwrap();
            let total = device.zeros(DType::U32, TOTAL).unwrap();
            score(&device, target, logits_at.view(), None, space.view(), total.view(), true).unwrap();
            let to = Some((0.5, logits_at.view()));
            score(&device, target, logits_at.view(), to, space.view(), total.view(), true).unwrap();
            let twice = Score { loss: 2.0 * once.loss, correct: 2 * once.correct, correct_top5: 2 * once.correct_top5 };
            assert_eq!(read(&device, total.view()).unwrap(), twice);
            assert_eq!(device.read_f32(logits_at.view()).unwrap(), gradient);
        }
    }

    /// An image that counts `w` times as much has `w` times the loss and the gradient; its own loss is told as it is.
    #[test]
    fn weights_multiply_what_an_image_counts() {
        let binary = Rule::Binary(Targets { none: 0.01, all: 0.91, first: 0.5, second: 0.5 });
        for (device, dtype) in devices() {
            let (n, classes) = (37, 11);
            let logits = rounded(dtype, &noise(3, n * classes));
            let labels: Vec<u32> = (0..n as u32).map(|k| k * 7 % classes as u32).collect();
            // Powers of two, which round nothing.
            let weights: Vec<f32> = (0..n).map(|k| [1.0, 2.0, 0.0, 0.5][k % 4]).collect();
            let (labels_at, weights_at) = (words(&device, &labels), upload(&device, DType::F32, &weights));
            for rule in [Rule::CrossEntropy, binary] {
                let logits_at = upload(&device, dtype, &logits);
                let space = device.allocate(DType::U32, scratch(n)).unwrap();
                let total = device.allocate(DType::U32, TOTAL).unwrap();
                let weights_at = Some(weights_at.view());
                let target = Target {
                    rule,
                    labels: labels_at.view(),
                    classes,
                    smoothing: 0.1,
                    mixed: None,
                    weights: weights_at,
                };
                let to = Some((0.25, logits_at.view()));
                score(&device, target, logits_at.view(), to, space.view(), total.view(), false).unwrap();
                let (got, gradient) =
                    (read(&device, total.view()).unwrap(), device.read_f32(logits_at.view()).unwrap());
                let mut losses = vec![0.0f64; n];
                device.read(space.first(DType::U32, of_images(n)), &mut losses).unwrap();
                let mut sum = 0.0;
                for (k, row) in logits.chunks_exact(classes).enumerate() {
                    let factor = Some(0.25 * weights[k]);
                    let (alone, of_row) = scored_by(rule, &device, dtype, (&labels[k..][..1], None), 0.1, row, factor);
                    assert_eq!(of_row, gradient[k * classes..][..classes], "{dtype:?} {rule:?} image {k}");
                    assert_eq!(losses[k], alone.loss, "{dtype:?} {rule:?} image {k}");
                    sum += f64::from(weights[k]) * alone.loss;
                }
                assert!((got.loss - sum).abs() < 1e-12 * sum.abs(), "{dtype:?} {rule:?}: {} is not {sum}", got.loss);
            }
        }
    }

    /// `−(1/k)·Σⱼ (qⱼ·log σ(zⱼ) + (1 − qⱼ)·log σ(−zⱼ))` and `(σ(z) − q)/k`.
    fn plain_binary(z: &[f32], q: &[f64]) -> (f64, Vec<f64>) {
        let k = z.len() as f64;
        let log_sigmoid = |z: f64| z.min(0.0) - (-z.abs()).exp().ln_1p();
        let each = |(z, q): (&f32, &f64)| {
            let z = f64::from(*z);
            (-q * log_sigmoid(z) - (1.0 - q) * log_sigmoid(-z), (1.0 / (1.0 + (-z).exp()) - q) / k)
        };
        let (losses, grads): (Vec<f64>, Vec<f64>) = z.iter().zip(q).map(each).unzip();
        (losses.iter().sum::<f64>() / k, grads)
    }

    #[test]
    fn binary_sums_and_gradients_are_those_of_plain_loops() {
        let shapes = [(1, 1), (3, 1), (1, 2), (7, 10), (33, 17), (20, 257), (9, 1000)];
        let targets = [
            Targets { none: 0.0, all: 1.0, first: 0.7, second: 0.3 },
            Targets { none: 0.01, all: 0.91, first: 0.19, second: 0.73 },
            Targets { none: 0.0, all: 1.0, first: 1.0, second: 1.0 },
        ];
        for (device, dtype) in devices() {
            for (seed, (n, classes)) in shapes.into_iter().enumerate() {
                let logits: Vec<f32> = noise(seed as u64, n * classes).iter().map(|z| 4.0 * z).collect();
                let logits = rounded(dtype, &logits);
                let [labels, second] =
                    [7, 11].map(|step| (0..n).map(|k| (k * step % classes) as u32).collect::<Vec<u32>>());
                for (own, targets) in [None, Some(0.7), Some(0.2)].into_iter().zip(targets) {
                    let (mut loss, mut grads) = (0.0, Vec::new());
                    for (k, z) in logits.chunks(classes).enumerate() {
                        let mut q = vec![f64::from(targets.none); classes];
                        let [first, second] = [labels[k], second[k]].map(|label| label as usize);
                        match own.is_none() || first == second {
                            true => q[first] = f64::from(targets.all),
                            false => (q[first], q[second]) = (f64::from(targets.first), f64::from(targets.second)),
                        }
                        let (of_row, grad) = plain_binary(z, &q);
                        loss += of_row;
                        grads.extend(grad.iter().map(|d| d / n as f64));
                    }
                    let of = (&labels[..], own.map(|own| (&second[..], own)));
                    let rule = Rule::Binary(targets);
                    let factor = 1.0 / n as f32;
                    let (got, gradient) = scored_by(rule, &device, dtype, of, 0.0, &logits, Some(factor));
                    let what = format!("{dtype:?} {n}×{classes} {own:?} {targets:?}");
                    assert!((got.loss - loss).abs() <= 1e-6 * loss, "{what}: {} is not {loss}", got.loss);
                    let soft = scored(&device, dtype, of, 0.0, &logits, None).0;
                    assert_eq!((got.correct, got.correct_top5), (soft.correct, soft.correct_top5), "{what}");
                    // The smallest halves are multiples of 2⁻²⁴.
                    let smallest = if dtype == DType::F16 { 2f64.powi(-25) } else { 0.0 };
                    let most = 2e-7 / (n * classes) as f64 + smallest;
                    let largest = grads.iter().fold(1e-30, |most: f64, d| most.max(d.abs()));
                    close(&gradient, &grads, dtype, (most / largest).max(1e-6));
                    assert_eq!(scored_by(rule, &device, dtype, of, 0.0, &logits, None).0, got, "{what}");
                }
            }
        }
    }

    #[test]
    fn binary_losses_of_far_logits_of_nan_and_of_labels_that_are_none() {
        let rule = Rule::Binary(Targets { none: 0.0, all: 1.0, first: 1.0, second: 0.0 });
        for (device, dtype) in devices() {
            let of =
                |label: u32, logits: &[f32]| scored_by(rule, &device, dtype, (&[label], None), 0.0, logits, Some(3.0));
            let (got, gradient) = of(1, &[8192.0, -8192.0, 0.0]);
            assert!((got.loss - (16384.0 + 2f64.ln()) / 3.0).abs() < 1e-3, "{}", got.loss);
            close(&gradient, &[1.0, -1.0, 0.5], dtype, 1e-7);
            let (got, _) = of(1, &[f32::NEG_INFINITY, f32::INFINITY, f32::NEG_INFINITY]);
            assert!(got.loss.abs() < 1e-30 && got.correct == 1, "{got:?}");
            assert_eq!(of(1, &[f32::INFINITY, 0.0, 0.0]).0.loss, f64::INFINITY);
            let (got, _) = of(1, &[0.0, f32::NAN, 1.0]);
            assert!(got.loss.is_nan() && got.correct_top5 == 0, "{got:?}");
            let (got, _) = of(3, &[0.0, 1.0, 2.0]);
            assert!(got.loss.is_nan() && got.correct_top5 == 0, "{got:?}");
            let labels = (&[0][..], Some((&[u32::MAX][..], 0.7)));
            let (got, _) = scored_by(rule, &device, dtype, labels, 0.0, &[0.0, 1.0, 2.0], Some(1.0));
            assert!(got.loss.is_nan(), "{got:?}");
        }
    }

    #[test]
    fn binary_gradients_may_lie_on_the_logits() {
        let rule = Rule::Binary(Targets { none: 0.01, all: 0.91, first: 0.5, second: 0.5 });
        for (device, dtype) in devices() {
            let (n, classes) = (5, 300);
            let logits = rounded(dtype, &noise(1, n * classes));
            let labels: Vec<u32> = (0..n as u32).collect();
            let (once, gradient) = scored_by(rule, &device, dtype, (&labels, None), 0.1, &logits, Some(0.5));
            let labels_at = words(&device, &labels);
            let target = Target { rule, labels: labels_at.view(), classes, smoothing: 0.1, mixed: None, weights: None };
            let logits_at = upload(&device, dtype, &logits);
            let space = device.allocate(DType::U32, scratch(n)).unwrap();
            let total = device.zeros(DType::U32, TOTAL).unwrap();
            let to = Some((0.5, logits_at.view()));
            score(&device, target, logits_at.view(), to, space.view(), total.view(), true).unwrap();
            assert_eq!(read(&device, total.view()).unwrap(), once);
            assert_eq!(device.read_f32(logits_at.view()).unwrap(), gradient);
        }
    }
}
