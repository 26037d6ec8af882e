//! `runner bench --data`: the batches of an experiment, for a net to take steps on, or by themselves.

use super::BenchArgs;
use super::measure::{Rates, peak_memory_mib};
use crate::cli::train::Opened;
use crate::cli::{Exit, Failure, output, paths, prepare};
use crate::config::Override;
use crate::data::augment::chain;
use crate::data::mix::mixer;
use crate::data::{Batch, BatchPlan, Dataset, Facts, Loader, Training};
use crate::record::console::Display;
use anyhow::Context as _;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Batches before the timed ones: those that are ready before anyone asks, and their like.
pub const WARM_UP: usize = 8;

/// The batches that an experiment's first phase takes, or such of another size.
pub struct Pipeline {
    pub facts: Facts,
    pub batch: usize,
    pub size: usize,
    /// Seconds that batches were waited for so far.
    pub waited: f64,
    opening: f64,
    loader: Loader,
}

impl Pipeline {
    /// Opens the experiment's first data set, and prepares batches as long as it lives: up to the last one that is timed and beyond
    /// it, as in the middle of a training.
    pub fn open(args: &BenchArgs, path: &Path, overrides: &[Override]) -> Result<Self, Failure> {
        let loaded = paths::load(path, overrides)?;
        prepare::check(&loaded)?;
        let begun = Instant::now();
        let mut notices = Vec::new();
        let display = if args.json { Display::Json } else { Display::Progress };
        let Opened { loaded, datasets } = Opened::open(&loaded, display, None, &mut notices)?;
        let opening = begun.elapsed().as_secs_f64();
        for notice in &notices {
            output::notice(notice);
        }
        let (spec, set) = (&loaded.spec, &datasets[0]);
        let phase = &spec.phases[0];
        let size = args.size.map_or_else(|| phase.size.unwrap_or(set.facts.size), usize::from);
        let batch = (args.batch as usize).min(set.facts.train_images);
        let training = Training {
            datasets: vec![Arc::clone(set)],
            seed: spec.seed,
            augment: vec![chain(&phase.augment)],
            mix: vec![mixer(&phase.mix_images)],
            at_hand: Vec::new(),
        };
        let loader = Loader::training(training, 0, plan(set, batch, size));
        Ok(Self { facts: set.facts.clone(), batch, size, waited: 0.0, opening, loader })
    }

    /// The next batch.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn next(&mut self) -> anyhow::Result<&Batch> {
        let (batch, waited) = self.loader.next_batch()?.context("no batch came")?;
        self.waited += waited;
        Ok(batch)
    }
}

/// Prepares batches, and counts.
pub fn run(args: &BenchArgs, path: &Path, threads: usize) -> Result<Exit, Failure> {
    let mut pipeline = Pipeline::open(args, path, &args.overrides.list())?;
    let rates = rates(&mut pipeline, args.steps)?;
    let Pipeline { facts: Facts { name, .. }, batch, size, opening, .. } = pipeline;
    let (all, memory) = (rates.all(batch), peak_memory_mib());
    let tenth = |x: f64| (x * 10.0).round() / 10.0;
    let text = match args.json {
        true => json!({
            "data": name,
            "batch": batch,
            "size": size,
            "threads": threads,
            "images_per_second": tenth(all),
            "images_per_second_min": tenth(rates.min),
            "images_per_second_max": tenth(rates.max),
            "opening_seconds": tenth(opening),
            "peak_memory_mib": memory.map(tenth),
        })
        .to_string(),
        false => format!(
            "runner {} data={name} threads={threads} batch={batch} size={size}: {:.1} img/s (batches: median {:.1}, min \
             {:.1}, max {:.1})\nopened in {opening:.1} s; peak memory {}",
            env!("CARGO_PKG_VERSION"),
            all,
            rates.median,
            rates.min,
            rates.max,
            memory.map_or("not told by the system".to_owned(), |mib| format!("{mib:.0} MiB")),
        ),
    };
    output::print(&(text + "\n"))?;
    Ok(Exit::Done)
}

/// Whole batches of one epoch after another, without end.
fn plan(set: &Dataset, batch: usize, size: usize) -> impl Fn(u64) -> Option<BatchPlan> + Send + 'static {
    let an_epoch = (set.facts.train_images / batch) as u64;
    move |step| {
        let (epoch, first) = (step / an_epoch, (step % an_epoch) as usize * batch);
        Some(BatchPlan { epoch, first, images: batch, size, phase: 0, set: 0, pruned: false })
    }
}

/// Warms up, then times batches.
fn rates(pipeline: &mut Pipeline, batches: u32) -> anyhow::Result<Rates> {
    for _ in 0..WARM_UP {
        pipeline.next()?;
    }
    let (mut rates, mut seconds) = (Vec::new(), 0.0);
    for _ in 0..batches {
        let begun = Instant::now();
        let images = pipeline.next()?.labels.len();
        let spent = begun.elapsed().as_secs_f64().max(1e-9);
        seconds += spent;
        rates.push(images as f64 / spent);
    }
    Ok(Rates::of(rates, seconds))
}
