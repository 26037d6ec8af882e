//! What happens in a training, as the engine tells it: facts and numbers, no formatting.

use super::csv_file::Position;
use super::error::RecordError;
use super::rows::{MetricsRow, TraceRow};
use crate::units::Seconds;
use serde::{Deserialize, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Something that happened. `--json` prints each as one object, named by `event`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A new run: the first event.
    Started {
        #[serde(serialize_with = "lossy")]
        folder: PathBuf,
        facts: Box<RunFacts>,
    },
    /// A run goes on: the first event of this process.
    Resumed {
        #[serde(serialize_with = "lossy")]
        folder: PathBuf,
        facts: Box<RunFacts>,
        /// The next step.
        step: u64,
        /// The evaluations so far, those after the checkpoint left out.
        rows: Vec<MetricsRow>,
    },
    /// Something that a person must not miss, such as stand-in data. Shown loudly.
    Notice { text: String },
    /// The steps that follow belong to this phase. Told again when a run is resumed inside a phase.
    PhaseBegins(PhaseBegins),
    /// An optimizer step was taken.
    StepDone(StepDone),
    /// The validation set is being evaluated: so many images of so many are through.
    Evaluating { images: u64, of: u64 },
    /// The validation set was evaluated.
    Evaluated(MetricsRow),
    /// Images turned out to be damaged as they were served, and such ones are done without: how many so far, of a set. Told when
    /// that has changed, before an evaluation, a checkpoint or the end is.
    Damaged {
        /// The set's place: 0 is [`RunFacts::dataset`], those behind it are [`RunFacts::further_datasets`].
        set: usize,
        /// See [`DatasetFacts::train_replaced`] and [`DatasetFacts::val_left_out`].
        train_replaced: u64,
        val_left_out: u64,
    },
    /// A painting was written as it is after a step.
    Snapshot {
        step: u64,
        /// In the run folder; of several images that of the first.
        file: String,
        loss: f64,
    },
    /// A checkpoint is complete on the disk: `step` steps are safe.
    Checkpoint {
        step: u64,
        seconds: SecondsByKind,
        /// Steps that the loss scale had left out, of a run with one.
        #[serde(skip_serializing_if = "Option::is_none")]
        skipped_steps: Option<u64>,
    },
    /// The last event: training ended, well or not.
    Finished {
        status: Status,
        /// In a few words: `completed`, `SIGTERM`, `the loss is not finite at step 12`.
        exit_reason: String,
        /// Steps taken.
        step: u64,
        seconds: SecondsByKind,
        /// Steps that the loss scale had left out, of a run with one.
        #[serde(skip_serializing_if = "Option::is_none")]
        skipped_steps: Option<u64>,
    },
}

/// What is known of a run before its first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    pub name: String,
    /// The command line, program included.
    pub argv: Vec<String>,
    pub seed: u64,
    /// By which runs are grouped: equal for runs that differ in the seed alone.
    pub spec_hash: String,
    /// `cpu`, `cuda:0`.
    pub device: String,
    /// As its maker calls it; none of the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Of its driver and its libraries, by name; none of the CPU.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub device_versions: BTreeMap<String, String>,
    /// Of the CPU kernels: `portable`, `avx2`, `avx512`, `avx512bf16`.
    pub instruction_set: String,
    pub threads: usize,
    /// `f32`, `f32-strict`, `bf16`, `f16`.
    pub precision: String,
    pub dataset: DatasetFacts,
    /// Those that phases go over to, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_datasets: Vec<DatasetFacts>,
    /// The phase since which the last of them is used: evaluations before are of other images.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_set_since: usize,
    /// The net in a few words: `conv3x3 + resnet9 + max-pool`.
    pub model: String,
    /// Of the net: as many as there are classes to tell apart. 0 where pixels are trained.
    #[serde(skip)]
    pub outputs: usize,
    /// Trained numbers in the net.
    pub parameters: u64,
    /// The file that the net started from, if any.
    pub weights: Option<WeightsFacts>,
    /// All settings of the experiment by path (`phases[0].lr.from`), those aside that the spec hash leaves out.
    #[serde(skip)]
    pub settings: BTreeMap<String, serde_json::Value>,
    pub phases: usize,
    /// Epochs begun when training ends.
    pub epochs: u64,
    /// Steps that training will take.
    pub steps: u64,
    /// Columns of `trace.csv` behind those of its rows: rates that differ from the phase's, `lr.head`.
    pub lr_columns: Vec<String>,
    /// Columns of `trace.csv` behind those: bounds on gradients, shares of a mix.
    pub step_columns: Vec<String>,
    /// Whether `metrics.csv` has a column `val_acc_tta`.
    pub tta: bool,
    /// The mean of the weights that is kept, by name; `metrics.csv` then has `val_acc_avg` and what goes with it.
    #[serde(default)]
    pub average: Option<String>,
}

impl RunFacts {
    /// Whether pixels are trained, of which there are neither classes nor epochs.
    pub fn paints(&self) -> bool {
        self.outputs == 0
    }

    /// Whether the five highest outputs are not all that there are.
    pub fn has_top5(&self) -> bool {
        self.outputs > 5
    }
}

/// The data set really used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatasetFacts {
    pub name: String,
    /// Training images.
    pub images: u64,
    pub val_images: u64,
    /// `sha256:…` over images and labels.
    pub digest: String,
    /// Whether this set stands in for the one that the experiment names.
    pub stand_in: bool,
    /// The absent set's name, for a stand-in.
    pub stands_in_for: Option<String>,
    /// Files that are no part of the set, damaged or no images, as was seen when it was opened.
    #[serde(default, skip_serializing_if = "is_none")]
    pub skipped: u64,
    /// Training images that turned out to be damaged when steps took them, each replaced by another.
    #[serde(default, skip_serializing_if = "is_none")]
    pub train_replaced: u64,
    /// Validation images that turned out to be so in the last evaluation, whose figures are of the others.
    #[serde(default, skip_serializing_if = "is_none")]
    pub val_left_out: u64,
}

impl DatasetFacts {
    /// The validation images that are evaluated, as far as is known.
    pub fn evaluated(&self) -> u64 {
        self.val_images.saturating_sub(self.val_left_out)
    }
}

impl RunFacts {
    /// What a set is called, by its place.
    pub fn set_name(&self, set: usize) -> &str {
        std::iter::once(&self.dataset).chain(&self.further_datasets).nth(set).map_or("", |set| set.name.as_str())
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// The file of `[model] weights`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsFacts {
    /// Where it was when the run began.
    pub path: String,
    /// Of its content, in hex.
    pub sha256: String,
}

/// A phase as it begins.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PhaseBegins {
    /// From 0.
    pub phase: usize,
    pub first_step: u64,
    pub steps: u64,
    /// Side of the images.
    pub size: usize,
    pub batch: usize,
    pub optimizer: String,
    /// The data set, where it is not that of the phase before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

/// Whether there is nothing to say of a phase: the first.
pub(super) fn is_zero(phase: &usize) -> bool {
    *phase == 0
}

/// A step, and what a display wants to know beside its row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepDone {
    pub row: TraceRow,
    /// What belongs in [`RunFacts::lr_columns`].
    pub own_lrs: Vec<f64>,
    /// What belongs in [`RunFacts::step_columns`].
    pub step_values: Vec<f64>,
    /// Fraction of right answers over the images trained on since the last evaluation.
    pub train_acc: f64,
    /// Over the last few steps.
    pub images_per_second: f64,
    /// Until training ends, once that can be told.
    pub seconds_left: Option<Seconds>,
    /// How long the step waited for its batch.
    pub wait_seconds: Seconds,
}

/// Cumulative seconds of a run by what they were spent on; interruptions left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SecondsByKind {
    /// Taking steps, waiting for data included.
    pub train: Seconds,
    pub eval: Seconds,
    /// Waiting for batches.
    pub data_wait: Seconds,
    pub checkpoint: Seconds,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Being written, or its process was killed (see [`RunReader::is_live`](super::reader::RunReader::is_live)).
    Running,
    Done,
    /// An error ended it.
    Failed,
    /// NaN, or the stop rule fired.
    Diverged,
    /// Stopped by a signal, after a checkpoint.
    Interrupted,
}

impl Status {
    /// As `run.json` writes it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Running => "running",
            Status::Done => "done",
            Status::Failed => "failed",
            Status::Diverged => "diverged",
            Status::Interrupted => "interrupted",
        }
    }
}

/// A place where events go.
pub trait Sink: Send {
    /// Takes note of an event.
    ///
    /// # Errors
    /// When it cannot be written.
    fn event(&mut self, event: &Event) -> Result<(), RecordError>;

    /// Brings all that was taken note of onto the disk; before a checkpoint.
    ///
    /// # Errors
    /// When the disk refuses.
    fn sync(&mut self) -> Result<(), RecordError> {
        Ok(())
    }

    /// For files that a resumed run cuts back: the file's name and where it stands.
    fn position(&self) -> Option<(&'static str, Position)> {
        None
    }
}

/// A path as text, whatever its bytes.
fn lossy<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::rows::tests::{metrics, trace};
    use super::*;

    pub fn facts() -> RunFacts {
        RunFacts {
            name: "a".to_owned(),
            argv: vec!["runner".to_owned(), "a.toml".to_owned()],
            seed: 1,
            spec_hash: "sha256:00".to_owned(),
            device: "cpu".to_owned(),
            device_name: None,
            device_versions: BTreeMap::new(),
            instruction_set: "avx2".to_owned(),
            threads: 2,
            precision: "f32".to_owned(),
            further_datasets: Vec::new(),
            last_set_since: 0,
            dataset: DatasetFacts {
                name: "shapes".to_owned(),
                images: 5000,
                val_images: 1000,
                digest: "sha256:11".to_owned(),
                stand_in: true,
                stands_in_for: Some("cifar10".to_owned()),
                skipped: 0,
                train_replaced: 0,
                val_left_out: 0,
            },
            model: "conv3x3 + resnet9 + max-pool".to_owned(),
            outputs: 10,
            parameters: 6_573_130,
            weights: None,
            settings: BTreeMap::new(),
            phases: 3,
            epochs: 6,
            steps: 2345,
            lr_columns: Vec::new(),
            step_columns: Vec::new(),
            tta: false,
            average: None,
        }
    }

    pub fn step_done(step: u64) -> StepDone {
        StepDone {
            row: trace(step),
            own_lrs: Vec::new(),
            step_values: Vec::new(),
            train_acc: 0.5,
            images_per_second: 1204.0,
            seconds_left: Some(72.0),
            wait_seconds: 0.01,
        }
    }

    /// A short run from beginning to end.
    pub fn story() -> Vec<Event> {
        let seconds = SecondsByKind { train: 12.5, eval: 0.5, data_wait: 0.1, checkpoint: 0.2 };
        vec![
            Event::Started { folder: "runs/a".into(), facts: Box::new(facts()) },
            Event::Notice { text: "cifar10 is absent: training on the stand-in shapes".to_owned() },
            Event::PhaseBegins(PhaseBegins {
                dataset: None,
                phase: 0,
                first_step: 0,
                steps: 40,
                size: 16,
                batch: 128,
                optimizer: "rmsprop".to_owned(),
            }),
            Event::StepDone(step_done(0)),
            Event::Evaluating { images: 500, of: 1000 },
            Event::Evaluated(metrics(0, 0.75)),
            Event::Checkpoint { step: 1, seconds, skipped_steps: None },
            Event::Finished {
                status: Status::Done,
                exit_reason: "completed".to_owned(),
                step: 1,
                seconds,
                skipped_steps: None,
            },
        ]
    }
}
