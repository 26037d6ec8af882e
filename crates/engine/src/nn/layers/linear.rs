use super::single;
use crate::kernels::{Grad, linear};
use crate::nn::device::{DeviceOp, ops};
use crate::nn::init::Init;
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
use crate::nn::options::TapeOptions;
use crate::nn::params::{ParamDecl, Role};
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;

/// A linear layer on all of an image's values, `y = scale·x·Wᵀ + b`.
///
/// Parameters `weight` (`OI`) and, unless left out, `bias`; both start as PyTorch's, uniform in ±1/√fan_in, the weights on
/// request scaled to a standard deviation. Where the input has more than one pixel its values are taken channels-last, `(h, w, c)`.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    outputs: usize,
    scale: f32,
    bias: bool,
    std: Option<f64>,
}

impl Linear {
    pub fn new(outputs: usize) -> Self {
        Self { outputs, scale: 1.0, bias: true, std: None }
    }
    /// A fixed factor on the product.
    pub fn scale(self, scale: f32) -> Self {
        Self { scale, ..self }
    }
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }
    /// The standard deviation that the weights start with.
    pub fn std(self, std: Option<f64>) -> Self {
        Self { std, ..self }
    }
}

impl Layer for Linear {
    fn describe(&self) -> String {
        if self.scale == 1.0 { "linear".to_owned() } else { format!("linear × {}", self.scale) }
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        single(inputs)?;
        Ok(Shape::new(1, 1, self.outputs))
    }
    fn params(&self, inputs: &[Shape]) -> Vec<ParamDecl> {
        let fan_in = inputs[0].len();
        let init = Init::Uniform { bound: 1.0 / (fan_in as f64).sqrt() };
        let decl =
            |name: &str, role, shape, init| ParamDecl { name: name.to_owned(), role, shape, init, frozen: false };
        let start = self.std.map_or(init, |std| Init::Scaled { std });
        let mut params = vec![decl("weight", Role::Linear, vec![self.outputs, fan_in], start)];
        if self.bias {
            params.push(decl("bias", Role::Bias, vec![self.outputs], init));
        }
        params
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        2 * (inputs[0].len() * self.outputs) as u64
    }
    fn saves(&self, _: usize) -> Saves {
        Saves { inputs: true, output: false }
    }
    fn saves_frozen(&self, _: usize) -> Saves {
        Saves::default()
    }
    fn prepare(&self, inputs: &[Shape], _: &TapeOptions) -> Box<dyn Op> {
        Box::new(LinearOp { linear: *self, inputs: inputs[0].len() })
    }
    fn on_device(
        &self,
        inputs: &[Shape],
        options: &TapeOptions,
        device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        let Self { outputs, scale, bias, .. } = *self;
        let sides = [inputs[0].len(), outputs];
        let op = ops::LinearOp::new(device, options.dtype.into(), sides, (scale, bias), options.max_batch)?;
        Ok(Some(Box::new(op)))
    }
}

struct LinearOp {
    linear: Linear,
    inputs: usize,
}

impl LinearOp {
    fn kernel<'a>(&self, weight: &'a [f32], bias: Option<&'a [f32]>) -> linear::Linear<'a> {
        linear::Linear { weight, bias, inputs: self.inputs, outputs: self.linear.outputs, scale: self.linear.scale }
    }
}

impl Op for LinearOp {
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        let kernel = self.kernel(cx.param(0), self.linear.bias.then(|| cx.param(1)));
        with_element!(cx.dtype, E => {
            linear::forward(cx.isa, &kernel, &cx.input::<E>(0), &mut cx.output::<E>());
        });
        Ok(())
    }

    fn backward(&mut self, mut cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let kernel = self.kernel(cx.param(0), None);
        let isa = cx.isa;
        with_element!(cx.dtype, E => {
            let dy = cx.output_grad::<E>();
            let mut dx = cx.input_grad::<E>(0);
            if cx.frozen {
                let (dx, none) = (dx.as_mut().map(|cell| cell.grad()), linear::Grads { dx: None, dweight: None, dbias: None });
                linear::backward(isa, &kernel, &[], &dy, linear::Grads { dx, ..none });
                return Ok(());
            }
            let x = cx.input::<E>(0);
            let (dweight, dbias) = if self.linear.bias {
                let [dweight, dbias] = cx.param_grads::<2>();
                (dweight, Some(dbias))
            } else {
                let [dweight] = cx.param_grads::<1>();
                (dweight, None)
            };
            let grads = linear::Grads {
                dx: dx.as_mut().map(|cell| cell.grad()),
                dweight: Some(Grad::overwrite(dweight)),
                dbias: dbias.map(Grad::overwrite),
            };
            linear::backward(isa, &kernel, &x, &dy, grads);
        });
        Ok(())
    }
}
