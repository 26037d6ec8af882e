//! What is left for other programs, read by those programs: TensorBoard, Optuna, MLflow. `scripts/check_interchange setup`
//! installs them; without, these tests say that they were skipped.

mod common;

use common::{SMALL, assert_exit, only_run, runner, skipped, text};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// What the script says; `None`, and a word on it, where the other programs are not installed.
fn checked(what: &str, argument: &str) -> Option<Value> {
    let output = script(what, argument).output().unwrap();
    if output.status.code() == Some(77) {
        skipped(&format!("{what} is not installed here (scripts/check_interchange setup)"));
        return None;
    }
    assert!(output.status.success(), "{}", text(&output));
    Some(serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output))))
}

fn script(what: &str, argument: &str) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/check_interchange"));
    command.args([what, argument]);
    command
}

/// [`SMALL`], shorter, with these lines at its start.
fn short(folder: &Path) -> PathBuf {
    let path = folder.join("small.toml");
    let text = SMALL
        .replace("steps = 13", "steps = 3")
        .replace("epochs = 0.25", "steps = 3")
        .replace("steps = 81", "steps = 3");
    std::fs::write(&path, text).unwrap();
    path
}

/// A column of a table of the run.
fn column(run: &Path, table: &str, name: &str) -> Vec<f64> {
    let mut reader = csv::Reader::from_path(run.join(table)).unwrap();
    let place = reader.headers().unwrap().iter().position(|column| column == name).unwrap();
    reader.records().map(|record| record.unwrap()[place].parse().unwrap()).collect()
}

/// Steps and values of one scalar.
fn points(scalar: &Value) -> Vec<(u64, f64)> {
    let pair = |point: &Value| (point[0].as_u64().unwrap(), point[1].as_f64().unwrap());
    scalar.as_array().unwrap_or_else(|| panic!("{scalar}")).iter().map(pair).collect()
}

fn event_files(run: &Path) -> usize {
    let names = std::fs::read_dir(run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("events.out.tfevents.")).count()
}

#[test]
fn tensorboard_reads_a_run_and_each_step_of_a_resumed_one_once() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("small.toml");
    std::fs::write(&config, SMALL).unwrap();
    let runs = dir.path().join("runs");
    let mut command = runner();
    command.args(["train", "--quiet", "--set", "record.tensorboard=true", "--runs-dir"]).arg(&runs).arg(&config);
    let mut child = command.spawn().unwrap();
    // Killed where rows are behind the last checkpoint, which is one of each seventh step: they are taken again.
    let taken = || {
        let run = std::fs::read_dir(&runs).ok()?.next()?.ok()?.path();
        let table = std::fs::read_to_string(run.join("trace.csv")).ok()?;
        Some(table.lines().count().saturating_sub(1))
    };
    while !taken().is_some_and(|steps| steps > 20 && steps % 7 == 4) {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it was killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let run = only_run(&runs);
    assert_eq!(event_files(&run), 1);
    assert_ne!(taken().unwrap() % 7, 0, "no row is behind the last checkpoint");
    let output = runner().args(["train", "--quiet", "--resume"]).arg(&run).output().unwrap();
    assert_exit(&output, 0);
    assert_eq!(event_files(&run), 2);
    let Some(read) = checked("tensorboard", run.to_str().unwrap()) else { return };
    for (scalar, table, name) in [
        ("train/loss", "trace.csv", "loss"),
        ("schedule/lr", "trace.csv", "lr"),
        ("schedule/momentum", "trace.csv", "momentum"),
        ("eval/val_acc", "metrics.csv", "val_acc"),
        ("eval/val_loss", "metrics.csv", "val_loss"),
    ] {
        let read = points(&read["scalars"][scalar]);
        let steps = column(&run, table, "step");
        let values = column(&run, table, name);
        assert_eq!(read.len(), values.len(), "{scalar}: {read:?}");
        for ((step, value), (at, expected)) in read.into_iter().zip(steps.into_iter().zip(values)) {
            assert_eq!((step as f64, value), (at, f64::from(expected as f32)), "{scalar}");
        }
    }
    let session = &read["sessions"][0];
    assert_eq!(session["name"].as_str().unwrap(), run.file_name().unwrap().to_str().unwrap());
    assert_eq!((&session["hparams"]["seed"], &session["status"][0]), (&Value::from(3.0), &Value::from(1)));
    assert_eq!(session["hparams"]["phases[0].optimizer"], "rmsprop", "{session}");
}

#[test]
fn optuna_opens_a_sweep() {
    let dir = tempfile::tempdir().unwrap();
    short(dir.path());
    let sweep = "name = \"few\"\nbase = \"small.toml\"\nseeds = [1, 2]\n[axes]\n\"phases[2].lr\" = [0.01, 0.02]\n\
                 shape = { paths = [\"train.label_smoothing\", \"train.winograd\"], rows = [[0.0, true], [0.1, false]] }\n";
    std::fs::write(dir.path().join("few.toml"), sweep).unwrap();
    let output = runner().current_dir(dir.path()).args(["sweep", "few.toml", "--jobs", "2"]).output().unwrap();
    assert_exit(&output, 0);
    let folder = only_run(&dir.path().join("runs"));
    let output = runner().args(["export", "optuna"]).arg(&folder).output().unwrap();
    assert_exit(&output, 0);
    let journal = folder.join("optuna-journal.log");
    let Some(read) = checked("optuna", journal.to_str().unwrap()) else { return };
    assert_eq!((&read["name"], &read["direction"]), (&Value::from("few"), &Value::from("MAXIMIZE")));
    let trials = read["trials"].as_array().unwrap();
    let objectives = column(&folder, "trials.csv", "objective");
    assert_eq!(trials.len(), 8);
    for (k, (trial, objective)) in trials.iter().zip(&objectives).enumerate() {
        assert_eq!((&trial["state"], trial["value"].as_f64()), (&Value::from("COMPLETE"), Some(*objective)), "{trial}");
        assert_eq!(trial["seed"], (k % 2 + 1) as u64);
        let evaluations = trial["intermediate"].as_object().unwrap();
        assert!(evaluations.values().any(|value| value.as_f64() == Some(*objective)), "{trial}");
    }
    let rates: Vec<f64> = trials.iter().map(|trial| trial["params"]["phases[2].lr"].as_f64().unwrap()).collect();
    assert_eq!(rates, [0.01, 0.01, 0.01, 0.01, 0.02, 0.02, 0.02, 0.02]);
    let best = objectives.iter().copied().fold(f64::MIN, f64::max);
    assert_eq!(objectives[read["best"].as_u64().unwrap() as usize], best);
}

/// A server of MLflow, until it is dropped.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(folder: &Path) -> Option<Self> {
        let mut child =
            script("mlflow", folder.to_str().unwrap()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        if address.is_empty() {
            let status = child.wait().unwrap();
            assert_eq!(status.code(), Some(77), "the server did not come up");
            skipped("mlflow is not installed here (scripts/check_interchange setup)");
            return None;
        }
        Some(Self { child, address: address.trim().to_owned() })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its standard input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

#[test]
fn mlflow_has_a_run_and_what_it_missed_comes_later() {
    let dir = tempfile::tempdir().unwrap();
    let config = short(dir.path());
    let run_with = |uri: &str, arguments: &[&str]| {
        let mut command = runner();
        command.env("MLFLOW_TRACKING_URI", uri).env("NO_PROXY", "127.0.0.1").current_dir(dir.path());
        command.args(arguments).output().unwrap()
    };
    let train =
        |uri: &str, runs: &str| run_with(uri, &["train", config.to_str().unwrap(), "--quiet", "--runs-dir", runs]);
    // Nobody listens there: training goes on all the same.
    let output = train("http://127.0.0.1:9", "missed");
    assert_exit(&output, 0);
    assert!(
        text(&output).contains("training goes on") && text(&output).contains("runner export mlflow"),
        "{}",
        text(&output)
    );
    let output = train("sqlite:///mlflow.db", "refused");
    assert_exit(&output, 2);
    assert!(text(&output).contains("MLFLOW_TRACKING_URI"), "{}", text(&output));

    let Some(server) = Server::start(dir.path()) else { return };
    assert_exit(&train(&server.address, "sent"), 0);
    for _ in 0..2 {
        assert_exit(&run_with(&server.address, &["export", "mlflow", "missed", "sent"]), 0);
    }
    let read = checked("mlflow-read", &server.address).unwrap();
    let read = read.as_array().unwrap();
    assert_eq!(read.len(), 2, "{read:?}");
    for runs in ["missed", "sent"] {
        let run = only_run(&dir.path().join(runs));
        let name = run.file_name().unwrap().to_str().unwrap();
        let there = read.iter().find(|there| there["name"] == name).unwrap();
        assert_eq!((&there["status"], &there["experiment"]), (&Value::from("FINISHED"), &Value::from("small")));
        assert_eq!(
            (&there["params"]["seed"], &there["params"]["phases.0.optimizer"]),
            (&Value::from("3"), &Value::from("rmsprop"))
        );
        for (key, table, name) in [
            ("train/loss", "trace.csv", "loss"),
            ("schedule/lr", "trace.csv", "lr"),
            ("eval/val_acc", "metrics.csv", "val_acc"),
        ] {
            let steps = column(&run, table, "step").into_iter().map(|step| step as u64);
            let expected: Vec<(u64, f64)> = steps.zip(column(&run, table, name)).collect();
            let mut found = points(&there["metrics"][key]);
            found.sort_by_key(|(step, _)| *step);
            assert_eq!(found, expected, "{key}");
        }
    }
}
