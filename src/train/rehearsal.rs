//! Training steps whose weights nobody wants: to measure how fast they are.

use super::device;
use super::net;
use super::optimizers::Optimizers;
use crate::config::spec::Spec;
use crate::data::mix::Mixed;
use crate::data::{Batch, Facts};
use crate::nn::device::{Images, Target};
use crate::nn::{Compute, Executor, Graph, Loss, Params};
use crate::optim::Hypers;
use crate::units::Seconds;
use std::time::Instant;

/// What every step uses: small enough that noise can be trained on for a while.
const HYPERS: Hypers = Hypers { lr: 1e-3, momentum: 0.9, weight_decay: 5e-4, beta: None, share: 1.0 };

/// The net, the precision and the first optimizer of an experiment.
pub struct Rehearsal {
    pub graph: Graph,
    pub tape: Executor,
    /// Spent in the optimizer since the beginning, or since [`Rehearsal::time_layers`].
    pub update: Seconds,
    params: Params,
    optimizers: Optimizers,
    hypers: Vec<Option<Hypers>>,
    compute: Compute,
}

/// A batch of noise, which tells a net as little as its labels do.
pub fn noise(spec: &Spec, facts: &Facts, size: usize, images: usize) -> Batch {
    let (pixels, classes) = (images * size * size * facts.channels, spec.model.classes.unwrap_or(facts.classes));
    Batch {
        images: (0..pixels).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect(),
        labels: (0..images).map(|k| (k % classes) as u32).collect(),
        size,
        ..Batch::default()
    }
}

impl Rehearsal {
    /// Makes the net, for batches of so many images.
    ///
    /// # Errors
    /// When the net takes no images of that size.
    pub fn new(spec: &Spec, facts: &Facts, size: usize, batch: usize, compute: &Compute) -> anyhow::Result<Self> {
        device::set_up(compute, spec);
        let graph = net::graph(spec, facts, size)?;
        let params = Params::new(graph.params(), graph.stats(), spec.seed);
        let rules = net::rules(spec, facts, size)?;
        Ok(Self {
            tape: Executor::new(compute, &graph, &params, net::train_options(spec, batch, compute.isa))?,
            optimizers: Optimizers::new(&params, &rules, &spec.phases[0].optimizer),
            hypers: vec![Some(HYPERS); 1 + rules.0.len()],
            compute: compute.clone(),
            update: 0.0,
            graph,
            params,
        })
    }

    /// Whether all steps take as long: not those of an optimizer that searches along a line, and so cannot be rehearsed.
    pub fn is_regular(&self) -> bool {
        !self.optimizers.reevaluates()
    }

    /// Forward, loss, backward, update.
    ///
    /// # Errors
    /// Those of a candle bridge; an optimizer that searches along a line.
    pub fn step(&mut self, batch: &Batch) -> anyhow::Result<Loss> {
        let Self { tape, params, .. } = self;
        let mixed = batch.mixed.as_ref().map(Mixed::targets);
        let loss = tape.gradient(
            params,
            Images::Here(&batch.images),
            Target { labels: &batch.labels, mixed, smoothing: 0.0 },
        )?;
        let begun = Instant::now();
        let mut again = |_: &[f32], _: &mut [f32]| -> anyhow::Result<f64> {
            anyhow::bail!("an optimizer that evaluates a batch again takes no fixed time a step")
        };
        self.optimizers.step(params, self.compute.isa, loss.mean(), &self.hypers, &mut again)?;
        if let Some(device) = self.compute.device.as_ref().filter(|_| self.tape.timings().is_some()) {
            // Where layers are timed, so is this: what was asked for has to be done.
            device.synchronize()?;
        }
        self.update += begun.elapsed().as_secs_f64();
        Ok(loss)
    }

    /// Begins to add up where the time goes: [`Executor::timings`], and `update`.
    pub fn time_layers(&mut self) {
        self.tape.time_layers();
        self.update = 0.0;
    }
}
