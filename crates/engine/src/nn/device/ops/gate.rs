use super::super::{DeviceCx, DeviceOp};
use runner_gpu::ops::gate;

/// [`Gate`](crate::nn::layers::Gate) on a device.
pub struct GateOp {
    pub c: usize,
}

impl DeviceOp for GateOp {
    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        Ok(gate::forward(cx.device, self.c, cx.input(0), cx.input(1), cx.output())?)
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let inputs = [cx.input(0), cx.input(1)];
        Ok(gate::backward(cx.device, self.c, inputs, cx.output_grad(), cx.input_grad(0), cx.input_grad(1))?)
    }
}
