//! Sending what is not sent yet.

use super::STATE;
use super::client::{Address, Client, MlflowError};
use super::rows::{Bookmark, METRICS, Row, TRACE, Table, plain};
use crate::record::folder::file;
use crate::record::run_json::RunInfo;
use crate::record::{RecordError, Status, atomic};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The most of each that MLflow takes in a request.
const MOST_METRICS: usize = 1000;
const MOST_PARAMS: usize = 100;
/// The longest value that every version of it takes.
const LONGEST_PARAM: usize = 250;
/// The tag by which a run is found again on the server, should the folder have forgotten.
const TAG: &str = "runner.run";

/// How far a run was sent: `mlflow.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sent {
    uri: String,
    experiment_id: String,
    run_id: String,
    params: bool,
    /// The last step of `trace.csv`, and the last of `metrics.csv`.
    step: Option<u64>,
    evaluated: Option<u64>,
    /// As the server has it.
    status: String,
}

/// What sends a run.
pub struct Sender {
    run: PathBuf,
    client: Client,
    sent: Sent,
    /// Of `trace.csv`, and of `metrics.csv`.
    trace: Bookmark,
    metrics: Bookmark,
}

impl Sender {
    /// Goes on where it was left.
    ///
    /// # Errors
    /// When what the folder says of that makes no sense.
    pub fn new(run: &Path, address: Address) -> Result<Self, RecordError> {
        let path = run.join(STATE);
        let sent = match std::fs::read(&path) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Sent::default(),
            other => {
                let bytes = other.map_err(RecordError::io("read", &path))?;
                serde_json::from_slice(&bytes).map_err(|error| RecordError::Malformed {
                    path,
                    line: error.line() as u64,
                    what: error.to_string(),
                })?
            }
        };
        // Sent to another server, it is not there yet.
        let sent = if sent.uri == address.uri { sent } else { Sent { uri: address.uri.clone(), ..Sent::default() } };
        let (trace, metrics) = (Bookmark::default(), Bookmark::default());
        Ok(Self { run: run.to_owned(), client: Client::new(address), sent, trace, metrics })
    }

    /// Sends all that is not sent yet, and notes how far that came.
    ///
    /// # Errors
    /// When the server is not there or refuses, or the run's files cannot be read. What was sent before stays noted.
    pub fn send(&mut self) -> Result<(), MlflowError> {
        match self.try_send() {
            // The server has lost its memory, or somebody deleted the run for good.
            Err(error) if error.is_unknown() && !self.sent.run_id.is_empty() => {
                self.sent = Sent { uri: self.sent.uri.clone(), ..Sent::default() };
                self.try_send()
            }
            sent => sent,
        }
    }

    fn try_send(&mut self) -> Result<(), MlflowError> {
        let info = RunInfo::read(&self.run.join(file::RUN))?;
        let begun = milliseconds(&info.created);
        if self.sent.run_id.is_empty() {
            self.begin(&info, begun)?;
        }
        if !self.sent.params {
            self.params(&info)?;
            self.sent.params = true;
            self.note()?;
        }
        self.table(&METRICS, begun, |sender| (&mut sender.metrics, &mut sender.sent.evaluated))?;
        self.table(&TRACE, begun, |sender| (&mut sender.trace, &mut sender.sent.step))?;
        self.status(&info)
    }

    fn begin(&mut self, info: &RunInfo, begun: i64) -> Result<(), MlflowError> {
        let experiment = self.client.address().experiment.clone().unwrap_or_else(|| info.name.clone());
        let experiment_id = self.experiment(&experiment)?;
        let (folder, shown) = names(&self.run);
        // What stays when a run is resumed, and is another in a folder of the same name.
        let identity = format!("{} {} {} {}", folder.replace('\'', ""), info.created, info.seed, info.spec_hash);
        // Begun before, and the answer lost?
        let filter = format!("tags.`{TAG}` = '{identity}'");
        let search = json!({ "experiment_ids": [experiment_id], "filter": filter, "max_results": 1 });
        let found = self.client.post("runs/search", "a search", &search)?;
        let tag = |key: &str, value: &str| json!({ "key": key, "value": value });
        let run_id = match found["runs"][0]["info"]["run_id"].as_str() {
            Some(there) => there.to_owned(),
            None => {
                let tags = [
                    tag(TAG, &identity),
                    tag("runner.spec_hash", &info.spec_hash),
                    tag("mlflow.source.name", &info.argv.join(" ")),
                    tag("mlflow.source.git.commit", info.git_commit.as_deref().unwrap_or_default()),
                    tag("mlflow.runName", &shown),
                ];
                let tags: Vec<Value> = tags.into_iter().filter(|tag| tag["value"] != "").collect();
                let body =
                    json!({ "experiment_id": experiment_id, "start_time": begun, "run_name": shown, "tags": tags });
                let made = self.client.post("runs/create", "a new run", &body)?;
                text(&made["run"]["info"]["run_id"])
            }
        };
        self.sent =
            Sent { uri: self.sent.uri.clone(), experiment_id, run_id, status: "RUNNING".to_owned(), ..Sent::default() };
        // It has nothing of either table.
        (self.trace, self.metrics) = (Bookmark::default(), Bookmark::default());
        Ok(self.note()?)
    }

    /// The experiment of that name, made where there is none.
    fn experiment(&self, name: &str) -> Result<String, MlflowError> {
        let search = |client: &Client| -> Result<Option<String>, MlflowError> {
            let filter = format!("name = '{}'", name.replace('\'', ""));
            let found =
                client.post("experiments/search", "a search", &json!({ "filter": filter, "max_results": 1 }))?;
            Ok(found["experiments"][0]["experiment_id"].as_str().map(str::to_owned))
        };
        if let Some(there) = search(&self.client)? {
            return Ok(there);
        }
        match self.client.post("experiments/create", "a new experiment", &json!({ "name": name })) {
            Ok(made) => Ok(text(&made["experiment_id"])),
            // Another run of a sweep made it meanwhile.
            Err(error) => search(&self.client)?.ok_or(error),
        }
    }

    fn params(&self, info: &RunInfo) -> Result<(), MlflowError> {
        let param = |name: &str, value: &str| {
            let value: String = value.chars().take(LONGEST_PARAM).collect();
            json!({ "key": plain(name), "value": value })
        };
        let written = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let own = [
            ("seed", info.seed.to_string()),
            ("dataset", info.dataset.name.clone()),
            ("net", info.model.clone()),
            ("parameters", info.parameters.to_string()),
            ("device", info.device.clone()),
            ("threads", info.threads.to_string()),
        ];
        let own = own.iter().map(|(name, value)| param(name, value));
        let all: Vec<Value> =
            own.chain(info.settings.iter().map(|(name, value)| param(name, &written(value)))).collect();
        for some in all.chunks(MOST_PARAMS) {
            self.batch(&json!({ "run_id": self.sent.run_id, "params": some }))?;
        }
        Ok(())
    }

    /// Sends the rows of a table that are not sent yet, in batches, each noted when it has arrived. `reached`: how far the table was
    /// read, and the last step of it that was sent.
    fn table(
        &mut self,
        table: &Table,
        begun: i64,
        reached: fn(&mut Self) -> (&mut Bookmark, &mut Option<u64>),
    ) -> Result<(), MlflowError> {
        let run = self.run.clone();
        let (bookmark, sent) = reached(self);
        let rows = table.rows(&run, bookmark, begun, *sent)?;
        let wide = rows.iter().map(|row| row.metrics.len()).max().unwrap_or(0).max(1);
        for some in rows.chunks((MOST_METRICS / wide).max(1)) {
            let metrics: Vec<&Value> = some.iter().flat_map(|row: &Row| &row.metrics).collect();
            self.batch(&json!({ "run_id": self.sent.run_id, "metrics": metrics }))?;
            if let Some(last) = some.last() {
                let (bookmark, sent) = reached(self);
                bookmark.move_to(last.end);
                *sent = Some(last.step);
                self.note()?;
            }
        }
        Ok(())
    }

    fn status(&mut self, info: &RunInfo) -> Result<(), MlflowError> {
        let status = match info.status {
            Status::Running => "RUNNING",
            Status::Done => "FINISHED",
            Status::Failed | Status::Diverged => "FAILED",
            Status::Interrupted => "KILLED",
        };
        if status == self.sent.status {
            return Ok(());
        }
        let mut body = json!({ "run_id": self.sent.run_id, "status": status });
        if info.status != Status::Running {
            body["end_time"] = milliseconds(&info.updated).into();
            let tags =
                json!([{ "key": "runner.exit_reason", "value": info.exit_reason.as_deref().unwrap_or_default() }]);
            self.batch(&json!({ "run_id": self.sent.run_id, "tags": tags }))?;
        }
        self.client.post("runs/update", "the run's status", &body)?;
        self.sent.status = status.to_owned();
        Ok(self.note()?)
    }

    fn batch(&self, body: &Value) -> Result<(), MlflowError> {
        self.client.post("runs/log-batch", "a batch of records", body).map(drop)
    }

    fn note(&self) -> Result<(), RecordError> {
        let path = self.run.join(STATE);
        let text = serde_json::to_string_pretty(&self.sent).unwrap_or_default();
        atomic::write(&path, format!("{text}\n").as_bytes())
    }
}

/// A run's folder by name, and what the run is shown as: with its sweep, where it is of one.
fn names(run: &Path) -> (String, String) {
    let run = run.canonicalize().unwrap_or_else(|_| run.to_owned());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let folder = name(&run);
    // Runs are called alike in every sweep.
    let sweep = run.parent().filter(|parent| parent.join(file::SWEEP).is_file());
    let shown = sweep.map_or_else(|| folder.clone(), |sweep| format!("{}/{folder}", name(sweep)));
    (folder, shown)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Since 1970; 0 where the text is no time.
fn milliseconds(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().map_or(0, jiff::Timestamp::as_millisecond)
}
