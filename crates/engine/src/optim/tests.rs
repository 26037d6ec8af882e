//! What every optimizer must do: made with its defaults, it descends; saved and loaded into a fresh one, it goes on alike.

use super::*;
use crate::kernels::Isa;
use crate::registry::{self, Kind, Value};

/// The settings that hold when a file gives none.
fn defaults(entry: &OptimizerEntry) -> Settings {
    let value = |param: &registry::Param| {
        let registry::Default::Toml(text) = param.default else { return None };
        let table: toml::Table = format!("v = {text}").parse().unwrap();
        Some(match (&param.kind, &table["v"]) {
            (Kind::Bool, toml::Value::Boolean(b)) => Value::Bool(*b),
            (Kind::Float(range), toml::Value::Float(x)) if range.contains(*x) => Value::Float(*x),
            (Kind::Int { min, max }, toml::Value::Integer(n)) if (*min..=*max).contains(n) => Value::Int(*n),
            (Kind::Word(words), toml::Value::String(s)) if words.contains(&s.as_str()) => Value::Text(s.clone()),
            (_, other) => panic!("{}: default {other} of {} does not fit its kind", entry.name, param.key),
        })
    };
    Settings(entry.params.iter().filter_map(|p| Some((p.key.to_owned(), value(p)?))).collect())
}

/// A problem to descend on: its value, and its gradient into the second slice.
struct Problem {
    name: &'static str,
    start: Vec<f32>,
    eval: fn(&[f32], &mut [f32]) -> f64,
    /// The value to be reached, as a share of the first.
    goal: f64,
}

fn problems() -> [Problem; 2] {
    let quadratic = |x: &[f32], g: &mut [f32]| {
        let mut sum = 0.0;
        for (i, (x, g)) in x.iter().zip(g).enumerate() {
            let curvature = 1.0 + i as f32;
            *g = curvature * x;
            sum += f64::from(0.5 * curvature * x * x);
        }
        sum
    };
    let rosenbrock = |x: &[f32], g: &mut [f32]| {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        g.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
        f64::from(a * a + 100.0 * b * b)
    };
    [
        Problem { name: "quadratic", start: vec![1.0, -2.0, 0.5, 3.0, -0.1], eval: quadratic, goal: 0.01 },
        Problem { name: "rosenbrock", start: vec![-1.2, 1.0], eval: rosenbrock, goal: 0.1 },
    ]
}

/// Weights and gradients of a run; the hyper-parameters change every step.
struct Run<'a> {
    problem: &'a Problem,
    /// Factor on the learning rate: rules whose steps are as long as the rate, whatever the gradient, need a larger one.
    pace: f64,
    params: Vec<f32>,
    segments: Vec<Segment>,
}

impl<'a> Run<'a> {
    fn new(entry: &OptimizerEntry, problem: &'a Problem) -> Self {
        let len = problem.start.len();
        let segment =
            |name: &str, range: Range<usize>| Segment { name: name.to_owned(), shape: vec![1, range.len()], range };
        let segments = vec![segment("a", 0..1), segment("b", 1..len)];
        let pace = if ["adam", "adamw", "muon"].contains(&entry.name) { 10.0 } else { 1.0 };
        Self { problem, pace, params: problem.start.clone(), segments }
    }

    fn hypers(&self, step: usize) -> Hypers {
        Hypers {
            lr: self.pace * (4e-4 + 1e-7 * step as f64),
            momentum: 0.9 - 1e-4 * (step % 7) as f64,
            weight_decay: 1e-6,
            beta: None,
        }
    }

    fn step(&mut self, optimizer: &mut dyn Optimizer, step: usize) -> f64 {
        let mut grads = vec![0.0; self.params.len()];
        let hypers = self.hypers(step);
        let value = (self.problem.eval)(&self.params, &mut grads);
        let flat = Flat { params: &mut self.params, grads: &mut grads, segments: &self.segments, isa: Isa::Portable };
        let eval = self.problem.eval;
        optimizer.step(flat, &hypers, &mut |params, grads| Ok(eval(params, grads))).unwrap();
        value
    }
}

#[test]
fn every_optimizer_descends_with_its_defaults() {
    for (entry, problem) in ENTRIES.iter().flat_map(|e| problems().map(|p| (e, p))) {
        let mut optimizer = (entry.make)(&defaults(entry), problem.start.len());
        let mut run = Run::new(entry, &problem);
        let first = run.step(&mut *optimizer, 0);
        let last = (1..3000).map(|step| run.step(&mut *optimizer, step)).last().unwrap();
        assert!(last < problem.goal * first, "{} on {}: {first} → {last}", entry.name, problem.name);
    }
}

#[test]
fn every_optimizer_goes_on_from_its_saved_state() {
    for (entry, problem) in ENTRIES.iter().flat_map(|e| problems().map(|p| (e, p))) {
        let make = || (entry.make)(&defaults(entry), problem.start.len());
        let (mut optimizer, mut run) = (make(), Run::new(entry, &problem));
        for step in 0..10 {
            run.step(&mut *optimizer, step);
        }
        let mut fresh = make();
        fresh.load(optimizer.state()).unwrap();
        assert_eq!(fresh.state(), optimizer.state(), "{}", entry.name);
        let mut resumed = Run { params: run.params.clone(), ..Run::new(entry, &problem) };
        for step in 10..20 {
            run.step(&mut *optimizer, step);
            resumed.step(&mut *fresh, step);
            let bits = |params: &[f32]| params.iter().map(|p| p.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&run.params), bits(&resumed.params), "{} at step {step}", entry.name);
        }
    }
}

#[test]
fn every_optimizer_tells_what_it_used_and_refuses_a_foreign_state() {
    for entry in ENTRIES {
        let problem = &problems()[0];
        let mut optimizer = (entry.make)(&defaults(entry), problem.start.len());
        assert_eq!(optimizer.applied(), None, "{}", entry.name);
        let mut run = Run::new(entry, problem);
        run.step(&mut *optimizer, 3);
        assert_eq!(optimizer.applied(), Some(Applied::of(&run.hypers(3))), "{}", entry.name);

        let whole = optimizer.state();
        let mut unknown = whole.clone();
        unknown.buffers.insert("nonsense".to_owned(), vec![0.0; problem.start.len()]);
        assert!(optimizer.load(unknown).unwrap_err().to_string().contains("nonsense"), "{}", entry.name);
        for name in whole.buffers.keys() {
            let (mut missing, mut short) = (whole.clone(), whole.clone());
            missing.buffers.remove(name);
            assert!(optimizer.load(missing).unwrap_err().to_string().contains(name), "{}", entry.name);
            short.buffers.insert(name.clone(), vec![0.0]);
            assert!(optimizer.load(short).unwrap_err().to_string().contains(name), "{}", entry.name);
        }
        for name in whole.counters.keys() {
            let mut missing = whole.clone();
            missing.counters.remove(name);
            assert!(optimizer.load(missing).unwrap_err().to_string().contains(name), "{}", entry.name);
        }
        assert_eq!(optimizer.state(), whole, "{}: a refused state changed something", entry.name);
    }
}

fn make(name: &str, len: usize) -> Box<dyn Optimizer> {
    let entry = registry::find(ENTRIES, name).unwrap();
    (entry.make)(&defaults(entry), len)
}

/// One step over one segment with this gradient.
fn step(optimizer: &mut dyn Optimizer, params: &mut [f32], grads: &[f32], hypers: &Hypers) {
    let segment = segment(params.len());
    step_over(optimizer, params, grads, hypers, segment);
}

fn segment(len: usize) -> Segment {
    Segment { name: "w".to_owned(), range: 0..len, shape: vec![1, len] }
}

fn step_over(optimizer: &mut dyn Optimizer, params: &mut [f32], grads: &[f32], hypers: &Hypers, segment: Segment) {
    let flat = Flat { params, grads: &mut grads.to_vec(), segments: &[segment], isa: Isa::Portable };
    optimizer.step(flat, hypers, &mut |_, _| unreachable!("a first-order rule")).unwrap();
}

#[test]
fn steps_do_not_depend_on_the_number_of_threads() {
    const SIDES: [usize; 2] = [301, 337];
    const LEN: usize = SIDES[0] * SIDES[1];
    let noise =
        |seed: usize| -> Vec<f32> { (0..LEN).map(|i| ((i * 7919 + seed) % 1009) as f32 / 500.0 - 1.0).collect() };
    for entry in ENTRIES {
        let after = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (mut optimizer, mut params) = (make(entry.name, LEN), noise(1));
                for k in 0..3 {
                    let hypers = Hypers { lr: 0.01, momentum: 0.9, weight_decay: 0.01, beta: None };
                    let segment = Segment { shape: SIDES.to_vec(), ..segment(LEN) };
                    step_over(&mut *optimizer, &mut params, &noise(k), &hypers, segment);
                }
                params.iter().map(|p| p.to_bits()).collect::<Vec<_>>()
            })
        };
        assert!(after(1) == after(3), "{}", entry.name);
    }
}

#[test]
fn the_first_step_of_adam_is_as_long_as_the_rate_whatever_the_betas() {
    for (momentum, beta) in [(0.0, 0.0), (0.9, 0.999), (0.5, 0.9)] {
        let (mut optimizer, mut params) = (make("adam", 2), [1.0, 1.0]);
        let hypers = Hypers { lr: 0.125, momentum, weight_decay: 0.0, beta: Some(beta) };
        step(&mut *optimizer, &mut params, &[3.0, -0.02], &hypers);
        assert!((params[0] - 0.875).abs() < 1e-6 && (params[1] - 1.125).abs() < 1e-6, "{params:?}");
    }
}

#[test]
fn the_phases_beta_overrides_that_of_adam() {
    let run = |beta| {
        let (mut optimizer, mut params) = (make("adam", 1), [1.0]);
        for grad in [1.0, 4.0] {
            step(&mut *optimizer, &mut params, &[grad], &Hypers { lr: 0.1, momentum: 0.9, weight_decay: 0.0, beta });
        }
        params
    };
    assert_eq!(run(None), run(Some(0.999)));
    assert_ne!(run(None), run(Some(0.5)));
}

#[test]
fn coupled_decay_is_divided_with_the_gradient_and_decoupled_decay_is_not() {
    let after = |name| {
        let (mut optimizer, mut params) = (make(name, 1), [2.0]);
        let hypers = Hypers { lr: 0.1, momentum: 0.9, weight_decay: 0.5, beta: None };
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
        let hypers = |momentum| Hypers { lr: 1e-4, momentum, weight_decay: 0.0, beta: None };
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
        let hypers = Hypers { lr: 1e-4, momentum, weight_decay: 0.0, beta: Some(0.5) };
        let (mut rmsprop, mut params) = (make("rmsprop", 2), [0.0; 2]);
        (0..100).for_each(|_| step(&mut *rmsprop, &mut params, &[4.0, -0.01], &hypers));
        let mean = rmsprop.momentum().unwrap();
        assert!((mean[0] - 4.0).abs() < 1e-3 && (mean[1] + 0.01).abs() < 1e-5, "{mean:?}");
    }
}
