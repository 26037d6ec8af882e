use super::super::{DeviceCx, DeviceOp};
use crate::kernels::pool::average::Average;
use crate::nn::layers::Pool;
use crate::nn::shape::Shape;
use runner_gpu::ops::pool::average::AveragePlan;
use runner_gpu::ops::pool::{Window, global, max};
use runner_gpu::{Buffer, DType, Device, Error, View};

/// [`Pool`] on a device.
pub struct PoolOp {
    kind: Kind,
    input: Shape,
    /// Of an output image.
    outputs: usize,
}

/// What is pooled, with what backward needs of forward.
enum Kind {
    /// Of each window the tap of its maximum, in bytes.
    Max(Window, Buffer),
    Average(AveragePlan),
    /// Of each channel the pixel of its maximum, in words.
    GlobalMax(Buffer),
    GlobalAverage,
}

impl PoolOp {
    /// # Errors
    /// When the device's memory is too small.
    ///
    /// # Panics
    /// When the pool does not fit its input.
    pub fn new(device: &Device, pool: Pool, input: Shape, output: Shape, max_batch: usize) -> Result<Self, Error> {
        let outputs = output.len();
        let kind = match pool {
            Pool::Max(crate::kernels::pool::Window { kernel, stride, padding }) => {
                Kind::Max(Window { kernel, stride, padding }, device.allocate(DType::U8, outputs * max_batch)?)
            }
            Pool::Average(average) => Kind::Average(plan(device, average, input, output)?),
            Pool::GlobalMax => Kind::GlobalMax(device.allocate(DType::U32, outputs * max_batch)?),
            Pool::GlobalAverage => Kind::GlobalAverage,
        };
        Ok(Self { kind, input, outputs })
    }

    fn shape(&self, cx: &DeviceCx<'_>) -> [usize; 4] {
        [cx.n, self.input.h, self.input.w, self.input.c]
    }

    /// The maxima of a batch.
    fn maxima<'a>(&self, cx: &DeviceCx<'_>, of: &'a Buffer, dtype: DType) -> View<'a> {
        of.first(dtype, cx.n * self.outputs)
    }
}

/// A mean's taps along both axes.
fn plan(device: &Device, average: Average, input: Shape, output: Shape) -> Result<AveragePlan, Error> {
    let taps = |axis: usize, outputs: usize, size: usize| -> Vec<Vec<(usize, f32)>> {
        (0..outputs).map(|out| average.taps(axis, out, size)).collect()
    };
    let (rows, columns) = (taps(0, output.h, input.h), taps(1, output.w, input.w));
    AveragePlan::new(device, [input.h, input.w], [&rows, &columns])
}

impl DeviceOp for PoolOp {
    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let (device, shape, x, y) = (cx.device, self.shape(cx), cx.input(0), cx.output());
        match &self.kind {
            Kind::Max(window, taps) => max::forward(device, *window, shape, x, y, self.maxima(cx, taps, DType::U8))?,
            Kind::Average(plan) => plan.forward(device, self.input.c, x, y)?,
            Kind::GlobalMax(places) => global::max(device, shape, x, y, self.maxima(cx, places, DType::U32))?,
            Kind::GlobalAverage => global::average(device, shape, x, y)?,
        }
        Ok(())
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let Some(dx) = cx.input_grad(0) else { return Ok(()) };
        let (device, shape, dy) = (cx.device, self.shape(cx), cx.output_grad());
        match &self.kind {
            Kind::Max(window, taps) => max::backward(device, *window, shape, self.maxima(cx, taps, DType::U8), dy, dx)?,
            Kind::Average(plan) => plan.backward(device, self.input.c, dy, dx)?,
            Kind::GlobalMax(places) => {
                global::max_backward(device, shape, self.maxima(cx, places, DType::U32), dy, dx)?
            }
            Kind::GlobalAverage => global::average_backward(device, shape, dy, dx)?,
        }
        Ok(())
    }
}
