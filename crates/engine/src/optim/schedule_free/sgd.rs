use super::{Averaging, R, WEIGHT_LR_POWER};
use crate::optim::device::Tables;
use crate::optim::{
    Applied, Closure, DeviceFlat, Flat, Hypers, Optimizer, OptimizerEntry, Segment, State, StateError, pass,
};
use crate::registry::Entry;
use runner_gpu::ops::optim::schedule_free as gpu;

pub static ENTRY: OptimizerEntry = Entry {
    name: "schedule-free-sgd",
    summary: "gradient descent whose average is the model, with gradients taken between the two: for a rate that stays; \
              that average is what is evaluated and kept",
    cite: "Defazio et al. 2024 (arXiv:2405.15682); schedulefree's SGDScheduleFree",
    params: &[R, WEIGHT_LR_POWER],
    shorthand: None,
    make: |settings, len| {
        Box::new(ScheduleFreeSgd { averaging: Averaging::new(settings, len), tables: Tables::default() })
    },
};

/// Along the gradient and weight decay, both at `y`: see [`Averaging`].
struct ScheduleFreeSgd {
    averaging: Averaging,
    tables: Tables,
}

impl Optimizer for ScheduleFreeSgd {
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, _closure: &mut Closure<'_>) -> anyhow::Result<()> {
        let by = self.averaging.begin_step(hypers);
        pass::run(flat, [self.averaging.z().host_mut()], |part| {
            let [z] = part.buffers;
            for ((y, g), z) in part.params.iter_mut().zip(&*part.grads).zip(z) {
                by.step(*g, y, z);
            }
        });
        Ok(())
    }

    fn has_kernels(&self) -> bool {
        true
    }

    fn step_on_device(&mut self, flat: DeviceFlat<'_>, hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        let by = self.averaging.begin_step(hypers).into();
        let DeviceFlat { device, params, grads, .. } = flat;
        let (table, _) = self.tables.of(&flat, |_| false)?;
        gpu::sgd(device, table, &by, params, grads, self.averaging.z().on(device)?)
    }

    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        self.averaging.z().home()
    }

    fn applied(&self) -> Option<Applied> {
        self.averaging.used
    }

    fn state(&self) -> State {
        self.averaging.state([])
    }

    fn load(&mut self, state: State) -> Result<(), StateError> {
        self.averaging.load(state)
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
