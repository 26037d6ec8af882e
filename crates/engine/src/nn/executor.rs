//! A net made executable where the program computes.

use super::device::{DeviceTape, Images};
use super::graph::{Graph, ValueId};
use super::noise::Noise;
use super::options::TapeOptions;
use super::params::Params;
use super::tape::{Loss, Tape, Target};
use super::taps::Tap;
use super::timings::Timings;
use crate::kernels::Isa;
use crate::kernels::loss::Mixed;
use runner_gpu::{Device, View};
use std::collections::BTreeMap;

/// Where a program computes.
#[derive(Clone, Debug)]
pub struct Compute {
    /// Of what runs on the CPU.
    pub isa: Isa,
    /// What nets run on; `None`: the CPU.
    pub device: Option<Device>,
}

impl From<Isa> for Compute {
    fn from(isa: Isa) -> Self {
        Self { isa, device: None }
    }
}

impl Compute {
    /// As records name it: `cpu`, `cuda:0`.
    pub fn name(&self) -> &str {
        self.device.as_ref().map_or("cpu", |device| &device.facts().device)
    }

    /// With what its maker calls it: `cpu`, `cuda:0 (NVIDIA H200)`.
    pub fn label(&self) -> String {
        let maker = self.device.as_ref().map(|device| format!(" ({})", device.facts().name));
        self.name().to_owned() + &maker.unwrap_or_default()
    }
}

/// A [`Tape`], or its twin on a device.
pub enum Executor {
    Host(Box<Tape>),
    Device(Box<DeviceTape>),
}

impl Executor {
    /// Plans and allocates, see [`Tape::new`]. `options.isa` is that of `compute`.
    ///
    /// # Errors
    /// When a device's memory is too small.
    pub fn new(compute: &Compute, graph: &Graph, params: &Params, options: TapeOptions) -> anyhow::Result<Self> {
        Self::with_taps(compute, graph, params, options, BTreeMap::new())
    }

    /// As `new`, with observers of some values.
    ///
    /// # Errors
    /// As there.
    pub fn with_taps(
        compute: &Compute,
        graph: &Graph,
        params: &Params,
        options: TapeOptions,
        taps: BTreeMap<ValueId, Box<dyn Tap>>,
    ) -> anyhow::Result<Self> {
        let options = TapeOptions { isa: compute.isa, ..options };
        Ok(match &compute.device {
            None => Self::Host(Box::new(Tape::with_taps(graph, params, options, taps))),
            Some(device) => Self::Device(Box::new(DeviceTape::new(device, graph, params, options, taps)?)),
        })
    }

    /// See [`Tape::forward`].
    ///
    /// # Errors
    /// Those of a device or a candle bridge.
    ///
    /// # Panics
    /// As there; on the host, when the images are not.
    pub fn forward(&mut self, params: &mut Params, images: Images<'_>) -> anyhow::Result<()> {
        match self {
            Self::Host(tape) => tape.forward(params, images.here()),
            Self::Device(tape) => tape.forward(params, images),
        }
    }

    /// See [`Tape::forward_to`].
    ///
    /// # Errors
    /// Those of a device or a candle bridge.
    ///
    /// # Panics
    /// As there.
    pub fn forward_to(&mut self, params: &mut Params, images: &[f32], value: ValueId) -> anyhow::Result<Vec<f32>> {
        match self {
            Self::Host(tape) => tape.forward_to(params, images, value),
            Self::Device(tape) => tape.forward_to(params, images, value),
        }
    }

    /// See [`Tape::output`].
    ///
    /// # Errors
    /// Those of a device.
    pub fn output(&self) -> anyhow::Result<Vec<f32>> {
        match self {
            Self::Host(tape) => Ok(tape.output()),
            Self::Device(tape) => tape.output(),
        }
    }

    /// See [`Tape::loss`].
    ///
    /// # Errors
    /// Those of a device.
    ///
    /// # Panics
    /// As there.
    pub fn loss(&mut self, labels: &[u32], smoothing: f32) -> anyhow::Result<Loss> {
        self.loss_of_mixtures(labels, None, smoothing)
    }

    /// See [`Tape::loss_of_mixtures`].
    ///
    /// # Errors
    /// Those of a device.
    ///
    /// # Panics
    /// As there.
    pub fn loss_of_mixtures(
        &mut self,
        labels: &[u32],
        mixed: Option<Mixed<'_>>,
        smoothing: f32,
    ) -> anyhow::Result<Loss> {
        match self {
            Self::Host(tape) => Ok(tape.loss_of_mixtures(labels, mixed, smoothing)),
            Self::Device(tape) => tape.loss_of_mixtures(labels, mixed, smoothing),
        }
    }

    /// Forward, loss and backward; on a device without waiting in between. The gradients are then there:
    /// [`Params::home`] brings them to the host.
    ///
    /// # Errors
    /// Those of a device or a candle bridge.
    ///
    /// # Panics
    /// As [`forward`](Self::forward), [`loss_of_mixtures`](Self::loss_of_mixtures) and [`backward`](Self::backward).
    pub fn gradient(&mut self, params: &mut Params, images: Images<'_>, target: Target<'_>) -> anyhow::Result<Loss> {
        match self {
            Self::Host(tape) => {
                tape.forward(params, images.here())?;
                let loss = tape.loss_of(target);
                tape.backward(params)?;
                Ok(loss)
            }
            Self::Device(tape) => tape.gradient(params, images, target),
        }
    }

    /// As [`gradient`](Self::gradient) on a device, where the loss stays: see [`DeviceTape::gradient_into`].
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there, and on the host, which has the loss at once.
    pub fn gradient_into(
        &mut self,
        params: &mut Params,
        images: Images<'_>,
        target: Target<'_>,
        to: View<'_>,
        losses: Option<View<'_>>,
    ) -> anyhow::Result<()> {
        match self {
            Self::Host(_) => panic!("the host has a loss at once"),
            Self::Device(tape) => tape.gradient_into(params, images, target, to, losses),
        }
    }

    /// The loss of each image, whatever its weight, of the last [`gradient`](Self::gradient).
    ///
    /// # Errors
    /// Those of a device.
    pub fn losses(&self) -> anyhow::Result<Vec<f32>> {
        match self {
            Self::Host(tape) => Ok(tape.losses().to_vec()),
            Self::Device(tape) => tape.losses(),
        }
    }

    /// See [`Tape::set_output_grad`].
    ///
    /// # Errors
    /// Those of a device.
    ///
    /// # Panics
    /// As there.
    pub fn set_output_grad(&mut self, gradient: &[f32]) -> anyhow::Result<()> {
        match self {
            Self::Host(tape) => tape.set_output_grad(gradient),
            Self::Device(tape) => return tape.set_output_grad(gradient),
        }
        Ok(())
    }

    /// See [`Tape::backward`].
    ///
    /// # Errors
    /// Those of a device or a candle bridge.
    ///
    /// # Panics
    /// As there.
    pub fn backward(&mut self, params: &mut Params) -> anyhow::Result<()> {
        match self {
            Self::Host(tape) => tape.backward(params),
            Self::Device(tape) => tape.backward(params),
        }
    }

    /// See [`Tape::input_grad`].
    ///
    /// # Errors
    /// Those of a device.
    pub fn input_grad(&self) -> anyhow::Result<Option<Vec<f32>>> {
        match self {
            Self::Host(tape) => Ok(tape.input_grad()),
            Self::Device(tape) => tape.input_grad(),
        }
    }

    /// See [`Tape::set_noise`].
    pub fn set_noise(&mut self, noise: Noise) {
        match self {
            Self::Host(tape) => tape.set_noise(noise),
            Self::Device(tape) => tape.set_noise(noise),
        }
    }

    /// See [`Tape::set_loss_scale`].
    pub fn set_loss_scale(&mut self, scale: f32) {
        match self {
            Self::Host(tape) => tape.set_loss_scale(scale),
            Self::Device(tape) => tape.set_loss_scale(scale),
        }
    }

    /// See [`Tape::time_layers`].
    pub fn time_layers(&mut self) {
        match self {
            Self::Host(tape) => tape.time_layers(),
            Self::Device(tape) => tape.time_layers(),
        }
    }

    /// See [`Tape::timings`].
    pub fn timings(&self) -> Option<&Timings> {
        match self {
            Self::Host(tape) => tape.timings(),
            Self::Device(tape) => tape.timings(),
        }
    }

    /// Steps that were taken by running what a device had recorded; see [`DeviceTape::gradient`].
    pub fn replays(&self) -> u64 {
        match self {
            Self::Host(_) => 0,
            Self::Device(tape) => tape.replays(),
        }
    }

    /// See [`Tape::memory_bytes`].
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Host(tape) => tape.memory_bytes(),
            Self::Device(tape) => tape.memory_bytes(),
        }
    }

    /// See [`Tape::scratch_bytes`].
    pub fn scratch_bytes(&self) -> usize {
        match self {
            Self::Host(tape) => tape.scratch_bytes(),
            Self::Device(tape) => tape.scratch_bytes(),
        }
    }
}
