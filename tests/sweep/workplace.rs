//! Sweeps to run, what runs them, and folders of some that ran.

use crate::common::{SMALL, assert_exit, only_run, runner, text};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// Two rates, of which one diverges, by two seeds.
pub const SWEEP: &str = r#"
name = "rates"
base = "small.toml"
seeds = [1, 2]
[axes]
"phases[0].lr" = [0.01, 1e30]
"#;

pub fn workplace() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("small.toml"), SMALL).unwrap();
    let file = folder.path().join("rates.toml");
    std::fs::write(&file, SWEEP).unwrap();
    (folder, file)
}

/// The small experiment, made smaller.
pub fn tiny() -> String {
    SMALL.replace("steps = 81", "steps = 20").replace("size = 16", "size = 8").replace("size = 12", "size = 8")
}

pub fn begin(file: &Path, runs: &Path) -> Command {
    let mut command = runner();
    command.arg("sweep").arg(file).args(["--jobs", "2", "--runs-dir"]).arg(runs);
    command
}

pub fn resume(folder: &Path) -> Command {
    let mut command = runner();
    command.args(["sweep", "--jobs", "2", "--resume"]).arg(folder);
    command
}

pub fn best_of(sweep: &Path) -> Output {
    runner().args(["sweep", "--best"]).arg(sweep).output().unwrap()
}

/// What a dry run of a sweep over one phase on CIFAR-10, which is absent, lists and says.
pub fn dry_run_without_the_set(content: &str) -> String {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'cifar10'\nstand_in = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                [[phases]]\nepochs = 1\nbatch = 500\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    std::fs::write(&file, format!("name = 's'\nbase = 'small.toml'\n{content}")).unwrap();
    let output = begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap();
    assert_exit(&output, 0);
    // Where a notice is broken depends on its width.
    text(&output).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A sweep's folder as it would be on disk, with rows of `trials.csv` for points that differ in one rate.
pub fn recorded(work: &Path, rows: &[&str]) -> PathBuf {
    let sweep = work.join("recorded");
    std::fs::create_dir_all(sweep.join("points")).unwrap();
    std::fs::write(sweep.join("sweep.toml"), SWEEP.replace("small.toml", "../small.toml")).unwrap();
    let head = "trial,seed,state,run,objective,seconds,reason,phases[0].lr,saved_steps,saved_seconds\n";
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(sweep.join("trials.csv"), format!("{head}{rows}")).unwrap();
    for point in ["t000", "t001"] {
        std::fs::write(sweep.join("points").join(format!("{point}.toml")), SMALL).unwrap();
    }
    sweep
}

pub fn has_a_sweep(runs: &Path) -> bool {
    std::fs::read_dir(runs).unwrap().flatten().any(|entry| entry.path().join("sweep.toml").is_file())
}

/// A sweep that was killed so many times, at any moment, and resumed until it came to its end.
pub fn killed_and_resumed(file: &Path, runs: &Path, times: usize) -> PathBuf {
    let mut child = begin(file, runs).spawn().unwrap();
    for _ in 0..times {
        while !runs.is_dir() || !has_a_sweep(runs) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(RandomState::new().build_hasher().finish() % 700));
        child.kill().unwrap();
        child.wait().unwrap();
        child = resume(&only_run(runs)).spawn().unwrap();
    }
    child.wait().unwrap();
    let sweep = only_run(runs);
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    sweep
}
