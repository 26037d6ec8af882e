use crate::kernels::concat;
use crate::nn::device::{DeviceOp, ops};
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::TapeOptions;
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;

/// Its inputs side by side: the channels of the first, then those of the second, and so on, at every pixel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Concat;

impl Layer for Concat {
    fn describe(&self) -> String {
        "concat".to_owned()
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let [first, rest @ ..] = inputs else { return Err("takes one input or more, not none".to_owned()) };
        match rest.iter().find(|shape| (shape.h, shape.w) != (first.h, first.w)) {
            Some(other) => Err(format!("cannot put {other} beside {first}")),
            None => Ok(Shape { c: inputs.iter().map(|shape| shape.c).sum(), ..*first }),
        }
    }
    fn saves(&self, _: usize) -> Saves {
        Saves::default()
    }
    fn prepare(&self, inputs: &[Shape], _: &TapeOptions) -> Box<dyn Op> {
        Box::new(ConcatOp { channels: inputs.iter().map(|shape| shape.c).collect() })
    }
    fn on_device(&self, inputs: &[Shape], _: &TapeOptions, _: &Device) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        let channels = inputs.iter().map(|shape| shape.c).collect();
        Ok(Some(Box::new(ops::ConcatOp { channels })))
    }
}

struct ConcatOp {
    channels: Vec<usize>,
}

impl Op for ConcatOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        with_element!(cx.dtype, E => {
            let inputs: Vec<_> = (0..self.channels.len()).map(|k| cx.input::<E>(k)).collect();
            let parts: Vec<(&[E], usize)> = inputs.iter().map(|x| &x[..]).zip(self.channels.iter().copied()).collect();
            concat::forward(&parts, &mut cx.output::<E>());
        });
        Ok(())
    }

    fn backward(&mut self, cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let c = self.channels.iter().sum();
        with_element!(cx.dtype, E => {
            let dy = cx.output_grad::<E>();
            let mut first = 0;
            for (k, channels) in self.channels.iter().enumerate() {
                if let Some(mut dx) = cx.input_grad::<E>(k) {
                    concat::backward(&dy, c, first, *channels, dx.grad());
                }
                first += channels;
            }
        });
        Ok(())
    }
}
