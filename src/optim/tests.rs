//! What every optimizer must do: made with its defaults, it descends; saved and loaded into a fresh one, it goes on alike.

use super::*;
use crate::registry::{self, Kind, Value};

/// The settings that hold when a file gives none.
fn defaults(entry: &OptimizerEntry) -> Settings {
    let value = |param: &registry::Param| {
        let registry::Default::Toml(text) = param.default else { return None };
        let table: toml::Table = format!("v = {text}").parse().unwrap();
        Some(match (&param.kind, &table["v"]) {
            (Kind::Bool, toml::Value::Boolean(b)) => Value::Bool(*b),
            (Kind::Float(range), toml::Value::Float(x)) if range.contains(*x) => Value::Float(*x),
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
    params: Vec<f32>,
    segments: Vec<Segment>,
}

impl<'a> Run<'a> {
    fn new(problem: &'a Problem) -> Self {
        let len = problem.start.len();
        let segment = |name: &str, range: Range<usize>, lr_scale, weight_decay| Segment {
            name: name.to_owned(),
            shape: vec![range.len()],
            range,
            lr_scale,
            weight_decay,
        };
        let segments = vec![segment("a", 0..1, 1.0, None), segment("b", 1..len, 0.5, Some(0.0))];
        Self { problem, params: problem.start.clone(), segments }
    }

    fn hypers(step: usize) -> Hypers {
        Hypers {
            lr: 4e-4 + 1e-7 * step as f64,
            momentum: 0.9 - 1e-4 * (step % 7) as f64,
            weight_decay: 1e-6,
            beta: None,
        }
    }

    fn step(&mut self, optimizer: &mut dyn Optimizer, step: usize) -> f64 {
        let mut grads = vec![0.0; self.params.len()];
        let value = (self.problem.eval)(&self.params, &mut grads);
        let flat = Flat { params: &mut self.params, grads: &mut grads, segments: &self.segments };
        let eval = self.problem.eval;
        optimizer.step(flat, &Self::hypers(step), &mut |params, grads| Ok(eval(params, grads))).unwrap();
        value
    }
}

#[test]
fn every_optimizer_descends_with_its_defaults() {
    for (entry, problem) in ENTRIES.iter().flat_map(|e| problems().map(|p| (e, p))) {
        let mut optimizer = (entry.make)(&defaults(entry), problem.start.len());
        let mut run = Run::new(&problem);
        let first = run.step(&mut *optimizer, 0);
        let last = (1..3000).map(|step| run.step(&mut *optimizer, step)).last().unwrap();
        assert!(last < problem.goal * first, "{} on {}: {first} → {last}", entry.name, problem.name);
    }
}

#[test]
fn every_optimizer_goes_on_from_its_saved_state() {
    for (entry, problem) in ENTRIES.iter().flat_map(|e| problems().map(|p| (e, p))) {
        let make = || (entry.make)(&defaults(entry), problem.start.len());
        let (mut optimizer, mut run) = (make(), Run::new(&problem));
        for step in 0..10 {
            run.step(&mut *optimizer, step);
        }
        let mut fresh = make();
        fresh.load(optimizer.state()).unwrap();
        assert_eq!(fresh.state(), optimizer.state(), "{}", entry.name);
        let mut resumed = Run { params: run.params.clone(), ..Run::new(&problem) };
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
        Run::new(problem).step(&mut *optimizer, 3);
        assert_eq!(optimizer.applied(), Some(Applied::of(&Run::hypers(3))), "{}", entry.name);

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
        assert_eq!(optimizer.state(), whole, "{}: a refused state changed something", entry.name);
    }
}
