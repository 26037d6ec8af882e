//! Twenty steps of optimizers that PyTorch has not, against their papers' formulas in `f64`: LARS, LAMB, Lion, and the mix of
//! RMSProp and SGD of Akiba et al.

use crate::fixture::{Fixture, assert_close};
use crate::optimizers::start;
use runner::kernels::Isa;
use runner::optim::{self, Flat, Hypers, Segment};
use runner::registry::{Choice, RampValue, Settings, Value};

/// Relative to the weights; after twenty steps. Lion's are exact but for rounding: a sign that flips would show.
const TOLERANCE: f64 = 2e-6;

#[test]
fn steps_are_the_papers() {
    let fixture = Fixture::read("papers");
    let (lr, momentum) = (&fixture.get("lr").values, &fixture.get("momentum").values);
    for name in fixture.cases() {
        let case = fixture.case(&name);
        let (segments, start) = start(&fixture);
        // One tensor at a time: those of one axis have a rate of their own.
        for segment in &segments {
            let mut params = start[segment.range.clone()].to_vec();
            let alone = [Segment { range: 0..params.len(), ..segment.clone() }];
            let adapted = segment.shape.len() > 1 || case["adapt"] == "all";
            let rate = if adapted { case["rate"].as_f64().unwrap_or(1.0) } else { 1.0 };
            let mut optimizer = optim::make(&choice(&case), params.len());
            for step in 0..lr.len() {
                let mut grads = fixture.get(&format!("grads/{}", segment.name)).row(step).f32s();
                let hypers = Hypers {
                    lr: rate * lr[step],
                    momentum: momentum[step],
                    weight_decay: case["weight_decay"].as_f64().unwrap(),
                    beta: None,
                    share: share(&case, step as f64 / (lr.len() - 1) as f64),
                };
                let flat =
                    Flat { params: &mut params, grads: &mut grads, loss: 0.0, segments: &alone, isa: Isa::Portable };
                optimizer.step(flat, &hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
                let want = fixture.get(&format!("{name}/{}", segment.name)).row(step);
                assert_close(&format!("{name}, {}, step {step}", segment.name), &params, &want, TOLERANCE);
            }
        }
    }
}

/// Of a mix; the plan's curves end where the next phase begins, the fixture's at its last step.
fn share(case: &serde_json::Value, part: f64) -> f64 {
    let end = |index: usize| case["weight"][index].as_f64().unwrap_or(1.0);
    end(0) + (end(1) - end(0)) * part
}

/// The defaults, and what the case gives. Settings that an optimizer does not have do no harm.
fn choice(case: &serde_json::Value) -> Choice {
    let float = |key: &str, default: f64| Value::Float(case[key].as_f64().unwrap_or(default));
    let text = |key: &str, default: &str| Value::Text(case[key].as_str().unwrap_or(default).to_owned());
    let kind = case["kind"].as_str().unwrap();
    let rule = |kind: &str| {
        let settings = [("nesterov", Value::Bool(false)), ("decay", Value::Text("coupled".to_owned()))];
        let mut rule = Choice::with(kind, settings);
        rule.settings.0.extend([("alpha", 0.99), ("eps", 1e-8)].map(|(key, x)| (key.to_owned(), Value::Float(x))));
        Value::Choice(rule)
    };
    let settings = [
        ("trust", float("trust", 0.001)),
        ("eps", Value::Float(if kind == "lamb" { 1e-6 } else { 1e-8 })),
        ("nesterov", Value::Bool(case["nesterov"].as_bool().unwrap_or(false))),
        ("adapt", text("adapt", "matrices")),
        ("decay", text("decay", "coupled")),
        ("beta2", float("beta2", if kind == "lion" { 0.99 } else { 0.999 })),
        ("from", rule("rmsprop")),
        ("to", rule("sgd")),
        ("from_rate", float("from_rate", 1.0)),
        ("to_rate", Value::Float(1.0)),
        ("weight", Value::Ramp(RampValue::constant(0.0))),
    ];
    Choice {
        kind: kind.to_owned(),
        settings: Settings(settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
    }
}
