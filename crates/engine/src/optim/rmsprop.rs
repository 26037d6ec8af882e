use super::decay::{self, Decay};
use super::device::{Slot, Tables};
use super::sum::Sum;
use super::{Applied, Closure, DeviceFlat, Flat, Hypers, MOMENTUM, Optimizer, OptimizerEntry, State, StateError, pass};
use crate::registry::{Default, Entry, Interval, Kind, Param};
use runner_gpu::ops::optim as gpu;

pub static ENTRY: OptimizerEntry = Entry {
    name: "rmsprop",
    summary: "steps divided by a running root mean square of the gradient",
    cite: "Tieleman and Hinton 2012; PyTorch's torch.optim.RMSprop",
    params: &[
        Param {
            key: "alpha",
            kind: Kind::Float(Interval::half_open(0.0, 1.0)),
            default: Default::Toml("0.99"),
            doc: "how much of the mean square is kept each step; the phase's `beta` overrides it",
        },
        Param {
            key: "eps",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("1e-8"),
            doc: "added to the root mean square",
        },
        decay::PARAM,
    ],
    shorthand: None,
    make: |settings, len| {
        Box::new(RmsProp {
            alpha: settings.float("alpha"),
            eps: settings.float("eps"),
            decay: Decay::of(settings),
            used: None,
            momentum: Slot::zeros(len),
            square_avg: Slot::zeros(len),
            sum: Sum::default(),
            tables: Tables::default(),
        })
    },
};

/// RMSProp as PyTorch's, not centred:
///
/// ```text
/// g ← g + wd·p                  (coupled; decoupled: p ← p − lr·wd·p)
/// v ← α·v + (1 − α)·g²          (v = 0 at first, no bias correction)
/// b ← m·b + g/(√v + ε)
/// p ← p − lr·b
/// ```
///
/// Differs from PyTorch while the momentum is 0: there the buffer is then left as it was, here it becomes the step.
///
/// The buffer sums gradients that were divided by `√v + ε`. Handed on to another kind of optimizer, its mean is multiplied
/// by that again. What another kind hands on is not divided: `v`, which would have to do it, is not known before the first
/// step, and a sum of gradients is small beside the steps of this rule.
struct RmsProp {
    alpha: f64,
    eps: f64,
    decay: Decay,
    used: Option<Applied>,
    momentum: Slot,
    square_avg: Slot,
    sum: Sum,
    tables: Tables,
}

impl Optimizer for RmsProp {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.used.insert(Applied::of(hypers));
        let f = self.decay.factors(&used);
        let keep = self.sum.step(used.momentum, used.share);
        let alpha = used.beta.unwrap_or(self.alpha);
        let (keep_square, take_square, eps) = (alpha as f32, (1.0 - alpha) as f32, self.eps as f32);
        pass::run(flat, [self.momentum.host_mut(), self.square_avg.host_mut()], |part| {
            let [momentum, square_avg] = part.buffers;
            for (((p, g), b), v) in part.params.iter_mut().zip(&*part.grads).zip(momentum).zip(square_avg) {
                let g = g + f.coupled * *p;
                *v = keep_square * *v + take_square * g * g;
                *b = keep * *b + f.share * (g / (v.sqrt() + eps));
                *p = f.keep * *p - f.lr * *b;
            }
        });
        Ok(())
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        let used = *self.used.insert(Applied::of(hypers));
        let f = self.decay.factors(&used);
        let alpha = used.beta.unwrap_or(self.alpha);
        let factors = gpu::rmsprop::Factors {
            lr: f.lr,
            coupled: f.coupled,
            keep: f.keep,
            share: f.share,
            keep_momentum: self.sum.step(used.momentum, used.share),
            keep_square: alpha as f32,
            take_square: (1.0 - alpha) as f32,
            eps: self.eps as f32,
        };
        let DeviceFlat { device, params, grads, .. } = flat;
        let (table, _) = self.tables.of(&flat, |_| false)?;
        let buffers = [self.momentum.on(device)?, self.square_avg.on(device)?];
        gpu::rmsprop::step(device, table, &factors, params, grads, buffers)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.momentum.home()?;
        self.square_avg.home()
    }

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        let buffers = [(MOMENTUM, self.momentum.host()), ("square_avg", self.square_avg.host())];
        State::of(buffers).with_counters(self.sum.counters())
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        let buffers = [(MOMENTUM, self.momentum.host_mut()), ("square_avg", self.square_avg.host_mut())];
        self.sum = Sum::load(state, buffers)?;
        Ok(())
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        let (eps, to_mean) = (self.eps as f32, self.sum.to_mean());
        Some(
            self.momentum
                .host()
                .iter()
                .zip(self.square_avg.host())
                .map(|(b, v)| b * to_mean * (v.sqrt() + eps))
                .collect(),
        )
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        (*self.momentum.host_mut(), self.sum) = (momentum, Sum::of_mean());
    }
}
