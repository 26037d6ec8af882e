use super::{Act, Concat};
use crate::kernels::Grad;
use crate::kernels::norm::ghost::{self, Ghosts};
use crate::kernels::norm::{self, Within};
use crate::nn::device::{DeviceOp, ops};
use crate::nn::init::Init;
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::{Mode, TapeOptions};
use crate::nn::params::{ParamDecl, Role, StatDecl};
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;
use std::ops::Range;

/// Batch norm, with the sum of a residual (a second input) and an activation in the same pass:
/// `act(γ·(x − μ)/√(σ² + ε) + β [+ residual])`.
///
/// Parameters `weight` and `bias`, statistics `running_mean` and `running_var`, as PyTorch names and defines them. A tape
/// with a `ghost_batch` trains on the statistics of parts of a batch, see [`ghost`].
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    act: Act,
    eps: f32,
    /// Weight of the batch in the running statistics.
    update: f32,
    /// What γ starts with.
    scale: f32,
    /// Whether γ stays as it is.
    frozen_scale: bool,
}

impl BatchNorm {
    /// With PyTorch's ε = 1e-5, and 0.1 for the batch's weight in the running statistics, which it calls momentum.
    pub fn new(act: Act) -> Self {
        Self { act, eps: 1e-5, update: 0.1, scale: 1.0, frozen_scale: false }
    }
    /// What is added to the variance.
    pub fn eps(self, eps: f32) -> Self {
        Self { eps, ..self }
    }
    /// The batch's weight in the running statistics.
    pub fn update(self, update: f32) -> Self {
        Self { update, ..self }
    }
    /// What γ starts with, all of it: 1 unless said otherwise.
    pub fn scale(self, scale: f32) -> Self {
        Self { scale, ..self }
    }
    /// Whether γ stays as it starts, untrained.
    pub fn frozen_scale(self, frozen_scale: bool) -> Self {
        Self { frozen_scale, ..self }
    }

    /// The operation that normalises these inputs, and adds one behind them where there is a residual.
    fn normalising_on_device(
        self,
        inputs: &[Shape],
        residual: bool,
        options: &TapeOptions,
        device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        let settings = ops::NormSettings {
            act: self.act.into(),
            eps: self.eps,
            update: self.update,
            frozen_scale: self.frozen_scale,
            residual,
            reads_output: self.reads_output(residual),
            pixels: inputs[0].h * inputs[0].w,
            ghost_batch: ghost_batch(options),
            max_batch: options.max_batch,
        };
        let channels: Vec<usize> = inputs.iter().map(|shape| shape.c).collect();
        Ok(Some(Box::new(ops::NormOp::new(device, settings, &channels)?)))
    }

    /// Whether backward reads the output, from which relu's sign shows, in place of the residual. Without one the sign follows
    /// from the input, which is read anyway.
    fn reads_output(&self, residual: bool) -> bool {
        residual && self.act == Act::Relu
    }
}

/// Images that share statistics; `None`: all of a batch.
fn ghost_batch(options: &TapeOptions) -> Option<usize> {
    options.ghost_batch.filter(|_| options.mode == Mode::Train)
}

impl Layer for BatchNorm {
    fn describe(&self) -> String {
        match self.act {
            Act::None => "batch norm".to_owned(),
            act => format!("batch norm, {}", act.name()),
        }
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [x] => Ok(*x),
            [x, residual] if x == residual => Ok(*x),
            [x, residual] => Err(format!("cannot add a residual of {residual} to {x}")),
            _ => Err(format!("takes one or two inputs, not {}", inputs.len())),
        }
    }
    fn params(&self, inputs: &[Shape]) -> Vec<ParamDecl> {
        let decl = |name: &str, start, frozen| ParamDecl {
            name: name.to_owned(),
            role: Role::Norm,
            shape: vec![inputs[0].c],
            init: Init::Constant(start),
            frozen,
        };
        vec![decl("weight", self.scale, self.frozen_scale), decl("bias", 0.0, false)]
    }
    fn stats(&self, inputs: &[Shape]) -> Vec<StatDecl> {
        let decl = |name: &str, start| StatDecl { name: name.to_owned(), len: inputs[0].c, start };
        vec![decl("running_mean", 0.0), decl("running_var", 1.0)]
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        // Scale and shift; the statistics are training's alone.
        2 * inputs[0].len() as u64
    }
    fn saves(&self, inputs: usize) -> Saves {
        Saves { inputs: true, output: self.reads_output(inputs == 2) }
    }
    fn prepare(&self, inputs: &[Shape], options: &TapeOptions) -> Box<dyn Op> {
        Box::new(NormOp::new(*self, &inputs[..1], inputs.len() == 2, options))
    }
    fn on_device(
        &self,
        inputs: &[Shape],
        options: &TapeOptions,
        device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        self.normalising_on_device(&inputs[..1], inputs.len() == 2, options, device)
    }
}

/// Batch norm of values side by side: what [`BatchNorm`] makes of their [`Concat`](super::Concat), which is never made.
///
/// A channel's norm looks at no other channel, so each input is normalised where it lies, into its channels of the output.
/// A net that puts ever more values side by side and begins every step with a norm (Huang et al. 2016, DenseNet) thus
/// copies nothing of what was there before. Parameters and statistics are those of the norm of the whole.
#[derive(Clone, Copy, Debug)]
pub struct ConcatNorm(BatchNorm);

impl ConcatNorm {
    pub fn new(norm: BatchNorm) -> Self {
        Self(norm)
    }
}

impl Layer for ConcatNorm {
    fn describe(&self) -> String {
        format!("concat, {}", self.0.describe())
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Concat.output(inputs)
    }
    fn params(&self, inputs: &[Shape]) -> Vec<ParamDecl> {
        self.0.params(&[whole(inputs)])
    }
    fn stats(&self, inputs: &[Shape]) -> Vec<StatDecl> {
        self.0.stats(&[whole(inputs)])
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        self.0.flops(&[whole(inputs)])
    }
    fn saves(&self, _: usize) -> Saves {
        // Nothing is added.
        self.0.saves(1)
    }
    fn prepare(&self, inputs: &[Shape], options: &TapeOptions) -> Box<dyn Op> {
        Box::new(NormOp::new(self.0, inputs, false, options))
    }
    fn on_device(
        &self,
        inputs: &[Shape],
        options: &TapeOptions,
        device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        self.0.normalising_on_device(inputs, false, options, device)
    }
}

/// The shape of inputs side by side, which fit.
fn whole(inputs: &[Shape]) -> Shape {
    Shape { c: inputs.iter().map(|shape| shape.c).sum(), ..inputs[0] }
}

struct NormOp {
    norm: BatchNorm,
    /// Whether an input behind those that are normalised is added.
    residual: bool,
    /// Of an image.
    pixels: usize,
    /// Images that share statistics; `None`: all of a batch.
    ghost_batch: Option<usize>,
    /// Of each input that is normalised.
    parts: Vec<Part>,
}

/// Channels that lie in one input.
struct Part {
    /// Of all channels.
    channels: Range<usize>,
    /// Where the output has others too.
    within: Option<Within>,
    /// What the last forward used: of each part of the batch.
    mean: Vec<f32>,
    var: Vec<f32>,
}

impl Part {
    /// `gamma` and `beta` are of all channels.
    fn kernel<'a>(&'a self, norm: &BatchNorm, gamma: &'a [f32], beta: &'a [f32]) -> norm::Norm<'a> {
        norm::Norm {
            mean: &self.mean,
            var: &self.var,
            eps: norm.eps,
            gamma: Some(&gamma[self.channels.clone()]),
            beta: Some(&beta[self.channels.clone()]),
            act: norm.act,
            within: self.within,
        }
    }
}

impl NormOp {
    fn new(norm: BatchNorm, inputs: &[Shape], residual: bool, options: &TapeOptions) -> Self {
        let Shape { h, w, c: width } = whole(inputs);
        let part = |k: usize| {
            let first = inputs[..k].iter().map(|shape| shape.c).sum();
            let within = (inputs.len() > 1).then_some(Within { width, first });
            Part { channels: first..first + inputs[k].c, within, mean: Vec::new(), var: Vec::new() }
        };
        Self {
            norm,
            residual,
            pixels: h * w,
            ghost_batch: ghost_batch(options),
            parts: (0..inputs.len()).map(part).collect(),
        }
    }

    /// The parts of a batch of so many images.
    fn ghosts(&self, images: usize) -> Ghosts {
        match self.ghost_batch {
            Some(each) => Ghosts::of(images, self.pixels, each),
            None => Ghosts::whole(images, self.pixels),
        }
    }

    /// The input that is added.
    fn residual(&self) -> Option<usize> {
        self.residual.then_some(self.parts.len())
    }
}

impl Op for NormOp {
    fn forward(&mut self, mut cx: ForwardCx<'_>) -> anyhow::Result<()> {
        let (ghosts, residual) = (self.ghosts(cx.n), self.residual());
        let (isa, train, measure, again) = (cx.isa, cx.train, cx.measure, cx.again);
        with_element!(cx.dtype, E => {
            let mut y = cx.output::<E>();
            let residual = residual.map(|k| cx.input::<E>(k));
            for (k, part) in self.parts.iter_mut().enumerate() {
                let x = cx.input::<E>(k);
                for statistics in [&mut part.mean, &mut part.var] {
                    statistics.resize(ghosts.count() * part.channels.len(), 0.0);
                }
                let running = cx.stats::<2>().map(|of_all| &mut of_all[part.channels.clone()]);
                match (again, train) {
                    // Those of the first time.
                    (true, _) => {}
                    (false, true) => {
                        ghost::statistics(isa, ghosts, &x, &mut part.mean, &mut part.var);
                        let update = if measure { 1.0 } else { self.norm.update };
                        ghost::update_running(ghosts, update, [&part.mean, &part.var], running);
                    }
                    (false, false) => {
                        let [mean, var] = running;
                        part.mean.copy_from_slice(mean);
                        part.var.copy_from_slice(var);
                    }
                }
                let kernel = part.kernel(&self.norm, cx.param(0), cx.param(1));
                ghost::forward(isa, ghosts, &kernel, &x, residual.as_deref(), &mut y);
            }
        });
        Ok(())
    }

    fn backward(&mut self, mut cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let (gamma, beta, ghosts) = (cx.param(0), cx.param(1), self.ghosts(cx.n));
        let (isa, frozen_scale) = (cx.isa, self.norm.frozen_scale);
        with_element!(cx.dtype, E => {
            let dy = cx.output_grad::<E>();
            let reads_output = self.norm.reads_output(self.residual);
            let y = reads_output.then(|| cx.output::<E>());
            let residual = self.residual().filter(|_| !reads_output).map(|k| cx.input::<E>(k));
            let mut dresidual = self.residual().and_then(|k| cx.input_grad::<E>(k));
            let statistics = if cx.train { norm::Statistics::OfBatch } else { norm::Statistics::Frozen };
            for (k, part) in self.parts.iter().enumerate() {
                let x = cx.input::<E>(k);
                let mut dx = cx.input_grad::<E>(k);
                let frozen = cx.frozen;
                let room = (!frozen).then(|| cx.param_grads::<2>().map(|of_all| &mut of_all[part.channels.clone()]));
                let [dgamma, dbeta] = room.map_or([None, None], |room| room.map(Some));
                ghost::backward(
                    isa,
                    ghosts,
                    &part.kernel(&self.norm, gamma, beta),
                    norm::Saved { x: &x, residual: residual.as_deref(), y: y.as_deref(), statistics },
                    &dy,
                    norm::Grads {
                        dx: dx.as_mut().map(|cell| cell.grad()),
                        dresidual: dresidual.as_mut().map(|cell| cell.grad()),
                        dgamma: dgamma.filter(|_| !frozen_scale).map(Grad::overwrite),
                        dbeta: dbeta.map(Grad::overwrite),
                    },
                );
            }
        });
        Ok(())
    }
}
