use super::{Batches, Cadence, Groups, Handover, Plan, PlannedPhase, Position};
use crate::config::spec::{Length, PhaseSpec, SetSpec, Spec};
use crate::data::{Facts, Statistics, prune};
use crate::optim::{self, mix};
use crate::registry::{Across, Duration, RampValue};
use crate::schedule::{Ramp, Run};
use crate::units::{count, number};

/// Training is not planned beyond this many images: up to here every count is exact as an `f64` too.
const MOST_IMAGES: f64 = (1u64 << 50) as f64;

/// A spec that cannot be planned for these data.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct PlanError {
    /// The setting at fault, as `--set` takes it: `phases[1].epochs`.
    pub path: String,
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl PlanError {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into(), help: help.into() }
    }
}

/// How far the phases so far reach.
#[derive(Default)]
struct Progress {
    step: u64,
    images: u64,
    position: Position,
    /// Epochs since the start as the file counts them: what the next phase's `epochs` add to. Not the border that the
    /// phase before ended at, so that rounding to batches does not add up.
    epochs: f64,
}

impl Progress {
    /// Goes on to the next epoch's beginning, where it does not stand there. Epochs count from there: a part of one is of
    /// other images than a part of the next.
    fn begin_epoch(&mut self) {
        let Position { epoch, offset } = self.position;
        self.position = Position { epoch: epoch + u64::from(offset > 0), offset: 0 };
        self.epochs = self.position.epoch as f64;
    }
}

impl Plan {
    /// Lays the phases out over steps.
    ///
    /// A phase of `epochs` ends at the batch border nearest to the epochs of all phases so far (halfway: the later
    /// one); a phase of `steps` after so many steps, and later epochs count from there.
    ///
    /// # Errors
    /// All that is wrong: a phase without a step, a batch larger than the set, a ramp that its curve cannot take, an
    /// interval that is not above zero, another set in mid-epoch.
    ///
    /// # Panics
    /// When `facts` is not of the spec's [sets](Spec::sets), in that order.
    pub fn compile(spec: &Spec, facts: &[Facts]) -> Result<Self, Vec<PlanError>> {
        let mut errors = Vec::new();
        let (sets, by_phase) = spec.sets_by_phase();
        assert_eq!(facts.len(), sets.len(), "figures of each set");
        if let Some(empty) = facts.iter().find(|facts| facts.train_images == 0) {
            return Err(vec![PlanError::new(
                "data",
                format!("`{}` has no training images", empty.name),
                "name another set",
            )]);
        }
        if spec.phases.is_empty() {
            return Err(vec![PlanError::new("phases", "there is nothing to train", "add a [[phases]] table")]);
        }
        errors.extend(sets.iter().zip(facts).flat_map(|(set, facts)| other_channels(spec, set, facts)));
        let mut progress = Progress::default();
        let mut phases = Vec::new();
        let groups = Groups::new(spec, &facts[0]);
        for (i, phase) in spec.phases.iter().enumerate() {
            let set = by_phase[i];
            let of = &facts[set];
            if i > 0 && by_phase[i - 1] != set {
                // Where a phase before is wrong, it is not known where this one begins.
                let begins = errors.is_empty().then_some(&progress);
                errors.extend(goes_over(i, of, &facts[0], begins));
                progress.begin_epoch();
            } else if i > 0 && spec.phases[i - 1].prune_images != phase.prune_images {
                let begins = errors.is_empty().then_some(&progress);
                errors.extend(
                    begins.and_then(|begins| in_mid_epoch(format!("phases[{i}].prune_images"), "other images", begins)),
                );
                progress.begin_epoch();
            }
            match plan_phase(i, phase, spec, (set, of), &groups, &mut progress) {
                Ok(planned) => phases.push(planned),
                Err(mut found) => errors.append(&mut found),
            }
        }
        if errors.is_empty() {
            lay_runs(&mut phases);
        }
        let sets = facts.iter().map(|facts| facts.name.clone()).collect();
        let mut cadence = |key: &str, every: Duration| {
            Cadence::new(every, progress.step).unwrap_or_else(|| {
                let message = format!("{} is not an interval", number(every.amount));
                errors.push(PlanError::new(
                    format!("train.{key}"),
                    message,
                    "give a duration above zero, like \"1ep\"",
                ));
                Cadence::Epochs(1.0)
            })
        };
        let evaluations = cadence("eval_every", spec.train.eval_every);
        let checkpoints = cadence("checkpoint_every", spec.train.checkpoint_every);
        if !errors.is_empty() {
            return Err(errors);
        }
        let rules = Vec::new();
        let (total_steps, total_images) = (progress.step, progress.images);
        let mut plan = Self {
            sets,
            phases,
            rules,
            groups,
            lookahead: None,
            average: None,
            stop: spec.train.stop.clone(),
            total_steps,
            total_images,
            evaluations,
            evaluates_phases: spec.train.eval_phases,
            checkpoints,
        };
        for (index, rule) in spec.params.iter().enumerate() {
            match plan.rule(index, rule) {
                Ok(rule) => plan.rules.push(rule),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            plan.name_columns();
        }
        if let Some(lookahead) = &spec.train.lookahead {
            match plan.plan_lookahead(lookahead) {
                Ok(lookahead) => plan.lookahead = Some(lookahead),
                Err(error) => errors.push(error),
            }
        }
        match plan.plan_average(&spec.train) {
            Ok(average) => plan.average = average,
            Err(error) => errors.push(error),
        }
        errors.extend(spec.train.ghost_batch.and_then(|images| plan.check_ghosts(images)));
        let most = facts.iter().map(|facts| facts.classes).max().unwrap_or(0);
        errors.extend(plan.check_targets(spec, spec.model.classes.unwrap_or(most)));
        if errors.is_empty() { Ok(plan) } else { Err(errors) }
    }
}

/// Statistics that are not of as many channels as a set's images have.
fn other_channels(spec: &Spec, set: &SetSpec, facts: &Facts) -> Vec<PlanError> {
    let Some(Statistics { mean, deviation }) = &set.statistics else { return Vec::new() };
    let place = spec.place_of_statistics(set);
    let (name, channels) = (&facts.name, facts.channels);
    let error = |(key, len): (&str, usize)| {
        let message = format!("`{key}` has {len} of the {channels} numbers that it takes for `{name}`");
        let help = "give a number for each channel: one for grey images, three for colour";
        PlanError::new(format!("{place}.{key}"), message, help)
    };
    let given = [("mean", mean.len()), ("deviation", deviation.len())];
    given.into_iter().filter(|(_, len)| *len != channels).map(error).collect()
}

/// What keeps a phase from going over to another set where it begins; `None`: that is not known.
fn goes_over(i: usize, to: &Facts, first: &Facts, begins: Option<&Progress>) -> Vec<PlanError> {
    let mut errors = Vec::new();
    let path = format!("phases[{i}].data");
    if to.channels != first.channels {
        let plural = if to.channels == 1 { "" } else { "s" };
        let message = format!(
            "`{}` has images of {} channel{plural}, and the net takes the {} of `{}`",
            to.name, to.channels, first.channels, first.name
        );
        let help = format!("name a set whose images have {} too", first.channels);
        errors.push(PlanError::new(format!("{path}.dataset"), message, help));
    }
    errors.extend(begins.and_then(|begins| in_mid_epoch(path, &format!("`{}`", to.name), begins)));
    errors
}

/// What keeps other images from being served from there on, where that is within an epoch, which is of some images in some order.
fn in_mid_epoch(path: String, images: &str, begins: &Progress) -> Option<PlanError> {
    let Progress { epochs, position, .. } = begins;
    let so_far = number((epochs * 1e4).round() / 1e4);
    let message = format!("{images} cannot begin in the middle of an epoch: {so_far} are over");
    let next = count(position.epoch + 1);
    let help = format!("let the phases before it add up to {next} epochs, or to another whole number");
    (position.offset > 0).then(|| PlanError::new(path, message, help))
}

/// Plans one phase, on the set of that number and figures, and moves `progress` past it.
fn plan_phase(
    i: usize,
    phase: &PhaseSpec,
    spec: &Spec,
    (set, facts): (usize, &Facts),
    groups: &Groups,
    progress: &mut Progress,
) -> Result<PlannedPhase, Vec<PlanError>> {
    let mut errors = Vec::new();
    let mut ramp = |name: &str, value: &RampValue| {
        Ramp::new(value)
            .map_err(|e| errors.push(PlanError::new(format!("phases[{i}].{name}.{}", e.key), e.message, e.help)))
            .ok()
    };
    let lr = ramp("lr", &phase.lr);
    let momentum = ramp("momentum", &phase.momentum);
    let weight_decay = ramp("weight_decay", &phase.weight_decay);
    let beta = phase.beta.as_ref().and_then(|beta| ramp("beta", beta));
    // 0 is how a file says that nothing is clipped any more.
    let clips = |value: &&RampValue| value.from != 0.0 || value.to.is_some();
    let clip_norm = phase.clip_norm.as_ref().filter(clips).and_then(|clip| ramp("clip_norm", clip));
    let clip_value = phase.clip_value.as_ref().filter(clips).and_then(|clip| ramp("clip_value", clip));
    let mix = mix::weight(&phase.optimizer).and_then(|weight| ramp("optimizer.weight", &weight));
    let groups = groups.in_phase(i, phase).map_err(|e| errors.push(e)).ok();
    let (first_step, images_before) = (progress.step, progress.images);
    let laid = lay_out(i, phase, spec, facts, progress).map_err(|e| errors.push(e)).ok();
    let (Some(lr), Some(momentum), Some(weight_decay), Some(groups), Some((batches, steps)), true) =
        (lr, momentum, weight_decay, groups, laid, errors.is_empty())
    else {
        return Err(errors);
    };
    let images = batches.served(steps);
    let size = phase.size.unwrap_or(facts.size);
    Ok(PlannedPhase {
        first_step,
        steps,
        images_before,
        set,
        images,
        epochs: images as f64 / batches.epoch_images() as f64,
        size,
        eval_size: spec.train.eval_size.unwrap_or(size),
        batch: phase.batch,
        accumulate: phase.accumulate,
        optimizer: phase.optimizer.clone(),
        model_is_mean: std::iter::once(&phase.optimizer)
            .chain(spec.params.iter().filter_map(|rule| rule.optimizer.as_ref()))
            .any(optim::averages),
        handover: match (phase.fresh, phase.carry) {
            (true, _) => Handover::Nothing,
            (false, true) => Handover::Momentum,
            (false, false) => Handover::OfSameKind,
        },
        augment: phase.augment.clone(),
        mix_images: phase.mix_images.clone(),
        prune_images: phase.prune_images.clone(),
        label_smoothing: phase.label_smoothing.unwrap_or(spec.train.label_smoothing),
        source: phase.source,
        lr,
        momentum,
        weight_decay,
        beta,
        clip_norm,
        clip_value,
        mix,
        groups,
        batches,
    })
}

/// Lays curves that run over several phases over those. One whose hyper-parameter means nothing in a phase in between, as a beta
/// where the optimizer has none, goes on meanwhile.
fn lay_runs(phases: &mut [PlannedPhase]) {
    for of in 0..phases[0].ramps_mut().len() {
        let column: Vec<Option<Ramp>> =
            phases.iter_mut().map(|phase| phase.ramps_mut()[of].as_deref().cloned()).collect();
        // Each with the phases that it is there in.
        let mut runs: Vec<(Ramp, Vec<usize>)> = Vec::new();
        for (k, ramp) in column.into_iter().enumerate() {
            match (ramp, runs.last_mut()) {
                (Some(ramp), _) if ramp.across() == Across::Begins => runs.push((ramp, vec![k])),
                (Some(ramp), Some((first, phases))) if ramp.across() == Across::Continues && ramp == *first => {
                    phases.push(k)
                }
                _ => {}
            }
        }
        for (_, places) in runs.into_iter().filter(|(_, places)| places.len() > 1) {
            let (first_phase, last_phase) = (places[0], places[places.len() - 1]);
            let first_image = phases[first_phase].images_before;
            let images = phases[last_phase].images_before + phases[last_phase].images - first_image;
            let run = Run { first_phase, last_phase, first_image, images };
            for place in places {
                phases[place].ramps_mut().swap_remove(of).into_iter().for_each(|ramp| ramp.lay(run));
            }
        }
    }
}

/// Cuts the phase into batches, counts its steps, and moves `progress` past it.
fn lay_out(
    i: usize,
    phase: &PhaseSpec,
    spec: &Spec,
    facts: &Facts,
    progress: &mut Progress,
) -> Result<(Batches, u64), PlanError> {
    let prune = phase.prune_images.as_ref().map(prune::make);
    let images = prune.map_or(facts.train_images, |prune| prune.images(facts.train_images)) as u64;
    let batch = phase.batch as u64;
    if batch == 0 || batch > images {
        let (of, to) = match spec.phases[..=i].iter().any(|phase| phase.data.is_some()) {
            true => (format!(" of `{}`", facts.name), format!("phase {i} ")),
            false => Default::default(),
        };
        let message = format!("a batch of {} from {} training images{of}", count(batch), count(images));
        let help = format!("give {to}a batch of 1 to {}", count(images));
        return Err(PlanError::new(format!("phases[{i}].batch"), message, help));
    }
    if phase.accumulate > phase.batch {
        let (parts, batch) = (count(phase.accumulate as u64), count(batch));
        let message = format!("{batch} images a step in {parts} parts");
        let help =
            format!("give at most {batch}: `batch` is what a step uses, and `accumulate` the parts that it passes in");
        return Err(PlanError::new(format!("phases[{i}].accumulate"), message, help));
    }
    let batches = Batches::new(images, batch, spec.data.last_batch, progress.position);
    let steps = match phase.length {
        Length::Steps(steps) => steps_of_count(i, steps, batch, progress)?,
        Length::Epochs(epochs) => {
            progress.epochs += epochs;
            steps_of_epochs(i, epochs, batch, &batches, progress)?
        }
    };
    if let Length::Steps(_) = phase.length {
        progress.epochs = batches.epochs(steps);
    }
    progress.step += steps;
    progress.images += batches.served(steps);
    progress.position = batches.position(steps);
    Ok((batches, steps))
}

fn steps_of_count(i: usize, steps: u64, batch: u64, progress: &Progress) -> Result<u64, PlanError> {
    let path = format!("phases[{i}].steps");
    if steps == 0 {
        return Err(PlanError::new(path, "a phase of no steps", "give at least 1, or take the phase out"));
    }
    if progress.images as f64 + steps as f64 * batch as f64 > MOST_IMAGES {
        return Err(PlanError::new(path, format!("{} steps cannot be counted", count(steps)), "give fewer"));
    }
    Ok(steps)
}

/// The steps up to `progress.epochs`, to which the phase's `epochs` are added already.
fn steps_of_epochs(
    i: usize,
    epochs: f64,
    batch: u64,
    batches: &Batches,
    progress: &Progress,
) -> Result<u64, PlanError> {
    let path = format!("phases[{i}].epochs");
    if !(epochs > 0.0 && epochs.is_finite()) {
        let message = format!("{} is not a number of epochs", number(epochs));
        return Err(PlanError::new(path, message, "give a number above zero, or take the phase out"));
    }
    if progress.epochs * batches.epoch_images() as f64 > MOST_IMAGES {
        return Err(PlanError::new(path, format!("{} epochs cannot be counted", number(epochs)), "give fewer"));
    }
    match batches.until(progress.epochs) {
        0 => {
            let (images, all) = (epochs * batches.epoch_images() as f64, batches.epoch_images());
            let epochs = number(epochs);
            let why = if images < batch as f64 {
                let images = number((images * 10.0).round() / 10.0);
                format!("{epochs} epochs are {images} of {} images, less than a step of {}", count(all), count(batch))
            } else {
                format!("the phase before, rounded to its own batches, ends beyond the {epochs} epochs of this one")
            };
            Err(PlanError::new(
                path,
                format!("a phase of no steps: {why}"),
                "give more epochs or a smaller batch, or take the phase out",
            ))
        }
        steps => Ok(steps),
    }
}
