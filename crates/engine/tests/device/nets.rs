//! Nets on a device against the same nets on the host: values, losses, gradients, running statistics. The device is the
//! emulation of the kernels for CUDA, in both orders of threads, or a card, as `scripts/gpu_check` has it.

use crate::{card, noise};
use runner_engine::kernels::loss::{Mixed, Rule};
use runner_engine::kernels::pool::Window;
use runner_engine::kernels::pool::average::{Average, Edge};
use runner_engine::kernels::{DType, Isa};
use runner_engine::nn::device::Images;
use runner_engine::nn::layers::{Act, Add, BatchNorm, Concat, ConcatNorm, Conv, Dropout, Filters, Gate, Linear, Pool};
use runner_engine::nn::{Bridge, Builder, Compute, Executor, Graph, Mode, Noise, Params, Shape, Tap, TapeOptions};
use runner_gpu::Device;
use runner_gpu::device::Order;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const N: usize = 5;

fn host() -> Compute {
    Compute::from(Isa::detect().unwrap())
}

/// The emulation in both orders of threads; where this program has CUDA and the machine a card, that one twice.
fn devices() -> [Compute; 2] {
    let on = |device: Device| Compute { device: Some(device), ..host() };
    match card() {
        Some(card) => [on(card.clone()), on(card)],
        None => [Order::Ascending, Order::Descending].map(|order| on(Device::emulated(order))),
    }
}

/// Of what, got, wanted, within which tolerance.
type Comparison = fn(&str, &[f32], &[f32], f32);

/// All that a step leaves behind.
struct Left {
    losses: Vec<f64>,
    correct: Vec<[usize; 2]>,
    output: Vec<f32>,
    grads: Vec<f32>,
    input_grad: Vec<f32>,
    stats: Vec<f32>,
    /// Bytes of activations and gradients.
    memory: usize,
}

impl Left {
    /// Whether all that was computed is the same to the bit.
    fn is_same(&self, other: &Self) -> bool {
        let Self { losses, correct, output, grads, input_grad, stats, .. } = self;
        (losses, correct) == (&other.losses, &other.correct)
            && [output, grads, input_grad, stats] == [&other.output, &other.grads, &other.input_grad, &other.stats]
    }
}

/// Two steps, of which the first one has another number of images.
fn run(compute: &Compute, graph: &Graph, options: TapeOptions, mixed: bool) -> Left {
    let start = Params::new(graph.params(), graph.stats(), 7);
    let mut params = if options.frozen { start.without_gradients() } else { start };
    // Weights that are not those that start at zero or one.
    let moved = noise(params.values().len(), 5);
    params.values_mut().iter_mut().zip(moved).for_each(|(value, by)| *value += 0.1 * by);
    let mut net = Executor::new(compute, graph, &params, options).unwrap();
    let (mut losses, mut correct) = (Vec::new(), Vec::new());
    let classes = graph.shape(graph.output()).len() as u32;
    for (step, n) in [N - 2, N].into_iter().enumerate() {
        let images = noise(n * graph.input_shape().len(), 3 + step as u32);
        let labels: Vec<u32> = (0..n as u32).map(|k| (k * 3 + 1) % classes).collect();
        let second: Vec<u32> = (0..n as u32).map(|k| (k * 2) % classes).collect();
        let mixed = mixed.then_some(Mixed { labels: &second, own: 0.3 });
        net.set_noise(Noise { seed: 9, step: step as u64, first: 2 });
        net.forward(&mut params, Images::Here(&images)).unwrap();
        let loss = net.loss_of_mixtures(&labels, mixed, 0.1).unwrap();
        losses.push(loss.mean());
        correct.push([loss.correct, loss.correct_top5]);
        if options.backward {
            net.backward(&mut params).unwrap();
        }
    }
    let (input_grad, memory) = (net.input_grad().unwrap().unwrap_or_default(), net.memory_bytes());
    params.home().unwrap();
    let (grads, stats) = (params.grads().to_vec(), params.stats().to_vec());
    Left { losses, correct, output: net.output().unwrap(), grads, input_grad, stats, memory }
}

#[track_caller]
fn close(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    assert_eq!(got.len(), want.len(), "{what}");
    let largest = want.iter().fold(1e-12f32, |most, x| most.max(x.abs()));
    for (k, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= tolerance * largest, "{what}, {k}: {got}, not {want}; the largest is {largest}");
    }
}

/// As `close`, of the lengths of the vectors: a device rounds filters and matrices to the activations' type too, as PyTorch's `autocast`,
/// and the host does not; so a window's maximum or a ReLU's sign is another one here and there.
#[track_caller]
fn near(what: &str, got: &[f32], want: &[f32], tolerance: f32) {
    let length = |x: &mut dyn Iterator<Item = f32>| x.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    assert_eq!(got.len(), want.len(), "{what}");
    let apart = length(&mut got.iter().zip(want).map(|(got, want)| got - want));
    let whole = length(&mut want.iter().copied());
    assert!(apart <= f64::from(tolerance) * whole, "{what}: {apart} apart, of {whole}");
}

/// Holds both against each other in every element type. `tolerance`: of `f32`, relative to the largest value.
#[track_caller]
fn agrees(name: &str, graph: &Graph, options: TapeOptions, tolerance: f32) {
    for (dtype, mixed) in [(DType::F32, false), (DType::F32, true), (DType::Bf16, false), (DType::F16, false)] {
        let options = TapeOptions { dtype, max_batch: N, ..options };
        let want = run(&host(), graph, options, mixed);
        let (close, tolerance): (Comparison, f32) = match dtype {
            DType::Bf16 => (near, 0.15),
            DType::F16 => (near, 0.02),
            _ => (close, tolerance),
        };
        let left = devices().map(|device| run(&device, graph, options, mixed));
        for got in &left {
            let what = |part: &str| format!("{name}, {dtype:?}: {part}");
            close(&what("output"), &got.output, &want.output, tolerance);
            close(&what("gradients"), &got.grads, &want.grads, 2.0 * tolerance);
            close(&what("the input's gradient"), &got.input_grad, &want.input_grad, 2.0 * tolerance);
            close(&what("statistics"), &got.stats, &want.stats, tolerance);
            for (got, want) in got.losses.iter().zip(&want.losses) {
                assert!((got - want).abs() <= f64::from(tolerance) * want.abs().max(1.0), "{name}: {got}, not {want}");
            }
            if dtype == DType::F32 {
                assert_eq!(got.correct, want.correct, "{name}");
            }
        }
        let [a, b] = left;
        assert!(a.is_same(&b), "{name}: the order of threads shows");
        recomputed(name, graph, options, mixed, [&want, &a]);
    }
}

/// Values that are made again are what they were, on the host and on a device: they leave what is left where all are kept.
/// Gives the bytes of activations and gradients of both ways on the host.
#[track_caller]
fn recomputed(name: &str, graph: &Graph, options: TapeOptions, mixed: bool, kept: [&Left; 2]) -> [usize; 2] {
    let options = TapeOptions { recompute: true, ..options };
    let [device, _] = devices();
    let left = [host(), device].map(|compute| run(&compute, graph, options, mixed));
    for (got, want) in left.iter().zip(kept) {
        assert!(got.is_same(want), "{name}, {:?}: what is made again leaves other bytes", options.dtype);
        assert!(got.memory <= want.memory, "{name}: {} bytes, {} where all is kept", got.memory, want.memory);
    }
    [left[0].memory, kept[0].memory]
}

fn train() -> TapeOptions {
    TapeOptions { input_grad: true, ..TapeOptions::train(N, DType::F32, Isa::detect().unwrap()) }
}

/// A value that feeds three layers, a residual into a norm, an overlapping pool, a linear layer.
fn residual(act: Act) -> Graph {
    let mut b = Builder::new(Shape::new(9, 7, 3));
    let x = b.input();
    let x = b.add("conv1", Conv::new(6, 3).padding(1).bias(true), &[x]).unwrap();
    let x = b.add("norm1", BatchNorm::new(act), &[x]).unwrap();
    let y = b.add("conv2", Conv::new(6, 3).padding(1), &[x]).unwrap();
    let y = b.add("norm2", BatchNorm::new(act).frozen_scale(true), &[y, x]).unwrap();
    let z = b.add("add", Add::new().act(act).scale(0.3), &[x, y]).unwrap();
    let window = Window { kernel: [3; 2], stride: [2; 2], padding: [1; 2] };
    let z = b.add("pool", Pool::Average(Average::Windows(window)), &[z]).unwrap();
    let z = b.add("gap", Pool::global_avg(), &[z]).unwrap();
    let out = b.add("fc", Linear::new(7).scale(0.5), &[z]).unwrap();
    b.finish(out)
}

const ACTS: [Act; 7] =
    [Act::None, Act::Relu, Act::Gelu, Act::Silu, Act::Mish, Act::Celu { alpha: 0.3 }, Act::LeakyRelu { slope: 0.1 }];

#[test]
fn residual_nets_with_every_activation() {
    for act in ACTS {
        agrees(&format!("{act:?}"), &residual(act), train(), 2e-5);
    }
}

#[test]
fn evaluation_measuring_ghost_batches_and_frozen_nets() {
    let graph = residual(Act::Relu);
    let isa = Isa::detect().unwrap();
    agrees("evaluation", &graph, TapeOptions::evaluate(N, DType::F32, isa), 2e-5);
    agrees("measuring", &graph, TapeOptions::measure(N, DType::F32, isa), 2e-5);
    agrees("frozen", &graph, TapeOptions::frozen(N, DType::F32, isa), 2e-5);
    agrees("frozen, gelu", &residual(Act::Gelu), TapeOptions::frozen(N, DType::F32, isa), 2e-5);
    let evaluated = TapeOptions { mode: Mode::Evaluate, ..train() };
    agrees("gradients with running statistics", &graph, evaluated, 2e-5);
    agrees("ghost batches", &graph, TapeOptions { ghost_batch: Some(2), ..train() }, 2e-5);
}

#[test]
fn binary_losses() {
    // Of smoothed halves of seven classes 0.28 and 0.64.
    for threshold in [None, Some(0.2), Some(0.5)] {
        let options = TapeOptions { loss: Rule::Binary { threshold }, ..train() };
        agrees(&format!("binary, above {threshold:?}"), &residual(Act::Relu), options, 2e-5);
    }
}

#[test]
fn convolutions_of_every_kind() {
    let convs: [(&str, Conv); 9] = [
        ("1×1", Conv::new(10, 1)),
        ("1×1, stride 2", Conv::new(10, 1).stride(2)),
        ("3×3, stride 2", Conv::new(9, 3).stride(2).padding(1).bias(true)),
        ("7×7, stride 2", Conv::new(4, 7).stride(2).padding(3)),
        ("1×7", Conv::rect(6, [1, 7]).padding_rect([0, 3])),
        ("7×1", Conv::rect(6, [7, 1]).padding_rect([3, 0]).stride_rect([2, 1])),
        ("groups", Conv::new(8, 3).padding(1).groups(2)),
        ("depthwise", Conv::new(4, 3).padding(1).groups(4)),
        ("whitening", Conv::new(8, 2).bias(true).filters(Filters::Whitening { eps: 5e-4, images: 10 })),
    ];
    for (name, conv) in convs {
        let mut b = Builder::new(Shape::new(11, 9, 4));
        let x = b.input();
        let x = b.add("conv", conv, &[x]).unwrap();
        let x = b.add("pool", Pool::global_avg(), &[x]).unwrap();
        let out = b.add("fc", Linear::new(6).bias(false), &[x]).unwrap();
        agrees(name, &b.finish(out), train(), 2e-5);
    }
}

#[test]
fn pools_of_every_kind() {
    let window = Window { kernel: [3, 2], stride: [2, 2], padding: [1, 0] };
    let pools = [
        ("tiles", Pool::max(2)),
        ("overlapping", Pool::Max(window)),
        ("average", Pool::Average(Average::Windows(window))),
        ("average inside", Pool::Average(Average::Inside(window))),
        ("tiles of three", Pool::Average(Average::Tiles { side: 3 })),
        ("adaptive", Pool::Average(Average::Adaptive { side: 4 })),
        ("blur", Pool::Average(Average::Blur { stride: 2, edge: Edge::Mirrored })),
        ("blur in zeros", Pool::Average(Average::Blur { stride: 1, edge: Edge::Zeros })),
        ("largest of all", Pool::global_max()),
        ("mean of all", Pool::global_avg()),
    ];
    for (name, pool) in pools {
        let mut b = Builder::new(Shape::new(9, 8, 5));
        let x = b.input();
        let before = b.add("conv", Conv::new(5, 1), &[x]).unwrap();
        let x = b.add("pool", pool, &[before]).unwrap();
        let x = b.add("more", Add::new().act(Act::Silu), &[x]).unwrap();
        let out = b.add("fc", Linear::new(6), &[x]).unwrap();
        agrees(name, &b.finish(out), train(), 2e-5);
    }
}

#[test]
fn values_side_by_side_gates_and_dropout() {
    let mut b = Builder::new(Shape::new(6, 5, 4));
    let input = b.input();
    let x = b.add("a", Conv::new(3, 3).padding(1), &[input]).unwrap();
    let y = b.add("b", Conv::new(5, 1), &[input]).unwrap();
    let z = b.add("side", ConcatNorm::new(BatchNorm::new(Act::Relu)), &[input, x, y]).unwrap();
    let z = b.add("dropped", Dropout::new(0.3), &[z]).unwrap();
    let w = b.add("wide", Concat, &[x, z, y]).unwrap();
    let g = b.add("squeeze", Pool::global_avg(), &[w]).unwrap();
    let g = b.add("excite", Conv::new(20, 1).bias(true), &[g]).unwrap();
    let w = b.add("gate", Gate, &[w, g]).unwrap();
    let low = b.add("low", Pool::global_avg(), &[w]).unwrap();
    let high = b.add("high", Pool::global_max(), &[w]).unwrap();
    let both = b.add("both", Concat, &[high, low]).unwrap();
    let out = b.add("fc", Linear::new(11), &[both]).unwrap();
    agrees("side by side", &b.finish(out), train(), 2e-5);
}

/// Branches of which some images have none, in blocks with an activation behind the sum and without, of as many values as whole
/// packs hold and of more.
#[test]
fn residual_blocks_that_images_pass_by() {
    for (channels, act) in [(8, Act::Relu), (8, Act::None), (5, Act::Gelu), (5, Act::None)] {
        let mut b = Builder::new(Shape::new(7, 6, 3));
        let input = b.input();
        let mut x = b.add("stem", Conv::new(channels, 3).padding(1), &[input]).unwrap();
        for (name, p) in [("one", 0.3), ("two", 0.6)] {
            x = b.scope(name, |b| {
                let y = b.add("conv", Conv::new(channels, 3).padding(1), &[x]).unwrap();
                let y = b.add("norm", BatchNorm::new(Act::None), &[y]).unwrap();
                let y = b.add("drop_path", Dropout::of_images(p), &[y]).unwrap();
                b.add("add", Add::new().act(act), &[x, y]).unwrap()
            });
        }
        let x = b.add("gap", Pool::global_avg(), &[x]).unwrap();
        let out = b.add("fc", Linear::new(7), &[x]).unwrap();
        let graph = b.finish(out);
        agrees(&format!("drop path, {act:?}"), &graph, train(), 2e-5);
        agrees("drop path, evaluated", &graph, TapeOptions { mode: Mode::Evaluate, ..train() }, 2e-5);
    }
}

/// What has no kernels for devices runs on the host, between a download and an upload.
#[test]
fn a_candle_bridge_works_on_a_device_too() {
    let mut b = Builder::new(Shape::new(6, 6, 3));
    let x = b.input();
    let x = b.add("conv", Conv::new(4, 3).padding(1), &[x]).unwrap();
    let same = |shapes: &[Shape]| Ok(shapes[0]);
    let y = b.add("act", Bridge::new("gelu", same, |inputs, _| inputs[0].gelu_erf()), &[x]).unwrap();
    let y = b.add("sum", Add::new(), &[x, y]).unwrap();
    let y = b.add("gap", Pool::global_max(), &[y]).unwrap();
    let out = b.add("fc", Linear::new(5), &[y]).unwrap();
    agrees("bridge", &b.finish(out), train(), 1e-4);
}

/// Remembers what it saw, and adds a constant gradient.
struct Recorder(Arc<Mutex<Vec<f32>>>);

impl Tap for Recorder {
    fn observe(&mut self, _n: usize, _shape: Shape, value: &[f32]) {
        *self.0.lock().unwrap() = value.to_vec();
    }
    fn add_gradient(&mut self, _n: usize, _shape: Shape, value: &[f32], gradient: &mut [f32]) {
        assert_eq!(value, &self.0.lock().unwrap()[..], "the value is as it was observed");
        gradient.iter_mut().for_each(|g| *g += 0.1);
    }
}

#[test]
fn taps_see_and_push_on_a_device_too() {
    let graph = residual(Act::Relu);
    let images = noise(N * graph.input_shape().len(), 1);
    let run = |compute: &Compute, recompute: bool| {
        let mut params = Params::new(graph.params(), graph.stats(), 7);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let tap: Box<dyn Tap> = Box::new(Recorder(Arc::clone(&seen)));
        let taps = BTreeMap::from([(graph.find("norm1").unwrap(), tap)]);
        let options = TapeOptions { recompute, ..train() };
        let mut net = Executor::with_taps(compute, &graph, &params, options, taps).unwrap();
        net.forward(&mut params, Images::Here(&images)).unwrap();
        net.loss(&[1; N], 0.0).unwrap();
        net.backward(&mut params).unwrap();
        let seen = seen.lock().unwrap().clone();
        params.home().unwrap();
        (seen, params.grads().to_vec(), net.input_grad().unwrap().unwrap())
    };
    let want = run(&host(), false);
    let got = run(&devices()[0], false);
    assert!(run(&host(), true) == want && run(&devices()[0], true) == got, "what is made again shows");
    close("seen", &got.0, &want.0, 1e-5);
    close("gradients", &got.1, &want.1, 2e-5);
    close("the input's gradient", &got.2, &want.2, 2e-5);
}

/// Blocks of all that remembers something of its forward pass, one after the other.
fn deep() -> Graph {
    let same = |shapes: &[Shape]| Ok(shapes[0]);
    let mut b = Builder::new(Shape::new(12, 9, 3));
    let input = b.input();
    let mut x = b.add("stem", Conv::new(6, 3).padding(1).bias(true), &[input]).unwrap();
    for (name, act) in [("one", Act::Relu), ("two", Act::Gelu), ("three", Act::Silu), ("four", Act::Relu)] {
        x = b.scope(name, |b| {
            let y = b.add("norm1", BatchNorm::new(act), &[x]).unwrap();
            let y = b.add("conv1", Conv::new(5, 3).padding(1), &[y]).unwrap();
            let y = b.add("dropped", Dropout::new(0.2), &[y]).unwrap();
            let side = b.add("side", ConcatNorm::new(BatchNorm::new(act)), &[x, y]).unwrap();
            let y = b.add("conv2", Conv::new(6, 1), &[side]).unwrap();
            let g = b.add("squeeze", Pool::global_max(), &[y]).unwrap();
            let g = b.add("excite", Conv::new(6, 1).bias(true), &[g]).unwrap();
            let y = b.add("gate", Gate, &[y, g]).unwrap();
            let y = b.add("drop_path", Dropout::of_images(0.4), &[y]).unwrap();
            let y = b.add("norm2", BatchNorm::new(act), &[y, x]).unwrap();
            let y = b.add("bridge", Bridge::new("relu", same, |inputs, _| inputs[0].relu()), &[y]).unwrap();
            let window = Window { kernel: [3; 2], stride: [1; 2], padding: [1; 2] };
            b.add("pool", Pool::Max(window), &[y]).unwrap()
        });
    }
    let x = b.add("gap", Pool::global_avg(), &[x]).unwrap();
    let out = b.add("fc", Linear::new(7), &[x]).unwrap();
    b.finish(out)
}

#[test]
fn what_is_made_again_is_what_it_was() {
    let graph = deep();
    let isa = Isa::detect().unwrap();
    for (options, name) in [
        (train(), "deep"),
        (TapeOptions { input_grad: false, ghost_batch: Some(2), ..train() }, "deep, ghost batches"),
        (TapeOptions::frozen(N, DType::F32, isa), "deep, frozen"),
        (TapeOptions { mode: Mode::Evaluate, ..train() }, "deep, running statistics"),
    ] {
        for dtype in [DType::F32, DType::Bf16] {
            let options = TapeOptions { dtype, ..options };
            let kept = [host(), devices()[0].clone()].map(|compute| run(&compute, &graph, options, true));
            let [less, all] = recomputed(name, &graph, options, true, [&kept[0], &kept[1]]);
            assert!(5 * less < 3 * all, "{name}: {less} bytes, {all} where all is kept");
        }
    }
}
