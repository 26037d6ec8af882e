use super::decay::{self, Decay};
use super::sum::Sum;
use super::{Applied, Closure, Flat, Hypers, MOMENTUM, Optimizer, OptimizerEntry, State, StateError, pass};
use crate::registry::{Default, Entry, Kind, Param};

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
            momentum: vec![0.0; len],
            sum: Sum::default(),
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
    momentum: Vec<f32>,
    sum: Sum,
}

impl Optimizer for Sgd {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.used.insert(Applied::of(hypers));
        let (nesterov, f, m) = (self.nesterov, self.decay.factors(&used), used.momentum as f32);
        let keep = self.sum.step(used.momentum, used.share);
        pass::run(flat, [&mut self.momentum], |part| {
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

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        State::of([(MOMENTUM, &self.momentum)]).with_counters(self.sum.counters())
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        self.sum = Sum::load(state, [(MOMENTUM, &mut self.momentum)])?;
        Ok(())
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        let to_mean = self.sum.to_mean();
        Some(self.momentum.iter().map(|b| b * to_mean).collect())
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        (self.momentum, self.sum) = (momentum, Sum::of_mean());
    }
}
