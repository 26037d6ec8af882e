//! Training steps on a device that are recorded and run again, against the same steps without: the same bytes. The
//! device is the emulation of the kernels for CUDA, which records as a card does.

use crate::noise;
use runner_engine::kernels::loss::{Mixed, Rule};
use runner_engine::kernels::{DType, Isa};
use runner_engine::nn::device::{DeviceCx, DeviceOp, DeviceTape, Images};
use runner_engine::nn::layers::{Act, Add, BatchNorm, Conv, Dropout, Linear, Pool};
use runner_engine::nn::{
    Bridge, Builder, Graph, Layer, Noise, Op, Params, Saves, Shape, Tap, TapeOptions, Target, ValueId,
};
use runner_engine::optim::{DeviceFlat, Hypers, Optimizer, Segment, make};
use runner_engine::registry::{Choice, Value};
use runner_gpu::Device;
use runner_gpu::device::Order;
use std::collections::BTreeMap;

/// Images of a whole batch.
const N: usize = 4;
const CLASSES: usize = 5;

/// Convolutions, norms, a residual, a linear layer.
fn residual() -> Graph {
    let mut b = Builder::new(Shape::new(6, 5, 3));
    let x = b.input();
    let x = b.add("conv1", Conv::new(4, 3).padding(1).bias(true), &[x]).unwrap();
    let x = b.add("norm1", BatchNorm::new(Act::Relu), &[x]).unwrap();
    let y = b.add("conv2", Conv::new(4, 3).padding(1), &[x]).unwrap();
    let y = b.add("norm2", BatchNorm::new(Act::Silu), &[y, x]).unwrap();
    let z = b.add("add", Add::new().act(Act::Relu).scale(0.3), &[x, y]).unwrap();
    let z = b.add("gap", Pool::global_avg(), &[z]).unwrap();
    let out = b.add("fc", Linear::new(CLASSES), &[z]).unwrap();
    b.finish(out)
}

/// What changes parameters after a step.
#[derive(Clone, Copy)]
enum Change {
    Nothing,
    OnHost,
    OnDevice,
}

/// One step.
#[derive(Clone, Copy)]
struct Step {
    images: usize,
    /// Of a mixture.
    share: Option<f32>,
    smoothing: f32,
    loss_scale: f32,
    change: Change,
}

const PLAIN: Step = Step { images: N, share: None, smoothing: 0.1, loss_scale: 1.0, change: Change::OnDevice };

/// A net in training.
struct Training {
    device: Device,
    tape: DeviceTape,
    params: Params,
    optimizer: Box<dyn Optimizer>,
    segments: Vec<Segment>,
    shape: Shape,
    /// Steps so far.
    steps: u32,
    /// All that steps have left, in bits.
    left: Vec<u32>,
}

impl Training {
    fn with_taps(graph: &Graph, device: &Device, dtype: DType, taps: BTreeMap<ValueId, Box<dyn Tap>>) -> Self {
        Self::with_options(graph, device, TapeOptions::train(N, dtype, Isa::detect().unwrap()), taps)
    }

    fn with_options(
        graph: &Graph,
        device: &Device,
        options: TapeOptions,
        taps: BTreeMap<ValueId, Box<dyn Tap>>,
    ) -> Self {
        let params = Params::new(graph.params(), graph.stats(), 7);
        let options = TapeOptions { input_grad: true, ..options };
        let len = params.values().len();
        let decay = Value::Text("coupled".to_owned());
        let sgd = Choice::with("sgd", [("nesterov", Value::Bool(true)), ("decay", decay)]);
        Self {
            tape: DeviceTape::new(device, graph, &params, options, taps).unwrap(),
            params,
            optimizer: make(&sgd, len),
            segments: vec![Segment { name: "all".to_owned(), range: 0..len, shape: vec![len] }],
            shape: graph.input_shape(),
            device: device.clone(),
            steps: 0,
            left: Vec::new(),
        }
    }

    fn new(graph: &Graph, device: &Device, dtype: DType) -> Self {
        Self::with_taps(graph, device, dtype, BTreeMap::new())
    }

    fn images(&self, images: usize) -> Vec<f32> {
        noise(images * self.shape.len(), 3 + self.steps)
    }

    fn keep(&mut self, values: &[f32]) {
        self.left.extend(values.iter().map(|value| value.to_bits()));
    }

    /// A step with other images and labels than those before.
    fn step(&mut self, step: Step) {
        let Step { images: n, share, smoothing, loss_scale, change } = step;
        let images = self.images(n);
        let label = |by: u32| (0..n as u32).map(|k| (k * by + self.steps) % CLASSES as u32).collect::<Vec<_>>();
        let [labels, second] = [3, 2].map(label);
        let mixed = share.map(|own| Mixed { labels: &second, own });
        self.tape.set_noise(Noise { seed: 9, step: u64::from(self.steps), first: 0 });
        self.tape.set_loss_scale(loss_scale);
        let loss = self
            .tape
            .gradient(
                &mut self.params,
                Images::Here(&images),
                Target { labels: &labels, mixed, smoothing, weights: None },
            )
            .unwrap();
        self.steps += 1;
        assert_eq!(loss.images, n);
        self.left.extend([loss.correct as u32, loss.correct_top5 as u32]);
        self.keep(&[loss.sum as f32]);
        self.look();
        match change {
            Change::Nothing => {}
            Change::OnHost => {
                let (values, grads) = self.params.update();
                values.iter_mut().zip(grads).for_each(|(value, by)| *value -= 0.05 / loss_scale * *by);
            }
            Change::OnDevice => {
                // Gradients are home, and there as they were.
                let device = &self.device;
                let there = self.params.on_device(device).unwrap();
                let hypers = Hypers { lr: 0.05, momentum: 0.9, weight_decay: 1e-3, beta: None, share: 1.0 };
                let (params, grads, segments) = (there.values(), there.grads(), &self.segments[..]);
                self.optimizer.step_on_device(DeviceFlat { device, params, grads, segments }, &hypers).unwrap();
                self.params.updated_on_device();
            }
        }
    }

    /// Brings home what a step has left, and keeps it.
    fn look(&mut self) {
        let ahead = self.params.grads_away().expect("a step leaves gradients on the device").ahead();
        assert!(ahead.grads && ahead.stats, "and says so");
        self.params.home().unwrap();
        let [output, input_grad] = [self.tape.output().unwrap(), self.tape.input_grad().unwrap().unwrap()];
        self.keep(&output);
        self.keep(&input_grad);
        for values in [self.params.values().to_vec(), self.params.grads().to_vec(), self.params.stats().to_vec()] {
            self.keep(&values);
        }
    }
}

/// The emulation in both orders of threads; where this program has CUDA and the machine a card, two devices of that card.
fn devices() -> [Device; 2] {
    [Order::Ascending, Order::Descending].map(|order| match Device::cuda(0) {
        Ok(card) => {
            card.set_deterministic(true);
            card.set_strict(true);
            card
        }
        Err(error) => {
            eprintln!("tested by the emulation alone: {error}");
            Device::emulated(order)
        }
    })
}

/// Holds what `train` leaves with recordings against what it leaves without, and gives the number of steps that were
/// recorded work.
#[track_caller]
fn same(what: &str, graph: &Graph, train: impl Fn(&mut Training)) -> u64 {
    let mut counts = Vec::new();
    for dtype in [DType::F32, DType::Bf16] {
        for device in devices() {
            let mut left = Vec::new();
            for graphs in [true, false] {
                device.set_graphs(graphs);
                let mut training = Training::new(graph, &device, dtype);
                train(&mut training);
                assert_eq!(training.tape.replay_refusal(), None, "{what}");
                if graphs {
                    counts.push(training.tape.replays());
                } else {
                    assert_eq!(training.tape.replays(), 0, "{what}");
                }
                assert!(training.left.iter().any(|bits| *bits != 0));
                left.push(training.left);
            }
            assert!(left[0] == left[1], "{what}, {dtype:?}: recorded steps leave other bytes");
        }
    }
    assert!(counts.iter().all(|count| *count == counts[0]));
    counts[0]
}

#[test]
fn recorded_steps_leave_the_same_bytes() {
    // The step that is recorded has the parameters of the one before, of which all is packed: it packs all the same.
    let steps =
        [Change::Nothing, Change::OnHost, Change::OnDevice, Change::Nothing, Change::OnDevice, Change::OnDevice];
    let replays = same("one kind of steps", &residual(), |training| {
        for change in steps {
            training.step(Step { change, ..PLAIN });
        }
    });
    assert_eq!(replays, 4, "all but the first, and the second, which is recorded");
}

/// Layers that run again before they run backward are part of what is recorded.
#[test]
fn recorded_steps_make_values_again_too() {
    for device in devices() {
        let mut left = Vec::new();
        for (graphs, recompute) in [(false, false), (true, true)] {
            device.set_graphs(graphs);
            let options = TapeOptions { recompute, ..TapeOptions::train(N, DType::F32, Isa::detect().unwrap()) };
            let mut training = Training::with_options(&chain(), &device, options, BTreeMap::new());
            (0..5).for_each(|_| training.step(PLAIN));
            assert_eq!(training.tape.replays(), if graphs { 3 } else { 0 });
            left.push((training.tape.memory_bytes(), training.left));
        }
        assert!(left[1].0 < left[0].0, "{} bytes, {} where all is kept", left[1].0, left[0].0);
        assert!(left[1].1 == left[0].1, "other bytes");
    }
}

/// Six convolutions, each with a norm.
fn chain() -> Graph {
    let mut b = Builder::new(Shape::new(8, 8, 3));
    let mut x = b.input();
    for k in 0..6 {
        x = b.add(&format!("conv{k}"), Conv::new(4, 3).padding(1), &[x]).unwrap();
        x = b.add(&format!("norm{k}"), BatchNorm::new(Act::Gelu), &[x]).unwrap();
    }
    let x = b.add("gap", Pool::global_avg(), &[x]).unwrap();
    let out = b.add("fc", Linear::new(CLASSES), &[x]).unwrap();
    b.finish(out)
}

#[test]
fn what_the_loss_is_of_may_change_from_step_to_step() {
    let steps = [
        PLAIN,
        Step { share: Some(0.3), ..PLAIN },
        Step { share: Some(0.8), ..PLAIN },
        Step { loss_scale: 1024.0, change: Change::OnHost, ..PLAIN },
        Step { loss_scale: 64.0, change: Change::OnHost, share: Some(0.5), ..PLAIN },
        Step { smoothing: 0.0, ..PLAIN },
        PLAIN,
    ];
    let replays = same("losses", &residual(), |training| steps.into_iter().for_each(|step| training.step(step)));
    assert_eq!(replays, 5);
}

/// Nor is what binary cross-entropy takes for right part of what is recorded: smoothing and mixtures change it.
#[test]
fn targets_may_change_from_step_to_step() {
    let steps = [
        PLAIN,
        PLAIN,
        Step { smoothing: 0.9, ..PLAIN },
        Step { smoothing: 0.0, share: Some(0.3), ..PLAIN },
        Step { share: Some(0.8), ..PLAIN },
        PLAIN,
    ];
    for (device, threshold) in devices().into_iter().zip([None, Some(0.25)]) {
        let mut left = Vec::new();
        for graphs in [true, false] {
            device.set_graphs(graphs);
            let loss = Rule::Binary { threshold };
            let options = TapeOptions { loss, ..TapeOptions::train(N, DType::F32, Isa::detect().unwrap()) };
            let mut training = Training::with_options(&residual(), &device, options, BTreeMap::new());
            steps.into_iter().for_each(|step| training.step(step));
            assert_eq!(training.tape.replays(), if graphs { 4 } else { 0 });
            left.push(training.left);
        }
        assert!(left[0] == left[1], "recorded steps leave other bytes");
    }
}

#[test]
fn batches_of_other_sizes_are_recorded_by_themselves() {
    let replays = same("short batches", &residual(), |training| {
        for images in [N, N, N, 1, N, 1, 1, 1, N, 2, N] {
            training.step(Step { images, ..PLAIN });
        }
    });
    assert_eq!(replays, 4 + 2);
}

/// What lies packed after recorded work is not what operations packed themselves.
#[test]
fn passes_between_recorded_steps_see_the_parameters_as_they_are() {
    let graph = residual();
    let replays = same("passes in between", &graph, |training| {
        for step in 0..4 {
            training.step(PLAIN);
            let images = training.images(2 + step % 2);
            training.tape.forward(&mut training.params, Images::Here(&images)).unwrap();
            let output = training.tape.output().unwrap();
            training.keep(&output);
        }
        // Another net on the same tape, and the first one again, unchanged since the tape last ran it alone.
        let mut other = Params::new(graph.params(), graph.stats(), 8);
        let images = training.images(N);
        for _ in 0..2 {
            training.tape.forward(&mut training.params, Images::Here(&images)).unwrap();
            for _ in 0..3 {
                std::mem::swap(&mut training.params, &mut other);
                training.step(Step { change: Change::OnHost, ..PLAIN });
                std::mem::swap(&mut training.params, &mut other);
            }
            training.tape.forward(&mut training.params, Images::Here(&images)).unwrap();
            let output = training.tape.output().unwrap();
            training.keep(&output);
        }
    });
    assert_eq!(replays, 2 + 4);
}

#[test]
fn nets_that_come_and_go_leave_recorded_steps_their_memory() {
    let graph = residual();
    let replays = same("nets that come and go", &graph, |training| {
        // More nets than recorded steps that are kept.
        for seed in 0..6 {
            training.params = Params::new(graph.params(), graph.stats(), seed);
            for _ in 0..3 {
                training.step(Step { change: Change::OnHost, ..PLAIN });
            }
        }
    });
    assert!(replays >= 6);
}

#[test]
fn a_device_that_is_told_otherwise_runs_steps_once_by_themselves() {
    let replays = same("settings", &residual(), |training| {
        for _ in 0..2 {
            for _ in 0..3 {
                training.step(PLAIN);
            }
            training.device.set_strict(true);
        }
    });
    assert_eq!(replays, 2);
    let device = &devices()[0];
    let mut training = Training::new(&residual(), device, DType::F32);
    for graphs in [true, true, true, false, true, true, true] {
        device.set_graphs(graphs);
        training.step(PLAIN);
    }
    assert_eq!(training.tape.replays(), 2, "what was recorded before is gone, and recorded anew");
}

/// A convolution, that layer, a mean of all pixels, a linear layer.
fn with(layer: impl Layer + 'static) -> Graph {
    let mut b = Builder::new(Shape::new(6, 5, 3));
    let x = b.input();
    let x = b.add("conv", Conv::new(4, 3), &[x]).unwrap();
    let x = b.add("layer", layer, &[x]).unwrap();
    let x = b.add("gap", Pool::global_avg(), &[x]).unwrap();
    let out = b.add("fc", Linear::new(CLASSES), &[x]).unwrap();
    b.finish(out)
}

#[test]
fn steps_that_draw_or_run_on_the_host_are_never_recorded() {
    let few = |training: &mut Training| (0..4).for_each(|_| training.step(PLAIN));
    assert_eq!(same("dropout", &with(Dropout::new(0.4)), few), 0);
    assert_eq!(same("drop path", &with(Dropout::of_images(0.4)), few), 0);
    assert_eq!(same("dropout of nothing", &with(Dropout::new(0.0)), few), 2);
    let shape = |shapes: &[Shape]| Ok(shapes[0]);
    let bridge = Bridge::new("gelu", shape, |inputs, _| inputs[0].gelu_erf());
    assert_eq!(same("a bridge", &with(bridge), few), 0);
}

/// Counts what it sees.
struct Count(u32);

impl Tap for Count {
    fn observe(&mut self, _n: usize, _shape: Shape, value: &[f32]) {
        self.0 += 1;
        assert!(value.iter().any(|value| *value != 0.0));
    }
    fn add_gradient(&mut self, _n: usize, _shape: Shape, _value: &[f32], gradient: &mut [f32]) {
        gradient.iter_mut().for_each(|gradient| *gradient += self.0 as f32);
    }
}

#[test]
fn steps_that_are_watched_are_not_recorded() {
    let graph = residual();
    let device = &devices()[0];
    let taps: BTreeMap<ValueId, Box<dyn Tap>> =
        BTreeMap::from([(graph.find("norm1").unwrap(), Box::new(Count(0)) as _)]);
    let mut training = Training::with_taps(&graph, device, DType::F32, taps);
    (0..4).for_each(|_| training.step(PLAIN));
    assert_eq!(training.tape.replays(), 0);

    let mut training = Training::new(&graph, device, DType::F32);
    (0..3).for_each(|_| training.step(PLAIN));
    assert_eq!(training.tape.replays(), 1);
    training.tape.time_layers();
    (0..2).for_each(|_| training.step(PLAIN));
    assert_eq!(training.tape.replays(), 1);
    assert!(training.tape.timings().unwrap().forward.iter().all(|seconds| *seconds > 0.0));
}

/// A layer that changes nothing, and waits for the device when it should not: in that pass.
struct Waits {
    forward: bool,
}

impl Layer for Waits {
    fn describe(&self) -> String {
        "waits".to_owned()
    }
    fn output(&self, inputs: &[Shape]) -> Result<Shape, String> {
        Ok(inputs[0])
    }
    fn saves(&self, _: usize) -> Saves {
        Saves::default()
    }
    fn prepare(&self, _inputs: &[Shape], _options: &TapeOptions) -> Box<dyn Op> {
        unreachable!("it is for devices")
    }
    fn on_device(&self, _: &[Shape], _: &TapeOptions, _: &Device) -> anyhow::Result<Option<Box<dyn DeviceOp>>> {
        Ok(Some(Box::new(WaitsOp { forward: self.forward })))
    }
}

struct WaitsOp {
    forward: bool,
}

impl DeviceOp for WaitsOp {
    fn forward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        if self.forward {
            cx.device.synchronize()?;
        }
        Ok(cx.device.copy(cx.input(0), cx.output())?)
    }

    fn backward(&mut self, cx: &DeviceCx<'_>) -> anyhow::Result<()> {
        if !self.forward {
            cx.device.synchronize()?;
        }
        let to = cx.input_grad(0).expect("the convolution before wants it");
        assert!(!to.add);
        Ok(cx.device.copy(cx.output_grad(), to.to)?)
    }
}

#[test]
fn what_cannot_be_recorded_is_done_without_and_the_reason_is_kept() {
    for forward in [true, false] {
        let graph = with(Waits { forward });
        for dtype in [DType::F32, DType::Bf16] {
            let device = &devices()[0];
            let left = [true, false].map(|graphs| {
                device.set_graphs(graphs);
                let mut training = Training::new(&graph, device, dtype);
                (0..4).for_each(|_| training.step(PLAIN));
                assert_eq!(training.tape.replays(), 0);
                let reason = training.tape.replay_refusal().unwrap_or_default();
                let told = reason.contains("layer `layer`") && reason.contains("cannot be recorded");
                assert_eq!(told, graphs, "{reason}");
                training.left
            });
            assert!(left[0] == left[1]);
        }
    }
}
