use super::Act;
use crate::kernels::norm::ghost::{self, Ghosts};
use crate::kernels::{Grad, norm};
use crate::nn::init::Init;
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::{Mode, TapeOptions};
use crate::nn::params::{ParamDecl, Role, StatDecl};
use crate::nn::shape::Shape;
use crate::with_element;

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
    fn saves(&self) -> Saves {
        // A relu reads its sign off the output; a residual that it was added to is then not read.
        Saves { inputs: true, output: self.act == Act::Relu }
    }
    fn prepare(&self, inputs: &[Shape], options: &TapeOptions) -> Box<dyn Op> {
        Box::new(NormOp {
            norm: *self,
            residual: inputs.len() == 2,
            pixels: inputs[0].h * inputs[0].w,
            c: inputs[0].c,
            ghost_batch: options.ghost_batch.filter(|_| options.mode == Mode::Train),
            mean: Vec::new(),
            var: Vec::new(),
        })
    }
}

struct NormOp {
    norm: BatchNorm,
    residual: bool,
    /// Of an image.
    pixels: usize,
    c: usize,
    /// Images that share statistics; `None`: all of a batch.
    ghost_batch: Option<usize>,
    /// What the last forward used: of each part of the batch.
    mean: Vec<f32>,
    var: Vec<f32>,
}

impl NormOp {
    /// The parts of a batch of so many images.
    fn ghosts(&self, images: usize) -> Ghosts {
        match self.ghost_batch {
            Some(each) => Ghosts::of(images, self.pixels, each),
            None => Ghosts::whole(images, self.pixels),
        }
    }

    fn kernel<'a>(&'a self, gamma: &'a [f32], beta: &'a [f32]) -> norm::Norm<'a> {
        norm::Norm {
            mean: &self.mean,
            var: &self.var,
            eps: self.norm.eps,
            gamma: Some(gamma),
            beta: Some(beta),
            act: self.norm.act,
        }
    }
}

impl Op for NormOp {
    fn forward(&mut self, mut cx: ForwardCx<'_>) -> anyhow::Result<()> {
        let ghosts = self.ghosts(cx.n);
        for statistics in [&mut self.mean, &mut self.var] {
            statistics.resize(ghosts.count() * self.c, 0.0);
        }
        with_element!(cx.dtype, E => {
            let x = cx.input::<E>(0);
            if cx.train {
                ghost::statistics(cx.isa, ghosts, &x, &mut self.mean, &mut self.var);
                let update = if cx.measure { 1.0 } else { self.norm.update };
                let running = cx.stats::<2>();
                ghost::update_running(ghosts, update, [&self.mean, &self.var], running);
            } else {
                let [mean, var] = cx.stats::<2>();
                self.mean.copy_from_slice(mean);
                self.var.copy_from_slice(var);
            }
            let residual = self.residual.then(|| cx.input::<E>(1));
            let kernel = self.kernel(cx.param(0), cx.param(1));
            ghost::forward(cx.isa, ghosts, &kernel, &x, residual.as_deref(), &mut cx.output::<E>());
        });
        Ok(())
    }

    fn backward(&mut self, mut cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let (gamma, beta, ghosts) = (cx.param(0), cx.param(1), self.ghosts(cx.n));
        with_element!(cx.dtype, E => {
            let x = cx.input::<E>(0);
            let dy = cx.output_grad::<E>();
            let (mut dx, mut dresidual) =
                (cx.input_grad::<E>(0), if self.residual { cx.input_grad::<E>(1) } else { None });
            let relu = self.norm.act == Act::Relu;
            let y = relu.then(|| cx.output::<E>());
            let residual = (self.residual && !relu).then(|| cx.input::<E>(1));
            let statistics = if cx.train { norm::Statistics::OfBatch } else { norm::Statistics::Frozen };
            let (isa, frozen_scale) = (cx.isa, self.norm.frozen_scale);
            let [dgamma, dbeta] = cx.param_grads::<2>();
            ghost::backward(
                isa,
                ghosts,
                &self.kernel(gamma, beta),
                norm::Saved { x: &x, residual: residual.as_deref(), y: y.as_deref(), statistics },
                &dy,
                norm::Grads {
                    dx: dx.as_mut().map(|cell| cell.grad()),
                    dresidual: dresidual.as_mut().map(|cell| cell.grad()),
                    dgamma: (!frozen_scale).then(|| Grad::overwrite(dgamma)),
                    dbeta: Some(Grad::overwrite(dbeta)),
                },
            );
        });
        Ok(())
    }
}
