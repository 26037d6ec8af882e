//! Twenty steps of Muon over wide, tall and square matrices, against PyTorch's own and against the step of airbench94.

use crate::fixture::{Fixture, assert_close};
use crate::optimizers::start;
use runner::kernels::Isa;
use runner::optim::{Flat, Hypers, muon};
use runner::registry::{Settings, Value};

/// Relative to the weights; after twenty steps.
const TOLERANCE: f64 = 2e-5;
/// The same, where both sides round to `bf16`, which has 8 bits, at different places.
const TOLERANCE_BF16: f64 = 0.03;

#[test]
fn steps_are_pytorchs() {
    let fixture = Fixture::read("muon");
    let lr = &fixture.get("lr").values;
    for (name, isa) in
        fixture.cases().into_iter().flat_map(|name| Isa::available().into_iter().map(move |isa| (name.clone(), isa)))
    {
        let case = fixture.case(&name);
        let tolerance = if case["precision"] == "f32" { TOLERANCE } else { TOLERANCE_BF16 };
        let (segments, mut params) = start(&fixture);
        let mut optimizer = (muon::ENTRY.make)(&settings(&case), params.len());
        for (step, lr) in lr.iter().enumerate() {
            let mut grads: Vec<f32> = Vec::new();
            for segment in &segments {
                grads.extend(fixture.get(&format!("grads/{}", segment.name)).row(step).f32s());
            }
            let hypers = Hypers {
                lr: *lr,
                momentum: case["momentum"].as_f64().unwrap(),
                weight_decay: case["weight_decay"].as_f64().unwrap_or(0.0),
                beta: None,
                share: 1.0,
            };
            let flat = Flat { params: &mut params, grads: &mut grads, loss: 0.0, segments: &segments, isa };
            optimizer.step(flat, &hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
            for segment in &segments {
                let want = fixture.get(&format!("{name}/{}", segment.name)).row(step);
                let what = format!("{isa}, {name}, step {step}, {}", segment.name);
                assert_close(&what, &params[segment.range.clone()], &want, tolerance);
            }
        }
    }
}

/// PyTorch's defaults, and what the case gives.
fn settings(case: &serde_json::Value) -> Settings {
    let text = |key: &str, default: &str| Value::Text(case[key].as_str().unwrap_or(default).to_owned());
    let flag = |key: &str, default: bool| Value::Bool(case[key].as_bool().unwrap_or(default));
    let settings = [
        ("iterations", Value::Int(case["iterations"].as_i64().unwrap_or(5))),
        ("nesterov", flag("nesterov", true)),
        ("scale", text("scale", "original")),
        ("renormalise", flag("renormalise", false)),
        ("precision", text("precision", "bf16")),
    ];
    Settings(settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
