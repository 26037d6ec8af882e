//! A run that begins where another had come to: `--keep-prefix` and `--prefix`.

use crate::common::{assert_exit, runner, text, timeless};
use crate::workplace::{tiny, workplace};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// A beginning that is of another experiment is not taken, and the run says so.
#[test]
fn a_beginning_that_does_not_fit_is_trained_anew() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    std::fs::write(&experiment, tiny()).unwrap();
    let [first, second, third] = ["first", "second", "third"].map(|name| work.path().join(name));
    let train = |run: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(&experiment).args(options);
        let output = command.output().unwrap();
        assert_exit(&output, 0);
        text(&output)
    };
    train(&first, &["--keep-prefix", "1"]);
    let kept = first.join("checkpoint/before-phase-1");
    let from = ["--prefix", kept.to_str().unwrap()];
    assert!(!train(&second, &[&["--set", "phases[2].lr=0.2"], &from[..]].concat()).contains("trained here"));
    let said = train(&third, &[&["--set", "phases[0].lr=0.2"], &from[..]].concat());
    let log = |run: &Path| std::fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(log(&second).contains("the first 13 steps are those of first"), "{}", log(&second));
    let otherwise =
        "all steps are trained here: first begins otherwise: with other settings (phases[0].lr is 0.2, there ";
    assert!(log(&third).contains(otherwise), "{}", log(&third));
    // It takes as long as if nobody had asked for it: that is said though nothing else is.
    assert!(said.contains("all steps are trained here"), "{said}");
    assert_eq!(timeless(&third.join("trace.csv")).len(), 43);
}

/// A folder without a beginning, and a phase before which there is none, are mistakes: nothing is trained.
#[test]
fn a_beginning_that_is_not_there_is_refused() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    std::fs::write(&experiment, tiny()).unwrap();
    let [first, second] = ["first", "second"].map(|name| work.path().join(name));
    let train = |run: &Path, options: [&str; 2]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(&experiment).args(options);
        command.output().unwrap()
    };
    for phase in ["0", "7"] {
        let output = train(&first, ["--keep-prefix", phase]);
        assert_exit(&output, 2);
        assert!(text(&output).contains("there are phases 0 to 2: give one from 1 on"), "{}", text(&output));
    }
    assert!(!first.exists());
    assert_exit(&train(&first, ["--keep-prefix", "1"]), 0);
    for (from, help) in [
        (first.as_path(), "first/checkpoint/before-phase-1`: name that"),
        (work.path(), "that a run with `--keep-prefix PHASE` has kept"),
    ] {
        let output = train(&second, ["--prefix", from.to_str().unwrap()]);
        assert_exit(&output, 2);
        assert!(text(&output).contains(help), "{}", text(&output));
    }
    assert!(!second.exists());
}

/// What is to be kept is known to whoever takes the run up, and where it cannot be kept the run says so.
#[test]
fn what_is_to_be_kept_outlives_an_interruption_and_its_lack_is_said() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    std::fs::write(&experiment, tiny()).unwrap();
    let [torn, ended] = ["torn", "ended"].map(|name| work.path().join(name));
    let train = |run: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(&experiment).args(options);
        command
    };
    let log = |run: &Path| std::fs::read_to_string(run.join("log.txt")).unwrap();
    let resume = |run: &Path, options: &[&str], code: i32| {
        let output = runner().args(["train", "--quiet", "--resume"]).arg(run).args(options).output().unwrap();
        assert_exit(&output, code);
        text(&output)
    };
    // Stopped in its first steps, once it is there.
    let options = ["--until-stdin-closes", "--keep-prefix", "1", "--set", "phases[0].steps=300"];
    let mut child = train(&torn, &options).stdin(Stdio::piped()).spawn().unwrap();
    while !torn.join("run.json").is_file() {
        assert!(child.try_wait().unwrap().is_none(), "the run ended before it began");
        std::thread::sleep(Duration::from_millis(1));
    }
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(75));
    let refused = resume(&torn, &["--keep-prefix", "7"], 2);
    assert!(refused.contains("there are phases 0 to 2"), "{refused}");
    // Each adds to what was asked for before.
    let mut command = runner();
    command.args(["train", "--quiet", "--until-stdin-closes", "--keep-prefix", "2", "--resume"]).arg(&torn);
    assert_exit(&command.stdin(Stdio::null()).output().unwrap(), 75);
    resume(&torn, &[], 0);
    assert!(["1", "2"].iter().all(|phase| torn.join("checkpoint/before-phase-".to_owned() + phase).is_dir()));
    assert!(!log(&torn).contains("NOTHING IS KEPT"), "{}", log(&torn));

    let rule =
        ["--keep-prefix", "1,2", "--set", "train.stop_at={ val_loss = 1e9 }", "--set", "train.eval_every='15step'"];
    assert_exit(&train(&ended, &rule).output().unwrap(), 0);
    assert!(ended.join("checkpoint/before-phase-1").is_dir());
    let words = "NOTHING IS KEPT for `--keep-prefix 2`: training ended by a rule after 15 steps";
    assert!(log(&ended).contains(words) && !log(&ended).contains("`--keep-prefix 1`"), "{}", log(&ended));
}

/// The end of a training is the beginning of one with further phases, to the byte; what is done at an end alone stands in the way.
#[test]
fn a_longer_training_begins_with_the_end_of_a_shorter_one() {
    const SHORT: &str = r#"
name = "short"
[data]
dataset = "shapes"
augment = ["flip"]
[model]
backbone = { kind = "resnet9", width = 4 }
[train]
eval_every = "7step"
eval_phases = true
lookahead = { every = 4, at_epoch_end = true }
[record]
best = true
[[phases]]
epochs = 1
size = 8
batch = 500
optimizer = "sgd"
lr = { from = 0.05, to = 0.1 }
[[phases]]
epochs = 1
lr = { from = 0.1, to = 0.02, curve = "cosine" }
"#;
    let (work, _) = workplace();
    let [experiment, longer] = ["short.toml", "longer.toml"].map(|name| work.path().join(name));
    std::fs::write(&experiment, SHORT).unwrap();
    std::fs::write(&longer, "extends = \"short.toml\"\n[phases.2]\nepochs = 1\nlr = 0.01\n").unwrap();
    let [short, second, whole, other] = ["short", "second", "whole", "other"].map(|name| work.path().join(name));
    let train = |run: &Path, config: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(config).args(options);
        command.output().unwrap()
    };
    for (set, words) in [
        ("train.eval_phases=false", "give `train.eval_phases = true`"),
        ("phases[1].epochs=0.7", "in the middle of an epoch"),
        ("train.lookahead.at_epoch_end=false", "lookahead's slow ones"),
    ] {
        let refused =
            train(&short, &experiment, &["--keep-prefix", "end", "--set", set, "--set", "train.lookahead.every=3"]);
        assert_exit(&refused, 2);
        assert!(text(&refused).contains(words) && !short.exists(), "{}", text(&refused));
    }
    assert_exit(&train(&short, &experiment, &["--keep-prefix", "1,end"]), 0);
    let kept = short.join("checkpoint/before-phase-2");
    assert!(kept.is_dir() && short.join("checkpoint/before-phase-1").is_dir());
    let from = ["--prefix", kept.to_str().unwrap()];
    assert_exit(&train(&second, &longer, &from), 0);
    assert_exit(&train(&whole, &longer, &[]), 0);
    let log = |run: &Path| std::fs::read_to_string(run.join("log.txt")).unwrap();
    assert!(log(&second).contains("the first 20 steps are those of short, which begins alike"), "{}", log(&second));
    for table in ["trace.csv", "metrics.csv"] {
        assert_eq!(timeless(&second.join(table)), timeless(&whole.join(table)), "{table}");
    }
    for name in ["model.safetensors", "model-best.safetensors"] {
        let [second, whole] = [&second, &whole].map(|run| std::fs::read(run.join(name)).unwrap());
        assert!(second == whole, "{name}");
    }
    let otherwise = [&from[..], &["--set", "phases[1].lr.to=0.03"]].concat();
    assert_exit(&train(&other, &longer, &otherwise), 0);
    assert!(log(&other).contains("(phases[1].lr.to is 0.03, there 0.02)"), "{}", log(&other));
}

/// Weights that are kept on the way are those of all steps, whoever took them.
#[test]
fn what_a_beginning_kept_of_its_weights_is_handed_on() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    // The last phase spoils what the first ones have learnt.
    let wild = tiny() + "[record]\nbest = true\nphases = true\n";
    std::fs::write(&experiment, wild).unwrap();
    let [first, second, whole] = ["first", "second", "whole"].map(|name| work.path().join(name));
    let train = |run: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--run-folder"]).arg(run).arg(&experiment).args(options);
        assert_exit(&command.output().unwrap(), 0);
    };
    train(&first, &["--keep-prefix", "2"]);
    let kept = first.join("checkpoint/before-phase-2");
    train(&second, &["--set", "phases[2].lr=8", "--prefix", kept.to_str().unwrap()]);
    train(&whole, &["--set", "phases[2].lr=8"]);
    for name in ["model-best.safetensors", "model-phase-0.safetensors", "model-phase-1.safetensors"] {
        let [second, whole] = [&second, &whole].map(|run| std::fs::read(run.join(name)).unwrap());
        assert!(second == whole, "{name}");
    }
}

/// What was kept is damaged: the run fails, and what its folder says is enough to go on, from its start.
#[test]
fn a_run_that_could_not_begin_is_taken_up_by_the_same_command() {
    let (work, _) = workplace();
    let experiment = work.path().join("small.toml");
    std::fs::write(&experiment, tiny()).unwrap();
    let [first, second] = ["first", "second"].map(|name| work.path().join(name));
    let train = |run: &Path, options: &[&str]| {
        let mut command = runner();
        command.args(["train", "--quiet", "--go-on", "--run-folder"]).arg(run).arg(&experiment).args(options);
        command.output().unwrap()
    };
    assert_exit(&train(&first, &["--keep-prefix", "1"]), 0);
    let kept = first.join("checkpoint/before-phase-1");
    let state = std::fs::read(kept.join("state.safetensors")).unwrap();
    std::fs::write(kept.join("state.safetensors"), &state[..state.len() / 2]).unwrap();
    assert_exit(&train(&second, &["--prefix", kept.to_str().unwrap()]), 1);
    let info: serde_json::Value = serde_json::from_slice(&std::fs::read(second.join("run.json")).unwrap()).unwrap();
    assert_eq!(info["status"], "failed", "{info}");
    // As a sweep says it once there is a record.
    assert_exit(&train(&second, &[]), 0);
    for table in ["trace.csv", "metrics.csv"] {
        assert_eq!(timeless(&second.join(table)), timeless(&first.join(table)), "{table}");
    }
    let model = |run: &Path| std::fs::read(run.join("model.safetensors")).unwrap();
    assert!(model(&second) == model(&first), "it has other weights");
}
