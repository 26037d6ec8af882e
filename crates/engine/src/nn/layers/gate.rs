use crate::kernels::gate;
use crate::nn::device::{DeviceOp, ops};
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::TapeOptions;
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;

/// `x·σ(g)`: the channels of the first input, each let through as much as the second, of a single pixel, says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gate;

impl Layer for Gate {
    fn describe(&self) -> String {
        "gate".to_owned()
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        match inputs {
            [x, g] if *g == Shape::new(1, 1, x.c) && !x.is_empty() => Ok(*x),
            [x, g] => Err(format!("takes 1×1×{} gates for {x}, not {g}", x.c)),
            _ => Err(format!("takes a value and its gates, not {} inputs", inputs.len())),
        }
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        inputs[0].len() as u64
    }
    fn saves(&self, _: usize) -> Saves {
        Saves { inputs: true, output: false }
    }
    fn prepare(&self, inputs: &[Shape], _: &TapeOptions) -> Box<dyn Op> {
        Box::new(GateOp { c: inputs[0].c })
    }
    fn on_device(&self, inputs: &[Shape], _: &TapeOptions, _: &Device) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        Ok(Some(Box::new(ops::GateOp { c: inputs[0].c })))
    }
}

struct GateOp {
    c: usize,
}

impl Op for GateOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        with_element!(cx.dtype, E => {
            gate::forward(cx.isa, self.c, &cx.input::<E>(0), &cx.input::<E>(1), &mut cx.output::<E>());
        });
        Ok(())
    }

    fn backward(&mut self, cx: BackwardCx<'_>) -> anyhow::Result<()> {
        with_element!(cx.dtype, E => {
            let (mut dx, mut dg) = (cx.input_grad::<E>(0), cx.input_grad::<E>(1));
            let inputs = [&*cx.input::<E>(0), &*cx.input::<E>(1)];
            let [dx, dg] = [&mut dx, &mut dg].map(|cell| cell.as_mut().map(|cell| cell.grad()));
            gate::backward(cx.isa, self.c, inputs, &cx.output_grad::<E>(), dx, dg);
        });
        Ok(())
    }
}
