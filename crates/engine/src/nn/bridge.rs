//! The candle bridge: any function of candle tensors as a layer, its backward candle's own.
//!
//! For trying an idea without writing a kernel. It allocates on every step and runs on candle's CPU kernels; the shipped
//! layers do not use it. What candle differentiates wrongly (`reference`d in DESIGN.md, "candle") is wrong here too.

use super::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use super::options::TapeOptions;
use super::params::ParamDecl;
use super::shape::Shape;
use crate::kernels::{Element as _, Grad, Write};
use crate::with_element;
use candle_core::{Device, Result, Tensor, Var};
use std::sync::Arc;

type Function = dyn Fn(&[Tensor], &[Tensor]) -> Result<Tensor> + Send + Sync;
type ShapeFunction = dyn Fn(&[Shape]) -> std::result::Result<Shape, String> + Send + Sync;

/// A layer whose forward is a function `f(inputs, params) → output` of candle tensors.
///
/// Inputs and output are `f32` of shape `(n, h, w, c)`; parameters have the shapes they are declared with. The function
/// must be differentiable by candle, and depend on its arguments alone.
#[derive(Clone)]
pub struct Bridge {
    name: String,
    shape: Arc<ShapeFunction>,
    params: Vec<ParamDecl>,
    function: Arc<Function>,
}

impl Bridge {
    /// `shape` infers the output's shape from the inputs'.
    pub fn new(
        name: &str,
        shape: impl Fn(&[Shape]) -> std::result::Result<Shape, String> + Send + Sync + 'static,
        function: impl Fn(&[Tensor], &[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    ) -> Self {
        Self { name: name.to_owned(), shape: Arc::new(shape), params: Vec::new(), function: Arc::new(function) }
    }

    /// With parameters of its own, handed to the function in this order.
    pub fn params(self, params: Vec<ParamDecl>) -> Self {
        Self { params, ..self }
    }
}

impl Layer for Bridge {
    fn describe(&self) -> String {
        format!("candle: {}", self.name)
    }
    fn output(&self, inputs: &[Shape]) -> std::result::Result<Shape, String> {
        (self.shape)(inputs)
    }
    fn params(&self, _inputs: &[Shape]) -> Vec<ParamDecl> {
        self.params.clone()
    }
    fn saves(&self, _: usize) -> Saves {
        // candle's graph holds copies of what its backward needs.
        Saves::default()
    }
    fn prepare(&self, inputs: &[Shape], _: &TapeOptions) -> Box<dyn Op> {
        Box::new(BridgeOp { bridge: self.clone(), shapes: inputs.to_vec(), graph: None })
    }
}

struct BridgeOp {
    bridge: Bridge,
    shapes: Vec<Shape>,
    /// Of the last forward: leaves (inputs, then parameters) and output.
    graph: Option<(Vec<Var>, Tensor)>,
}

impl BridgeOp {
    /// Writes what the function gave.
    fn give(&self, cx: &ForwardCx<'_>, output: &Tensor) -> anyhow::Result<()> {
        let data = output.flatten_all()?.to_vec1::<f32>()?;
        with_element!(cx.dtype, E => {
            let mut to = cx.output::<E>();
            anyhow::ensure!(
                to.len() == data.len(),
                "candle function `{}` gave {:?}, not the declared shape",
                self.bridge.name,
                output.shape()
            );
            for (to, from) in to.iter_mut().zip(&data) {
                *to = E::from_f32(*from);
            }
        });
        Ok(())
    }
}

impl Op for BridgeOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        if let (true, Some((_, output))) = (cx.again, &self.graph) {
            return self.give(&cx, output);
        }
        let mut leaves = Vec::new();
        for (k, shape) in self.shapes.iter().enumerate() {
            let data: Vec<f32> = with_element!(cx.dtype, E => cx.input::<E>(k).iter().map(|x| x.to_f32()).collect());
            leaves.push(Var::from_vec(data, (cx.n, shape.h, shape.w, shape.c), &Device::Cpu)?);
        }
        for (k, decl) in self.bridge.params.iter().enumerate() {
            leaves.push(Var::from_vec(cx.param(k).to_vec(), decl.shape.as_slice(), &Device::Cpu)?);
        }
        let tensors: Vec<Tensor> = leaves.iter().map(|leaf| leaf.as_tensor().clone()).collect();
        let (inputs, params) = tensors.split_at(self.shapes.len());
        let output = (self.bridge.function)(inputs, params)?;
        self.give(&cx, &output)?;
        self.graph = Some((leaves, output));
        Ok(())
    }

    fn backward(&mut self, mut cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let (leaves, output) = self.graph.take().expect("backward follows a forward");
        let dy: Vec<f32> = with_element!(cx.dtype, E => cx.output_grad::<E>().iter().map(|x| x.to_f32()).collect());
        // The gradient of Σ y·dy is the vector–Jacobian product.
        let dy = Tensor::from_vec(dy, output.shape(), &Device::Cpu)?;
        let grads = (output * dy)?.sum_all()?.backward()?;
        let (inputs, params) = leaves.split_at(self.shapes.len());
        for (k, leaf) in inputs.iter().enumerate() {
            let grad = match grads.get(leaf) {
                Some(grad) => grad.flatten_all()?.to_vec1::<f32>()?,
                None => vec![0.0; leaf.elem_count()],
            };
            with_element!(cx.dtype, E => {
                if let Some(mut cell) = cx.input_grad::<E>(k) {
                    let Grad { to, write } = cell.grad();
                    for (to, from) in to.iter_mut().zip(&grad) {
                        *to = E::from_f32(if write == Write::Add { to.to_f32() + from } else { *from });
                    }
                }
            });
        }
        let wanted = if cx.frozen { &[] } else { params };
        for (k, leaf) in wanted.iter().enumerate() {
            let to = cx.param_grad(k);
            match grads.get(leaf) {
                Some(grad) => to.copy_from_slice(&grad.flatten_all()?.to_vec1::<f32>()?),
                None => to.fill(0.0),
            }
        }
        Ok(())
    }
}
