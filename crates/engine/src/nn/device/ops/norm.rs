use super::super::{DeviceCx, DeviceOp};
use runner_gpu::ops::Act;
use runner_gpu::ops::norm::{self, Ghosts, Grads, Norm, Saved, Statistics, Within};
use runner_gpu::{Buffer, DType, Device, Error, View};
use std::ops::Range;

/// [`BatchNorm`](crate::nn::layers::BatchNorm) and [`ConcatNorm`](crate::nn::layers::ConcatNorm) on a device.
pub struct NormOp {
    settings: NormSettings,
    /// Of each input that is normalised.
    parts: Vec<Part>,
}

/// What a norm is, beside its inputs.
#[derive(Clone, Copy, Debug)]
pub struct NormSettings {
    pub act: Act,
    pub eps: f32,
    /// Weight of the batch in the running statistics.
    pub update: f32,
    pub frozen_scale: bool,
    /// Whether an input behind those that are normalised is added.
    pub residual: bool,
    /// Whether backward reads the output in place of that input.
    pub reads_output: bool,
    /// Of an image.
    pub pixels: usize,
    /// Images that share statistics; `None`: all of a batch.
    pub ghost_batch: Option<usize>,
    pub max_batch: usize,
}

impl NormSettings {
    /// The parts of a batch of so many images.
    fn ghosts(&self, images: usize) -> Ghosts {
        match self.ghost_batch {
            Some(each) => Ghosts::of(images, self.pixels, each),
            None => Ghosts::whole(images, self.pixels),
        }
    }
}

/// Channels that lie in one input.
struct Part {
    /// Of all channels.
    channels: Range<usize>,
    /// Where the output has others too.
    within: Option<Within>,
    /// Means, then variances that the last forward used: of each part of the batch.
    statistics: Buffer,
}

impl NormOp {
    /// For inputs of so many channels.
    ///
    /// # Errors
    /// When the device's memory is too small.
    pub fn new(device: &Device, settings: NormSettings, channels: &[usize]) -> Result<Self, Error> {
        let width: usize = channels.iter().sum();
        let most = (1..=settings.max_batch).map(|n| settings.ghosts(n).count()).max().unwrap_or(1);
        let mut parts = Vec::new();
        let mut first = 0;
        for c in channels {
            parts.push(Part {
                channels: first..first + c,
                within: (channels.len() > 1).then_some(Within { width, first }),
                statistics: device.allocate(DType::F32, 2 * most * c)?,
            });
            first += c;
        }
        Ok(Self { settings, parts })
    }
}

impl Part {
    /// Means and variances of the parts of a batch.
    fn statistics(&self, ghosts: Ghosts) -> [View<'_>; 2] {
        let len = ghosts.count() * self.channels.len();
        let both = self.statistics.first(DType::F32, 2 * len);
        [both.part(0..len), both.part(len..2 * len)]
    }

    /// With the parameters of its channels.
    fn norm<'a>(&'a self, cx: &DeviceCx<'a>, settings: &NormSettings, ghosts: Ghosts) -> Norm<'a> {
        let [mean, var] = self.statistics(ghosts);
        let [gamma, beta] = [0, 1].map(|k| cx.param(k).part(self.channels.clone()));
        Norm { mean, var, eps: settings.eps, gamma, beta, act: settings.act, within: self.within }
    }
}

impl DeviceOp for NormOp {
    fn scratch_bytes(&self) -> usize {
        let of_part = |part: &Part| {
            let c = part.channels.len();
            let floats = |n| norm::scratch_len(self.settings.ghosts(n), c);
            (1..=self.settings.max_batch).map(floats).max().unwrap_or(0)
        };
        self.parts.iter().map(of_part).max().unwrap_or(0) * DType::F32.size()
    }

    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let (device, settings) = (cx.device, &self.settings);
        let ghosts = settings.ghosts(cx.n);
        let residual = settings.residual.then(|| cx.input(self.parts.len()));
        for (k, part) in self.parts.iter().enumerate() {
            let (x, c) = (cx.input(k), part.channels.len());
            let [mean, var] = part.statistics(ghosts);
            let running = [0, 1].map(|k| cx.stat(k).part(part.channels.clone()));
            if cx.again {
                // The statistics are those of the first time.
            } else if cx.train {
                norm::statistics(device, ghosts, x, mean, var, cx.scratch(norm::scratch_len(ghosts, c)))?;
                let update = if cx.measure { 1.0 } else { settings.update };
                norm::update_running(device, ghosts, update, [mean, var], running)?;
            } else {
                device.copy(running[0], mean)?;
                device.copy(running[1], var)?;
            }
            norm::forward(device, ghosts, &part.norm(cx, settings, ghosts), x, residual, cx.output())?;
        }
        Ok(())
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let settings = &self.settings;
        let ghosts = settings.ghosts(cx.n);
        let y = settings.reads_output.then(|| cx.output());
        let residual_at = settings.residual.then_some(self.parts.len());
        let statistics = if cx.train { Statistics::OfBatch } else { Statistics::Frozen };
        for (k, part) in self.parts.iter().enumerate() {
            let gradient = |k: usize| (!cx.frozen).then(|| cx.param_grad(k).part(part.channels.clone()));
            let residual = residual_at.filter(|_| !settings.reads_output).map(|k| cx.input(k));
            let saved = Saved { x: cx.input(k), residual, y, statistics };
            let grads = Grads {
                dx: cx.input_grad(k),
                dresidual: residual_at.and_then(|k| cx.input_grad(k)),
                dgamma: gradient(0).filter(|_| !settings.frozen_scale),
                dbeta: gradient(1),
            };
            let scratch = cx.scratch(norm::scratch_len(ghosts, part.channels.len()));
            let of_part = part.norm(cx, settings, ghosts);
            norm::backward(cx.device, ghosts, &of_part, saved, cx.output_grad(), grads, scratch)?;
        }
        Ok(())
    }
}
