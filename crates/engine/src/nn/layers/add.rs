use super::Act;
use crate::kernels::activation;
use crate::nn::device::{DeviceOp, ops};
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::TapeOptions;
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;

/// `act(a)`, or `act(a + s·b)` where it is given two inputs: a residual sum without a norm, or an activation alone.
#[derive(Clone, Copy, Debug)]
pub struct Add {
    act: Act,
    scale: f32,
}

impl Default for Add {
    fn default() -> Self {
        Self { act: Act::None, scale: 1.0 }
    }
}

impl Add {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn act(self, act: Act) -> Self {
        Self { act, ..self }
    }
    /// The factor s of the second input: 1 unless said otherwise.
    pub fn scale(self, scale: f32) -> Self {
        Self { scale, ..self }
    }
}

impl Add {
    /// Whether backward reads the output, from which relu's sign shows, in place of the inputs.
    fn reads_output(&self) -> bool {
        self.act == Act::Relu && self.scale == 1.0
    }
}

impl Layer for Add {
    fn describe(&self) -> String {
        match self.act {
            Act::None => "add".to_owned(),
            act => act.name().to_owned(),
        }
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [a] => Ok(*a),
            [a, b] if a == b => Ok(*a),
            [a, b] => Err(format!("cannot add {a} and {b}")),
            _ => Err(format!("takes one or two inputs, not {}", inputs.len())),
        }
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        inputs.iter().map(|shape| shape.len() as u64).sum()
    }
    fn saves(&self, _: usize) -> Saves {
        let output = self.reads_output();
        Saves { inputs: self.act != Act::None && !output, output }
    }
    fn passes_gradient(&self, input: usize) -> bool {
        self.act == Act::None && (input == 0 || self.scale == 1.0)
    }
    fn prepare(&self, inputs: &[Shape], _: &TapeOptions) -> Box<dyn Op> {
        Box::new(AddOp { add: *self, two: inputs.len() == 2 })
    }
    fn on_device(&self, inputs: &[Shape], _: &TapeOptions, _: &Device) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        let (act, two) = (self.act.into(), inputs.len() == 2);
        Ok(Some(Box::new(ops::AddOp { act, scale: self.scale, two, reads_output: self.reads_output() })))
    }
}

struct AddOp {
    add: Add,
    two: bool,
}

impl Op for AddOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        with_element!(cx.dtype, E => {
            let b = self.two.then(|| cx.input::<E>(1));
            let b = b.as_deref().map(|b| (b, self.add.scale));
            activation::forward(cx.isa, self.add.act, &cx.input::<E>(0), b, &mut cx.output::<E>());
        });
        Ok(())
    }

    fn backward(&mut self, cx: BackwardCx<'_>) -> anyhow::Result<()> {
        with_element!(cx.dtype, E => {
            let (mut da, mut db) = (cx.input_grad::<E>(0), if self.two { cx.input_grad::<E>(1) } else { None });
            let dy = cx.output_grad::<E>();
            if self.add.reads_output() {
                let y = cx.output::<E>();
                let saved = activation::Saved { a: &y, b: None };
                let (da, db) = (da.as_mut().map(|cell| cell.grad()), db.as_mut().map(|cell| cell.grad()));
                activation::backward(cx.isa, self.add.act, saved, &dy, da, db);
                return Ok(());
            }
            // Without an activation the inputs are not read, and may be gone: the output's gradient stands in for them.
            let saved = self.add.act != Act::None;
            let a = if saved { cx.input::<E>(0) } else { cx.output_grad::<E>() };
            let b = self.two.then(|| if saved { cx.input::<E>(1) } else { cx.output_grad::<E>() });
            activation::backward(
                cx.isa,
                self.add.act,
                activation::Saved { a: &a, b: b.as_deref().map(|b| (b, self.add.scale)) },
                &dy,
                da.as_mut().map(|cell| cell.grad()),
                db.as_mut().map(|cell| cell.grad()),
            );
        });
        Ok(())
    }
}
