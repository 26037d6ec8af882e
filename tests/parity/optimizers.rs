//! Twenty steps of each optimizer with lr and momentum that change every step, over three tensors.

use crate::fixture::{Fixture, assert_close};
use runner::kernels::Isa;
use runner::optim::{ENTRIES, Flat, Hypers, Segment};
use runner::registry::{self, Settings, Value};

/// Relative to the weights; after twenty steps.
const TOLERANCE: f64 = 2e-6;

#[test]
fn steps_are_pytorchs() {
    let fixture = Fixture::read("optimizers");
    let lr = &fixture.get("lr").values;
    let momentum = &fixture.get("momentum").values;
    for name in fixture.cases() {
        let case = fixture.case(&name);
        let (segments, mut params) = start(&fixture);
        let entry = registry::find(ENTRIES, case["kind"].as_str().unwrap()).unwrap();
        let mut optimizer = (entry.make)(&settings(&case), params.len());
        for step in 0..lr.len() {
            let mut grads = vec![f32::NAN; params.len()];
            for segment in &segments {
                grads[segment.range.clone()]
                    .copy_from_slice(&fixture.get(&format!("grads/{}", segment.name)).row(step).f32s());
            }
            let hypers = Hypers {
                lr: lr[step],
                momentum: if case["momentum"].as_bool().unwrap() { momentum[step] } else { 0.0 },
                weight_decay: weight_decay(&case, step as f64 / (lr.len() - 1) as f64),
                beta: None,
                share: 1.0,
            };
            let flat =
                Flat { params: &mut params, grads: &mut grads, loss: 0.0, segments: &segments, isa: Isa::Portable };
            optimizer.step(flat, &hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
            for segment in &segments {
                let want = fixture.get(&format!("{name}/{}", segment.name)).row(step);
                assert_close(&format!("{name}, step {step}"), &params[segment.range.clone()], &want, TOLERANCE);
            }
        }
    }
}

/// The tensors one after the other, and where each lies.
pub fn start(fixture: &Fixture) -> (Vec<Segment>, Vec<f32>) {
    let (mut segments, mut params) = (Vec::new(), Vec::new());
    for name in fixture.under("start/") {
        let tensor = fixture.get(&format!("start/{name}"));
        let range = params.len()..params.len() + tensor.values.len();
        params.extend(tensor.f32s());
        let (name, shape) = (name.to_owned(), tensor.shape.clone());
        segments.push(Segment { name, range, shape });
    }
    (segments, params)
}

/// A number, or the first and the last of a line.
fn weight_decay(case: &serde_json::Value, part: f64) -> f64 {
    let decay = &case["weight_decay"];
    let end = |index: usize| decay.get(index).unwrap_or(decay).as_f64().unwrap();
    end(0) + (end(1) - end(0)) * part
}

/// PyTorch's defaults, and what the case gives. Settings that an optimizer does not have do no harm.
fn settings(case: &serde_json::Value) -> Settings {
    let float = |key: &str, default: f64| Value::Float(case[key].as_f64().unwrap_or(default));
    let decay = case["decay"].as_str().unwrap_or("coupled").to_owned();
    let settings = [
        ("nesterov", Value::Bool(case["nesterov"].as_bool().unwrap_or(false))),
        ("decay", Value::Text(decay)),
        ("alpha", float("alpha", 0.99)),
        ("beta2", float("beta2", 0.999)),
        ("eps", float("eps", 1e-8)),
    ];
    Settings(settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
