//! What a layer is: a description that infers shapes and declares parameters, and the operation it becomes for a size.

use super::device::DeviceOp;
use super::memory::{Memory, Wiring};
use super::noise::Noise;
use super::options::TapeOptions;
use super::params::{ParamDecl, StatDecl};
use super::shape::Shape;
use crate::kernels::{Buffer, DType, Element, Grad, Isa, Write};
use rand_chacha::ChaCha8Rng;
use runner_gpu::Device;
use std::cell::{Ref, RefCell, RefMut};
use std::ops::{Deref, Range};

/// Which of its values a layer's backward reads (of its inputs: all or none): the tape keeps those alive until then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Saves {
    pub inputs: bool,
    pub output: bool,
}

/// Which pixels of its inputs a pixel of a layer's output is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The one at its place.
    Pixel,
    /// Those of a window of so many rows and columns, from one outermost tap to the other, which steps by `stride`.
    Window { span: [usize; 2], stride: [usize; 2] },
    /// All of them.
    Image,
}

/// A layer as a model part describes it: no memory, no size.
pub trait Layer: Send + Sync {
    /// In a word, for tables: `conv 3×3`.
    fn describe(&self) -> String;

    /// The output's shape.
    ///
    /// # Errors
    /// What does not fit, in words that name the shapes.
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String>;

    /// Parameters, with names relative to the layer, in the order in which the operation indexes them.
    fn params(&self, _inputs: &[Shape]) -> Vec<ParamDecl> {
        Vec::new()
    }

    /// Running statistics, likewise.
    fn stats(&self, _inputs: &[Shape]) -> Vec<StatDecl> {
        Vec::new()
    }

    /// Multiplications and additions of one image's forward pass.
    fn flops(&self, _inputs: &[Shape]) -> u64 {
        0
    }

    /// Which of an input's pixels an output pixel is made of.
    fn reach(&self) -> Reach {
        Reach::Pixel
    }

    /// What a layer of so many inputs keeps.
    fn saves(&self, inputs: usize) -> Saves;

    /// Likewise where no gradient of a parameter is wanted.
    fn saves_frozen(&self, inputs: usize) -> Saves {
        self.saves(inputs)
    }

    /// Whether the gradient of that input is the output's, as it is. Its backward may then be given no place for it: see
    /// [`MemoryPlan`](super::memory::MemoryPlan).
    fn passes_gradient(&self, _input: usize) -> bool {
        false
    }

    /// Whether it makes windows of pixels one pixel: a max or average pool.
    fn pools(&self) -> bool {
        false
    }

    /// The operation for these input shapes and a tape with these options: all it needs besides the tape's memory is
    /// allocated here.
    fn prepare(&self, inputs: &[Shape], options: &TapeOptions) -> Box<dyn Op>;

    /// The same on a device; `None` where there are no kernels for it, and the operation on the host has to do.
    ///
    /// # Errors
    /// When the device's memory is too small.
    fn on_device(
        &self,
        _inputs: &[Shape],
        _options: &TapeOptions,
        _device: &Device,
    ) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        Ok(None)
    }
}

/// A layer made executable.
pub trait Op: Send {
    /// Floats of shared scratch that `forward` and `backward` use at most, for a batch of `max_batch`.
    fn scratch_len(&self) -> usize {
        0
    }

    /// Computes the output.
    ///
    /// Where a tape recomputes, some layers run twice, the second time with [`ForwardCx::again`]. The output must then come
    /// out as the first time, to the bit; running statistics stay as they are, and so does what backward needs of the
    /// first run, which the second may use.
    ///
    /// # Errors
    /// Only the candle bridge fails.
    fn forward(&mut self, cx: ForwardCx<'_>) -> anyhow::Result<()>;

    /// Computes the gradients of parameters, and of those inputs that want one.
    ///
    /// # Errors
    /// Only the candle bridge fails.
    fn backward(&mut self, cx: BackwardCx<'_>) -> anyhow::Result<()>;
}

/// What an operation sees in either pass.
pub struct Cx<'a> {
    /// Images in this batch.
    pub n: usize,
    /// Batch statistics and updates of running ones, or evaluation.
    pub train: bool,
    /// Whether gradients of parameters are of no use, and have no room.
    pub frozen: bool,
    /// In training: whether the batch's statistics replace the running ones altogether.
    pub measure: bool,
    pub isa: Isa,
    pub dtype: DType,
    /// Changes whenever the parameters do.
    pub version: u64,
    /// What the pass's draws follow from.
    pub noise: Noise,
    /// Tells the layer from others.
    pub(super) key: u64,
    pub(super) wiring: &'a Wiring,
    pub(super) memory: &'a Memory,
    pub(super) values: &'a [f32],
    pub(super) scratch: &'a RefCell<Buffer>,
}

impl<'a> Cx<'a> {
    /// An input's value; backward, the layer must have asked for it in [`Saves`].
    pub fn input<E: Element>(&self, k: usize) -> Ref<'a, [E]> {
        self.memory.read(self.wiring.inputs[k], self.n)
    }
    pub fn param(&self, k: usize) -> &'a [f32] {
        &self.values[self.wiring.params[k].clone()]
    }
    /// The layer's random words of this step, from the step's first image on.
    pub fn stream(&self) -> ChaCha8Rng {
        self.noise.stream(self.key)
    }
    pub fn scratch(&self, len: usize) -> RefMut<'a, [f32]> {
        RefMut::map(self.scratch.borrow_mut(), |buffer| buffer.slice_mut(len))
    }
}

/// What an operation sees in the forward pass.
pub struct ForwardCx<'a> {
    /// Whether this is the second run of a layer whose output was not kept, just before it runs backward: see
    /// [`Op::forward`].
    pub again: bool,
    pub(super) cx: Cx<'a>,
    pub(super) stats: &'a mut [f32],
}

impl<'a> Deref for ForwardCx<'a> {
    type Target = Cx<'a>;
    fn deref(&self) -> &Cx<'a> {
        &self.cx
    }
}

impl<'a> ForwardCx<'a> {
    /// The output, to overwrite.
    pub fn output<E: Element>(&self) -> RefMut<'a, [E]> {
        self.memory.write(self.wiring.output, self.n)
    }
    pub fn stats<const K: usize>(&mut self) -> [&mut [f32]; K] {
        disjoint(self.stats, &self.cx.wiring.stats)
    }
}

/// What an operation sees in the backward pass.
pub struct BackwardCx<'a> {
    pub(super) cx: Cx<'a>,
    pub(super) grads: &'a mut [f32],
}

impl<'a> Deref for BackwardCx<'a> {
    type Target = Cx<'a>;
    fn deref(&self) -> &Cx<'a> {
        &self.cx
    }
}

impl<'a> BackwardCx<'a> {
    /// The output's value; the layer must have asked for it in [`Saves`].
    pub fn output<E: Element>(&self) -> Ref<'a, [E]> {
        self.memory.read(self.wiring.output, self.n)
    }
    pub fn output_grad<E: Element>(&self) -> Ref<'a, [E]> {
        let place = self.wiring.output_grad.expect("backward runs only where the output has a gradient");
        self.memory.read(place, self.n)
    }
    /// Where input `k`'s gradient goes; `None` when nobody wants it, or it is the output's, which is passed on.
    pub fn input_grad<E: Element>(&self, k: usize) -> Option<GradCell<'a, E>> {
        let target = self.wiring.input_grads[k]?;
        Some(GradCell { to: self.memory.write(target.place, self.n), write: target.write })
    }
    /// The gradient of parameter `k`, to overwrite.
    pub fn param_grad(&mut self, k: usize) -> &mut [f32] {
        &mut self.grads[self.cx.wiring.params[k].clone()]
    }
    /// The gradients of the layer's first `K` parameters, to overwrite.
    pub fn param_grads<const K: usize>(&mut self) -> [&mut [f32]; K] {
        disjoint(self.grads, &self.cx.wiring.params)
    }
}

/// A borrowed gradient buffer.
pub struct GradCell<'a, E> {
    to: RefMut<'a, [E]>,
    write: Write,
}

impl<E> GradCell<'_, E> {
    /// As kernels take it.
    pub fn grad(&mut self) -> Grad<'_, E> {
        Grad { to: &mut self.to, write: self.write }
    }
}

fn disjoint<'b, const K: usize>(flat: &'b mut [f32], ranges: &[Range<usize>]) -> [&'b mut [f32]; K] {
    let ranges: [Range<usize>; K] = std::array::from_fn(|k| ranges[k].clone());
    flat.get_disjoint_mut(ranges).expect("slots of a flat buffer are disjoint")
}

/// Runs a block with `$E` bound to the element type that a [`DType`] names.
#[macro_export]
macro_rules! with_element {
    ($dtype:expr, $E:ident => $body:expr) => {
        match $dtype {
            $crate::kernels::DType::F32 => {
                type $E = f32;
                $body
            }
            $crate::kernels::DType::Bf16 => {
                type $E = half::bf16;
                $body
            }
            $crate::kernels::DType::F16 => {
                type $E = half::f16;
                $body
            }
            $crate::kernels::DType::U8 => unreachable!("activations are f32, bf16 or f16"),
        }
    };
}
