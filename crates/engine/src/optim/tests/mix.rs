//! The mix of two rules; the rule of Akiba et al. is held against its formulas in `tests/parity`.

use super::*;

const STEPS: usize = 12;

fn grads(step: usize) -> [f32; 3] {
    [0, 1, 2].map(|i| ((step * 5 + i * 3) % 7) as f32 / 3.0 - 1.0)
}

fn mix(from: &str, to: &str, from_rate: f64) -> Box<dyn Optimizer> {
    let rule = |name: &str| {
        let entry = registry::find(ENTRIES, name).unwrap();
        Value::Choice(Choice { kind: name.to_owned(), settings: defaults(entry) })
    };
    make_with("mix", 3, [("from", rule(from)), ("to", rule(to)), ("from_rate", Value::Float(from_rate))])
}

fn run(optimizer: &mut dyn Optimizer, lr: f64, share: f64) -> [f32; 3] {
    let mut params = [1.0, -2.0, 0.5];
    for k in 0..STEPS {
        step(optimizer, &mut params, &grads(k), &Hypers { lr, weight_decay: 0.1, share, ..HYPERS });
    }
    params
}

#[test]
fn the_whole_share_is_the_rule_itself() {
    let near = |a: [f32; 3], b: [f32; 3]| {
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} is not {b:?}");
    };
    for (from, to) in [("rmsprop", "sgd"), ("adamw", "lion"), ("sgd", "muon"), ("lars", "lamb")] {
        near(run(&mut *mix(from, to, 0.1), 0.05, 0.0), run(&mut *make(from, 3), 0.005, 1.0));
        near(run(&mut *mix(from, to, 0.1), 0.05, 1.0), run(&mut *make(to, 3), 0.05, 1.0));
    }
}

#[test]
fn halves_of_one_rule_are_the_rule() {
    for name in ["sgd", "rmsprop", "adam", "adamw", "lars", "lamb", "lion", "muon"] {
        let (whole, halves) = (run(&mut *make(name, 3), 0.02, 1.0), run(&mut *mix(name, name, 1.0), 0.02, 0.5));
        let near = whole.iter().zip(halves).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(near, "{name}: {whole:?} is not {halves:?}");
    }
}

/// What was handed on comes into the step as the rule's share does.
#[test]
fn a_carried_momentum_waits_for_its_share() {
    let mut mix = mix("rmsprop", "sgd", 1e-12);
    mix.carry(vec![1.0, 2.0, 3.0]);
    let mut params = [0.0; 3];
    step(&mut *mix, &mut params, &[1.0, 2.0, 3.0], &Hypers { share: 0.0, ..HYPERS });
    assert!(params.iter().all(|p| p.abs() < 1e-9), "{params:?}");
}
