//! What a run does around its steps, whether a net or pixels are trained: its records, its checkpoint, its end.

use super::checkpoint;
use super::clock::Clock;
use super::device;
use super::state::{Spent, State};
use super::weights::Weights;
use crate::config::spec::Spec;
use crate::nn::Compute;
use crate::plan::{CLIPPED_NORM, Plan};
use crate::plot;
use crate::record::folder::file;
use crate::record::rows::{MetricsRow, TraceRow};
use crate::record::tensorboard::TensorBoard;
use crate::record::{
    Event, PhaseBegins, Recorder, RunFolder, SecondsByKind, Several, Sink, Status, WeightsFacts, atomic, reader,
};
use crate::units::number;
use anyhow::Context as _;
use std::path::{Path, PathBuf};

/// The file of a run's checkpoint folder.
pub const CHECKPOINT_FILE: &str = "state.safetensors";

/// The checkpoint of a run; `Err` with where it would lie, where the run was killed before the first one.
///
/// # Errors
/// When that cannot be told.
pub fn find_checkpoint(folder: &RunFolder) -> anyhow::Result<Result<PathBuf, PathBuf>> {
    let path = folder.join(file::CHECKPOINT).join(CHECKPOINT_FILE);
    let there = path.try_exists().with_context(|| format!("cannot look for {}", path.display()))?;
    Ok(if there { Ok(path) } else { Err(path) })
}

/// Takes the tables of a run away that was killed before its first step.
///
/// # Errors
/// When there was one.
pub fn clear(folder: &RunFolder) -> anyhow::Result<()> {
    for table in [file::METRICS, file::TRACE] {
        let path = folder.join(table);
        let rows = reader::read_table::<TraceRow>(&path).map_or(1, |table| table.rows.len());
        anyhow::ensure!(rows == 0, "though {} has rows: restore the checkpoint, or start a new run", path.display());
        std::fs::remove_file(&path).or_else(absent_is_fine)?;
    }
    Ok(())
}

fn absent_is_fine(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// What a run folder says before the first step.
pub fn write_plan(spec: &Spec, plan: &Plan, folder: &RunFolder) -> anyhow::Result<()> {
    atomic::write(&folder.join(file::EXPERIMENT), crate::config::write(spec).as_bytes())?;
    atomic::write(&folder.join(file::PLAN), &plan.csv()?)?;
    let options = plot::ScheduleOptions::default();
    let (steps, own) = (plan.sample(plot::POINTS), plan.sample_own(plot::POINTS));
    let scheduled = plot::Scheduled { steps: &steps, own: &own, ends: &plan.ends() };
    let picture = plot::schedule(&spec.name, &plan.rows(), scheduled, options);
    Ok(atomic::write(&folder.join(file::SCHEDULE), picture.as_bytes())?)
}

/// What is written besides the files of every run, and then the display.
pub fn with_records(spec: &Spec, display: Box<dyn Sink>) -> Box<dyn Sink> {
    match spec.record.tensorboard {
        true => Box::new(Several(vec![Box::new(TensorBoard::default()), display])),
        false => display,
    }
}

/// Says what must not be missed.
pub fn tell(recorder: &mut Recorder, notices: &[String]) -> anyhow::Result<()> {
    notices.iter().try_for_each(|text| Ok(recorder.event(&Event::Notice { text: text.clone() })?))
}

/// The columns that only some runs have, planned and measured.
pub fn step_columns(spec: &Spec, plan: &Plan) -> Vec<String> {
    let scale = spec.train.loss_scale.iter().flat_map(|_| ["loss_scale", "skipped"]);
    let clipped = plan.clips().then_some(CLIPPED_NORM);
    plan.step_columns().into_iter().chain(clipped).chain(scale).map(str::to_owned).collect()
}

/// The file of weights that a run was begun with.
///
/// # Errors
/// When it is not as it was.
pub fn unchanged(facts: &WeightsFacts) -> anyhow::Result<Weights> {
    let weights = Weights::read(Path::new(&facts.path))?;
    anyhow::ensure!(
        weights.facts().sha256 == facts.sha256,
        "{} is not the file any more that the run was begun with: put that one back, or start a new run",
        facts.path
    );
    Ok(weights)
}

/// What a person is told where a device's memory does not hold both.
pub const IMAGES_GAVE_WAY: &str =
    "images gave way to the net in the device's memory: the host makes the batches from here on";

/// A phase as it begins.
pub fn phase_begins(plan: &Plan, phase: usize) -> Event {
    let planned = &plan.phases[phase];
    Event::PhaseBegins(PhaseBegins {
        phase,
        first_step: planned.first_step,
        steps: planned.steps,
        size: planned.size,
        batch: planned.batch,
        optimizer: planned.optimizer.kind.clone(),
        dataset: plan.changes_set(phase).then(|| plan.sets[planned.set].clone()),
    })
}

/// Why a run ends here, if its time is used up.
pub fn time_is_up(plan: &Plan, spent: &Spent) -> Option<String> {
    let budget = plan.stop.after?;
    (spent.train >= budget).then(|| format!("{} s of training are used up", number(budget)))
}

/// The state as a checkpoint holds it, after the rows so far are on the disk. Its seconds are those before it.
pub fn encoded(
    state: &mut State,
    recorder: &mut Recorder,
    clock: &mut Clock,
    compute: &Compute,
) -> anyhow::Result<Vec<u8>> {
    if let Some(device) = &compute.device {
        // What is left of the last step is training.
        device.synchronize()?;
    }
    clock.lap(|spent| &mut spent.train);
    state.home()?;
    state.progress.seconds = clock.spent;
    recorder.sync()?;
    Ok(checkpoint::encode(state, &recorder.positions(), &device::algorithms(compute)))
}

/// Writes down all that later rows depend on.
///
/// # Errors
/// When the disk refuses; the checkpoint before is then still whole.
pub fn write_checkpoint(
    state: &mut State,
    recorder: &mut Recorder,
    clock: &mut Clock,
    compute: &Compute,
    skipped_steps: Option<u64>,
) -> anyhow::Result<()> {
    let bytes = encoded(state, recorder, clock, compute)?;
    let folder = recorder.folder().join(file::CHECKPOINT);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create the folder {}", folder.display()))?;
    atomic::write(&folder.join(CHECKPOINT_FILE), &bytes)?;
    clock.lap(|spent| &mut spent.checkpoint);
    let (step, seconds) = (state.progress.step, by_kind(&clock.spent));
    Ok(recorder.event(&Event::Checkpoint { step, seconds, skipped_steps })?)
}

/// How a run ends, and after how much.
pub struct End {
    pub status: Status,
    pub reason: String,
    pub step: u64,
    pub spent: Spent,
    pub skipped_steps: Option<u64>,
}

impl From<End> for Event {
    fn from(end: End) -> Self {
        let End { status, reason, step, spent, skipped_steps } = end;
        Self::Finished { status, exit_reason: reason, step, seconds: by_kind(&spent), skipped_steps }
    }
}

/// Ends the records: the curves, and the status.
///
/// # Errors
/// When the disk refuses.
pub fn close(recorder: &mut Recorder, name: &str, plan: &Plan, end: End) -> anyhow::Result<()> {
    recorder.sync()?;
    let curves = draw_curves(name, plan, recorder.folder())?;
    atomic::write(&recorder.folder().join(file::CURVES), curves.as_bytes())?;
    Ok(recorder.event(&end.into())?)
}

/// Ends the records of a run that an error stopped, as far as they can still be written.
pub fn close_failed(recorder: &mut Recorder, end: End) {
    if let Err(second) = recorder.event(&end.into()) {
        log::warn!("the end of the run could not be recorded: {second}");
    }
}

fn draw_curves(name: &str, plan: &Plan, folder: &RunFolder) -> anyhow::Result<String> {
    let metrics = reader::read_table::<MetricsRow>(&folder.join(file::METRICS))?.rows;
    let trace = reader::read_table::<TraceRow>(&folder.join(file::TRACE))?.rows;
    let phases = plan.rows();
    let rows = plot::RunRows { name, phases: &phases, metrics: &metrics, trace: &trace };
    Ok(plot::curves(name, &[rows], plot::Across::Steps))
}

pub fn by_kind(spent: &Spent) -> SecondsByKind {
    SecondsByKind { train: spent.train, eval: spent.eval, data_wait: spent.data_wait, checkpoint: spent.checkpoint }
}
