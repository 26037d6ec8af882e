use super::decay::{self, Decay};
use super::device::{Slot, Tables};
use super::sum::Sum;
use super::{Applied, Closure, DeviceFlat, Flat, Hypers, MOMENTUM, Optimizer, OptimizerEntry, State, StateError, pass};
use crate::registry::{Default, Entry, Kind, Param};
use runner_gpu::ops::optim as gpu;

pub static ENTRY: OptimizerEntry = Entry {
    name: "sgd",
    summary: "gradient descent with momentum",
    cite: "Sutskever et al. 2013; PyTorch's torch.optim.SGD",
    params: &[
        Param {
            key: "nesterov",
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "look ahead along the momentum",
        },
        decay::PARAM,
    ],
    shorthand: None,
    make: |settings, len| {
        Box::new(Sgd {
            nesterov: settings.bool("nesterov"),
            decay: Decay::of(settings),
            used: None,
            momentum: Slot::zeros(len),
            sum: Sum::default(),
            tables: Tables::default(),
        })
    },
};

/// SGD as PyTorch's, without dampening:
///
/// ```text
/// g ← g + wd·p                  (coupled; decoupled: p ← p − lr·wd·p)
/// b ← m·b + g                   (b = 0 at first)
/// p ← p − lr·(g + m·b)          (Nesterov; else p − lr·b)
/// ```
///
/// The buffer holds gradients and lr multiplies it at the update, so a change of lr acts at once. Differs from PyTorch
/// while the momentum is 0: there the buffer is then left as it was, here it becomes the gradient.
struct Sgd {
    nesterov: bool,
    decay: Decay,
    used: Option<Applied>,
    momentum: Slot,
    sum: Sum,
    tables: Tables,
}

impl Optimizer for Sgd {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.used.insert(Applied::of(hypers));
        let (nesterov, f, m) = (self.nesterov, self.decay.factors(&used), used.momentum as f32);
        let keep = self.sum.step(used.momentum, used.share);
        pass::run(flat, [self.momentum.host_mut()], |part| {
            let [momentum] = part.buffers;
            for ((p, g), b) in part.params.iter_mut().zip(&*part.grads).zip(momentum) {
                let g = f.share * (g + f.coupled * *p);
                *b = keep * *b + g;
                let direction = if nesterov { g + m * *b } else { *b };
                *p = f.keep * *p - f.lr * direction;
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
        let factors = gpu::sgd::Factors {
            lr: f.lr,
            coupled: f.coupled,
            keep: f.keep,
            share: f.share,
            keep_momentum: self.sum.step(used.momentum, used.share),
            momentum: used.momentum as f32,
            nesterov: self.nesterov,
        };
        let DeviceFlat { device, params, grads, .. } = flat;
        let (table, _) = self.tables.of(&flat, |_| false)?;
        gpu::sgd::step(device, table, &factors, params, grads, self.momentum.on(device)?)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.momentum.home()
    }

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        State::of([(MOMENTUM, self.momentum.host())]).with_counters(self.sum.counters())
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        self.sum = Sum::load(state, [(MOMENTUM, self.momentum.host_mut())])?;
        Ok(())
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        let to_mean = self.sum.to_mean();
        Some(self.momentum.host().iter().map(|b| b * to_mean).collect())
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        (*self.momentum.host_mut(), self.sum) = (momentum, Sum::of_mean());
    }
}
