//! The loop that paints.

use super::pixels::values;
use super::session::PaintSession;
use crate::kernels::reduce;
use crate::optim::Applied;
use crate::paint::Objective;
use crate::plan::StepPlan;
use crate::record::rows::TraceRow;
use crate::record::{Event, Status, StepDone};
use crate::train::chores;
use crate::train::engine::Outcome;
use crate::train::state::State;
use std::time::Instant;

/// Takes all steps that are left.
///
/// # Errors
/// What stops a run other than a signal or divergence. What was recorded is readable then, and the last checkpoint is whole.
pub fn paint(session: &mut PaintSession) -> anyhow::Result<Outcome> {
    session.clock.skip();
    if session.state.progress.step == 0 {
        session.checkpoint()?;
    }
    if let Some(reason) = session.state.progress.ended.clone() {
        return session.finish(Outcome { status: Status::Done, reason });
    }
    let mut current: Option<(usize, Objective)> = None;
    while session.state.progress.step < session.job.plan.total_steps {
        let step = session.job.plan.at(session.state.progress.step);
        if current.as_ref().is_none_or(|(phase, _)| *phase != step.phase) {
            // The old tape's memory goes before the new one's comes.
            drop(current.take());
            current = Some((step.phase, session.begin_phase(&step)?));
        }
        let (_, objective) = current.as_mut().expect("a phase has begun");
        let began = Instant::now();
        let Brushed { loss, grad_norm, applied, values } = brush(session, objective, &step)?;
        session.clock.lap(|spent| &mut spent.train);
        let progress = &mut session.state.progress;
        progress.step += 1;
        progress.images += step.images as u64;
        let row = TraceRow {
            step: step.step,
            epoch: step.epoch,
            phase: step.phase,
            optimizer: progress.optimizer.kind.clone(),
            size: step.size,
            batch: step.images,
            lr: applied.lr,
            momentum: applied.momentum,
            weight_decay: applied.weight_decay,
            loss,
            grad_norm,
            seconds: began.elapsed().as_secs_f64(),
            mix: None,
            beta: None,
            clip_norm: None,
            clip_value: None,
            lookahead_decay: None,
            average_decay: None,
        };
        session.meter.add(&row);
        session.recorder.event(&Event::StepDone(StepDone {
            train_acc: f64::NAN,
            images_per_second: session.meter.images_per_second(),
            seconds_left: session.meter.seconds_left(),
            wait_seconds: 0.0,
            row,
            own_lrs: Vec::new(),
            step_values: values,
        }))?;
        if let Some(outcome) = after_step(session, &step, (loss, grad_norm))? {
            return session.finish(outcome);
        }
    }
    session.finish(Outcome { status: Status::Done, reason: "completed".to_owned() })
}

/// What is due after a step. `Some` where painting ends here.
fn after_step(
    session: &mut PaintSession,
    step: &StepPlan,
    (loss, grad_norm): (f64, f64),
) -> anyhow::Result<Option<Outcome>> {
    for (what, value) in [("loss", loss), ("gradient", grad_norm)] {
        if !value.is_finite() {
            let reason = format!("the {what} is not finite at step {}", step.step);
            return Ok(Some(Outcome { status: Status::Diverged, reason }));
        }
    }
    if !values(&session.state.params).iter().all(|value| value.is_finite()) {
        let reason = format!("the image is not finite after step {}", step.step);
        return Ok(Some(Outcome { status: Status::Diverged, reason }));
    }
    let plan = &session.job.plan;
    let ended = chores::time_is_up(plan, &session.clock.spent);
    let (snapshot, checkpoint) = (plan.is_eval_step(step.step), plan.is_checkpoint_step(step.step));
    if snapshot || step.ends_phase || ended.is_some() {
        session.snapshot(step, loss)?;
    }
    session.state.progress.ended.clone_from(&ended);
    let signal = session.stop.raised();
    if checkpoint || signal.is_some() || ended.is_some() {
        session.checkpoint()?;
    }
    if let Some(reason) = ended {
        return Ok(Some(Outcome { status: Status::Done, reason }));
    }
    let more = session.state.progress.step < session.job.plan.total_steps;
    Ok(signal.filter(|_| more).map(|signal| Outcome { status: Status::Interrupted, reason: signal.to_owned() }))
}

/// What a step gave.
struct Brushed {
    /// Before the step.
    loss: f64,
    grad_norm: f64,
    applied: Applied,
    /// Of the columns that only some runs have.
    values: Vec<f64>,
}

/// The loss, its gradient, and an optimizer's step.
fn brush(session: &mut PaintSession, objective: &mut Objective, step: &StepPlan) -> anyhow::Result<Brushed> {
    let PaintSession { job, state, net, .. } = session;
    let (plan, isa) = (&job.plan, job.machine.compute.isa);
    let len = values(&state.params).len();
    let State { params, optimizers, .. } = state;
    let (values, grads) = params.update();
    let loss = objective.evaluate(net, &values[..len], &mut grads[..len])?;
    let (terms, mut evaluations) = (objective.terms(), 1u64);
    let hypers = plan.unit_hypers(step);
    let grad_norm = reduce::norm(isa, params.grads());
    let clipped = match step.clip.is_none() {
        true => grad_norm,
        false => step.clip.apply(params.grads_mut(), |grads| reduce::norm(isa, grads)),
    };
    let mut again = |values: &[f32], grads: &mut [f32]| {
        evaluations += 1;
        objective.evaluate(net, &values[..len], &mut grads[..len])
    };
    optimizers.step(params, isa, loss, &hypers, &mut again)?;
    let units = state.optimizers.applied();
    let applied = units[0].expect("pixels are never frozen");
    let mut values = plan.step_values(step, &units);
    values.extend(plan.clips().then_some(clipped));
    values.extend(terms);
    values.push(evaluations as f64);
    Ok(Brushed { loss, grad_norm, applied, values })
}
