//! What Adam, AdamW, RAdam and LAMB share: running means of the gradient and of its square, and the steps of the first three.

use super::decay::Decay;
use super::device::{Slot, Tables};
use super::{Applied, Closure, DeviceFlat, Flat, Hypers, MOMENTUM, Optimizer, State, StateError, pass};
use crate::registry::{Default, Interval, Kind, Param, Settings};
use runner_gpu::ops::optim as gpu;
use runner_gpu::{Device, View};

/// The setting `beta2`.
pub const BETA2: Param = Param {
    key: "beta2",
    kind: Kind::Float(Interval::half_open(0.0, 1.0)),
    default: Default::Toml("0.999"),
    doc: "how much of the mean square is kept each step; the phase's `beta` overrides it",
};

/// The setting `eps`.
pub const EPS: Param = Param {
    key: "eps",
    kind: Kind::Float(Interval::above(0.0)),
    default: Default::Toml("1e-8"),
    doc: "added to the root mean square",
};

/// The settings of Adam and AdamW, and with one of its own of RAdam.
pub const PARAMS: &[Param] = &[BETA2, EPS];

const SQUARE_AVG: &str = "square_avg";
const STEPS: &str = "steps";
const CARRIED: &str = "carried";
/// The last step's β1 as the bits of an `f64`: counters are whole numbers.
const BETA1_BITS: &str = "beta1_bits";

/// The two running means, as Adam has them; β1 is the momentum of the step, β2 its `beta`:
///
/// ```text
/// m ← β1·m + (1 − β1)·g                 (m = 0 at first)
/// v ← β2·v + (1 − β2)·g²                (v = 0 at first)
/// direction = m/(1 − β1ᵗ) / (√(v/(1 − β2ᵗ)) + ε)       t = 1, 2, … counts this rule's steps
/// ```
///
/// `1 − βᵗ` is what the weights of the gradients in a mean add up to while β stays the same. Where β varies from step to
/// step, that would be `1 − β₁β₂…βₜ`; here, as in PyTorch, it is computed from the step's own β, which matters in the
/// first `1/(1 − β)` steps or so.
///
/// Rectified (RAdam), with the `ρ` of which the mean square tells as much as `ρ` squares that count alike would:
///
/// ```text
/// ρ∞ = 2/(1 − β2) − 1,  ρ = ρ∞ − 2t·β2ᵗ/(1 − β2ᵗ)
/// direction = m/(1 − β1ᵗ)                                              while ρ ≤ 5
///           = r·m/(1 − β1ᵗ) / ((√v + ε)/√(1 − β2ᵗ))                     from then on
/// r² = (ρ − 4)(ρ − 2)ρ∞/((ρ∞ − 4)(ρ∞ − 2)ρ)
/// ```
///
/// A momentum that another kind of optimizer hands on is a mean of gradients, and becomes `m`: then `m` does not start from
/// 0 and is not corrected; `v`, which does, is.
pub struct Moments {
    beta2: f64,
    eps: f64,
    /// By the last step.
    pub used: Option<Applied>,
    /// The running mean of the gradient.
    momentum: Slot,
    square_avg: Slot,
    steps: u64,
    carried: bool,
    /// Of the last step, 0 before the first.
    beta1: f64,
    rectified: bool,
}

/// The factors of one step; on a device the same.
#[derive(Clone, Copy)]
pub struct Factors {
    keep: f32,
    take: f32,
    keep_square: f32,
    take_square: f32,
    correct: f32,
    correct_root: f32,
    eps: f32,
}

impl From<Factors> for gpu::moments::Moments {
    fn from(factors: Factors) -> Self {
        let Factors { keep, take, keep_square, take_square, correct, correct_root, eps } = factors;
        Self { keep, take, keep_square, take_square, correct, correct_root, eps }
    }
}

impl Factors {
    /// Moves the means of one value, and gives the direction that they point in.
    #[inline(always)]
    pub fn direction(self, g: f32, m: &mut f32, v: &mut f32) -> f32 {
        *m = self.keep * *m + self.take * g;
        *v = self.keep_square * *v + self.take_square * g * g;
        *m * self.correct / (v.sqrt() * self.correct_root + self.eps)
    }
}

impl Moments {
    pub fn new(settings: &Settings, len: usize) -> Self {
        Self {
            beta2: settings.float("beta2"),
            eps: settings.float("eps"),
            used: None,
            momentum: Slot::zeros(len),
            square_avg: Slot::zeros(len),
            steps: 0,
            carried: false,
            beta1: 0.0,
            rectified: false,
        }
    }

    /// Those of RAdam.
    pub fn rectified(self) -> Self {
        Self { rectified: true, ..self }
    }

    /// Counts a step, and gives its factors.
    pub fn begin_step(&mut self, used: &Applied) -> Factors {
        let (beta1, beta2) = (used.momentum, used.beta.unwrap_or(self.beta2));
        self.steps += 1;
        self.beta1 = beta1;
        let (correct, correct_root) = (1.0 / self.weight_of_mean(), 1.0 / weight(beta2, self.steps).sqrt());
        let [correct, correct_root, eps] = match self.rectified.then(|| rectification(beta2, self.steps)) {
            None => [correct, correct_root, self.eps],
            // ε stands beside the root before that is corrected.
            Some(Some(r)) => [r * correct, correct_root, self.eps * correct_root],
            // A denominator of 1.
            Some(None) => [correct, 0.0, 1.0],
        };
        Factors {
            keep: beta1 as f32,
            take: (1.0 - beta1) as f32,
            keep_square: beta2 as f32,
            take_square: (1.0 - beta2) as f32,
            correct: correct as f32,
            correct_root: correct_root as f32,
            eps: eps as f32,
        }
    }

    /// The means, for a pass: `m`, `v`.
    pub fn buffers(&mut self) -> [&mut [f32]; 2] {
        [self.momentum.host_mut(), self.square_avg.host_mut()]
    }

    /// The same on a device.
    ///
    /// # Errors
    /// When its memory is too small.
    pub fn on(&mut self, device: &Device) -> Result<[View<'_>; 2], runner_gpu::Error> {
        Ok([self.momentum.on(device)?, self.square_avg.on(device)?])
    }

    /// Brings them back from a device.
    ///
    /// # Errors
    /// Those of the device.
    pub fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.momentum.home()?;
        self.square_avg.home()
    }

    /// What the weights of the gradients in `momentum` add up to.
    fn weight_of_mean(&self) -> f64 {
        if self.carried { 1.0 } else { weight(self.beta1, self.steps) }
    }

    pub fn state(&self) -> State {
        State::of([(MOMENTUM, self.momentum.host()), (SQUARE_AVG, self.square_avg.host())]).with_counters([
            (STEPS, self.steps),
            (CARRIED, u64::from(self.carried)),
            (BETA1_BITS, self.beta1.to_bits()),
        ])
    }

    /// # Errors
    /// As those of [`State::into_parts`].
    pub fn load(&mut self, state: State) -> Result<(), StateError> {
        let buffers = [(MOMENTUM, self.momentum.host_mut()), (SQUARE_AVG, self.square_avg.host_mut())];
        let [steps, carried, beta1] = state.into_parts(buffers, [STEPS, CARRIED, BETA1_BITS])?;
        (self.steps, self.carried, self.beta1) = (steps, carried != 0, f64::from_bits(beta1));
        Ok(())
    }

    /// The mean of the gradients.
    pub fn mean(&self) -> Vec<f32> {
        // Before the first step it is 0, or what was handed on.
        let correct = if self.steps == 0 { 1.0 } else { 1.0 / self.weight_of_mean() } as f32;
        self.momentum.host().iter().map(|m| m * correct).collect()
    }

    pub fn carry(&mut self, momentum: Vec<f32>) {
        (*self.momentum.host_mut(), self.carried) = (momentum, true);
    }
}

/// `1 − βᵗ`
fn weight(beta: f64, steps: u64) -> f64 {
    1.0 - beta.powf(steps as f64)
}

/// RAdam's `r` of a step; none while the mean square is of too few.
fn rectification(beta2: f64, steps: u64) -> Option<f64> {
    let all = 2.0 / (1.0 - beta2) - 1.0;
    let decayed = beta2.powf(steps as f64);
    let so_far = all - 2.0 * steps as f64 * decayed / (1.0 - decayed);
    let of = |rho: f64| (rho - 4.0) * (rho - 2.0) / rho;
    (so_far > 5.0).then(|| (of(so_far) / of(all)).sqrt())
}

/// Adam and RAdam as PyTorch's, with either kind of weight decay:
///
/// ```text
/// g ← g + wd·p                          (coupled: Adam; decoupled, AdamW: p ← p − lr·wd·p; RAdam: either)
/// p ← p − lr·direction                  (of the moments)
/// ```
pub struct Adam {
    moments: Moments,
    decay: Decay,
    tables: Tables,
}

impl Adam {
    pub fn new(moments: Moments, decay: Decay) -> Self {
        Self { moments, decay, tables: Tables::default() }
    }
}

impl Optimizer for Adam {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.moments.used.insert(Applied::of(hypers));
        let (f, lr) = (self.decay.factors(&used), used.shared_lr() as f32);
        let by = self.moments.begin_step(&used);
        pass::run(flat, self.moments.buffers(), |part| {
            let [momentum, square_avg] = part.buffers;
            for (((p, g), m), v) in part.params.iter_mut().zip(&*part.grads).zip(momentum).zip(square_avg) {
                let direction = by.direction(g + f.coupled * *p, m, v);
                *p = f.keep * *p - lr * direction;
            }
        });
        Ok(())
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        let used = *self.moments.used.insert(Applied::of(hypers));
        let f = self.decay.factors(&used);
        let factors = gpu::moments::Factors {
            moments: self.moments.begin_step(&used).into(),
            lr: used.shared_lr() as f32,
            coupled: f.coupled,
            keep: f.keep,
        };
        let DeviceFlat { device, params, grads, .. } = flat;
        let (table, _) = self.tables.of(&flat, |_| false)?;
        gpu::moments::step(device, table, &factors, params, grads, self.moments.on(device)?)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.moments.home()
    }

    fn applied(&self) -> Option<Applied> {
        self.moments.used
    }

    fn state(&self) -> State {
        self.moments.state()
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        self.moments.load(state)
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        Some(self.moments.mean())
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        self.moments.carry(momentum);
    }
}
