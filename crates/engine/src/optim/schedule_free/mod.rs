//! Rules that step one sequence of weights, average it, and take gradients between the two: no schedule is needed.

pub mod adamw;
pub mod sgd;

use super::device::Slot;
use super::{Applied, Hypers, Segment, State, StateError};
use crate::registry::{Default, Interval, Kind, Param, Settings};
use runner_gpu::ops::optim::schedule_free as gpu;

/// The setting `r`.
pub const R: Param = Param {
    key: "r",
    kind: Kind::Float(Interval::at_least(0.0)),
    default: Default::Toml("0.0"),
    doc: "the weights after step t, from 1, weigh t to this power in the average: more than 0 forgets early ones sooner",
};

/// The setting `weight_lr_power`.
pub const WEIGHT_LR_POWER: Param = Param {
    key: "weight_lr_power",
    kind: Kind::Float(Interval::at_least(0.0)),
    default: Default::Toml("2.0"),
    doc: "and the highest learning rate so far to this power, so that a warm-up weighs little; 0: rates do not count",
};

const Z: &str = "z";
/// Numbers as the bits of an `f64`: counters are whole numbers.
const COUNTERS: [&str; 4] = ["beta1_bits", "lr_max_bits", "steps", "weight_sum_bits"];

/// What both rules share. `y` are the weights that training has, where gradients are taken; `z`, beside them, takes the steps;
/// their weighted mean `x`, which is the model, is not kept, for it follows from the two:
///
/// ```text
/// y = (1 − β)·z + β·x                          β: the momentum of the step
/// z ← z − lr·d                                 d: the rule's direction at y
/// x ← (1 − c)·x + c·z,   c = w_t/Σ w           w_t = t^r·(max lr)^weight_lr_power,   t = 1, 2, …
/// ```
///
/// and so, with `β'` the β of the step before (in the first step `z = x = y`):
///
/// ```text
/// y ← lerp(y, z, 1 − (1 − c)·β/β') + lr·(β·(1 − c) − 1)·d
/// x = lerp(y, z, 1 − 1/β)
/// ```
///
/// While β stays the same the share of `z` is `c`, and this is, in this order, what `schedulefree` 1.4.1 computes; that one
/// takes no β that moves, but its reference, which keeps `x`, comes to the same. `c` is 0 while all rates were 0.
pub struct Averaging {
    r: f64,
    weight_lr_power: f64,
    /// By the last step.
    pub used: Option<Applied>,
    z: Slot,
    steps: u64,
    weight_sum: f64,
    lr_max: f64,
    /// Of the last step, 0 before the first.
    beta: f64,
}

/// The factors of one step; on a device the same.
#[derive(Clone, Copy)]
pub struct Factors {
    lr: f32,
    decay: f32,
    /// The share of `z`.
    toward: f32,
    /// `lr·(β·(1 − c) − 1)`
    along: f32,
    /// Whether `z` is yet to become `y`.
    is_first: bool,
}

impl From<Factors> for gpu::Averaging {
    fn from(factors: Factors) -> Self {
        let Factors { lr, decay, toward, along, is_first } = factors;
        Self { lr, decay, toward, along, is_first }
    }
}

impl Factors {
    /// Moves one value along its direction, which gets its part of weight decay here, at `y`.
    #[inline(always)]
    pub fn step(self, direction: f32, y: &mut f32, z: &mut f32) {
        let from = if self.is_first { *y } else { *z };
        let direction = direction + self.decay * *y;
        *y = lerp(*y, from, self.toward) + self.along * direction;
        *z = from - self.lr * direction;
    }
}

/// `from + weight·(to − from)`, as PyTorch's `lerp` rounds it: from the nearer end.
#[inline(always)]
pub fn lerp(from: f32, to: f32, weight: f32) -> f32 {
    let way = to - from;
    if weight.abs() < 0.5 { from + weight * way } else { to - way * (1.0 - weight) }
}

impl Averaging {
    pub fn new(settings: &Settings, len: usize) -> Self {
        Self {
            r: settings.float(R.key),
            weight_lr_power: settings.float(WEIGHT_LR_POWER.key),
            used: None,
            z: Slot::zeros(len),
            steps: 0,
            weight_sum: 0.0,
            lr_max: 0.0,
            beta: 0.0,
        }
    }

    /// Counts a step, and gives its factors. A momentum of 0, from which `x` would not follow, is no experiment's.
    pub fn begin_step(&mut self, hypers: &Hypers) -> Factors {
        let Applied { lr, momentum: beta, weight_decay, .. } = *self.used.insert(Applied::of(hypers));
        let is_first = self.steps == 0;
        self.steps += 1;
        self.lr_max = self.lr_max.max(lr);
        let weight = (self.steps as f64).powf(self.r) * self.lr_max.powf(self.weight_lr_power);
        self.weight_sum += weight;
        let share = if self.weight_sum > 0.0 { weight / self.weight_sum } else { 0.0 };
        let moves = !is_first && beta != self.beta;
        let toward = if moves { 1.0 - (1.0 - share) * beta / self.beta } else { share };
        self.beta = beta;
        Factors {
            lr: lr as f32,
            decay: weight_decay as f32,
            toward: toward as f32,
            along: (lr * (beta * (1.0 - share) - 1.0)) as f32,
            is_first,
        }
    }

    /// Which step this is, from 1.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// `z`
    pub fn z(&mut self) -> &mut Slot {
        &mut self.z
    }

    /// Turns `y`, all parameters, into `x`, those of these segments; before the first step they are the same.
    pub fn to_average(&self, params: &mut [f32], segments: &[Segment]) {
        if self.steps == 0 {
            return;
        }
        let (weight, mut z) = ((1.0 - 1.0 / self.beta) as f32, self.z.host().iter());
        for segment in segments {
            for (y, z) in params[segment.range.clone()].iter_mut().zip(&mut z) {
                *y = lerp(*y, *z, weight);
            }
        }
    }

    /// With the buffers that the rule has besides.
    pub fn state<const B: usize>(&self, more: [(&str, &[f32]); B]) -> State {
        let mut state = State::of([(Z, self.z.host())]);
        state.buffers.extend(State::of(more).buffers);
        let numbers = [self.beta.to_bits(), self.lr_max.to_bits(), self.steps, self.weight_sum.to_bits()];
        let counters = COUNTERS.into_iter().zip(numbers).map(|(name, number)| (name.to_owned(), number));
        State { counters: counters.collect(), ..state }
    }

    /// # Errors
    /// As those of [`State::into_parts`].
    pub fn load(&mut self, state: State) -> Result<(), StateError> {
        let counters = state.into_parts([(Z, self.z.host_mut())], COUNTERS)?;
        self.take(counters);
        Ok(())
    }

    /// With one that the rule has besides.
    ///
    /// # Errors
    /// As those of [`State::into_parts`].
    pub fn load_with(&mut self, state: State, more: (&str, &mut Vec<f32>)) -> Result<(), StateError> {
        let counters = state.into_parts([(Z, self.z.host_mut()), more], COUNTERS)?;
        self.take(counters);
        Ok(())
    }

    fn take(&mut self, [beta, lr_max, steps, weight_sum]: [u64; 4]) {
        let [beta, lr_max, weight_sum] = [beta, lr_max, weight_sum].map(f64::from_bits);
        (self.beta, self.lr_max, self.steps, self.weight_sum) = (beta, lr_max, steps, weight_sum);
    }
}
