//! What every optimizer must do: made with its defaults it descends; saved and loaded into a fresh one it goes on alike, to
//! the bit; it tells what it used, refuses a state that is not its own, and touches no weights but its own.

use super::*;

/// A problem to descend on: its value, and its gradient into the second slice.
struct Problem {
    name: &'static str,
    start: Vec<f32>,
    /// Shapes of the segments, with one value that belongs to nobody before each but the first.
    shapes: Vec<Vec<usize>>,
    eval: fn(&[f32], &mut [f32]) -> f64,
    /// The value to be reached, as a share of the first.
    goal: f64,
}

fn quadratic(x: &[f32], g: &mut [f32]) -> f64 {
    let mut sum = 0.0;
    for (i, (x, g)) in x.iter().zip(g).enumerate() {
        let curvature = 1.0 + (i % 5) as f32;
        *g = curvature * x;
        sum += f64::from(0.5 * curvature * x * x);
    }
    sum
}

fn rosenbrock(x: &[f32], g: &mut [f32]) -> f64 {
    let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
    g.copy_from_slice(&[-2.0 * a - 400.0 * x[0] * b, 200.0 * b]);
    f64::from(a * a + 100.0 * b * b)
}

fn problems() -> [Problem; 3] {
    let odd = vec![vec![7, 3], vec![5], vec![1, 1], vec![3, 1, 3, 3], vec![1]];
    let len = odd.iter().map(|shape| shape.iter().product::<usize>() + 1).sum::<usize>() - 1;
    // What belongs to nobody is 0: it adds nothing to the value.
    let mut start: Vec<f32> = (0..len).map(|i| ((i * 37) % 11) as f32 / 5.0 - 0.9).collect();
    for gap in gaps(&odd) {
        start[gap] = 0.0;
    }
    [
        Problem {
            name: "quadratic",
            start: vec![1.0, -2.0, 0.5, 3.0, -0.1],
            shapes: vec![vec![1, 5]],
            eval: quadratic,
            goal: 0.01,
        },
        Problem { name: "rosenbrock", start: vec![-1.2, 1.0], shapes: vec![vec![1, 2]], eval: rosenbrock, goal: 0.1 },
        Problem { name: "odd sizes, several segments", start, shapes: odd, eval: quadratic, goal: 0.01 },
    ]
}

/// The places between segments of these shapes.
fn gaps(shapes: &[Vec<usize>]) -> Vec<usize> {
    let mut end = 0;
    let ends = shapes.iter().map(|shape| {
        end += shape.iter().product::<usize>() + 1;
        end - 1
    });
    ends.take(shapes.len() - 1).collect()
}

/// A rate that brings the optimizer down within a few thousand steps.
fn rate(name: &str) -> f64 {
    match name {
        "sgd" | "rmsprop" | "mix" => 4e-4,
        "adam" | "adamw" | "radam" | "lamb" | "lion" | "muon" => 4e-3,
        // What is looked at is between the weights that step and their mean, which comes later.
        "schedule-free-sgd" => 2e-3,
        "schedule-free-adamw" => 1e-2,
        // A thousandth of it is a share of the weights' norm.
        "lars" => 1.0,
        // Newton's step.
        "lbfgs" => 1.0,
        other => panic!("give `{other}` a rate here"),
    }
}

/// Weights and gradients of a run; the hyper-parameters change every step.
struct Run<'a> {
    name: &'static str,
    problem: &'a Problem,
    params: Vec<f32>,
    segments: Vec<Segment>,
}

impl<'a> Run<'a> {
    fn new(entry: &OptimizerEntry, problem: &'a Problem) -> Self {
        let optimizer = (entry.make)(&defaults(entry), 0);
        let mut at = 0;
        let segment = |(index, shape): (usize, &Vec<usize>)| {
            let len: usize = shape.iter().product();
            let range = at..at + len;
            at += len + 1;
            // LARS steps what has one axis as SGD does, for which its rate is a thousand times too high.
            let fits = optimizer.takes(shape) && !(entry.name == "lars" && shape.len() == 1);
            let shape = if fits { shape.clone() } else { vec![1, len] };
            Segment { name: index.to_string(), range, shape }
        };
        let segments = problem.shapes.iter().enumerate().map(segment).collect();
        Self { name: entry.name, problem, params: problem.start.clone(), segments }
    }

    /// With as much room as the segments have values.
    fn optimizer(&self) -> Box<dyn Optimizer> {
        make(self.name, self.segments.iter().map(|segment| segment.range.len()).sum())
    }

    fn hypers(&self, step: usize) -> Hypers {
        Hypers {
            lr: rate(self.name) * (1.0 + 2.5e-4 * step as f64),
            momentum: 0.9 - 1e-4 * (step % 7) as f64,
            weight_decay: 1e-6,
            beta: None,
            share: if self.name == "mix" { (step % 9) as f64 / 8.0 } else { 1.0 },
        }
    }

    fn step(&mut self, optimizer: &mut dyn Optimizer, step: usize) -> f64 {
        let mut grads = vec![0.0; self.params.len()];
        let hypers = self.hypers(step);
        let eval = self.problem.eval;
        let loss = eval(&self.params, &mut grads);
        let (params, segments) = (&mut self.params, &self.segments);
        let flat = Flat { params, grads: &mut grads, loss, segments, isa: Isa::Portable };
        optimizer.step(flat, &hypers, &mut |params, grads| Ok(eval(params, grads))).unwrap();
        loss
    }
}

/// Runs a check for every optimizer on every problem.
fn for_all(check: impl Fn(&OptimizerEntry, &Problem)) {
    for (entry, problem) in ENTRIES.iter().flat_map(|entry| problems().map(|problem| (entry, problem))) {
        check(entry, &problem);
    }
}

#[test]
fn it_descends_with_its_defaults() {
    for_all(|entry, problem| {
        let mut run = Run::new(entry, problem);
        let mut optimizer = run.optimizer();
        let first = run.step(&mut *optimizer, 0);
        let last = (1..3000).map(|step| run.step(&mut *optimizer, step)).last().unwrap();
        assert!(last < problem.goal * first, "{} on {}: {first} → {last}", entry.name, problem.name);
        for gap in gaps(&problem.shapes) {
            assert_eq!(run.params[gap], problem.start[gap], "{} on {}: weight {gap}", entry.name, problem.name);
        }
    });
}

#[test]
fn it_goes_on_from_its_saved_state() {
    for_all(|entry, problem| {
        let mut run = Run::new(entry, problem);
        let mut optimizer = run.optimizer();
        for step in 0..10 {
            run.step(&mut *optimizer, step);
        }
        let mut fresh = run.optimizer();
        fresh.load(optimizer.state()).unwrap();
        assert_eq!(fresh.state(), optimizer.state(), "{}", entry.name);
        let mut resumed = Run { params: run.params.clone(), ..Run::new(entry, problem) };
        for step in 10..20 {
            run.step(&mut *optimizer, step);
            resumed.step(&mut *fresh, step);
            assert_eq!(bits(&run.params), bits(&resumed.params), "{} at step {step}", entry.name);
            assert_eq!(fresh.state(), optimizer.state(), "{} at step {step}", entry.name);
        }
    });
}

#[test]
fn it_tells_what_it_used_and_refuses_a_foreign_state() {
    for_all(|entry, problem| {
        let mut run = Run::new(entry, problem);
        let mut optimizer = run.optimizer();
        assert_eq!(optimizer.applied(), None, "{}", entry.name);
        run.step(&mut *optimizer, 3);
        let mut used = Applied::of(&run.hypers(3));
        if !optimizer.uses_momentum() {
            used.momentum = 0.0;
        }
        assert_eq!(optimizer.applied(), Some(used), "{}", entry.name);

        let whole = optimizer.state();
        let mut refuse = |state: State, name: &str| {
            let error = optimizer.load(state).unwrap_err().to_string();
            assert!(error.contains(name.rsplit('.').next().unwrap()), "{}: {error}", entry.name);
        };
        let mut unknown = whole.clone();
        unknown.buffers.insert("nonsense".to_owned(), vec![0.0; problem.start.len()]);
        refuse(unknown, "nonsense");
        for name in whole.buffers.keys() {
            let (mut missing, mut long) = (whole.clone(), whole.clone());
            missing.buffers.remove(name);
            refuse(missing, name);
            long.buffers.get_mut(name).unwrap().push(0.0);
            refuse(long, name);
        }
        for name in whole.counters.keys() {
            let mut missing = whole.clone();
            missing.counters.remove(name);
            refuse(missing, name);
        }
        assert_eq!(optimizer.state(), whole, "{}: a refused state changed something", entry.name);
    });
}

/// What is handed on to another kind of optimizer is the mean of the gradients, and is there before the first step.
#[test]
fn its_momentum_is_a_mean_of_gradients() {
    let grads = [4.0, -0.01, 0.5];
    let near = |what: &str, got: &[f32]| {
        let close = got.iter().zip(grads).all(|(got, g)| (got - g).abs() <= 1e-3 * g.abs());
        assert!(close, "{what}: {got:?} is not {grads:?}");
    };
    for entry in ENTRIES.iter().filter(|entry| make(entry.name, 3).momentum().is_some()) {
        let (mut optimizer, mut params) = (make(entry.name, 3), [1.0, 2.0, 3.0]);
        for k in 0..100 {
            let share = if entry.name == "mix" { 0.25 } else { 1.0 };
            let momentum = [0.0, 0.5, 0.9][k % 3];
            let hypers = Hypers { lr: 1e-7, momentum, beta: Some(0.5), share, ..HYPERS };
            step(&mut *optimizer, &mut params, &grads, &hypers);
        }
        near(entry.name, &optimizer.momentum().unwrap());
        let mut fresh = make(entry.name, 3);
        fresh.carry(grads.to_vec());
        if entry.name != "rmsprop" && entry.name != "mix" {
            near(entry.name, &fresh.momentum().unwrap());
        }
        let mut loaded = make(entry.name, 3);
        loaded.load(fresh.state()).unwrap();
        assert_eq!(loaded.momentum(), fresh.momentum(), "{}", entry.name);
    }
}

#[test]
fn its_steps_do_not_depend_on_the_number_of_threads() {
    const SIDES: [usize; 2] = [301, 337];
    const LEN: usize = SIDES[0] * SIDES[1];
    let noise =
        |seed: usize| -> Vec<f32> { (0..LEN).map(|i| ((i * 7919 + seed) % 1009) as f32 / 500.0 - 1.0).collect() };
    for entry in ENTRIES {
        let after = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (mut optimizer, mut params) = (make(entry.name, LEN), noise(1));
                let segments = [Segment { name: "w".to_owned(), range: 0..LEN, shape: SIDES.to_vec() }];
                for k in 0..3 {
                    let hypers = Hypers { lr: 0.01, weight_decay: 0.01, share: 0.5, ..HYPERS };
                    let mut grads = noise(k);
                    let flat = Flat {
                        params: &mut params,
                        grads: &mut grads,
                        loss: 0.0,
                        segments: &segments,
                        isa: Isa::Portable,
                    };
                    // A loss without a bottom: the gradient is what it was.
                    let mut again = |params: &[f32], grads: &mut [f32]| {
                        grads.copy_from_slice(&noise(k));
                        Ok(vector::dot(params, grads))
                    };
                    optimizer.step(flat, &hypers, &mut again).unwrap();
                }
                bits(&params)
            })
        };
        assert!(after(1) == after(3), "{}", entry.name);
    }
}
