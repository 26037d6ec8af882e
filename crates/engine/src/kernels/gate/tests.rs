use super::*;
use crate::kernels::testing::*;
use candle_core::Var;

fn matches_the_twin<E: Element>() {
    for (case, [n, pixels, c]) in
        [[1, 1, 1], [2, 9, 3], [3, 49, 24], [4, 35, 65], [2, 1024, 16]].into_iter().enumerate()
    {
        let seed = 10 * case as u64;
        let (x, dy) = (values::<E>(seed, n * pixels * c), values::<E>(seed + 1, n * pixels * c));
        let g = values::<E>(seed + 2, n * c);
        let x_var = Var::from_tensor(&tensor(&x, &[n, pixels, c])).unwrap();
        let g_var = Var::from_tensor(&tensor(&g, &[n, 1, c])).unwrap();
        let twin = reference::apply(&x_var, &g_var).unwrap();
        let grads = (&twin * tensor(&dy, &[n, pixels, c])).unwrap().sum_all().unwrap().backward().unwrap();
        let plus = |grad: &Var, old: &[E]| -> Vec<f64> {
            flat(grads.get(grad).unwrap()).iter().zip(doubles(old)).map(|(grad, old)| grad + old).collect()
        };
        for isa in Isa::available() {
            let what = format!("{isa} {n}×{pixels}×{c}");
            let mut y = vec![E::zeroed(); x.len()];
            forward(isa, c, &x, &g, &mut y);
            assert_close(&format!("{what}: y"), &y, &flat(&twin), 1e-6);
            let (mut dx, mut dg) = (x.clone(), g.clone());
            backward(isa, c, [&x, &g], &dy, Some(Grad::overwrite(&mut dx)), Some(Grad::add(&mut dg)));
            assert_close(&format!("{what}: dx"), &dx, &flat(grads.get(&x_var).unwrap()), 1e-6);
            assert_close(&format!("{what}: dg"), &dg, &plus(&g_var, &g), 1e-6 * (pixels as f64));
            let (mut dx, mut dg) = (x.clone(), g.clone());
            backward(isa, c, [&x, &g], &dy, Some(Grad::add(&mut dx)), None);
            backward(isa, c, [&x, &g], &dy, None, Some(Grad::overwrite(&mut dg)));
            assert_close(&format!("{what}: dx added"), &dx, &plus(&x_var, &x), 1e-6);
            assert_close(&format!("{what}: dg alone"), &dg, &flat(grads.get(&g_var).unwrap()), 1e-6 * (pixels as f64));
        }
    }
}
for_all_types!(matches_the_twin);

#[test]
fn threads_do_not_matter() {
    let (n, pixels, c) = (64, 49, 24);
    let (x, g) = (values::<f32>(1, n * pixels * c), values::<f32>(2, n * c));
    assert_same_for_threads("gate", || {
        let isa = Isa::detect().unwrap();
        let (mut y, mut dg) = (x.clone(), g.clone());
        forward(isa, c, &x, &g, &mut y);
        backward(isa, c, [&x, &g], &y, None, Some(Grad::overwrite(&mut dg)));
        (y, dg)
    });
}
