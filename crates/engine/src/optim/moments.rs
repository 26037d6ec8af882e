//! The rule that Adam and AdamW share: steps along a running mean of the gradient, over the root of that of its square.

use super::decay::Decay;
use super::{Applied, Closure, Flat, Hypers, MOMENTUM, Optimizer, State, StateError, pass};
use crate::registry::{Default, Interval, Kind, Param, Settings};

/// The settings of both.
pub const PARAMS: &[Param] = &[
    Param {
        key: "beta2",
        kind: Kind::Float(Interval::half_open(0.0, 1.0)),
        default: Default::Toml("0.999"),
        doc: "how much of the mean square is kept each step; the phase's `beta` overrides it",
    },
    Param {
        key: "eps",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Toml("1e-8"),
        doc: "added to the root mean square",
    },
];

const SQUARE_AVG: &str = "square_avg";
const STEPS: &str = "steps";
const CARRIED: &str = "carried";
/// The last step's β1 as the bits of an `f64`: counters are whole numbers.
const BETA1_BITS: &str = "beta1_bits";

/// Adam as PyTorch's, with either kind of weight decay; β1 is the momentum of the step, β2 its `beta`:
///
/// ```text
/// g ← g + wd·p                          (coupled: Adam; decoupled, AdamW: p ← p − lr·wd·p)
/// m ← β1·m + (1 − β1)·g                 (m = 0 at first)
/// v ← β2·v + (1 − β2)·g²                (v = 0 at first)
/// p ← p − lr · m/(1 − β1ᵗ) / (√(v/(1 − β2ᵗ)) + ε)       t = 1, 2, … counts this rule's steps
/// ```
///
/// `1 − βᵗ` is what the weights of the gradients in a mean add up to while β stays the same. Where β varies from step to
/// step, that would be `1 − β₁β₂…βₜ`; here, as in PyTorch, it is computed from the step's own β, which matters in the
/// first `1/(1 − β)` steps or so.
///
/// A momentum that another kind of optimizer hands on is a mean of gradients, and becomes `m`: then `m` does not start from
/// 0 and is not corrected; `v`, which does, is.
pub struct Moments {
    beta2: f64,
    eps: f64,
    decay: Decay,
    used: Option<Applied>,
    /// The running mean of the gradient.
    momentum: Vec<f32>,
    square_avg: Vec<f32>,
    steps: u64,
    carried: bool,
    /// Of the last step, 0 before the first.
    beta1: f64,
}

impl Moments {
    pub fn new(settings: &Settings, decay: Decay, len: usize) -> Self {
        Self {
            beta2: settings.float("beta2"),
            eps: settings.float("eps"),
            decay,
            used: None,
            momentum: vec![0.0; len],
            square_avg: vec![0.0; len],
            steps: 0,
            carried: false,
            beta1: 0.0,
        }
    }

    /// What the weights of the gradients in `momentum` add up to.
    fn weight_of_mean(&self) -> f64 {
        if self.carried { 1.0 } else { weight(self.beta1, self.steps) }
    }
}

/// `1 − βᵗ`
fn weight(beta: f64, steps: u64) -> f64 {
    1.0 - beta.powf(steps as f64)
}

impl Optimizer for Moments {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.used.insert(Applied::of(hypers));
        let (beta1, beta2) = (used.momentum, hypers.beta.unwrap_or(self.beta2));
        self.steps += 1;
        self.beta1 = beta1;
        let correct = (1.0 / self.weight_of_mean()) as f32;
        let correct_root = (1.0 / weight(beta2, self.steps).sqrt()) as f32;
        let keep = beta1 as f32;
        let (take, keep_square, take_square) = ((1.0 - beta1) as f32, beta2 as f32, (1.0 - beta2) as f32);
        let (f, eps) = (self.decay.factors(&used), self.eps as f32);
        pass::run(flat, [&mut self.momentum, &mut self.square_avg], |part| {
            let [momentum, square_avg] = part.buffers;
            for (((p, g), m), v) in part.params.iter_mut().zip(&*part.grads).zip(momentum).zip(square_avg) {
                let g = g + f.coupled * *p;
                *m = keep * *m + take * g;
                *v = keep_square * *v + take_square * g * g;
                *p = f.keep * *p - f.lr * (*m * correct / (v.sqrt() * correct_root + eps));
            }
        });
        Ok(())
    }

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        State::of([(MOMENTUM, &self.momentum), (SQUARE_AVG, &self.square_avg)]).with_counters([
            (STEPS, self.steps),
            (CARRIED, u64::from(self.carried)),
            (BETA1_BITS, self.beta1.to_bits()),
        ])
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        let buffers = [(MOMENTUM, &mut self.momentum), (SQUARE_AVG, &mut self.square_avg)];
        let [steps, carried, beta1] = state.into_parts(buffers, [STEPS, CARRIED, BETA1_BITS])?;
        (self.steps, self.carried, self.beta1) = (steps, carried != 0, f64::from_bits(beta1));
        Ok(())
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        // Before the first step it is 0, or what was handed on.
        let correct = if self.steps == 0 { 1.0 } else { 1.0 / self.weight_of_mean() } as f32;
        Some(self.momentum.iter().map(|m| m * correct).collect())
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        (self.momentum, self.carried) = (momentum, true);
    }
}
