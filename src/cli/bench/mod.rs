//! `runner bench`.

mod data;
mod layers;
mod measure;
mod nets;

use super::device::{DeviceChoice, instruction_set};
use super::train::start_threads;
use super::{Exit, Failure, Overrides, output, paths, prepare};
use crate::config::spec::{Precision, Spec};
use crate::config::{Loaded, Override};
use crate::data::Facts;
use crate::gpu;
use crate::kernels::{DType, Products, peak};
use crate::nn::{Compute, cost};
use crate::train::Rehearsal;
use crate::train::device::{name_and_versions, remarks};
use crate::train::net::{dtype, parts};
use crate::train::rehearsal::noise;
use crate::units::{self, number};
use data::Pipeline;
use measure::{Images, Rates};
use serde_json::json;
use std::path::PathBuf;

#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  runner bench                                   # ResNet-9, f32, batches of 128, 32 pixels
  runner bench --net wrn22 --precision bf16 --batch 512
  runner bench --net resnet18_imagenet --by-layer
  runner bench --device cuda --precision bf16 --batch 1024
  runner bench --config configs/dawnbench.toml --size 24 --json
  runner bench --data mine.toml --steps 50       # batches alone: reading, decoding, cropping
  runner bench --net resnet18_imagenet --data mine.toml --steps 20      # steps on such batches

A step is forward, loss, backward and update (SGD with Nesterov momentum and weight decay; with --config the \
experiment's first optimizer), on images of noise that stay in memory; with --data on batches as the host makes them while \
training, and the rate is then that of all steps together; of --set what is under `data.` goes to that experiment, the \
rest, and --seed, to the net's. The nets have the names of scripts/torch_throughput.py, which measures PyTorch the same \
way; scripts/bench_against_torch runs both in turn. On a GPU the noise lies there, and a timed step is the mean of twenty \
that are launched one after another, as that script has it.

The percentage counts the multiplications and additions of convolutions and linear layers, as direct products, against \
the most multiply-adds that all threads did in a second just before and after, in a loop in registers: of f32, or of \
pairs of bf16 where activations are bf16 and the CPU has instructions for it (RUNNER_ISA=avx512bf16). Run it on an idle \
machine. On a GPU there is no percentage, but the memory that the net's activations, gradients and scratch were \
planned to have there; parameters, optimizer and libraries come on top.")]
pub struct BenchArgs {
    /// Which net [default: resnet9, but for --data alone]
    #[arg(long, value_name = "NET", value_parser = nets::names())]
    net: Option<String>,
    /// The net, first optimizer and parameter rules of an experiment, in place of --net
    #[arg(long, value_name = "FILE", conflicts_with = "net")]
    config: Option<PathBuf>,
    /// Take images as an experiment's first phase does; without --net and --config prepare batches and train on none
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    #[command(flatten)]
    overrides: Overrides,
    /// Number format of the activations [default: f32, or the experiment's]
    #[arg(long, value_name = "FORMAT", value_parser = clap::builder::PossibleValuesParser::new(Precision::WORDS))]
    precision: Option<String>,
    /// Images a step
    #[arg(long, value_name = "N", default_value_t = 128, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    batch: u32,
    /// Side of the images [default: 32; 128 for resnet18_imagenet, 224 for resnet50; the set's own with --config, the first phase's with --data]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=8192))]
    size: Option<u16>,
    /// Steps that are timed; three more come before them, with --data eight
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Threads to compute with [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Where to compute: auto, cpu, cuda or cuda:N; auto is a GPU where there is one [default: cpu]
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceChoice>,
    /// Show a table of the layers: where the time of a step goes
    #[arg(long, conflicts_with = "json")]
    by_layer: bool,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

/// Measures how fast training steps are.
pub fn run(args: &BenchArgs) -> Result<Exit, Failure> {
    let threads = start_threads(args.threads)?;
    if let (Some(path), false) = (&args.data, args.has_net()) {
        args.no_net()?;
        return data::run(args, path, threads);
    }
    let isa = instruction_set()?;
    let compute = args.device.unwrap_or(DeviceChoice::Cpu).compute(isa)?;
    for remark in remarks(&compute) {
        output::notice(remark);
    }
    // Of this machine's CPU, while nobody else uses it.
    let peak = |products| compute.device.is_none().then(|| peak::flops_per_second(isa, products));
    // What the net's activations are is known later, when a pipeline may be at work.
    let mut possible = vec![Products::of(DType::F32, isa), Products::of(DType::Bf16, isa)];
    possible.dedup();
    let before: Vec<_> = possible.into_iter().map(|products| (products, peak(products))).collect();

    let pipeline = args.data.as_ref().map(|path| Pipeline::open(args, path, &args.overrides_of_data())).transpose()?;
    let loaded = args.loaded(pipeline.as_ref().map(|pipeline| &pipeline.facts))?;
    let facts = match &pipeline {
        Some(pipeline) => vec![pipeline.facts.clone()],
        None => prepare::facts(&loaded.spec)?,
    };
    let (spec, facts) = (&loaded.spec.for_sets(&facts), &facts[0]);
    let usual = || if args.config.is_some() { facts.size } else { nets::size(args.net()) };
    let (size, batch) = match &pipeline {
        Some(pipeline) => (pipeline.size, pipeline.batch),
        None => (args.size.map_or_else(usual, usize::from), args.batch as usize),
    };
    fits(spec, facts)?;
    let data = pipeline.is_some().then(|| facts.name.clone());
    let mut images = match pipeline {
        Some(pipeline) => Images::Pipeline(Box::new(pipeline)),
        None => Images::Noise(Box::new(noise(spec, facts, size, batch))),
    };
    let refused = |error: anyhow::Error| match error.is::<gpu::Error>() {
        true => Failure::Other(error),
        false => Failure::Usage(format!("the net takes no images of {size}×{size}: {error}")),
    };
    let mut rehearsal = Rehearsal::new(spec, facts, size, batch, &compute).map_err(refused)?;
    if let (Some(line), false) = (device_line(&compute), args.json) {
        output::print(&line)?;
    }

    let watch = |step: usize, rate: f64| match args.json {
        true => Ok(()),
        false => output::print(&format!("step {step}: {rate:.1} img/s\n")),
    };
    let rates = measure::rates(&mut rehearsal, &mut images, args.steps as usize, args.by_layer, watch)?;
    drop(images);
    let products = Products::of(dtype(spec), isa);
    let measured = Measured {
        net: if args.config.is_some() { spec.name.clone() } else { args.net().to_owned() },
        data,
        precision: spec.train.precision,
        batch,
        size,
        threads,
        flops: cost::flops(&rehearsal.graph),
        products,
        peak: before
            .into_iter()
            .find(|(of, _)| *of == products)
            .and_then(|(_, before)| Some(before?.max(peak(products)?))),
        memory: measure::peak_memory_mib(),
        device_memory: compute.device.is_some().then(|| {
            let tape = &rehearsal.tape;
            (tape.memory_bytes() + tape.scratch_bytes()) as f64 / MIB
        }),
        recorded_steps: rehearsal.tape.replays(),
        compute,
        rates,
    };
    for remark in measured.compute.device.iter().flat_map(gpu::Device::take_remarks) {
        output::notice(&remark);
    }
    if args.json {
        output::print(&format!("{}\n", measured.json()))?;
        return Ok(Exit::Done);
    }
    if args.by_layer {
        let kinds = parts(spec, facts.classes);
        let title = format!("{} → {} → {}", kinds.stem.kind, kinds.backbone.kind, kinds.head.kind);
        output::print(&format!("\n{title}\n{}\n", layers::table(&rehearsal, spec, &measured)))?;
    }
    output::print(&measured.lines())?;
    Ok(Exit::Done)
}

impl BenchArgs {
    fn has_net(&self) -> bool {
        self.net.is_some() || self.config.is_some() || self.data.is_none()
    }

    fn net(&self) -> &str {
        self.net.as_deref().unwrap_or("resnet9")
    }

    /// Those of `--set` that go to the experiment of `--data`, where the net is another's: that one's own data are not used.
    fn overrides_of_data(&self) -> Vec<Override> {
        self.overrides.list().into_iter().filter(is_of_data).collect()
    }

    /// Sees that nothing is asked for that only a net has.
    fn no_net(&self) -> Result<(), Failure> {
        let asked = [
            ("--precision", self.precision.is_some()),
            ("--device", self.device.is_some()),
            ("--by-layer", self.by_layer),
        ];
        match asked.iter().find(|(_, asked)| *asked) {
            Some((option, _)) => Err(Failure::Usage(format!(
                "{option} means nothing without a net\nhelp: --data alone prepares batches; add --net or --config"
            ))),
            None => Ok(()),
        }
    }

    /// The experiment that holds the net: the file's, or one made around a net of the list. `data`: what it is to take its images from.
    fn loaded(&self, data: Option<&Facts>) -> Result<Loaded, Failure> {
        let mut overrides = self.overrides.list();
        if data.is_some() {
            overrides.retain(|one| !is_of_data(one));
        }
        overrides.extend(self.precision.iter().map(|word| Override::Set(format!("train.precision={word}"))));
        match &self.config {
            Some(path) => paths::load(path, &overrides),
            None => Ok(nets::load(self.net(), data.map_or(nets::CLASSES, |facts| facts.classes), &overrides)?),
        }
    }
}

fn is_of_data(one: &Override) -> bool {
    matches!(one, Override::Set(argument) if argument.starts_with("data."))
}

/// Sees that a net has an output for each class of the images.
fn fits(spec: &Spec, facts: &Facts) -> Result<(), Failure> {
    match spec.model.classes {
        Some(classes) if classes < facts.classes => {
            let (name, has) = (&facts.name, facts.classes);
            Err(Failure::Usage(format!(
                "the net tells {} apart, and `{name}` has {has}\nhelp: --set model.classes={has}",
                units::classes(classes)
            )))
        }
        _ => Ok(()),
    }
}

const MIB: f64 = 1024.0 * 1024.0;

/// `device cuda:0 (NVIDIA H200): driver 13.0, cudnn 9.10.2, cublas 13.0.0`; none for the CPU.
fn device_line(compute: &Compute) -> Option<String> {
    let facts = compute.device.as_ref()?.facts();
    let versions: Vec<String> = facts.versions.iter().map(|(what, version)| format!("{what} {version}")).collect();
    let colon = if versions.is_empty() { "" } else { ": " };
    Some(format!("device {}{colon}{}\n", compute.label(), versions.join(", ")))
}

/// What came out, and what of.
struct Measured {
    net: String,
    /// Where images came from; `None` for noise.
    data: Option<String>,
    precision: Precision,
    batch: usize,
    size: usize,
    threads: usize,
    compute: Compute,
    /// Of convolutions and linear layers, for an image in a whole step.
    flops: u64,
    /// What the convolutions' products are made of.
    products: Products,
    /// Operations a second that the CPU can do with such; `None` where the net is not on it.
    peak: Option<f64>,
    /// The most MiB of the process; `None` where the system does not tell.
    memory: Option<f64>,
    /// MiB on a device as planned: activations, gradients and scratch.
    device_memory: Option<f64>,
    /// Steps, those before the timed ones included, that were taken by running what the device had recorded.
    recorded_steps: u64,
    rates: Rates,
}

impl Measured {
    /// Images a second: of the median step; where batches are made meanwhile, of all steps.
    fn rate(&self) -> f64 {
        if self.data.is_some() { self.rates.all(self.batch) } else { self.rates.median }
    }

    /// Operations a second.
    fn speed(&self) -> f64 {
        self.rate() * self.flops as f64
    }

    fn percent_of_peak(&self) -> Option<f64> {
        self.peak.map(|peak| 100.0 * self.speed() / peak)
    }

    fn json(&self) -> serde_json::Value {
        let tenth = |x: f64| (x * 10.0).round() / 10.0;
        let (name, versions) = name_and_versions(&self.compute);
        let versions = name.is_some().then_some(versions);
        json!({
            "net": self.net,
            "data": self.data,
            "precision": self.precision.word(),
            "batch": self.batch,
            "size": self.size,
            "device": self.compute.name(),
            "device_name": name,
            "device_versions": versions,
            "threads": self.threads,
            "instruction_set": self.compute.isa.name(),
            "images_per_second": tenth(self.rate()),
            "images_per_second_min": tenth(self.rates.min),
            "images_per_second_max": tenth(self.rates.max),
            "percent_of_peak": self.percent_of_peak().map(tenth),
            "peak_memory_mib": self.memory.map(tenth),
            "device_memory_mib": self.device_memory.map(tenth),
            "recorded_steps": self.recorded_steps,
            "waiting_seconds": self.data.is_some().then(|| tenth(self.rates.waited)),
        })
    }

    /// The line of scripts/torch_throughput.py, and what it is held against.
    fn lines(&self) -> String {
        let Self { net, data, precision, batch, size, threads, compute, rates, .. } = self;
        let from = data.as_ref().map_or(String::new(), |name| format!(" data={name}"));
        let waited = match data {
            Some(_) => format!("; waited {:.1} of {:.1} s for images", rates.waited, rates.seconds),
            None => String::new(),
        };
        let which = if data.is_some() { "all steps" } else { "median" };
        let memory = self.memory.map_or("not told by the system".to_owned(), |mib| format!("{mib:.0} MiB"));
        format!(
            "runner {} {} threads={threads} net={net}{from} precision={} batch={batch} size={size}: \
             {which} {:.1} img/s (min {:.1}, max {:.1})\n\
             {}; peak memory {memory}{waited}\n",
            env!("CARGO_PKG_VERSION"),
            compute.name(),
            precision.word(),
            self.rate(),
            rates.min,
            rates.max,
            self.speed_in_words(),
        )
    }

    /// Held against the CPU's peak, or with a device's memory.
    fn speed_in_words(&self) -> String {
        let giga = |x: f64| number((x / 1e8).round() / 10.0);
        let (speed, threads) = (giga(self.speed()), self.threads);
        match self.peak {
            Some(peak) => format!(
                "{:.1} % of the peak: {speed} of {} GFLOP/s ({} multiply-adds in registers, {}, {threads} thread{})",
                100.0 * self.speed() / peak,
                giga(peak),
                match self.products {
                    Products::Single => "f32",
                    Products::Pairs => "bf16",
                },
                self.compute.isa,
                if threads == 1 { "" } else { "s" },
            ),
            None => format!(
                "{speed} GFLOP/s; {:.1} MiB planned on the device for activations, gradients and scratch",
                self.device_memory.unwrap_or_default()
            ),
        }
    }
}
