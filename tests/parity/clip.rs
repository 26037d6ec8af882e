//! Clipped gradients, against PyTorch's.

use crate::fixture::{Fixture, assert_close};
use runner::kernels::{Isa, reduce};
use runner::optim::Clip;

/// Relative to the larger of 1 and the value.
const TOLERANCE: f64 = 1e-6;

#[test]
fn gradients_are_clipped_as_pytorch_does() {
    let fixture = Fixture::read("clip");
    let names: Vec<&str> = fixture.under("grads/").collect();
    for case in fixture.cases() {
        let bound = |key: &str| fixture.case(&case)[key].as_f64();
        let mut grads: Vec<f32> = names.iter().flat_map(|name| fixture.f32s(&format!("grads/{name}"))).collect();
        Clip { value: bound("value"), norm: bound("norm") }.apply(&mut grads, |g| reduce::norm(Isa::Portable, g));
        let mut rest = &grads[..];
        for name in &names {
            let want = fixture.get(&format!("{case}/{name}"));
            let (mine, others) = rest.split_at(want.values.len());
            assert_close(&format!("{case}, {name}"), mine, want, TOLERANCE);
            rest = others;
        }
    }
}
