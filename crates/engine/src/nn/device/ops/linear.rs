use super::super::{DeviceCx, DeviceOp};
use runner_gpu::ops::matmul::{self, Product};
use runner_gpu::ops::{GradTo, cast, columns};
use runner_gpu::{Buffer, DType, Device, Error, View};

/// [`Linear`](crate::nn::layers::Linear) on a device.
pub struct LinearOp {
    inputs: usize,
    outputs: usize,
    scale: f32,
    bias: bool,
    /// Images at most.
    max_batch: usize,
    /// The matrix in the activations' type; of no length where that is the parameters'.
    weight: Buffer,
    /// Of the parameters that it was rounded from.
    version: Option<u64>,
}

impl LinearOp {
    /// # Errors
    /// When the device's memory is too small.
    pub fn new(
        device: &Device,
        dtype: DType,
        [inputs, outputs]: [usize; 2],
        (scale, bias): (f32, bool),
        max_batch: usize,
    ) -> Result<Self, Error> {
        let rounded = if dtype == DType::F32 { 0 } else { inputs * outputs };
        let weight = device.allocate(dtype, rounded)?;
        Ok(Self { inputs, outputs, scale, bias, max_batch, weight, version: None })
    }

    /// The matrix `(outputs, inputs)` of the parameters as they are.
    fn weight<'a>(&'a mut self, cx: &DeviceCx<'a>) -> Result<View<'a>, Error> {
        if cx.dtype == crate::kernels::DType::F32 {
            return Ok(cx.param(0));
        }
        if self.version != Some(cx.version) {
            cast::cast(cx.device, cx.param(0), self.weight.view())?;
            self.version = Some(cx.version);
        }
        Ok(self.weight.view())
    }
}

impl DeviceOp for LinearOp {
    fn scratch_bytes(&self) -> usize {
        if self.bias { columns::scratch_len(self.max_batch, self.outputs) * DType::F32.size() } else { 0 }
    }

    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let Self { inputs, outputs, scale, bias, .. } = *self;
        let product = Product {
            rows: cx.n,
            cols: outputs,
            inner: inputs,
            count: 1,
            a: cx.input(0),
            a_transposed: false,
            b: self.weight(cx)?,
            b_transposed: true,
            c: cx.output(),
            scale,
            add: false,
            strict: false,
        };
        matmul::run(cx.device, &product)?;
        if bias {
            columns::bias_add(cx.device, cx.param(1), cx.output())?;
        }
        Ok(())
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        let Self { inputs, outputs, scale, bias, .. } = *self;
        let dy = cx.output_grad();
        if !cx.frozen {
            let product = Product {
                rows: outputs,
                cols: inputs,
                inner: cx.n,
                count: 1,
                a: dy,
                a_transposed: true,
                b: cx.input(0),
                b_transposed: false,
                c: cx.param_grad(0),
                scale,
                add: false,
                strict: false,
            };
            matmul::run(cx.device, &product)?;
            if bias {
                let scratch = cx.scratch(columns::scratch_len(cx.n, outputs));
                columns::bias_gradient(cx.device, outputs, dy, cx.param_grad(1), scratch)?;
            }
        }
        if let Some(GradTo { to, add }) = cx.input_grad(0) {
            let product = Product {
                rows: cx.n,
                cols: inputs,
                inner: outputs,
                count: 1,
                a: dy,
                a_transposed: false,
                b: self.weight(cx)?,
                b_transposed: false,
                c: to,
                scale,
                add,
                strict: false,
            };
            matmul::run(cx.device, &product)?;
        }
        Ok(())
    }
}
