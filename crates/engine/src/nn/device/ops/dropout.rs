use super::super::{DeviceCx, DeviceOp};
use runner_gpu::ops::dropout::{self, Stream};
use runner_gpu::{Buffer, DType, Device, Error, View};

/// [`Dropout`](crate::nn::layers::Dropout) on a device: it drops what the host would.
pub struct DropoutOp {
    /// 0 where nothing is dropped.
    p: f64,
    /// Of an image.
    draws: usize,
    /// Of the last forward.
    kept: Buffer,
}

impl DropoutOp {
    /// # Errors
    /// When the device's memory is too small.
    pub fn new(device: &Device, p: f64, draws: usize, max_batch: usize) -> Result<Self, Error> {
        Ok(Self { p, draws, kept: device.allocate(DType::U8, draws * max_batch)? })
    }

    fn kept(&self, cx: &DeviceCx<'_>) -> View<'_> {
        self.kept.first(DType::U8, cx.n * self.draws)
    }
}

impl DeviceOp for DropoutOp {
    /// Each step has a stream of its own, whose key a launch is given.
    fn repeats(&self) -> bool {
        self.p == 0.0
    }

    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        if !cx.again {
            let (rng, first) = (cx.stream(), cx.noise.first * self.draws as u64);
            let stream = Stream { nonce: rng.get_stream(), ..Stream::from_seed(rng.get_seed()) };
            dropout::draw(cx.device, stream, first, self.p, self.kept(cx))?;
        }
        Ok(dropout::forward(cx.device, self.p, self.kept(cx), cx.input(0), cx.output())?)
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        if let Some(dx) = cx.input_grad(0) {
            dropout::backward(cx.device, self.p, self.kept(cx), cx.output_grad(), dx)?;
        }
        Ok(())
    }
}
