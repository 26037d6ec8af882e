//! How long a training will take, from a few steps of it.

use super::net;
use super::rehearsal::{Rehearsal, noise};
use crate::config::spec::Spec;
use crate::data::Facts;
use crate::nn::Compute;
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
/// the size of the first phase. `None` where its optimizer takes no fixed time a step.
///
/// # Errors
/// When the net cannot be built.
pub fn flops_per_second(spec: &Spec, facts: &Facts, compute: &Compute) -> anyhow::Result<Option<f64>> {
    let phase = &spec.phases[0];
    let (size, batch) = (phase.size.unwrap_or(facts.size), phase.batch.div_ceil(phase.accumulate).min(BATCH));
    let mut rehearsal = Rehearsal::new(spec, facts, size, batch, compute)?;
    if !rehearsal.is_regular() {
        return Ok(None);
    }
    let images = noise(spec, facts, size, batch);
    let mut fastest = f64::INFINITY;
    for _ in 0..=STEPS {
        let begun = Instant::now();
        rehearsal.step(&images)?;
        fastest = fastest.min(begun.elapsed().as_secs_f64());
    }
    Ok(Some(STEP * rehearsal.graph.flops() as f64 * batch as f64 / fastest))
}

/// Seconds that a training and its evaluations take at that speed: an estimate, for other image sizes and other nets are not
/// equally fast. `facts`: of each of the plan's sets.
///
/// # Errors
/// When the net cannot be built.
pub fn seconds(spec: &Spec, plan: &Plan, facts: &[Facts], flops_per_second: f64) -> anyhow::Result<Seconds> {
    seconds_before(plan.phases.len(), spec, plan, facts, flops_per_second)
}

/// The same of the phases before one.
///
/// # Errors
/// When the net cannot be built.
pub fn seconds_before(
    phase: usize,
    spec: &Spec,
    plan: &Plan,
    facts: &[Facts],
    flops_per_second: f64,
) -> anyhow::Result<Seconds> {
    let mut flops = 0.0;
    for phase in &plan.phases[..phase] {
        let evaluations = (phase.first_step..phase.end()).filter(|step| plan.is_eval_step(*step)).count();
        let trained_at = forward(phase.size, spec, facts)?;
        let same = phase.eval_size == phase.size;
        let evaluated_at = if same { trained_at } else { forward(phase.eval_size, spec, facts)? };
        flops += trained_at * STEP * phase.images as f64;
        flops += evaluated_at * (evaluations * facts[phase.set].val_images) as f64;
    }
    Ok(flops / flops_per_second)
}

/// Operations of all steps, without evaluations.
///
/// # Errors
/// When the net cannot be built.
pub fn training_flops(spec: &Spec, plan: &Plan, facts: &[Facts]) -> anyhow::Result<f64> {
    plan.phases.iter().map(|phase| Ok(forward(phase.size, spec, facts)? * STEP * phase.images as f64)).sum()
}

/// Operations of an image's forward pass.
fn forward(size: usize, spec: &Spec, facts: &[Facts]) -> anyhow::Result<f64> {
    Ok(net::graph(spec, &facts[0], size)?.flops() as f64)
}
