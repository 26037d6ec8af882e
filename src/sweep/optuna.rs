//! A sweep as a journal of Optuna, whose tools then show it: `optuna-dashboard JOURNAL`, `optuna.visualization`.
//!
//! The format is that of `optuna.storages.JournalStorage` over a file: one JSON object a line, each an operation. Written here are
//! the creation of a study and that of each trial, whole.

use super::ledger::{Ledger, State, Trial};
use crate::config::sweep::{Axis, Sweep, Values};
use crate::record::columns::read_columns;
use crate::record::folder::file;
use crate::record::run_json::RunInfo;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Operations, by their numbers in Optuna.
const CREATE_STUDY: u64 = 0;
const SET_STUDY_USER_ATTR: u64 = 2;
const SET_STUDY_SYSTEM_ATTR: u64 = 3;
const CREATE_TRIAL: u64 = 4;
/// States of trials.
const RUNNING: u64 = 0;
const COMPLETE: u64 = 1;
const PRUNED: u64 = 2;
const FAIL: u64 = 3;
const WAITING: u64 = 4;
/// Directions of a study.
const MINIMIZE: u64 = 1;
const MAXIMIZE: u64 = 2;

/// The sweep in `folder` as it stands. Points with several seeds are as many trials, told apart by the attribute `seed`; a
/// trial's evaluations are its intermediate values, by step.
pub fn journal(folder: &Path, sweep: &Sweep, ledger: &Ledger, lower_is_better: bool) -> String {
    let direction = if lower_is_better { MINIMIZE } else { MAXIMIZE };
    let mut lines = vec![
        operation(CREATE_STUDY, json!({ "study_name": sweep.name, "directions": [direction] })),
        operation(
            SET_STUDY_SYSTEM_ATTR,
            json!({ "study_id": 0, "system_attr": { "study:metric_names": [sweep.metric] } }),
        ),
        operation(SET_STUDY_USER_ATTR, json!({ "study_id": 0, "user_attr": { "sweep": folder.to_string_lossy() } })),
    ];
    let axes: Vec<Distribution> =
        sweep.axes.iter().enumerate().map(|(k, axis)| Distribution::of(axis, k, ledger)).collect();
    lines.extend(ledger.trials.iter().map(|trial| operation(CREATE_TRIAL, self::trial(folder, sweep, &axes, trial))));
    lines.concat()
}

fn operation(code: u64, mut fields: Value) -> String {
    fields["op_code"] = code.into();
    fields["worker_id"] = "runner".into();
    format!("{fields}\n")
}

fn trial(folder: &Path, sweep: &Sweep, axes: &[Distribution], trial: &Trial) -> Value {
    let run = folder.join(&trial.run);
    let info = RunInfo::read(&run.join(file::RUN)).ok();
    let objective = trial.objective.filter(|value| value.is_finite());
    let state = match (trial.state, objective) {
        (State::Planned, _) => WAITING,
        (State::Running | State::Interrupted, _) => RUNNING,
        (State::Done, Some(_)) => COMPLETE,
        (State::Pruned, _) => PRUNED,
        (State::Done | State::Failed | State::Diverged, _) => FAIL,
    };
    let (mut params, mut distributions) = (Map::new(), Map::new());
    for (axis, value) in axes.iter().zip(&trial.values) {
        // A value that the sweep file no longer has stays out: Optuna would refuse it.
        let Some(internal) = axis.internal(value) else { continue };
        params.insert(axis.name.clone(), internal.into());
        distributions.insert(axis.name.clone(), axis.json.to_string().into());
    }
    let mut fields = json!({
        "study_id": 0,
        "state": state,
        "value": objective.filter(|_| state == COMPLETE || state == PRUNED),
        "values": null,
        "datetime_start": info.as_ref().map(|info| moment(&info.created)),
        "params": params,
        "distributions": distributions,
        "user_attrs": {
            "point": trial.number, "seed": trial.seed, "run": trial.run, "state": trial.state.word(), "reason": trial.reason,
            "train_seconds": trial.seconds,
        },
        "system_attrs": {},
        "intermediate_values": intermediate(&run, &sweep.metric),
    });
    if trial.state.is_over() {
        let ended = info.as_ref().map(|info| moment(&info.updated));
        // A trial that is over has an end, though the run that failed to begin has no record of one.
        fields["datetime_complete"] = ended.unwrap_or_else(|| "1970-01-01T00:00:00+00:00".to_owned()).into();
    }
    fields
}

/// With an offset in numbers: older versions of Python do not read `Z`.
fn moment(time: &str) -> String {
    time.strip_suffix('Z').map_or_else(|| time.to_owned(), |time| format!("{time}+00:00"))
}

/// The metric at each evaluation, by step.
fn intermediate(run: &Path, metric: &str) -> Map<String, Value> {
    let read = read_columns(&run.join(file::METRICS), ["step", metric]).map(|columns| columns.values);
    let Ok([Some(steps), Some(values)]) = read else { return Map::new() };
    let finite = steps.into_iter().zip(values).filter(|(_, value)| value.is_finite());
    finite.map(|(step, value)| (step.to_string(), value.into())).collect()
}

/// Where an axis's values come from, in Optuna's words.
struct Distribution {
    name: String,
    json: Value,
    /// Those of a choice, as the ledger writes them.
    choices: Option<Vec<String>>,
}

impl Distribution {
    fn of(axis: &Axis, place: usize, ledger: &Ledger) -> Self {
        let made = |kind: &str, attributes: Value| json!({ "name": kind, "attributes": attributes });
        let float = |low: f64, high: f64, log: bool| {
            made("FloatDistribution", json!({ "low": low, "high": high, "log": log, "step": null }))
        };
        let mut choices = None;
        let json = match &axis.values {
            Values::Uniform { low, high } => float(*low, *high, false),
            Values::LogUniform { low, high } => float(*low, *high, true),
            Values::Int { low, high } => {
                made("IntDistribution", json!({ "low": low, "high": high, "log": false, "step": 1 }))
            }
            Values::Choice(values) => {
                // Values that the file had before are those of trials that are there.
                let mut all = values.clone();
                for trial in &ledger.trials {
                    let tried = trial.values.get(place).filter(|value| !all.contains(value)).cloned();
                    all.extend(tried);
                }
                let written: Vec<Value> = all.iter().map(|text| plain(text)).collect();
                choices = Some(all);
                made("CategoricalDistribution", json!({ "choices": written }))
            }
        };
        Self { name: axis.name.clone(), json, choices }
    }

    /// How Optuna writes a value of the axis: numbers as they are, choices by their place.
    fn internal(&self, value: &str) -> Option<f64> {
        match &self.choices {
            Some(choices) => choices.iter().position(|choice| choice == value).map(|place| place as f64),
            None => value.parse().ok(),
        }
    }
}

/// A value of TOML as one that a choice of Optuna can have; whatever is no number, word or truth value, in the file's words.
fn plain(text: &str) -> Value {
    let table: Option<toml::Table> = format!("value = {text}").parse().ok();
    match table.and_then(|mut table| table.remove("value")) {
        Some(toml::Value::Integer(number)) => number.into(),
        Some(toml::Value::Float(number)) => number.into(),
        Some(toml::Value::Boolean(it)) => it.into(),
        Some(toml::Value::String(word)) => word.into(),
        _ => text.into(),
    }
}
