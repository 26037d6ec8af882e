//! Optimizers over flat buffers.

pub mod adam;
pub mod adamw;
mod clip;
mod decay;
pub mod device;
pub mod lamb;
pub mod lars;
pub mod lbfgs;
pub mod lion;
mod mean;
pub mod mix;
mod moments;
pub mod muon;
mod orthogonalise;
mod pass;
pub mod radam;
pub mod rmsprop;
pub mod schedule_free;
pub mod sgd;
mod state;
mod sum;
#[cfg(test)]
mod tests;
mod trust;
mod vector;

pub use clip::Clip;
pub use device::DeviceFlat;
pub use state::{MOMENTUM, State, StateError};

use crate::kernels::Isa;
use crate::registry::{Choice, Describe, Entry, Family, Settings, find};
use std::ops::Range;

/// Where one parameter lies in the flat buffers.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    pub name: String,
    pub range: Range<usize>,
    /// As torchvision shapes it: `OIHW`, `OI`, or one axis.
    pub shape: Vec<usize>,
}

/// The parameters and their gradients, flat: segments ascend (in name order) and do not overlap; what lies between them is
/// left alone. A step may use up the gradients.
pub struct Flat<'a> {
    pub params: &'a mut [f32],
    pub grads: &'a mut [f32],
    /// Mean over the batch at `params`, where the gradients are of: where a line search starts.
    pub loss: f64,
    pub segments: &'a [Segment],
    /// For rules that multiply matrices.
    pub isa: Isa,
}

impl Flat<'_> {
    /// The same once more, for rules that go over the buffers several times.
    fn again(&mut self) -> Flat<'_> {
        Flat { params: self.params, grads: self.grads, loss: self.loss, segments: self.segments, isa: self.isa }
    }

    /// The segments' values of one of the buffers, one after the other.
    fn gather(&self, all: &[f32]) -> Vec<f32> {
        // Collected, it would have room for up to twice as many.
        let mut values = Vec::with_capacity(self.segments.iter().map(|segment| segment.range.len()).sum());
        self.segments.iter().for_each(|segment| values.extend_from_slice(&all[segment.range.clone()]));
        values
    }

    /// Sets the parameters of the segments to such values.
    fn scatter(&mut self, mut values: &[f32]) {
        for segment in self.segments {
            let (mine, others) = values.split_at(segment.range.len());
            self.params[segment.range.clone()].copy_from_slice(mine);
            values = others;
        }
    }
}

/// The hyper-parameters of one step, as planned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hypers {
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    /// Adam's β2, RMSProp's α; `None`: the optimizer's own setting.
    pub beta: Option<f64>,
    /// Within a mix of two rules a rule's share in the step; of the mix itself that of its second rule; else 1.
    pub share: f64,
}

/// What a step really used: the source of `trace.csv`'s columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Applied {
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    /// As in [`Hypers`].
    pub beta: Option<f64>,
    pub share: f64,
}

impl Applied {
    /// All that a first-order rule takes from the plan.
    pub fn of(hypers: &Hypers) -> Self {
        let Hypers { lr, momentum, weight_decay, beta, share } = *hypers;
        Self { lr, momentum, weight_decay, beta, share }
    }

    /// The rate of rules that weigh their step by their share in a mix.
    fn shared_lr(&self) -> f64 {
        self.lr * self.share
    }
}

/// Evaluates the same batch again at other parameters (statistics and random draws frozen): writes the gradient and
/// returns the loss. For line searches (L-BFGS); first-order rules never call it.
pub type Closure<'a> = dyn FnMut(&[f32], &mut [f32]) -> anyhow::Result<f64> + 'a;

/// Numbers that an optimizer has in memory besides parameters and gradients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Its state.
    pub kept: usize,
    /// What is no state.
    pub beside: usize,
    /// What is there within a step alone.
    pub in_step: usize,
}

/// An update rule with its state.
pub trait Optimizer: Send {
    /// Updates `flat.params` in place from `flat.grads`. The step is taken in `f32`, the factors computed in `f64`.
    ///
    /// # Errors
    /// Those of the closure.
    fn step(&mut self, flat: Flat<'_>, hypers: &Hypers, closure: &mut Closure<'_>) -> anyhow::Result<()>;

    /// Whether it has kernels for devices: [`step_on_device`](Self::step_on_device) may be called.
    fn has_kernels(&self) -> bool {
        false
    }

    /// The same step on a device, where the state then lies too, until [`home`](Self::home) is called.
    ///
    /// # Errors
    /// Those of the device.
    ///
    /// # Panics
    /// When it has no kernels.
    fn step_on_device(&mut self, _flat: DeviceFlat<'_>, _hypers: &Hypers) -> Result<(), runner_gpu::Error> {
        unreachable!("a rule without kernels steps on the host")
    }

    /// Brings the state back from a device: to be called before anything else than another step there.
    ///
    /// # Errors
    /// Those of the device.
    fn home(&mut self) -> Result<(), runner_gpu::Error> {
        Ok(())
    }

    /// Whether it can step a parameter of that shape. Muon steps matrices alone.
    fn takes(&self, _shape: &[usize]) -> bool {
        true
    }

    /// Whether `step` calls its closure: the engine then keeps a copy of the parameters for it.
    fn reevaluates(&self) -> bool {
        false
    }

    /// What it has in memory, now and in each of its steps.
    fn holds(&self) -> Holds {
        Holds { kept: self.state().buffers.values().map(Vec::len).sum(), ..Holds::default() }
    }

    /// What the last step used, from the optimizer's own fields. `None` before the first.
    fn applied(&self) -> Option<Applied>;

    /// The state as named buffers (`momentum`, `square_avg`, …) and counters, in name order.
    fn state(&self) -> State;

    /// Takes over a state that `state` gave, into a fresh instance.
    ///
    /// # Errors
    /// When a buffer is missing, unknown, or of another length.
    fn load(&mut self, state: State) -> Result<(), StateError>;

    /// The momentum, for rules that have one, as a running mean of gradients: what `carry = true` takes to another kind of
    /// optimizer. So it means the same whatever the momentum was on one side and is on the other; after steps without
    /// momentum it is the last gradient. A function of [`state`](Self::state) alone.
    fn momentum(&self) -> Option<Vec<f32>>;

    /// Begins with such a mean of another kind of optimizer; only for a fresh instance. Rules without momentum leave it.
    fn carry(&mut self, momentum: Vec<f32>);

    /// Whether the step's momentum means something to it: also to rules that have none to hand on.
    fn uses_momentum(&self) -> bool {
        self.momentum().is_some()
    }

    /// Turns its segments of all parameters, as it has left them, into the model: of schedule-free rules a mean of weights that
    /// follows from them and from its state, which is on the host; of other rules they are the model.
    fn to_average(&self, _params: &mut [f32], _segments: &[Segment]) {}
}

/// An entry of the family `optimizer`; `make` gets the settings and the number of values that all its segments hold.
pub type OptimizerEntry = Entry<fn(&Settings, usize) -> Box<dyn Optimizer>>;

pub static ENTRIES: &[&OptimizerEntry] = &[
    &sgd::ENTRY,
    &rmsprop::ENTRY,
    &adam::ENTRY,
    &adamw::ENTRY,
    &radam::ENTRY,
    &lars::ENTRY,
    &lamb::ENTRY,
    &lion::ENTRY,
    &muon::ENTRY,
    &schedule_free::sgd::ENTRY,
    &schedule_free::adamw::ENTRY,
    &lbfgs::ENTRY,
    &mix::ENTRY,
];

/// A fresh optimizer for so many values.
///
/// # Panics
/// When the choice was not checked.
pub fn make(choice: &Choice, len: usize) -> Box<dyn Optimizer> {
    let entry = find(ENTRIES, &choice.kind).expect("a checked optimizer is known");
    (entry.make)(&choice.settings, len)
}

/// Whether the weights that a rule steps are not the model but what the model, a mean of weights, is computed from:
/// schedule-free rules.
pub fn averages(choice: &Choice) -> bool {
    [&schedule_free::sgd::ENTRY, &schedule_free::adamw::ENTRY].iter().any(|entry| entry.name == choice.kind)
}

/// What rules call the decay of the second moment, which a phase's `beta` overrides.
pub const BETAS: [&str; 2] = ["alpha", "beta2"];

/// Whether a rule, or one of a mix, has the second moment that a phase's `beta` is for.
pub fn takes_beta(choice: &Choice) -> bool {
    mix::rules(choice).iter().any(|(_, rule)| {
        let params = find(ENTRIES, &rule.kind).map_or(&[][..], |entry| entry.params);
        params.iter().any(|param| BETAS.contains(&param.key))
    })
}

pub static FAMILY: Family = Family {
    name: "optimizer",
    doc: "The rule that turns gradients into steps",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};
