//! Whole training steps of ResNet-9 on images in memory: ours and candle's own layers, in turn, in one run.
//!
//! ```text
//! cargo bench --bench training_step [-- BATCH [STEPS [CANDLE_STEPS]]]
//! ```
//!
//! Prints images a second, the median of the steps with minimum and maximum, and the ratio of the medians. A step is
//! forward, loss, backward and an SGD-Nesterov update (candle's SGD has no momentum: its update is a plain one).

use candle_core::{D, DType as CandleType, Device, Tensor};
use candle_nn::{BatchNorm, Conv2d, Conv2dConfig, Linear, ModuleT, Optimizer as _, VarBuilder, VarMap};
use runner::config::{self, Text};
use runner::kernels::{DType, Isa};
use runner::model;
use runner::nn::{Params, Shape, Tape, TapeOptions};
use runner::optim::Hypers;
use runner::train::net::parts;
use runner::train::{Optimizers, Rules};
use std::time::Instant;

const SIZE: usize = 32;

/// The parts of the experiment's net do not depend on its data.
const EXPERIMENT: &str = "name = \"step\"\n[data]\ndataset = \"shapes\"\n[model]\nbackbone = \"resnet9\"\n\
    [[phases]]\nsteps = 1\nbatch = 1\noptimizer = { kind = \"sgd\", nesterov = true }\nlr = 0.1\n";

/// Our step, as a closure to call again and again.
fn ours(batch: usize) -> impl FnMut() {
    let isa = Isa::detect().expect("RUNNER_ISA is good");
    let text = Text { name: "step.toml".into(), content: EXPERIMENT.into(), folder: Default::default() };
    let spec = config::read(text, &[]).expect("the experiment is right").spec;
    let graph = model::build(&parts(&spec, 10), Shape::new(SIZE, SIZE, 3)).expect("the parts fit");
    let mut params = Params::new(graph.params(), graph.stats(), 1);
    let mut tape = Tape::new(&graph, &params, TapeOptions::train(batch, DType::F32, isa));
    let mut optimizers = Optimizers::new(&params, &Rules::default(), &spec.phases[0].optimizer);
    let images: Vec<f32> = (0..batch * SIZE * SIZE * 3).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
    let labels: Vec<u32> = (0..batch as u32).map(|k| k % 10).collect();
    let hypers = Hypers { lr: 1e-3, momentum: 0.9, weight_decay: 5e-4, beta: None, share: 1.0 };
    eprintln!("ours: {isa}, {} MiB of activations and gradients", tape.memory_bytes() >> 20);
    move || {
        tape.forward(&mut params, &images).expect("no bridge");
        tape.loss(&labels, 0.0);
        tape.backward(&mut params).expect("no bridge");
        let mut reevaluate = |_: &[f32], _: &mut [f32]| unreachable!("SGD does not re-evaluate");
        optimizers.step(&mut params, isa, 0.0, &[Some(hypers)], &mut reevaluate).expect("SGD does not fail");
    }
}

struct ConvNorm {
    conv: Conv2d,
    norm: BatchNorm,
}

impl ConvNorm {
    fn new(cin: usize, cout: usize, vb: &VarBuilder<'_>) -> candle_core::Result<Self> {
        let config = Conv2dConfig { padding: 1, ..Default::default() };
        Ok(Self {
            conv: candle_nn::conv2d_no_bias(cin, cout, 3, config, vb.pp("conv"))?,
            norm: candle_nn::batch_norm(cout, 1e-5, vb.pp("norm"))?,
        })
    }
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.norm.forward_t(&x.apply(&self.conv)?, true)?.relu()
    }
}

/// candle's step, with the layers that candle-nn offers.
fn candles(batch: usize) -> candle_core::Result<impl FnMut()> {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, CandleType::F32, &Device::Cpu);
    let widths = [(3, 64), (64, 128), (128, 128), (128, 128), (128, 256), (256, 512), (512, 512), (512, 512)];
    let convs: Vec<ConvNorm> = widths
        .iter()
        .enumerate()
        .map(|(k, (cin, cout))| ConvNorm::new(*cin, *cout, &vb.pp(k)))
        .collect::<candle_core::Result<_>>()?;
    let head: Linear = candle_nn::linear_no_bias(512, 10, vb.pp("head"))?;
    let mut sgd = candle_nn::SGD::new(vars.all_vars(), 1e-3)?;
    let images = Tensor::randn(0f32, 1.0, (batch, 3, SIZE, SIZE), &Device::Cpu)?;
    let labels = Tensor::from_vec((0..batch as u32).map(|k| k % 10).collect(), batch, &Device::Cpu)?;
    let mut step = move || -> candle_core::Result<()> {
        let x = convs[0].forward(&images)?;
        let x = convs[1].forward(&x)?.max_pool2d(2)?;
        let x = (&x + convs[3].forward(&convs[2].forward(&x)?)?)?;
        let x = convs[4].forward(&x)?.max_pool2d(2)?;
        let x = convs[5].forward(&x)?.max_pool2d(2)?;
        let x = (&x + convs[7].forward(&convs[6].forward(&x)?)?)?;
        let x = x.flatten_from(2)?.max(D::Minus1)?;
        let loss = candle_nn::loss::cross_entropy(&x.apply(&head)?, &labels)?;
        sgd.backward_step(&loss)
    };
    Ok(move || step().expect("candle trains"))
}

/// Images a second: (median, minimum, maximum).
fn rates(seconds: &mut [f64], batch: usize) -> (f64, f64, f64) {
    seconds.sort_by(f64::total_cmp);
    let rate = |s: f64| batch as f64 / s;
    (rate(seconds[seconds.len() / 2]), rate(seconds[seconds.len() - 1]), rate(seconds[0]))
}

fn timed(step: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    step();
    start.elapsed().as_secs_f64()
}

fn main() -> candle_core::Result<()> {
    let numbers: Vec<usize> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let number = |k: usize, default| numbers.get(k).copied().unwrap_or(default);
    let (batch, steps, candle_steps) = (number(0, 128), number(1, 10), number(2, 3));
    let mut ours = ours(batch);
    ours();
    ours();
    let mut seconds: Vec<f64> = (0..steps).map(|_| timed(&mut ours)).collect();
    let (median, low, high) = rates(&mut seconds, batch);
    println!("ours    resnet9 f32 batch={batch} size={SIZE}: median {median:.1} img/s (min {low:.1}, max {high:.1})");
    if candle_steps > 0 {
        let mut candles = candles(batch)?;
        candles();
        let mut seconds: Vec<f64> = (0..candle_steps).map(|_| timed(&mut candles)).collect();
        let (theirs, low, high) = rates(&mut seconds, batch);
        println!(
            "candle  resnet9 f32 batch={batch} size={SIZE}: median {theirs:.1} img/s (min {low:.1}, max {high:.1})"
        );
        println!("ours / candle: {:.1}", median / theirs);
    }
    Ok(())
}
