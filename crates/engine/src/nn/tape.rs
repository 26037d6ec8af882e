//! A graph made executable: forward, loss, backward, all in memory planned beforehand.

use super::graph::{Graph, Node, ValueId};
use super::init::name_key;
use super::layer::{BackwardCx, Cx, ForwardCx, Op};
use super::memory::{self, Memory, MemoryPlan, Place, Wiring, wants_grad, wire};
use super::noise::Noise;
use super::options::{Mode, TapeOptions};
use super::params::Params;
use super::shape::Shape;
use super::taps::Tap;
use super::timings::{self, Timings};
use crate::kernels::loss::{self, Mixed};
use crate::kernels::{Buffer, DType, Element};
use crate::with_element;
use anyhow::Context as _;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// What a batch's loss is of.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    pub labels: &'a [u32],
    /// Second labels, where images are blended with each other.
    pub mixed: Option<Mixed<'a>>,
    pub smoothing: f32,
    /// How much each image's loss counts; 1 where there are none.
    pub weights: Option<&'a [f32]>,
}

/// What the loss layer says of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Summed over the images.
    pub sum: f64,
    pub images: usize,
    /// Images whose largest logit is the label's, of a mixture that of the larger share.
    pub correct: usize,
    /// Images whose label is among the five largest logits.
    pub correct_top5: usize,
}

impl Loss {
    /// Over the images: what the gradients are of.
    pub fn mean(&self) -> f64 {
        self.sum / self.images as f64
    }
}

/// A value with who looks at it.
pub(super) struct Tapped {
    pub value: ValueId,
    pub tap: Box<dyn Tap>,
}

/// The parts of a tape that its operations look at.
struct Room<'a> {
    options: &'a TapeOptions,
    n: usize,
    noise: Noise,
    memory: &'a Memory,
    scratch: &'a RefCell<Buffer>,
}

impl<'a> Room<'a> {
    /// What the operation of that wiring and that key sees in either pass.
    fn cx(&self, wiring: &'a Wiring, key: u64, version: u64, values: &'a [f32]) -> Cx<'a> {
        let TapeOptions { mode, isa, dtype, frozen, .. } = *self.options;
        let Self { n, noise, memory, scratch, .. } = *self;
        let (train, measure) = (mode != Mode::Evaluate, mode == Mode::Measure);
        Cx { n, train, frozen, measure, isa, dtype, version, noise, key, wiring, memory, values, scratch }
    }
}

/// An executable net for one image size.
pub struct Tape {
    options: TapeOptions,
    names: Vec<String>,
    /// Of the names.
    keys: Vec<u64>,
    ops: Vec<Box<dyn Op>>,
    wiring: Vec<Wiring>,
    shapes: Vec<Shape>,
    memory: Memory,
    values: Vec<Place>,
    grads: Vec<Option<Place>>,
    /// See [`MemoryPlan::again`].
    again: Vec<Vec<usize>>,
    output: ValueId,
    scratch: RefCell<Buffer>,
    taps: Vec<Tapped>,
    /// Kept when asked for.
    timings: Option<Timings>,
    loss_scale: f32,
    /// Of each image of the last loss, where there was a gradient.
    losses: Vec<f32>,
    /// Images of the last forward.
    n: usize,
    noise: Noise,
}

impl Tape {
    /// Plans and allocates. `params` gives the places of parameters and statistics; the tape works with any [`Params`]
    /// of the same net.
    pub fn new(graph: &Graph, params: &Params, options: TapeOptions) -> Self {
        Self::with_taps(graph, params, options, BTreeMap::new())
    }

    /// As `new`, with observers of some values.
    pub fn with_taps(
        graph: &Graph,
        params: &Params,
        options: TapeOptions,
        taps: BTreeMap<ValueId, Box<dyn Tap>>,
    ) -> Self {
        let purpose = memory::Purpose::from(&options);
        let kept: Vec<ValueId> = taps.keys().copied().collect();
        let plan = MemoryPlan::new(graph, purpose, &kept);
        let wanted = wants_grad(graph, purpose, &kept);
        let wiring = wire(graph, params, &plan, &wanted, &kept, options.backward);
        let ops: Vec<Box<dyn Op>> = graph
            .nodes()
            .iter()
            .map(|node| {
                let shapes: Vec<Shape> = node.inputs.iter().map(|v| graph.shape(*v)).collect();
                node.layer.prepare(&shapes, &options)
            })
            .collect();
        let scratch = ops.iter().map(|op| op.scratch_len()).max().unwrap_or(0);
        Self {
            options,
            names: graph.nodes().iter().map(|node| node.name.clone()).collect(),
            keys: graph.nodes().iter().map(|node| name_key(&node.name)).collect(),
            ops,
            wiring,
            shapes: graph.shapes.clone(),
            memory: Memory::new(&plan, options.dtype, options.max_batch),
            values: plan.values,
            grads: plan.grads,
            again: plan.again,
            output: graph.output(),
            scratch: RefCell::new(Buffer::new(DType::F32, scratch)),
            taps: taps.into_iter().map(|(value, tap)| Tapped { value, tap }).collect(),
            timings: None,
            loss_scale: 1.0,
            losses: Vec::new(),
            n: 0,
            noise: Noise::default(),
        }
    }

    /// Bytes of activations, gradients and scratch that a tape would take, observers of these values included.
    pub fn bytes_for(graph: &Graph, options: TapeOptions, kept: &[ValueId]) -> usize {
        let plan = MemoryPlan::new(graph, memory::Purpose::from(&options), kept);
        let scratch = |node: &Node| {
            let shapes: Vec<Shape> = node.inputs.iter().map(|v| graph.shape(*v)).collect();
            node.layer.prepare(&shapes, &options).scratch_len()
        };
        let scratch = graph.nodes().iter().map(scratch).max().unwrap_or(0);
        plan.bytes(options.dtype, options.max_batch) + scratch * DType::F32.size()
    }

    /// Bytes of activations and gradients.
    pub fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Begins to add up the seconds of each layer's passes, from zero.
    pub fn time_layers(&mut self) {
        self.timings = Some(Timings::of(self.ops.len()));
    }

    /// The seconds since [`Tape::time_layers`]; `None` where that was not called.
    pub fn timings(&self) -> Option<&Timings> {
        self.timings.as_ref()
    }

    /// Bytes that all layers share for partial results.
    pub fn scratch_bytes(&self) -> usize {
        self.scratch.borrow().len_bytes()
    }

    /// What the passes from here on draw their random numbers from.
    pub fn set_noise(&mut self, noise: Noise) {
        self.noise = noise;
    }

    /// Runs the net on `(n, h, w, c)` images. In [`Mode::Train`] the running statistics move, in [`Mode::Measure`] they are
    /// replaced.
    ///
    /// # Errors
    /// Those of a candle bridge.
    ///
    /// # Panics
    /// When `images` is not `n` images of the tape's size, or `n` exceeds the largest batch.
    pub fn forward(&mut self, params: &mut Params, images: &[f32]) -> anyhow::Result<()> {
        self.run_layers(params, images, self.ops.len())
    }

    /// As [`Tape::forward`], but stops at a value and returns it: what a layer is given.
    ///
    /// # Errors
    /// Those of a candle bridge.
    ///
    /// # Panics
    /// As [`Tape::forward`].
    pub fn forward_to(&mut self, params: &mut Params, images: &[f32], value: ValueId) -> anyhow::Result<Vec<f32>> {
        self.run_layers(params, images, value.0)?;
        Ok(self.value(value))
    }

    /// The first layers in order.
    fn run_layers(&mut self, params: &mut Params, images: &[f32], layers: usize) -> anyhow::Result<()> {
        let n = self.options.images(self.shapes[0], images.len());
        self.n = n;
        self.store(self.values[0], images);
        self.observe(ValueId(0));
        for k in 0..layers {
            self.run_layer(params, k, false)?;
            self.observe(ValueId(k + 1));
        }
        Ok(())
    }

    /// A layer forward, for the first time or again.
    fn run_layer(&mut self, params: &mut Params, k: usize, again: bool) -> anyhow::Result<()> {
        let (options, memory, scratch) = (&self.options, &self.memory, &self.scratch);
        let room = Room { options, n: self.n, noise: self.noise, memory, scratch };
        let version = params.version();
        let (values, _, stats) = params.pass();
        let cx = ForwardCx { again, cx: room.cx(&self.wiring[k], self.keys[k], version, values), stats };
        let begun = timings::begin(&self.timings);
        self.ops[k].forward(cx).with_context(|| format!("layer `{}`, forward", self.names[k]))?;
        timings::end(&mut self.timings, begun, |timings| timings.of_forward(k, again));
        Ok(())
    }

    /// The output of the last forward, `(n, h·w·c)`.
    pub fn output(&self) -> Vec<f32> {
        self.value(self.output)
    }

    /// A value of the last forward, as `f32`. Only the output and tapped values are sure to be there still.
    fn value(&self, value: ValueId) -> Vec<f32> {
        self.load(self.values[value.0])
    }

    /// What lies at a place, as `f32`.
    fn load(&self, place: Place) -> Vec<f32> {
        load(&self.memory, place, self.n, self.options.dtype)
    }

    /// Puts values at a place, rounded to the activations' type.
    fn store(&self, place: Place, values: &[f32]) {
        with_element!(self.options.dtype, E => {
            let mut to = self.memory.write::<E>(place, self.n);
            assert_eq!(values.len(), to.len(), "as many values as there is room for");
            for (to, from) in to.iter_mut().zip(values) {
                *to = E::from_f32(*from);
            }
        });
    }

    /// From now on gradients are those of so many times the loss, so that small ones are not lost in `f16`, of which the
    /// smallest number is 6e-8. A power of two does not change a digit of what is not lost.
    pub fn set_loss_scale(&mut self, scale: f32) {
        self.loss_scale = scale;
    }

    /// The loss of [`TapeOptions::loss`] of the output against `labels`, label-smoothed: writes the output's gradient (of the
    /// mean over the batch, times the loss scale) when the tape has a backward pass.
    ///
    /// # Panics
    /// When there are not as many labels as images.
    pub fn loss(&mut self, labels: &[u32], smoothing: f32) -> Loss {
        self.loss_of_mixtures(labels, None, smoothing)
    }

    /// As [`Tape::loss`], of images that may be mixtures of two.
    ///
    /// # Panics
    /// As [`Tape::loss`]; when the second labels are not as many, or the share lies outside of `0..=1`.
    pub fn loss_of_mixtures(&mut self, labels: &[u32], mixed: Option<Mixed<'_>>, smoothing: f32) -> Loss {
        self.loss_of(Target { labels, mixed, smoothing, weights: None })
    }

    /// As [`Tape::loss_of_mixtures`], of images that may count more or less than once.
    ///
    /// # Panics
    /// As there; when the weights are not as many.
    pub fn loss_of(&mut self, target: Target<'_>) -> Loss {
        let Target { labels, mixed, smoothing, weights } = target;
        assert_eq!(labels.len(), self.n, "as many labels as images");
        let TapeOptions { isa, loss: rule, .. } = self.options;
        let target =
            loss::Target { labels, classes: self.shapes[self.output.0].len(), smoothing, mixed, weights, rule };
        let begun = timings::begin(&self.timings);
        let score = with_element!(self.options.dtype, E => {
            let logits = self.memory.read::<E>(self.values[self.output.0], self.n);
            match self.grads[self.output.0] {
                Some(place) => {
                    let mut gradient = self.memory.write::<E>(place, self.n);
                    let factor = self.loss_scale / self.n as f32;
                    self.losses.resize(self.n, 0.0);
                    loss::score_gradient_and_losses(isa, target, &logits, factor, &mut gradient, &mut self.losses)
                }
                None => loss::score(isa, target, &logits),
            }
        });
        timings::end(&mut self.timings, begun, |timings| &mut timings.loss);
        Loss { sum: score.loss, images: self.n, correct: score.correct, correct_top5: score.correct_top5 }
    }

    /// The loss of each image, whatever its weight, of the last [`Tape::loss`] that had a gradient.
    pub fn losses(&self) -> &[f32] {
        &self.losses
    }

    /// Sets the gradient of the output instead of [`Tape::loss`].
    ///
    /// # Panics
    /// When the tape was made without a backward pass, or the lengths differ.
    pub fn set_output_grad(&mut self, gradient: &[f32]) {
        let place = self.grads[self.output.0].expect("the tape has a backward pass");
        self.store(place, gradient);
    }

    /// Gradients of all parameters, into those of `params`, after [`Tape::loss`] or [`Tape::set_output_grad`].
    ///
    /// # Errors
    /// Those of a candle bridge.
    ///
    /// # Panics
    /// When the tape was made without a backward pass.
    pub fn backward(&mut self, params: &mut Params) -> anyhow::Result<()> {
        assert!(self.options.backward, "the tape was made without a backward pass");
        for value in self.taps.iter().map(|tapped| tapped.value).filter(|value| *value != self.output) {
            if let Some(place) = self.grads[value.0] {
                with_element!(self.options.dtype, E => self.memory.write::<E>(place, self.n).fill(E::from_f32(0.0)));
            }
        }
        for k in (0..self.ops.len()).rev() {
            for j in 0..self.again[k].len() {
                self.run_layer(params, self.again[k][j], true)?;
            }
            self.tap_gradient(ValueId(k + 1));
            if self.wiring[k].output_grad.is_none() {
                continue;
            }
            let (options, memory, scratch) = (&self.options, &self.memory, &self.scratch);
            let room = Room { options, n: self.n, noise: self.noise, memory, scratch };
            let version = params.version();
            let (values, grads, _) = params.pass();
            let cx = BackwardCx { cx: room.cx(&self.wiring[k], self.keys[k], version, values), grads };
            let begun = timings::begin(&self.timings);
            self.ops[k].backward(cx).with_context(|| format!("layer `{}`, backward", self.names[k]))?;
            timings::end(&mut self.timings, begun, |timings| &mut timings.backward[k]);
        }
        self.tap_gradient(ValueId(0));
        Ok(())
    }

    /// The input's gradient after [`Tape::backward`], `(n, h, w, c)`; `None` when it was not asked for.
    pub fn input_grad(&self) -> Option<Vec<f32>> {
        Some(self.load(self.grads[0]?))
    }

    fn observe(&mut self, value: ValueId) {
        let (n, shape, place) = (self.n, self.shapes[value.0], self.values[value.0]);
        let Self { taps, memory, options, .. } = self;
        for tapped in taps.iter_mut().filter(|tapped| tapped.value == value) {
            match options.dtype {
                DType::F32 => tapped.tap.observe(n, shape, &memory.read::<f32>(place, n)),
                dtype => tapped.tap.observe(n, shape, &load(memory, place, n, dtype)),
            }
        }
    }

    fn tap_gradient(&mut self, value: ValueId) {
        let Some(to) = self.grads[value.0] else { return };
        let (n, shape, of) = (self.n, self.shapes[value.0], self.values[value.0]);
        let mut taps = std::mem::take(&mut self.taps);
        for tapped in taps.iter_mut().filter(|tapped| tapped.value == value) {
            if self.options.dtype == DType::F32 {
                let (value, mut gradient) = (self.memory.read::<f32>(of, n), self.memory.write::<f32>(to, n));
                tapped.tap.add_gradient(n, shape, &value, &mut gradient);
            } else {
                let mut gradient = self.load(to);
                tapped.tap.add_gradient(n, shape, &self.load(of), &mut gradient);
                self.store(to, &gradient);
            }
        }
        self.taps = taps;
    }
}

/// What lies at a place, as `f32`.
fn load(memory: &Memory, place: Place, n: usize, dtype: DType) -> Vec<f32> {
    with_element!(dtype, E => memory.read::<E>(place, n).iter().map(|x| x.to_f32()).collect())
}
