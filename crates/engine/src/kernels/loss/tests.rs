use super::*;
use crate::kernels::testing::*;
use candle_core::{Device, Tensor, Var};

fn matches_the_twin<E: Element>() {
    for (seed, (n, classes)) in [(1, 2), (7, 10), (33, 17), (128, 10), (65, 1000)].into_iter().enumerate() {
        let logits: Vec<E> = values::<f32>(seed as u64, n * classes).iter().map(|v| E::from_f32(4.0 * v)).collect();
        let labels: Vec<u32> = (0..n).map(|i| (i * 7 % classes) as u32).collect();
        let labels_twin = Tensor::new(&labels[..], &Device::Cpu).unwrap();
        for smoothing in [0.0f32, 0.1] {
            let var = Var::from_tensor(&tensor(&logits, &[n, classes])).unwrap();
            let losses = reference::losses(&var, &labels_twin, f64::from(smoothing)).unwrap();
            let grads = losses.mean_all().unwrap().backward().unwrap();
            let want = flat(grads.get(&var).unwrap());
            let loss = flat(&losses).iter().sum::<f64>();
            for isa in Isa::available() {
                let what = format!("{isa} {n}×{classes} ε {smoothing}");
                let target = Target {
                    labels: &labels,
                    classes,
                    smoothing,
                    mixed: None,
                    rule: Rule::CrossEntropy,
                    weights: None,
                };
                let mut dlogits = vec![E::zeroed(); logits.len()];
                let got = score_and_gradient(isa, target, &logits, 1.0 / n as f32, &mut dlogits);
                assert!((got.loss - loss).abs() <= 1e-6 * loss.abs(), "{what}: {} is not {loss}", got.loss);
                assert_close(&what, &dlogits, &want, 1e-6 / n as f64);
                assert_eq!(score(isa, target, &logits), got, "{what}");
            }
        }
    }
}
for_all_types!(matches_the_twin);

fn mixtures_match_the_twin<E: Element>() {
    for (seed, (n, classes)) in [(1, 2), (7, 10), (33, 17), (65, 1000)].into_iter().enumerate() {
        let logits: Vec<E> = values::<f32>(seed as u64, n * classes).iter().map(|v| E::from_f32(4.0 * v)).collect();
        // Some images are mixed with their own class.
        let [labels, second] = [7, 11].map(|s| (0..n).map(|i| (i * s % classes) as u32).collect::<Vec<u32>>());
        for (own, smoothing) in [(0.7, 0.0f32), (0.7, 0.1), (0.2, 0.1), (1.0, 0.0), (0.0, 0.1)] {
            let var = Var::from_tensor(&tensor(&logits, &[n, classes])).unwrap();
            let of = |labels: &[u32], share: f64| {
                let labels = Tensor::new(labels, &Device::Cpu).unwrap();
                (reference::losses(&var, &labels, f64::from(smoothing)).unwrap() * share).unwrap()
            };
            let share = f64::from(own);
            let losses = (of(&labels, share) + of(&second, 1.0 - share)).unwrap();
            let grads = losses.mean_all().unwrap().backward().unwrap();
            let want = flat(grads.get(&var).unwrap());
            let loss = flat(&losses).iter().sum::<f64>();
            let dominant = if own >= 0.5 { &labels } else { &second };
            for isa in Isa::available() {
                let what = format!("{isa} {n}×{classes} λ {own} ε {smoothing}");
                let mixed = Some(Mixed { labels: &second, own });
                let target =
                    Target { labels: &labels, classes, smoothing, mixed, rule: Rule::CrossEntropy, weights: None };
                let mut dlogits = vec![E::zeroed(); logits.len()];
                let got = score_and_gradient(isa, target, &logits, 1.0 / n as f32, &mut dlogits);
                assert!((got.loss - loss).abs() <= 1e-6 * loss.abs(), "{what}: {} is not {loss}", got.loss);
                assert_close(&what, &dlogits, &want, 1e-6 / n as f64);
                let plain = score(
                    isa,
                    Target {
                        labels: dominant,
                        classes,
                        smoothing,
                        mixed: None,
                        rule: Rule::CrossEntropy,
                        weights: None,
                    },
                    &logits,
                );
                assert_eq!((got.correct, got.correct_top5), (plain.correct, plain.correct_top5), "{what}");
            }
        }
    }
}
for_all_types!(mixtures_match_the_twin);

#[test]
fn counts_and_ties_and_nan() {
    let logits = [
        3.0f32, 3.0, 1.0, 0.0, -1.0, -2.0, -3.0, // label 1: tied for first, the lower class wins
        0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, // label 6: first
        0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, // label 1: sixth
        0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, // label 2: fifth
    ];
    for isa in Isa::available() {
        let target = Target {
            labels: &[1, 6, 1, 2],
            classes: 7,
            smoothing: 0.0,
            mixed: None,
            rule: Rule::CrossEntropy,
            weights: None,
        };
        let got = score(isa, target, &logits);
        assert_eq!((got.correct, got.correct_top5), (1, 3), "{isa}");
        let broken = logits.map(|v| if v == 6.0 { f32::NAN } else { v });
        let got = score(isa, target, &broken);
        assert!(got.loss.is_nan(), "{isa}");
        assert_eq!((got.correct, got.correct_top5), (0, 1), "{isa}");
    }
}

#[test]
fn far_logits_neither_overflow_nor_vanish() {
    let target =
        Target { labels: &[1], classes: 3, smoothing: 0.0, mixed: None, rule: Rule::CrossEntropy, weights: None };
    for isa in Isa::available() {
        let mut dlogits = [0.0f32; 3];
        let got = score_and_gradient(isa, target, &[1e4, -1e4, 0.0], 1.0, &mut dlogits);
        assert!((got.loss - 2e4).abs() < 1e-6, "{isa}: {}", got.loss);
        assert_close("dlogits", &dlogits, &[1.0, -1.0, 0.0], 1e-7);
    }
}

#[test]
fn threads_do_not_matter() {
    let logits = values::<f32>(1, 1000 * 10);
    let labels: Vec<u32> = (0..1000).map(|i| i % 10).collect();
    assert_same_for_threads("loss", || {
        let mut dlogits = vec![0.0; logits.len()];
        let target = Target {
            labels: &labels,
            classes: 10,
            smoothing: 0.1,
            mixed: None,
            rule: Rule::CrossEntropy,
            weights: None,
        };
        let score = score_and_gradient(Isa::detect().unwrap(), target, &logits, 1e-3, &mut dlogits);
        (score.loss.to_bits(), dlogits)
    });
    assert_same_for_threads("binary loss", || {
        let mut dlogits = vec![0.0; logits.len()];
        let target = Target { labels: &labels, classes: 10, smoothing: 0.1, mixed: None, rule: BINARY, weights: None };
        let score = score_and_gradient(Isa::detect().unwrap(), target, &logits, 1e-3, &mut dlogits);
        (score.loss.to_bits(), dlogits)
    });
}

const BINARY: Rule = Rule::Binary { threshold: None };

fn binary_matches_the_twin<E: Element>() {
    for (seed, (n, classes)) in [(1, 1), (1, 2), (7, 10), (33, 17), (65, 1000)].into_iter().enumerate() {
        let logits: Vec<E> = values::<f32>(seed as u64, n * classes).iter().map(|v| E::from_f32(4.0 * v)).collect();
        // Some images are mixed with their own class.
        let [labels, second] = [7, 11].map(|s| (0..n).map(|i| (i * s % classes) as u32).collect::<Vec<u32>>());
        for (own, smoothing) in [(None, 0.0f32), (None, 0.1), (Some(0.7f32), 0.1), (Some(0.2), 0.0), (Some(0.0), 0.1)] {
            for threshold in [None, Some(0.25f32)] {
                let share = f64::from(own.unwrap_or(1.0));
                let epsilon = f64::from(smoothing);
                let mut q = vec![epsilon / classes as f64; n * classes];
                for image in 0..n {
                    q[image * classes + labels[image] as usize] += (1.0 - epsilon) * share;
                    q[image * classes + second[image] as usize] += (1.0 - epsilon) * (1.0 - share);
                }
                if let Some(threshold) = threshold {
                    q.iter_mut().for_each(|q| *q = f64::from(u8::from(*q > f64::from(threshold))));
                }
                let q = Tensor::from_vec(q, &[n, classes][..], &Device::Cpu).unwrap();
                let var = Var::from_tensor(&tensor(&logits, &[n, classes])).unwrap();
                let losses = reference::binary_losses(&var, &q).unwrap();
                let grads = losses.mean_all().unwrap().backward().unwrap();
                let want = flat(grads.get(&var).unwrap());
                let loss = flat(&losses).iter().sum::<f64>();
                for isa in Isa::available() {
                    let what = format!("{isa} {n}×{classes} λ {own:?} ε {smoothing} above {threshold:?}");
                    let mixed = own.map(|own| Mixed { labels: &second, own });
                    let target = Target {
                        labels: &labels,
                        classes,
                        smoothing,
                        mixed,
                        rule: Rule::Binary { threshold },
                        weights: None,
                    };
                    let mut dlogits = vec![E::zeroed(); logits.len()];
                    let got = score_and_gradient(isa, target, &logits, 1.0 / n as f32, &mut dlogits);
                    assert!((got.loss - loss).abs() <= 1e-6 * loss.abs(), "{what}: {} is not {loss}", got.loss);
                    assert_close(&what, &dlogits, &want, 2e-7 / (n * classes) as f64);
                    assert_eq!(score(isa, target, &logits), got, "{what}");
                    let plain = score(isa, Target { rule: Rule::CrossEntropy, ..target }, &logits);
                    assert_eq!((got.correct, got.correct_top5), (plain.correct, plain.correct_top5), "{what}");
                }
            }
        }
    }
}
for_all_types!(binary_matches_the_twin);

/// Where it is no formula that is compared with another one.
#[test]
fn binary_gradients_are_differences_of_losses() {
    let (n, classes, step) = (3, 7, 1.0 / 64.0);
    let logits = values::<f32>(5, n * classes);
    let mixed = Some(Mixed { labels: &[2, 2, 0], own: 0.6 });
    let target = Target { labels: &[1, 2, 6], classes, smoothing: 0.2, mixed, rule: BINARY, weights: None };
    for isa in Isa::available() {
        let mut dlogits = vec![0.0; logits.len()];
        score_and_gradient(isa, target, &logits, 1.0, &mut dlogits);
        for at in 0..logits.len() {
            let moved = |by: f32| {
                let mut logits = logits.clone();
                logits[at] += by;
                (score(isa, target, &logits).loss, f64::from(logits[at]))
            };
            let ((more, up), (less, down)) = (moved(step), moved(-step));
            let slope = (more - less) / (up - down);
            // The third derivative is 0.125/k at most.
            assert!((slope - f64::from(dlogits[at])).abs() < 1e-5, "{isa} {at}: {slope}, {}", dlogits[at]);
        }
    }
}

#[test]
fn far_logits_have_binary_losses_too() {
    let target = Target { labels: &[1], classes: 3, smoothing: 0.0, mixed: None, rule: BINARY, weights: None };
    for isa in Isa::available() {
        let mut dlogits = [0.0f32; 3];
        let got = score_and_gradient(isa, target, &[1e4, -1e4, 0.0], 3.0, &mut dlogits);
        assert!((got.loss - (2e4 + 2f64.ln()) / 3.0).abs() < 1e-3, "{isa}: {}", got.loss);
        assert_close("dlogits", &dlogits, &[1.0, -1.0, 0.5], 1e-7);
        // Nearly right is not quite right: e⁻²⁰ is what is left.
        let got = score_and_gradient(isa, target, &[-20.0, 20.0, -20.0], 3.0, &mut dlogits);
        let left = (-20f64).exp();
        assert!((got.loss / left - 1.0).abs() < 1e-5, "{isa}: {}", got.loss);
        assert_close("small", &dlogits.map(|d| d * 1e9), &[left, -left, left].map(|d| d * 1e9), 0.0);
        // Certain and right costs nothing, certain and wrong everything.
        let right = [f32::NEG_INFINITY, f32::INFINITY, f32::NEG_INFINITY];
        assert!(score(isa, target, &right).loss.abs() < 1e-30, "{isa}");
        assert_eq!(score(isa, target, &[f32::INFINITY, 0.0, 0.0]).loss, f64::INFINITY, "{isa}");
        for at in 0..3 {
            let mut logits = [1.0f32; 3];
            logits[at] = f32::NAN;
            let got = score(isa, target, &logits);
            assert!(got.loss.is_nan() && got.correct == 0, "{isa}");
        }
    }
}

#[test]
fn targets_are_timms() {
    let near = |found: f32, wanted: f64| assert!((f64::from(found) - wanted).abs() < 1e-7, "{found} is not {wanted}");
    // off = ε/k, on = 1 − ε + ε/k, and mixtures of both.
    near(BINARY.target(0.0, 0.1, 10), 0.01);
    near(BINARY.target(1.0, 0.1, 10), 0.91);
    near(BINARY.target(0.3, 0.1, 10), 0.3 * 0.91 + 0.7 * 0.01);
    let above = Rule::Binary { threshold: Some(0.2) };
    // What is not above it is none, what equals it neither.
    let found = [0.0, 0.2, 0.21, 1.0].map(|share| above.target(share, 0.0, 10));
    assert_eq!(found, [0.0, 0.0, 1.0, 1.0]);
}

/// An image that counts `w` times as much has `w` times the loss and the gradient; its own loss is told as it is.
fn weights_multiply_what_an_image_counts<E: Element>() {
    let (n, classes) = (37, 11);
    let logits: Vec<E> = values::<f32>(3, n * classes).iter().map(|v| E::from_f32(4.0 * v)).collect();
    let labels: Vec<u32> = (0..n as u32).map(|k| k * 7 % classes as u32).collect();
    // Powers of two, which round nothing.
    let weights: Vec<f32> = (0..n).map(|k| [1.0, 2.0, 0.0, 0.5][k % 4]).collect();
    for rule in [Rule::CrossEntropy, BINARY] {
        for isa in Isa::available() {
            let plain = Target { smoothing: 0.1, ..Target::plain(rule, &labels, classes) };
            let weighted = Target { weights: Some(&weights), ..plain };
            let (mut gradient, mut losses) = (vec![E::zeroed(); logits.len()], vec![0.0; n]);
            let got = score_gradient_and_losses(isa, weighted, &logits, 0.25, &mut gradient, &mut losses);
            assert_eq!(score(isa, weighted, &logits), got, "{isa}");
            let mut sum = 0.0;
            for (k, row) in logits.chunks_exact(classes).enumerate() {
                let one = Target { labels: &labels[k..][..1], ..plain };
                let mut alone = vec![E::zeroed(); classes];
                let of_image = score_and_gradient(isa, one, row, 0.25 * weights[k], &mut alone);
                assert!(alone == gradient[k * classes..][..classes], "{isa} image {k}");
                assert_eq!(losses[k], of_image.loss as f32, "{isa} image {k}");
                sum += f64::from(weights[k]) * of_image.loss;
            }
            assert!((got.loss - sum).abs() < 1e-12 * sum.abs(), "{isa}: {} is not {sum}", got.loss);
            assert_eq!((got.correct, got.correct_top5), {
                let plain = score(isa, plain, &logits);
                (plain.correct, plain.correct_top5)
            });
        }
    }
}
for_all_types!(weights_multiply_what_an_image_counts);
