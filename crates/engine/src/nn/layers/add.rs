use super::Act;
use crate::kernels::activation;
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::TapeOptions;
use crate::nn::shape::Shape;
use crate::with_element;

/// `act(a)`, or `act(a + b)` where it is given two inputs: a residual sum without a norm, or an activation alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Add {
    act: Act,
}

impl Add {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn act(self, act: Act) -> Self {
        Self { act }
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
    fn saves(&self) -> Saves {
        Saves { inputs: self.act != Act::None, output: false }
    }
    fn prepare(&self, inputs: &[Shape], _: &TapeOptions) -> Box<dyn Op> {
        Box::new(AddOp { act: self.act, two: inputs.len() == 2 })
    }
}

struct AddOp {
    act: Act,
    two: bool,
}

impl Op for AddOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        with_element!(cx.dtype, E => {
            let b = self.two.then(|| cx.input::<E>(1));
            activation::forward(cx.isa, self.act, &cx.input::<E>(0), b.as_deref(), &mut cx.output::<E>());
        });
        Ok(())
    }

    fn backward(&mut self, cx: BackwardCx<'_>) -> anyhow::Result<()> {
        with_element!(cx.dtype, E => {
            let (mut da, mut db) = (cx.input_grad::<E>(0), if self.two { cx.input_grad::<E>(1) } else { None });
            let dy = cx.output_grad::<E>();
            // Without an activation the inputs are not read, and may be gone: the output's gradient stands in for them.
            let saved = self.act != Act::None;
            let a = if saved { cx.input::<E>(0) } else { cx.output_grad::<E>() };
            let b = (saved && self.two).then(|| cx.input::<E>(1));
            activation::backward(
                cx.isa,
                self.act,
                activation::Saved { a: &a, b: b.as_deref() },
                &dy,
                da.as_mut().map(|cell| cell.grad()),
                db.as_mut().map(|cell| cell.grad()),
            );
        });
        Ok(())
    }
}
