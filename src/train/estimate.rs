//! How long a training will take, from a few steps of it.

use super::net;
use crate::config::spec::Spec;
use crate::data::Facts;
use crate::kernels::Isa;
use crate::nn::{Tape, TapeOptions};
use crate::plan::Plan;
use crate::units::Seconds;
use std::time::Instant;

/// Images in a measured step, at most: enough to be as fast as larger batches.
const BATCH: usize = 64;
/// Measured steps; the fastest counts.
const STEPS: usize = 3;
/// A step costs about three times its forward pass.
const STEP: f64 = 3.0;

/// Floating-point operations a second that this machine trains the experiment's net with, measured on images of noise at
/// the size of the first phase.
///
/// # Errors
/// When the net cannot be built.
pub fn flops_per_second(spec: &Spec, facts: &Facts, isa: Isa) -> anyhow::Result<f64> {
    let phase = &spec.phases[0];
    let (size, batch) = (phase.size.unwrap_or(facts.size), phase.batch.min(BATCH));
    let graph = net::graph(spec, facts, size)?;
    let mut params = net::fresh_params(spec, facts, size)?;
    let mut tape = Tape::new(&graph, &params, TapeOptions::train(batch, net::dtype(spec), isa));
    let pixels = batch * size * size * facts.channels;
    let images: Vec<f32> = (0..pixels).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
    let labels: Vec<u32> = (0..batch).map(|k| (k % facts.classes) as u32).collect();
    let mut fastest = f64::INFINITY;
    for _ in 0..=STEPS {
        let begun = Instant::now();
        tape.forward(&mut params, &images)?;
        tape.loss(&labels, 0.0);
        tape.backward(&mut params)?;
        fastest = fastest.min(begun.elapsed().as_secs_f64());
    }
    Ok(STEP * graph.flops() as f64 * batch as f64 / fastest)
}

/// Seconds that a training and its evaluations take at that speed: an estimate, for other image sizes and other nets are not
/// equally fast.
///
/// # Errors
/// When the net cannot be built.
pub fn seconds(spec: &Spec, plan: &Plan, facts: &Facts, flops_per_second: f64) -> anyhow::Result<Seconds> {
    let mut flops = 0.0;
    for phase in &plan.phases {
        let forward = net::graph(spec, facts, phase.size)?.flops() as f64;
        let evaluations =
            (phase.first_step..phase.first_step + phase.steps).filter(|step| plan.is_eval_step(*step)).count();
        flops += forward * (STEP * phase.images as f64 + (evaluations * facts.val_images) as f64);
    }
    Ok(flops / flops_per_second)
}
