//! A graph made executable on a device.

use super::cx::{DeviceOp, Room};
use super::host::HostOp;
use super::images::{Images, There};
use super::memory::DeviceMemory;
use super::recordings::{Key, Passes, Recordings, Versions};
use crate::kernels::DType;
use crate::kernels::loss::{Mixed, Rule};
use crate::nn::graph::{Graph, ValueId};
use crate::nn::init::name_key;
use crate::nn::memory::{self, MemoryPlan, Place, Wiring, wants_grad, wire};
use crate::nn::noise::Noise;
use crate::nn::options::{Mode, TapeOptions};
use crate::nn::params::Params;
use crate::nn::shape::Shape;
use crate::nn::tape::{Loss, Tapped, Target};
use crate::nn::taps::Tap;
use crate::nn::timings::{self, Timings};
use crate::units::Seconds;
use anyhow::Context as _;
use runner_gpu as gpu;
use runner_gpu::ops::serve::Serving;
use runner_gpu::ops::{cast, loss};
use runner_gpu::{Buffer, Device, View};
use std::collections::BTreeMap;
use std::time::Instant;

/// What a tape's operations look at, while these are borrowed.
macro_rules! room {
    ($tape:ident, $version:ident, $params:expr) => {
        Room {
            device: &$tape.device,
            options: &$tape.options,
            n: $tape.n,
            version: $version,
            noise: $tape.noise,
            memory: &$tape.memory,
            params: $params,
            scratch: &$tape.scratch,
        }
    };
}

/// An executable net for one image size on a device: the twin of [`Tape`](crate::nn::Tape), which says more.
pub struct DeviceTape {
    recordings: Recordings,
    versions: Versions,
    device: Device,
    options: TapeOptions,
    names: Vec<String>,
    keys: Vec<u64>,
    ops: Vec<Box<dyn DeviceOp>>,
    wiring: Vec<Wiring>,
    shapes: Vec<Shape>,
    memory: DeviceMemory,
    values: Vec<Place>,
    grads: Vec<Option<Place>>,
    /// See [`MemoryPlan::again`].
    again: Vec<Vec<usize>>,
    output: ValueId,
    scratch: Buffer,
    /// For images before they are rounded; of no length where they are not.
    images: Buffer,
    /// For images that lie on the device.
    serving: Serving,
    loss: LossRoom,
    taps: Vec<Tapped>,
    timings: Option<Timings>,
    loss_scale: f32,
    n: usize,
    noise: Noise,
}

/// What the loss needs beside logits.
struct LossRoom {
    labels: Buffer,
    second: Buffer,
    weights: Buffer,
    space: Buffer,
    total: Buffer,
}

impl LossRoom {
    fn new(device: &Device, images: usize) -> Result<Self, gpu::Error> {
        let words = |len| device.allocate(gpu::DType::U32, len);
        Ok(Self {
            labels: words(images)?,
            second: words(images)?,
            weights: device.allocate(gpu::DType::F32, images)?,
            space: words(loss::scratch(images))?,
            total: words(loss::TOTAL)?,
        })
    }
}

impl DeviceTape {
    /// Plans and allocates.
    ///
    /// # Errors
    /// When the device's memory is too small.
    pub fn new(
        device: &Device,
        graph: &Graph,
        params: &Params,
        options: TapeOptions,
        taps: BTreeMap<ValueId, Box<dyn Tap>>,
    ) -> anyhow::Result<Self> {
        let purpose = memory::Purpose::from(&options);
        let kept: Vec<ValueId> = taps.keys().copied().collect();
        let plan = MemoryPlan::new(graph, purpose, &kept);
        let wanted = wants_grad(graph, purpose, &kept);
        let wiring = wire(graph, params, &plan, &wanted, &kept, options.backward);
        let mut ops: Vec<Box<dyn DeviceOp>> = Vec::new();
        for (k, node) in graph.nodes().iter().enumerate() {
            let inputs: Vec<Shape> = node.inputs.iter().map(|v| graph.shape(*v)).collect();
            let made = node.layer.on_device(&inputs, &options, device)?;
            ops.push(
                made.unwrap_or_else(|| Box::new(HostOp::new(node, &inputs, graph.node_shape(k), &wiring[k], &options))),
            );
        }
        let images = if options.dtype == DType::F32 { 0 } else { graph.input_shape().len() * options.max_batch };
        let scratch = ops.iter().map(|op| op.scratch_bytes()).max().unwrap_or(0);
        Ok(Self {
            recordings: Recordings::default(),
            versions: Versions::default(),
            names: graph.nodes().iter().map(|node| node.name.clone()).collect(),
            keys: graph.nodes().iter().map(|node| name_key(&node.name)).collect(),
            ops,
            wiring,
            shapes: graph.shapes.clone(),
            memory: DeviceMemory::new(device, &plan, options.dtype, options.max_batch)?,
            values: plan.values,
            grads: plan.grads,
            again: plan.again,
            output: graph.output(),
            scratch: device.allocate(gpu::DType::U8, scratch)?,
            images: device.allocate(gpu::DType::F32, images)?,
            serving: Serving::new(device)?,
            loss: LossRoom::new(device, options.max_batch)?,
            taps: taps.into_iter().map(|(value, tap)| Tapped { value, tap }).collect(),
            timings: None,
            loss_scale: 1.0,
            n: 0,
            noise: Noise::default(),
            device: device.clone(),
            options,
        })
    }

    pub fn memory_bytes(&self) -> usize {
        self.memory.bytes()
    }

    pub fn scratch_bytes(&self) -> usize {
        self.scratch.bytes()
    }

    pub fn time_layers(&mut self) {
        self.timings = Some(Timings::of(self.ops.len()));
    }

    pub fn timings(&self) -> Option<&Timings> {
        self.timings.as_ref()
    }

    pub fn set_noise(&mut self, noise: Noise) {
        self.noise = noise;
    }

    pub fn set_loss_scale(&mut self, scale: f32) {
        self.loss_scale = scale;
    }

    /// Runs the net on `(n, h, w, c)` images, see [`Tape::forward`](crate::nn::Tape::forward).
    ///
    /// # Errors
    /// Those of the device, and of a candle bridge.
    ///
    /// # Panics
    /// As there.
    pub fn forward(&mut self, params: &mut Params, images: Images<'_>) -> anyhow::Result<()> {
        self.begin(params, images)?;
        let version = self.versions.of(params.version());
        self.run_forward(params, self.ops.len(), version)
    }

    /// As `forward`, but stops at a value and returns it.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there.
    pub fn forward_to(&mut self, params: &mut Params, images: &[f32], value: ValueId) -> anyhow::Result<Vec<f32>> {
        self.begin(params, Images::Here(images))?;
        let version = self.versions.of(params.version());
        self.run_forward(params, value.index(), version)?;
        self.load(self.values[value.index()])
    }

    /// Puts images and parameters where passes look for them.
    fn begin(&mut self, params: &mut Params, images: Images<'_>) -> anyhow::Result<()> {
        params.on_device(&self.device)?;
        match images {
            Images::Here(images) => self.upload(images),
            Images::There(there) => self.serve(there),
            Images::Ready(images) => self.take(images),
        }
    }

    /// Copies images that are on the device.
    fn take(&mut self, images: View<'_>) -> anyhow::Result<()> {
        self.n = self.options.images(self.shapes[0], images.len());
        let to = self.view(self.values[0]);
        match self.options.dtype {
            DType::F32 => Ok(self.device.copy(images, to)?),
            _ => Ok(cast::cast(&self.device, images, to)?),
        }
    }

    fn upload(&mut self, images: &[f32]) -> anyhow::Result<()> {
        self.n = self.options.images(self.shapes[0], images.len());
        let to = self.view(self.values[0]);
        if self.options.dtype == DType::F32 {
            return Ok(self.device.write(to, images)?);
        }
        let wide = self.images.first(gpu::DType::F32, images.len());
        self.device.write(wide, images)?;
        Ok(cast::cast(&self.device, wide, to)?)
    }

    /// Makes the images from those that lie on the device.
    fn serve(&mut self, there: There<'_>) -> anyhow::Result<()> {
        let There { set, pictures, first, count } = there;
        let (shape, most) = (self.shapes[0], self.options.max_batch);
        assert_eq!([pictures.size, pictures.size, set.channels], [shape.h, shape.w, shape.c], "images of another size");
        assert!((1..=most).contains(&count), "{count} images on a tape for {most}");
        self.n = count;
        let to = self.memory.view(self.values[0], self.n);
        Ok(self.serving.serve(&self.device, set, pictures, first..first + count, to)?)
    }

    /// The first layers in order, for parameters of which operations keep what they packed under that number.
    fn run_forward(&mut self, params: &mut Params, layers: usize, version: u64) -> anyhow::Result<()> {
        self.observe(ValueId::input())?;
        for k in 0..layers {
            self.run_layer(params, k, version, false)?;
            self.observe(ValueId::of_node(k))?;
        }
        self.stats_moved(params)
    }

    /// A layer forward, for the first time or again.
    fn run_layer(&mut self, params: &mut Params, k: usize, version: u64, again: bool) -> anyhow::Result<()> {
        let begun = timings::begin(&self.timings);
        let room = room!(self, version, params.on_device(&self.device)?);
        let cx = room.cx(&self.wiring[k], self.keys[k], again);
        self.ops[k].forward(&cx).with_context(|| format!("layer `{}`, forward", self.names[k]))?;
        self.end(begun, |timings| timings.of_forward(k, again))
    }

    /// Tells parameters what a forward pass has moved.
    fn stats_moved(&self, params: &mut Params) -> anyhow::Result<()> {
        if self.options.mode != Mode::Evaluate {
            params.on_device(&self.device)?.stats_moved();
        }
        Ok(())
    }

    /// Tells parameters what a backward pass has written.
    fn grads_moved(&self, params: &mut Params) -> anyhow::Result<()> {
        if !self.options.frozen {
            params.on_device(&self.device)?.grads_moved();
        }
        Ok(())
    }

    /// The output of the last forward, `(n, h·w·c)`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn output(&self) -> anyhow::Result<Vec<f32>> {
        self.load(self.values[self.output.index()])
    }

    /// The loss of the output against labels, see [`Tape::loss_of_mixtures`](crate::nn::Tape::loss_of_mixtures).
    ///
    /// # Errors
    /// Those of the device.
    ///
    /// # Panics
    /// As there.
    pub fn loss_of_mixtures(
        &mut self,
        labels: &[u32],
        mixed: Option<Mixed<'_>>,
        smoothing: f32,
    ) -> anyhow::Result<Loss> {
        self.score(Target { labels, mixed, smoothing, weights: None })?;
        self.read_loss()
    }

    /// Forward, loss and backward, without waiting in between: the loss is read when all is under way.
    ///
    /// Where a step is the same work each time, and the device is to record it ([`Device::set_graphs`]), the second
    /// step of a kind is recorded and later ones run what was recorded, to the same bytes. Steps of a kind have as many
    /// images, the same parameters and the same settings of the device. A step is not the same work each time where a
    /// layer draws, as dropout, or runs on the host; and none is recorded that has taps or is timed.
    ///
    /// The passes are recorded, and the loss between them is not: what changes there from step to step, such as the
    /// share of a mixture, goes into its launches.
    ///
    /// # Errors
    /// Those of the device, and of a candle bridge.
    ///
    /// # Panics
    /// As [`forward`](Self::forward), [`loss_of_mixtures`](Self::loss_of_mixtures) and [`backward`](Self::backward).
    pub fn gradient(&mut self, params: &mut Params, images: Images<'_>, target: Target<'_>) -> anyhow::Result<Loss> {
        self.launch_gradient(params, images, target)?;
        self.read_loss()
    }

    /// As [`gradient`](Self::gradient), but nothing is waited for: the loss goes to `to`, as [`loss::score`] gives it, and those of all
    /// images to `losses`, where they are asked for, as it gives them: doubles.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As there; when `to` has not [`loss::TOTAL`] words, or `losses` two for each image.
    pub fn gradient_into(
        &mut self,
        params: &mut Params,
        images: Images<'_>,
        target: Target<'_>,
        to: View<'_>,
        losses: Option<View<'_>>,
    ) -> anyhow::Result<()> {
        self.launch_gradient(params, images, target)?;
        if let Some(losses) = losses {
            self.device.copy(self.loss_of_images(), losses)?;
        }
        Ok(self.device.copy(self.loss.total.view(), to)?)
    }

    /// The loss of each image, whatever its weight, of the last one that was put into the stream.
    ///
    /// # Errors
    /// Those of the device.
    pub fn losses(&self) -> anyhow::Result<Vec<f32>> {
        let mut losses = vec![0.0f64; self.n];
        self.device.read(self.loss_of_images(), &mut losses)?;
        Ok(losses.into_iter().map(|loss| loss as f32).collect())
    }

    fn loss_of_images(&self) -> View<'_> {
        self.loss.space.first(gpu::DType::U32, loss::of_images(self.n))
    }

    fn launch_gradient(&mut self, params: &mut Params, images: Images<'_>, target: Target<'_>) -> anyhow::Result<()> {
        assert!(self.options.backward, "the tape was made without a backward pass");
        self.begin(params, images)?;
        match self.recordable(params)? {
            Some(key) if self.recordings.find(&key) => self.replay(params, target)?,
            Some(key) if self.recordings.knows(&key) => self.record(params, target, key)?,
            key => {
                let version = self.versions.of(params.version());
                self.run_forward(params, self.ops.len(), version)?;
                self.score(target)?;
                self.run_backward(params, version)?;
                if let Some(key) = key {
                    self.recordings.taken(key);
                }
            }
        }
        Ok(())
    }

    /// Steps that were taken by running what was recorded.
    pub fn replays(&self) -> u64 {
        self.recordings.replays()
    }

    /// Why steps are no longer recorded, where the device could not.
    pub fn replay_refusal(&self) -> Option<&str> {
        self.recordings.refusal()
    }

    /// The key of a step that may be recorded.
    fn recordable(&mut self, params: &mut Params) -> anyhow::Result<Option<Key>> {
        if !self.device.graphs() {
            self.recordings.clear();
            return Ok(None);
        }
        let watched = !self.taps.is_empty() || self.timings.is_some();
        if watched || self.recordings.refusal().is_some() || !self.ops.iter().all(|op| op.repeats()) {
            return Ok(None);
        }
        let there = params.on_device(&self.device)?;
        let params = [there.values(), there.grads(), there.stats()].map(View::address);
        Ok(Some(Key { images: self.n, params, settings: self.device.settings() }))
    }

    /// The recorded step that was found.
    fn replay(&mut self, params: &mut Params, target: Target<'_>) -> anyhow::Result<()> {
        // What operations have packed is no longer what they remember.
        self.versions.anew();
        self.device.replay(&self.recordings.current().forward)?;
        self.stats_moved(params)?;
        self.score(target)?;
        self.device.replay(&self.recordings.current().backward)?;
        self.grads_moved(params)?;
        self.recordings.replayed();
        Ok(())
    }

    /// A step that is recorded where the device can.
    fn record(&mut self, params: &mut Params, target: Target<'_>, key: Key) -> anyhow::Result<()> {
        // Operations must pack whatever they remember: later steps have other parameters.
        let version = self.versions.anew();
        let layers = self.ops.len();
        let forward = self.recorded(version, |tape, version| tape.run_forward(params, layers, version))?;
        self.score(target)?;
        // What was packed forward is of use backward.
        let version = self.versions.last();
        match forward {
            None => self.run_backward(params, version)?,
            Some(forward) => {
                let backward = self.recorded(version, |tape, version| tape.run_backward(params, version))?;
                if let Some(backward) = backward {
                    self.recordings.keep(key, Passes { forward, backward });
                }
            }
        }
        Ok(())
    }

    /// Does a pass, with that number for the parameters, and records it. Where the device cannot, nothing is recorded
    /// from here on, and the pass is done all the same.
    fn recorded(
        &mut self,
        version: u64,
        mut pass: impl FnMut(&mut Self, u64) -> anyhow::Result<()>,
    ) -> anyhow::Result<Option<gpu::Graph>> {
        let device = self.device.clone();
        let failed = |error| gpu::Error::Failed { doing: "recording a step".to_owned(), said: format!("{error:#}") };
        match device.capture(&mut || pass(self, version).map_err(failed)) {
            Ok(Some(graph)) => Ok(Some(graph)),
            Ok(None) => {
                self.refuse("the device records nothing".to_owned());
                Ok(None)
            }
            Err(error) => {
                self.refuse(error.to_string());
                // What operations believe that they have packed was not done.
                let version = self.versions.anew();
                pass(self, version)?;
                Ok(None)
            }
        }
    }

    /// Records nothing from here on, and has whoever watches told why.
    fn refuse(&mut self, why: String) {
        self.device.remark(format!("steps are not recorded, and take longer to launch: {why}"));
        self.recordings.refuse(why);
    }

    /// Puts the loss, and the output's gradient where there is a backward pass, into the stream.
    fn score(&mut self, target: Target<'_>) -> anyhow::Result<()> {
        let Target { labels, mixed, smoothing, weights } = target;
        let (n, classes) = (self.n, self.shapes[self.output.index()].len());
        assert_eq!(labels.len(), n, "as many labels as images");
        let second = mixed.map_or(&[][..], |mixed| mixed.labels);
        assert!(mixed.is_none() || second.len() == n, "loss: {} second labels", second.len());
        assert!(weights.is_none_or(|weights| weights.len() == n), "loss: a weight for each image");
        for label in labels.iter().chain(second) {
            assert!((*label as usize) < classes, "loss: label {label} of {classes} classes");
        }
        let begun = timings::begin(&self.timings);
        let LossRoom { labels: first_room, second: second_room, weights: weights_room, space, total } = &self.loss;
        let upload =
            |room: &Buffer, labels: &[u32]| self.device.write(room.first(gpu::DType::U32, labels.len()), labels);
        upload(first_room, labels)?;
        upload(second_room, second)?;
        let weights_room = weights.map(|weights| (weights, weights_room.first(gpu::DType::F32, n)));
        if let Some((weights, room)) = weights_room {
            self.device.write(room, weights)?;
        }
        let rule = match self.options.loss {
            Rule::CrossEntropy => loss::Rule::CrossEntropy,
            rule @ Rule::Binary { .. } => {
                let of = |share| rule.target(share, smoothing, classes);
                let own = mixed.map_or(1.0, |mixed| mixed.own);
                loss::Rule::Binary(loss::Targets { none: of(0.0), all: of(1.0), first: of(own), second: of(1.0 - own) })
            }
        };
        let target = loss::Target {
            rule,
            labels: first_room.first(gpu::DType::U32, n),
            classes,
            smoothing,
            mixed: mixed.map(|mixed| loss::Mixed { labels: second_room.first(gpu::DType::U32, n), own: mixed.own }),
            weights: weights_room.map(|(_, room)| room),
        };
        let logits = self.view(self.values[self.output.index()]);
        let gradient = self.grads[self.output.index()].map(|place| (self.loss_scale / n as f32, self.view(place)));
        let space = space.first(gpu::DType::U32, loss::scratch(n));
        loss::score(&self.device, target, logits, gradient, space, total.view(), false)?;
        self.end(begun, |timings| &mut timings.loss)
    }

    /// Waits for the loss that was last put into the stream.
    fn read_loss(&self) -> anyhow::Result<Loss> {
        let loss::Score { loss, correct, correct_top5 } = loss::read(&self.device, self.loss.total.view())?;
        Ok(Loss { sum: loss, images: self.n, correct: correct as usize, correct_top5: correct_top5 as usize })
    }

    /// Sets the gradient of the output instead of a loss.
    ///
    /// # Errors
    /// Those of the device.
    ///
    /// # Panics
    /// When the tape was made without a backward pass, or the lengths differ.
    pub fn set_output_grad(&mut self, gradient: &[f32]) -> anyhow::Result<()> {
        let place = self.grads[self.output.index()].expect("the tape has a backward pass");
        self.store(place, gradient)
    }

    /// Gradients of all parameters, into those of `params`, on the device: [`Params::home`] brings them to the host.
    ///
    /// # Errors
    /// Those of the device, and of a candle bridge.
    ///
    /// # Panics
    /// When the tape was made without a backward pass.
    pub fn backward(&mut self, params: &mut Params) -> anyhow::Result<()> {
        assert!(self.options.backward, "the tape was made without a backward pass");
        let version = self.versions.of(params.version());
        self.run_backward(params, version)
    }

    /// All layers from the last one on, as [`run_forward`](Self::run_forward).
    fn run_backward(&mut self, params: &mut Params, version: u64) -> anyhow::Result<()> {
        for value in self.taps.iter().map(|tapped| tapped.value).filter(|value| *value != self.output) {
            if let Some(place) = self.grads[value.index()] {
                self.device.zero(self.view(place))?;
            }
        }
        for k in (0..self.ops.len()).rev() {
            for j in 0..self.again[k].len() {
                self.run_layer(params, self.again[k][j], version, true)?;
            }
            self.tap_gradient(ValueId::of_node(k))?;
            if self.wiring[k].output_grad.is_none() {
                continue;
            }
            let begun = timings::begin(&self.timings);
            let room = room!(self, version, params.on_device(&self.device)?);
            let cx = room.cx(&self.wiring[k], self.keys[k], false);
            self.ops[k].backward(&cx).with_context(|| format!("layer `{}`, backward", self.names[k]))?;
            self.end(begun, |timings| &mut timings.backward[k])?;
        }
        self.tap_gradient(ValueId::input())?;
        self.grads_moved(params)
    }

    /// The input's gradient, `(n, h, w, c)`; `None` when it was not asked for.
    ///
    /// # Errors
    /// Those of the device.
    pub fn input_grad(&self) -> anyhow::Result<Option<Vec<f32>>> {
        self.grads[0].map(|place| self.load(place)).transpose()
    }

    fn view(&self, place: Place) -> View<'_> {
        self.memory.view(place, self.n)
    }

    /// What lies at a place, as `f32`.
    fn load(&self, place: Place) -> anyhow::Result<Vec<f32>> {
        Ok(self.device.read_f32(self.view(place))?)
    }

    /// Puts values at a place, rounded to the activations' type.
    fn store(&self, place: Place, values: &[f32]) -> anyhow::Result<()> {
        let to = self.view(place);
        if self.options.dtype == DType::F32 {
            return Ok(self.device.write(to, values)?);
        }
        let wide = self.device.upload(values)?;
        Ok(cast::cast(&self.device, wide.view(), to)?)
    }

    fn observe(&mut self, value: ValueId) -> anyhow::Result<()> {
        let (n, shape, place) = (self.n, self.shapes[value.index()], self.values[value.index()]);
        let Self { taps, memory, device, .. } = self;
        for tapped in taps.iter_mut().filter(|tapped| tapped.value == value) {
            tapped.tap.observe(n, shape, &device.read_f32(memory.view(place, n))?);
        }
        Ok(())
    }

    fn tap_gradient(&mut self, value: ValueId) -> anyhow::Result<()> {
        let Some(to) = self.grads[value.index()] else { return Ok(()) };
        let (n, shape, of) = (self.n, self.shapes[value.index()], self.values[value.index()]);
        let mut taps = std::mem::take(&mut self.taps);
        for tapped in taps.iter_mut().filter(|tapped| tapped.value == value) {
            let mut gradient = self.load(to)?;
            tapped.tap.add_gradient(n, shape, &self.load(of)?, &mut gradient);
            self.store(to, &gradient)?;
        }
        self.taps = taps;
        Ok(())
    }

    /// Where times are kept, a layer's end is waited for.
    fn end(&mut self, begun: Option<Instant>, of: impl FnOnce(&mut Timings) -> &mut Seconds) -> anyhow::Result<()> {
        if begun.is_some() {
            self.device.synchronize()?;
        }
        timings::end(&mut self.timings, begun, of);
        Ok(())
    }
}
