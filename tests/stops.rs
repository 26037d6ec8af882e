//! Trainings that a rule ends before their plan does: in order and with the reason. That it is the same after an
//! interruption: `resume.rs`.

mod common;

use common::{SMALL, assert_exit, only_run, runner, text};
use runner::record::Status;
use runner::record::reader::RunReader;
use std::path::{Path, PathBuf};

/// Runs [`SMALL`] with these settings; gives the run and the exit code that is expected.
fn train(dir: &Path, sets: &[&str], exit: i32) -> PathBuf {
    let config = dir.join("small.toml");
    std::fs::write(&config, SMALL).unwrap();
    let runs = dir.join("runs");
    let mut command = runner();
    command.arg(&config).arg("--quiet").arg("--runs-dir").arg(&runs);
    command.args(sets.iter().flat_map(|set| ["--set", *set]));
    assert_exit(&command.output().unwrap(), exit);
    only_run(&runs)
}

/// How the run ended, in run.json's words, and after how many steps. The files of a run that is over are there.
fn ending(run: &Path) -> (Status, String, u64) {
    let reader = RunReader::open(run).unwrap();
    let info = reader.info().unwrap();
    assert_eq!(reader.trace().unwrap().rows.len() as u64, info.steps_done);
    for file in ["curves.svg", "log.txt"] {
        assert!(run.join(file).is_file(), "{file}");
    }
    assert_eq!(run.join("model.safetensors").is_file(), info.status == Status::Done);
    (info.status, info.exit_reason.unwrap(), info.steps_done)
}

#[test]
fn a_target_ends_the_training_and_the_last_row_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    // Reached by any net, at the first evaluation.
    let run = train(dir.path(), &["train.stop_at={ val_acc_top5 = 0.01, val_loss = 1e9 }"], 0);
    let (status, reason, steps) = ending(&run);
    assert_eq!((status, steps), (Status::Done, 11));
    assert!(reason.starts_with("target reached: val_acc_top5 is 0."), "{reason}");
    let rows = RunReader::open(&run).unwrap().metrics().unwrap().rows;
    // Views are asked for at the last evaluation, which this one turned out to be.
    assert!(rows.len() == 1 && rows[0].step == 10 && rows[0].val_acc_tta.is_some(), "{rows:?}");
    // The model is the one that was evaluated.
    let found = runner().arg("eval").arg(&run).arg("--json").output().unwrap();
    assert_exit(&found, 0);
    let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
    assert_eq!(found["val_loss"].as_f64().unwrap().to_bits(), rows[0].val_loss.to_bits());
    let again = runner().args(["train", "--resume"]).arg(&run).output().unwrap();
    assert_exit(&again, 2);
    assert!(text(&again).contains("is done"), "{}", text(&again));
}

/// An evaluation that turns out to be the last one is not done a second time; what it is to have besides comes to it.
#[test]
fn the_last_evaluation_is_done_once() {
    for (sets, expected) in [
        // The model and the mean of its weights.
        (&["train.tta='none'"][..], 2),
        (&["train.tta_at='every'"], 2),
        (&["train.tta='none'", "train.average.evaluate='last'"], 2),
        // The views are not known before.
        (&["train.average.evaluate='last'"], 3),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("small.toml");
        std::fs::write(&config, SMALL).unwrap();
        let mut command = runner();
        command.arg(&config).arg("--json").arg("--runs-dir").arg(dir.path().join("runs"));
        command.args(["--set", "train.stop_at={ val_loss = 1e9 }"]);
        let output = command.args(sets.iter().flat_map(|set| ["--set", *set])).output().unwrap();
        assert_exit(&output, 0);
        let lines = String::from_utf8(output.stdout).unwrap();
        let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let whole = events.iter().filter(|event| event["event"] == "evaluating" && event["images"] == event["of"]);
        assert_eq!(whole.count(), expected, "{sets:?}");
        let row = RunReader::open(&only_run(&dir.path().join("runs"))).unwrap().metrics().unwrap().rows.pop().unwrap();
        assert!(row.step == 10 && row.val_loss_avg.is_some(), "{row:?}");
    }
}

#[test]
fn a_time_budget_ends_the_training_with_an_evaluation() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(dir.path(), &["train.stop_after='0.000001s'"], 0);
    assert_eq!(ending(&run), (Status::Done, "1e-6 s of training are used up".to_owned(), 1));
    let rows = RunReader::open(&run).unwrap().metrics().unwrap().rows;
    assert!(rows.len() == 1 && rows[0].step == 0 && rows[0].val_acc_tta.is_some(), "{rows:?}");
}

/// What is planned is not what was meant, and may be all the same: a configuration that is cut short to try something out.
#[test]
fn patience_beyond_the_plan_and_steps_that_train_nothing_are_said() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("small.toml");
    std::fs::write(&config, SMALL).unwrap();
    let said = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", *set]);
        let output = runner().arg("plan").arg(&config).args(sets).output().unwrap();
        assert_exit(&output, 0);
        // Notices are broken where lines are full.
        text(&output).split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let (never, idle) = ("`patience` will never end the training", "nothing is trained");
    let plain = said(&[]);
    assert!(!plain.contains(never) && !plain.contains(idle), "{plain}");
    let short = said(&["train.patience={ evaluations = 50, metric = 'val_acc_avg' }"]);
    assert!(short.contains(never) && short.contains("of averaged weights"), "{short}");
    let over = said(&["params=[{ match = '*', until = '50%' }]", "train.eval_phases=true"]);
    assert!(over.contains("nothing is trained in steps 52 to 103"), "{over}");

    let sets = [
        "train.patience={ evaluations = 50 }",
        "phases=[{ steps = 2, size = 8, batch = 9, optimizer = 'sgd', lr = 0.01 }]",
    ];
    let sets = [&sets[..], &["params=[]", "train.average='ema'", "train.lookahead.start='100%'"]].concat();
    let run = train(dir.path(), &sets, 0);
    assert!(std::fs::read_to_string(run.join("log.txt")).unwrap().contains(never));
}

#[test]
fn a_loss_far_above_its_best_is_divergence() {
    let dir = tempfile::tempdir().unwrap();
    // The second phase has the images and the optimizer of the first: the best loss is remembered, and such a rate drives the
    // head's outputs far apart long before anything is infinite.
    let hot = "{ steps = 30, size = 8, batch = 100, optimizer = 'sgd', lr = 0.05, momentum = 0 }, { steps = 30, lr = 300, momentum = 0 }";
    let phases = format!("phases=[{hot}]");
    let sets = ["params=[]", "train.lookahead.start='100%'", "train.stop_div=true", &phases];
    let run = train(dir.path(), &sets, 4);
    let (status, reason, steps) = ending(&run);
    assert_eq!(status, Status::Diverged);
    assert!(reason.contains("is over 4 times its best"), "{reason}");
    assert!((31..60).contains(&steps), "{steps}");
}
