use super::*;
use crate::kernels::Write;
use crate::kernels::testing::*;
use candle_core::Var;

const ALL: [Act; 8] = [
    Act::None,
    Act::Relu,
    Act::Gelu,
    Act::Silu,
    Act::Mish,
    Act::Celu { alpha: 0.3 },
    Act::Celu { alpha: 1.0 },
    Act::LeakyRelu { slope: 0.1 },
];

fn matches_the_twin<E: Element>() {
    for (case, len) in [1, 7, 24, 65, 33 * 33 * 24].into_iter().enumerate() {
        let [a, b, dy, old] = [1, 2, 3, 4].map(|k| values::<E>(10 * case as u64 + k, len));
        for (act, scale) in ALL.into_iter().flat_map(|act| [None, Some(1.0f32), Some(0.25)].map(|scale| (act, scale))) {
            let a_var = Var::from_tensor(&tensor(&a, &[len])).unwrap();
            let b_twin = (tensor(&b, &[len]) * f64::from(scale.unwrap_or(0.0))).unwrap();
            let z = (a_var.as_tensor() + b_twin).unwrap();
            let y_twin = reference::apply(act, &z).unwrap();
            let grads = (&y_twin * tensor(&dy, &[len])).unwrap().sum_all().unwrap().backward().unwrap();
            let want = flat(grads.get(&a_var).unwrap());
            for isa in Isa::available() {
                let what = format!("{isa} {act:?} {len} {scale:?}");
                let b = scale.map(|scale| (&b[..], scale));
                let mut y = vec![E::zeroed(); len];
                forward(isa, act, &a, b, &mut y);
                assert_close(&what, &y, &flat(&y_twin), 1e-6);
                let (mut da, mut db) = (old.clone(), old.clone());
                backward(isa, act, Saved { a: &a, b }, &dy, Some(Grad::overwrite(&mut da)), Some(Grad::add(&mut db)));
                assert_close(&what, &da, &want, 2e-6);
                let factor = f64::from(scale.unwrap_or(1.0));
                let summed: Vec<f64> = want.iter().zip(doubles(&old)).map(|(w, o)| factor * w + o).collect();
                assert_close(&what, &db, &summed, 2e-6);
            }
        }
    }
}
for_all_types!(matches_the_twin);

#[test]
fn relu_at_zero_has_no_slope_and_nan_goes_through() {
    for isa in Isa::available() {
        let a = [0.0f32, -0.0, f32::NAN, 1.0];
        let mut y = [9.0f32; 4];
        forward(isa, Act::Relu, &a, None, &mut y);
        assert!(y[2].is_nan() && y[0] == 0.0 && y[3] == 1.0, "{isa}: {y:?}");
        let mut da = [9.0f32; 4];
        backward(isa, Act::Relu, Saved { a: &a, b: None }, &[1.0; 4], Some(Grad::overwrite(&mut da)), None);
        assert_eq!((da[0], da[1], da[3]), (0.0, 0.0, 1.0), "{isa}");
    }
}

#[test]
fn far_out_smooth_ones_are_what_they_tend_to() {
    for isa in Isa::available() {
        let a = [-1e30f32, -300.0, 300.0, 1e30, f32::NAN, 0.0];
        for (act, low) in [(Act::Silu, 0.0), (Act::Mish, 0.0), (Act::Celu { alpha: 0.3 }, -0.3)] {
            let mut y = [9.0f32; 6];
            forward(isa, act, &a, None, &mut y);
            assert!((y[1] - low).abs() < 1e-6 && y[2..4] == a[2..4] && y[4].is_nan() && y[5] == 0.0, "{isa}: {y:?}");
            let mut da = [9.0f32; 6];
            backward(isa, act, Saved { a: &a, b: None }, &[1.0; 6], Some(Grad::overwrite(&mut da)), None);
            assert!(da[1].abs() < 1e-6 && da[2..4] == [1.0, 1.0], "{isa}: {da:?}");
            let at_zero =
                [(Act::Silu, 0.5), (Act::Mish, 0.6)].iter().find(|(of, _)| *of == act).map_or(1.0, |(_, slope)| *slope);
            assert_eq!(da[5], at_zero, "{isa}");
        }
    }
}

#[test]
fn threads_do_not_matter() {
    let x = values::<f32>(5, 100_003);
    assert_same_for_threads("gelu", || {
        let mut y = vec![0.0; x.len()];
        forward(Isa::detect().unwrap(), Act::Gelu, &x, None, &mut y);
        let mut dx = vec![0.0; x.len()];
        let grad = Grad { to: &mut dx, write: Write::Overwrite };
        backward(Isa::detect().unwrap(), Act::Gelu, Saved { a: &x, b: None }, &y, Some(grad), None);
        dx
    });
}
