//! Sixteen steps of the schedule-free rules against the published code (`schedulefree` 1.4.1): the weights that training has,
//! and those that are evaluated.

use crate::fixture::{Fixture, assert_close};
use crate::optimizers::start;
use runner::kernels::Isa;
use runner::optim::{self, Flat, Hypers};
use runner::registry::{Choice, Value};

/// Relative to the weights. What is evaluated is beyond `y` from `z`: of a momentum of 0.3, as the least here, their roundings
/// count threefold.
const TOLERANCE: f64 = 2e-6;

#[test]
fn steps_and_what_is_evaluated_are_those_of_the_published_code() {
    let fixture = Fixture::read("schedule_free");
    let (lr, momentum) = (&fixture.get("lr").values, &fixture.get("momentum").values);
    assert_eq!(fixture.cases().len(), 8);
    for name in fixture.cases() {
        let case = fixture.case(&name);
        let float = |key: &str, default: f64| case[key].as_f64().unwrap_or(default);
        let settings = [("r", 0.0), ("weight_lr_power", 2.0), ("beta2", 0.999), ("eps", 1e-8)];
        let mut choice = Choice::plain(case["kind"].as_str().unwrap());
        let settings = settings.map(|(key, default)| (key.to_owned(), Value::Float(float(key, default))));
        choice.settings.0.extend(settings);
        let (segments, mut params) = start(&fixture);
        let mut optimizer = optim::make(&choice, params.len());
        for step in 0..lr.len() {
            let of_step = |prefix: &str, name: &str| fixture.get(&format!("{prefix}/{name}")).row(step);
            let mut grads = vec![f32::NAN; params.len()];
            for segment in &segments {
                grads[segment.range.clone()].copy_from_slice(&of_step("grads", &segment.name).f32s());
            }
            let moves = case["moves"].as_bool().unwrap_or(false);
            let hypers = Hypers {
                lr: lr[step],
                momentum: if moves { momentum[step] } else { float("momentum", 0.9) },
                weight_decay: float("weight_decay", 0.0),
                beta: None,
                share: 1.0,
            };
            let flat =
                Flat { params: &mut params, grads: &mut grads, loss: 0.0, segments: &segments, isa: Isa::Portable };
            optimizer.step(flat, &hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
            let mut evaluated = params.clone();
            optimizer.to_average(&mut evaluated, &segments);
            for segment in &segments {
                for (which, got) in [("y", &params), ("x", &evaluated)] {
                    let want = of_step(&format!("{name}/{which}"), &segment.name);
                    let what = format!("{name}, {which} of {} after step {step}", segment.name);
                    assert_close(&what, &got[segment.range.clone()], &want, TOLERANCE);
                }
            }
        }
    }
}
