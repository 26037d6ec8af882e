//! Steps of L-BFGS on one batch, against PyTorch's: a logistic regression and Rosenbrock's valley.

use crate::fixture::{Fixture, assert_close};
use runner::kernels::Isa;
use runner::optim::{self, Flat, Hypers, Segment};
use runner::registry::{Choice, Settings, Value};

/// Relative to the weights. PyTorch is in `f64` here, and our weights in `f32`: in the valley each iteration doubles the
/// difference.
const TOLERANCE: f64 = 2e-4;

#[test]
fn steps_are_pytorchs() {
    let fixture = Fixture::read("lbfgs");
    for name in fixture.cases() {
        let case = fixture.case(&name);
        let problem = case["problem"].as_str().unwrap();
        let mut params = Vec::new();
        let segments = ["w", "b"].map(|tensor| {
            let values = fixture.f32s(&format!("{problem}/start/{tensor}"));
            let range = params.len()..params.len() + values.len();
            let shape = vec![values.len()];
            params.extend(values);
            Segment { name: tensor.to_owned(), range, shape }
        });
        let eval = |params: &[f32], grads: &mut [f32]| match problem {
            "logistic" => logistic(&fixture, params, grads),
            _ => rosenbrock(params, grads),
        };
        let mut optimizer = optim::make(&choice(&case), params.len());
        for step in 0..case["steps"].as_u64().unwrap() as usize {
            let mut grads = vec![0.0; params.len()];
            let loss = eval(&params, &mut grads);
            let lr = case["lr"].as_f64().unwrap();
            let hypers = Hypers { lr, momentum: 0.0, weight_decay: 0.0, beta: None, share: 1.0 };
            let flat = Flat { params: &mut params, grads: &mut grads, loss, segments: &segments, isa: Isa::Portable };
            optimizer.step(flat, &hypers, &mut |params, grads| Ok(eval(params, grads))).unwrap();
            for segment in &segments {
                let want = fixture.get(&format!("{name}/{}", segment.name)).row(step);
                assert_close(&format!("{name}, step {step}"), &params[segment.range.clone()], &want, TOLERANCE);
            }
        }
    }
}

/// Mean of `log(1 + exp(−y·(x·w + b)))`, and `0.05·‖w‖²`.
fn logistic(fixture: &Fixture, params: &[f32], grads: &mut [f32]) -> f64 {
    let (x, y) = (&fixture.get("x").values, &fixture.get("y").values);
    let (w, b) = params.split_at(params.len() - 1);
    let w: Vec<f64> = w.iter().map(|w| f64::from(*w)).collect();
    let mut sums: Vec<f64> = w.iter().map(|w| 0.1 * w).chain([0.0]).collect();
    let mut loss = w.iter().map(|w| 0.05 * w * w).sum::<f64>();
    for (x, y) in x.chunks(w.len()).zip(y) {
        let margin = y * (x.iter().zip(&w).map(|(x, w)| x * w).sum::<f64>() + f64::from(b[0]));
        loss += (-margin).exp().ln_1p() / 40.0;
        let slope = -y / (1.0 + margin.exp()) / 40.0;
        for (sum, x) in sums.iter_mut().zip(x.iter().chain([&1.0])) {
            *sum += slope * x;
        }
    }
    grads.iter_mut().zip(sums).for_each(|(grad, sum)| *grad = sum as f32);
    loss
}

fn rosenbrock(params: &[f32], grads: &mut [f32]) -> f64 {
    let [x, y] = [0, 1].map(|i| f64::from(params[i]));
    let (a, b) = (1.0 - x, y - x * x);
    grads.copy_from_slice(&[-2.0 * a - 400.0 * x * b, 200.0 * b].map(|g| g as f32));
    a * a + 100.0 * b * b
}

fn choice(case: &serde_json::Value) -> Choice {
    let int = |key: &str| Some((key.to_owned(), Value::Int(case[key].as_i64()?)));
    let mut settings = Settings(["history", "iterations", "evaluations"].into_iter().filter_map(int).collect());
    let search = Value::Text(case["search"].as_str().unwrap().to_owned());
    let more = [("search", search), ("tolerance_grad", Value::Float(1e-7)), ("tolerance_change", Value::Float(1e-9))];
    settings.0.extend(more.map(|(key, value)| (key.to_owned(), value)));
    Choice { kind: "lbfgs".to_owned(), settings }
}
