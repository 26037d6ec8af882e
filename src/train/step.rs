//! One step of training, whoever asks for it.

use super::average::Average;
use super::ledger::{Ledger, Numbers};
use super::lookahead::Lookahead;
use super::passes::{Lesson, Passes};
use super::sets::DeviceSets;
use super::state::State;
use crate::average::Statistics;
use crate::config::spec::Spec;
use crate::data::Batch;
use crate::data::mix::Mixed;
use crate::gpu::ops::serve::Pictures;
use crate::kernels::reduce;
use crate::loss_scale::{self, LossScale, Scale};
use crate::nn::device::Images;
use crate::nn::{Compute, Loss, Noise, Params};
use crate::optim::{Applied, Hypers};
use crate::plan::{Plan, StepPlan};
use crate::record::rows::TraceRow;
use anyhow::Context as _;

/// What a step is taken with: a session's, or that of a search for a learning rate.
pub(super) struct Stepper<'a> {
    pub spec: &'a Spec,
    pub plan: &'a Plan,
    pub state: &'a mut State,
    pub compute: &'a Compute,
    /// Where a device's loss and norm may stay for now; `None`: they are waited for.
    pub ledger: Option<&'a mut Ledger>,
    /// Sets whose images lie on a device: batches may be of their numbers.
    pub sets: &'a DeviceSets,
}

/// What a step gave.
pub(super) struct Taken {
    /// `None`: they are in the ledger, until they are [read](Taken::settle).
    numbers: Option<Measured>,
    /// By the optimizer of the phase.
    pub applied: Applied,
    /// The rates of rules and groups that differ from it.
    pub own_lrs: Vec<f64>,
    /// Of the columns that only some plans have.
    pub step_values: Vec<f64>,
    /// Whether a gradient was not finite, and the loss scale is to blame: the weights stayed as they were.
    skipped: bool,
    /// Of each image, where they are remembered and known.
    losses: Option<Vec<f32>>,
}

/// The loss of a step, and the norm of its gradient.
#[derive(Clone, Copy)]
struct Measured {
    loss: Loss,
    grad_norm: f64,
}

impl Taken {
    /// Of a step that was not left out; `applied` is what each unit used.
    fn new(plan: &Plan, step: &StepPlan, applied: &[Option<Applied>], numbers: Option<Measured>) -> Self {
        let (own_lrs, step_values) = (plan.own_lrs_of(applied), plan.step_values(step, applied));
        let first = applied[0].expect("what is in no group is never frozen");
        Self { numbers, applied: first, own_lrs, step_values, skipped: false, losses: None }
    }

    /// Whether loss and norm are known.
    pub fn is_settled(&self) -> bool {
        self.numbers.is_some()
    }

    /// Gives it what was read from the ledger.
    pub fn settle(&mut self, Numbers { loss, grad_norm, losses }: Numbers) {
        self.numbers = Some(Measured { loss, grad_norm });
        self.losses = losses;
    }

    /// The losses of its images, where they are to be remembered.
    pub fn take_losses(&mut self) -> Option<Vec<f32>> {
        self.losses.take()
    }

    fn numbers(&self) -> Measured {
        self.numbers.expect("what is in the ledger is read before it is looked at")
    }

    /// # Panics
    /// When it is not settled.
    pub fn loss(&self) -> Loss {
        self.numbers().loss
    }

    pub fn row(&self, step: &StepPlan, optimizer: String, seconds: f64) -> TraceRow {
        TraceRow {
            step: step.step,
            epoch: step.epoch,
            phase: step.phase,
            optimizer,
            size: step.size,
            batch: self.loss().images,
            lr: self.applied.lr,
            momentum: self.applied.momentum,
            weight_decay: self.applied.weight_decay,
            loss: self.loss().mean(),
            grad_norm: self.numbers().grad_norm,
            seconds,
            mix: None,
            beta: None,
            clip_norm: None,
            clip_value: None,
            lookahead_decay: None,
            average_decay: None,
        }
    }

    /// What is NaN or infinite, if anything.
    pub fn diverged(&self) -> Option<&'static str> {
        let Measured { loss, grad_norm } = self.numbers();
        match (loss.sum.is_finite(), grad_norm.is_finite()) {
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
    let Stepper { spec, plan, state, compute, ledger, sets } = stepper;
    let isa = compute.isa;
    if plan.lookahead.as_ref().is_some_and(|lookahead| lookahead.first_step == step.step) {
        state.params.home()?;
        state.lookahead = Some(Lookahead::new(&state.params));
    }
    let scaling = scaling(spec, state);
    let scale = scaling.as_ref().map(|(_, scale)| scale.value);
    passes.set_loss_scale(scale.unwrap_or(1.0) as f32);
    if batch.numbers.is_some() {
        log::trace!("step {} takes images by number", step.step);
    }
    let mut pictures = Pictures::default();
    let lesson = lesson(spec, step, batch, sets.images(batch, &mut pictures));
    let hypers = plan.unit_hypers(step);
    // Nothing of the step, and no column, depends on what the numbers are.
    let may_stay = scale.is_none() && !plan.clips() && !state.optimizers.reevaluates();
    if let Some(ledger) = ledger.filter(|_| may_stay) {
        ledger.begin(plan.remembers_losses(step));
        passes.gradient_into(&mut state.params, lesson, ledger)?;
        state.optimizers.silence(&mut state.params, &hypers)?;
        let away = state.params.grads_away().context("a device keeps the gradients that it has computed")?;
        away.grad_norm_into(ledger.norm())?;
        let unknown = &mut |_: &[f32], _: &mut [f32]| anyhow::bail!("an optimizer that re-evaluates must say so");
        state.optimizers.step(&mut state.params, isa, f64::NAN, &hypers, unknown)?;
        mix_and_average(plan, state, step)?;
        return Ok(Taken::new(plan, step, &applied(state, &hypers, false), None));
    }
    // The same images and the same random draws as often as it is called.
    let mut losses = plan.remembers_losses(step).then(Vec::new);
    let loss = passes.gradient_and_losses(&mut state.params, lesson, losses.as_mut())?;
    let mut evaluate = |params: &mut Params| passes.gradient(params, lesson);
    if state.optimizers.reevaluates() {
        // A line search looks at losses and gradients on the host.
        state.params.home()?;
    }
    state.optimizers.silence(&mut state.params, &hypers)?;
    let grad_norm = match state.params.grads_away() {
        Some(away) => away.grad_norm()?,
        None => reduce::norm(isa, state.params.grads()),
    };
    let skipped = scaling.is_some_and(|(rule, scale)| is_left_out(state, &*rule, scale, grad_norm.is_finite()));
    // What is left out is not clipped: a norm that is NaN would spoil the gaps between parameters, which no pass writes again.
    let clipped_norm = match step.clip.is_none() || skipped {
        true => grad_norm,
        false => match state.params.grads_away() {
            Some(away) => step.clip.apply_on_device(away, grad_norm)?,
            None => step.clip.apply(state.params.grads_mut(), |grads| reduce::norm(isa, grads)),
        },
    };

    // A line search looks at other parameters on a copy: the running statistics stay as the first evaluation left them.
    let mut probe = state.optimizers.reevaluates().then(|| state.params.clone());
    let mut reevaluate = |params: &[f32], grads: &mut [f32]| -> anyhow::Result<f64> {
        let probe = probe.as_mut().context("an optimizer that re-evaluates must say so")?;
        probe.values_mut().copy_from_slice(params);
        let loss = evaluate(probe)?;
        probe.home()?;
        grads.copy_from_slice(probe.grads());
        Ok(loss.mean())
    };
    if !skipped {
        state.optimizers.step(&mut state.params, isa, loss.mean(), &hypers, &mut reevaluate)?;
    }
    mix_and_average(plan, state, step)?;

    let mut taken = Taken::new(plan, step, &applied(state, &hypers, skipped), Some(Measured { loss, grad_norm }));
    taken.step_values.extend(plan.clips().then_some(clipped_norm));
    taken.step_values.extend(scale.into_iter().flat_map(|scale| [scale, f64::from(u8::from(skipped))]));
    Ok(Taken { skipped, losses, ..taken })
}

pub(super) fn lesson<'a>(spec: &Spec, step: &StepPlan, batch: &'a Batch, images: Images<'a>) -> Lesson<'a> {
    Lesson {
        images,
        labels: &batch.labels,
        mixed: batch.mixed.as_ref().map(Mixed::targets),
        smoothing: step.label_smoothing as f32,
        weights: batch.weights.as_deref(),
        noise: Noise { seed: spec.seed, step: step.step, first: 0 },
    }
}

/// The rule of the loss scale, where there is one, and the scale of this step.
fn scaling(spec: &Spec, state: &mut State) -> Option<(Box<dyn LossScale>, Scale)> {
    let rule = loss_scale::make(spec.train.loss_scale.as_ref()?);
    let first = Scale { value: rule.initial(), streak: 0, skipped: 0 };
    let scale = *state.progress.scale.get_or_insert(first);
    Some((rule, scale))
}

/// Moves the scale on; says whether the step is left out.
fn is_left_out(state: &mut State, rule: &dyn LossScale, scale: Scale, finite: bool) -> bool {
    let next = rule.after(scale, finite);
    state.progress.scale = next.or(state.progress.scale);
    next.is_some() && !finite
}

/// What happens to the weights after the optimizers' update.
fn mix_and_average(plan: &Plan, state: &mut State, step: &StepPlan) -> anyhow::Result<()> {
    if let (Some(lookahead), Some(mix)) = (&mut state.lookahead, plan.mix_after(step)) {
        lookahead.mix(&mut state.params, mix)?;
    }
    if let Some(planned) = plan.averages_after(step) {
        if state.average.is_none() {
            state.params.home()?;
        }
        let average = state.average.get_or_insert_with(|| Average::new(&state.params));
        let with_statistics = planned.statistics == Statistics::Average;
        let share = plan.share_of(planned, average.updates, step.step);
        average.update(&mut state.params, share, with_statistics)?;
    }
    Ok(())
}

/// What each unit's step used; `None` where it is frozen. A step that is left out uses up what was planned for it.
fn applied(state: &State, hypers: &[Option<Hypers>], skipped: bool) -> Vec<Option<Applied>> {
    if skipped {
        return hypers.iter().map(|hypers| hypers.as_ref().map(Applied::of)).collect();
    }
    state.optimizers.applied().into_iter().zip(hypers).map(|(used, hypers)| used.filter(|_| hypers.is_some())).collect()
}
