//! Event files for TensorBoard, in the run folder: `tensorboard --logdir runs` shows all runs.
//!
//! A step's values and an evaluation's are scalars of that step, named by their columns in `trace.csv` and `metrics.csv`; the
//! settings are hyper-parameters. A resumed run begins a further file with the start of a session at its step, at which TensorBoard
//! forgets what the earlier files hold from that step on: no step is there twice.

mod file;
mod proto;

use super::RecordError;
use super::columns::read_named;
use super::event::{Event, RunFacts, Sink, Status, StepDone};
use super::folder::file::TRACE;
use super::reader::read_table;
use super::rows::{MetricsRow, TraceRow};
use file::{EventFile, event, now};
use proto::Message;
use serde_json::Value;
use std::path::Path;

/// Fields of `Summary`, `Summary.Value` and what these hold.
mod summary {
    pub const VALUE: u64 = 1;
    pub const TAG: u64 = 1;
    pub const SIMPLE_VALUE: u64 = 2;
    pub const METADATA: u64 = 9;
    pub const PLUGIN_DATA: u64 = 1;
    pub const PLUGIN_NAME: u64 = 1;
    pub const PLUGIN_CONTENT: u64 = 2;
}

/// Fields of what the plugin `hparams` keeps, and of `google.protobuf.Value`.
mod hparams {
    pub const PLUGIN: &str = "hparams";
    pub const START_TAG: &str = "_hparams_/session_start_info";
    pub const END_TAG: &str = "_hparams_/session_end_info";
    pub const START: u64 = 3;
    pub const END: u64 = 4;
    pub const ENTRY: u64 = 1;
    pub const GROUP: u64 = 4;
    pub const START_TIME: u64 = 5;
    pub const KEY: u64 = 1;
    pub const VALUE: u64 = 2;
    pub const NUMBER: u64 = 2;
    pub const TEXT: u64 = 3;
    pub const BOOL: u64 = 4;
    pub const STATUS: u64 = 1;
    pub const END_TIME: u64 = 2;
    pub const SUCCESS: u64 = 1;
    pub const FAILURE: u64 = 2;
    pub const STILL_RUNNING: u64 = 3;
}

/// `SessionLog.status`, and its value `START`.
const SESSION_STATUS: u64 = 1;
const SESSION_START: u64 = 1;

/// The sink of event files. It begins with the first event, which says where the run's folder is.
#[derive(Default)]
pub struct TensorBoard {
    file: Option<EventFile>,
    /// Names of the steps' further values.
    columns: Vec<String>,
}

impl TensorBoard {
    fn begin(&mut self, folder: &Path, facts: &RunFacts, resumed_at: Option<u64>) -> Result<(), RecordError> {
        let mut file = EventFile::create(folder)?;
        if let Some(step) = resumed_at {
            let start = Message::new().int(SESSION_STATUS, SESSION_START);
            file.write(step, |event| event.message(event::SESSION_LOG, &start))?;
        }
        file.write(0, |event| event.message(event::SUMMARY, &settings(folder, facts)))?;
        self.columns = facts.lr_columns.iter().chain(&facts.step_columns).cloned().collect();
        self.file = Some(file);
        Ok(())
    }

    fn write(&mut self, step: u64, summary: &Message) -> Result<(), RecordError> {
        match &mut self.file {
            Some(file) => file.write(step, |event| event.message(event::SUMMARY, summary)),
            None => Ok(()),
        }
    }

    /// Takes up a run. One that begins from another's state has that one's tables and none of its event files: what the tables
    /// hold is told again.
    fn resume(
        &mut self,
        folder: &Path,
        facts: &RunFacts,
        at: u64,
        evaluations: &[MetricsRow],
    ) -> Result<(), RecordError> {
        if EventFile::is_in(folder)? {
            return self.begin(folder, facts, Some(at));
        }
        self.begin(folder, facts, None)?;
        let trace = folder.join(TRACE);
        let rows = read_table::<TraceRow>(&trace)?.rows;
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let (own, _) = read_named(&trace, &names)?;
        for (k, row) in rows.iter().enumerate() {
            let values: Vec<f64> = own.iter().flatten().filter_map(|column| column.get(k).copied()).collect();
            self.write(row.step, &self.step(row, row.batch as f64 / row.seconds, &values))?;
        }
        evaluations.iter().try_for_each(|row| self.write(row.step, &evaluation(row)))
    }

    fn step(&self, row: &TraceRow, images_per_second: f64, own: &[f64]) -> Message {
        let fixed = [
            ("train/loss", row.loss),
            ("train/grad_norm", row.grad_norm),
            ("train/images_per_second", images_per_second),
            ("schedule/lr", row.lr),
            ("schedule/momentum", row.momentum),
            ("schedule/weight_decay", row.weight_decay),
            ("schedule/size", row.size as f64),
            ("schedule/batch", row.batch as f64),
            ("schedule/phase", row.phase as f64),
        ];
        let own = self.columns.iter().zip(own);
        let summary = fixed.into_iter().fold(Message::new(), |summary, (tag, value)| scalar(summary, tag, value));
        own.fold(summary, |summary, (name, value)| scalar(summary, &format!("schedule/{name}"), *value))
    }
}

impl Sink for TensorBoard {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        match event {
            Event::Started { folder, facts } => self.begin(folder, facts, None),
            Event::Resumed { folder, facts, step, rows } => self.resume(folder, facts, *step, rows),
            Event::StepDone(StepDone { row, own_lrs, step_values, images_per_second, .. }) => {
                self.write(row.step, &self.step(row, *images_per_second, &[&own_lrs[..], step_values].concat()))
            }
            Event::Evaluated(row) => self.write(row.step, &evaluation(row)),
            Event::Finished { status, step, .. } => {
                self.write(*step, &end(*status))?;
                self.sync()
            }
            Event::Notice { .. }
            | Event::PhaseBegins(_)
            | Event::Damaged { .. }
            | Event::Evaluating { .. }
            | Event::Snapshot { .. }
            | Event::Checkpoint { .. } => Ok(()),
        }
    }

    fn sync(&mut self) -> Result<(), RecordError> {
        self.file.as_ref().map_or(Ok(()), EventFile::sync)
    }
}

fn scalar(summary: Message, tag: &str, value: f64) -> Message {
    let value = Message::new().text(summary::TAG, tag).float(summary::SIMPLE_VALUE, value as f32);
    summary.message(summary::VALUE, &value)
}

/// The columns of an evaluation, those that this run has.
fn evaluation(row: &MetricsRow) -> Message {
    let measured = [
        ("train_loss", Some(row.train_loss)),
        ("train_acc", Some(row.train_acc)),
        ("val_loss", Some(row.val_loss)),
        ("val_acc", Some(row.val_acc)),
        ("val_acc_top5", Some(row.val_acc_top5)),
        ("val_acc_tta", row.val_acc_tta),
        ("val_acc_avg", row.val_acc_avg),
        ("val_loss_avg", row.val_loss_avg),
        ("val_acc_avg_tta", row.val_acc_avg_tta),
        ("train_seconds", Some(row.train_seconds)),
    ];
    let has = measured.into_iter().filter_map(|(name, value)| Some((name, value?)));
    has.fold(Message::new(), |summary, (name, value)| scalar(summary, &format!("eval/{name}"), value))
}

/// The settings and the seed, as hyper-parameters of a session.
fn settings(folder: &Path, facts: &RunFacts) -> Message {
    // A group of sessions has one value of each setting, the seed too: each run is a group.
    let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
    let start = Message::new().text(hparams::GROUP, &name).double(hparams::START_TIME, now());
    let seed = ("seed".to_owned(), Value::from(facts.seed));
    let dataset = ("dataset".to_owned(), Value::from(facts.dataset.name.clone()));
    let all = facts.settings.iter().map(|(path, value)| (path.clone(), value.clone())).chain([seed, dataset]);
    let start = all.fold(start, |start, (name, value)| {
        let entry = Message::new().text(hparams::KEY, &name).message(hparams::VALUE, &setting(&value));
        start.message(hparams::ENTRY, &entry)
    });
    of_plugin(hparams::START_TAG, hparams::START, &start)
}

fn setting(value: &Value) -> Message {
    match value {
        Value::Bool(it) => Message::new().int(hparams::BOOL, u64::from(*it)),
        Value::Number(number) => Message::new().double(hparams::NUMBER, number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => Message::new().text(hparams::TEXT, text),
        other => Message::new().text(hparams::TEXT, &other.to_string()),
    }
}

fn end(status: Status) -> Message {
    let status = match status {
        Status::Done => hparams::SUCCESS,
        Status::Failed | Status::Diverged => hparams::FAILURE,
        Status::Running | Status::Interrupted => hparams::STILL_RUNNING,
    };
    let end = Message::new().int(hparams::STATUS, status).double(hparams::END_TIME, now());
    of_plugin(hparams::END_TAG, hparams::END, &end)
}

/// A summary that only the plugin for hyper-parameters reads.
fn of_plugin(tag: &str, field: u64, content: &Message) -> Message {
    let content = Message::new().message(field, content);
    let data = Message::new().text(summary::PLUGIN_NAME, hparams::PLUGIN).message(summary::PLUGIN_CONTENT, &content);
    let metadata = Message::new().message(summary::PLUGIN_DATA, &data);
    let value = Message::new().text(summary::TAG, tag).message(summary::METADATA, &metadata);
    Message::new().message(summary::VALUE, &value)
}
