use super::device::Tables;
use super::moments::{self, BETA2, Moments};
use super::trust::{self, Adapted};
use super::{Applied, Closure, DeviceFlat, Flat, Hypers, Optimizer, OptimizerEntry, State, StateError, pass};
use crate::kernels::reduce;
use crate::registry::{Default, Entry, Param};
use runner_gpu::ops::optim as gpu;

pub static ENTRY: OptimizerEntry = Entry {
    name: "lamb",
    summary: "adamw whose steps are, tensor by tensor, as long as the weights' norm times the rate: for large batches",
    cite: "You et al. 2020 (arXiv:1904.00962), algorithm 2",
    params: &[BETA2, Param { default: Default::Toml("1e-6"), ..moments::EPS }, trust::PARAM],
    shorthand: None,
    make: |settings, len| {
        let (moments, adapted) = (Moments::new(settings, len), Adapted::of(settings));
        Box::new(Lamb { moments, adapted, tables: Tables::default() })
    },
};

/// LAMB, tensor by tensor; `m`, `v`, β1, β2 and their correction as Adam's ([`Moments`]):
///
/// ```text
/// u = m/(1 − β1ᵗ) / (√(v/(1 − β2ᵗ)) + ε) + wd·p
/// p ← p − lr·‖p‖/‖u‖·u             (the ratio is 1 for tensors that are not adapted, and where a norm is 0)
/// ```
///
/// The paper's φ, a bound on ‖p‖, is left out, as it is in the authors' program. PyTorch has no twin; the fixtures are of
/// these formulas in `f64`.
struct Lamb {
    moments: Moments,
    adapted: Adapted,
    tables: Tables,
}

impl Optimizer for Lamb {
    fn step(&mut self, mut flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let used = *self.moments.used.insert(Applied::of(hypers));
        let f = self.moments.begin_step(&used);
        let decay = used.weight_decay as f32;
        // The gradient becomes the direction.
        pass::run(flat.again(), self.moments.buffers(), |part| {
            let [momentum, square_avg] = part.buffers;
            for (((p, g), m), v) in part.params.iter().zip(part.grads).zip(momentum).zip(square_avg) {
                *g = f.direction(*g, m, v) + decay * p;
            }
        });
        let rate = |segment: &super::Segment| {
            let norm = |all: &[f32]| reduce::norm(flat.isa, &all[segment.range.clone()]);
            let adapted = self.adapted.has(segment);
            let ratio = if adapted { trust::ratio(norm(flat.params), norm(flat.grads)) } else { 1.0 };
            (used.shared_lr() * ratio) as f32
        };
        let rates: Vec<f32> = flat.segments.iter().map(rate).collect();
        pass::run(flat, [], |part| {
            let rate = rates[part.segment];
            part.params.iter_mut().zip(part.grads).for_each(|(p, u)| *p -= rate * *u);
        });
        Ok(())
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        let used = *self.moments.used.insert(Applied::of(hypers));
        let factors = gpu::lamb::Factors {
            moments: self.moments.begin_step(&used).into(),
            lr: used.shared_lr(),
            weight_decay: used.weight_decay as f32,
        };
        let DeviceFlat { device, params, grads, .. } = flat;
        let (table, scratch) = self.tables.of(&flat, |segment| self.adapted.has(segment))?;
        gpu::lamb::step(device, table, &factors, params, grads, self.moments.on(device)?, scratch)
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
