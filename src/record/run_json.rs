//! `run.json`: what a run is, how it stands and what it reached.

use super::atomic;
use super::error::RecordError;
use super::event::{DatasetFacts, Event, RunFacts, SecondsByKind, Sink, Status, WeightsFacts, is_zero};
use super::reader;
use super::rows::MetricsRow;
use super::scores::Scores;
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The version of the run folder's formats. It grows when a reader of the old one would misread the new one.
pub const FORMAT: u32 = 1;

/// The content of `run.json`; FORMAT.md describes the keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    pub format: u32,
    pub name: String,
    pub status: Status,
    /// `null` while running.
    pub exit_reason: Option<String>,
    /// RFC 3339, UTC: when the run began, and when this file was written last.
    pub created: String,
    pub updated: String,
    /// How often the run was taken up again.
    pub resumes: u32,
    /// Where its first steps were trained, of a run that began from another one's state; else absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forked_from: Option<Fork>,
    /// Of the process that began the run.
    pub argv: Vec<String>,
    pub seed: u64,
    pub spec_hash: String,
    /// Of the program's sources, `null` when it was not built from a git checkout.
    pub git_commit: Option<String>,
    /// Whether the sources differed from that commit.
    pub git_dirty: Option<bool>,
    pub version: String,
    pub device: String,
    /// As its maker calls it; absent on the CPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// Of its driver and its libraries, by name; absent on the CPU.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub device_versions: BTreeMap<String, String>,
    pub instruction_set: String,
    pub threads: usize,
    pub precision: String,
    pub dataset: DatasetFacts,
    /// Those that phases go over to; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub further_datasets: Vec<DatasetFacts>,
    /// The phase since which the last of them is used; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_set_since: usize,
    pub model: String,
    pub parameters: u64,
    /// The file that the net started from; `null` for fresh weights.
    pub weights: Option<WeightsFacts>,
    /// All settings of the experiment by path, those aside that the spec hash leaves out; empty in older runs.
    #[serde(default)]
    pub settings: BTreeMap<String, serde_json::Value>,
    /// Planned.
    pub steps: u64,
    /// Taken, as of the last checkpoint or the end.
    pub steps_done: u64,
    /// Of those the ones that the loss scale had left out; absent where the loss is not scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped_steps: Option<u64>,
    pub seconds: SecondsByKind,
    pub best: Option<Score>,
    #[serde(rename = "final")]
    pub last: Option<Score>,
}

/// The beginning that a run has from another run, which begins alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fork {
    /// The other run's folder, by name.
    pub run: String,
    /// The first phase that this run trained itself.
    pub phase: usize,
    /// Steps before it.
    pub steps: u64,
    /// The training time of these steps, which the run's own seconds include.
    pub seconds: f64,
}

/// What an evaluation found; numbers that are not finite are `null` in JSON and NaN here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    pub step: u64,
    pub epoch: u64,
    #[serde(deserialize_with = "nan_if_null")]
    pub train_loss: f64,
    #[serde(deserialize_with = "nan_if_null")]
    pub train_acc: f64,
    #[serde(deserialize_with = "nan_if_null")]
    pub val_loss: f64,
    #[serde(deserialize_with = "nan_if_null")]
    pub val_acc: f64,
    #[serde(deserialize_with = "nan_if_null")]
    pub val_acc_top5: f64,
    /// Absent where the evaluation went without test-time augmentation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_acc_tta: Option<f64>,
    /// Absent where no averaged weights were evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_acc_avg: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_loss_avg: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_acc_avg_tta: Option<f64>,
    pub train_seconds: f64,
}

impl From<&MetricsRow> for Score {
    fn from(row: &MetricsRow) -> Self {
        Self {
            step: row.step,
            epoch: row.epoch,
            train_loss: row.train_loss,
            train_acc: row.train_acc,
            val_loss: row.val_loss,
            val_acc: row.val_acc,
            val_acc_top5: row.val_acc_top5,
            val_acc_tta: row.val_acc_tta,
            val_acc_avg: row.val_acc_avg,
            val_loss_avg: row.val_loss_avg,
            val_acc_avg_tta: row.val_acc_avg_tta,
            train_seconds: row.train_seconds,
        }
    }
}

fn nan_if_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

impl RunInfo {
    /// The data sets, in the order in which phases came to use them.
    pub fn datasets(&self) -> impl Iterator<Item = &DatasetFacts> {
        std::iter::once(&self.dataset).chain(&self.further_datasets)
    }

    /// What the table of evaluations lacks whose last row is of that step: of a run that is done, the file says itself which its
    /// last one was. `None` where nothing is missing.
    pub fn cut_short(&self, last_row: Option<u64>) -> Option<String> {
        let last = self.last.as_ref().filter(|_| self.status == Status::Done)?.step;
        match last_row {
            Some(step) if step >= last => None,
            Some(step) => Some(format!("it ends at step {} of {}", step + 1, last + 1)),
            None => Some(format!("it holds no evaluation, and the run's last was at step {}", last + 1)),
        }
    }

    fn new(facts: &RunFacts) -> Self {
        let now = now();
        Self {
            format: FORMAT,
            name: facts.name.clone(),
            status: Status::Running,
            exit_reason: None,
            created: now.clone(),
            updated: now,
            resumes: 0,
            forked_from: None,
            argv: facts.argv.clone(),
            seed: facts.seed,
            spec_hash: facts.spec_hash.clone(),
            git_commit: option_env!("RUNNER_GIT_COMMIT").map(str::to_owned),
            git_dirty: option_env!("RUNNER_GIT_DIRTY").map(|dirty| dirty == "true"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            device: facts.device.clone(),
            device_name: facts.device_name.clone(),
            device_versions: facts.device_versions.clone(),
            instruction_set: facts.instruction_set.clone(),
            threads: facts.threads,
            precision: facts.precision.clone(),
            dataset: facts.dataset.clone(),
            further_datasets: facts.further_datasets.clone(),
            last_set_since: facts.last_set_since,
            model: facts.model.clone(),
            parameters: facts.parameters,
            weights: facts.weights.clone(),
            settings: facts.settings.clone(),
            steps: facts.steps,
            steps_done: 0,
            skipped_steps: None,
            seconds: SecondsByKind::default(),
            best: None,
            last: None,
        }
    }

    /// What stands for that of a run of another program, of which little is known: it is done, and no thread of it is known.
    pub fn of_others(name: &str, spec_hash: &str, machine: &str, created: &str) -> Self {
        let unknown = String::new;
        Self {
            format: FORMAT,
            name: name.to_owned(),
            status: Status::Done,
            exit_reason: None,
            created: created.to_owned(),
            updated: created.to_owned(),
            resumes: 0,
            argv: Vec::new(),
            seed: 0,
            spec_hash: spec_hash.to_owned(),
            git_commit: None,
            git_dirty: None,
            version: unknown(),
            device: machine.to_owned(),
            device_name: None,
            device_versions: BTreeMap::new(),
            instruction_set: unknown(),
            threads: 0,
            precision: unknown(),
            dataset: DatasetFacts {
                name: unknown(),
                images: 0,
                val_images: 0,
                digest: unknown(),
                stand_in: false,
                stands_in_for: None,
                skipped: 0,
                train_replaced: 0,
                val_left_out: 0,
            },
            further_datasets: Vec::new(),
            last_set_since: 0,
            model: unknown(),
            parameters: 0,
            weights: None,
            settings: BTreeMap::new(),
            steps: 0,
            steps_done: 0,
            forked_from: None,
            skipped_steps: None,
            seconds: SecondsByKind::default(),
            best: None,
            last: None,
        }
    }

    /// Reads a `run.json`.
    ///
    /// # Errors
    /// When it is absent, no JSON, of a newer format, or lacks a key.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        /// Read before the rest, which another format may name otherwise.
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let malformed =
            |line: usize, what: String| RecordError::Malformed { path: path.to_owned(), line: line as u64, what };
        let bytes = reader::read_file(path).map_err(RecordError::io("read", path))?;
        let text = String::from_utf8(bytes).map_err(|_| malformed(1, "it is not UTF-8 text".to_owned()))?;
        let version: Version = serde_json::from_str(&text).map_err(|e| malformed(e.line(), e.to_string()))?;
        if version.format > FORMAT {
            return Err(RecordError::Newer { path: path.to_owned(), format: version.format, known: FORMAT });
        }
        serde_json::from_str(&text).map_err(|e| malformed(e.line(), e.to_string()))
    }
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Keeps `run.json` up to date: replaced atomically at the start, at each checkpoint and at the end.
pub(super) struct RunJson {
    path: PathBuf,
    info: RunInfo,
    scores: Scores,
}

impl RunJson {
    /// For a new run; the file exists when this returns.
    pub fn create(path: &Path, facts: &RunFacts) -> Result<Self, RecordError> {
        let mut json = Self { path: path.to_owned(), info: RunInfo::new(facts), scores: Scores::of(facts) };
        json.write()?;
        Ok(json)
    }

    /// For a run that goes on at step `step`, after `rows`: what the earlier process knew first-hand is kept, what this one is and
    /// runs on is new.
    pub fn resume(path: &Path, facts: &RunFacts, step: u64, rows: &[MetricsRow]) -> Result<Self, RecordError> {
        let before = RunInfo::read(path)?;
        let info = RunInfo {
            created: before.created,
            resumes: before.resumes + 1,
            forked_from: before.forked_from,
            argv: before.argv,
            steps_done: step,
            skipped_steps: before.skipped_steps,
            seconds: before.seconds,
            ..RunInfo::new(facts)
        };
        let mut json = Self { path: path.to_owned(), info, scores: Scores::after(rows, facts) };
        json.write()?;
        Ok(json)
    }

    /// For a new run that begins where another one's beginning ends, after `rows`.
    pub fn fork(
        path: &Path,
        facts: &RunFacts,
        fork: &Fork,
        seconds: SecondsByKind,
        rows: &[MetricsRow],
    ) -> Result<Self, RecordError> {
        let info = RunInfo { steps_done: fork.steps, forked_from: Some(fork.clone()), seconds, ..RunInfo::new(facts) };
        let mut json = Self { path: path.to_owned(), info, scores: Scores::after(rows, facts) };
        json.write()?;
        Ok(json)
    }

    fn write(&mut self) -> Result<(), RecordError> {
        self.info.updated = now();
        self.info.best = self.scores.best.as_ref().map(Score::from);
        self.info.last = self.scores.last.as_ref().map(Score::from);
        let mut text = serde_json::to_string_pretty(&self.info)
            .map_err(|e| RecordError::Row { path: self.path.clone(), what: e.to_string() })?;
        text.push('\n');
        atomic::write(&self.path, text.as_bytes())
    }
}

impl Sink for RunJson {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        match event {
            Event::Evaluated(row) => {
                self.scores.add(row);
                Ok(())
            }
            Event::Damaged { set, train_replaced, val_left_out } => {
                let RunInfo { dataset, further_datasets, .. } = &mut self.info;
                if let Some(facts) = std::iter::once(dataset).chain(further_datasets).nth(*set) {
                    (facts.train_replaced, facts.val_left_out) = (*train_replaced, *val_left_out);
                }
                Ok(())
            }
            Event::Checkpoint { step, seconds, skipped_steps } => {
                self.info.skipped_steps = *skipped_steps;
                self.info.steps_done = *step;
                self.info.seconds = *seconds;
                self.write()
            }
            Event::Finished { status, exit_reason, step, seconds, skipped_steps } => {
                self.info.skipped_steps = *skipped_steps;
                self.info.status = *status;
                self.info.exit_reason = Some(exit_reason.clone());
                self.info.steps_done = *step;
                self.info.seconds = *seconds;
                self.write()
            }
            Event::Started { .. }
            | Event::Resumed { .. }
            | Event::Notice { .. }
            | Event::PhaseBegins(_)
            | Event::StepDone(_)
            | Event::Snapshot { .. }
            | Event::Evaluating { .. } => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::{facts, story};
    use super::super::rows::tests::metrics;
    use super::*;
    use std::fs;

    #[test]
    fn tells_how_the_run_stands_at_each_moment() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let mut json = RunJson::create(&path, &facts()).unwrap();
        let begun = RunInfo::read(&path).unwrap();
        assert_eq!((begun.status, begun.steps_done, begun.exit_reason), (Status::Running, 0, None));
        story().iter().for_each(|event| json.event(event).unwrap());
        let ended = RunInfo::read(&path).unwrap();
        assert_eq!(ended, json.info);
        assert_eq!((ended.status, ended.steps_done), (Status::Done, 1));
        assert_eq!(ended.exit_reason.unwrap(), "completed");
        assert_eq!(ended.best, Some(Score::from(&metrics(0, 0.75))));
        let value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(value["final"]["val_acc"], 0.75);
        assert_eq!(value["dataset"]["stand_in"], true);
    }

    #[test]
    fn numbers_read_back_exactly_and_nan_as_null() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let mut json = RunJson::create(&path, &facts()).unwrap();
        let mut row = metrics(1, 0.1 + 0.2);
        (row.val_loss, row.train_loss) = (f64::NAN, 1.000_000_000_000_000_2);
        json.scores.add(&row);
        json.write().unwrap();
        let last = RunInfo::read(&path).unwrap().last.unwrap();
        assert_eq!((last.val_acc, last.train_loss), (0.1 + 0.2, 1.000_000_000_000_000_2));
        assert!(last.val_loss.is_nan() && fs::read_to_string(&path).unwrap().contains("\"val_loss\": null"));
    }

    #[test]
    fn what_is_done_without_is_told_of_its_set() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let two = RunFacts { further_datasets: vec![facts().dataset], ..facts() };
        let mut json = RunJson::create(&path, &two).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("left_out"));
        json.event(&Event::Damaged { set: 1, train_replaced: 3, val_left_out: 2 }).unwrap();
        json.event(&Event::Damaged { set: 0, train_replaced: 0, val_left_out: 1 }).unwrap();
        let seconds = SecondsByKind::default();
        json.event(&Event::Checkpoint { step: 1, seconds, skipped_steps: None }).unwrap();
        let info = RunInfo::read(&path).unwrap();
        let counts = |set: &DatasetFacts| (set.train_replaced, set.val_left_out, set.evaluated());
        assert_eq!(info.datasets().map(counts).collect::<Vec<_>>(), [(0, 1, 999), (3, 2, 998)]);
        let value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert!(value["dataset"].get("train_replaced").is_none() && value["dataset"]["val_left_out"] == 1);
    }

    #[test]
    fn a_resumed_run_keeps_its_origin() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        RunJson::create(&path, &facts()).unwrap();
        let again = RunFacts { argv: vec!["other".to_owned()], threads: 7, ..facts() };
        RunJson::resume(&path, &again, 4, &[metrics(3, 0.25)]).unwrap();
        let info = RunInfo::read(&path).unwrap();
        assert_eq!((info.resumes, info.argv, info.threads), (1, facts().argv, 7));
        assert_eq!((info.status, info.steps_done, info.best.unwrap().step), (Status::Running, 4, 3));
    }

    #[test]
    fn a_fork_says_what_it_has_from_whom_and_keeps_saying_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let fork = Fork { run: "t000-s1".to_owned(), phase: 1, steps: 4, seconds: 2.5 };
        let seconds = SecondsByKind { train: 2.5, eval: 0.5, data_wait: 0.0, checkpoint: 0.1 };
        RunJson::fork(&path, &facts(), &fork, seconds, &[metrics(3, 0.25)]).unwrap();
        let info = RunInfo::read(&path).unwrap();
        assert_eq!((info.resumes, info.steps_done, info.seconds), (0, 4, seconds));
        assert_eq!((info.last.unwrap().step, info.forked_from.as_ref()), (3, Some(&fork)));
        RunJson::resume(&path, &facts(), 4, &[metrics(3, 0.25)]).unwrap();
        assert_eq!(RunInfo::read(&path).unwrap().forked_from, Some(fork));
    }

    #[test]
    fn a_device_has_its_name_and_versions_written_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let versions = [("cudnn", "9.10.2"), ("driver", "13.0")].map(|(name, of)| (name.to_owned(), of.to_owned()));
        let on_card = RunFacts {
            device: "cuda:0".to_owned(),
            device_name: Some("NVIDIA H200".to_owned()),
            device_versions: versions.into(),
            ..facts()
        };
        RunJson::create(&path, &on_card).unwrap();
        let info = RunInfo::read(&path).unwrap();
        assert_eq!((&info.device, &info.device_name), (&on_card.device, &on_card.device_name));
        assert_eq!(info.device_versions, on_card.device_versions);
        let value: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(value["device_versions"], serde_json::json!({ "cudnn": "9.10.2", "driver": "13.0" }));
        // Taken up on the CPU, it is a run of the CPU: the file is then as those of before there were devices.
        RunJson::resume(&path, &facts(), 0, &[]).unwrap();
        assert!(!fs::read_to_string(&path).unwrap().contains("device_"));
        let info = RunInfo::read(&path).unwrap();
        assert_eq!((info.device.as_str(), info.device_name, info.device_versions.len()), ("cpu", None, 0));
    }

    #[test]
    fn newer_and_broken_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        for (text, want) in [("{\"format\": 2}", "newer"), ("{", "run.json:1:"), ("{\"format\": 1}", "missing field")] {
            fs::write(&path, text).unwrap();
            let error = RunInfo::read(&path).unwrap_err().to_string();
            assert!(error.contains(want) && error.contains("run.json"), "{error}");
        }
    }
}
