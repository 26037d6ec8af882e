//! What the records say of a run that paints.

use super::job::PaintJob;
use super::pictures::PICTURES;
use crate::paint::Objective;
use crate::record::{DatasetFacts, RunFacts};
use crate::train::{chores, net};
use std::collections::BTreeMap;

/// Evaluations of the net in a step.
const EVALUATIONS: &str = "evaluations";

pub(super) fn run_facts(job: &PaintJob) -> anyhow::Result<RunFacts> {
    let (spec, model) = (&job.spec, &job.spec.model);
    let (graph, _) = net::some_of(spec, &job.facts(), job.extent(0))?;
    let extent = job.extent(job.plan.phases.len() - 1);
    let columns = chores::step_columns(spec, &job.plan).into_iter().chain(Objective::names(&job.painting, &graph)?);
    Ok(RunFacts {
        name: spec.name.clone(),
        argv: job.argv.clone(),
        seed: spec.seed,
        spec_hash: job.spec_hash(),
        device: "cpu".to_owned(),
        device_name: None,
        device_versions: BTreeMap::new(),
        instruction_set: job.machine.compute.isa.name().to_owned(),
        threads: job.machine.threads,
        precision: spec.train.precision.word().to_owned(),
        dataset: DatasetFacts {
            name: PICTURES.to_owned(),
            images: job.painting.images() as u64,
            val_images: 0,
            digest: job.pictures.digest().to_owned(),
            stand_in: false,
            stands_in_for: None,
            skipped: 0,
            train_replaced: 0,
            val_left_out: 0,
        },
        further_datasets: Vec::new(),
        last_set_since: 0,
        model: format!("{} + {} + {}", model.stem.kind, model.backbone.kind, model.head.kind),
        outputs: 0,
        parameters: (job.painting.images() * extent.width * extent.height * 3) as u64,
        weights: job.weights.clone(),
        settings: spec.settings(),
        phases: job.plan.phases.len(),
        epochs: job.plan.total_epochs(),
        steps: job.plan.total_steps,
        lr_columns: Vec::new(),
        step_columns: columns.chain([EVALUATIONS.to_owned()]).collect(),
        tta: false,
        average: None,
    })
}
