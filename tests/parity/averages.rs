//! Averaged weights and their statistics, against PyTorch's `AveragedModel` and `update_bn`.

use crate::common::net;
use crate::fixture::{Fixture, assert_close};
use runner::average::ENTRIES;
use runner::kernels::{DType, Isa};
use runner::model;
use runner::nn::{Init, ParamDecl, Params, Role, Shape, StatDecl, Tape, TapeOptions};
use runner::registry::{Settings, Value, find};
use runner::train::net::parts;
use runner::train::{Average, MeanStatistics};

/// A handful of roundings.
const TOLERANCE: f64 = 1e-6;
/// Statistics behind several layers, whose sums are in another order.
const TOLERANCE_NET: f64 = 2e-5;

#[test]
fn means_are_those_of_averaged_model() {
    let fixture = Fixture::read("averages");
    let [weights, buffers] = ["weights", "buffers"].map(|name| fixture.get(name));
    for name in fixture.cases() {
        let decay = fixture.case(&name)["decay"].as_f64().unwrap_or(0.0);
        let settings = [("decay_warmup", Value::Bool(false))];
        let settings = Settings(settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect());
        let rule = (find(ENTRIES, &name).unwrap().make)(&settings);
        let mut params = one_tensor(weights.shape[1], buffers.shape[1]);
        let mut average = Average::new(&params);
        for step in 0..weights.shape[0] {
            params.values_mut()[..weights.shape[1]].copy_from_slice(&weights.row(step).f32s());
            params.stats_mut().copy_from_slice(&buffers.row(step).f32s());
            average.update(&mut params, rule.share(average.updates, decay), true).unwrap();
            let want = |key: &str| fixture.get(&format!("{name}/{key}")).row(step);
            let what = format!("{name}, update {step}");
            assert_close(&what, &average.params.host()[..weights.shape[1]], &want("weights"), TOLERANCE);
            assert_close(&what, average.stats.host(), &want("buffers"), TOLERANCE);
        }
    }
}

fn one_tensor(weights: usize, stats: usize) -> Params {
    let init = Init::Constant(0.0);
    let decl = ParamDecl { name: "weight".to_owned(), role: Role::Conv, shape: vec![weights], init, frozen: false };
    Params::new(&[decl], &[StatDecl { name: "statistic".to_owned(), len: stats, start: 0.0 }], 0)
}

#[test]
fn statistics_found_anew_are_those_of_update_bn() {
    let fixture = Fixture::read("statistics");
    let case = fixture.case("resnet9");
    let batch = case["batch"].as_u64().unwrap() as usize;
    let spec = net(&format!("backbone = {{ resnet9 = {} }}", case["width"]));
    let graph = model::build(&parts(&spec, 10), Shape::new(16, 16, 3)).unwrap();
    let images = fixture.f32s("images");
    for isa in Isa::available() {
        let mut params = Params::new(graph.params(), graph.stats(), 0);
        for name in fixture.under("weights/") {
            let slot = params.directory()[name].clone();
            params.values_mut()[slot.range].copy_from_slice(&fixture.f32s(&format!("weights/{name}")));
        }
        // What was there before leaves no trace.
        params.stats_mut().fill(5.0);
        let mut tape = Tape::new(&graph, &params, TapeOptions::measure(batch, DType::F32, isa));
        let mut mean = MeanStatistics::new(params.stats().len());
        for images in images.chunks(batch * 16 * 16 * 3) {
            tape.forward(&mut params, images).unwrap();
            mean.add(params.stats(), batch);
        }
        mean.put(params.stats_mut());
        assert_eq!(fixture.under("statistics/").count(), params.stat_directory().len());
        for name in fixture.under("statistics/") {
            let want = fixture.get(&format!("statistics/{name}"));
            assert_close(&format!("{isa} {name}"), params.stat(name).unwrap(), want, TOLERANCE_NET);
        }
    }
}
