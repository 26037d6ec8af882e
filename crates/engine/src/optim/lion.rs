use super::decay::Decay;
use super::device::{Slot, Tables};
use super::mean::Mean;
use super::{Applied, Closure, DeviceFlat, Flat, Hypers, MOMENTUM, Optimizer, OptimizerEntry, State, StateError, pass};
use crate::registry::{Default, Entry, Interval, Kind, Param};
use runner_gpu::ops::optim as gpu;

pub static ENTRY: OptimizerEntry = Entry {
    name: "lion",
    summary: "steps of one length, by the sign of a mean gradient; weight decay acts on the weights, beside the step",
    cite: "Chen et al. 2023 (arXiv:2302.06675), algorithm 2",
    params: &[Param {
        key: "beta2",
        kind: Kind::Float(Interval::half_open(0.0, 1.0)),
        default: Default::Toml("0.99"),
        doc: "how much of the mean gradient is kept each step; the phase's `beta` overrides it",
    }],
    shorthand: None,
    make: |settings, len| {
        Box::new(Lion {
            beta2: settings.float("beta2"),
            used: None,
            momentum: Slot::zeros(len),
            mean: Mean::default(),
            tables: Tables::default(),
        })
    },
};

/// Lion; β1 is the momentum of the step, β2 its `beta`:
///
/// ```text
/// u = sign(β1·m + (1 − β1)·g)        (sign(0) = 0)
/// p ← (1 − lr·wd)·p − lr·u
/// m ← β2·m + (1 − β2)·g              (m = 0 at first)
/// ```
///
/// PyTorch has no twin; the fixtures are of the paper's formulas in `f64`. Every value moves by `lr`: the paper takes a third
/// to a tenth of AdamW's rate, and three to ten times its weight decay.
struct Lion {
    beta2: f64,
    used: Option<Applied>,
    /// The running mean of the gradient.
    momentum: Slot,
    mean: Mean,
    tables: Tables,
}

impl Optimizer for Lion {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.used.insert(Applied::of(hypers));
        let f = Decay::Decoupled.factors(&used);
        let lr = used.shared_lr() as f32;
        let (beta1, beta2) = (used.momentum, used.beta.unwrap_or(self.beta2));
        self.mean.step(beta2);
        let (look, look_at) = (beta1 as f32, (1.0 - beta1) as f32);
        let (keep, take) = (beta2 as f32, (1.0 - beta2) as f32);
        pass::run(flat, [self.momentum.host_mut()], |part| {
            let [momentum] = part.buffers;
            for ((p, g), m) in part.params.iter_mut().zip(&*part.grads).zip(momentum) {
                let u = sign(look * *m + look_at * g);
                *p = f.keep * *p - lr * u;
                *m = keep * *m + take * g;
            }
        });
        Ok(())
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        let used = *self.used.insert(Applied::of(hypers));
        let (beta1, beta2) = (used.momentum, used.beta.unwrap_or(self.beta2));
        self.mean.step(beta2);
        let factors = gpu::lion::Factors {
            lr: used.shared_lr() as f32,
            keep: Decay::Decoupled.factors(&used).keep,
            look: beta1 as f32,
            look_at: (1.0 - beta1) as f32,
            keep_mean: beta2 as f32,
            take: (1.0 - beta2) as f32,
        };
        let DeviceFlat { device, params, grads, .. } = flat;
        let (table, _) = self.tables.of(&flat, |_| false)?;
        gpu::lion::step(device, table, &factors, params, grads, self.momentum.on(device)?)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.momentum.home()
    }

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        State::of([(MOMENTUM, self.momentum.host())]).with_counters(self.mean.counters())
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        self.mean = Mean::load(state, [(MOMENTUM, self.momentum.host_mut())])?;
        Ok(())
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        let to_mean = self.mean.to_mean();
        Some(self.momentum.host().iter().map(|m| m * to_mean).collect())
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        (*self.momentum.host_mut(), self.mean) = (momentum, Mean::handed_on());
    }
}

/// −1, 0 or 1; NaN of NaN, so that it is seen.
fn sign(x: f32) -> f32 {
    if x > 0.0 {
        1.0
    } else if x < 0.0 {
        -1.0
    } else {
        x
    }
}
