use super::super::{DeviceCx, DeviceOp};
use runner_gpu::ops::{Act, add};

/// [`Add`](crate::nn::layers::Add) on a device.
pub struct AddOp {
    pub act: Act,
    /// Of the second input.
    pub scale: f32,
    pub two: bool,
    /// Whether backward reads the output in place of the inputs.
    pub reads_output: bool,
}

impl DeviceOp for AddOp {
    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let b = self.two.then(|| (cx.input(1), self.scale));
        Ok(add::forward(cx.device, self.act, cx.input(0), b, cx.output())?)
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let saved = match (self.act, self.reads_output) {
            // The inputs may be gone.
            (Act::None, _) => add::Saved { a: None, b: None },
            (_, true) => add::Saved { a: Some(cx.output()), b: None },
            (_, false) => add::Saved { a: Some(cx.input(0)), b: self.two.then(|| cx.input(1)) },
        };
        let db = if self.two { cx.input_grad(1) } else { None };
        Ok(add::backward(cx.device, (self.act, self.scale), saved, cx.output_grad(), cx.input_grad(0), db)?)
    }
}
