//! Kernels, on every instruction set of this machine.

use crate::fixture::{Fixture, assert_close, pair};
use runner::kernels::activation::{self, Act};
use runner::kernels::linear::{self, Linear};
use runner::kernels::loss::{self, Mixed, Rule, Target};
use runner::kernels::norm::ghost::{self, Ghosts};
use runner::kernels::norm::{self, Norm};
use runner::kernels::pool::average::{Average, AveragePlan};
use runner::kernels::pool::{Window, max};
use runner::kernels::{Grad, Isa};

#[test]
fn batch_norm_in_training_and_evaluation() {
    let fixture = Fixture::read("batch_norm");
    let case = fixture.case("norm");
    let (eps, momentum) = (case["eps"].as_f64().unwrap() as f32, case["momentum"].as_f64().unwrap() as f32);
    let (gamma, beta) = (fixture.f32s("gamma"), fixture.f32s("beta"));
    let c = gamma.len();
    for isa in Isa::available() {
        let (mut running_mean, mut running_var) = (vec![0.0; c], vec![1.0; c]);
        for step in ["0", "1", "2", "eval"] {
            let get = |name: &str| fixture.get(&format!("{step}/{name}"));
            let x = get("x").f32s();
            let (mut mean, mut var) = (running_mean.clone(), running_var.clone());
            let statistics = if step == "eval" {
                norm::Statistics::Frozen
            } else {
                norm::statistics(isa, &x, &mut mean, &mut var);
                norm::update_running(x.len() / c, momentum, [&mean, &var], [&mut running_mean, &mut running_var]);
                assert_close("running mean", &running_mean, get("running_mean"), 1e-6);
                assert_close("running var", &running_var, get("running_var"), 1e-6);
                norm::Statistics::OfBatch
            };
            let norm = Norm {
                mean: &mean,
                var: &var,
                eps,
                gamma: Some(&gamma),
                beta: Some(&beta),
                act: Act::None,
                within: None,
            };
            let mut y = vec![0.0; x.len()];
            norm::forward(isa, &norm, &x, None, &mut y);
            assert_close(&format!("{isa} {step}: y"), &y, get("y"), 3e-6);

            let (mut dx, mut dgamma, mut dbeta) = (x.clone(), gamma.clone(), beta.clone());
            let saved = norm::Saved { x: &x, residual: None, y: None, statistics };
            let grads = norm::Grads {
                dx: Some(Grad::overwrite(&mut dx)),
                dgamma: Some(Grad::overwrite(&mut dgamma)),
                dbeta: Some(Grad::overwrite(&mut dbeta)),
                ..norm::Grads::default()
            };
            norm::backward(isa, &norm, saved, &get("dy").f32s(), grads);
            assert_close(&format!("{isa} {step}: dx"), &dx, get("dx"), 3e-6);
            assert_close(&format!("{isa} {step}: dgamma"), &dgamma, get("dgamma"), 1e-5);
            assert_close(&format!("{isa} {step}: dbeta"), &dbeta, get("dbeta"), 1e-5);
        }
    }
}

/// Parts of a batch as batches of their own; the running statistics are the mean over the parts.
#[test]
fn ghost_batch_norm_in_training() {
    let fixture = Fixture::read("ghost_norm");
    for name in fixture.cases() {
        let case = fixture.case(&name);
        let [each, pixels] = ["each", "pixels"].map(|key| case[key].as_u64().unwrap() as usize);
        let [eps, momentum] = ["eps", "momentum"].map(|key| case[key].as_f64().unwrap() as f32);
        let [gamma, beta] = ["gamma", "beta"].map(|key| fixture.f32s(&format!("{name}/{key}")));
        let c = gamma.len();
        for isa in Isa::available() {
            let (mut running_mean, mut running_var) = (vec![0.0; c], vec![1.0; c]);
            for step in 0..2 {
                let get = |key: &str| fixture.get(&format!("{name}/{step}/{key}"));
                let what = |key: &str| format!("{isa} {name} {step}: {key}");
                let x = get("x").f32s();
                let ghosts = Ghosts::of(get("x").shape[0], pixels, each);
                let [mut mean, mut var] = [vec![0.0; ghosts.count() * c], vec![0.0; ghosts.count() * c]];
                ghost::statistics(isa, ghosts, &x, &mut mean, &mut var);
                ghost::update_running(ghosts, momentum, [&mean, &var], [&mut running_mean, &mut running_var]);
                assert_close(&what("running mean"), &running_mean, get("running_mean"), 1e-6);
                assert_close(&what("running var"), &running_var, get("running_var"), 1e-6);
                let norm = Norm {
                    mean: &mean,
                    var: &var,
                    eps,
                    gamma: Some(&gamma),
                    beta: Some(&beta),
                    act: Act::None,
                    within: None,
                };
                let mut y = vec![0.0; x.len()];
                ghost::forward(isa, ghosts, &norm, &x, None, &mut y);
                assert_close(&what("y"), &y, get("y"), 3e-6);

                let (mut dx, mut dgamma, mut dbeta) = (x.clone(), gamma.clone(), beta.clone());
                let statistics = norm::Statistics::OfBatch;
                let saved = norm::Saved { x: &x, residual: None, y: None, statistics };
                let grads = norm::Grads {
                    dx: Some(Grad::overwrite(&mut dx)),
                    dgamma: Some(Grad::overwrite(&mut dgamma)),
                    dbeta: Some(Grad::overwrite(&mut dbeta)),
                    ..norm::Grads::default()
                };
                ghost::backward(isa, ghosts, &norm, saved, &get("dy").f32s(), grads);
                assert_close(&what("dx"), &dx, get("dx"), 3e-6);
                assert_close(&what("dgamma"), &dgamma, get("dgamma"), 1e-5);
                assert_close(&what("dbeta"), &dbeta, get("dbeta"), 1e-5);
            }
        }
    }
}

/// Ties included: the gradient goes to the same position as PyTorch's.
#[test]
fn max_pool_with_ties_and_padding() {
    for_each_window(|isa, what, window, fixture, case| {
        let x = fixture.get(&format!("{case}/max/x"));
        let dy = fixture.f32s(&format!("{case}/max/dy"));
        let (mut y, mut argmax, mut dx) = (dy.clone(), vec![0; dy.len()], x.f32s());
        max::forward(isa, window, x.image_shape(), &x.f32s(), &mut y, &mut argmax);
        assert_close(what, &y, fixture.get(&format!("{case}/max/y")), 0.0);
        max::backward(isa, window, x.image_shape(), &argmax, &dy, Grad::overwrite(&mut dx));
        assert_close(what, &dx, fixture.get(&format!("{case}/max/dx")), 1e-6);
    });
}

#[test]
fn average_pool_with_padding() {
    for_each_window(|isa, what, window, fixture, case| {
        for (name, average) in [("avg", Average::Windows(window)), ("avg-valid", Average::Inside(window))] {
            let x = fixture.get(&format!("{case}/{name}/x"));
            let [_, h, w, c] = x.image_shape();
            let plan = AveragePlan::new(average, h, w).unwrap();
            let dy = fixture.f32s(&format!("{case}/{name}/dy"));
            let (mut y, mut dx) = (dy.clone(), x.f32s());
            plan.forward(isa, c, &x.f32s(), &mut y);
            assert_close(what, &y, fixture.get(&format!("{case}/{name}/y")), 1e-6);
            plan.backward(isa, c, &dy, Grad::overwrite(&mut dx));
            assert_close(what, &dx, fixture.get(&format!("{case}/{name}/dx")), 1e-6);
        }
    });
}

fn for_each_window(check: impl Fn(Isa, &str, Window, &Fixture, &str)) {
    let fixture = Fixture::read("pool");
    for name in fixture.cases() {
        let case = fixture.case(&name);
        let window =
            Window { kernel: pair(&case["kernel"]), stride: pair(&case["stride"]), padding: pair(&case["padding"]) };
        for isa in Isa::available() {
            check(isa, &format!("{isa} {name}"), window, &fixture, &name);
        }
    }
}

/// 5e-7 is the error of our Φ, times the distance that a gradient's `z·φ(z)` reaches.
#[test]
fn activations() {
    let fixture = Fixture::read("pointwise");
    for (name, act, tolerance) in [("gelu", Act::Gelu, 5e-7), ("relu", Act::Relu, 0.0)] {
        let x = fixture.f32s(&format!("{name}/x"));
        for isa in Isa::available() {
            let (mut y, mut dx) = (x.clone(), x.clone());
            activation::forward(isa, act, &x, None, &mut y);
            assert_close(&format!("{isa} {name}"), &y, fixture.get(&format!("{name}/y")), tolerance);
            let saved = activation::Saved { a: &x, b: None };
            activation::backward(isa, act, saved, &vec![1.0; x.len()], Some(Grad::overwrite(&mut dx)), None);
            assert_close(&format!("{isa} {name}: dx"), &dx, fixture.get(&format!("{name}/dx")), tolerance);
        }
    }
}

#[test]
fn smooth_activations() {
    let fixture = Fixture::read("activations");
    let celu = |alpha| Act::Celu { alpha };
    for (name, act) in [("silu", Act::Silu), ("mish", Act::Mish), ("celu", celu(1.0)), ("celu-0.3", celu(0.3))] {
        let x = fixture.f32s(&format!("{name}/x"));
        for isa in Isa::available() {
            let (mut y, mut dx) = (x.clone(), x.clone());
            activation::forward(isa, act, &x, None, &mut y);
            assert_close(&format!("{isa} {name}"), &y, fixture.get(&format!("{name}/y")), 5e-7);
            let saved = activation::Saved { a: &x, b: None };
            activation::backward(isa, act, saved, &vec![1.0; x.len()], Some(Grad::overwrite(&mut dx)), None);
            assert_close(&format!("{isa} {name}: dx"), &dx, fixture.get(&format!("{name}/dx")), 5e-7);
        }
    }
}

#[test]
fn linear_layer() {
    let fixture = Fixture::read("pointwise");
    let get = |name: &str| fixture.get(&format!("linear/{name}"));
    let (x, weight, bias) = (get("x").f32s(), get("weight").f32s(), get("bias").f32s());
    let [outputs, inputs] = [0, 1].map(|axis| get("weight").shape[axis]);
    let linear = Linear { weight: &weight, bias: Some(&bias), inputs, outputs, scale: 1.0 };
    for isa in Isa::available() {
        let mut y = vec![0.0f32; get("y").values.len()];
        linear::forward(isa, &linear, &x, &mut y);
        assert_close("y", &y, get("y"), 2e-6);
        let (mut dx, mut dweight, mut dbias) = (x.clone(), weight.clone(), bias.clone());
        let grads = linear::Grads {
            dx: Some(Grad::overwrite(&mut dx)),
            dweight: Some(Grad::overwrite(&mut dweight)),
            dbias: Some(Grad::overwrite(&mut dbias)),
        };
        linear::backward(isa, &linear, &x, &get("dy").f32s(), grads);
        assert_close("dx", &dx, get("dx"), 2e-6);
        assert_close("dweight", &dweight, get("dweight"), 2e-6);
        assert_close("dbias", &dbias, get("dbias"), 2e-6);
    }
}

#[test]
fn cross_entropy_with_and_without_smoothing() {
    let fixture = Fixture::read("pointwise");
    for name in fixture.cases() {
        let get = |key: &str| fixture.get(&format!("{name}/{key}"));
        let logits = get("logits").f32s();
        let labels: Vec<u32> = get("labels").values.iter().map(|v| *v as u32).collect();
        let smoothing = fixture.case(&name)["smoothing"].as_f64().unwrap() as f32;
        let (rule, classes) = (Rule::CrossEntropy, logits.len() / labels.len());
        let target = Target { rule, labels: &labels, classes, smoothing, mixed: None, weights: None };
        for isa in Isa::available() {
            let (n, mut dlogits) = (labels.len() as f64, logits.clone());
            let score = loss::score_and_gradient(isa, target, &logits, (1.0 / n) as f32, &mut dlogits);
            assert_close(&format!("{isa} {name}: loss"), &[(score.loss / n) as f32], get("loss"), 1e-6);
            assert_close(&format!("{isa} {name}: dlogits"), &dlogits, get("dlogits"), 1e-7);
        }
    }
}

/// PyTorch's loss against timm's targets.
#[test]
fn binary_cross_entropy() {
    let fixture = Fixture::read("binary");
    assert_eq!(fixture.cases().len(), 6);
    for name in fixture.cases() {
        let get = |key: &str| fixture.get(&format!("{name}/{key}"));
        let number = |key: &str| fixture.case(&name)[key].as_f64().map(|number| number as f32);
        let logits = get("logits").f32s();
        let [labels, second] =
            ["labels", "second"].map(|key| get(key).values.iter().map(|v| *v as u32).collect::<Vec<_>>());
        let mixed = number("own").map(|own| Mixed { labels: &second, own });
        let (classes, smoothing) = (logits.len() / labels.len(), number("smoothing").unwrap());
        let rule = Rule::Binary { threshold: number("threshold") };
        let target = Target { rule, labels: &labels, classes, smoothing, mixed, weights: None };
        for isa in Isa::available() {
            let (n, mut dlogits) = (labels.len() as f64, logits.clone());
            let score = loss::score_and_gradient(isa, target, &logits, (1.0 / n) as f32, &mut dlogits);
            assert_close(&format!("{isa} {name}: loss"), &[(score.loss / n) as f32], get("loss"), 1e-6);
            assert_close(&format!("{isa} {name}: dlogits"), &dlogits, get("dlogits"), 2e-9);
        }
    }
}

/// `λ·CE(a) + (1 − λ)·CE(b)`, as mixup's and cutmix's authors compute it.
#[test]
fn cross_entropy_of_mixtures() {
    let fixture = Fixture::read("mixtures");
    for name in fixture.cases() {
        let get = |key: &str| fixture.get(&format!("{name}/{key}"));
        let number = |key: &str| fixture.case(&name)[key].as_f64().unwrap() as f32;
        let logits = get("logits").f32s();
        let [labels, second] =
            ["labels", "second"].map(|key| get(key).values.iter().map(|v| *v as u32).collect::<Vec<_>>());
        let mixed = Some(Mixed { labels: &second, own: number("own") });
        let (classes, smoothing) = (logits.len() / labels.len(), number("smoothing"));
        let target = Target { rule: Rule::CrossEntropy, labels: &labels, classes, smoothing, mixed, weights: None };
        for isa in Isa::available() {
            let (n, mut dlogits) = (labels.len() as f64, logits.clone());
            let score = loss::score_and_gradient(isa, target, &logits, (1.0 / n) as f32, &mut dlogits);
            assert_close(&format!("{isa} {name}: loss"), &[(score.loss / n) as f32], get("loss"), 1e-6);
            assert_close(&format!("{isa} {name}: dlogits"), &dlogits, get("dlogits"), 1e-7);
        }
    }
}
