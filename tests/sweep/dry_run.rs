//! What a dry run lists.

use crate::common::{SEARCH, assert_exit, runner, text};
use crate::workplace::{SWEEP, begin, dry_run_without_the_set, recorded, resume, workplace};
use std::path::Path;

#[test]
fn a_dry_run_lists_and_makes_nothing() {
    let (work, file) = workplace();
    let runs = work.path().join("runs");
    let output = begin(&file, &runs).arg("--dry-run").output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    for words in ["phases[0].lr", "1e30", "1 2", "104", "4 trials"] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
    assert!(!runs.exists());
}

#[test]
fn a_dry_run_says_how_many_points_are_the_same_and_what_computes_them() {
    let said = dry_run_without_the_set("method = 'random'\npoints = 20\n[axes]\n'phases[0].lr' = [0.1, 0.2]\n");
    assert!(said.contains("20 trials, ") && said.contains("18 points have the values of others"), "{said}");
    let (work, file) = workplace();
    let mut command = runner();
    command.arg("sweep").arg(&file).args(["--dry-run", "--jobs", "1", "--threads", "1"]).current_dir(work.path());
    let said = text(&command.output().unwrap());
    let place = match std::thread::available_parallelism().unwrap().get() {
        1 => "on all cores of this machine".to_owned(),
        cores => format!("on 1 of the {cores} cores of this machine"),
    };
    assert!(said.contains(&place), "{said}");
}

/// L-BFGS evaluates a batch as often as its search along a line needs: how long a step takes cannot be measured before.
#[test]
fn a_dry_run_says_where_the_time_cannot_be_told() {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), SEARCH).unwrap();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "1.0, 0.5")).unwrap();
    let output = begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    for words in ["unknown", "4 trials", "how long is unknown"] {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
    assert!(!said.contains("GFLOP/s"), "{said}");
}

#[test]
fn a_dry_run_of_a_sweep_that_is_there_lists_what_is_left() {
    let (work, _) = workplace();
    let said = |sweep: &Path, options: &[&str]| {
        let output = resume(sweep).arg("--dry-run").args(options).output().unwrap();
        assert_exit(&output, 0);
        text(&output)
    };
    let rows = [
        "0,1,done,t000-s1,0.9,1,,0.01,,",
        "0,2,interrupted,t000-s2,,,,0.01,,",
        "1,1,failed,t001-s1,,1,no space,1e30,,",
        "1,2,planned,t001-s2,,,,1e30,,",
    ];
    let sweep = recorded(work.path(), &rows);
    let some = said(&sweep, &[]);
    assert!(some.contains("2 trials, ") && some.contains("1e30") && !some.contains("begun before"), "{some}");
    std::fs::create_dir(sweep.join("t000-s2")).unwrap();
    std::fs::write(sweep.join("t000-s2/run.json"), "{}").unwrap();
    let more = said(&sweep, &["--retry-failed"]);
    assert!(more.contains("3 trials, ") && more.contains("counted whole, though begun before: 1 trial\n"), "{more}");
    let rows = rows.map(|row| row.replace("interrupted", "done").replace("planned", "done"));
    let sweep = recorded(work.path(), &rows.each_ref().map(String::as_str));
    assert_eq!(said(&sweep, &[]), "there is nothing left to run\n");

    // Of a search what is still to be proposed is counted from what is there.
    let search = "name = 's'\nbase = '../small.toml'\nmethod = 'tpe'\npoints = 7\nstartup = 1\nseeds = [1, 2]\n\
                  [axes]\n'phases[0].lr' = { log_uniform = [0.001, 0.1] }\n";
    std::fs::write(sweep.join("sweep.toml"), search).unwrap();
    assert_eq!(said(&sweep, &[]), "5 further points follow from the results of those that are there\n");
    let failed = said(&sweep, &["--retry-failed"]);
    assert!(
        failed.contains("1 trial, ") && failed.contains("\n5 further points follow from the results of these"),
        "{failed}"
    );
}
