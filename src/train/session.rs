//! One training from its parts: what the engine works on, and the chores around the loop.

use super::average::Average;
use super::checkpoint;
use super::chores::{self, CHECKPOINT_FILE, End};
use super::clock::Clock;
use super::device::is_out_of_memory;
use super::engine::Outcome;
use super::evaluate::Evaluator;
use super::ledger::{Ledger, Numbers};
use super::lookahead::Lookahead;
use super::meter::Meter;
use super::optimizers::Rules;
use super::passes::Passes;
use super::prefix::{self, Beginning, Kept};
use super::pruning::ImageLosses;
use super::sets::DeviceSets;
use super::state::{Damaged, State};
use super::step::Stepper;
use super::stop::StopFlag;
use super::warm_up::warm_up;
use super::watch::{FACTOR, SmoothedLoss};
use super::{device, net, start, statistics};
use crate::config::UsedSet;
use crate::config::spec::Spec;
use crate::data::augment::Chain;
use crate::data::mix::mixer;
use crate::data::prune;
use crate::data::{BatchPlan, Dataset, Facts, Loader, Training};
use crate::gpu::{Buffer, DType};
use crate::model::backbones::published;
use crate::nn::{Compute, Executor, Params};
use crate::optim::device::Slot;
use crate::plan::{Mix, Plan, PlannedPhase, StepPlan};
use crate::record::folder::file;
use crate::record::rows::TraceRow;
use crate::record::run_json::Fork;
use crate::record::text::{self, plural};
use crate::record::{
    DatasetFacts, Event, Recorder, RunFacts, RunFolder, Sink, Status, StepDone, WeightsFacts, atomic, recorder,
};
use crate::units::Seconds;
use anyhow::Context as _;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What a training is made of: everything checked, nothing begun.
pub struct Job {
    /// Naming the set that is really used.
    pub spec: Spec,
    pub plan: Plan,
    /// Those of the spec, in their order.
    pub datasets: Vec<Arc<Dataset>>,
    pub machine: Machine,
    /// The command line, program included.
    pub argv: Vec<String>,
    /// The file that the net starts from: the one of `[model] weights`, as it was when the run was begun.
    pub weights: Option<WeightsFacts>,
    /// To be said loudly when the run begins.
    pub notices: Vec<String>,
    /// Phases before which the state is kept for runs that begin alike; as many as there are: at the end.
    pub keep: Vec<usize>,
}

impl Job {
    /// By which runs are grouped.
    pub fn spec_hash(&self) -> String {
        let used = self.datasets.iter().map(|set| UsedSet { name: &set.facts.name, digest: &set.digest });
        let sets: Vec<UsedSet<'_>> = used.collect();
        self.spec.hash(&sets, self.weights.as_ref().map(|weights| weights.sha256.as_str()))
    }

    /// Has the device compute as the experiment asks, before anything else, and notes what there is to say of it.
    fn set_up(&mut self) {
        let compute = &self.machine.compute;
        device::set_up(compute, &self.spec);
        self.notices.extend_from_slice(device::remarks(compute));
    }
}

/// What a training runs on.
#[derive(Clone, Debug)]
pub struct Machine {
    pub compute: Compute,
    pub threads: usize,
}

/// A training under way.
pub struct Session {
    pub spec: Spec,
    pub plan: Plan,
    pub state: State,
    pub compute: Compute,
    pub recorder: Recorder,
    pub stop: StopFlag,
    /// Running since the session was put together.
    pub clock: Clock,
    pub evaluator: Evaluator,
    /// What computes the gradients of steps like the last one; `None` where it is to be made.
    pub(super) passes: Option<Passes>,
    pub datasets: Vec<Arc<Dataset>>,
    meter: Meter,
    /// What a device's steps have left there; `None` on the host, and before the first step.
    ledger: Option<Ledger>,
    /// Sets that lie there.
    pub(super) sets: DeviceSets,
    /// The model after that step, with its statistics, where it is a mean that optimizers keep.
    pub(super) mean: Option<(u64, Average)>,
    /// What is kept, by the phase before which it is.
    keep: BTreeMap<usize, Beginning>,
    /// What was said last of images that are damaged.
    told: BTreeMap<usize, Damaged>,
}

impl Session {
    /// Begins a run in a new folder.
    ///
    /// # Errors
    /// When the folder cannot be written: it then says that the run failed or, where not even that can be written, is
    /// gone. When the weights to start from are not as they were.
    pub fn begin(job: Job, folder: RunFolder, display: Box<dyn Sink>, stop: StopFlag) -> anyhow::Result<Self> {
        let display = chores::with_records(&job.spec, display);
        let path = folder.path().to_owned();
        let state = fresh_state(&job)?;
        let facts = run_facts(&job, &state);
        Self::begin_in(job, state, folder, display, stop)
            .inspect_err(|error| recorder::could_not_begin(&path, &facts, &format!("{error:#}")))
    }

    fn begin_in(
        mut job: Job,
        mut state: State,
        folder: RunFolder,
        display: Box<dyn Sink>,
        stop: StopFlag,
    ) -> anyhow::Result<Self> {
        job.set_up();
        // First: a run that cannot begin is tried again by what stands there.
        chores::write_plan(&job.spec, &job.plan, &folder)?;
        prefix::drop_waiting(folder.path(), job.plan.phases.len())?;
        let begun = Instant::now();
        match give_start(&job, &mut state.params)? {
            Start::Weights(words) => job.notices.push(words),
            Start::Images => {
                let seconds = begun.elapsed().as_secs_f64();
                state.progress.seconds.train += seconds;
                state.progress.seconds.wall += seconds;
            }
            Start::Drawn => {}
        }
        let facts = run_facts(&job, &state);
        let mut recorder = Recorder::create(folder, facts, display)?;
        prefix::ask(recorder.folder().path(), &job.keep)?;
        chores::tell(&mut recorder, &job.notices)?;
        Ok(Self::assemble(job, state, recorder, stop))
    }

    /// Begins a run in a new folder with what a run that begins alike kept in the folder `from`: `kept`.
    ///
    /// # Errors
    /// As [`begin`](Self::begin); when what was kept cannot be read.
    pub fn fork(
        job: Job,
        from: &Path,
        kept: Kept,
        folder: RunFolder,
        display: Box<dyn Sink>,
        stop: StopFlag,
    ) -> anyhow::Result<Self> {
        let display = chores::with_records(&job.spec, display);
        let path = folder.path().to_owned();
        let facts = run_facts(&job, &fresh_state(&job)?);
        Self::fork_in(job, from, kept, folder, display, stop)
            .inspect_err(|error| recorder::could_not_begin(&path, &facts, &format!("{error:#}")))
    }

    fn fork_in(
        mut job: Job,
        from: &Path,
        kept: Kept,
        folder: RunFolder,
        display: Box<dyn Sink>,
        stop: StopFlag,
    ) -> anyhow::Result<Self> {
        job.set_up();
        chores::write_plan(&job.spec, &job.plan, &folder)?;
        let Kept { run, phase, steps, seconds, .. } = kept;
        let path = from.join(CHECKPOINT_FILE);
        let (state, positions) = checkpoint::load(&path, fresh_params(&job)?, &rules(&job)?, &job.plan)?;
        device::choose_again(&job.machine.compute, &path)?;
        prefix::drop_waiting(folder.path(), job.plan.phases.len())?;
        prefix::copy_into(folder.path(), from, phase, &positions).inspect_err(|_| without_tables(&folder))?;
        let facts = run_facts(&job, &state);
        let spent = chores::by_kind(&state.progress.seconds);
        job.notices.push(format!("the first {} are those of {run}, which begins alike", plural(steps, "step")));
        let fork = Fork { run, phase, steps, seconds };
        let mut recorder = Recorder::fork(folder, facts, &fork, spent, &positions, display)?;
        prefix::ask(recorder.folder().path(), &job.keep)?;
        prefix::put_models_in_place(recorder.folder().path(), job.plan.phases.len())?;
        chores::tell(&mut recorder, &job.notices)?;
        Ok(Self::assemble(job, state, recorder, stop))
    }

    /// Takes up a run from its checkpoint.
    ///
    /// # Errors
    /// When the checkpoint or the records cannot be used.
    pub fn resume(mut job: Job, folder: RunFolder, display: Box<dyn Sink>, stop: StopFlag) -> anyhow::Result<Self> {
        let display = chores::with_records(&job.spec, display);
        let path = match chores::find_checkpoint(&folder)? {
            Ok(path) => path,
            Err(path) => {
                return Self::begin_again(job, folder, display, stop)
                    .with_context(|| format!("{} is missing", path.display()));
            }
        };
        job.set_up();
        prefix::ask(folder.path(), &job.keep)?;
        let (state, positions) = checkpoint::load(&path, fresh_params(&job)?, &rules(&job)?, &job.plan)?;
        device::choose_again(&job.machine.compute, &path)?;
        let facts = run_facts(&job, &state);
        let mut recorder = Recorder::resume(folder, facts, state.progress.step, &positions, display)?;
        // The process that began it may have been killed before it came to that.
        prefix::put_models_in_place(recorder.folder().path(), job.plan.phases.len())?;
        chores::tell(&mut recorder, &job.notices)?;
        Ok(Self::assemble(job, state, recorder, stop))
    }

    /// Begins a run that was killed before the checkpoint that comes before step 0: nothing was trained.
    fn begin_again(job: Job, folder: RunFolder, display: Box<dyn Sink>, stop: StopFlag) -> anyhow::Result<Self> {
        chores::clear(&folder)?;
        let state = fresh_state(&job)?;
        Self::begin_in(job, state, folder, display, stop)
    }

    fn assemble(job: Job, state: State, recorder: Recorder, stop: StopFlag) -> Self {
        let beginning = |phase: usize| match phase == job.plan.phases.len() {
            true => Beginning::whole(&job),
            false => Beginning::of(&job, phase),
        };
        let keep = job.keep.iter().filter_map(|phase| Some((*phase, beginning(*phase)?))).collect();
        Self {
            keep,
            // Of a run that goes on, its facts have it.
            told: state.progress.damaged.clone(),
            clock: Clock::start(state.progress.seconds),
            meter: Meter::new(&job.plan, state.progress.step),
            ledger: None,
            sets: DeviceSets::default(),
            mean: None,
            evaluator: Evaluator::new(job.machine.compute.clone()),
            passes: None,
            spec: job.spec,
            plan: job.plan,
            state,
            compute: job.machine.compute,
            recorder,
            stop,
            datasets: job.datasets,
        }
    }

    /// The batches of all steps from one on.
    pub fn loader(&self, from: u64) -> Loader {
        loader(&self.datasets, self.spec.seed, &self.plan, from, self.sets.at_hand())
    }

    /// Tells the loader what the epoch of a step serves, where that leaves images out. At its first step the losses of all steps before
    /// are known.
    pub(super) fn select(&mut self, loader: &Loader, step: &StepPlan) {
        let Self { spec, plan, state, datasets, .. } = self;
        let PlannedPhase { set, prune_images, .. } = &plan.phases[step.phase];
        let Some(choice) = prune_images else { return };
        let (prune, images) = (prune::make(choice), datasets[*set].train.labels.len());
        let mut unknown = ImageLosses::unknown(if prune.by_loss() { 0 } else { images });
        let losses = match prune.by_loss() {
            true => state.losses.entry(*set).or_insert_with(|| ImageLosses::unknown(images)),
            false => &mut unknown,
        };
        if step.first == 0 {
            losses.begin_epoch();
        }
        loader.select(*set, step.epoch, Arc::new(losses.selection(&*prune, spec.seed, step.epoch)));
    }

    /// Remembers the losses of a step's images, for phases that prune by them.
    pub(super) fn remember(&mut self, step: &StepPlan, images: &[u32], losses: &[f32]) {
        let set = self.plan.phases[step.phase].set;
        let count = self.datasets[set].train.labels.len();
        self.state.losses.entry(set).or_insert_with(|| ImageLosses::unknown(count)).note(images, losses);
    }

    /// Gives up the memory of all images on a device: the host makes the batches from then on. Whether there were any.
    pub(super) fn give_up_images(&mut self) -> anyhow::Result<bool> {
        let were_there = self.sets.give_up();
        if were_there {
            chores::tell(&mut self.recorder, &[chores::IMAGES_GAVE_WAY.to_owned()])?;
        }
        let gave_up = self.evaluator.give_up_images() || were_there;
        if gave_up {
            // What was recorded keeps all memory from before.
            self.passes = None;
        }
        Ok(gave_up)
    }

    /// Makes something that takes a device's memory, and where that is too small, gives up what else there is, one after the
    /// other: what the last evaluation was made with, then images.
    ///
    /// # Errors
    /// Those of `make`, once there is nothing left to give up.
    fn with_room<T>(&mut self, mut make: impl FnMut(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        loop {
            match make(self) {
                Err(error) if is_out_of_memory(&error) && (self.evaluator.forget() || self.give_up_images()?) => {}
                made => return made,
            }
        }
    }

    /// Has all there that a step is taken with, for a step that has begun cannot begin again: on a device what it changes behind the
    /// optimizers' update, what computes its gradients, and room for what optimizers and means ask for when they begin. `begins`: the
    /// step is the first of its phase, or of this process.
    ///
    /// # Errors
    /// Those of the device.
    pub(super) fn prepare(&mut self, step: &StepPlan, frozen: &[bool], begins: bool) -> anyhow::Result<()> {
        /// Most optimizers remember two numbers for each parameter at most; and there is more that a first step asks for.
        const REMEMBERED: usize = 3;
        let Some(device) = self.compute.device.clone() else { return self.make_passes(step, frozen) };
        let (averages, mixes) = (self.plan.averages_after(step).is_some(), self.plan.mix_after(step).is_some());
        let on_device = |slots: [&mut Slot; 2]| slots.into_iter().try_for_each(|slot| slot.on(&device).map(drop));
        let place = |session: &mut Self| {
            let State { params, average, lookahead, .. } = &mut session.state;
            params.on_device(&device)?;
            let mut absent = 0;
            match average {
                Some(Average { params, stats, .. }) if averages => on_device([params, stats])?,
                _ => absent += usize::from(averages),
            }
            match lookahead {
                Some(Lookahead { params, stats }) if mixes => on_device([params, stats])?,
                _ => absent += usize::from(mixes),
            }
            anyhow::Ok(absent)
        };
        let absent = match self.with_room(place) {
            Err(error) if is_out_of_memory(&error) && self.passes.take().is_some() => self.with_room(place)?,
            placed => placed?,
        };
        self.with_room(|session| session.make_passes(step, frozen))?;
        if absent == 0 && !begins {
            return Ok(());
        }
        let sizes = self.state.params.sizes();
        // The first of a kind is made of the weights as they are then: until then there is to be room for it.
        let optimizers = std::iter::repeat_n(sizes[0], if begins { REMEMBERED } else { 0 });
        let sizes = (0..absent).flat_map(|_| sizes).chain(optimizers).filter(|len| *len > 0);
        let room = self.with_room(|session| {
            session.make_passes(step, frozen)?;
            let room: Vec<Buffer> =
                sizes.clone().map(|len| device.allocate(DType::F32, len)).collect::<Result<_, _>>()?;
            drop(room);
            Ok(())
        });
        match room {
            // It may do all the same.
            Err(error) if is_out_of_memory(&error) => self.make_passes(step, frozen),
            found => found,
        }
    }

    /// What computes a step's gradients, where it is not there.
    fn make_passes(&mut self, step: &StepPlan, frozen: &[bool]) -> anyhow::Result<()> {
        if self.passes.is_none() {
            self.passes = Some(self.passes(step, frozen)?);
        }
        Ok(())
    }

    /// What a step is taken with.
    ///
    /// # Panics
    /// When it was not [prepared](Self::prepare).
    pub(super) fn stepper(&mut self) -> (Stepper<'_>, &mut Passes) {
        let Self { spec, plan, state, compute, ledger, sets, passes, .. } = self;
        let passes = passes.as_mut().expect("a step is prepared before it is taken");
        (Stepper { spec, plan, state, compute, ledger: ledger.as_mut(), sets }, passes)
    }

    /// From here on a device's losses may stay there for a while, images lie there where that is of use, and it is warmed up.
    ///
    /// # Errors
    /// Those of the device; when its memory is too small; when what took long cannot be recorded.
    pub(super) fn prepare_device(&mut self) -> anyhow::Result<()> {
        /// Seconds after which a person is told what they were spent on.
        const LONG: Seconds = 1.0;
        let Self { compute, plan, state, datasets, .. } = &*self;
        let Some(device) = &compute.device else { return Ok(()) };
        let (from, begun) = (state.progress.step, Instant::now());
        let parts = plan.phases.iter().map(|phase| phase.accumulate).max().unwrap_or(1);
        let device = device.clone();
        let remembering = plan.phases.iter().filter(|phase| plan.remembers_losses(&plan.at(phase.first_step)));
        let images = remembering.map(|phase| phase.batch).max();
        let (ledger, sets) = (Ledger::new(&device, parts, images)?, DeviceSets::new(&device, datasets, plan, from)?);
        (self.ledger, self.sets) = (Some(ledger), sets);
        if !self.warm_up(from)? && self.give_up_images()? {
            self.warm_up(from)?;
        }
        device.synchronize()?;
        let seconds = begun.elapsed().as_secs_f64();
        if seconds > LONG {
            let device = self.compute.label();
            let words = format!("{seconds:.1} s before training: images, kernels and libraries of {device}");
            chores::tell(&mut self.recorder, &[words])?;
        }
        Ok(())
    }

    /// Warms the device up for the steps from that one on; whether its memory was enough for that.
    fn warm_up(&self, from: u64) -> anyhow::Result<bool> {
        let Self { spec, datasets, sets, plan, state, compute, .. } = self;
        warm_up(spec, (datasets, sets), plan, from, &state.params, compute)
    }

    /// Whether the numbers of one more step of that phase may stay on the device.
    pub(super) fn ledger_has_room(&self, phase: usize) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.has_room(self.plan.phases[phase].accumulate))
    }

    /// What the steps since have left on the device. Waits for them, where there are any, and says what a person
    /// should know of the device since.
    ///
    /// # Errors
    /// Those of the device; when what is to be said cannot be recorded.
    pub(super) fn read_ledger(&mut self) -> anyhow::Result<Vec<Numbers>> {
        let read = self.ledger.as_mut().map(Ledger::read).transpose()?.unwrap_or_default();
        let remarks = self.compute.device.as_ref().map(crate::gpu::Device::take_remarks).unwrap_or_default();
        chores::tell(&mut self.recorder, &remarks)?;
        Ok(read)
    }

    /// Goes over to a step's phase.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn begin_phase(&mut self, step: &StepPlan) -> anyhow::Result<()> {
        let phase = &self.plan.phases[step.phase];
        self.state.switch_optimizer(&phase.optimizer, phase.handover_at(step.step))?;
        Ok(self.recorder.event(&chores::phase_begins(&self.plan, step.phase))?)
    }

    /// The tape for a step's image size and its phase's batches, or the parts that those pass in; `frozen` are the units that are so in
    /// the step, and what lies before all others does not run backward.
    ///
    /// # Errors
    /// When the parts of the net do not fit at that size, which the check before training finds; when a device's memory is too small.
    pub fn passes(&self, step: &StepPlan, frozen: &[bool]) -> anyhow::Result<Passes> {
        let Self { spec, datasets, plan, state, compute, .. } = self;
        let frozen = state.optimizers.frozen(frozen);
        passes(spec, &datasets[0].facts, plan, step, &frozen, &state.params, compute)
    }

    /// Records a step.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn step_done(
        &mut self,
        row: TraceRow,
        own_lrs: Vec<f64>,
        step_values: Vec<f64>,
        wait_seconds: Seconds,
    ) -> anyhow::Result<()> {
        self.meter.add(&row);
        let done = StepDone {
            train_acc: self.state.progress.window.accuracy(),
            images_per_second: self.meter.images_per_second(),
            seconds_left: self.meter.seconds_left(),
            wait_seconds,
            row,
            own_lrs,
            step_values,
        };
        Ok(self.recorder.event(&Event::StepDone(done))?)
    }

    /// Shows the stop rules the loss of a step. `Some`, with the reason, where training has diverged by them.
    pub fn watch_loss(&mut self, step: &StepPlan, loss: f64) -> Option<String> {
        if !self.plan.stop.diverged {
            return None;
        }
        let smoothed = &mut self.state.progress.watch.smoothed;
        if self.plan.begins_another_scale(step.step) {
            *smoothed = SmoothedLoss::default();
        }
        let best = smoothed.best();
        smoothed.add(loss).then(|| {
            format!(
                "the smoothed loss, {:.4}, is over {FACTOR} times its best, {:.4}, at step {}",
                smoothed.value(),
                best.unwrap_or(f64::NAN),
                step.step
            )
        })
    }

    /// Why training ends here, if its time is used up.
    pub fn time_is_up(&self) -> Option<String> {
        chores::time_is_up(&self.plan, &self.clock.spent)
    }

    /// What the plan does with the last step, for a step that became the last one: with lookahead, the slow weights are what
    /// remains.
    ///
    /// # Errors
    /// Those of a device.
    pub fn end_early(&mut self) -> anyhow::Result<()> {
        if let Some(lookahead) = &mut self.state.lookahead {
            lookahead.mix(&mut self.state.params, Mix::Return)?;
        }
        Ok(())
    }

    /// Writes down all that later rows depend on, after the rows so far are on the disk. Its seconds are those before it.
    ///
    /// # Errors
    /// When the disk refuses; the checkpoint before is then still whole.
    pub fn checkpoint(&mut self) -> anyhow::Result<()> {
        self.tell_damaged()?;
        let skipped = self.skipped_steps();
        chores::write_checkpoint(&mut self.state, &mut self.recorder, &mut self.clock, &self.compute, skipped)
    }

    /// Says which images were damaged, and done without, where that has changed.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub fn tell_damaged(&mut self) -> anyhow::Result<()> {
        for (set, damaged) in &self.state.progress.damaged {
            if self.told.get(set) != Some(damaged) {
                let (train_replaced, val_left_out) = damaged.counts();
                self.recorder.event(&Event::Damaged { set: *set, train_replaced, val_left_out })?;
                self.told.insert(*set, damaged.clone());
            }
        }
        Ok(())
    }

    /// Keeps the state for runs that begin alike, where that is asked for before this step, and not done yet.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_beginning(&mut self, step: &StepPlan) -> anyhow::Result<()> {
        let begins = self.plan.phases[step.phase].first_step == step.step;
        if begins { self.keep_before(step.phase, step.step) } else { Ok(()) }
    }

    /// Keeps the state at the end of a training that took all its steps, where that is asked for, for one with further phases.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep_end(&mut self) -> anyhow::Result<()> {
        self.keep_before(self.plan.phases.len(), self.plan.total_steps)
    }

    fn keep_before(&mut self, phase: usize, steps: u64) -> anyhow::Result<()> {
        let run = self.recorder.folder().path().to_owned();
        let Some(beginning) = self.keep.get(&phase).filter(|_| !prefix::is_kept(&run, phase)).cloned() else {
            return Ok(());
        };
        let bytes = chores::encoded(&mut self.state, &mut self.recorder, &mut self.clock, &self.compute)?;
        let name = run.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let kept = Kept { beginning, phase, steps, seconds: self.clock.spent.train, run: name };
        kept.write(&run, &bytes, &self.recorder.positions(), self.recorder.best_step())?;
        self.clock.lap(|spent| &mut spent.checkpoint);
        Ok(())
    }

    /// Has the model after a step at hand, with statistics of its own, where it is a mean that optimizers keep, and none where it is
    /// not. That is training: there is no such model without.
    ///
    /// # Errors
    /// Those of the device, of the loader and of the net.
    pub(super) fn find_mean(&mut self, step: &StepPlan) -> anyhow::Result<()> {
        if self.mean.as_ref().is_some_and(|(of, _)| *of == step.step) {
            return Ok(());
        }
        self.mean = None;
        if !self.plan.phases[step.phase].model_is_mean {
            return Ok(());
        }
        let mut mean = self.state.mean_of_optimizers()?;
        loop {
            match self.measure(&mut mean, step) {
                Err(error)
                    if is_out_of_memory(&error) && (self.passes.take().is_some() || self.give_up_images()?) => {}
                measured => break measured?,
            }
        }
        self.clock.lap(|spent| &mut spent.train);
        self.mean = Some((step.step, mean));
        Ok(())
    }

    /// Gives weights that no step was taken with the running statistics that they have on the training images.
    fn measure(&mut self, mean: &mut Average, step: &StepPlan) -> anyhow::Result<()> {
        let Self { spec, plan, state, evaluator, datasets, sets, compute, .. } = self;
        mean.in_place_of(&mut state.params, |params| {
            statistics::measure(params, spec, plan, (datasets, sets), step, compute, evaluator)
        })
    }

    /// Lets `work` have the model after a step in the place of the weights that are trained.
    fn with_model<T>(
        &mut self,
        step: &StepPlan,
        work: impl FnOnce(&mut Params) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.find_mean(step)?;
        let params = &mut self.state.params;
        params.home()?;
        match &mut self.mean {
            Some((_, mean)) => mean.in_place_of(params, work),
            None => work(params),
        }
    }

    /// Keeps the model as it is now, after a step, in a file of the run folder.
    ///
    /// # Errors
    /// Those of the device; when the disk refuses.
    pub fn keep_model(&mut self, name: &str, step: &StepPlan) -> anyhow::Result<()> {
        self.recorder.folder().check_in_place()?;
        let bytes = self.with_model(step, |params| Ok(checkpoint::encode_model_of(step.step, params)))?;
        atomic::write(&self.recorder.folder().join(name), &bytes)?;
        self.clock.lap(|spent| &mut spent.checkpoint);
        Ok(())
    }

    /// Ends the records: the model and the pictures for a run that is over, and the status.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn finish(&mut self, outcome: Outcome) -> anyhow::Result<Outcome> {
        self.clock.skip();
        self.tell_damaged()?;
        for (set, damaged) in &self.state.progress.damaged {
            let (train_replaced, val_left_out) = damaged.counts();
            if train_replaced + val_left_out > 0 {
                let text = text::damaged(&self.datasets[*set].facts.name, train_replaced, val_left_out);
                self.recorder.event(&Event::Notice { text })?;
            }
        }
        if outcome.status == Status::Done {
            let run = self.recorder.folder().path();
            let missing: Vec<usize> = self.keep.keys().copied().filter(|phase| !prefix::is_kept(run, *phase)).collect();
            let words = missing.into_iter().map(|phase| prefix::not_kept(phase, &self.plan, &self.state.progress));
            chores::tell(&mut self.recorder, &words.collect::<Vec<_>>())?;
            self.state.home()?;
            let last = self.plan.at(self.state.progress.step.max(1) - 1);
            let model = self.with_model(&last, |params| Ok(checkpoint::encode_model(params)))?;
            let folder = self.recorder.folder();
            atomic::write(&folder.join(file::MODEL), &model)?;
            let State { params, average, .. } = &mut self.state;
            if let (Some(average), Some(planned)) = (average, &self.plan.average) {
                let bytes = average.in_place_of(params, |params| Ok(checkpoint::encode_model(params)))?;
                atomic::write(&folder.join(&file::averaged_model(planned.kind())), &bytes)?;
            }
        }
        let end = self.end(outcome.status, outcome.reason.clone());
        chores::close(&mut self.recorder, &self.spec.name, &self.plan, end)?;
        Ok(outcome)
    }

    /// Steps that the loss scale had left out; `None` where the loss is not scaled.
    fn skipped_steps(&self) -> Option<u64> {
        let scaled = self.spec.train.loss_scale.is_some();
        scaled.then(|| self.state.progress.scale.map_or(0, |scale| scale.skipped))
    }

    /// Ends the records of a run that an error stopped, as far as they can still be written.
    pub fn fail(&mut self, error: &anyhow::Error) {
        let end = self.end(Status::Failed, format!("{error:#}"));
        chores::close_failed(&mut self.recorder, end);
    }

    fn end(&self, status: Status, reason: String) -> End {
        let (step, spent) = (self.state.progress.step, self.clock.spent);
        End { status, reason, step, spent, skipped_steps: self.skipped_steps() }
    }
}

/// Takes tables away whose checkpoint could not be copied as well: the run is then one that has not begun.
fn without_tables(folder: &RunFolder) {
    for table in [file::METRICS, file::TRACE] {
        // What was not copied need not go.
        let _ = std::fs::remove_file(folder.join(table));
    }
}

/// The batches of all steps of a plan from one on. `at_hand`: see [`Training`].
pub(super) fn loader(datasets: &[Arc<Dataset>], seed: u64, plan: &Plan, from: u64, at_hand: Vec<usize>) -> Loader {
    let chain = |phase: &crate::plan::PlannedPhase| -> Chain { crate::data::augment::chain(&phase.augment) };
    let augment = plan.phases.iter().map(chain).collect();
    let mix = plan.phases.iter().map(|phase| mixer(&phase.mix_images)).collect();
    let training = Training { datasets: datasets.to_vec(), seed, augment, mix, at_hand };
    let plan = plan.clone();
    Loader::training(training, from, move |step| {
        (step < plan.total_steps).then(|| {
            let StepPlan { epoch, first, images, size, phase, .. } = plan.at(step);
            let PlannedPhase { set, prune_images, .. } = &plan.phases[phase];
            BatchPlan { epoch, first, images, size, phase, set: *set, pruned: prune_images.is_some() }
        })
    })
}

/// The tape for a step's image size and its phase's batches, or the parts that those pass in, where these parameters are frozen.
pub(super) fn passes(
    spec: &Spec,
    facts: &Facts,
    plan: &Plan,
    step: &StepPlan,
    frozen: &BTreeSet<&str>,
    params: &Params,
    compute: &Compute,
) -> anyhow::Result<Passes> {
    let mut graph = net::graph(spec, facts, step.size)?;
    // A step in which nothing is trained has a loss and gradients all the same.
    if graph.params().iter().any(|decl| !decl.frozen && !frozen.contains(decl.name.as_str())) {
        graph = graph.frozen(|name| frozen.contains(name));
    }
    let images = plan.phases[step.phase].part();
    let options = net::train_options(spec, images, compute.isa);
    let mut passes = Passes::new(Executor::new(compute, &graph, params, options)?, images);
    if let Some(device) = compute.device.as_ref().filter(|_| images < plan.phases[step.phase].batch) {
        passes.reserve(device, params.sizes()[0])?;
    }
    Ok(passes)
}

fn fresh_state(job: &Job) -> anyhow::Result<State> {
    Ok(State::new(fresh_params(job)?, &rules(job)?, &job.plan.phases[0].optimizer))
}

fn rules(job: &Job) -> anyhow::Result<Rules> {
    Ok(net::rules(&job.spec, &job.datasets[0].facts, job.plan.phases[0].size)?)
}

fn fresh_params(job: &Job) -> anyhow::Result<Params> {
    Ok(net::fresh_params(&job.spec, &job.datasets[0].facts, job.plan.phases[0].size)?)
}

/// Where the start of a net was taken from besides the seed.
pub(super) enum Start {
    /// Nothing.
    Drawn,
    /// Training images.
    Images,
    /// A file; with what there is to say about it.
    Weights(String),
}

/// Gives fresh parameters what their start takes from a file of weights or else from training images.
///
/// # Errors
/// When the weights are not as they were.
pub(super) fn give_start(job: &Job, params: &mut Params) -> anyhow::Result<Start> {
    let Some(facts) = &job.weights else {
        let Job { spec, datasets, machine, plan, .. } = job;
        let first = &plan.phases[0];
        let found = start::from_images(params, spec, &datasets[first.set], first.size, &machine.compute)?;
        return Ok(if found { Start::Images } else { Start::Drawn });
    };
    let weights = chores::unchanged(facts)?;
    Ok(Start::Weights(weights.start(params, published(&job.spec.model.backbone))?.in_words(&facts.path)))
}

/// `damaged`: what is known of its images so far.
fn dataset_facts(set: &Dataset, damaged: Option<&Damaged>) -> DatasetFacts {
    let (train_replaced, val_left_out) = damaged.map_or((0, 0), Damaged::counts);
    DatasetFacts {
        name: set.facts.name.clone(),
        images: set.facts.train_images as u64,
        val_images: set.facts.val_images as u64,
        digest: set.digest.clone(),
        stand_in: set.stands_in_for.is_some(),
        stands_in_for: set.stands_in_for.clone(),
        skipped: set.skipped.len() as u64,
        train_replaced,
        val_left_out,
    }
}

fn run_facts(job: &Job, state: &State) -> RunFacts {
    let (spec, model) = (&job.spec, &job.spec.model);
    let (device_name, device_versions) = device::name_and_versions(&job.machine.compute);
    let damaged = &state.progress.damaged;
    let mut sets = job.datasets.iter().enumerate().map(|(k, set)| dataset_facts(set, damaged.get(&k)));
    RunFacts {
        name: spec.name.clone(),
        argv: job.argv.clone(),
        seed: spec.seed,
        spec_hash: job.spec_hash(),
        device: job.machine.compute.name().to_owned(),
        device_name,
        device_versions,
        instruction_set: job.machine.compute.isa.name().to_owned(),
        threads: job.machine.threads,
        precision: spec.train.precision.word().to_owned(),
        dataset: sets.next().expect("an experiment has a set"),
        further_datasets: sets.collect(),
        last_set_since: job.plan.last_set_since(),
        model: format!("{} + {} + {}", model.stem.kind, model.backbone.kind, model.head.kind),
        outputs: spec.model.classes.unwrap_or(job.datasets[0].facts.classes),
        parameters: state.params.trained() as u64,
        weights: job.weights.clone(),
        settings: spec.settings(),
        phases: job.plan.phases.len(),
        epochs: job.plan.total_epochs(),
        steps: job.plan.total_steps,
        lr_columns: job.plan.lr_columns(),
        step_columns: chores::step_columns(spec, &job.plan),
        tta: !spec.train.tta.is_none(),
        average: spec.train.average.as_ref().map(|average| average.kind.clone()),
    }
}
