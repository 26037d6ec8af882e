//! `--run-folder`: what lies in the folder stays as it is, unless it is the run that is gone on with, which is one of what is asked for.

mod common;

use common::{assert_exit, runner, text};
use std::fs;
use std::path::Path;
use std::process::Output;

/// Two steps.
const TINY: &str = r#"
name = "tiny"
seed = 1

[data]
dataset = "shapes"

[model]
backbone = { shallow = 4 }

[[phases]]
steps = 2
size = 8
batch = 8
optimizer = "sgd"
lr = 0.1
"#;

/// A folder with the experiment, `tiny.toml`, and one for the run, `run`.
fn workplace() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tiny.toml"), TINY).unwrap();
    fs::create_dir(dir.path().join("run")).unwrap();
    dir
}

/// Trains `config` in the folder `run`.
fn train(dir: &Path, config: &str, options: &[&str]) -> Output {
    let mut command = runner();
    command.current_dir(dir).args(["train", config, "--run-folder", "run", "--threads", "1"]).args(options);
    command.output().unwrap()
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_that_a_run_would_write_are_not_overwritten() {
    let with_average = ["--set", "train.average='ema'"];
    for name in
        ["experiment.toml", "metrics.csv", "log.txt", "model.safetensors", "model-ema.safetensors", "checkpoint"]
    {
        let dir = workplace();
        let run = dir.path().join("run");
        fs::write(run.join(name), "mine").unwrap();
        for options in [&[][..], &["--go-on"]] {
            let output = train(dir.path(), "tiny.toml", &[&with_average[..], options].concat());
            assert_exit(&output, 2);
            let said = text(&output);
            assert!(
                said.contains(&format!("run/{name} is there already")) && said.contains("another folder"),
                "{said}"
            );
        }
        assert_eq!(fs::read_to_string(run.join(name)).unwrap(), "mine");
        assert_eq!(names(&run), [name]);
    }
}

#[test]
fn a_file_in_the_place_of_the_folder_is_an_argument_that_cannot_be() {
    let dir = workplace();
    fs::write(dir.path().join("notes"), "mine").unwrap();
    for place in ["notes", "notes/", "notes/deep/run"] {
        for options in [&[][..], &["--go-on"]] {
            let mut command = runner();
            command.current_dir(dir.path()).args(["train", "tiny.toml", "--run-folder", place]).args(options);
            let output = command.output().unwrap();
            assert_exit(&output, 2);
            let said = text(&output);
            assert!(said.contains("notes is no folder") && said.contains("name another folder"), "{place}: {said}");
        }
    }
    assert_eq!(fs::read_to_string(dir.path().join("notes")).unwrap(), "mine");
}

#[test]
fn the_experiment_that_is_read_is_not_overwritten() {
    let dir = workplace();
    let run = dir.path().join("run");
    fs::write(run.join("experiment.toml"), TINY).unwrap();
    assert_exit(&train(dir.path(), "run/experiment.toml", &[]), 2);
    // Not either where a process was killed there before.
    fs::write(run.join("lock"), "123\n").unwrap();
    assert_exit(&train(dir.path(), "run/experiment.toml", &["--go-on"]), 2);
    assert_eq!(fs::read_to_string(run.join("experiment.toml")).unwrap(), TINY);
    assert_eq!(names(&run), ["experiment.toml", "lock"]);
}

#[test]
fn other_files_and_what_a_killed_process_left_are_no_matter() {
    let dir = workplace();
    let run = dir.path().join("run");
    for (name, content) in [("notes.txt", "mine"), ("lock", "123\n"), ("experiment.toml", "na"), ("trace.csv", "step")]
    {
        fs::write(run.join(name), content).unwrap();
    }
    assert_exit(&train(dir.path(), "tiny.toml", &["--quiet", "--go-on"]), 0);
    assert_eq!(fs::read_to_string(run.join("notes.txt")).unwrap(), "mine");
    assert!(run.join("model.safetensors").is_file());
    assert!(fs::read_to_string(run.join("experiment.toml")).unwrap().contains("name = \"tiny\""));
}

/// Says in the record of a run that it was interrupted, as if it had been.
fn interrupt(run: &Path) {
    let path = run.join("run.json");
    let mut info: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    info["status"] = "interrupted".into();
    fs::write(path, info.to_string()).unwrap();
}

#[test]
fn a_run_of_another_experiment_is_not_gone_on_with() {
    let dir = workplace();
    let run = dir.path().join("run");
    assert_exit(&train(dir.path(), "tiny.toml", &["--quiet"]), 0);
    fs::write(dir.path().join("other.toml"), TINY.replace("batch = 8", "batch = 16")).unwrap();
    for is_done in [true, false] {
        if !is_done {
            interrupt(&run);
        }
        let before = fs::read(run.join("run.json")).unwrap();
        for (config, options, word) in [
            ("tiny.toml", &["--seed", "7"][..], "`tiny` with seed 7"),
            ("tiny.toml", &["--name", "zzz"][..], "`zzz` with seed 1"),
            ("tiny.toml", &["--set", "phases[0].lr=0.5"][..], "asked for is `tiny` with seed 1"),
            ("tiny.toml", &["--set", "data.dataset='mnist'"][..], "other phases or data sets"),
            ("other.toml", &[][..], "asked for is `tiny` with seed 1"),
        ] {
            let output = train(dir.path(), config, &[&["--go-on", "--quiet"][..], options].concat());
            assert_exit(&output, 2);
            let said = text(&output);
            assert!(said.contains("run holds a run of another experiment: `tiny` with seed 1 and spec hash"), "{said}");
            assert!(said.contains(word) && said.contains("help: name another --run-folder"), "{said}");
            assert_eq!(said.contains("--resume run"), !is_done, "{said}");
        }
        assert_eq!(fs::read(run.join("run.json")).unwrap(), before);
    }
    // The same command goes on, and has nothing left to do after that.
    assert_exit(&train(dir.path(), "tiny.toml", &["--quiet", "--go-on"]), 0);
    let info: serde_json::Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    assert_eq!(info["status"], "done");
    assert_eq!(info["resumes"], 1);
}

#[test]
fn a_run_that_is_done_is_said_to_be() {
    let dir = workplace();
    assert_exit(&train(dir.path(), "tiny.toml", &["--go-on", "--quiet"]), 0);
    let said = |options: &[&str]| {
        let output = train(dir.path(), "tiny.toml", options);
        assert_exit(&output, 0);
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let line = "already done: run (completed)\n".to_owned();
    assert_eq!(said(&["--go-on"]), [line.clone(), String::new()]);
    assert_eq!(said(&["--go-on", "--json"])[1], line);
    assert_eq!(said(&["--go-on", "--quiet"]), [line, String::new()]);
    // Its own experiment is the same one.
    let own = train(dir.path(), "run/experiment.toml", &["--go-on"]);
    assert_exit(&own, 0);
    assert!(text(&own).contains("already done: run"), "{}", text(&own));
}

/// What is recorded besides is no part of the experiment, so the run is the one that is asked for; but its records are as it was begun.
#[test]
fn records_that_are_asked_for_too_late_are_said_to_take_no_effect() {
    let dir = workplace();
    let run = dir.path().join("run");
    assert_exit(&train(dir.path(), "tiny.toml", &["--go-on", "--quiet", "--set", "record.tensorboard=true"]), 0);
    let options = ["--go-on", "--set", "record.best=true", "--set", "record.phases=false"];
    let output = train(dir.path(), "tiny.toml", &options);
    assert_exit(&output, 0);
    assert_eq!(text(&output), "already done: run (completed); takes effect no more: record.best\n");
    interrupt(&run);
    assert_exit(&train(dir.path(), "tiny.toml", &options), 0);
    let log = fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(log.contains("NOTICE: takes effect no more, for the run has begun: record.best\n"), "{log}");
    assert!(!run.join("model-best.safetensors").exists());
}

/// A program that reads events learns of a run that was done before what it would have learned from its training.
#[test]
fn the_last_event_of_a_run_that_is_done_is_told_again() {
    let dir = workplace();
    let events = || -> Vec<serde_json::Value> {
        let output = train(dir.path(), "tiny.toml", &["--go-on", "--json"]);
        assert_exit(&output, 0);
        let lines = String::from_utf8(output.stdout).unwrap();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let (trained, again) = (events(), events());
    let [again] = &again[..] else { panic!("{again:?}") };
    let last = trained.last().unwrap().as_object().unwrap();
    assert!(last["event"] == "finished" && !last.contains_key("already_done"), "{last:?}");
    for (key, value) in last {
        assert_eq!(&again[key], value, "{key}");
    }
    assert_eq!(again["already_done"], true);
    assert_eq!(again["folder"], "run");
    let info: serde_json::Value = serde_json::from_slice(&fs::read(dir.path().join("run/run.json")).unwrap()).unwrap();
    assert!(info["final"]["val_acc"].is_number(), "{info}");
    assert_eq!([&again["best"], &again["final"]], [&info["best"], &info["final"]]);
}
