use super::super::{DeviceCx, DeviceOp};
use runner_gpu::ops::concat;

/// [`Concat`](crate::nn::layers::Concat) on a device.
pub struct ConcatOp {
    /// Of each input.
    pub channels: Vec<usize>,
}

impl DeviceOp for ConcatOp {
    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let parts: Vec<_> = self.channels.iter().enumerate().map(|(k, channels)| (cx.input(k), *channels)).collect();
        Ok(concat::forward(cx.device, &parts, cx.output())?)
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let (width, mut first) = (self.channels.iter().sum(), 0);
        for (k, channels) in self.channels.iter().enumerate() {
            if let Some(dx) = cx.input_grad(k) {
                concat::backward(cx.device, cx.output_grad(), width, first, *channels, dx)?;
            }
            first += channels;
        }
        Ok(())
    }
}
