//! What a device does before the clock of training runs.

use super::passes::Lesson;
use super::rehearsal::noise;
use super::session::passes;
use crate::config::spec::Spec;
use crate::data::Facts;
use crate::gpu::Error;
use crate::nn::device::Images;
use crate::nn::{Compute, Noise, Params};
use crate::plan::{Plan, StepPlan};
use std::collections::{BTreeMap, BTreeSet};

/// Has a device compute gradients that nobody wants, of noise: for each shape of a batch that the steps from `from` on take. Kernels are
/// loaded then, and libraries choose their algorithms, which is no training: PyTorch's times leave it out as well, where a
/// program compiles or measures (`cudnn.benchmark`) first. The CPU has nothing to prepare, and a device with too little memory for second parameters
/// goes without.
///
/// # Errors
/// Those of the device, but for too little memory.
pub fn warm_up(
    spec: &Spec,
    facts: &Facts,
    plan: &Plan,
    from: u64,
    params: &Params,
    compute: &Compute,
) -> anyhow::Result<()> {
    if compute.device.is_none() {
        return Ok(());
    }
    match run(spec, facts, plan, from, params, compute) {
        Err(error) if matches!(error.downcast_ref(), Some(Error::OutOfMemory { .. })) => {
            log::info!("not warmed up: {error:#}");
            Ok(())
        }
        done => done,
    }
}

fn run(spec: &Spec, facts: &Facts, plan: &Plan, from: u64, params: &Params, compute: &Compute) -> anyhow::Result<()> {
    let mut params = params.clone();
    for (step, shapes) in shapes(plan, from) {
        let mut passes = passes(spec, facts, plan, &step, &params, compute)?;
        for images in shapes {
            let batch = noise(spec, facts, step.size, images);
            let (images, labels) = (Images::Here(&batch.images), &batch.labels[..]);
            passes.gradient(
                &mut params,
                Lesson { images, labels, mixed: None, smoothing: 0.0, noise: Noise::default() },
            )?;
        }
    }
    Ok(())
}

/// How many images pass through the net at a time in the steps from `from` on, with one of the steps for each tape that they need.
fn shapes(plan: &Plan, from: u64) -> Vec<(StepPlan, BTreeSet<usize>)> {
    let mut shapes = BTreeMap::new();
    for step in (from..plan.total_steps).map(|step| plan.at(step)) {
        let (part, size, images) = (plan.phases[step.phase].part(), step.size, step.images);
        let (_, passing) = shapes.entry((size, part)).or_insert_with(|| (step, BTreeSet::new()));
        passing.extend([part.min(images), images % part].into_iter().filter(|images| *images > 0));
    }
    shapes.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Text};
    use crate::data::FactsSource;
    use crate::gpu::Device;
    use crate::gpu::device::Order;
    use crate::kernels::Isa;
    use crate::train::net::fresh_params;

    fn spec() -> Spec {
        let content = "name = 'warm'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = { resnet9 = 2 }\n\
                       [[phases]]\nsteps = 5\nbatch = 4\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n\
                       [[phases]]\nepochs = 1\nbatch = 9\naccumulate = 2\nsize = 16\nlr = 0.1\n\
                       [[phases]]\nsteps = 1\nbatch = 5\naccumulate = 1\nlr = 0.1\n";
        let text = Text { name: "warm.toml".into(), content: content.to_owned(), folder: "".into() };
        config::read(text, &[]).unwrap_or_else(|errors| panic!("{errors}")).spec
    }

    fn facts() -> Facts {
        Facts {
            name: "shapes".to_owned(),
            train_images: 10,
            val_images: 1,
            classes: 4,
            channels: 3,
            size: 8,
            source: FactsSource::Data,
        }
    }

    #[test]
    fn all_shapes_that_are_to_come_are_warmed_up() {
        let plan = Plan::compile(&spec(), &[facts()]).unwrap();
        let found = |from: u64| -> Vec<(usize, Vec<usize>)> {
            shapes(&plan, from).iter().map(|(step, shapes)| (step.size, shapes.iter().copied().collect())).collect()
        };
        let images: Vec<usize> = plan.steps().map(|step| step.images).collect();
        // Phases begin in mid-epoch.
        assert_eq!(images, [4, 4, 2, 4, 4, 2, 9, 1]);
        // Nine images pass as 5 + 4.
        assert_eq!(found(0), [(8, vec![2, 4]), (16, vec![1, 2, 4, 5])]);
        assert_eq!(found(6), [(16, vec![1, 4, 5])]);
        assert_eq!(found(7), [(16, vec![1])]);
        assert_eq!(found(8), []);
    }

    #[test]
    fn parameters_stay_as_they_were() {
        let (spec, facts) = (spec(), facts());
        let plan = Plan::compile(&spec, std::slice::from_ref(&facts)).unwrap();
        let params = fresh_params(&spec, &facts, 8).unwrap();
        let before = params.clone();
        for device in [None, Some(Device::emulated(Order::Descending))] {
            let compute = Compute { isa: Isa::detect().unwrap(), device };
            warm_up(&spec, &facts, &plan, 0, &params, &compute).unwrap();
            assert_eq!((params.values(), params.stats()), (before.values(), before.stats()));
        }
    }
}
