//! The tape against candle's autodiff and against itself: gradients, taps, bridge, memory.

use candle_core::{D, Device, Tensor, Var};
use runner::kernels::activation;
use runner::kernels::pool::Window;
use runner::kernels::pool::average::Average;
use runner::kernels::{DType, Isa};
use runner::nn::layers::{Act, Add, BatchNorm, Concat, ConcatNorm, Conv, Linear, Pool};
use runner::nn::{Bridge, Builder, Graph, Mode, Params, Shape, Tap, Tape, TapeOptions};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Two convolutions, a value that feeds three layers, a residual into a norm, an overlapping max pool, a linear layer.
fn net(act: Act) -> Graph {
    let mut b = Builder::new(Shape::new(9, 7, 3));
    let x = b.input();
    let x = b.add("conv1", Conv::new(6, 3).padding(1).bias(true), &[x]).unwrap();
    let x = b.add("norm1", BatchNorm::new(act), &[x]).unwrap();
    let y = b.add("conv2", Conv::new(6, 3).padding(1), &[x]).unwrap();
    let y = b.add("norm2", BatchNorm::new(act), &[y, x]).unwrap();
    let z = b.add("add", Add::new().act(act), &[x, y]).unwrap();
    let window = Window { kernel: [3; 2], stride: [2; 2], padding: [1; 2] };
    let z = b.add("pool", Pool::Average(Average::Windows(window)), &[z]).unwrap();
    let z = b.add("gap", Pool::global_avg(), &[z]).unwrap();
    let out = b.add("fc", Linear::new(5).scale(0.5), &[z]).unwrap();
    b.finish(out)
}

fn params(graph: &Graph) -> Params {
    Params::new(graph.params(), graph.stats(), 7)
}

fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    (0..len)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        })
        .collect()
}

fn train_options(n: usize, isa: Isa) -> TapeOptions {
    TapeOptions { input_grad: true, ..TapeOptions::train(n, DType::F32, isa) }
}

const N: usize = 4;
const LABELS: [u32; N] = [0, 3, 4, 1];
const SMOOTHING: f32 = 0.2;

/// Loss and gradients by the tape.
fn by_tape(graph: &Graph, params: &mut Params, images: &[f32], isa: Isa) -> (f64, Vec<f32>) {
    let mut tape = Tape::new(graph, params, train_options(8, isa));
    tape.forward(params, images).unwrap();
    let loss = tape.loss(&LABELS, SMOOTHING);
    tape.backward(params).unwrap();
    (loss.sum / N as f64, tape.input_grad().unwrap())
}

/// The same net in candle's operations, which are right for these shapes; statistics of the batch.
struct Twin {
    vars: BTreeMap<String, Var>,
    input: Var,
}

impl Twin {
    fn new(params: &Params, images: &[f32]) -> Self {
        let var = |data: &[f32], shape: &[usize]| Var::from_vec(data.to_vec(), shape, &Device::Cpu).unwrap();
        let vars = params
            .directory()
            .iter()
            .map(|(name, slot)| (name.clone(), var(&params.values()[slot.range.clone()], &slot.shape)))
            .collect();
        Self { vars, input: var(images, &[N, 9, 7, 3]) }
    }

    fn conv(&self, name: &str, x: &Tensor) -> Tensor {
        let y = x.conv2d(&self.vars[&format!("{name}.weight")], 1, 1, 1, 1).unwrap();
        match self.vars.get(&format!("{name}.bias")) {
            Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1)).unwrap()).unwrap(),
            None => y,
        }
    }

    fn norm(&self, name: &str, x: &Tensor) -> Tensor {
        let mean = |t: &Tensor| t.mean_keepdim(0).unwrap().mean_keepdim(2).unwrap().mean_keepdim(3).unwrap();
        let centred = x.broadcast_sub(&mean(x)).unwrap();
        let var = mean(&centred.sqr().unwrap());
        let hat = centred.broadcast_div(&(var + 1e-5).unwrap().sqrt().unwrap()).unwrap();
        let of = |part: &str| self.vars[&format!("{name}.{part}")].reshape((1, (), 1, 1)).unwrap();
        hat.broadcast_mul(&of("weight")).unwrap().broadcast_add(&of("bias")).unwrap()
    }

    fn loss(&self, act: Act) -> Tensor {
        let act = |t: Tensor| activation::reference::apply(act, &t).unwrap();
        let x = self.input.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        let x = act(self.norm("norm1", &self.conv("conv1", &x)));
        let y = act((self.norm("norm2", &self.conv("conv2", &x)) + &x).unwrap());
        let z = act((x + y).unwrap());
        // candle's pooling has no padding: pad, sum windows by a depthwise convolution of ones, divide by all nine taps.
        let ones = (Tensor::ones((6, 1, 3, 3), candle_core::DType::F32, &Device::Cpu).unwrap() / 9.0).unwrap();
        let z = z.conv2d(&ones, 1, 2, 1, 6).unwrap();
        let z = z.mean(D::Minus1).unwrap().mean(D::Minus1).unwrap();
        let logits = (z.matmul(&self.vars["fc.weight"].t().unwrap()).unwrap() * 0.5).unwrap();
        let logits = logits.broadcast_add(&self.vars["fc.bias"]).unwrap();
        let log_p = candle_nn::ops::log_softmax(&logits, 1).unwrap();
        let mut q = vec![SMOOTHING / 5.0; N * 5];
        for (k, label) in LABELS.iter().enumerate() {
            q[k * 5 + *label as usize] += 1.0 - SMOOTHING;
        }
        let q = Tensor::from_vec(q, (N, 5), &Device::Cpu).unwrap();
        ((log_p * q).unwrap().sum_all().unwrap() * (-1.0 / N as f64)).unwrap()
    }
}

fn assert_close(what: &str, ours: &[f32], theirs: &[f32], tolerance: f32) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let scale = theirs.iter().fold(1e-6f32, |m, x| m.max(x.abs()));
    for (k, (a, b)) in ours.iter().zip(theirs).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}[{k}]: {a} against {b} (scale {scale})");
    }
}

#[test]
fn every_gradient_is_that_of_candle() {
    for act in [Act::None, Act::Relu, Act::Gelu] {
        let graph = net(act);
        let images = noise(N * 9 * 7 * 3, 1);
        let twin = Twin::new(&params(&graph), &images);
        let loss = twin.loss(act);
        let grads = loss.backward().unwrap();
        let flat = |var: &Var| grads.get(var).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for isa in Isa::available() {
            let mut params = params(&graph);
            let (ours, input_grad) = by_tape(&graph, &mut params, &images, isa);
            let theirs = f64::from(loss.to_scalar::<f32>().unwrap());
            assert!((ours - theirs).abs() < 1e-5, "{act:?} {isa}: loss {ours} against {theirs}");
            for (name, var) in &twin.vars {
                // A bias before a batch norm has no gradient but rounding.
                let tolerance = if name == "conv1.bias" { continue } else { 2e-4 };
                assert_close(&format!("{act:?} {isa} {name}"), params.grad(name).unwrap(), &flat(var), tolerance);
            }
            assert_close(&format!("{act:?} {isa} input"), &input_grad, &flat(&twin.input), 2e-4);
        }
    }
}

#[test]
fn gradients_do_not_depend_on_what_a_buffer_held() {
    let graph = net(Act::Relu);
    let images = noise(N * 9 * 7 * 3, 1);
    let (mut fresh, mut used) = (params(&graph), params(&graph));
    let isa = Isa::detect().unwrap();
    let (_, expected) = by_tape(&graph, &mut fresh, &images, isa);
    let mut tape = Tape::new(&graph, &used, train_options(8, isa));
    for round in 0..3 {
        // A larger batch of other images first.
        tape.forward(&mut used, &noise(8 * 9 * 7 * 3, 5 + round)).unwrap();
        tape.loss(&[1; 8], 0.0);
        tape.backward(&mut used).unwrap();
    }
    tape.forward(&mut used, &images).unwrap();
    tape.loss(&LABELS, SMOOTHING);
    tape.backward(&mut used).unwrap();
    assert_eq!(used.grads(), fresh.grads());
    assert_eq!(tape.input_grad().unwrap(), expected);
}

#[test]
fn evaluation_uses_running_statistics_and_leaves_them() {
    let graph = net(Act::Relu);
    let mut params = params(&graph);
    let images = noise(N * 9 * 7 * 3, 1);
    let isa = Isa::detect().unwrap();
    let before = params.stats().to_vec();
    by_tape(&graph, &mut params, &images, isa);
    assert_ne!(params.stats(), before, "training moves the running statistics");
    let after = params.stats().to_vec();
    let mut tape = Tape::new(&graph, &params, TapeOptions::evaluate(8, DType::F32, isa));
    tape.forward(&mut params, &images).unwrap();
    let together = tape.output();
    assert_eq!(params.stats(), after);
    // An image's output does not depend on the others in its batch.
    tape.forward(&mut params, &images[..9 * 7 * 3]).unwrap();
    assert_close("alone", &tape.output(), &together[..5], 1e-6);
}

#[test]
fn narrow_activations_stay_near_f32() {
    // Loss, and gradients of the last and an early layer.
    stays_near_f32(DType::Bf16, [0.02, 0.1, 0.2]);
    stays_near_f32(DType::F16, [0.002, 0.01, 0.02]);
}

fn stays_near_f32(dtype: DType, tolerance: [f32; 3]) {
    let graph = net(Act::Gelu);
    let images = noise(N * 9 * 7 * 3, 1);
    let isa = Isa::detect().unwrap();
    let (mut exact, mut rounded) = (params(&graph), params(&graph));
    let (loss, _) = by_tape(&graph, &mut exact, &images, isa);
    let options = TapeOptions { dtype, ..TapeOptions::train(N, DType::F32, isa) };
    let mut tape = Tape::new(&graph, &rounded, options);
    tape.forward(&mut rounded, &images).unwrap();
    let near = tape.loss(&LABELS, SMOOTHING);
    tape.backward(&mut rounded).unwrap();
    assert!((near.sum / N as f64 - loss).abs() < f64::from(tolerance[0]), "{} against {loss}", near.sum / N as f64);
    assert_close("fc.weight", rounded.grad("fc.weight").unwrap(), exact.grad("fc.weight").unwrap(), tolerance[1]);
    assert_close(
        "conv2.weight",
        rounded.grad("conv2.weight").unwrap(),
        exact.grad("conv2.weight").unwrap(),
        tolerance[2],
    );
}

/// Remembers what it saw, and adds a constant gradient.
struct Recorder {
    seen: Arc<Mutex<Vec<f32>>>,
    push: f32,
}

impl Tap for Recorder {
    fn observe(&mut self, _n: usize, _shape: Shape, value: &[f32]) {
        *self.seen.lock().unwrap() = value.to_vec();
    }
    fn add_gradient(&mut self, _n: usize, _shape: Shape, value: &[f32], gradient: &mut [f32]) {
        assert_eq!(value, &self.seen.lock().unwrap()[..], "the value is as it was observed");
        gradient.iter_mut().for_each(|g| *g += self.push);
    }
}

#[test]
fn a_tap_sees_values_and_adds_to_the_gradient() {
    let graph = net(Act::Relu);
    let images = noise(N * 9 * 7 * 3, 1);
    let isa = Isa::detect().unwrap();
    let run = |push: f32| {
        let mut params = params(&graph);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let tap: Box<dyn Tap> = Box::new(Recorder { seen: Arc::clone(&seen), push });
        let taps = BTreeMap::from([(graph.find("norm1").unwrap(), tap)]);
        let mut tape = Tape::with_taps(&graph, &params, train_options(N, isa), taps);
        tape.forward(&mut params, &images).unwrap();
        tape.loss(&LABELS, SMOOTHING);
        tape.backward(&mut params).unwrap();
        (params.grads().to_vec(), tape.input_grad().unwrap(), seen.lock().unwrap().clone())
    };
    let mut plain = params(&graph);
    let (_, plain_input) = by_tape(&graph, &mut plain, &images, isa);
    let (silent, silent_input, seen) = run(0.0);
    assert_eq!(seen.len(), N * 9 * 7 * 6);
    assert!(seen.iter().all(|x| *x >= 0.0) && seen.iter().any(|x| *x > 0.0), "relu's output");
    assert_close("a silent tap changes nothing", &silent_input, &plain_input, 1e-6);
    assert_close("nor the weights' gradients", &silent, plain.grads(), 1e-6);
    // The loss plus 0.1·Σ norm1: what the push adds, candle computes too.
    let twin = Twin::new(&params(&graph), &images);
    let x = twin.input.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
    let value = twin.norm("norm1", &twin.conv("conv1", &x)).relu().unwrap();
    let total = (twin.loss(Act::Relu) + (value.sum_all().unwrap() * 0.1).unwrap()).unwrap();
    let grads = total.backward().unwrap();
    let (pushed, pushed_input, _) = run(0.1);
    let expected = grads.get(&twin.input).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_close("input", &pushed_input, &expected, 2e-4);
    let slot = &params(&graph).directory()["conv1.weight"].range.clone();
    let expected = grads.get(&twin.vars["conv1.weight"]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_close("conv1.weight", &pushed[slot.clone()], &expected, 2e-4);
}

#[test]
fn a_bridge_is_a_layer_like_any_other() {
    let build = |bridged: bool| {
        let mut b = Builder::new(Shape::new(6, 6, 3));
        let x = b.input();
        let x = b.add("conv", Conv::new(4, 3).padding(1), &[x]).unwrap();
        let y = if bridged {
            let same = |shapes: &[Shape]| Ok(shapes[0]);
            b.add("act", Bridge::new("gelu", same, |inputs, _| inputs[0].gelu_erf()), &[x]).unwrap()
        } else {
            b.add("act", Add::new().act(Act::Gelu), &[x]).unwrap()
        };
        let y = b.add("sum", Add::new(), &[x, y]).unwrap();
        let y = b.add("gap", Pool::global_max(), &[y]).unwrap();
        let out = b.add("fc", Linear::new(5), &[y]).unwrap();
        b.finish(out)
    };
    let images = noise(N * 6 * 6 * 3, 3);
    let (kernel, bridge) = (build(false), build(true));
    let (mut a, mut b) = (params(&kernel), params(&bridge));
    let isa = Isa::detect().unwrap();
    let (loss_a, input_a) = by_tape(&kernel, &mut a, &images, isa);
    let (loss_b, input_b) = by_tape(&bridge, &mut b, &images, isa);
    assert!((loss_a - loss_b).abs() < 1e-6);
    assert_close("input", &input_b, &input_a, 1e-4);
    assert_close("weights", b.grads(), a.grads(), 1e-4);
}

#[test]
fn a_tape_takes_any_parameters_of_its_net() {
    let graph = net(Act::Relu);
    let images = noise(N * 9 * 7 * 3, 1);
    let isa = Isa::detect().unwrap();
    let (mut a, mut b) = (params(&graph), Params::new(graph.params(), graph.stats(), 8));
    let mut tape = Tape::new(&graph, &a, TapeOptions::evaluate(8, DType::F32, isa));
    tape.forward(&mut a, &images).unwrap();
    let of_a = tape.output();
    tape.forward(&mut b, &images).unwrap();
    assert_ne!(tape.output(), of_a, "weights packed for one are not taken for the other's");
    tape.forward(&mut a, &images).unwrap();
    assert_eq!(tape.output(), of_a);
}

#[test]
fn branches_beside_the_output_do_not_reach_the_gradient() {
    let build = |beside: bool| {
        let mut b = Builder::new(Shape::new(6, 6, 3));
        let x = b.input();
        let x = b.add("conv", Conv::new(4, 3).padding(1), &[x]).unwrap();
        if beside {
            b.add("unread", Conv::new(4, 3), &[x]).unwrap();
        }
        let y = b.add("gap", Pool::global_avg(), &[x]).unwrap();
        let out = b.add("fc", Linear::new(5), &[y]).unwrap();
        if beside {
            b.add("after", Linear::new(5), &[out]).unwrap();
        }
        b.finish(out)
    };
    let images = noise(N * 6 * 6 * 3, 3);
    let isa = Isa::detect().unwrap();
    let (plain, beside) = (build(false), build(true));
    let (mut a, mut b) = (params(&plain), params(&beside));
    by_tape(&plain, &mut a, &images, isa);
    by_tape(&beside, &mut b, &images, isa);
    for name in ["conv.weight", "fc.weight", "fc.bias"] {
        assert_eq!(a.grad(name), b.grad(name), "{name}");
    }
    assert!(b.grad("unread.weight").unwrap().iter().all(|g| *g == 0.0));
}

#[test]
fn a_wrong_shape_names_the_layer() {
    let mut b = Builder::new(Shape::new(4, 4, 3));
    let x = b.input();
    let error = b.scope("layer1", |b| b.add("conv", Conv::new(8, 7), &[x])).unwrap_err();
    assert_eq!(error.to_string(), "layer `layer1.conv`: a 7×7 kernel does not fit its input of 4×4×3");
}

#[test]
fn memory_is_shared_between_values_that_do_not_live_together() {
    let graph = net(Act::Relu);
    let params = params(&graph);
    let isa = Isa::detect().unwrap();
    let train = Tape::new(&graph, &params, TapeOptions::train(8, DType::F32, isa)).memory_bytes();
    let evaluate = Tape::new(&graph, &params, TapeOptions::evaluate(8, DType::F32, isa)).memory_bytes();
    let mode = TapeOptions { backward: true, mode: Mode::Evaluate, ..TapeOptions::train(8, DType::F32, isa) };
    let frozen = Tape::new(&graph, &params, mode).memory_bytes();
    // Every value in a buffer of its own, and in training every gradient in another.
    let values: usize = (0..graph.nodes().len()).map(|k| graph.node_shape(k).len()).sum();
    let unshared = 8 * 4 * (values + graph.input_shape().len());
    assert!(evaluate < unshared && train < 2 * unshared, "evaluation {evaluate}, training {train} of {unshared}");
    assert!(evaluate < train && frozen <= train, "evaluation {evaluate}, training {train}, frozen {frozen}");
}

/// Without the gradients of weights the input's is what it was, from less memory; and what comes after the last tap is not there.
#[test]
fn a_frozen_net_gives_the_inputs_gradient_alone() {
    let images = noise(N * 9 * 7 * 3, 1);
    for (act, dtype) in [(Act::Relu, DType::F32), (Act::Gelu, DType::F32), (Act::Relu, DType::Bf16)] {
        let whole = net(act);
        let tapped = [whole.find("norm1").unwrap(), whole.find("add").unwrap()];
        let graph = whole.until(&tapped);
        assert_eq!(graph.nodes().last().unwrap().name, "add");
        assert!(graph.params().len() < whole.params().len() && graph.find("pool").is_none());
        for isa in Isa::available() {
            let run = |options: TapeOptions, mut params: Params| {
                let tap =
                    |push| -> Box<dyn Tap> { Box::new(Recorder { seen: Arc::new(Mutex::new(Vec::new())), push }) };
                let taps = BTreeMap::from([(tapped[0], tap(0.3)), (tapped[1], tap(-0.2))]);
                let mut tape = Tape::with_taps(&graph, &params, options, taps);
                // Twice: nothing of a pass may stay.
                for _ in 0..2 {
                    tape.forward(&mut params, &images).unwrap();
                    tape.set_output_grad(&vec![0.0; N * graph.shape(graph.output()).len()]);
                    tape.backward(&mut params).unwrap();
                }
                (tape.input_grad().unwrap(), tape.memory_bytes(), Tape::bytes_for(&graph, options, &tapped))
            };
            let fresh = || Params::new(graph.params(), graph.stats(), 7);
            let trained = TapeOptions { mode: Mode::Evaluate, input_grad: true, ..TapeOptions::train(8, dtype, isa) };
            let (expected, of_trained, _) = run(trained, fresh());
            let (found, of_frozen, foreseen) = run(TapeOptions::frozen(8, dtype, isa), fresh().without_gradients());
            assert!(expected.iter().any(|x| x.abs() > 1e-3));
            assert_eq!(found, expected, "{act:?}, {dtype:?}, {isa}");
            assert!(of_frozen <= of_trained, "{of_frozen} bytes frozen, {of_trained} trained");
            assert!(foreseen >= of_frozen);
        }
    }
}

/// Three steps of growth, as in DenseNet; each begins with a norm of all that is there.
fn growing(concat: bool) -> Graph {
    let mut b = Builder::new(Shape::new(6, 5, 3));
    let x = b.input();
    let mut features = vec![b.add("conv0", Conv::new(7, 3).padding(1), &[x]).unwrap()];
    let norm = |b: &mut Builder, name: &str, features: &[_]| match concat && features.len() > 1 {
        true => {
            let all = b.add(&format!("{name}_concat"), Concat, features).unwrap();
            b.add(name, BatchNorm::new(Act::Relu), &[all]).unwrap()
        }
        false => b.add(name, ConcatNorm::new(BatchNorm::new(Act::Relu)), features).unwrap(),
    };
    for step in 1..=3 {
        let h = norm(&mut b, &format!("norm{step}"), &features);
        features.push(b.add(&format!("conv{step}"), Conv::new(4, 3).padding(1), &[h]).unwrap());
    }
    let x = norm(&mut b, "last", &features);
    let x = b.add("gap", Pool::global_avg(), &[x]).unwrap();
    let out = b.add("fc", Linear::new(5), &[x]).unwrap();
    b.finish(out)
}

#[test]
fn a_norm_of_parts_is_that_of_their_concat_and_copies_nothing() {
    let (slow, fast) = (growing(true), growing(false));
    let images = noise(N * 6 * 5 * 3, 3);
    for isa in Isa::available() {
        for ghost_batch in [None, Some(2)] {
            let options = TapeOptions { ghost_batch, ..train_options(N, isa) };
            let run = |graph: &Graph| {
                let mut params = params(graph);
                let mut tape = Tape::new(graph, &params, options);
                tape.forward(&mut params, &images).unwrap();
                tape.loss(&LABELS, SMOOTHING);
                tape.backward(&mut params).unwrap();
                let mut evaluate = Tape::new(graph, &params, TapeOptions::evaluate(N, DType::F32, isa));
                evaluate.forward(&mut params, &images).unwrap();
                (tape.output(), evaluate.output(), tape.input_grad().unwrap(), params, tape.memory_bytes())
            };
            let (want, got) = (run(&slow), run(&fast));
            let what = format!("{isa} ghosts {ghost_batch:?}");
            assert_close(&format!("{what}: output"), &got.0, &want.0, 1e-5);
            assert_close(&format!("{what}: output in evaluation"), &got.1, &want.1, 1e-5);
            assert_close(&format!("{what}: input gradient"), &got.2, &want.2, 1e-4);
            assert_eq!(got.3.directory(), want.3.directory(), "the same parameters");
            assert_close(&format!("{what}: gradients"), got.3.grads(), want.3.grads(), 1e-4);
            assert_close(&format!("{what}: running statistics"), got.3.stats(), want.3.stats(), 1e-5);
            assert!(got.4 < want.4, "{what}: {} bytes against {}", got.4, want.4);
        }
    }
}
