use super::{single, window};
use crate::kernels::conv::{Conv2d, ConvPlan};
use crate::kernels::{Buffer, DType, Grad, Products, Write, columns};
use crate::nn::device::{DeviceOp, ops};
use crate::nn::init::Init;
use crate::nn::layer::{BackwardCx, ForwardCx, Layer, Op, Reach, Saves};
use crate::nn::options::{Mode, TapeOptions};
use crate::nn::params::{ParamDecl, Role};
use crate::nn::shape::Shape;
use crate::with_element;
use runner_gpu::Device;

/// Floats of a cache line.
const CACHE_LINE: usize = 16;

/// A convolution, any kernel, stride, padding and dilation per axis, with groups.
///
/// Parameters `weight` (`OIHW`) and, when asked for, `bias`; both start as PyTorch's, uniform in ±1/√fan_in, unless the
/// filters are to start otherwise. Filters that whiten are frozen; their bias is trained.
#[derive(Clone, Copy, Debug)]
pub struct Conv {
    width: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
    bias: bool,
    filters: Filters,
}

/// How the filters of a convolution start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Filters {
    /// As PyTorch's: uniform in ±1/√fan_in.
    #[default]
    Uniform,
    /// Normal with deviation √(2/fan_in): He et al. 2015, for values on the way forward.
    NormalIn,
    /// Normal with deviation √(2/fan_out): the same for gradients, on the way back.
    NormalOut,
    /// The first ones hand on one channel each, see [`Init::Dirac`].
    Dirac,
    /// They whiten the patches of training images, see [`crate::nn::whitening`], and stay as they are.
    Whitening { eps: f64, images: usize },
}

impl Conv {
    /// `width` output channels, a square kernel, stride 1, no padding, no bias.
    pub fn new(width: usize, kernel: usize) -> Self {
        Self::rect(width, [kernel; 2])
    }
    /// With a kernel of `[height, width]`.
    pub fn rect(width: usize, kernel: [usize; 2]) -> Self {
        Self {
            width,
            kernel,
            stride: [1; 2],
            padding: [0; 2],
            dilation: [1; 2],
            groups: 1,
            bias: false,
            filters: Filters::Uniform,
        }
    }
    pub fn stride(self, stride: usize) -> Self {
        Self { stride: [stride; 2], ..self }
    }
    /// A stride of `[rows, columns]`.
    pub fn stride_rect(self, stride: [usize; 2]) -> Self {
        Self { stride, ..self }
    }
    pub fn padding(self, padding: usize) -> Self {
        Self { padding: [padding; 2], ..self }
    }
    /// Padding of `[rows, columns]`, on both sides of each axis.
    pub fn padding_rect(self, padding: [usize; 2]) -> Self {
        Self { padding, ..self }
    }
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }
    pub fn bias(self, bias: bool) -> Self {
        Self { bias, ..self }
    }
    pub fn filters(self, filters: Filters) -> Self {
        Self { filters, ..self }
    }

    fn is_frozen(&self) -> bool {
        matches!(self.filters, Filters::Whitening { .. })
    }

    fn kernel_shape(&self, input: Shape) -> Conv2d {
        Conv2d {
            cin: input.c,
            cout: self.width,
            kernel: self.kernel,
            stride: self.stride,
            padding: self.padding,
            dilation: self.dilation,
            groups: self.groups,
        }
    }
}

impl Layer for Conv {
    fn describe(&self) -> String {
        let stride = if self.stride == [1; 2] { String::new() } else { format!(" / {}", window(self.stride)) };
        let frozen = if self.is_frozen() { ", frozen" } else { "" };
        format!("conv {}{stride}{frozen}", window(self.kernel))
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        let input = single(inputs)?;
        if !input.c.is_multiple_of(self.groups) || !self.width.is_multiple_of(self.groups) {
            return Err(format!("{} → {} channels do not split into {} groups", input.c, self.width, self.groups));
        }
        let [h, w] = self
            .kernel_shape(input)
            .output(input.h, input.w)
            .ok_or_else(|| format!("a {} kernel does not fit its input of {input}", window(self.kernel)))?;
        Ok(Shape::new(h, w, self.width))
    }
    fn params(&self, inputs: &[Shape]) -> Vec<ParamDecl> {
        let per_group = inputs[0].c / self.groups;
        let fan_in = (per_group * self.kernel[0] * self.kernel[1]) as f64;
        // Of the whole tensor, as PyTorch counts it, whatever the groups.
        let fan_out = (self.width * self.kernel[0] * self.kernel[1]) as f64;
        let bound = 1.0 / fan_in.sqrt();
        let init = match self.filters {
            Filters::Uniform => Init::Uniform { bound },
            Filters::NormalIn => Init::Normal { std: (2.0 / fan_in).sqrt() },
            Filters::NormalOut => Init::Normal { std: (2.0 / fan_out).sqrt() },
            Filters::Dirac => Init::Dirac { bound, groups: self.groups },
            Filters::Whitening { eps, images } => Init::Whitening { eps, images, bound },
        };
        let shape = vec![self.width, per_group, self.kernel[0], self.kernel[1]];
        let frozen = self.is_frozen();
        let mut params = vec![ParamDecl { name: "weight".to_owned(), role: Role::Conv, shape, init, frozen }];
        if self.bias {
            let (shape, init) = (vec![self.width], Init::Uniform { bound });
            params.push(ParamDecl { name: "bias".to_owned(), role: Role::Bias, shape, init, frozen: false });
        }
        params
    }
    fn flops(&self, inputs: &[Shape]) -> u64 {
        self.kernel_shape(inputs[0]).flops(inputs[0].h, inputs[0].w)
    }
    fn reach(&self) -> Reach {
        Reach::Window { span: [0, 1].map(|k| (self.kernel[k] - 1) * self.dilation[k] + 1), stride: self.stride }
    }
    fn saves(&self, _: usize) -> Saves {
        Saves { inputs: !self.is_frozen(), output: false }
    }
    fn saves_frozen(&self, _: usize) -> Saves {
        Saves::default()
    }
    fn prepare(&self, inputs: &[Shape], options: &TapeOptions) -> Box<dyn Op> {
        let (shape, [h, w]) = (self.kernel_shape(inputs[0]), [inputs[0].h, inputs[0].w]);
        let products = Products::of(options.dtype, options.isa);
        let plan = ConvPlan::with(options.algorithm, products, shape, h, w, options.isa);
        let keep = options.mode == Mode::Evaluate;
        let forward = Packed::new(plan.forward_pack_len(), keep);
        let backward = Packed::new(plan.backward_pack_len(), keep);
        let packs = forward.scratch_len().max(if options.backward { backward.scratch_len() } else { 0 });
        Box::new(ConvOp {
            scratch: plan.scratch_len(options.max_batch) + packs,
            forward,
            backward,
            bias: self.bias,
            frozen: self.is_frozen() || options.frozen,
            plan,
        })
    }
    fn on_device(
        &self,
        inputs: &[Shape],
        options: &TapeOptions,
        device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        let (input, Conv2d { cin, cout, kernel, stride, padding, dilation, groups }) =
            (inputs[0], self.kernel_shape(inputs[0]));
        let output = self.output(inputs).map_err(anyhow::Error::msg)?;
        let shape = runner_gpu::ops::conv::Shape {
            images: options.max_batch,
            input: [input.h, input.w],
            output: [output.h, output.w],
            cin,
            cout,
            kernel,
            stride,
            padding,
            dilation,
            groups,
        };
        let frozen = self.is_frozen() || options.frozen;
        Ok(Some(Box::new(ops::ConvOp::new(device, options.dtype.into(), shape, self.bias, frozen)?)))
    }
}

/// Weights as a kernel reads them.
enum Packed {
    /// In training they change with every step: packed into scratch, where all layers share the room, before each use.
    Passing { len: usize },
    /// In evaluation they stay. Allocated when first used: many an evaluation tape never packs for backward.
    Kept { len: usize, buffer: Buffer, version: Option<u64> },
}

impl Packed {
    fn new(len: usize, keep: bool) -> Self {
        if keep { Self::Kept { len, buffer: Buffer::default(), version: None } } else { Self::Passing { len } }
    }

    /// Floats of scratch that the weights take, up to the next cache line.
    fn scratch_len(&self) -> usize {
        match self {
            Self::Passing { len } => len.next_multiple_of(CACHE_LINE),
            Self::Kept { .. } => 0,
        }
    }

    /// The weights of that version of the parameters, and the scratch that is left.
    fn get<'a>(
        &'a mut self,
        version: u64,
        scratch: &'a mut [f32],
        pack: impl FnOnce(&mut [f32]),
    ) -> (&'a [f32], &'a mut [f32]) {
        let (packed, rest) = scratch.split_at_mut(self.scratch_len());
        match self {
            Self::Passing { len } => {
                let packed = &mut packed[..*len];
                pack(packed);
                (packed, rest)
            }
            Self::Kept { len, buffer, version: of } => {
                if *of != Some(version) {
                    buffer.reserve_bytes(*len * DType::F32.size());
                    pack(buffer.slice_mut(*len));
                    *of = Some(version);
                }
                (buffer.slice(*len), rest)
            }
        }
    }
}

struct ConvOp {
    plan: ConvPlan,
    forward: Packed,
    backward: Packed,
    bias: bool,
    frozen: bool,
    scratch: usize,
}

impl Op for ConvOp {
    fn scratch_len(&self) -> usize {
        self.scratch
    }

    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()> {
        let plan = &self.plan;
        let bias = self.bias.then(|| cx.param(1));
        let mut scratch = cx.scratch(plan.scratch_len(cx.n) + self.forward.scratch_len());
        let (packed, scratch) = self.forward.get(cx.version, &mut scratch, |to| plan.pack_forward(cx.param(0), to));
        with_element!(cx.dtype, E => {
            plan.forward(cx.n, &cx.input::<E>(0), packed, bias, &mut cx.output::<E>(), scratch);
        });
        Ok(())
    }

    fn backward(&mut self, mut cx: BackwardCx<'_>) -> anyhow::Result<()> {
        let plan = &self.plan;
        let n = cx.n;
        let mut scratch = cx.scratch(plan.scratch_len(n) + self.backward.scratch_len());
        with_element!(cx.dtype, E => {
            let dy = cx.output_grad::<E>();
            if !self.frozen {
                let x = cx.input::<E>(0);
                plan.backward_weight(n, &x, &dy, cx.param_grad(0), &mut scratch);
            }
            if self.bias && !cx.frozen {
                let (isa, width) = (cx.isa, plan.conv().cout);
                columns::bias_gradient(isa, width, &dy, Grad::overwrite(cx.param_grad(1)));
            }
            if let Some(mut cell) = cx.input_grad::<E>(0) {
                let weights = cx.param(0);
                let (packed, scratch) =
                    self.backward.get(cx.version, &mut scratch, |to| plan.pack_backward(weights, to));
                let grad = cell.grad();
                plan.backward_data(n, &dy, packed, grad.to, grad.write == Write::Add, scratch);
            }
        });
        Ok(())
    }
}
