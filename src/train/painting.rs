//! Painting: the loop of experiments whose parameters are pixels.
//!
//! It shares with training all that makes a run: plan, optimizers, checkpoint, records. What it has instead of a loader
//! and an evaluation are pictures and snapshots.

use super::checkpoint;
use super::chores::{self, End};
use super::clock::Clock;
use super::engine::Outcome;
use super::meter::Meter;
use super::net;
use super::optimizers::{Optimizers, Rules};
use super::session::Machine;
use super::state::State;
use super::stop::StopFlag;
use crate::config::UsedSet;
use crate::config::spec::Spec;
use crate::data::resize::Extent;
use crate::data::{DataError, Facts, draw, hex};
use crate::kernels::reduce;
use crate::model::backbones::published;
use crate::nn::{Graph, Init, ParamDecl, Params, Role, ValueId};
use crate::optim::Applied;
use crate::paint::{Colours, FrozenNet, Mask, Needs, Objective, Picture, Scene, fitted, median_filter};
use crate::plan::{Plan, PlannedPhase, StepPlan};
use crate::record::rows::TraceRow;
use crate::record::{
    DatasetFacts, Event, Recorder, RunFacts, RunFolder, Sink, Status, StepDone, WeightsFacts, atomic, recorder,
};
use crate::task::Painting;
use crate::task::starts::Start;
use crate::units::{Purpose, rng};
use anyhow::Context as _;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Instant;

/// What such an experiment calls its images where others name a data set.
pub const PICTURES: &str = "pictures";
/// The net's classes where neither the experiment nor a data set says: those of ImageNet, which published weights have.
const CLASSES: usize = 1000;
/// The one parameter.
const PIXELS: &str = "pixels";
/// Evaluations of the net in a step.
const EVALUATIONS: &str = "evaluations";
const SNAPSHOTS: &str = "snapshots";
/// Said where nothing says what the net has learned.
const RANDOM: &str = "no `model.weights`: the net's filters are random (He et al. 2015)";
/// The longer side of a picture on the contact sheet, the most that are shown, and how many a row.
const SHEET: (usize, usize, usize) = (192, 48, 6);

/// The pictures of an experiment, as their files are.
pub struct Pictures {
    content: Vec<Picture>,
    style: Vec<Picture>,
    init: Option<Picture>,
    mask: Option<Picture>,
    /// `sha256:` over all files in order.
    digest: String,
}

impl Pictures {
    /// Reads all files.
    ///
    /// # Errors
    /// The first that cannot be read or decoded.
    pub fn read(painting: &Painting) -> Result<Self, DataError> {
        let all = |files: &[std::path::PathBuf]| files.iter().map(|file| Picture::read(file)).collect::<Result<_, _>>();
        let init = match &painting.init {
            Start::Image(file) => Some(Picture::read(file)?),
            Start::Content | Start::Noise { .. } => None,
        };
        let mut digest = Sha256::new();
        for (place, path) in painting.files() {
            let unreadable = |source| DataError::Io { path: path.clone(), action: "read", source };
            let bytes = std::fs::read(path).map_err(unreadable)?;
            digest.update(place.as_bytes());
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(&bytes);
        }
        Ok(Self {
            content: all(&painting.content)?,
            style: all(&painting.style)?,
            init,
            mask: painting.mask.as_deref().map(Picture::read).transpose()?,
            digest: format!("sha256:{}", hex(&digest.finalize())),
        })
    }

    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What the painting has the shape of.
    fn shape(&self) -> Extent {
        let first = self.content.first().or(self.init.as_ref());
        first.map_or(Extent::square(1), |picture| picture.extent)
    }

    /// The painting's extent at a size.
    pub fn extent(&self, size: usize) -> Extent {
        fitted(self.shape(), size)
    }

    /// The mask's extent and the content's, where the one is not of the other's shape, which rounding to pixels allows for.
    pub fn misshapen_mask(&self) -> Option<(Extent, Extent)> {
        let (mask, content) = (self.mask.as_ref()?.extent, self.content.first()?.extent);
        let longer = |of: Extent| of.width.max(of.height);
        let size = longer(mask).min(longer(content));
        let (a, b) = (fitted(mask, size), fitted(content, size));
        let differ = a.width.abs_diff(b.width) > 1 || a.height.abs_diff(b.height) > 1;
        differ.then_some((mask, content))
    }

    /// What is planned with: an epoch is one step of all images.
    pub fn facts(&self, painting: &Painting) -> Facts {
        let shape = self.shape();
        facts(painting, shape.width.max(shape.height))
    }
}

/// The figures of the images that are painted, of a size where phases give none.
pub fn facts(painting: &Painting, size: usize) -> Facts {
    Facts {
        name: PICTURES.to_owned(),
        train_images: painting.images(),
        val_images: 0,
        classes: CLASSES,
        channels: 3,
        size,
        source: crate::data::FactsSource::File,
    }
}

/// What a painting is made of: everything checked, nothing begun.
pub struct PaintJob {
    pub spec: Spec,
    pub plan: Plan,
    pub painting: Painting,
    pub pictures: Pictures,
    pub machine: Machine,
    pub argv: Vec<String>,
    pub weights: Option<WeightsFacts>,
    pub notices: Vec<String>,
}

impl PaintJob {
    /// By which runs are grouped.
    pub fn spec_hash(&self) -> String {
        let set = UsedSet { name: PICTURES, digest: self.pictures.digest() };
        self.spec.hash(&[set], self.weights.as_ref().map(|weights| weights.sha256.as_str()))
    }

    /// Of the images in a phase.
    pub fn extent(&self, phase: usize) -> Extent {
        self.pictures.extent(self.plan.phases[phase].size)
    }

    /// The first style image that is too small for its layers in a phase, and what is said of it.
    ///
    /// # Errors
    /// When the painting itself is.
    pub fn small_style(&self, phase: usize) -> anyhow::Result<Option<(usize, anyhow::Error)>> {
        let extent = self.extent(phase);
        let (graph, _) = net::some_of(&self.spec, &self.facts(), extent)?;
        let layers = Objective::style_layers(&self.painting, &graph)?;
        let small = |(k, to)| Some((k, style_bytes(self, &layers, to).err()?));
        Ok(self.style_extents(extent).into_iter().enumerate().find_map(small))
    }

    /// Whether there is a mask that lets nothing change in a phase.
    pub fn mask_is_black(&self, phase: usize) -> bool {
        mask(self, self.extent(phase)).is_some_and(|mask| mask.is_black())
    }

    /// Of the style images where the painting has this one.
    fn style_extents(&self, painting: Extent) -> Vec<Extent> {
        let size = (painting.width.max(painting.height) as f64 * self.painting.style_scale).round().max(1.0) as usize;
        self.pictures.style.iter().map(|picture| fitted(picture.extent, size)).collect()
    }

    fn facts(&self) -> Facts {
        self.pictures.facts(&self.painting)
    }

    fn needs(&self) -> Needs {
        Needs {
            images: self.painting.images(),
            dtype: net::dtype(&self.spec),
            algorithm: net::algorithm(&self.spec),
            isa: self.machine.compute.isa,
        }
    }

    fn colours(&self) -> Colours<'_> {
        Colours { mean: &self.painting.mean, std: &self.painting.std }
    }
}

/// A painting under way.
pub struct PaintSession {
    job: PaintJob,
    state: State,
    /// Of the net, which stays as it is.
    net: Params,
    recorder: Recorder,
    stop: StopFlag,
    clock: Clock,
    meter: Meter,
}

impl PaintSession {
    /// Begins a run in a new folder.
    ///
    /// # Errors
    /// When the folder cannot be written: it then says that the run failed. When the weights are not as they were.
    pub fn begin(job: PaintJob, folder: RunFolder, display: Box<dyn Sink>, stop: StopFlag) -> anyhow::Result<Self> {
        let path = folder.path().to_owned();
        let facts = run_facts(&job)?;
        Self::begin_in(job, facts.clone(), folder, display, stop)
            .inspect_err(|error| recorder::could_not_begin(&path, &facts, &format!("{error:#}")))
    }

    fn begin_in(
        mut job: PaintJob,
        facts: RunFacts,
        folder: RunFolder,
        display: Box<dyn Sink>,
        stop: StopFlag,
    ) -> anyhow::Result<Self> {
        let (net, words) = frozen(&job)?;
        job.notices.extend(words);
        chores::write_plan(&job.spec, &job.plan, &folder)?;
        let mut recorder = Recorder::create(folder, facts, chores::with_records(&job.spec, display))?;
        chores::tell(&mut recorder, &job.notices)?;
        let first = job.extent(0);
        let start = start(&job, first);
        let params = pixels(job.painting.images(), first, &start);
        let state = State::new(params, &Rules::default(), &job.plan.phases[0].optimizer);
        Ok(Self::assemble(job, state, net, recorder, stop))
    }

    /// Takes up a run from its checkpoint.
    ///
    /// # Errors
    /// When the checkpoint or the records cannot be used.
    pub fn resume(job: PaintJob, folder: RunFolder, display: Box<dyn Sink>, stop: StopFlag) -> anyhow::Result<Self> {
        let path = match chores::find_checkpoint(&folder)? {
            Ok(path) => path,
            Err(path) => {
                // Killed before the checkpoint that comes before step 0: nothing was painted.
                chores::clear(&folder).with_context(|| format!("{} is missing", path.display()))?;
                let facts = run_facts(&job)?;
                return Self::begin_in(job, facts, folder, display, stop);
            }
        };
        let (net, _) = frozen(&job)?;
        let step = checkpoint::step(&path)?.min(job.plan.total_steps);
        // The next phase may be of another size; it has not begun.
        let extent = job.extent(job.plan.phase_of(step.saturating_sub(1)));
        let zeros = vec![0.0; job.painting.images() * extent.width * extent.height * 3];
        let shape = pixels(job.painting.images(), extent, &zeros);
        let (state, positions) = checkpoint::load(&path, shape, &Rules::default(), &job.plan)?;
        let display = chores::with_records(&job.spec, display);
        let mut recorder = Recorder::resume(folder, run_facts(&job)?, state.progress.step, &positions, display)?;
        chores::tell(&mut recorder, &job.notices)?;
        Ok(Self::assemble(job, state, net, recorder, stop))
    }

    fn assemble(job: PaintJob, state: State, net: Params, recorder: Recorder, stop: StopFlag) -> Self {
        let clock = Clock::start(state.progress.seconds);
        let meter = Meter::new(&job.plan, state.progress.step);
        Self { job, state, net, recorder, stop, clock, meter }
    }

    /// Goes over to a step's phase: an image of another size is resized, and its optimizer begins anew.
    fn begin_phase(&mut self, step: &StepPlan) -> anyhow::Result<Objective> {
        let (extent, phase) = (self.job.extent(step.phase), &self.job.plan.phases[step.phase]);
        let before = self.job.extent(self.job.plan.phase_of(step.step.saturating_sub(1)));
        let (optimizer, carry) = (phase.optimizer.clone(), phase.carry);
        if extent == before {
            self.state.switch_optimizer(&optimizer, carry)?;
        } else {
            let colours = self.job.colours();
            let images = images_of(values(&self.state.params), before, colours);
            let resized: Vec<f32> = images.iter().flat_map(|image| image.fitted(extent).normalised(colours)).collect();
            self.state.params = pixels(images.len(), extent, &resized);
            self.state.optimizers = Optimizers::new(&self.state.params, &Rules::default(), &optimizer);
            self.state.progress.optimizer = optimizer;
        }
        let objective = objective(&self.job, &mut self.net, extent)?;
        self.recorder.event(&chores::phase_begins(&self.job.plan, step.phase))?;
        Ok(objective)
    }

    fn checkpoint(&mut self) -> anyhow::Result<()> {
        let compute = &self.job.machine.compute;
        chores::write_checkpoint(&mut self.state, &mut self.recorder, &mut self.clock, compute, None)
    }

    /// Writes the images after a step.
    fn snapshot(&mut self, step: &StepPlan, loss: f64) -> anyhow::Result<()> {
        self.clock.lap(|spent| &mut spent.train);
        let extent = self.job.extent(step.phase);
        let folder = self.recorder.folder().join(SNAPSHOTS);
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
        let images = shown(&self.job, &self.state.params, extent);
        for (k, image) in images.iter().enumerate() {
            atomic::write(&folder.join(name_of(step.step + 1, k, images.len())), &image.png())?;
        }
        let first = format!("{SNAPSHOTS}/{}", name_of(step.step + 1, 0, images.len()));
        self.recorder.event(&Event::Snapshot { step: step.step, file: first, loss })?;
        self.clock.lap(|spent| &mut spent.eval);
        Ok(())
    }

    /// Ends the records: pictures of a run that is over, and the status.
    fn finish(&mut self, outcome: Outcome) -> anyhow::Result<Outcome> {
        self.clock.skip();
        if outcome.status == Status::Done {
            let last = self.job.plan.phase_of(self.state.progress.step.saturating_sub(1));
            let extent = self.job.extent(last);
            let images = shown(&self.job, &self.state.params, extent);
            let folder = self.recorder.folder();
            for (k, image) in images.iter().enumerate() {
                let name = if images.len() == 1 { "result.png".to_owned() } else { format!("result-{}.png", k + 1) };
                atomic::write(&folder.join(&name), &image.png())?;
            }
            atomic::write(&folder.join("sheet.png"), &self.sheet(&images[0])?.png())?;
        }
        let end = self.end(outcome.status, outcome.reason.clone());
        chores::close(&mut self.recorder, &self.job.spec.name, &self.job.plan, end)?;
        Ok(outcome)
    }

    /// The contact sheet: what was given, the first image's snapshots, the result.
    fn sheet(&self, result: &Picture) -> anyhow::Result<Picture> {
        let (side, most, columns) = SHEET;
        let to = fitted(result.extent, side.min(result.extent.width.max(result.extent.height)));
        let given = self.job.pictures.content.iter().chain(&self.job.pictures.style);
        let mut shown: Vec<Picture> = given.map(|picture| picture.fitted(to)).collect();
        let folder = self.recorder.folder().join(SNAPSHOTS);
        let images = self.job.painting.images();
        let mut names: Vec<String> = (1..=self.state.progress.step).map(|step| name_of(step, 0, images)).collect();
        names.retain(|name| folder.join(name).is_file());
        // Of many, some, spread evenly, the last among them.
        let every = names.len().div_ceil(most).max(1);
        for name in names.iter().rev().step_by(every).collect::<Vec<_>>().into_iter().rev() {
            shown.push(Picture::read(&folder.join(name))?.fitted(to));
        }
        Ok(Picture::sheet(&shown, columns))
    }

    /// Ends the records of a run that an error stopped, as far as they can still be written.
    pub fn fail(&mut self, error: &anyhow::Error) {
        let end = self.end(Status::Failed, format!("{error:#}"));
        chores::close_failed(&mut self.recorder, end);
    }

    fn end(&self, status: Status, reason: String) -> End {
        let (step, spent) = (self.state.progress.step, self.clock.spent);
        End { status, reason, step, spent, skipped_steps: None }
    }
}

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
    let applied = state.optimizers.applied()[0].expect("pixels are never frozen");
    let mut values = plan.step_values(step.phase, &step.clip, applied.share);
    values.extend(plan.clips().then_some(clipped));
    values.extend(terms);
    values.push(evaluations as f64);
    Ok(Brushed { loss, grad_norm, applied, values })
}

/// The pixels of a state, without what fills up the last line.
fn values(params: &Params) -> &[f32] {
    params.get(PIXELS).expect("they are the one parameter")
}

/// Pixels as parameters.
fn pixels(images: usize, extent: Extent, values: &[f32]) -> Params {
    let decl = ParamDecl {
        name: PIXELS.to_owned(),
        role: Role::Conv,
        shape: vec![images, extent.height, extent.width, 3],
        init: Init::Constant(0.0),
        frozen: false,
    };
    let mut params = Params::new(&[decl], &[], 0);
    params.values_mut()[..values.len()].copy_from_slice(values);
    params
}

/// The images as they are to be seen.
fn shown(job: &PaintJob, params: &Params, extent: Extent) -> Vec<Picture> {
    let mut seen = values(params).to_vec();
    if let Some(mask) = mask(job, extent) {
        mask.mix(&contents(job, extent), values(params), &mut seen);
    }
    let images = images_of(&seen, extent, job.colours());
    if !job.painting.keep_color {
        return images;
    }
    let contents = job.pictures.content.iter().map(|content| content.fitted(extent));
    images.iter().zip(contents).map(|(image, content)| image.with_colours_of(&content)).collect()
}

/// What normalised pixels look like.
fn images_of(values: &[f32], extent: Extent, colours: Colours<'_>) -> Vec<Picture> {
    let per_image = extent.width * extent.height * 3;
    values.chunks_exact(per_image).map(|image| Picture::of_normalised(image, extent, colours)).collect()
}

/// `000050.png`; of several images `000050-1.png`, …
fn name_of(step: u64, image: usize, of: usize) -> String {
    if of == 1 { format!("{step:06}.png") } else { format!("{step:06}-{}.png", image + 1) }
}

/// The content images, normalised.
fn contents(job: &PaintJob, extent: Extent) -> Vec<f32> {
    let of = |picture: &Picture| {
        let fitted = picture.fitted(extent);
        let seen = if job.painting.keep_color { fitted.grey() } else { fitted };
        seen.normalised(job.colours())
    };
    job.pictures.content.iter().flat_map(of).collect()
}

fn mask(job: &PaintJob, extent: Extent) -> Option<Mask> {
    job.pictures.mask.as_ref().map(|picture| Mask::of(picture, extent, job.painting.feather))
}

/// The loss at an extent.
fn objective(job: &PaintJob, params: &mut Params, extent: Extent) -> anyhow::Result<Objective> {
    let style: Vec<(Extent, Vec<f32>)> = job
        .pictures
        .style
        .iter()
        .zip(job.style_extents(extent))
        .map(|(picture, to)| {
            let fitted = picture.fitted(to);
            let seen = match job.pictures.content.first().filter(|_| job.painting.keep_color) {
                Some(content) => fitted.with_lights_of(content),
                None => fitted,
            };
            (to, seen.normalised(job.colours()))
        })
        .collect();
    let (content, mask) = (contents(job, extent), mask(job, extent));
    let scene = Scene { painting: &job.painting, extent, content: &content, style: &style, mask: mask.as_ref() };
    let facts = job.facts();
    let graph = |extent| Ok(net::some_of(&job.spec, &facts, extent)?.0);
    let mut net = FrozenNet {
        graph: &graph,
        params: std::mem::replace(params, Params::new(&[], &[], 0)),
        isa: job.machine.compute.isa,
        dtype: net::dtype(&job.spec),
        algorithm: net::algorithm(&job.spec),
    };
    let made = Objective::new(&mut net, &scene);
    *params = net.params;
    made
}

/// What the images are before the first step, normalised.
fn start(job: &PaintJob, extent: Extent) -> Vec<f32> {
    let (images, colours) = (job.painting.images(), job.colours());
    match &job.painting.init {
        Start::Content => contents(job, extent),
        Start::Image(_) => {
            let picture = job.pictures.init.as_ref().expect("it was read").fitted(extent);
            picture.normalised(colours).repeat(images)
        }
        Start::Noise { median, contrast } => {
            let noise = |image: usize| {
                let mut rng = rng(job.spec.seed, Purpose::Paint, 0, image as u64);
                let values = extent.width * extent.height * 3;
                let mut drawn: Vec<f32> = (0..values).map(|_| draw::between(&mut rng, 0.0, 1.0)).collect();
                if *median > 1 {
                    drawn = median_filter(&drawn, [extent.height, extent.width, 3], *median);
                }
                let picture = Picture { extent, pixels: drawn };
                picture.normalised(colours).into_iter().map(|value| value * *contrast as f32).collect::<Vec<f32>>()
            };
            (0..images).flat_map(noise).collect()
        }
    }
}

/// The parameters of the net as far as it is looked at, and what to say of where they come from.
fn frozen(job: &PaintJob) -> anyhow::Result<(Params, Option<String>)> {
    let (graph, _) = net::some_of(&job.spec, &job.facts(), job.extent(0))?;
    let looked = looked_at(&job.painting, &graph)?;
    let mut params = Params::new(looked.params(), looked.stats(), job.spec.seed).without_gradients();
    let Some(facts) = &job.weights else {
        he(&mut params, looked.params());
        return Ok((params, Some(RANDOM.to_owned())));
    };
    let weights = chores::unchanged(facts)?;
    let taken = weights.start_part(&mut params, published(&job.spec.model.backbone))?;
    Ok((params, Some(taken.in_words(&facts.path))))
}

/// He's start (He et al. 2015): what passes a ReLU is as large as before. By ±1/√fan_in, from which training gets away, each layer
/// leaves a sixth of its squares: behind ten of them nothing moves. What starts by another rule is left as it is.
fn he(params: &mut Params, decls: &[ParamDecl]) {
    for decl in decls.iter().filter(|decl| matches!(decl.init, Init::Uniform { .. })) {
        let range = params.directory()[&decl.name].range.clone();
        let values = &mut params.values_mut()[range];
        match decl.role {
            Role::Conv | Role::Linear => values.iter_mut().for_each(|value| *value *= 6f32.sqrt()),
            Role::Bias => values.fill(0.0),
            Role::Norm => {}
        }
    }
}

/// The net up to the last layer that a term looks at.
///
/// # Errors
/// When a layer is not there.
pub fn looked_at(painting: &Painting, graph: &Graph) -> anyhow::Result<Graph> {
    Ok(graph.until(&Objective::values(painting, graph)?))
}

fn run_facts(job: &PaintJob) -> anyhow::Result<RunFacts> {
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
        },
        further_datasets: Vec::new(),
        last_set_since: 0,
        model: format!("{} + {} + {}", model.stem.kind, model.backbone.kind, model.head.kind),
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

/// Bytes that a phase takes at a size: of the net and its activations, and of what the optimizer remembers.
///
/// # Errors
/// When the net takes no images of that size.
pub fn memory_needed(job: &PaintJob, phase: &PlannedPhase, size: usize) -> anyhow::Result<usize> {
    let extent = job.pictures.extent(size);
    let (graph, _) = net::some_of(&job.spec, &job.facts(), extent)?;
    let looked = looked_at(&job.painting, &graph)?;
    let weights: usize = looked.params().iter().map(|param| param.shape.iter().product::<usize>()).sum();
    let pixels = job.painting.images() * extent.width * extent.height * 3;
    // Of each step that L-BFGS remembers two copies; of other rules a few. What points on a line hold comes on top.
    let history = phase.optimizer.settings.opt_int("history").unwrap_or(0) as usize;
    let copies = 2 * history + 12;
    // As kernels read them, weights of 3×3 take four times their room, in either direction.
    let floats = 9 * weights + copies * pixels;
    let layers = Objective::style_layers(&job.painting, &graph)?;
    let mut most = Objective::bytes(job.needs(), &job.painting, &graph)?;
    // The look at a style image is over before the first step; one that is larger than the painting may take more.
    for to in job.style_extents(extent) {
        most = most.max(style_bytes(job, &layers, to)?);
    }
    Ok(most + floats * size_of::<f32>())
}

/// Bytes that the look at a style image of an extent takes.
fn style_bytes(job: &PaintJob, layers: &BTreeMap<String, ValueId>, to: Extent) -> anyhow::Result<usize> {
    let (graph, _) = net::some_of(&job.spec, &job.facts(), to)?;
    Ok(Objective::style_bytes(job.needs(), layers, &graph, to)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_filters_that_are_drawn_are_drawn_as_he_does() {
        let decl = |name: &str, role, init| {
            let (name, shape) = (name.to_owned(), vec![4, 3, 1, 1]);
            ParamDecl { name, role, shape, init, frozen: false }
        };
        let (uniform, dirac) = (Init::Uniform { bound: 0.5 }, Init::Dirac { bound: 0.5, groups: 1 });
        let decls = [
            decl("a.weight", Role::Conv, uniform),
            decl("a.bias", Role::Bias, uniform),
            decl("b.scale", Role::Norm, Init::Constant(1.0)),
            decl("c.weight", Role::Conv, dirac),
        ];
        let before = Params::new(&decls, &[], 1);
        let mut params = before.clone();
        he(&mut params, &decls);
        let (drawn, found) = (before.get("a.weight").unwrap(), params.get("a.weight").unwrap());
        assert!(drawn.iter().zip(found).all(|(drawn, found)| *found == drawn * 6f32.sqrt()));
        assert_eq!(params.get("a.bias").unwrap(), [0.0; 12]);
        assert!(["b.scale", "c.weight"].iter().all(|name| params.get(name) == before.get(name)));
    }
}
