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
                let target = Target { labels: &labels, classes, smoothing, mixed: None };
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
                let target = Target { labels: &labels, classes, smoothing, mixed };
                let mut dlogits = vec![E::zeroed(); logits.len()];
                let got = score_and_gradient(isa, target, &logits, 1.0 / n as f32, &mut dlogits);
                assert!((got.loss - loss).abs() <= 1e-6 * loss.abs(), "{what}: {} is not {loss}", got.loss);
                assert_close(&what, &dlogits, &want, 1e-6 / n as f64);
                let plain = score(isa, Target { labels: dominant, classes, smoothing, mixed: None }, &logits);
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
        let target = Target { labels: &[1, 6, 1, 2], classes: 7, smoothing: 0.0, mixed: None };
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
    let target = Target { labels: &[1], classes: 3, smoothing: 0.0, mixed: None };
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
        let target = Target { labels: &labels, classes: 10, smoothing: 0.1, mixed: None };
        let score = score_and_gradient(Isa::detect().unwrap(), target, &logits, 1e-3, &mut dlogits);
        (score.loss.to_bits(), dlogits)
    });
}
