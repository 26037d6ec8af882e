use super::decay::{self, Decay};
use super::device::{Slot, Tables};
use super::trust::{self, Adapted};
use super::{Applied, Closure, DeviceFlat, Flat, Hypers, MOMENTUM, Optimizer, OptimizerEntry, State, StateError, pass};
use crate::kernels::reduce;
use crate::registry::{Default, Entry, Interval, Kind, Param};
use runner_gpu::ops::optim as gpu;

const WEIGHT: &str = "weight";
const HANDED_ON: &str = "handed_on";

pub static ENTRY: OptimizerEntry = Entry {
    name: "lars",
    summary: "gradient descent with momentum whose rate is, tensor by tensor, a share of the weights' norm: for large batches",
    cite: "You, Gitman and Ginsburg 2017 (arXiv:1708.03888)",
    params: &[
        Param {
            key: "trust",
            kind: Kind::Float(Interval::above(0.0)),
            default: Default::Toml("0.001"),
            doc: "share of a tensor's norm that a step at rate 1 is long",
        },
        Param {
            key: "eps",
            kind: Kind::Float(Interval::at_least(0.0)),
            default: Default::Toml("1e-8"),
            doc: "added to the norm of the gradient",
        },
        Param {
            key: "nesterov",
            kind: Kind::Bool,
            default: Default::Toml("false"),
            doc: "look ahead along the momentum",
        },
        trust::PARAM,
        decay::PARAM,
    ],
    shorthand: None,
    make: |settings, len| {
        Box::new(Lars {
            trust: settings.float("trust"),
            eps: settings.float("eps"),
            nesterov: settings.bool("nesterov"),
            adapted: Adapted::of(settings),
            decay: Decay::of(settings),
            used: None,
            momentum: Slot::zeros(len),
            weight: Slot::zeros(len),
            handed_on: false,
            tables: Tables::default(),
        })
    },
};

/// LARS, tensor by tensor:
///
/// ```text
/// λ = trust·‖p‖ / (‖g‖ + wd·‖p‖ + ε)      (1 for tensors that are not adapted, and where ‖p‖ or ‖g‖ is 0)
/// b ← m·b + λ·(g + wd·p)                  (b = 0 at first)
/// p ← p − lr·b                            (Nesterov: p − lr·(λ·(g + wd·p) + m·b))
/// ```
///
/// With decoupled decay `wd` is 0 here, and `p ← p − lr·wd·p` before the step. The paper's buffer holds `lr·λ·g`: the two
/// are the same while lr stays the same; here, as in SGD, a change of lr acts at once. PyTorch has no twin; the fixtures are
/// of these formulas in `f64`.
struct Lars {
    trust: f64,
    eps: f64,
    nesterov: bool,
    adapted: Adapted,
    decay: Decay,
    used: Option<Applied>,
    momentum: Slot,
    /// What the weights λ of the gradients in `momentum` add up to, for each value: `b/w` is their mean.
    weight: Slot,
    /// Whether the buffer holds a mean that was handed on, to become a sum with the first step's momentum.
    handed_on: bool,
    tables: Tables,
}

impl Lars {
    /// λ of each tensor.
    fn ratios(&self, flat: &Flat<'_>, weight_decay: f64) -> Vec<f32> {
        let ratio = |segment: &super::Segment| {
            if !self.adapted.has(segment) {
                return 1.0;
            }
            let [p, g] = [&*flat.params, &*flat.grads].map(|all| reduce::norm(flat.isa, &all[segment.range.clone()]));
            let by = if g > 0.0 { g + weight_decay * p + self.eps } else { 0.0 };
            trust::ratio(self.trust * p, by)
        };
        flat.segments.iter().map(|segment| ratio(segment) as f32).collect()
    }
}

impl Optimizer for Lars {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.used.insert(Applied::of(hypers));
        let (nesterov, f, m) = (self.nesterov, self.decay.factors(&used), used.momentum as f32);
        let ratios = self.ratios(&flat, f64::from(f.coupled));
        // A mean that was handed on becomes the sum of as many such gradients as this momentum keeps in the long run.
        let handed_on = std::mem::take(&mut self.handed_on);
        let as_sum = (used.momentum / (1.0 - used.momentum)) as f32;
        pass::run(flat, [self.momentum.host_mut(), self.weight.host_mut()], |part| {
            let [momentum, weight] = part.buffers;
            let ratio = f.share * ratios[part.segment];
            let keep = if handed_on { as_sum * ratio } else { m };
            for (((p, g), b), w) in part.params.iter_mut().zip(&*part.grads).zip(momentum).zip(weight) {
                let g = ratio * (g + f.coupled * *p);
                *b = keep * *b + g;
                *w = keep * *w + ratio;
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
        let handed_on = std::mem::take(&mut self.handed_on);
        let factors = gpu::lars::Factors {
            trust: self.trust,
            eps: self.eps,
            lr: f.lr,
            coupled: f.coupled,
            keep: f.keep,
            share: f.share,
            momentum: used.momentum as f32,
            nesterov: self.nesterov,
            handed_on: handed_on.then(|| (used.momentum / (1.0 - used.momentum)) as f32),
        };
        let DeviceFlat { device, params, grads, .. } = flat;
        let (table, scratch) = self.tables.of(&flat, |segment| self.adapted.has(segment))?;
        let buffers = [self.momentum.on(device)?, self.weight.on(device)?];
        gpu::lars::step(device, table, &factors, params, grads, buffers, scratch)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.momentum.home()?;
        self.weight.home()
    }

    fn applied(&self) -> Option<Applied> {
        self.used
    }

    fn state(&self) -> State {
        State::of([(MOMENTUM, self.momentum.host()), (WEIGHT, self.weight.host())])
            .with_counters([(HANDED_ON, u64::from(self.handed_on))])
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        let buffers = [(MOMENTUM, self.momentum.host_mut()), (WEIGHT, self.weight.host_mut())];
        let [handed_on] = state.into_parts(buffers, [HANDED_ON])?;
        self.handed_on = handed_on != 0;
        Ok(())
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        // Before the first step the buffer is 0.
        let mean = |(b, w): (&f32, &f32)| if *w > 0.0 { b / w } else { *b };
        Some(self.momentum.host().iter().zip(self.weight.host()).map(mean).collect())
    }

    fn carry(&mut self, momentum: Vec<f32>) {
        self.weight.host_mut().fill(1.0);
        (*self.momentum.host_mut(), self.handed_on) = (momentum, true);
    }
}
