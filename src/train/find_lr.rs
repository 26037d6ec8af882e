//! Learning-rate range tests: the steps of a training while its rate sweeps.

use super::net;
use super::session::{Job, give_start, loader, passes};
use super::sets::DeviceSets;
use super::state::State;
use super::step::{Stepper, take_step};
use super::{checkpoint, device};
use crate::config::spec::Spec;
use crate::find_lr::{Curve, Sweep};
use crate::plan::Plan;
use anyhow::Context as _;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The weights that a sweep begins with.
pub enum Begin {
    /// Those that a training begins with.
    Fresh,
    /// What a run's checkpoint holds: weights, running statistics, the optimizer's state.
    Checkpoint {
        file: PathBuf,
        /// The run's own. Its net and its rules are those of the sweep too.
        plan: Box<Plan>,
    },
}

/// Takes the steps of `job.plan`, that of a range test ([`Plan::range_test`]), with one seed, until the loss diverges;
/// `watch` is called after each. Writes nothing: what the job and the checkpoint were made of is as before.
///
/// The seed draws the images' order and changes and, of fresh weights, their start.
///
/// # Errors
/// When the checkpoint cannot be used; those of the loader and of a step.
pub fn sweep(job: &Job, begin: &Begin, seed: u64, mut watch: impl FnMut()) -> anyhow::Result<Curve> {
    let (plan, compute) = (&job.plan, &job.machine.compute);
    let spec = &Spec { seed, ..job.spec.clone() };
    device::set_up(compute, spec);
    let mut state = begin_with(job, begin, spec)?;
    let there = compute.device.as_ref().map(|device| DeviceSets::new(device, &job.datasets, plan, 0)).transpose()?;
    let mut sets = there.unwrap_or_default();
    let make = || passes(spec, &job.datasets[0].facts, plan, &plan.at(0), &BTreeSet::new(), &state.params, compute);
    let mut passes = match make() {
        Err(error) if device::is_out_of_memory(&error) && sets.give_up() => make()?,
        made => made?,
    };
    let mut loader = loader(&job.datasets, seed, plan, 0, sets.at_hand());
    let mut sweep = Sweep::new(plan.total_steps as usize);
    for step in plan.steps() {
        let (batch, _) = loader.next_batch()?.context("the loader ended before the sweep")?;
        let stepper = Stepper { spec, plan, state: &mut state, compute, ledger: None, sets: &sets };
        let taken = take_step(stepper, &mut passes, &step, batch)?;
        watch();
        if let Some(curve) = sweep.add(taken.applied.lr, taken.loss().mean(), taken.diverged().is_none()) {
            return Ok(curve);
        }
    }
    anyhow::bail!("a sweep ends with its last step at the latest")
}

/// The state before the first step.
fn begin_with(job: &Job, begin: &Begin, spec: &Spec) -> anyhow::Result<State> {
    let (phase, facts) = (&job.plan.phases[0], &job.datasets[0].facts);
    let mut params = net::fresh_params(spec, facts, phase.size)?;
    let rules = net::rules(spec, facts, phase.size)?;
    match begin {
        Begin::Fresh => {
            give_start(job, &mut params)?;
            Ok(State::new(params, &rules, &phase.optimizer))
        }
        Begin::Checkpoint { file, plan } => {
            let (mut state, _) = checkpoint::load(file, params, &rules, plan)?;
            state.switch_optimizer(&phase.optimizer, phase.handover)?;
            state.lookahead = None;
            state.average = None;
            Ok(state)
        }
    }
}
