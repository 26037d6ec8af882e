//! The training loop.

use super::device::is_out_of_memory;
use super::evaluate::{Evaluation, Evaluator};
use super::session::Session;
use super::state::Window;
use super::statistics;
use super::step::{Taken, take_step};
use super::watch::Watch;
use crate::average::Statistics;
use crate::config::spec::{Tta, TtaAt};
use crate::nn::Params;
use crate::optim::Applied;
use crate::plan::{Plan, StepPlan};
use crate::record::folder::file;
use crate::record::rows::MetricsRow;
use crate::record::{Event, Status};
use crate::units::Seconds;
use std::time::Instant;

/// So long a device may be at work on steps that nobody has read the losses of.
const UNREAD: Seconds = 0.25;

/// How a training ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub status: Status,
    /// In a few words: `completed`, `SIGTERM`, `the loss is not finite at step 12`.
    pub reason: String,
}

/// Takes all steps that are left, evaluating and writing checkpoints on the way.
///
/// # Errors
/// What stops a run other than a signal or divergence: a disk, the loader. What was recorded is readable then, and the
/// last checkpoint is whole.
pub fn train(session: &mut Session) -> anyhow::Result<Outcome> {
    session.clock.skip();
    if session.state.progress.step == 0 {
        session.checkpoint()?;
    }
    if let Some(reason) = session.state.progress.ended.clone() {
        // Stopped by a rule, and killed before its end was written down.
        return session.finish(Outcome { status: Status::Done, reason });
    }
    session.prepare_device()?;
    session.clock.skip();
    let mut at_hand = session.sets.at_hand();
    let mut loader = session.loader(session.state.progress.step);
    // The epoch, of a set, that the loader was told what it serves of.
    let mut selected: Option<(usize, u64)> = None;
    let mut launched = Launches::new();
    // The phase that has begun, and what of the net is frozen in it.
    let mut begun: Option<(usize, Vec<bool>)> = None;
    let mut next = session.state.progress.step;
    while next < session.plan.total_steps {
        let step = session.plan.at(next);
        let frozen = session.plan.frozen_units(&step);
        let begins = begun.as_ref().is_none_or(|(phase, _)| *phase != step.phase);
        if begins {
            // Before the phase's own optimizer takes over.
            session.keep_beginning(&step)?;
        }
        let first = begun.is_none();
        if begins || begun.as_ref().is_some_and(|(_, before)| *before != frozen) {
            // The old tape's memory goes before the new one's comes.
            session.passes = None;
            if begins {
                session.begin_phase(&step)?;
            }
        }
        session.prepare(&step, &frozen, begins)?;
        begun = Some((step.phase, frozen));
        if at_hand != session.sets.at_hand() {
            loader = session.loader(next);
            (at_hand, selected) = (session.sets.at_hand(), None);
        }
        let phase = &session.plan.phases[step.phase];
        let epoch = (phase.set, step.epoch);
        if phase.prune_images.is_some() && selected != Some(epoch) {
            // It is chosen by the losses of the steps before.
            if let Some(outcome) = settle(session, &mut launched)? {
                return session.finish(outcome);
            }
            session.select(&loader, &step);
            selected = Some(epoch);
        }
        if first {
            // Loading before the first step is not training.
            loader.wait_for_next();
            session.clock.skip();
        }

        launched.begin();
        let (batch, waited) = match loader.next_batch() {
            Ok(Some(batch)) => batch,
            none => {
                // The steps before it were taken.
                if let Some(outcome) = settle(session, &mut launched)? {
                    return session.finish(outcome);
                }
                none?;
                anyhow::bail!("the loader ended before training");
            }
        };
        let damaged = batch.damaged.clone();
        let remembered = session.plan.remembers_losses(&step).then(|| batch.shown.clone());
        let (stepper, passes) = session.stepper();
        let taken = take_step(stepper, passes, &step, batch)?;
        session.clock.spent.data_wait += waited;
        session.clock.lap(|spent| &mut spent.train);
        next += 1;
        let stays = !taken.is_settled();
        launched.steps.push(Launched { step, taken, waited, damaged, remembered });
        if stays && launched.may_grow(session) {
            continue;
        }
        if let Some(outcome) = settle(session, &mut launched)? {
            return session.finish(outcome);
        }
    }
    session.keep_end()?;
    session.finish(Outcome { status: Status::Done, reason: "completed".to_owned() })
}

/// A step whose numbers may still be on their way.
struct Launched {
    step: StepPlan,
    taken: Taken,
    waited: Seconds,
    /// Images in whose place it took others: see [`Batch::damaged`](crate::data::Batch::damaged).
    damaged: Vec<u32>,
    /// Its images, where their losses are remembered.
    remembered: Option<Vec<u32>>,
}

/// Steps since numbers were last read: on the host, which knows them at once, one.
struct Launches {
    steps: Vec<Launched>,
    began: Instant,
    /// How many there may be. A device does them long after they were launched, so their time is known when they were read.
    most: usize,
}

impl Launches {
    fn new() -> Self {
        Self { steps: Vec::new(), began: Instant::now(), most: 1 }
    }

    /// Steps took so long each: there may be twice as many the next time, if that is not for too long.
    fn took(&mut self, seconds: Seconds) {
        let fit = UNREAD / seconds.max(1e-6);
        self.most = (fit as usize).min(2 * self.most).max(1);
    }

    /// A step begins.
    fn begin(&mut self) {
        if self.steps.is_empty() {
            self.began = Instant::now();
        }
    }

    /// Whether one more step may be launched before the numbers of these are read: nothing is due after the last of them,
    /// and whoever watches is not kept waiting.
    fn may_grow(&self, session: &Session) -> bool {
        let Some(Launched { step, .. }) = self.steps.last() else { return true };
        let plan = &session.plan;
        let is_due = plan.is_eval_step(step.step)
            || plan.is_checkpoint_step(step.step)
            || step.step + 1 == plan.total_steps
            || plan.at(step.step + 1).phase != step.phase
            || session.stop.raised().is_some()
            || session.time_is_up().is_some();
        !is_due && session.ledger_has_room(step.phase) && self.steps.len() < self.most
    }
}

/// Reads the numbers of launched steps, records them, and does what is due after each. `Some` where training ends.
fn settle(session: &mut Session, launched: &mut Launches) -> anyhow::Result<Option<Outcome>> {
    let steps = std::mem::take(&mut launched.steps);
    if steps.is_empty() {
        return Ok(None);
    }
    let read = session.read_ledger()?;
    session.clock.lap(|spent| &mut spent.train);
    let (mut read, count) = (read.into_iter(), steps.len());
    let seconds = launched.began.elapsed().as_secs_f64() / count as f64;
    launched.took(seconds);
    for (k, Launched { step, mut taken, waited, damaged, remembered }) in steps.into_iter().enumerate() {
        if !taken.is_settled() {
            taken.settle(read.next().expect("a step left its numbers"));
        }
        // Steps behind one that diverged were launched before anybody knew: they are not part of the run.
        let (progress, set) = (&mut session.state.progress, session.plan.phases[step.phase].set);
        progress.step += 1;
        progress.images += step.images as u64;
        progress.note_damaged(set, &damaged);
        progress.window.add(&taken.loss());
        if let (Some(images), Some(losses)) = (remembered, taken.take_losses()) {
            session.remember(&step, &images, &losses);
        }
        let progress = &session.state.progress;
        let row = taken.row(&step, progress.optimizer.kind.clone(), seconds);
        session.step_done(row, taken.own_lrs.clone(), taken.step_values.clone(), waited)?;
        if let Some(outcome) = diverged(session, &step, &taken) {
            return Ok(Some(outcome));
        }
        if k + 1 == count {
            return after_step(session, &step, &taken);
        }
    }
    Ok(None)
}

/// Whether training has diverged with a step.
fn diverged(session: &mut Session, step: &StepPlan, taken: &Taken) -> Option<Outcome> {
    let reason = match taken.diverged() {
        Some(what) => Some(format!("the {what} is not finite at step {}", step.step)),
        None => session.watch_loss(step, taken.loss().mean()),
    };
    reason.map(|reason| Outcome { status: Status::Diverged, reason })
}

/// What is due after a step that did not diverge: stop rules, evaluation, checkpoint. `Some` where training ends here.
fn after_step(session: &mut Session, step: &StepPlan, taken: &Taken) -> anyhow::Result<Option<Outcome>> {
    let phase = &session.plan.phases[step.phase];
    if session.spec.record.phases && step.step + 1 == phase.end() {
        session.keep_model(&file::model_of_phase(step.phase), step)?;
    }
    let mut ended = session.time_is_up();
    if ended.is_some() {
        session.end_early()?;
    }
    if ended.is_some() || session.plan.is_eval_step(step.step) {
        let row = evaluate_and_record(session, step, &taken.applied, ended.is_some())?;
        if !row.val_loss.is_finite() {
            // The last update ruined the weights: no later loss would tell.
            let reason = format!("the validation loss is not finite after step {}", step.step);
            return Ok(Some(Outcome { status: Status::Diverged, reason }));
        }
        let Session { state, plan, .. } = &mut *session;
        ended = ended.or(ended_by(plan, &mut state.progress.watch, &row));
    }
    session.state.progress.ended = ended.clone();
    let signal = session.stop.raised();
    if signal.is_some() || ended.is_some() || session.plan.is_checkpoint_step(step.step) {
        session.checkpoint()?;
    }
    if let Some(reason) = ended {
        return Ok(Some(Outcome { status: Status::Done, reason }));
    }
    let more = session.state.progress.step < session.plan.total_steps;
    Ok(signal.filter(|_| more).map(|signal| Outcome { status: Status::Interrupted, reason: signal.to_owned() }))
}

/// Why the stop rules end training with an evaluation, if they do. What was evaluated on other images than the last ones
/// cannot be compared with what is to come, so they look away.
fn ended_by(plan: &Plan, watch: &mut Watch, row: &MetricsRow) -> Option<String> {
    if row.phase < plan.last_set_since() { None } else { watch.ended(&plan.stop, row) }
}

/// Evaluates and adds the row to `metrics.csv`. `ends`: training is known to end here, before its plan does.
fn evaluate_and_record(
    session: &mut Session,
    step: &StepPlan,
    applied: &Applied,
    ends: bool,
) -> anyhow::Result<MetricsRow> {
    session.clock.lap(|spent| &mut spent.train);
    let before = session.clock.spent.eval;
    let is_last = ends || step.step + 1 == session.plan.total_steps;
    let mut found = evaluate(session, step, is_last, None)?;
    let mut row = metrics_row(session, step, applied, &found);
    let mut watch = session.state.progress.watch.clone();
    if !is_last && ended_by(&session.plan, &mut watch, &row).is_some() {
        // The last evaluation after all: it has all that the last one is to have.
        found = evaluate(session, step, true, Some(found))?;
        row = metrics_row(session, step, applied, &found);
    }
    let set = session.plan.phases[step.phase].set;
    session.state.progress.note_left_out(set, found.model.left_out);
    session.tell_damaged()?;
    session.state.progress.window = Window::default();
    row.eval_seconds = session.clock.spent.eval - before;
    session.recorder.event(&Event::Evaluated(row.clone()))?;
    // A run that goes on from before it evaluates once more, and keeps the same.
    if session.spec.record.best && session.recorder.best_step() == Some(row.step) {
        session.keep_model(file::BEST_MODEL, step)?;
    }
    Ok(row)
}

/// What an evaluation found of the model and, where there are any, of the averaged weights.
#[derive(Clone, Copy)]
struct Found {
    model: Evaluation,
    averaged: Option<Evaluation>,
}

/// Evaluates; where a device's memory is too small for that beside what steps are taken with, in the place of these, which are made
/// again, and at last in that of images. `before`: what was found while the evaluation was not known to be the last one.
fn evaluate(session: &mut Session, step: &StepPlan, is_last: bool, before: Option<Found>) -> anyhow::Result<Found> {
    loop {
        match evaluated(session, step, is_last, before) {
            Err(error)
                if is_out_of_memory(&error) && (session.passes.take().is_some() || session.give_up_images()?) => {}
            found => return found,
        }
    }
}

/// The validation images of the phase's set, at the size that its phase has for them.
fn evaluated(session: &mut Session, step: &StepPlan, is_last: bool, before: Option<Found>) -> anyhow::Result<Found> {
    session.find_mean(step)?;
    let Session { spec, plan, state, evaluator, recorder, clock, datasets, sets, compute, mean, .. } = &mut *session;
    let phase = &plan.phases[step.phase];
    let dataset = &datasets[phase.set];
    let tta_if = |is_last| if spec.train.tta_at == TtaAt::Every || is_last { spec.train.tta } else { Tta::None };
    let tta = tta_if(is_last);
    // What was evaluated in the same way would come out again.
    let before = before.filter(|_| tta == tta_if(false));
    let mut evaluate = |evaluator: &mut Evaluator, params: &mut Params| {
        evaluator.evaluate(spec, dataset, params, phase.eval_size, tta, |seen| {
            Ok(recorder.event(&Event::Evaluating { images: seen.images as u64, of: seen.of as u64 })?)
        })
    };
    let model = match (before, mean) {
        (Some(before), _) => before.model,
        (None, Some((_, mean))) => mean.in_place_of(&mut state.params, |params| evaluate(evaluator, params))?,
        (None, None) => evaluate(evaluator, &mut state.params)?,
    };
    clock.lap(|spent| &mut spent.eval);
    let planned = plan.average.as_ref().filter(|planned| planned.is_evaluated(is_last));
    let averaged = match (planned, &mut state.average) {
        _ if before.is_some_and(|before| before.averaged.is_some()) => before.and_then(|before| before.averaged),
        (Some(planned), Some(average)) => Some(average.in_place_of(&mut state.params, |params| {
            if planned.statistics == Statistics::Measure {
                // Without them there is no such model: finding them is training.
                statistics::measure(params, spec, plan, (datasets, sets), step, compute, evaluator)?;
                clock.lap(|spent| &mut spent.train);
            }
            evaluate(evaluator, params)
        })?),
        _ => None,
    };
    clock.lap(|spent| &mut spent.eval);
    Ok(Found { model, averaged })
}

/// The row of `metrics.csv`, but for the seconds of the evaluation.
fn metrics_row(session: &Session, step: &StepPlan, applied: &Applied, found: &Found) -> MetricsRow {
    let (spent, progress) = (session.clock.spent, &session.state.progress);
    let window = progress.window;
    MetricsRow {
        step: step.step,
        epoch: step.epoch,
        phase: step.phase,
        optimizer: progress.optimizer.kind.clone(),
        size: step.size,
        batch: step.images,
        lr: applied.lr,
        momentum: applied.momentum,
        train_loss: window.mean_loss(),
        train_acc: window.accuracy(),
        val_loss: found.model.plain.loss,
        val_acc: found.model.plain.acc,
        val_acc_top5: found.model.plain.acc_top5,
        images: progress.images,
        train_seconds: spent.train,
        eval_seconds: 0.0,
        wall_seconds: spent.wall,
        val_acc_tta: found.model.averaged.map(|figures| figures.acc),
        val_acc_avg: found.averaged.map(|averaged| averaged.plain.acc),
        val_loss_avg: found.averaged.map(|averaged| averaged.plain.loss),
        val_acc_avg_tta: found.averaged.and_then(|averaged| averaged.averaged).map(|figures| figures.acc),
    }
}
