//! A sweep that is there goes on: with what it began with, and with what its file has asked for since.

use crate::common::{assert_exit, only_run, runner, text, timeless};
use crate::workplace::{SWEEP, begin, best_of, recorded, resume, tiny, workplace};
use std::path::Path;
use std::process::Output;

#[test]
fn trials_that_are_tried_again_run_side_by_side_and_are_counted_once() {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), tiny()).unwrap();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "0.01")).unwrap();
    let runs = work.path().join("runs");
    // Nobody reads what it says.
    let mut child = begin(&file, &runs).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let sweep = only_run(&runs);

    relabel(&sweep, 2, "done", "failed");
    let best = runner().args(["sweep", "--best"]).arg(&sweep).output().unwrap();
    assert_exit(&best, 0);
    assert!(text(&best).contains("on average over 1 seed\n# of its 2 seeds 1 failed; no point"), "{}", text(&best));

    relabel(&sweep, 1, "done", "failed");
    let output = resume(&sweep).arg("--retry-failed").output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("2 trials, 0 of them over; 2 at a time"), "{said}");
    assert!(said.contains("[1/2]") && said.contains("[2/2]") && !said.contains("[3/2]"), "{said}");

    // Killed before it wrote down that one was done.
    relabel(&sweep, 1, "done", "running");
    relabel(&sweep, 2, "done", "failed");
    let output = resume(&sweep).arg("--retry-failed").output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains("[2/2]"), "{}", text(&output));
    let best = runner().args(["sweep", "--best"]).arg(&sweep).output().unwrap();
    assert!(text(&best).contains("on average over 2 seeds\n"), "{}", text(&best));
}

/// Changes states in the ledger of a sweep; those of one seed.
fn relabel(sweep: &Path, seed: u64, from: &str, to: &str) {
    let path = sweep.join("trials.csv");
    let table = std::fs::read_to_string(&path).unwrap();
    let row = |row: &str| match row.split(',').nth(1) == Some(&seed.to_string()) {
        true => row.replacen(&format!(",{from},"), &format!(",{to},"), 1) + "\n",
        false => format!("{row}\n"),
    };
    std::fs::write(&path, table.lines().map(row).collect::<String>()).unwrap();
}

#[test]
fn what_was_planned_for_values_that_were_taken_out_is_left_out() {
    let (work, _) = workplace();
    let done = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,done,t000-s2,0.8,1,,0.01,,"];
    let planned = ["1,1,planned,t001-s1,,,,1e30,,", "1,2,planned,t001-s2,,,,1e30,,"];
    let sweep = recorded(work.path(), &[done, planned].concat());
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, content.replace("[0.01, 1e30]", "[0.01]")).unwrap();
    let words = "left out, for sweep.toml has the point or the seed no more: 2 planned trials: \
                 t001-s1 (phases[0].lr=1e30); t001-s2 (phases[0].lr=1e30)\n";
    let dry = resume(&sweep).arg("--dry-run").output().unwrap();
    assert_exit(&dry, 0);
    assert!(text(&dry).contains(words) && text(&dry).contains("there is nothing left to run\n"), "{}", text(&dry));
    assert_eq!(timeless(&sweep.join("trials.csv")).len(), 4);
    // While their rows cannot be taken out, their experiments stay.
    let in_the_way = sweep.join(".trials.csv.tmp");
    std::fs::create_dir(&in_the_way).unwrap();
    assert!(!resume(&sweep).output().unwrap().status.success());
    assert!(timeless(&sweep.join("trials.csv")).len() == 4 && sweep.join("points/t001.toml").is_file());
    std::fs::remove_dir(&in_the_way).unwrap();
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains(words) && text(&output).contains("2 trials: 2 done\n"), "{}", text(&output));
    assert_eq!(timeless(&sweep.join("trials.csv")).len(), 2);
    assert!(sweep.join("points/t000.toml").is_file() && !sweep.join("points/t001.toml").exists());
    assert!(!text(&resume(&sweep).output().unwrap()).contains("left out"));
}

/// Its constraint, too, may have been tightened since.
#[test]
fn a_sweep_that_is_there_goes_on_though_a_new_one_would_be_refused() {
    let (work, file) = workplace();
    let rows = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,done,t000-s2,0.8,1,,0.01,,"];
    let sweep = recorded(work.path(), &[rows[0], rows[1], "1,1,planned,t001-s1,,,,1e30,,"]);
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    let older = |content: &str| content.replace("seeds = [1, 2]", "seeds = [1, 2, 2]\nconstraints = ['0 > 1']");
    std::fs::write(&own, older(&content)).unwrap();
    assert_exit(&best_of(&sweep), 0);
    assert_exit(&runner().args(["export", "optuna"]).arg(&sweep).output().unwrap(), 0);
    let dry = resume(&sweep).arg("--dry-run").output().unwrap();
    assert_exit(&dry, 0);
    let said = text(&dry);
    assert!(said.contains("1 trial, ") && said.contains("1e30") && !said.contains("no more"), "{said}");
    assert!(said.contains("left out, for `0 > 1` does not hold: 1 of 2 points: phases[0].lr=1e30\n"), "{said}");

    std::fs::write(&file, older(SWEEP)).unwrap();
    let output = begin(&file, &work.path().join("runs")).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("error: `2` is there twice\n"), "{}", text(&output));
}

#[test]
fn a_sweep_goes_on_with_the_base_that_it_began_with() {
    let (work, file) = workplace();
    let (below, base) = (work.path().join("below.toml"), work.path().join("small.toml"));
    std::fs::write(&below, tiny()).unwrap();
    let extending = "name = 'upper'\nextends = 'below.toml'\n";
    std::fs::write(&base, extending).unwrap();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "0.01").replace("[1, 2]", "[1]")).unwrap();
    let runs = work.path().join("runs");
    assert_exit(&begin(&file, &runs).output().unwrap(), 0);
    let sweep = only_run(&runs);
    let kept = std::fs::read_to_string(sweep.join("base.toml")).unwrap();
    assert!(kept.contains("label_smoothing = 0.1") && !kept.contains("extends"), "{kept}");

    // Names and comments make no other experiment.
    std::fs::write(&base, format!("# the same\n{}", extending.replace("upper", "other"))).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);

    std::fs::write(&below, tiny().replace("label_smoothing = 0.1", "label_smoothing = 0.2")).unwrap();
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, content.replace("[0.01]", "[0.01, 0.02]")).unwrap();
    for options in [&["--dry-run"][..], &[]] {
        let output = resume(&sweep).args(options).output().unwrap();
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains("began, in `train.label_smoothing`: ") && said.contains("start a new sweep"), "{said}");
    }
    assert!(!sweep.join("points/t001.toml").exists());
    // The best of it is still told.
    assert_exit(&best_of(&sweep), 0);

    // With the old one what is new runs; so it does in a folder of an older version.
    std::fs::write(&below, tiny()).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    assert!(sweep.join("points/t001.toml").exists());
    std::fs::write(&below, tiny().replace("label_smoothing = 0.1", "label_smoothing = 0.2")).unwrap();
    std::fs::remove_file(sweep.join("base.toml")).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);
}

#[test]
fn a_sweep_goes_on_with_the_alternatives_that_its_points_were_made_of() {
    let (work, file) = workplace();
    let part = work.path().join("smooth.toml");
    let smoothing = |of: &str| std::fs::write(&part, format!("# {of}\n[train]\nlabel_smoothing = {of}\n")).unwrap();
    std::fs::write(work.path().join("small.toml"), tiny()).unwrap();
    smoothing("0.2");
    let axes = "shape = { alternatives = ['smooth.toml'] }\nrate = { paths = ['phases[0].lr'], values = [0.01] }\n";
    std::fs::write(&file, format!("name = 'parts'\nbase = 'small.toml'\nseeds = [1]\n[axes]\n{axes}")).unwrap();
    let runs = work.path().join("runs");
    assert_exit(&begin(&file, &runs).output().unwrap(), 0);
    let sweep = only_run(&runs);
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    let with = |plain: &str| {
        let end = "smooth.toml\"] }";
        assert!(content.contains(end), "{content}");
        let table = format!("{{ name = '{plain}', train = {{ label_smoothing = 0.05 }} }}");
        content.replace(end, &format!("smooth.toml\", {table}] }}"))
    };
    let refused = |name: &str, setting: &str, point: &str| {
        for options in [&["--dry-run"][..], &[]] {
            let output = resume(&sweep).args(options).output().unwrap();
            assert_exit(&output, 2);
            let said = text(&output);
            for words in [name, setting, point] {
                assert!(said.contains(words), "`{words}` is not in\n{said}");
            }
        }
    };

    // Its file has changed, before a further point is made.
    std::fs::write(&own, with("plain")).unwrap();
    smoothing("0.3");
    refused("`shape=smooth`, `rate=0.01` stands for has changed", ", in `train.label_smoothing`: ", "points/t000.toml");
    assert!(!sweep.join("points/t001.toml").exists());
    // With the old one, which may be written otherwise, that point runs.
    smoothing("0.20");
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    assert!(sweep.join("points/t001.toml").exists());

    // The same of a table in the sweep file, and of what an axis sets.
    let changed = with("plain").replace("0.05", "0.06");
    std::fs::write(&own, &changed).unwrap();
    refused("`shape=plain`", "`train.label_smoothing`", "points/t001.toml");
    std::fs::write(&own, with("plain").replace("'phases[0].lr'", "'phases[0].lr', 'phases[1].lr.from'")).unwrap();
    refused("`rate=0.01`", "`phases[1].lr.from`", "points/t000.toml");
    // Another name is another point.
    std::fs::write(&own, changed.replace("'plain'", "'plainer'")).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    assert_eq!(timeless(&sweep.join("trials.csv")).len(), 3);
}

/// All that goes by the sweep file of a sweep that is there.
fn taken_up(sweep: &Path) -> [Output; 4] {
    [
        resume(sweep).output().unwrap(),
        resume(sweep).arg("--dry-run").output().unwrap(),
        runner().args(["export", "optuna"]).arg(sweep).output().unwrap(),
        best_of(sweep),
    ]
}

#[test]
fn a_sweep_goes_on_with_the_metric_that_its_trials_were_judged_by() {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), tiny()).unwrap();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "0.01").replace("[1, 2]", "[1]")).unwrap();
    let runs = work.path().join("runs");
    assert_exit(&begin(&file, &runs).output().unwrap(), 0);
    let sweep = only_run(&runs);
    let own = sweep.join("sweep.toml");
    let more = std::fs::read_to_string(&own).unwrap().replace("[0.01]", "[0.01, 0.02]");
    let trials = std::fs::read(sweep.join("trials.csv")).unwrap();
    std::fs::write(&own, format!("metric = \"val_loss\"\n{more}")).unwrap();
    for output in taken_up(&sweep) {
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(said.contains("sweep.toml:1:10: error: `metric` has changed: "), "{said}");
        assert!(said.contains("put the old one back") && said.contains(" --metric val_loss` judges"), "{said}");
    }
    assert_eq!(std::fs::read(sweep.join("trials.csv")).unwrap(), trials);
    assert!(!sweep.join("points/t001.toml").exists() && !sweep.join("optuna-journal.log").exists());

    // With the old one what is new runs.
    std::fs::write(&own, more).unwrap();
    assert_exit(&resume(&sweep).output().unwrap(), 0);
    assert_eq!(timeless(&sweep.join("trials.csv")).len(), 2);
}

#[test]
fn a_sweep_goes_on_with_the_axes_that_its_trials_have() {
    let (work, _) = workplace();
    let sweep = recorded(work.path(), &["0,1,done,t000-s1,0.9,1,,0.01,,"]);
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, format!("{content}'phases[0].momentum' = [0.9]\n")).unwrap();
    for output in taken_up(&sweep) {
        assert_exit(&output, 2);
        let said = text(&output);
        let words = "sweep.toml:5:2: error: the axes have changed: the trials that are there are of `phases[0].lr`\n";
        assert!(said.contains(words) && said.contains("start a new sweep"), "{said}");
    }
}

/// The other process may be in the middle of writing what would be read.
#[test]
fn a_sweep_is_not_read_while_another_process_runs_it() {
    let (work, file) = workplace();
    let sweep = work.path().join("sweep");
    std::fs::create_dir(&sweep).unwrap();
    let content = std::fs::read_to_string(&file).unwrap().replace("small.toml", "../small.toml");
    std::fs::write(sweep.join("sweep.toml"), content).unwrap();
    std::fs::write(sweep.join("trials.csv"), "not of this sweep\n").unwrap();
    let lock = std::fs::File::create(sweep.join("lock")).unwrap();
    lock.lock().unwrap();
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 75);
    assert!(text(&output).contains("is being written by another process"), "{}", text(&output));
    drop(lock);
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 2);
    assert!(text(&output).contains("trials.csv:1"), "{}", text(&output));
}
