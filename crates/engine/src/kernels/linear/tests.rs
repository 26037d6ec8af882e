use super::*;
use crate::kernels::testing::*;
use candle_core::Var;

fn matches_the_twin<E: Element>() {
    for (seed, [n, inputs, outputs]) in [[1, 1, 1], [7, 65, 10], [130, 24, 33], [33, 200, 100]].into_iter().enumerate()
    {
        let seed = 10 * seed as u64;
        let (x, dy) = (values::<E>(seed, n * inputs), values::<f32>(seed + 1, n * outputs));
        let (weight, bias) = (values::<f32>(seed + 2, outputs * inputs), values::<f32>(seed + 3, outputs));
        let linear = Linear { weight: &weight, bias: Some(&bias), inputs, outputs, scale: 0.125 };

        let x_var = Var::from_tensor(&tensor(&x, &[n, inputs])).unwrap();
        let weight_var = Var::from_tensor(&tensor(&weight, &[outputs, inputs])).unwrap();
        let bias_var = Var::from_tensor(&tensor(&bias, &[outputs])).unwrap();
        let y_twin = reference::forward(&x_var, &weight_var, Some(&bias_var), 0.125).unwrap();
        let grads = (&y_twin * tensor(&dy, &[n, outputs])).unwrap().sum_all().unwrap().backward().unwrap();
        let [dx_twin, dweight_twin, dbias_twin] =
            [&x_var, &weight_var, &bias_var].map(|var| flat(grads.get(var).unwrap()));

        for isa in Isa::available() {
            let what = format!("{isa} {n}×{inputs}→{outputs}");
            let mut y = vec![0.0f32; n * outputs];
            forward(isa, &linear, &x, &mut y);
            assert_close(&what, &y, &flat(&y_twin), 1e-5);
            let (mut dx, mut dweight, mut dbias) = (x.clone(), weight.clone(), bias.clone());
            let grads = Grads {
                dx: Some(Grad::overwrite(&mut dx)),
                dweight: Some(Grad::overwrite(&mut dweight)),
                dbias: Some(Grad::add(&mut dbias)),
            };
            backward(isa, &linear, &x, &dy, grads);
            assert_close(&what, &dx, &dx_twin, 1e-5);
            assert_close(&what, &dweight, &dweight_twin, 1e-5);
            let summed: Vec<f64> = dbias_twin.iter().zip(doubles(&bias)).map(|(a, b)| a + b).collect();
            assert_close(&what, &dbias, &summed, 1e-5);
        }
    }
}
for_all_types!(matches_the_twin);

#[test]
fn threads_do_not_matter() {
    let (n, inputs, outputs) = (300, 200, 70);
    let (x, weight) = (values::<f32>(1, n * inputs), values::<f32>(2, outputs * inputs));
    let linear = Linear { weight: &weight, bias: None, inputs, outputs, scale: 1.0 };
    assert_same_for_threads("linear", || {
        let isa = Isa::detect().unwrap();
        let (mut y, mut dweight) = (vec![0.0f32; n * outputs], weight.clone());
        forward(isa, &linear, &x, &mut y);
        let grads = Grads { dx: None, dweight: Some(Grad::add(&mut dweight)), dbias: None };
        backward(isa, &linear, &x, &y, grads);
        (y, dweight)
    });
}
