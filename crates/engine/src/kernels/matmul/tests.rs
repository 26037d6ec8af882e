use super::*;
use crate::kernels::testing::*;

fn matches_the_twin<E: Element>() {
    for (seed, [m, k, n]) in
        [[1, 1, 1], [3, 7, 17], [64, 128, 64], [65, 129, 66], [10, 300, 24]].into_iter().enumerate()
    {
        let seed = 10 * seed as u64;
        let (a, b, bias) = (values::<E>(seed, m * k), values::<f32>(seed + 1, k * n), values::<f32>(seed + 2, n));
        let old = values::<E>(seed + 3, m * n);
        // Each operand also from the transposed layout.
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            let a = if ta { View::new(&a, k, m).transposed() } else { View::new(&a, m, k) };
            let b = if tb { View::new(&b, n, k).transposed() } else { View::new(&b, k, n) };
            let plain = reference::product(a, b);
            for isa in Isa::available() {
                let what = format!("{isa} {m}×{k}×{n} {ta} {tb}");
                let mut c = old.clone();
                product(isa, a, b, Epilogue::default(), &mut c);
                assert_close(&what, &c, &plain, 1e-6 * k as f64);
                let mut c = old.clone();
                product(isa, a, b, Epilogue { alpha: 0.5, bias: Some(&bias), write: Write::Add }, &mut c);
                let want = plain
                    .iter()
                    .enumerate()
                    .map(|(i, v)| 0.5 * v + f64::from(bias[i % n]) + f64::from(old[i].to_f32()));
                assert_close(&what, &c, &want.collect::<Vec<_>>(), 1e-6 * k as f64);
            }
        }
    }
}
for_all_types!(matches_the_twin);

/// Neither factor `f32`: pairs of bf16, where there are instructions for it.
fn factors_of_a_type_match_the_twin<E: Element>() {
    for (seed, [m, k, n]) in
        [[1, 1, 1], [3, 7, 17], [64, 256, 64], [65, 257, 66], [10, 601, 24]].into_iter().enumerate()
    {
        let (a, b) = (values::<E>(30 + seed as u64, m * k), values::<E>(40 + seed as u64, k * n));
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            let a = if ta { View::new(&a, k, m).transposed() } else { View::new(&a, m, k) };
            let b = if tb { View::new(&b, n, k).transposed() } else { View::new(&b, k, n) };
            let plain = reference::product(a, b);
            for isa in Isa::available() {
                let mut c = vec![f32::NAN; m * n];
                product(isa, a, b, Epilogue::default(), &mut c);
                assert_close(&format!("{isa} {m}×{k}×{n} {ta} {tb}"), &c, &plain, 1e-6 * k as f64);
            }
        }
    }
}
for_all_types!(factors_of_a_type_match_the_twin);
