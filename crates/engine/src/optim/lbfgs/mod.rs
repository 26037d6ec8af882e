mod history;
mod search;

use super::vector::{add, dot, max_abs, scaled, sum_abs};
use super::{Applied, Closure, Flat, Holds, Hypers, Optimizer, OptimizerEntry, State, StateError};
use crate::registry::{Default, Entry, Interval, Kind, Param, Settings};
use history::History;
use search::{Limits, Point, strong_wolfe};

pub static ENTRY: OptimizerEntry = Entry {
    name: "lbfgs",
    summary: "quasi-Newton steps: many evaluations of one batch, directions by the curvature that the last ones met",
    cite: "Liu and Nocedal 1989; PyTorch's torch.optim.LBFGS",
    params: &[
        Param {
            key: "history",
            kind: Kind::Int { min: 1, max: 1000 },
            default: Default::Toml("10"),
            doc: "steps that are remembered; each takes the memory of the net's weights twice",
        },
        Param {
            key: "iterations",
            kind: Kind::Int { min: 1, max: 10_000 },
            default: Default::Toml("20"),
            doc: "most iterations a step, each along a direction of its own",
        },
        Param {
            key: "evaluations",
            kind: Kind::Int { min: 1, max: 100_000 },
            default: Default::Absent,
            doc: "evaluations of the batch after which a step begins no iteration; left out: a quarter more than iterations",
        },
        Param {
            key: "search",
            kind: Kind::Word(&["strong-wolfe", "fixed"]),
            default: Default::Toml("\"strong-wolfe\""),
            doc: "how far along a direction: to where the strong Wolfe conditions hold, tried at the learning rate first; or \
                  always the learning rate",
        },
        Param {
            key: "tolerance_grad",
            kind: Kind::Float(Interval::at_least(0.0)),
            default: Default::Toml("1e-7"),
            doc: "a gradient without a larger value ends the step",
        },
        Param {
            key: "tolerance_change",
            kind: Kind::Float(Interval::at_least(0.0)),
            default: Default::Toml("1e-9"),
            doc: "an iteration that moves no weight, or the loss, by more ends the step",
        },
    ],
    shorthand: None,
    make: |settings, len| Box::new(Lbfgs::new(settings, len)),
};

/// Vectors as long as the parameters that a step has at most beside the history: where the line starts and the gradient there, its
/// direction, the gradients at both ends of a bracket, and the parameters and the gradient where it is looked at next.
const IN_A_STEP: usize = 7;

/// L-BFGS as PyTorch's: up to so many iterations on one batch,
///
/// ```text
/// d = −H·g              H: inverse curvature of the last pairs (s, y), by the two-loop recursion; at first d = −g
/// t = lr                (of the very first iteration lr·min(1, 1/‖g‖₁)), or from there on by the line search
/// p ← p + t·d
/// s = t·d,  y = g(p + t·d) − g(p)        kept where y·s > 1e-10
/// ```
///
/// Weight decay is `wd/2·‖p‖²` in the loss. It has no momentum.
///
/// Differs from PyTorch's where batches do: there the last `y` of a step is the difference of two batches' gradients, here
/// both are of the step's own batch, for which a step at a fixed length evaluates it once more at its end. On one batch the
/// two are the same. The default history is 10, not 100.
struct Lbfgs {
    iterations: usize,
    evaluations: usize,
    searches: bool,
    tolerance_grad: f64,
    tolerance_change: f64,
    used: Option<Applied>,
    history: History,
}

impl Lbfgs {
    fn new(settings: &Settings, len: usize) -> Self {
        let iterations = settings.usize("iterations");
        Self {
            iterations,
            evaluations: settings.opt_usize("evaluations").unwrap_or(iterations * 5 / 4),
            searches: settings.text("search") == "strong-wolfe",
            tolerance_grad: settings.float("tolerance_grad"),
            tolerance_change: settings.float("tolerance_change"),
            used: None,
            history: History::new(settings.usize("history"), len),
        }
    }
}

impl Optimizer for Lbfgs {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let lr = self.used.insert(Applied { momentum: 0.0, ..Applied::of(hypers) }).lr;
        let mut objective = Objective::new(flat, hypers.weight_decay, closure);
        let mut here = objective.start();
        for iteration in 1..=self.iterations {
            if max_abs(&here.grad) <= self.tolerance_grad {
                break;
            }
            let is_first = self.history.iterations == 0;
            self.history.iterations += 1;
            let direction = if is_first { scaled(&here.grad, -1.0) } else { self.history.direction(&here.grad) };
            here = Point { t: 0.0, slope: dot(&here.grad, &direction), ..here };
            if here.slope.is_nan() || here.slope > -self.tolerance_change {
                break;
            }
            let t = if is_first { lr * (1.0 / sum_abs(&here.grad)).min(1.0) } else { lr };
            let next = if self.searches {
                let limits = Limits {
                    evaluations: self.evaluations.saturating_sub(objective.evaluations),
                    largest: max_abs(&direction),
                    tolerance: self.tolerance_change,
                };
                strong_wolfe(&here, t, limits, |t| objective.at(t, &direction))?
            } else {
                objective.at(t, &direction)?
            };
            objective.go(next.t, &direction);
            let step = scaled(&direction, next.t);
            let mut change = next.grad.clone();
            add(&mut change, -1.0, &here.grad);
            self.history.add(&step, &change);

            let moved = max_abs(&step) > self.tolerance_change;
            let gained = (next.loss - here.loss).abs() >= self.tolerance_change;
            here = next;
            if iteration == self.iterations || objective.evaluations >= self.evaluations || !moved || !gained {
                break;
            }
        }
        Ok(())
    }

    fn reevaluates(&self) -> bool {
        true
    }

    fn holds(&self) -> Holds {
        Holds { kept: self.history.numbers(), beside: 0, in_step: IN_A_STEP * self.history.values() }
    }

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        self.history.state()
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        self.history.load(state)
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        None
    }

    fn carry(&mut self, _momentum: Vec<f32>) {}
}

/// The loss with its weight decay, over the segments' values one after the other.
struct Objective<'a, 'c> {
    flat: Flat<'a>,
    weight_decay: f64,
    closure: &'a mut Closure<'c>,
    /// Where lines start.
    origin: Vec<f32>,
    /// Evaluations of the batch so far, that of the step itself among them.
    evaluations: usize,
}

impl<'a, 'c> Objective<'a, 'c> {
    fn new(flat: Flat<'a>, weight_decay: f64, closure: &'a mut Closure<'c>) -> Self {
        let origin = flat.gather(flat.params);
        Self { flat, weight_decay, closure, origin, evaluations: 1 }
    }

    /// What is known before the step.
    fn start(&self) -> Point {
        self.point(0.0, self.flat.loss, self.flat.gather(self.flat.grads), &self.origin)
    }

    /// The loss and its gradient at `origin + t·direction`.
    fn at(&mut self, t: f64, direction: &[f32]) -> anyhow::Result<Point> {
        let mut params = self.origin.clone();
        add(&mut params, t, direction);
        self.flat.scatter(&params);
        let loss = (self.closure)(self.flat.params, self.flat.grads)?;
        self.evaluations += 1;
        let mut point = self.point(t, loss, self.flat.gather(self.flat.grads), &params);
        point.slope = dot(&point.grad, direction);
        Ok(point)
    }

    /// Leaves the weights there, where the next line starts.
    fn go(&mut self, t: f64, direction: &[f32]) {
        add(&mut self.origin, t, direction);
        self.flat.scatter(&self.origin);
    }

    fn point(&self, t: f64, loss: f64, mut grad: Vec<f32>, params: &[f32]) -> Point {
        if self.weight_decay == 0.0 {
            return Point { t, loss, grad, slope: 0.0 };
        }
        add(&mut grad, self.weight_decay, params);
        Point { t, loss: loss + 0.5 * self.weight_decay * dot(params, params), grad, slope: 0.0 }
    }
}
