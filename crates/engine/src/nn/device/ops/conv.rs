use super::super::{DeviceCx, DeviceOp};
use runner_gpu::ops::conv::{self, Convolution, Direction, Shape};
use runner_gpu::ops::{GradTo, columns};
use runner_gpu::{Buffer, DType, Device, Error, View};

/// [`Conv`](crate::nn::layers::Conv) on a device.
pub struct ConvOp {
    /// Of the largest batch.
    shape: Shape,
    bias: bool,
    /// Whether the filters have no gradient.
    frozen: bool,
    /// The filters as convolutions take them, in the activations' type.
    filters: Buffer,
    /// Of the parameters that they were packed from.
    version: Option<u64>,
}

impl ConvOp {
    /// For a largest batch of `shape.images`.
    ///
    /// # Errors
    /// When the device's memory is too small.
    pub fn new(device: &Device, dtype: DType, shape: Shape, bias: bool, frozen: bool) -> Result<Self, Error> {
        Ok(Self { filters: device.allocate(dtype, shape.w_len())?, shape, bias, frozen, version: None })
    }

    /// The shape for the images of a batch.
    fn of(&self, cx: &DeviceCx<'_>) -> Shape {
        Shape { images: cx.n, ..self.shape }
    }

    /// The filters of the parameters as they are.
    fn pack(&mut self, cx: &DeviceCx<'_>) -> Result<(), Error> {
        if self.version != Some(cx.version) {
            conv::pack_filters(cx.device, &self.shape, cx.param(0), self.filters.view())?;
            self.version = Some(cx.version);
        }
        Ok(())
    }

    fn run<'a>(
        &'a self,
        cx: &DeviceCx<'a>,
        direction: Direction,
        (x, w, y): (View<'a>, View<'a>, View<'a>),
        add: bool,
    ) -> Result<(), Error> {
        let call = Convolution { dtype: cx.dtype.into(), shape: self.of(cx), x, w, y, add };
        conv::run(cx.device, direction, &call)
    }
}

impl DeviceOp for ConvOp {
    fn scratch_bytes(&self) -> usize {
        let rows = self.shape.images * self.shape.output[0] * self.shape.output[1];
        let sums = if self.bias { columns::scratch_len(rows, self.shape.cout) * DType::F32.size() } else { 0 };
        sums.max(self.filters.bytes())
    }

    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        self.pack(cx)?;
        self.run(cx, Direction::Forward, (cx.input(0), self.filters.view(), cx.output()), false)?;
        if self.bias {
            columns::bias_add(cx.device, cx.param(1), cx.output())?;
        }
        Ok(())
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        self.pack(cx)?;
        let (shape, dy) = (self.of(cx), cx.output_grad());
        if !self.frozen {
            let gradient = cx.scratch_elements(shape.w_len());
            self.run(cx, Direction::BackwardWeight, (cx.input(0), gradient, dy), false)?;
            conv::unpack_gradient(cx.device, &shape, gradient, cx.param_grad(0))?;
        }
        if self.bias && !cx.frozen {
            let rows = shape.images * shape.output[0] * shape.output[1];
            let scratch = cx.scratch(columns::scratch_len(rows, shape.cout));
            columns::bias_gradient(cx.device, shape.cout, dy, cx.param_grad(1), scratch)?;
        }
        if let Some(GradTo { to, add }) = cx.input_grad(0) {
            self.run(cx, Direction::BackwardData, (to, self.filters.view(), dy), add)?;
        }
        Ok(())
    }
}
