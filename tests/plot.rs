//! `runner plot`: one run or many, whole or not, into one picture.

mod common;

use common::{assert_exit, runner, text};
use runner::record::csv_file;
use runner::record::folder::file;
use runner::record::rows::{MetricsRow, PlanRow, TraceRow};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const STEPS: u64 = 30;

/// A run folder as training leaves it, without training.
fn run(dir: &Path, name: &str, tag: &str, seed: u64) -> PathBuf {
    let folder = dir.join(format!("20260131T235959Z-{name}-{tag}"));
    std::fs::create_dir_all(&folder).unwrap();
    let json = format!(
        r#"{{"format": 1, "name": "{name}", "status": "done", "exit_reason": "completed", "created": "", "updated": "",
        "resumes": 0, "argv": [], "seed": {seed}, "spec_hash": "", "git_commit": null, "git_dirty": null, "version": "",
        "device": "cpu", "instruction_set": "avx2", "threads": 1, "precision": "f32",
        "dataset": {{"name": "shapes", "images": 1, "val_images": 1, "digest": "", "stand_in": false, "stands_in_for": null}},
        "model": "", "parameters": 1, "steps": {STEPS}, "steps_done": {STEPS},
        "seconds": {{"train": 1, "eval": 1, "data_wait": 0, "checkpoint": 0}}, "best": null, "final": null}}"#
    );
    std::fs::write(folder.join(file::RUN), json).unwrap();
    let plan = PlanRow {
        phase: 0,
        source: 0,
        optimizer: "sgd".to_owned(),
        epochs: 3.0,
        steps: STEPS,
        images: STEPS * 10,
        size: 8,
        batch: 10,
        lr_from: 0.1,
        lr_to: 0.0,
        lr_curve: "linear".to_owned(),
        momentum_from: 0.9,
        momentum_to: 0.9,
        momentum_curve: "constant".to_owned(),
        dataset: None,
    };
    csv_file::write(&folder.join(file::PLAN), [plan]).unwrap();
    csv_file::write(&folder.join(file::TRACE), (0..STEPS).map(|step| trace(step, seed))).unwrap();
    csv_file::write(&folder.join(file::METRICS), (0..3).map(|k| metrics(10 * k + 9, seed))).unwrap();
    folder
}

fn trace(step: u64, seed: u64) -> TraceRow {
    TraceRow {
        step,
        epoch: step / 10,
        phase: 0,
        optimizer: "sgd".to_owned(),
        size: 8,
        batch: 10,
        lr: 0.1 - 0.003 * step as f64,
        momentum: 0.9,
        weight_decay: 0.0,
        loss: (2.0 + 0.1 * seed as f64) / (1.0 + step as f64),
        grad_norm: 1.0,
        seconds: 0.5,
        mix: None,
        beta: None,
        clip_norm: None,
        clip_value: None,
        lookahead_decay: None,
        average_decay: None,
    }
}

fn metrics(step: u64, seed: u64) -> MetricsRow {
    MetricsRow {
        step,
        epoch: step / 10,
        phase: 0,
        optimizer: "sgd".to_owned(),
        size: 8,
        batch: 10,
        lr: 0.1,
        momentum: 0.9,
        train_loss: 1.0,
        train_acc: 0.5,
        val_loss: 1.0,
        val_acc: 0.3 + 0.01 * (step + seed) as f64,
        val_acc_top5: 0.9,
        images: 10 * (step + 1),
        train_seconds: 0.5 * (step + 1) as f64,
        eval_seconds: 0.1,
        wall_seconds: 1.0,
        val_acc_tta: None,
        val_acc_avg: None,
        val_loss_avg: None,
        val_acc_avg_tta: None,
    }
}

/// Draws into `p.svg` of the folder.
fn plot(dir: &Path, runs: &[&Path], args: &[&str]) -> (std::process::Output, String) {
    let to = dir.join("p.svg");
    let output = runner().arg("plot").args(runs).args(args).arg("--output").arg(&to).output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains("p.svg shows"), "{}", text(&output));
    (output, std::fs::read_to_string(to).unwrap())
}

#[test]
fn runs_of_equal_names_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (run(dir.path(), "a", "00aa", 1), run(dir.path(), "a", "00bb", 2));
    let (_, svg) = plot(dir.path(), &[&a, &b], &[]);
    assert!(svg.contains("a seed 1: ") && svg.contains("a seed 2: "), "{svg}");
    let again = run(dir.path(), "a", "00cc", 2);
    let (_, svg) = plot(dir.path(), &[&a, &b, &again], &[]);
    assert!(svg.contains("a 00aa: ") && svg.contains("a 00bb: ") && svg.contains("a 00cc: "), "{svg}");
}

/// Trials of a sweep, which have one name; their settings tell them apart, or the sweep's own table.
#[test]
fn trials_are_called_by_what_was_varied() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = dir.path().join("sweep");
    let points = [("00aa", 0.4, 0.03125), ("00bb", 0.4, 0.0625), ("00cc", 0.8, 0.03125)];
    let trial = |tag: &str, seed: u64, hash: &str, peak: f64, knee: f64| {
        let folder = run(&sweep, "knee", tag, seed);
        let settings = json!({ "phases[0].lr.to": peak, "phases[1].lr.from": peak, "phases[1].lr.to": knee });
        let known = format!(r#""spec_hash": "{hash}", "settings": {settings}"#);
        let info = std::fs::read_to_string(folder.join(file::RUN)).unwrap();
        std::fs::write(folder.join(file::RUN), info.replace(r#""spec_hash": """#, &known)).unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap();
        format!("0,{seed},done,{name},,,,{peak},{knee},cosine\n")
    };
    let mut rows = points.map(|(tag, peak, knee)| trial(tag, 1, tag, peak, knee)).concat();
    // Long names stand in a legend.
    let (_, svg) = plot(dir.path(), &[&sweep], &[]);
    let legend = "#2 phases[0].lr.to=0.4, phases[1].lr.from=0.4, phases[1].lr.to=0.0625<";
    assert!(svg.contains(legend) && svg.contains(">#2: "), "{svg}");

    let tabulate = |rows: &str| {
        let head = "trial,seed,state,run,objective,seconds,reason,peak,knee,shape\n";
        std::fs::write(sweep.join("trials.csv"), format!("{head}{rows}")).unwrap();
    };
    tabulate(&rows);
    let (_, svg) = plot(dir.path(), &[&sweep], &[]);
    for label in [">peak=0.4, knee=0.03125: ", ">peak=0.4, knee=0.0625: ", ">peak=0.8, knee=0.03125: "] {
        assert!(svg.contains(label), "no {label} in {svg}");
    }
    // As `compare` calls its groups.
    let compared = runner().arg("compare").arg(&sweep).arg("--json").output().unwrap();
    assert_exit(&compared, 0);
    let compared: Value = serde_json::from_slice(&compared.stdout).unwrap();
    assert_eq!(compared["groups"][2]["name"], "peak=0.8, knee=0.03125");

    // Seeds of a point; and beside runs of another name.
    rows += &trial("00dd", 2, "00aa", 0.4, 0.03125);
    tabulate(&rows);
    let (_, svg) = plot(dir.path(), &[&sweep], &["--schedule"]);
    assert!(svg.contains("peak=0.4, knee=0.03125 seed 1 and 3 more") && svg.contains("4 runs, 1 schedule"), "{svg}");
    let other = run(dir.path(), "other", "00ee", 1);
    let (_, svg) = plot(dir.path(), &[&sweep, &other], &[]);
    for label in ["knee: peak=0.4, knee=0.03125 seed 2", "knee: peak=0.8, knee=0.03125", "other"] {
        assert!(svg.contains(label), "no {label} in {svg}");
    }
}

#[test]
fn a_folder_of_runs_is_each_of_them_once() {
    let dir = tempfile::tempdir().unwrap();
    let runs = dir.path().join("runs");
    let a = run(&runs, "a", "00aa", 1);
    run(&runs, "b", "00bb", 2);
    for paths in [&[&runs][..], &[&a, &runs]] {
        let paths: Vec<&Path> = paths.iter().map(|path| path.as_path()).collect();
        let (output, svg) = plot(dir.path(), &paths, &[]);
        assert!(text(&output).contains("p.svg shows 2 runs"), "{}", text(&output));
        assert!(svg.contains(">a: ") && svg.contains(">b: "), "{svg}");
    }
    // Of a sweep among runs it is said that it has to be named itself.
    run(&runs.join("sweep"), "c", "00cc", 3);
    let (output, _) = plot(dir.path(), &[&runs], &[]);
    assert!(text(&output).contains("sweep holds runs, and is not looked into unless"), "{}", text(&output));
    let (output, _) = plot(dir.path(), &[&runs, &runs.join("sweep")], &[]);
    assert!(text(&output).contains("shows 3 runs") && !text(&output).contains("looked"), "{}", text(&output));
    // Beside runs, a folder without any is left out; alone it is an error.
    let none = dir.path().join("none");
    std::fs::create_dir(&none).unwrap();
    let (output, _) = plot(dir.path(), &[&runs, &none], &[]);
    assert!(text(&output).contains("left out: ") && text(&output).contains("shows 2 runs"), "{}", text(&output));
    let output = runner().arg("plot").arg(&none).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("is not a run folder: it holds no run.json"), "{}", text(&output));
}

#[test]
fn every_axis_and_the_schedule_can_be_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let runs = [run(dir.path(), "a", "00aa", 1), run(dir.path(), "b", "00bb", 2)];
    let runs: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
    for (across, ruler) in [("steps", "step"), ("epochs", "epoch"), ("images", "images"), ("seconds", "seconds")] {
        for count in [1, 2] {
            let (_, svg) = plot(dir.path(), &runs[..count], &["--across", across]);
            assert!(svg.contains(&format!(">{ruler}</text>")) && svg.contains("accuracy"), "{across}");
            let (_, svg) = plot(dir.path(), &runs[..count], &["--across", across, "--schedule"]);
            assert!(svg.contains("learning rate") && svg.contains("momentum"), "{across}");
            assert!(svg.contains(&format!(">{ruler}</text>")), "{across}");
            // A single run's is drawn as a plan is: steps below.
            let steps_below = count == 1 && matches!(across, "epochs" | "images");
            assert_eq!(svg.contains(">step</text>"), steps_below || across == "steps", "{across}");
        }
    }
    for count in [1, 2] {
        let (_, svg) = plot(dir.path(), &runs[..count], &["--schedule", "--log"]);
        assert!(svg.contains(">learning rate, log scale</text>"), "{svg}");
    }
    let output = runner().arg("plot").arg(runs[0]).args(["--log", "--output", "n.svg"]).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("--schedule"), "{}", text(&output));
    // One plan: one line, for both.
    let (_, svg) = plot(dir.path(), &runs, &["--schedule"]);
    assert!(svg.contains("a and 1 more") && svg.contains("2 runs, 1 schedule"), "{svg}");
    // A run without steps on record has none, and is not counted.
    std::fs::remove_file(runs[1].join(file::TRACE)).unwrap();
    let (output, svg) = plot(dir.path(), &runs, &["--schedule"]);
    assert!(text(&output).contains("p.svg shows 1 run\n") && text(&output).contains("trace.csv is missing"));
    assert!(svg.contains("learning rate") && !svg.contains("2 runs"), "{svg}");
    let output = runner().args(["plot", "--schedule"]).arg(runs[1]).arg("-o").arg(dir.path().join("n.svg")).output();
    assert_exit(&output.unwrap(), 2);
    let output = runner().arg("plot").args(&runs).args(["--output", "p.gif"]).output().unwrap();
    assert_exit(&output, 2);
}

#[test]
fn the_picture_goes_to_the_current_folder_unless_that_is_a_run() {
    let dir = tempfile::tempdir().unwrap();
    let run = run(dir.path(), "a", "00aa", 1);
    let output = runner().current_dir(dir.path()).arg("plot").arg(&run).output().unwrap();
    assert_exit(&output, 0);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "curves.svg shows 1 run\n");
    assert!(dir.path().join("curves.svg").is_file());
    let output = runner().current_dir(&run).args(["plot", "."]).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("--output") && !run.join("curves.svg").exists(), "{}", text(&output));
}

/// A run that its sweep gave up only knows that it was stopped.
#[test]
fn pruned_trials_are_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let sweep = dir.path().join("runs").join("sweep");
    for (tag, seed) in [("00aa", 1), ("00bb", 2)] {
        let folder = run(&sweep, "a", tag, seed);
        let json = std::fs::read_to_string(folder.join(file::RUN)).unwrap();
        let json = json.replace("\"done\"", "\"interrupted\"").replace("\"completed\"", "\"stopped\"");
        std::fs::write(folder.join(file::RUN), json).unwrap();
    }
    let rows = "0,1,pruned,20260131T235959Z-a-00aa,,1\n0,2,interrupted,20260131T235959Z-a-00bb,,1\n";
    std::fs::write(sweep.join("trials.csv"), format!("trial,seed,state,run,reason,peak\n{rows}")).unwrap();
    let (output, svg) = plot(dir.path(), &[&sweep], &[]);
    let said = text(&output);
    for words in ["00aa: pruned, drawn as far as it came", "00bb: interrupted (stopped), drawn as far as it came"] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    assert!(svg.contains("a seed 1 (pruned)") && svg.contains("a seed 2 (interrupted)"), "{svg}");
    // The folder that holds the sweep's, and no run.
    let output = runner().arg("plot").arg(dir.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    let named = format!("help: name that folder: `runner plot {}`", sweep.display());
    assert!(text(&output).contains("holds no run itself, but a folder with runs") && text(&output).contains(&named));
}

#[test]
fn runs_that_are_not_whole_are_drawn_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let good = run(dir.path(), "good", "00aa", 1);
    let set = |run: &Path, status: &str| {
        let json = std::fs::read_to_string(run.join(file::RUN)).unwrap();
        std::fs::write(run.join(file::RUN), json.replace("\"done\"", status)).unwrap();
    };
    let torn = run(dir.path(), "torn", "00bb", 2);
    set(&torn, "\"running\"");
    let bytes = std::fs::read(torn.join(file::TRACE)).unwrap();
    std::fs::write(torn.join(file::TRACE), &bytes[..bytes.len() - 9]).unwrap();
    let wild = run(dir.path(), "wild", "00cc", 3);
    set(&wild, "\"diverged\"");
    let rows = (0..STEPS).map(|step| TraceRow { loss: 1e3f64.powi(step as i32), ..trace(step, 3) });
    csv_file::write(
        &wild.join(file::TRACE),
        rows.map(|row| TraceRow { loss: if row.step > 20 { f64::NAN } else { row.loss }, ..row }),
    )
    .unwrap();
    let empty = run(dir.path(), "empty", "00dd", 4);
    set(&empty, "\"failed\"");
    [file::METRICS, file::TRACE].iter().for_each(|name| std::fs::remove_file(empty.join(name)).unwrap());
    let short = run(dir.path(), "short", "00ff", 6);
    let json = std::fs::read_to_string(short.join(file::RUN)).unwrap();
    let last = format!(
        r#""final": {{"step": {STEPS}, "epoch": 0, "train_loss": 1, "train_acc": 0, "val_loss": 1, "val_acc": 0,
            "val_acc_top5": 0, "train_seconds": 1}}"#
    );
    std::fs::write(short.join(file::RUN), json.replace("\"final\": null", &last)).unwrap();
    let newer = run(dir.path(), "newer", "00ee", 5);
    let json = std::fs::read_to_string(newer.join(file::RUN)).unwrap();
    std::fs::write(newer.join(file::RUN), json.replace("\"format\": 1", "\"format\": 99")).unwrap();
    let readme = dir.path().join("README.md");
    std::fs::write(&readme, "no run").unwrap();

    let (output, svg) = plot(dir.path(), &[&good, &torn, &wild, &empty, &short, &newer, &readme], &[]);
    let said = text(&output);
    for words in [
        "p.svg shows 5 runs",
        "metrics.csv: it ends at step ",
        "the last line of trace.csv is torn",
        "diverged (completed), drawn as far as it came",
        "metrics.csv is missing",
        "left out: ",
        "README.md is not a run folder: it is a file",
        "has format 99, which is newer",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    assert!(svg.contains("wild (diverged)") && svg.contains("good: "), "{svg}");
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let output = runner().arg("plot").arg(&newer).arg("--output").arg(dir.path().join("n.svg")).output().unwrap();
    assert_exit(&output, 2);
    let output = runner().arg("plot").arg(&readme).output().unwrap();
    assert_exit(&output, 2);
}

#[test]
fn of_many_runs_the_best_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = (0..30).map(|seed| run(dir.path(), &format!("r{seed:02}"), "00aa", seed)).collect();
    let runs: Vec<&Path> = runs.iter().map(PathBuf::as_path).collect();
    let (_, svg) = plot(dir.path(), &runs, &[]);
    assert!(svg.contains("30 runs · in colour the 8 that ended with the highest accuracy"), "{svg}");
    let named: Vec<bool> = (0..30).map(|seed| svg.contains(&format!(">r{seed:02}: "))).collect();
    assert!(named[22..].iter().all(|named| *named) && named[..22].iter().all(|named| !named), "{named:?}");
}
