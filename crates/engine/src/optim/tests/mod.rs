//! Optimizers: what each must do is in `contract`; here is what tells them apart.

mod contract;
mod device;
mod lbfgs;
mod mix;
mod schedule_free;

use super::*;
use crate::kernels::Isa;
use crate::registry::{self, Choice, Kind, RampValue, Value};

/// Fixed over the steps of a test.
const HYPERS: Hypers = Hypers { lr: 0.1, momentum: 0.9, weight_decay: 0.0, beta: None, share: 1.0 };

/// The settings that hold when a file gives none; for a mix, RMSProp and SGD.
fn defaults(entry: &OptimizerEntry) -> Settings {
    let value = |param: &registry::Param| {
        let registry::Default::Toml(text) = param.default else {
            let rule = match (param.key, param.default) {
                (_, registry::Default::Absent) => return None,
                ("from", _) => &rmsprop::ENTRY,
                ("to", _) => &sgd::ENTRY,
                (key, _) => panic!("{}: give the required `{key}` a value here", entry.name),
            };
            return Some(Value::Choice(Choice { kind: rule.name.to_owned(), settings: defaults(rule) }));
        };
        let table: toml::Table = format!("v = {text}").parse().unwrap();
        Some(match (&param.kind, &table["v"]) {
            (Kind::Bool, toml::Value::Boolean(b)) => Value::Bool(*b),
            (Kind::Float(range), toml::Value::Float(x)) if range.contains(*x) => Value::Float(*x),
            (Kind::Int { min, max }, toml::Value::Integer(n)) if (*min..=*max).contains(n) => Value::Int(*n),
            (Kind::Word(words), toml::Value::String(s)) if words.contains(&s.as_str()) => Value::Text(s.clone()),
            // The plan turns curves into numbers: optimizers do not look at them.
            (Kind::Ramp(_), toml::Value::Table(_)) => {
                Value::Ramp(RampValue::new(0.0, Some(1.0), Choice::plain("linear")))
            }
            (_, other) => panic!("{}: default {other} of {} does not fit its kind", entry.name, param.key),
        })
    };
    Settings(entry.params.iter().filter_map(|p| Some((p.key.to_owned(), value(p)?))).collect())
}

fn make(name: &str, len: usize) -> Box<dyn Optimizer> {
    make_with(name, len, [])
}

/// With some settings that are not the defaults.
fn make_with<const N: usize>(name: &str, len: usize, settings: [(&str, Value); N]) -> Box<dyn Optimizer> {
    let entry = registry::find(ENTRIES, name).unwrap();
    let mut all = defaults(entry);
    all.0.extend(settings.map(|(key, value)| (key.to_owned(), value)));
    (entry.make)(&all, len)
}

/// One step over one segment with this gradient, by a rule that evaluates no batch again.
fn step(optimizer: &mut dyn Optimizer, params: &mut [f32], grads: &[f32], hypers: &Hypers) {
    let segment = Segment { name: "w".to_owned(), range: 0..params.len(), shape: vec![1, params.len()] };
    let mut grads = grads.to_vec();
    let flat = Flat { params, grads: &mut grads, loss: 0.0, segments: &[segment], isa: Isa::Portable };
    optimizer.step(flat, hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn the_first_step_of_adam_is_as_long_as_the_rate_whatever_the_betas() {
    for (momentum, beta) in [(0.0, 0.0), (0.9, 0.999), (0.5, 0.9)] {
        let (mut optimizer, mut params) = (make("adam", 2), [1.0, 1.0]);
        let hypers = Hypers { lr: 0.125, momentum, beta: Some(beta), ..HYPERS };
        step(&mut *optimizer, &mut params, &[3.0, -0.02], &hypers);
        assert!((params[0] - 0.875).abs() < 1e-6 && (params[1] - 1.125).abs() < 1e-6, "{params:?}");
    }
}

#[test]
fn the_phases_beta_overrides_that_of_adam() {
    let run = |beta| {
        let (mut optimizer, mut params) = (make("adam", 1), [1.0]);
        for grad in [1.0, 4.0] {
            step(&mut *optimizer, &mut params, &[grad], &Hypers { beta, ..HYPERS });
        }
        assert_eq!(optimizer.applied().unwrap().beta, beta);
        params
    };
    assert_eq!(run(None), run(Some(0.999)));
    assert_ne!(run(None), run(Some(0.5)));
}

#[test]
fn coupled_decay_is_divided_with_the_gradient_and_decoupled_decay_is_not() {
    let after = |name| {
        let (mut optimizer, mut params) = (make(name, 1), [2.0]);
        let hypers = Hypers { weight_decay: 0.5, ..HYPERS };
        step(&mut *optimizer, &mut params, &[0.0], &hypers);
        params[0]
    };
    // The gradient is the decay alone, of which Adam's first step keeps no more than the sign.
    assert!((after("adam") - (2.0 - 0.1)).abs() < 1e-6);
    assert!((after("adamw") - (2.0 - 0.1 * 0.5 * 2.0)).abs() < 1e-6);
}

/// From SGD to Adam and back under one gradient, at any momentum: what is handed on is that gradient, each rule goes on as
/// if it had always been at work, and saving and loading at any moment changes nothing.
#[test]
fn momentum_goes_from_sgd_to_adam_and_back() {
    const GRADS: [f32; 3] = [0.5, -2.0, 1e-3];
    let reloaded = |optimizer: &dyn Optimizer, name: &str| {
        let mut fresh = make(name, 3);
        fresh.load(optimizer.state()).unwrap();
        fresh
    };
    let near = |what: &str, got: &[f32], factor: f32| {
        let close = got.iter().zip(GRADS).all(|(got, g)| (got - factor * g).abs() <= 1e-3 * (factor * g).abs());
        assert!(close, "{what}: {got:?} is not {factor} times {GRADS:?}");
    };
    for [before, after, last] in [[0.9, 0.9, 0.9], [0.0, 0.9, 0.0], [0.95, 0.5, 0.8]] {
        let hypers = |momentum| Hypers { lr: 1e-4, momentum, ..HYPERS };
        let mut params = [0.0; 3];
        let mut sgd = make("sgd", 3);
        for _ in 0..2 {
            step(&mut *sgd, &mut params, &GRADS, &hypers(before));
            near("sgd", &sgd.momentum().unwrap(), 1.0);
        }
        let mut adam = make("adam", 3);
        adam.carry(reloaded(&*sgd, "sgd").momentum().unwrap());
        near("adam before its first step", &adam.momentum().unwrap(), 1.0);
        for k in 0..3 {
            let before = params;
            adam = reloaded(&*adam, "adam");
            step(&mut *adam, &mut params, &GRADS, &hypers(after));
            let steps: Vec<f32> = (0..3).map(|i| (before[i] - params[i]) / 1e-4).collect();
            let whole = steps.iter().zip(GRADS).all(|(step, g)| (step - g.signum()).abs() < 0.02);
            assert!(whole, "step {k} of adam is as long as the rate: {steps:?}");
        }
        near("a reloaded adam", &reloaded(&*adam, "adam").momentum().unwrap(), 1.0);

        let mut back = make("sgd", 3);
        back.carry(adam.momentum().unwrap());
        back = reloaded(&*back, "sgd");
        step(&mut *back, &mut params, &GRADS, &hypers(last));
        near("sgd's sum", &back.state().buffers[MOMENTUM], (1.0 / (1.0 - last)) as f32);
        near("sgd again", &back.momentum().unwrap(), 1.0);
    }
}

#[test]
fn rmsprop_hands_on_gradients_and_not_its_steps() {
    for momentum in [0.0, 0.5] {
        let hypers = Hypers { lr: 1e-4, momentum, beta: Some(0.5), ..HYPERS };
        let (mut rmsprop, mut params) = (make("rmsprop", 2), [0.0; 2]);
        (0..100).for_each(|_| step(&mut *rmsprop, &mut params, &[4.0, -0.01], &hypers));
        let mean = rmsprop.momentum().unwrap();
        assert!((mean[0] - 4.0).abs() < 1e-3 && (mean[1] + 0.01).abs() < 1e-5, "{mean:?}");
    }
}

#[test]
fn lion_steps_by_the_sign_and_keeps_another_mean() {
    let (mut lion, mut params) = (make("lion", 3), [1.0, 1.0, 1.0]);
    step(&mut *lion, &mut params, &[5.0, -0.01, 0.0], &HYPERS);
    assert_eq!(params, [0.9, 1.1, 1.0]);
    // The mean is 0.01 of the first gradient and outweighs a tenth of the next.
    step(&mut *lion, &mut params, &[-0.4, 0.0, 0.0], &Hypers { momentum: 0.9, ..HYPERS });
    assert!((params[0] - 0.8).abs() < 1e-6, "{params:?}");
}

#[test]
fn a_step_of_lars_and_lamb_is_as_long_as_the_weights_allow() {
    let weights = [3.0, -4.0];
    for (scale, rate) in [(1e-6, 0.01), (1.0, 0.01), (1e6, 0.02)] {
        let hypers = Hypers { lr: rate, momentum: 0.0, ..HYPERS };
        let moved = |name: &str, trust: f64| {
            let (mut optimizer, mut params) = (make(name, 2), weights);
            step(&mut *optimizer, &mut params, &[2.0 * scale, scale], &hypers);
            let length = params.iter().zip(weights).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
            assert!((length - 5.0 * rate * trust).abs() < 0.02 * length, "{name}, {scale}: {length}");
        };
        moved("lamb", 1.0);
        moved("lars", 0.001);
    }
}

#[test]
fn biases_and_norms_step_as_if_there_were_no_trust() {
    for (name, like) in [("lars", "sgd"), ("lamb", "adamw")] {
        let after = |name: &str| {
            let mut optimizer =
                if name == "adamw" { make_with(name, 2, [("eps", Value::Float(1e-6))]) } else { make(name, 2) };
            let mut params = [1.0, 2.0];
            let segments = [Segment { name: "b".to_owned(), range: 0..2, shape: vec![2] }];
            for grads in [[0.5, -1.0], [2.0, 0.25]] {
                let (mut grads, hypers) = (grads, Hypers { weight_decay: 0.1, ..HYPERS });
                let flat =
                    Flat { params: &mut params, grads: &mut grads, loss: 0.0, segments: &segments, isa: Isa::Portable };
                optimizer.step(flat, &hypers, &mut |_, _| unreachable!()).unwrap();
            }
            params
        };
        let (got, want) = (after(name), after(like));
        assert!(got.iter().zip(want).all(|(got, want)| (got - want).abs() < 1e-6), "{name}: {got:?}, {like}: {want:?}");
    }
}
