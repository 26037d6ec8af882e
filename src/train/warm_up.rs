//! What a device does before the clock of training runs.

use super::device::is_out_of_memory;
use super::net;
use super::rehearsal::noise;
use super::session::passes;
use super::sets::DeviceSets;
use super::state::State;
use super::step::{Stepper, lesson, take_step};
use crate::config::spec::Spec;
use crate::data::augment::chain;
use crate::data::mix::mixer;
use crate::data::{Batch, BatchPlan, Dataset, Split};
use crate::gpu::ops::serve::Pictures;
use crate::nn::{Compute, Params};
use crate::plan::{Plan, StepPlan};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Has a device take steps that nobody wants, on noise or on images that lie there: one for each size of image and batch that the steps
/// from `from` on have. Kernels are loaded then, and libraries choose their algorithms, which is no training: PyTorch's times leave it out as well, where a
/// program compiles or measures (`cudnn.benchmark`) first. The CPU has nothing to prepare, and a device with too little memory for
/// second parameters goes without: whether it did not.
///
/// # Errors
/// Those of the device, but for too little memory.
pub fn warm_up(
    spec: &Spec,
    (datasets, sets): (&[Arc<Dataset>], &DeviceSets),
    plan: &Plan,
    from: u64,
    params: &Params,
    compute: &Compute,
) -> anyhow::Result<bool> {
    let Some(device) = &compute.device else { return Ok(true) };
    match device.wake().map_err(Into::into).and_then(|()| run(spec, (datasets, sets), plan, from, params, compute)) {
        Err(error) if is_out_of_memory(&error) => {
            log::info!("not warmed up: {error:#}");
            Ok(false)
        }
        done => done.map(|()| true),
    }
}

fn run(
    spec: &Spec,
    (datasets, sets): (&[Arc<Dataset>], &DeviceSets),
    plan: &Plan,
    from: u64,
    params: &Params,
    compute: &Compute,
) -> anyhow::Result<()> {
    let facts = &datasets[0].facts;
    for (step, batches) in batches(plan, from) {
        let rules = net::rules(spec, facts, step.size)?;
        let mut state = State::new(params.clone(), &rules, &plan.phases[step.phase].optimizer);
        let frozen = state.optimizers.frozen(&plan.frozen_units(&step));
        let mut passes = passes(spec, facts, plan, &step, &frozen, params, compute)?;
        for images in batches {
            let step = StepPlan { images, ..step.clone() };
            let phase = &plan.phases[step.phase];
            let batch = match sets.serve(phase) {
                true => by_number(spec, &datasets[phase.set].train, plan, &step),
                false => noise(spec, facts, step.size, images),
            };
            if state.optimizers.reevaluates() {
                // A line search takes who knows how many passes.
                let mut pictures = Pictures::default();
                passes.gradient(&mut state.params, lesson(spec, &step, &batch, sets.images(&batch, &mut pictures)))?;
                continue;
            }
            let stepper = Stepper { spec, plan, state: &mut state, compute, ledger: None, sets };
            take_step(stepper, &mut passes, &step, &batch)?;
        }
    }
    Ok(())
}

/// A batch of a step by number, of the first images of a set.
fn by_number(spec: &Spec, train: &Split, plan: &Plan, step: &StepPlan) -> Batch {
    let phase = &plan.phases[step.phase];
    let StepPlan { epoch, images, size, .. } = *step;
    let cut = BatchPlan { epoch, first: 0, images, size, phase: step.phase, set: phase.set, pruned: false };
    let indices: Vec<u32> = (0..train.labels.len() as u32).cycle().take(images).collect();
    let mixture = mixer(&phase.mix_images).draw([spec.seed, epoch, step.step], size, images);
    let mut batch = Batch::default();
    batch.fill_by_number(train, &chain(&phase.augment), (spec.seed, step.step), &cut, &indices, mixture);
    batch
}

/// How many images the steps from `from` on take, with one of the steps for each tape that they need.
fn batches(plan: &Plan, from: u64) -> Vec<(StepPlan, BTreeSet<usize>)> {
    let mut tapes = BTreeMap::new();
    for phase in plan.phases.iter().filter(|phase| phase.end() > from) {
        let first = from.max(phase.first_step);
        let step = plan.at(first);
        let tape = (step.size, phase.part(), plan.frozen_units(&step));
        let (_, batches) = tapes.entry(tape).or_insert_with(|| (step, BTreeSet::new()));
        batches.extend(phase.batch_sizes(first - phase.first_step));
    }
    tapes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Text};
    use crate::gpu::Device;
    use crate::gpu::device::Order;
    use crate::kernels::Isa;
    use crate::train::net::fresh_params;
    use crate::train::rehearsal::tests::facts;
    use crate::train::sets::tests::dataset;

    fn spec() -> Spec {
        let content = "name = 'warm'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = { resnet9 = 2 }\n\
                       [[phases]]\nsteps = 5\nbatch = 4\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n\
                       [[phases]]\nepochs = 1\nbatch = 9\naccumulate = 2\nsize = 16\nlr = 0.1\n\
                       [[phases]]\nsteps = 1\nbatch = 5\naccumulate = 1\nlr = 0.1\n";
        let text = Text { name: "warm.toml".into(), content: content.to_owned(), folder: "".into() };
        config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec
    }

    #[test]
    fn all_batches_that_are_to_come_are_warmed_up() {
        let plan = Plan::compile(&spec(), &[facts()]).unwrap();
        let found = |from: u64| -> Vec<(usize, Vec<usize>)> {
            batches(&plan, from).iter().map(|(step, batches)| (step.size, batches.iter().copied().collect())).collect()
        };
        let images: Vec<usize> = plan.steps().map(|step| step.images).collect();
        // Phases begin in mid-epoch.
        assert_eq!(images, [4, 4, 2, 4, 4, 2, 9, 1]);
        assert_eq!(found(0), [(8, vec![2, 4]), (16, vec![1, 2, 9])]);
        assert_eq!(found(6), [(16, vec![1, 9])]);
        assert_eq!(found(7), [(16, vec![1])]);
        assert_eq!(found(8), []);
    }

    #[test]
    fn parameters_stay_as_they_were() {
        let (spec, facts) = (spec(), facts());
        let plan = Plan::compile(&spec, std::slice::from_ref(&facts)).unwrap();
        let params = fresh_params(&spec, &facts, 8).unwrap();
        let before = params.clone();
        let sets = &[Arc::new(Dataset { facts, ..dataset(3) })];
        for device in [None, Some(Device::emulated(Order::Descending))] {
            let there = device.as_ref().map(|device| DeviceSets::new(device, sets, &plan, 0).unwrap());
            assert_eq!(there.as_ref().map_or(0, |there| there.at_hand().len()), usize::from(device.is_some()));
            let compute = Compute { isa: Isa::detect().unwrap(), device };
            for there in [DeviceSets::default(), there.unwrap_or_default()] {
                assert!(warm_up(&spec, (sets, &there), &plan, 0, &params, &compute).unwrap());
            }
            assert_eq!((params.values(), params.stats()), (before.values(), before.stats()));
        }
    }
}
