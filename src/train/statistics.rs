//! Running statistics found anew, for weights that no step was taken with.

use super::evaluate::Evaluator;
use super::net;
use super::sets::DeviceSets;
use crate::config::spec::Spec;
use crate::data::augment::chain;
use crate::data::mix::mixer;
use crate::data::{BatchPlan, Dataset, Loader, Training};
use crate::gpu::ops::serve::Pictures;
use crate::nn::{Compute, Executor, Params};
use crate::plan::{Plan, StepPlan};
use std::sync::Arc;

/// The mean over batches of their statistics, each with the weight of its images:
///
/// ```text
/// mean = Σ nᵢ·statisticsᵢ / Σ nᵢ
/// ```
///
/// PyTorch's `update_bn` gives all batches the same weight, a short last one too.
pub struct MeanStatistics {
    mean: Vec<f64>,
    images: f64,
}

impl MeanStatistics {
    /// Of a net with so many.
    pub fn new(len: usize) -> Self {
        Self { mean: vec![0.0; len], images: 0.0 }
    }

    /// Takes in those of a batch, as a tape of [`Mode::Measure`](crate::nn::Mode) left them.
    pub fn add(&mut self, stats: &[f32], images: usize) {
        self.images += images as f64;
        let share = images as f64 / self.images;
        self.mean.iter_mut().zip(stats).for_each(|(mean, new)| *mean += share * (f64::from(*new) - *mean));
    }

    /// Puts the mean in their place.
    pub fn put(&self, stats: &mut [f32]) {
        stats.iter_mut().zip(&self.mean).for_each(|(to, mean)| *to = *mean as f32);
    }
}

/// As `measure` in a training, to the last bit on the host, where no training is under way: `own` is the set of the step's phase.
///
/// # Errors
/// As there.
pub fn measure_alone(
    params: &mut Params,
    spec: &Spec,
    plan: &Plan,
    own: &Arc<Dataset>,
    step: &StepPlan,
    compute: &Compute,
) -> anyhow::Result<()> {
    // The others are not looked at.
    let sets = vec![Arc::clone(own); plan.sets.len()];
    let mut evaluator = Evaluator::new(compute.clone());
    measure(params, spec, plan, (&sets, &DeviceSets::default()), step, compute, &mut evaluator)
}

/// Gives the weights the running statistics that they have on the training images: those of the step's epoch, augmented,
/// mixed and sized as in its phase, in batches that its tape takes. A net without statistics is left as it is. `sets` are those of
/// `datasets` that lie on the device; there the evaluator makes room.
///
/// # Errors
/// Those of the tape and of the loader; when the net cannot be built.
pub fn measure(
    params: &mut Params,
    spec: &Spec,
    plan: &Plan,
    (datasets, sets): (&[Arc<Dataset>], &DeviceSets),
    step: &StepPlan,
    compute: &Compute,
    evaluator: &mut Evaluator,
) -> anyhow::Result<()> {
    if compute.device.is_some() {
        // A card's memory may not hold a third tape.
        evaluator.forget();
    }
    if params.stats().is_empty() {
        return Ok(());
    }
    let phase = &plan.phases[step.phase];
    let (epoch, size, most, set) = (step.epoch, step.size, phase.part(), phase.set);
    let graph = net::graph(spec, &datasets[set].facts, size)?;
    let mut tape = Executor::new(compute, &graph, params, net::measure_options(spec, most, compute.isa))?;
    let augment = vec![chain(&phase.augment)];
    let mix = vec![mixer(&phase.mix_images)];
    let training = Training { datasets: datasets.to_vec(), seed: spec.seed, augment, mix, at_hand: sets.at_hand() };
    let all = datasets[set].train.labels.len();
    let mut loader = Loader::training(training, 0, move |batch| {
        let first = usize::try_from(batch).ok()?.checked_mul(most).filter(|first| *first < all)?;
        Some(BatchPlan { epoch, first, images: most.min(all - first), size, phase: 0, set, pruned: false })
    });
    let (mut mean, mut pictures) = (MeanStatistics::new(params.stats().len()), Pictures::default());
    while let Some((batch, _)) = loader.next_batch()? {
        tape.forward(params, sets.images(batch, &mut pictures))?;
        params.home()?;
        mean.add(params.stats(), batch.labels.len());
    }
    mean.put(params.stats_mut());
    Ok(())
}
