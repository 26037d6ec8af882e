//! A painting under way: how it begins and ends, and the chores around its steps.

use super::facts::run_facts;
use super::frozen::frozen;
use super::job::PaintJob;
use super::pixels::{images_of, pixels, values};
use super::scene::{objective, start};
use crate::nn::Params;
use crate::paint::Objective;
use crate::plan::StepPlan;
use crate::record::{Recorder, RunFacts, RunFolder, Sink, Status, recorder};
use crate::train::checkpoint;
use crate::train::chores::{self, End};
use crate::train::clock::Clock;
use crate::train::engine::Outcome;
use crate::train::meter::Meter;
use crate::train::optimizers::{Optimizers, Rules};
use crate::train::state::State;
use crate::train::stop::StopFlag;
use anyhow::Context as _;

/// A painting under way.
pub struct PaintSession {
    pub(super) job: PaintJob,
    pub(super) state: State,
    /// Of the net, which stays as it is.
    pub(super) net: Params,
    pub(super) recorder: Recorder,
    pub(super) stop: StopFlag,
    pub(super) clock: Clock,
    pub(super) meter: Meter,
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
        // First: a run whose net cannot be made can be taken up again only where its experiment is written down.
        chores::write_plan(&job.spec, &job.plan, &folder)?;
        let (net, words) = frozen(&job)?;
        job.notices.extend(words);
        job.notices.extend(job.white_mask());
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
    pub(super) fn begin_phase(&mut self, step: &StepPlan) -> anyhow::Result<Objective> {
        let (extent, phase) = (self.job.extent(step.phase), &self.job.plan.phases[step.phase]);
        let before = self.job.extent(self.job.plan.phase_of(step.step.saturating_sub(1)));
        let (optimizer, handover) = (phase.optimizer.clone(), phase.handover_at(step.step));
        if extent == before {
            self.state.switch_optimizer(&optimizer, handover)?;
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

    pub(super) fn checkpoint(&mut self) -> anyhow::Result<()> {
        let compute = &self.job.machine.compute;
        chores::write_checkpoint(&mut self.state, &mut self.recorder, &mut self.clock, compute, None)
    }

    /// Ends the records: pictures of a run that is over, and the status.
    pub(super) fn finish(&mut self, outcome: Outcome) -> anyhow::Result<Outcome> {
        self.clock.skip();
        if outcome.status == Status::Done {
            self.results()?;
        }
        let end = self.end(outcome.status, outcome.reason.clone());
        chores::close(&mut self.recorder, &self.job.spec.name, &self.job.plan, end)?;
        Ok(outcome)
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
