use super::{Averaging, R, WEIGHT_LR_POWER};
use crate::optim::device::{Slot, Tables};
use crate::optim::moments::{BETA2, EPS};
use crate::optim::{
    Applied, Closure, DeviceFlat, Flat, Hypers, Optimizer, OptimizerEntry, Segment, State, StateError, pass,
};
use crate::registry::Entry;
use runner_gpu::ops::optim::schedule_free as gpu;

pub static ENTRY: OptimizerEntry = Entry {
    name: "schedule-free-adamw",
    summary: "steps along the gradient over its root mean square, whose average is the model, with gradients taken between \
              the two: for a rate that stays; that average is what is evaluated and kept",
    cite: "Defazio et al. 2024 (arXiv:2405.15682); schedulefree's AdamWScheduleFree",
    params: &[BETA2, EPS, R, WEIGHT_LR_POWER],
    shorthand: None,
    make: |settings, len| {
        Box::new(ScheduleFreeAdamW {
            beta2: settings.float(BETA2.key),
            eps: settings.float(EPS.key),
            averaging: Averaging::new(settings, len),
            square_avg: Slot::zeros(len),
            tables: Tables::default(),
        })
    },
};

const SQUARE_AVG: &str = "square_avg";

/// Adam's step without its mean of gradients, in whose place the average is, and AdamW's weight decay at `y`; β2 is the
/// `beta` of the step:
///
/// ```text
/// v ← β2·v + (1 − β2)·g²                       (v = 0 at first)
/// d = g/(√(v/(1 − β2ᵗ)) + ε) + wd·y            see Averaging
/// ```
struct ScheduleFreeAdamW {
    beta2: f64,
    eps: f64,
    averaging: Averaging,
    square_avg: Slot,
    tables: Tables,
}

impl ScheduleFreeAdamW {
    /// Counts a step, and gives its factors: of the square, and of the rest.
    fn begin_step(&mut self, hypers: &Hypers) -> (gpu::Square, super::Factors) {
        let (by, beta2) = (self.averaging.begin_step(hypers), hypers.beta.unwrap_or(self.beta2));
        let square = gpu::Square {
            keep: beta2 as f32,
            take: (1.0 - beta2) as f32,
            weight: (1.0 - beta2.powf(self.averaging.steps() as f64)) as f32,
            eps: self.eps as f32,
        };
        (square, by)
    }
}

impl Optimizer for ScheduleFreeAdamW {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let (square, by) = self.begin_step(hypers);
        pass::run(flat, [self.averaging.z().host_mut(), self.square_avg.host_mut()], |part| {
            let [z, square_avg] = part.buffers;
            for (((y, g), z), v) in part.params.iter_mut().zip(&*part.grads).zip(z).zip(square_avg) {
                *v = square.keep * *v + square.take * g * g;
                by.step(g / ((*v / square.weight).sqrt() + square.eps), y, z);
            }
        });
        Ok(())
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        let (square, by) = self.begin_step(hypers);
        let DeviceFlat { device, params, grads, .. } = flat;
        let (table, _) = self.tables.of(&flat, |_| false)?;
        let buffers = [self.averaging.z().on(device)?, self.square_avg.on(device)?];
        gpu::adamw(device, table, (&square, &by.into()), params, grads, buffers)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.averaging.z().home()?;
        self.square_avg.home()
    }

    fn applied(&self) -> Option<Applied> {
        self.averaging.used
    }

    fn state(&self) -> State {
        self.averaging.state([(SQUARE_AVG, self.square_avg.host())])
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        self.averaging.load_with(state, (SQUARE_AVG, self.square_avg.host_mut()))
    }

    fn uses_momentum(&self) -> bool {
        true
    }

    fn momentum(&self) -> Option<Vec<f32>> {
        None
    }

    fn carry(&mut self, _momentum: Vec<f32>) {}

    fn to_average(&self, params: &mut [f32], segments: &[Segment]) {
        self.averaging.to_average(params, segments);
    }
}
