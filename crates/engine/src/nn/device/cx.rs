//! What an operation on a device is, and what it sees.

use super::memory::DeviceMemory;
use super::params::Mirror;
use crate::kernels::{Buffer as HostBuffer, DType, Isa, Write};
use crate::nn::layer::Cx;
use crate::nn::memory::{Memory, Wiring};
use crate::nn::noise::Noise;
use crate::nn::options::{Mode, TapeOptions};
use rand_chacha::ChaCha8Rng;
use runner_gpu::ops::GradTo;
use runner_gpu::{Buffer, Device, View};
use std::cell::RefCell;

/// A layer made executable on a device. Its own memory is allocated when it is made.
pub trait DeviceOp: Send {
    /// Bytes of shared scratch that a pass uses at most.
    fn scratch_bytes(&self) -> usize {
        0
    }

    /// Whether its passes for so many images are the same work each time, and nothing but launches, copies and zeroing:
    /// then they may be recorded, and run again without this operation being asked. What it packs of the parameters it
    /// must pack whenever it is given another [`version`](DeviceCx::version).
    fn repeats(&self) -> bool {
        true
    }

    /// Computes the output, for the first time or [`again`](DeviceCx::again): as [`Op::forward`](crate::nn::Op::forward).
    ///
    /// # Errors
    /// Those of the device.
    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()>;

    /// Computes the gradients of parameters, and of those inputs that want one.
    ///
    /// # Errors
    /// Those of the device.
    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()>;
}

/// What an operation sees in either pass: the twin of [`Cx`](crate::nn::layer::Cx).
pub struct DeviceCx<'a> {
    pub device: &'a Device,
    /// Images in this batch.
    pub n: usize,
    /// Batch statistics and updates of running ones, or evaluation.
    pub train: bool,
    /// Whether gradients of parameters are of no use, and have no room.
    pub frozen: bool,
    /// In training: whether the batch's statistics replace the running ones altogether.
    pub measure: bool,
    pub dtype: DType,
    /// Forward: whether the output is made once more, see [`ForwardCx::again`](crate::nn::ForwardCx::again).
    pub again: bool,
    /// Changes whenever the parameters do, and when recorded work has packed them since. Tapes count by themselves.
    pub version: u64,
    /// What the pass's draws follow from.
    pub noise: Noise,
    /// Tells the layer from others.
    pub(super) key: u64,
    pub(super) wiring: &'a Wiring,
    pub(super) memory: &'a DeviceMemory,
    pub(super) params: &'a Mirror,
    pub(super) scratch: &'a Buffer,
}

/// The parts of a tape that its operations look at.
pub(super) struct Room<'a> {
    pub device: &'a Device,
    pub options: &'a TapeOptions,
    pub n: usize,
    pub version: u64,
    pub noise: Noise,
    pub memory: &'a DeviceMemory,
    pub params: &'a Mirror,
    pub scratch: &'a Buffer,
}

impl<'a> Room<'a> {
    /// What the operation of that wiring and that key sees in either pass, a forward one that is done `again` or not.
    pub fn cx(&self, wiring: &'a Wiring, key: u64, again: bool) -> DeviceCx<'a> {
        let TapeOptions { mode, dtype, frozen, .. } = *self.options;
        let Self { device, n, version, noise, memory, params, scratch, .. } = *self;
        let (train, measure) = (mode != Mode::Evaluate, mode == Mode::Measure);
        DeviceCx {
            device,
            n,
            train,
            frozen,
            measure,
            dtype,
            again,
            version,
            noise,
            key,
            wiring,
            memory,
            params,
            scratch,
        }
    }
}

impl<'a> DeviceCx<'a> {
    /// An input's value; backward, the layer must have asked for it in [`Saves`](crate::nn::Saves).
    pub fn input(&self, k: usize) -> View<'a> {
        self.memory.view(self.wiring.inputs[k], self.n)
    }
    /// The output: forward, to overwrite; backward, the layer must have asked for it.
    pub fn output(&self) -> View<'a> {
        self.memory.view(self.wiring.output, self.n)
    }
    pub fn output_grad(&self) -> View<'a> {
        let place = self.wiring.output_grad.expect("backward runs only where the output has a gradient");
        self.memory.view(place, self.n)
    }
    /// Where input `k`'s gradient goes; `None` when nobody wants it, or it is the output's, which is passed on.
    pub fn input_grad(&self, k: usize) -> Option<GradTo<'a>> {
        let target = self.wiring.input_grads[k]?;
        Some(GradTo { to: self.memory.view(target.place, self.n), add: target.write == Write::Add })
    }
    pub fn param(&self, k: usize) -> View<'a> {
        self.params.values().part(self.wiring.params[k].clone())
    }
    /// The gradient of parameter `k`, to overwrite.
    pub fn param_grad(&self, k: usize) -> View<'a> {
        self.params.grads().part(self.wiring.params[k].clone())
    }
    /// Running statistic `k`.
    pub fn stat(&self, k: usize) -> View<'a> {
        self.params.stats().part(self.wiring.stats[k].clone())
    }
    /// The layer's random words of this step, from the step's first image on.
    pub fn stream(&self) -> ChaCha8Rng {
        self.noise.stream(self.key)
    }
    /// So many floats of scratch, from its start on.
    pub fn scratch(&self, len: usize) -> View<'a> {
        self.scratch.first(runner_gpu::DType::F32, len)
    }
    /// So many elements of scratch of the activations' type.
    pub fn scratch_elements(&self, len: usize) -> View<'a> {
        self.scratch.first(self.dtype.into(), len)
    }

    /// The same pass as an operation on the host sees it, with memory there.
    pub(super) fn on_host<'b>(
        &self,
        isa: Isa,
        wiring: &'b Wiring,
        memory: &'b Memory,
        values: &'b [f32],
        scratch: &'b RefCell<HostBuffer>,
    ) -> Cx<'b> {
        let Self { n, train, frozen, measure, dtype, version, noise, key, .. } = *self;
        Cx { n, train, frozen, measure, isa, dtype, version, noise, key, wiring, memory, values, scratch }
    }
}
