//! The training loop.

use super::average::Average;
use super::evaluate::Evaluation;
use super::lookahead::Lookahead;
use super::passes::{Lesson, Passes};
use super::session::Session;
use super::state::{State, Window};
use super::statistics;
use crate::average::Statistics;
use crate::config::spec::{Spec, Tta, TtaAt};
use crate::data::Batch;
use crate::kernels::{Isa, loss, reduce};
use crate::loss_scale::{self, Scale};
use crate::nn::{Loss, Noise, Params};
use crate::optim::Applied;
use crate::plan::{Plan, StepPlan};
use crate::record::rows::{MetricsRow, TraceRow};
use crate::record::{Event, Status};
use anyhow::Context as _;
use std::time::Instant;

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
    let mut loader = session.loader();
    let mut current: Option<(usize, Passes)> = None;
    while session.state.progress.step < session.plan.total_steps {
        let step = session.plan.at(session.state.progress.step);
        if current.as_ref().is_none_or(|(phase, _)| *phase != step.phase) {
            // The old tape's memory goes before the new one's comes.
            let first = current.take().is_none();
            session.begin_phase(&step)?;
            current = Some((step.phase, session.passes(&step)?));
            if first {
                // Loading before the first step is not training.
                loader.wait_for_next();
                session.clock.skip();
            }
        }
        let (_, passes) = current.as_mut().expect("a phase has begun");

        let began = Instant::now();
        let (batch, waited) = loader.next_batch()?.context("the loader ended before training")?;
        let taken = take_step(session.stepper(), passes, &step, batch)?;
        session.clock.spent.data_wait += waited;
        session.clock.lap(|spent| &mut spent.train);

        let progress = &mut session.state.progress;
        progress.step += 1;
        progress.images += step.images as u64;
        progress.window.add(&taken.loss);
        let row = taken.row(&step, progress.optimizer.kind.clone(), began.elapsed().as_secs_f64());
        session.step_done(row, taken.own_lrs.clone(), taken.step_values.clone(), waited)?;
        if let Some(outcome) = after_step(session, &step, &taken)? {
            return session.finish(outcome);
        }
    }
    session.finish(Outcome { status: Status::Done, reason: "completed".to_owned() })
}

/// What is due after a step: stop rules, evaluation, checkpoint. `Some` where training ends here.
fn after_step(session: &mut Session, step: &StepPlan, taken: &Taken) -> anyhow::Result<Option<Outcome>> {
    let diverged = |reason: String| Ok(Some(Outcome { status: Status::Diverged, reason }));
    if let Some(what) = taken.diverged() {
        return diverged(format!("the {what} is not finite at step {}", step.step));
    }
    if let Some(reason) = session.watch_loss(step, taken.loss.mean()) {
        return diverged(reason);
    }
    let mut ended = session.time_is_up();
    if ended.is_some() {
        session.end_early();
    }
    if ended.is_some() || session.plan.is_eval_step(step.step) {
        let row = evaluate_and_record(session, step, &taken.applied, ended.is_some())?;
        if !row.val_loss.is_finite() {
            // The last update ruined the weights: no later loss would tell.
            return diverged(format!("the validation loss is not finite after step {}", step.step));
        }
        ended = ended.or(session.state.progress.watch.ended(&session.plan.stop, &row));
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

/// What a step is taken with: a session's, or that of a search for a learning rate.
pub(super) struct Stepper<'a> {
    pub spec: &'a Spec,
    pub plan: &'a Plan,
    pub state: &'a mut State,
    pub isa: Isa,
}

/// What a step gave.
pub(super) struct Taken {
    pub loss: Loss,
    grad_norm: f64,
    /// By the optimizer of the phase.
    pub applied: Applied,
    /// The rates of rules and groups that differ from it.
    own_lrs: Vec<f64>,
    /// Of the columns that only some plans have.
    step_values: Vec<f64>,
    /// Whether a gradient was not finite, and the loss scale is to blame: the weights stayed as they were.
    skipped: bool,
}

impl Taken {
    fn row(&self, step: &StepPlan, optimizer: String, seconds: f64) -> TraceRow {
        TraceRow {
            step: step.step,
            epoch: step.epoch,
            phase: step.phase,
            optimizer,
            size: step.size,
            batch: self.loss.images,
            lr: self.applied.lr,
            momentum: self.applied.momentum,
            weight_decay: self.applied.weight_decay,
            loss: self.loss.mean(),
            grad_norm: self.grad_norm,
            seconds,
            mix: None,
        }
    }

    /// What is NaN or infinite, if anything.
    pub fn diverged(&self) -> Option<&'static str> {
        match (self.loss.sum.is_finite(), self.grad_norm.is_finite()) {
            (false, _) => Some("loss"),
            (_, false) if !self.skipped => Some("gradient"),
            _ => None,
        }
    }
}

/// Forward, loss, backward, update.
pub(super) fn take_step(
    stepper: Stepper<'_>,
    passes: &mut Passes,
    step: &StepPlan,
    batch: &Batch,
) -> anyhow::Result<Taken> {
    let Stepper { spec, plan, state, isa } = stepper;
    if plan.lookahead.as_ref().is_some_and(|lookahead| lookahead.first_step == step.step) {
        state.lookahead = Some(Lookahead::new(&state.params));
    }
    let scaling = spec.train.loss_scale.as_ref().map(loss_scale::make);
    let scale = scaling
        .as_ref()
        .map(|scaling| *state.progress.scale.get_or_insert(Scale { value: scaling.initial(), steady: 0, skipped: 0 }));
    passes.set_loss_scale(scale.map_or(1.0, |scale| scale.value as f32));
    let lesson = Lesson {
        images: &batch.images,
        labels: &batch.labels,
        mixed: batch.mixed.as_ref().map(|mixed| loss::Mixed { labels: &mixed.labels, own: mixed.own }),
        smoothing: spec.train.label_smoothing as f32,
        noise: Noise { seed: spec.seed, step: step.step, first: 0 },
    };
    // The same images and the same random draws as often as it is called.
    let mut evaluate = |params: &mut Params| passes.gradient(params, lesson);
    let loss = evaluate(&mut state.params)?;
    let hypers = plan.unit_hypers(step);
    state.optimizers.silence(&mut state.params.grads, &hypers);
    let grad_norm = reduce::norm(isa, &state.params.grads);
    let next = scaling.zip(scale).and_then(|(scaling, scale)| scaling.after(scale, grad_norm.is_finite()));
    let skipped = next.is_some() && !grad_norm.is_finite();
    state.progress.scale = next.or(state.progress.scale);
    let clipped_norm = match step.clip.is_none() {
        true => grad_norm,
        false => step.clip.apply(&mut state.params.grads, |grads| reduce::norm(isa, grads)),
    };

    // A line search looks at other parameters on a copy: the running statistics stay as the first evaluation left them.
    let mut probe = state.optimizers.reevaluates().then(|| state.params.clone());
    let mut reevaluate = |params: &[f32], grads: &mut [f32]| -> anyhow::Result<f64> {
        let probe = probe.as_mut().context("an optimizer that re-evaluates must say so")?;
        probe.values.copy_from_slice(params);
        probe.touch();
        let loss = evaluate(probe)?;
        grads.copy_from_slice(&probe.grads);
        Ok(loss.mean())
    };
    if !skipped {
        state.optimizers.step(&mut state.params, isa, loss.mean(), &hypers, &mut reevaluate)?;
    }
    if let (Some(lookahead), Some(mix)) = (&mut state.lookahead, plan.mix_after(step)) {
        lookahead.mix(&mut state.params, mix);
    }
    if let Some(planned) = plan.averages_after(step) {
        let average = state.average.get_or_insert_with(|| Average::new(&state.params));
        let with_statistics = planned.statistics == Statistics::Average;
        average.update(&state.params, planned.share(average.updates), with_statistics);
    }
    // A step that is left out uses up what was planned for it.
    let applied = match skipped {
        true => hypers.iter().map(|hypers| hypers.as_ref().map(Applied::of)).collect(),
        false => state.optimizers.applied(),
    };
    // What is frozen has used no rate.
    let lr = |group: usize| applied[group].filter(|_| hypers[group].is_some()).map_or(0.0, |used| used.lr);
    let lrs: Vec<f64> = (0..hypers.len()).map(lr).collect();
    let own_lrs = plan.own_lrs_of(&lrs);
    let applied = applied[0].expect("a step was taken");
    let mut step_values = plan.step_values(step.phase, &step.clip, applied.share);
    step_values.extend(plan.clips().then_some(clipped_norm));
    step_values.extend(scale.into_iter().flat_map(|scale| [scale.value, f64::from(u8::from(skipped))]));
    Ok(Taken { loss, grad_norm, applied, own_lrs, step_values, skipped })
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
    let mut found = evaluate(session, step, is_last)?;
    let mut row = metrics_row(session, step, applied, &found);
    let progress = &session.state.progress;
    if !is_last && progress.watch.clone().ended(&session.plan.stop, &row).is_some() {
        // The last evaluation after all: it has all that the last one is to have.
        found = evaluate(session, step, true)?;
        row = metrics_row(session, step, applied, &found);
    }
    session.state.progress.window = Window::default();
    row.eval_seconds = session.clock.spent.eval - before;
    session.recorder.event(&Event::Evaluated(row.clone()))?;
    Ok(row)
}

/// What an evaluation found of the weights and, where there are any, of the averaged ones.
struct Found {
    trained: Evaluation,
    averaged: Option<Evaluation>,
}

/// The validation set at the step's image size.
fn evaluate(session: &mut Session, step: &StepPlan, is_last: bool) -> anyhow::Result<Found> {
    let Session { spec, plan, state, evaluator, recorder, clock, dataset, isa, .. } = &mut *session;
    let tta = if spec.train.tta_at == TtaAt::Every || is_last { spec.train.tta } else { Tta::None };
    let mut evaluate = |params: &mut Params| {
        evaluator.evaluate(spec, params, step.size, tta, |seen| {
            Ok(recorder.event(&Event::Evaluating { images: seen.images as u64, of: seen.of as u64 })?)
        })
    };
    let trained = evaluate(&mut state.params)?;
    clock.lap(|spent| &mut spent.eval);
    let planned = plan.average.as_ref().filter(|planned| planned.is_evaluated(is_last));
    let averaged = match (planned, &mut state.average) {
        (Some(planned), Some(average)) => Some(average.in_place_of(&mut state.params, |params| {
            if planned.statistics == Statistics::Measure {
                // Without them there is no such model: finding them is training.
                statistics::measure(params, spec, plan, dataset, step, *isa)?;
                clock.lap(|spent| &mut spent.train);
            }
            evaluate(params)
        })?),
        _ => None,
    };
    clock.lap(|spent| &mut spent.eval);
    Ok(Found { trained, averaged })
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
        val_loss: found.trained.plain.loss,
        val_acc: found.trained.plain.acc,
        val_acc_top5: found.trained.plain.acc_top5,
        images: progress.images,
        train_seconds: spent.train,
        eval_seconds: 0.0,
        wall_seconds: spent.wall,
        val_acc_tta: found.trained.averaged.map(|figures| figures.acc),
        val_acc_avg: found.averaged.map(|averaged| averaged.plain.acc),
        val_loss_avg: found.averaged.map(|averaged| averaged.plain.loss),
        val_acc_avg_tta: found.averaged.and_then(|averaged| averaged.averaged).map(|figures| figures.acc),
    }
}
