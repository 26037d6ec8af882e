//! A run that is killed and taken up again is, byte for byte, the run that never was.

mod common;

use common::{
    PRUNED, REGULARISED, SCALED, SCHEDULE_FREE, SEARCH, SETS, SMALL, TRANSITION, assert_exit, only_run, photographs,
    runner, timeless,
};
use runner::record::Status;
use runner::record::reader::{RunReader, TableState};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Steps of [`SMALL`]: 13, 10 and 81.
const STEPS: usize = 104;

/// A folder with the experiment in it.
fn workplace() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("small.toml");
    std::fs::write(&config, SMALL).unwrap();
    (dir, config)
}

fn begin(config: &Path, runs: &Path, threads: usize) -> std::process::Command {
    let mut command = runner();
    command.arg(config).arg("--quiet").arg("--runs-dir").arg(runs).arg("--threads").arg(threads.to_string());
    command
}

fn resume(run: &Path, threads: usize) -> std::process::Command {
    let mut command = runner();
    command.args(["train", "--quiet", "--resume"]).arg(run).arg("--threads").arg(threads.to_string());
    command
}

/// Whole rows of `trace.csv` so far.
fn rows(run: &Path) -> usize {
    let bytes = std::fs::read(run.join("trace.csv")).unwrap_or_default();
    bytes.iter().filter(|byte| **byte == b'\n').count().saturating_sub(1)
}

/// Waits until the run has recorded `steps` steps.
fn wait_for(child: &mut Child, runs: &Path, steps: usize) -> PathBuf {
    let start = Instant::now();
    loop {
        let run = std::fs::read_dir(runs).ok().and_then(|mut folder| folder.next()).map(|entry| entry.unwrap().path());
        if let Some(run) = run.filter(|run| run.join("run.json").is_file() && rows(run) >= steps) {
            return run;
        }
        assert!(child.try_wait().unwrap().is_none(), "the run ended before step {steps}");
        assert!(start.elapsed() < Duration::from_secs(300), "no step {steps} in five minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// SIGKILL, which must come before the run ends by itself.
fn kill(child: &mut Child) {
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9), "the run ended before it was killed");
}

/// All files are readable, and the run says that it runs though nobody writes it.
fn assert_readable(run: &Path) {
    let reader = RunReader::open(run).unwrap();
    assert_eq!(reader.info().unwrap().status, Status::Running);
    assert_eq!(reader.is_live(), Some(false));
    for state in [reader.metrics().unwrap().state, reader.trace().unwrap().state] {
        assert!(matches!(state, TableState::Whole | TableState::Torn));
    }
    assert_ne!(reader.plan().unwrap().state, TableState::Missing);
}

/// The same rows and the same weights.
#[track_caller]
fn assert_same(run: &Path, reference: &Path) {
    for table in ["metrics.csv", "trace.csv", "plan.csv"] {
        assert_eq!(timeless(&run.join(table)), timeless(&reference.join(table)), "{table}");
    }
    let averages = ["model-swa.safetensors", "model-ema.safetensors", "model-lookahead.safetensors"];
    let averages = averages.into_iter().filter(|file| reference.join(file).is_file());
    for file in ["model.safetensors", "experiment.toml", "schedule.svg"].into_iter().chain(averages) {
        assert!(std::fs::read(run.join(file)).unwrap() == std::fs::read(reference.join(file)).unwrap(), "{file}");
    }
    assert_eq!(RunReader::open(run).unwrap().info().unwrap().status, Status::Done);
}

/// The uninterrupted run, with two threads.
fn reference(config: &Path, dir: &Path) -> PathBuf {
    let runs = dir.join("reference");
    assert_exit(&begin(config, &runs, 2).output().unwrap(), 0);
    let run = only_run(&runs);
    assert_eq!(rows(&run), STEPS);
    run
}

#[test]
fn killed_at_any_step_in_any_phase_a_run_goes_on_to_the_same_bytes() {
    let (dir, config) = workplace();
    let reference = reference(&config, dir.path());
    // Before the first checkpoint, in each phase, on both sides of borders; the number is the least that is done then.
    // The last pair is another one each time.
    let random = RandomState::new().build_hasher().finish() as usize;
    let anywhere = (random % 30, random % 30 + 1 + random / 30 % 20, 2);
    println!("killed at {anywhere:?} among others");
    for (k, (first, second, threads)) in
        [(0, 9, 2), (6, 14, 1), (17, 24, 2), (30, 41, 1), anywhere].into_iter().enumerate()
    {
        let runs = dir.path().join(format!("runs{k}"));
        let mut child = begin(&config, &runs, threads).spawn().unwrap();
        let run = wait_for(&mut child, &runs, first);
        kill(&mut child);
        assert_readable(&run);

        // The other number of threads goes on, is killed in its turn, and the first one ends it.
        let mut child = resume(&run, 3 - threads).spawn().unwrap();
        wait_for(&mut child, &runs, second);
        kill(&mut child);
        assert_readable(&run);
        assert_exit(&resume(&run, threads).output().unwrap(), 0);
        assert_same(&run, &reference);
    }
}

/// On both sides of the borders of two sets, there and back.
#[test]
fn a_run_goes_over_to_another_set_as_if_never_killed() {
    let (dir, config) = workplace();
    let back = "\n[[phases]]\nepochs = 1\ndata = { dataset = 'shapes' }\nbatch = 250\nlr = 0.01\n";
    std::fs::write(&config, SETS.to_owned() + back).unwrap();
    photographs(&dir.path().join("photographs"));
    let whole = dir.path().join("whole");
    assert_exit(&begin(&config, &whole, 2).output().unwrap(), 0);
    assert_eq!(rows(&only_run(&whole)), 20 + 24 + 20);
    for (first, second, threads) in [(14, 20, 1), (21, 43, 2), (38, 46, 1)] {
        let runs = dir.path().join(format!("runs{first}"));
        let mut child = begin(&config, &runs, threads).spawn().unwrap();
        let run = wait_for(&mut child, &runs, first);
        kill(&mut child);
        let mut child = resume(&run, 3 - threads).spawn().unwrap();
        wait_for(&mut child, &runs, second);
        kill(&mut child);
        assert_exit(&resume(&run, threads).output().unwrap(), 0);
        assert_same(&run, &only_run(&whole));
    }
}

/// What an epoch serves follows from losses of the steps before it: those that a killed process knew as well.
#[test]
fn epochs_that_leave_images_out_serve_the_same_ones_after_a_kill() {
    let (dir, config) = workplace();
    std::fs::write(&config, PRUNED).unwrap();
    let whole = dir.path().join("whole");
    assert_exit(&begin(&config, &whole, 2).output().unwrap(), 0);
    let whole = only_run(&whole);
    // 20 of all; 8 of 2,000 twice; 10, 10; 5.
    assert_eq!(rows(&whole), 20 + 2 * 8 + 10 + 10 + 5);
    for (first, second, threads) in [(3, 22, 1), (28, 36, 2), (37, 40, 1), (41, 52, 2)] {
        let runs = dir.path().join(format!("runs{first}"));
        let mut child = begin(&config, &runs, threads).spawn().unwrap();
        let run = wait_for(&mut child, &runs, first);
        kill(&mut child);
        let mut child = resume(&run, 3 - threads).spawn().unwrap();
        wait_for(&mut child, &runs, second);
        kill(&mut child);
        assert_exit(&resume(&run, threads).output().unwrap(), 0);
        assert_same(&run, &whole);
    }
    // Losses are looked at: what is hard is not what is drawn.
    let trace = RunReader::open(&whole).unwrap().trace().unwrap().rows;
    let mean = |steps: std::ops::Range<usize>| {
        trace[steps.clone()].iter().map(|row| row.loss).sum::<f64>() / steps.len() as f64
    };
    assert!(mean(36..46) > mean(46..56) + 0.05, "{} and {}", mean(36..46), mean(46..56));
    // What a beginning has kept is the same as well.
    let kept = dir.path().join("kept");
    assert_exit(&begin(&config, &kept, 2).args(["--keep-prefix", "2"]).output().unwrap(), 0);
    let kept = only_run(&kept);
    assert_same(&kept, &whole);
    let forked = dir.path().join("forked");
    assert_exit(
        &begin(&config, &forked, 2).arg("--prefix").arg(kept.join("checkpoint/before-phase-2")).output().unwrap(),
        0,
    );
    assert_same(&only_run(&forked), &whole);
}

/// Steps without momentum, with another one's, in a search: whatever a rule remembers is in the checkpoint.
#[test]
fn what_optimizers_remember_outlives_a_kill() {
    for (content, steps) in [(TRANSITION, 9), (SEARCH, 4), (SCHEDULE_FREE, 9)] {
        let (dir, config) = workplace();
        std::fs::write(&config, content).unwrap();
        let whole = dir.path().join("whole");
        assert_exit(&begin(&config, &whole, 2).output().unwrap(), 0);
        let runs = dir.path().join("runs");
        let mut child = begin(&config, &runs, 1).spawn().unwrap();
        let run = wait_for(&mut child, &runs, steps);
        kill(&mut child);
        assert_exit(&resume(&run, 2).output().unwrap(), 0);
        assert_same(&run, &only_run(&whole));
    }
}

/// A step whose gradients overflow is left out, told, and no more than that; the scale goes on as it was.
#[test]
fn the_loss_scale_outlives_a_kill() {
    let (dir, config) = workplace();
    std::fs::write(&config, SCALED).unwrap();
    let whole = dir.path().join("whole");
    assert_exit(&begin(&config, &whole, 2).output().unwrap(), 0);
    let runs = dir.path().join("runs");
    let mut child = begin(&config, &runs, 1).spawn().unwrap();
    let run = wait_for(&mut child, &runs, 9);
    kill(&mut child);
    assert_exit(&resume(&run, 2).output().unwrap(), 0);
    assert_same(&run, &only_run(&whole));

    let mut trace = csv::Reader::from_path(run.join("trace.csv")).unwrap();
    let column = |name: &str| trace.headers().unwrap().iter().position(|header| header == name).unwrap();
    let [lr, loss, norm, scale, skipped] = ["lr", "loss", "grad_norm", "loss_scale", "skipped"].map(column);
    let rows: Vec<Vec<String>> = trace.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    let number = |row: &[String], column: usize| row[column].parse::<f64>().unwrap();
    let mut expected = (16_777_216.0, 0);
    for row in &rows {
        assert!(number(row, loss).is_finite() && number(row, lr) > 0.0, "{row:?}");
        assert_eq!(number(row, scale), expected.0);
        let out = !number(row, norm).is_finite();
        assert_eq!(number(row, skipped), f64::from(u8::from(out)));
        expected = match (out, expected.1 + 1) {
            (true, _) => (expected.0 / 2.0, 0),
            (false, 3) => (expected.0 * 2.0, 0),
            (false, steady) => (expected.0, steady),
        };
    }
    let left_out = rows.iter().filter(|row| row[skipped] == "1.0").count() as u64;
    assert!((3..20).contains(&left_out), "{left_out}");
    assert_eq!(RunReader::open(&run).unwrap().info().unwrap().skipped_steps, Some(left_out));
}

/// What is drawn anew at each step is a function of the step: in an accumulating phase, and in a search.
#[test]
fn random_layers_draw_on() {
    let (dir, config) = workplace();
    std::fs::write(&config, REGULARISED).unwrap();
    let whole = dir.path().join("whole");
    assert_exit(&begin(&config, &whole, 2).output().unwrap(), 0);
    for (k, steps) in [2, 10, 17].into_iter().enumerate() {
        let runs = dir.path().join(format!("runs{k}"));
        let mut child = begin(&config, &runs, 1).spawn().unwrap();
        let run = wait_for(&mut child, &runs, steps);
        kill(&mut child);
        assert_exit(&resume(&run, 2).output().unwrap(), 0);
        assert_same(&run, &only_run(&whole));
    }
}

#[test]
fn a_signal_leaves_a_checkpoint_and_exit_code_75() {
    let (dir, config) = workplace();
    let reference = reference(&config, dir.path());
    // Under `nohup` a hang-up is nothing to hear of.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let hang_up = ignored.is_some_and(|ignored| ignored & 1 == 0).then_some(("HUP", 12));
    for (signal, steps) in [("TERM", 5), ("INT", 20)].into_iter().chain(hang_up) {
        let runs = dir.path().join(signal);
        let mut child = begin(&config, &runs, 2).spawn().unwrap();
        let run = wait_for(&mut child, &runs, steps);
        let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status();
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(75));
        let info = RunReader::open(&run).unwrap().info().unwrap();
        assert_eq!(info.status, Status::Interrupted);
        assert_eq!(info.exit_reason, Some(format!("SIG{signal}")));
        // Nothing is lost: the checkpoint is of the last step.
        assert_eq!(info.steps_done as usize, rows(&run));
        assert_exit(&resume(&run, 2).output().unwrap(), 0);
        assert_same(&run, &reference);
    }
}

#[test]
fn the_resolved_experiment_reproduces_the_run() {
    let (dir, config) = workplace();
    let reference = reference(&config, dir.path());
    let runs = dir.path().join("again");
    assert_exit(&begin(&reference.join("experiment.toml"), &runs, 1).output().unwrap(), 0);
    let again = only_run(&runs);
    assert_same(&again, &reference);
    let hash = |run: &Path| RunReader::open(run).unwrap().info().unwrap().spec_hash;
    assert_eq!(hash(&again), hash(&reference));
}

#[test]
fn a_run_goes_on_without_the_weights_that_it_started_from() {
    let (dir, config) = workplace();
    let file = dir.path().join("weights.safetensors");
    std::fs::copy(reference(&config, dir.path()).join("model.safetensors"), &file).unwrap();
    let begin = |runs: &Path| {
        let mut command = begin(&config, runs, 2);
        command.args(["--set", &format!("model.weights={:?}", file.to_str().unwrap())]);
        command
    };
    let whole = dir.path().join("whole");
    assert_exit(&begin(&whole).output().unwrap(), 0);
    let runs = dir.path().join("runs");
    let mut child = begin(&runs).spawn().unwrap();
    let run = wait_for(&mut child, &runs, 8);
    kill(&mut child);
    std::fs::remove_file(&file).unwrap();
    assert_exit(&resume(&run, 2).output().unwrap(), 0);
    assert_same(&run, &only_run(&whole));
    let info = RunReader::open(&run).unwrap().info().unwrap();
    assert_eq!(info.weights.unwrap().path, file.to_str().unwrap());
}

#[test]
fn a_stop_rule_counts_on() {
    let (dir, config) = workplace();
    // No accuracy rises by 0.9, so the fourth evaluation after the first is the last.
    let sets = [
        "train.patience={ evaluations = 4, min_change = 0.9 }",
        "train.stop_div=true",
        // Another mean of the weights, whose statistics are measured; the last evaluation is one only because of the rule.
        "train.average={ kind = 'swa', start = '20step', every = '10step', evaluate = 'last' }",
    ];
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let whole = dir.path().join("whole");
    assert_exit(&begin(&config, &whole, 2).args(sets.clone()).output().unwrap(), 0);
    let whole = only_run(&whole);
    assert_eq!(rows(&whole), 55);
    let reason = |run: &Path| RunReader::open(run).unwrap().info().unwrap().exit_reason.unwrap();
    assert!(reason(&whole).starts_with("4 evaluations brought no val_acc better than"), "{}", reason(&whole));
    let metrics = RunReader::open(&whole).unwrap().metrics().unwrap().rows;
    assert_eq!(metrics.iter().filter(|row| row.val_acc_avg_tta.is_some()).count(), 1, "{metrics:?}");
    assert!(metrics[4].val_acc_avg.is_some() && metrics[4].val_loss_avg.is_some(), "{metrics:?}");
    // After the second evaluation, and after the third.
    for killed in [24, 38] {
        let runs = dir.path().join(format!("runs{killed}"));
        let mut child = begin(&config, &runs, 2).args(sets.clone()).spawn().unwrap();
        let run = wait_for(&mut child, &runs, killed);
        kill(&mut child);
        assert_exit(&resume(&run, 2).output().unwrap(), 0);
        assert_same(&run, &whole);
        assert_eq!(reason(&run), reason(&whole));
    }
}

#[test]
fn slow_weights_that_are_evaluated_outlive_a_kill() {
    let (dir, config) = workplace();
    let sets = ["--set", "train.average='lookahead'", "--set", "train.lookahead.at_epoch_end=false"];
    let whole = dir.path().join("whole");
    assert_exit(&begin(&config, &whole, 2).args(sets).output().unwrap(), 0);
    let whole = only_run(&whole);
    let metrics = RunReader::open(&whole).unwrap().metrics().unwrap().rows;
    assert!(metrics.iter().any(|row| row.val_loss_avg.is_some_and(|slow| slow != row.val_loss)), "{metrics:?}");
    let runs = dir.path().join("runs");
    let mut child = begin(&config, &runs, 2).args(sets).spawn().unwrap();
    let run = wait_for(&mut child, &runs, 26);
    kill(&mut child);
    assert_exit(&resume(&run, 2).output().unwrap(), 0);
    assert_same(&run, &whole);
}

/// A phase that drops what its optimizer remembered does so where it begins, and not where it is taken up; a mean's decay is where it was.
#[test]
fn a_fresh_optimizer_and_a_moving_decay_outlive_a_kill() {
    let (dir, config) = workplace();
    let average = "train.average={kind='ema',decay={from=0.5,to=0.95},decay_warmup=true,every='2step',start='9step'}";
    let sets = ["--set", "phases[2].fresh=true", "--set", average];
    let whole = dir.path().join("whole");
    assert_exit(&begin(&config, &whole, 2).args(sets).output().unwrap(), 0);
    let whole = only_run(&whole);
    let trace = RunReader::open(&whole).unwrap().trace().unwrap().rows;
    let decays: Vec<f64> = trace.iter().map(|row| row.average_decay.unwrap()).collect();
    // The first weights are taken in after step 9; of the second ones the mean keeps 2/11.
    assert!(decays[..11].iter().all(|decay| decay.is_nan()) && (decays[11] - 2.0 / 11.0).abs() < 1e-15, "{decays:?}");
    assert!((decays[103] - 48.0 / 57.0).abs() < 1e-15 && decays[102].is_nan(), "{decays:?}");
    let planned = runner().arg("plan").arg(&config).args(sets).args(["--trace", "-"]).output().unwrap();
    assert_exit(&planned, 0);
    let trained = std::fs::read_to_string(whole.join("trace.csv")).unwrap();
    for (planned, trained) in String::from_utf8(planned.stdout).unwrap().lines().zip(trained.lines()) {
        assert_eq!(planned.split(',').skip(9).collect::<Vec<_>>(), trained.split(',').skip(12).collect::<Vec<_>>());
    }

    // Before the phase, at its border or close to it, and within it.
    for killed in [20, 23, 40] {
        let runs = dir.path().join(format!("runs{killed}"));
        let mut child = begin(&config, &runs, 2).args(sets).spawn().unwrap();
        let run = wait_for(&mut child, &runs, killed);
        kill(&mut child);
        assert_exit(&resume(&run, 2).output().unwrap(), 0);
        assert_same(&run, &whole);
    }
    // It is not for nothing: up to there the same, and no more from there on.
    let runs = dir.path().join("carried");
    assert_exit(&begin(&config, &runs, 2).args(&sets[2..]).output().unwrap(), 0);
    let carried = RunReader::open(&only_run(&runs)).unwrap().trace().unwrap().rows;
    assert!((0..24).all(|k| carried[k].loss == trace[k].loss) && carried[30].loss != trace[30].loss);
}

/// Activations that are made again cost time and nothing else: the run is the same, killed and taken up, to the byte.
#[test]
fn a_run_that_recomputes_is_the_run_that_does_not() {
    let (dir, config) = workplace();
    let reference = reference(&config, dir.path());
    let runs = dir.path().join("runs");
    let mut child = begin(&config, &runs, 2).args(["--set", "train.recompute=true"]).spawn().unwrap();
    let run = wait_for(&mut child, &runs, 20);
    kill(&mut child);
    assert_exit(&resume(&run, 1).output().unwrap(), 0);
    for table in ["metrics.csv", "trace.csv"] {
        assert_eq!(timeless(&run.join(table)), timeless(&reference.join(table)), "{table}");
    }
    for file in ["model.safetensors", "model-ema.safetensors"] {
        assert!(std::fs::read(run.join(file)).unwrap() == std::fs::read(reference.join(file)).unwrap(), "{file}");
    }
    assert!(std::fs::read_to_string(run.join("experiment.toml")).unwrap().contains("recompute = true"));
}

#[test]
fn a_resumed_stand_in_is_still_one() {
    let (dir, config) = workplace();
    let content = SMALL.replace("\"shapes\"", "\"cifar10\"\nstand_in = \"shapes\"");
    std::fs::write(&config, content).unwrap();
    let runs = dir.path().join("runs");
    let mut child = begin(&config, &runs, 2).env("RUNNER_DATA", dir.path()).spawn().unwrap();
    let run = wait_for(&mut child, &runs, 8);
    kill(&mut child);
    assert_exit(&resume(&run, 2).output().unwrap(), 0);
    let dataset = RunReader::open(&run).unwrap().info().unwrap().dataset;
    assert!(dataset.stand_in && dataset.stands_in_for.as_deref() == Some("cifar10"));
}

/// Moved away, or with another folder in its place: the run ends before it writes there by path, and goes on where it lies.
#[test]
fn a_folder_that_is_moved_ends_the_run_and_leaves_others_alone() {
    let (dir, config) = workplace();
    // It shows at a checkpoint, and at an evaluation.
    let cases = [
        ("moved", ["train.eval_every='100%'", "train.checkpoint_every='50step'"]),
        ("replaced", ["train.eval_every='11step'", "train.checkpoint_every='100%'"]),
    ];
    for (case, sets) in cases {
        let (runs, elsewhere) = (dir.path().join(case), dir.path().join(format!("{case}-run")));
        let mut command = begin(&config, &runs, 2);
        command.args(sets.iter().flat_map(|set| ["--set", *set])).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let run = wait_for(&mut child, &runs, 8);
        std::fs::rename(&run, &elsewhere).unwrap();
        if case == "replaced" {
            std::fs::create_dir(&run).unwrap();
            std::fs::write(run.join("run.json"), "of others").unwrap();
        }
        let output = child.wait_with_output().unwrap();
        assert_exit(&output, 1);
        let said = common::text(&output);
        let problem = format!("error: {} is not the folder any more", run.display());
        assert!(said.contains(&problem) && said.contains("--resume with the path where it lies now"), "{said}");
        if case == "replaced" {
            assert_eq!(std::fs::read_to_string(run.join("run.json")).unwrap(), "of others");
            assert_eq!(std::fs::read_dir(&run).unwrap().count(), 1);
        } else {
            assert!(!run.exists(), "it was made again");
        }
        assert_readable(&elsewhere);
        assert!(rows(&elsewhere) < STEPS, "{case}: it went on to its end");
        assert_exit(&resume(&elsewhere, 2).output().unwrap(), 0);
        assert_eq!(rows(&elsewhere), STEPS);
        assert_eq!(RunReader::open(&elsewhere).unwrap().info().unwrap().status, Status::Done);
    }
}

#[test]
fn what_cannot_be_resumed_is_said() {
    let (dir, config) = workplace();
    let reference = reference(&config, dir.path());
    let done = resume(&reference, 2).output().unwrap();
    assert_exit(&done, 2);
    assert!(common::text(&done).contains("is done"), "{}", common::text(&done));
    let nowhere = resume(&dir.path().join("nowhere"), 2).output().unwrap();
    assert_exit(&nowhere, 2);

    // A checkpoint cut in half, and one of another net.
    let runs = dir.path().join("runs");
    let mut child = begin(&config, &runs, 2).spawn().unwrap();
    let run = wait_for(&mut child, &runs, 8);
    kill(&mut child);
    let checkpoint = run.join("checkpoint/state.safetensors");
    let whole = std::fs::read(&checkpoint).unwrap();
    std::fs::write(&checkpoint, &whole[..whole.len() / 2]).unwrap();
    let before = std::fs::read(run.join("trace.csv")).unwrap();
    let output = resume(&run, 2).output().unwrap();
    assert_exit(&output, 1);
    assert!(common::text(&output).contains("is not a readable checkpoint"), "{}", common::text(&output));
    assert_eq!(std::fs::read(run.join("trace.csv")).unwrap(), before, "nothing is cut before the checkpoint is read");
    let experiment = std::fs::read_to_string(run.join("experiment.toml")).unwrap();
    std::fs::write(run.join("experiment.toml"), experiment.replace("width = 4", "width = 5")).unwrap();
    std::fs::write(&checkpoint, &whole).unwrap();
    let output = resume(&run, 2).output().unwrap();
    assert_exit(&output, 2);
    assert!(common::text(&output).contains("was changed since the run was begun"), "{}", common::text(&output));
}

/// Later there may be nothing in the way.
#[test]
fn a_run_that_another_process_writes_is_worth_another_try() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("run.json"), "{}").unwrap();
    let lock = std::fs::File::create(dir.path().join("lock")).unwrap();
    lock.lock().unwrap();
    let output = resume(dir.path(), 1).output().unwrap();
    assert_exit(&output, 75);
    assert!(common::text(&output).contains("is being written by another process"), "{}", common::text(&output));
    drop(lock);
    assert_exit(&resume(dir.path(), 1).output().unwrap(), 2);
}

/// Files of at most so many kilobytes, as on a disk that is full.
#[test]
fn a_full_disk_is_a_clear_error_and_leaves_a_run_that_goes_on() {
    let (dir, config) = workplace();
    let reference = reference(&config, dir.path());
    let runs = dir.path().join("runs");
    let program = env!("CARGO_BIN_EXE_runner");
    let limited = format!(
        "trap '' XFSZ; ulimit -f 100; exec {program} {} --quiet --runs-dir {}",
        config.display(),
        runs.display()
    );
    let output = std::process::Command::new("sh").args(["-c", &limited]).output().unwrap();
    assert_exit(&output, 1);
    let said = common::text(&output);
    assert!(said.contains("state.safetensors") && said.contains("File too large"), "{said}");
    let run = only_run(&runs);
    let reader = RunReader::open(&run).unwrap();
    assert_eq!(reader.info().unwrap().status, Status::Failed);
    assert_eq!(reader.trace().unwrap().state, TableState::Whole);
    assert_exit(&resume(&run, 2).output().unwrap(), 0);
    assert_same(&run, &reference);
}

/// A disk that fills before the first event: the folder says that the run failed or, where not even that fits, is gone.
#[test]
fn a_disk_that_is_full_from_the_start_leaves_no_run_that_seems_to_run() {
    let (dir, config) = workplace();
    for (kilobytes, left) in [(1, false), (12, true)] {
        let runs = dir.path().join(format!("runs{kilobytes}"));
        let program = env!("CARGO_BIN_EXE_runner");
        // Blocks of `ulimit -f` are of 512 bytes in some shells, of 1024 in others.
        let limited = format!(
            "trap '' XFSZ; ulimit -f {kilobytes}; exec {program} {} --quiet --runs-dir {}",
            config.display(),
            runs.display()
        );
        let output = std::process::Command::new("sh").args(["-c", &limited]).output().unwrap();
        assert_exit(&output, 1);
        assert!(common::text(&output).contains("File too large"), "{}", common::text(&output));
        let folders: Vec<_> = std::fs::read_dir(&runs).unwrap().collect();
        assert_eq!(folders.len(), usize::from(left), "{kilobytes}: {folders:?}");
        if left {
            let info = RunReader::open(&only_run(&runs)).unwrap().info().unwrap();
            assert_eq!(info.status, Status::Failed);
            assert!(info.exit_reason.unwrap().contains("schedule.svg"), "the file that did not fit");
        }
    }
}
