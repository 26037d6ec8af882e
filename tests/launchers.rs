//! Sweeps on batch systems that are really there. Where one is not, its test says that it was skipped.

mod common;

use common::{assert_exit, only_run, runner, skipped, text, timeless};
use runner::record::reader::RunReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// Some seconds a trial, so that there is time to take it away.
const BASE: &str = "\
name = 'b'
[data]
dataset = 'shapes'
[model]
backbone = { kind = 'resnet9', width = 4 }
[train]
eval_every = '100step'
[[phases]]
steps = 100
batch = 64
size = 8
optimizer = 'sgd'
lr = 0.1
[[phases]]
steps = 300
lr = 0.1
";
const SWEEP: &str = "\
name = 'away'
base = 'base.toml'
seeds = [1, 2]
[axes]
'phases[1].lr' = [0.1, 0.05]
";

struct Place {
    folder: tempfile::TempDir,
    file: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("base.toml"), BASE).unwrap();
        let file = folder.path().join("away.toml");
        std::fs::write(&file, SWEEP).unwrap();
        Self { folder, file }
    }

    fn runs(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn begin(&self, runs: &Path, options: &[&str]) -> Child {
        runner().arg("sweep").arg(&self.file).arg("--runs-dir").arg(runs).args(options).spawn().unwrap()
    }

    /// What the sweep comes to on this machine.
    fn at_home(&self) -> PathBuf {
        let runs = self.runs("home");
        assert!(self.begin(&runs, &["--jobs", "2"]).wait().unwrap().success());
        only_run(&runs)
    }
}

fn resume(sweep: &Path, options: &[&str]) {
    let mut command = runner();
    assert_exit(&command.args(["sweep", "--resume"]).arg(sweep).args(options).output().unwrap(), 0);
}

#[track_caller]
fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(120), "no {what} in two minutes");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The rows of a trial's table so far.
fn rows(run: &Path) -> usize {
    std::fs::read_to_string(run.join("trace.csv")).map_or(0, |table| table.lines().count().saturating_sub(1))
}

/// The same trials, weights and tables.
#[track_caller]
fn assert_same(sweep: &Path, home: &Path) {
    assert_eq!(timeless(&sweep.join("trials.csv")), timeless(&home.join("trials.csv")));
    for run in ["t000-s1", "t000-s2", "t001-s1", "t001-s2"] {
        let model = |sweep: &Path| std::fs::read(sweep.join(run).join("model.safetensors")).unwrap();
        assert!(model(sweep) == model(home), "{run} has other weights");
        for table in ["trace.csv", "metrics.csv"] {
            assert_eq!(timeless(&sweep.join(run).join(table)), timeless(&home.join(run).join(table)), "{run}/{table}");
        }
    }
}

fn resumes(sweep: &Path) -> u32 {
    let of = |run: &str| RunReader::open(&sweep.join(run)).unwrap().info().unwrap().resumes;
    ["t000-s1", "t000-s2", "t001-s1", "t001-s2"].into_iter().map(of).sum()
}

fn is_there(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

/// Pre-empted and requeued by Slurm, and the sweep's own process killed in between.
#[test]
fn slurm_runs_a_sweep_and_requeues_what_it_pre_empted() {
    if !is_there("sinfo", &["--noheader", "--partition=high"]) {
        skipped("no Slurm with a partition `high` here (scripts/slurm starts one)");
        return;
    }
    let place = Place::new();
    let home = place.at_home();
    let runs = place.runs("slurm");
    let options = ["--launcher", "slurm", "--launcher-arg=--partition=low"];
    let mut child = place.begin(&runs, &options);
    wait_for("sweep", || runs.is_dir() && only_run(&runs).join("sweep.toml").is_file());
    let sweep = only_run(&runs);
    wait_for("step", || rows(&sweep.join("t000-s1")) > 20);
    let urgent = ["--partition=high", "--cpus-per-task=2", "--output=/dev/null", "--wrap=sleep 1"];
    assert!(is_there("sbatch", &urgent));
    child.kill().unwrap();
    child.wait().unwrap();
    wait_for("checkpoint", || sweep.join("jobs/t000-s1.exit").is_file());
    resume(&sweep, &options);
    assert_same(&sweep, &home);
    assert!(resumes(&sweep) >= 1, "nothing was pre-empted");
    let arrays = std::fs::read_dir(sweep.join("jobs")).unwrap().flatten();
    let arrays = arrays.filter(|entry| entry.file_name().to_string_lossy().starts_with("array-of-")).count();
    assert!(arrays <= 3, "jobs that were in the queue were submitted again: {arrays} arrays");
}

/// Stopped by a signal, with jobs that run and jobs that wait.
#[test]
fn a_sweep_with_slurm_stops_and_goes_on() {
    if !is_there("sinfo", &["--noheader", "--partition=low"]) {
        skipped("no Slurm with a partition `low` here (scripts/slurm starts one)");
        return;
    }
    let place = Place::new();
    let runs = place.runs("slurm");
    let options = ["--launcher", "slurm", "--launcher-arg=--partition=low"];
    let mut child = place.begin(&runs, &options);
    wait_for("sweep", || runs.is_dir() && only_run(&runs).join("sweep.toml").is_file());
    let sweep = only_run(&runs);
    wait_for("step", || rows(&sweep.join("t000-s1")) > 20);
    assert!(is_there("kill", &["-TERM", &child.id().to_string()]));
    assert_eq!(child.wait().unwrap().code(), Some(75));
    let states: Vec<String> = timeless(&sweep.join("trials.csv")).iter().map(|row| row[2].clone()).collect();
    assert!(states.iter().all(|state| state != "running" && state != "failed"), "{states:?}");
    resume(&sweep, &options);
    assert_same(&sweep, &place.at_home());
}

/// Its worker killed with two trials on it, by a server of its own.
#[test]
fn hyperqueue_runs_a_sweep_and_goes_on_where_a_worker_was_lost() {
    if !is_there("hq", &["--version"]) {
        skipped("no HyperQueue (`hq`) here (scripts/hyperqueue fetches or builds it)");
        return;
    }
    let place = Place::new();
    let home = place.at_home();
    let server_dir = place.runs("server");
    let hq = |arguments: &[&str]| {
        let mut command = Command::new("hq");
        command.env("HQ_SERVER_DIR", &server_dir).args(arguments);
        command.spawn().unwrap()
    };
    let mut server = hq(&["server", "start"]);
    wait_for("server", || hq(&["job", "list"]).wait().unwrap().success());
    let mut worker = hq(&["worker", "start", "--cpus=2"]);
    let runs = place.runs("hyperqueue");
    let mut command = runner();
    command.env("HQ_SERVER_DIR", &server_dir).arg("sweep").arg(&place.file).arg("--runs-dir").arg(&runs);
    let mut sweep = command.args(["--launcher", "hyperqueue"]).spawn().unwrap();
    wait_for("sweep", || runs.is_dir() && only_run(&runs).join("sweep.toml").is_file());
    let folder = only_run(&runs);
    wait_for("step", || rows(&folder.join("t000-s1")) > 20);
    worker.kill().unwrap();
    worker.wait().unwrap();
    let mut worker = hq(&["worker", "start", "--cpus=2"]);
    assert!(sweep.wait().unwrap().success());
    hq(&["server", "stop"]).wait().unwrap();
    worker.wait().unwrap();
    server.wait().unwrap();
    assert_same(&folder, &home);
    assert!(resumes(&folder) >= 1, "nothing was begun again");
}

#[test]
fn a_batch_system_that_is_not_there_is_a_usage_error() {
    let place = Place::new();
    for (launcher, command) in [("slurm", "sbatch"), ("hyperqueue", "hq")] {
        let mut sweep = runner();
        sweep.env("PATH", "/nonexistent").arg("sweep").arg(&place.file).args(["--launcher", launcher]);
        let output = sweep.arg("--runs-dir").arg(place.runs("none")).output().unwrap();
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains(&format!("{command}: ")) && said.contains("help: "), "{said}");
    }
}
