//! Convolution: all three directions, on every instruction set of this machine.

use crate::fixture::{Fixture, assert_close, pair};
use runner::kernels::Isa;
use runner::kernels::conv::{Conv2d, ConvPlan};

/// Relative to 1 or the value: sums of up to some hundred products of normal numbers.
const TOLERANCE: f64 = 1e-5;

#[test]
fn convolutions_in_all_directions() {
    let fixture = Fixture::read("conv2d");
    for name in fixture.cases() {
        let case = fixture.case(&name);
        let get = |key: &str| fixture.get(&format!("{name}/{key}"));
        let [n, h, w, cin] = get("x").image_shape();
        let [cout, _, kh, kw] = get("weight").image_shape();
        let conv = Conv2d {
            cin,
            cout,
            kernel: [kh, kw],
            stride: pair(&case["stride"]),
            padding: pair(&case["padding"]),
            dilation: [1, 1],
            groups: case["groups"].as_u64().unwrap() as usize,
        };
        let (x, dy, weight, bias) = (get("x").f32s(), get("dy").f32s(), get("weight").f32s(), get("bias").f32s());
        for isa in Isa::available() {
            let plan = ConvPlan::new(conv, h, w, isa);
            let mut scratch = vec![0.0; plan.scratch_len(n)];

            let mut packed = vec![0.0; plan.forward_pack_len()];
            plan.pack_forward(&weight, &mut packed);
            let mut y = vec![f32::NAN; dy.len()];
            plan.forward(n, &x, &packed, Some(&bias), &mut y, &mut scratch);
            assert_close(&format!("{isa} {name}: y"), &y, get("y"), TOLERANCE);

            let mut packed = vec![0.0; plan.backward_pack_len()];
            plan.pack_backward(&weight, &mut packed);
            let mut dx = vec![f32::NAN; x.len()];
            plan.backward_data(n, &dy, &packed, &mut dx, false, &mut scratch);
            assert_close(&format!("{isa} {name}: dx"), &dx, get("dx"), TOLERANCE);

            let (mut dweight, mut dbias) = (vec![f32::NAN; weight.len()], vec![f32::NAN; cout]);
            plan.backward_weight(n, &x, &dy, &mut dweight, &mut scratch);
            assert_close(&format!("{isa} {name}: dweight"), &dweight, get("dweight"), TOLERANCE);
            plan.backward_bias(n, &dy, &mut dbias, &mut scratch);
            assert_close(&format!("{isa} {name}: dbias"), &dbias, get("dbias"), TOLERANCE);
        }
    }
}
