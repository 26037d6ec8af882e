//! A whole net: ResNet-9 at width 2, three steps of SGD, then an evaluation.

use crate::common::net;
use crate::fixture::{Fixture, assert_close};
use runner::kernels::{DType, Isa};
use runner::model;
use runner::nn::{Params, Shape, Tape, TapeOptions};
use runner::optim::Hypers;
use runner::registry::{Choice, Value};
use runner::train::net::parts;
use runner::train::{Optimizers, Rules};

/// PyTorch sums in another order; three steps at a large rate let the difference grow.
const TOLERANCE: f64 = 2e-5;

#[test]
fn three_steps_of_resnet9_are_those_of_pytorch() {
    let fixture = Fixture::read("net");
    let case = fixture.case("resnet9");
    let spec = net(&format!("backbone = {{ resnet9 = {} }}", case["width"]));
    let graph = model::build(&parts(&spec, 10), Shape::new(16, 16, 3)).unwrap();
    let images = fixture.f32s("images");
    let labels: Vec<u32> = (0..8).collect();
    let number = |key: &str| case[key].as_f64().unwrap();
    let hypers = Hypers {
        lr: number("lr"),
        momentum: number("momentum"),
        weight_decay: number("weight_decay"),
        beta: None,
        share: 1.0,
    };

    for isa in Isa::available() {
        let mut params = Params::new(graph.params(), graph.stats(), 0);
        for name in fixture.under("before/") {
            let slot = params.directory()[name].clone();
            assert_eq!(fixture.get(&format!("before/{name}")).shape, slot.shape, "{name}");
            params.values_mut()[slot.range].copy_from_slice(&fixture.f32s(&format!("before/{name}")));
        }
        assert_eq!(fixture.under("before/").count(), params.directory().len(), "parameters by the same names");
        let sgd = Choice::with("sgd", [("nesterov", Value::Bool(true)), ("decay", Value::Text("coupled".into()))]);
        let mut optimizers = Optimizers::new(&params, &Rules::default(), &sgd);
        let mut tape = Tape::new(&graph, &params, TapeOptions::train(8, DType::F32, isa));
        let mut losses = Vec::new();
        for step in 0..3 {
            tape.forward(&mut params, &images).unwrap();
            losses.push((tape.loss(&labels, 0.1).sum / 8.0) as f32);
            tape.backward(&mut params).unwrap();
            for name in fixture.under("gradient/").filter(|_| step == 0) {
                let want = fixture.get(&format!("gradient/{name}"));
                assert_close(&format!("{isa} gradient of {name}"), params.grad(name).unwrap(), want, TOLERANCE);
            }
            optimizers.step(&mut params, isa, 0.0, &[Some(hypers)], &mut |_, _| unreachable!()).unwrap();
        }
        assert_close(&format!("{isa} losses"), &losses, fixture.get("losses"), TOLERANCE);
        for name in fixture.under("after/") {
            let want = fixture.get(&format!("after/{name}"));
            assert_close(&format!("{isa} {name}"), params.get(name).unwrap(), want, 10.0 * TOLERANCE);
        }
        for name in fixture.under("statistics/") {
            let want = fixture.get(&format!("statistics/{name}"));
            assert_close(&format!("{isa} {name}"), params.stat(name).unwrap(), want, 10.0 * TOLERANCE);
        }
        let mut tape = Tape::new(&graph, &params, TapeOptions::evaluate(8, DType::F32, isa));
        tape.forward(&mut params, &images).unwrap();
        assert_close(&format!("{isa} evaluation"), &tape.output(), fixture.get("evaluated"), 10.0 * TOLERANCE);
    }
}
