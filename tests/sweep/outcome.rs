//! What became of a sweep: its summary, its best point, the status that it ends with.

use crate::common::{assert_exit, only_run, text};
use crate::workplace::{SWEEP, begin, best_of, recorded, resume, workplace};

#[test]
fn where_trials_failed_the_summary_says_where_to_look_and_what_to_do() {
    let (work, _) = workplace();
    let rows = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,failed,t000-s2,,1,no space,0.01,,"];
    let others = ["1,1,done,t001-s1,0.5,1,,1e30,,", "1,2,done,t001-s2,0.7,1,,1e30,,"];
    let sweep = recorded(work.path(), &[rows, others].concat());
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 5);
    let said = text(&output);
    for words in
        ["1 failed: trials.csv says why, ", "/logs what each wrote", " --retry-failed` runs what failed once more\n"]
    {
        assert!(said.contains(words), "`{words}` is not in\n{said}");
    }
}

/// What is told to be done looks at what the sweep did.
#[test]
fn a_sweep_by_another_metric_is_to_be_compared_by_that() {
    let (work, _) = workplace();
    let rows = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,done,t000-s2,0.8,1,,0.01,,"];
    let others = ["1,1,done,t001-s1,0.5,1,,1e30,,", "1,2,done,t001-s2,0.7,1,,1e30,,"];
    let sweep = recorded(work.path(), &[rows, others].concat());
    let said = || {
        let output = resume(&sweep).output().unwrap();
        assert_exit(&output, 0);
        text(&output)
    };
    let shown = sweep.display();
    let usual = said();
    assert!(usual.contains(&format!("`runner compare {shown}` tells whether")), "{usual}");
    let own = sweep.join("sweep.toml");
    let content = std::fs::read_to_string(&own).unwrap();
    std::fs::write(&own, content.replace("[axes]", "metric = \"val_loss\"\n[axes]")).unwrap();
    let by_loss = said();
    assert!(by_loss.contains(&format!("`runner compare {shown} --metric val_loss` tells whether")), "{by_loss}");
    assert!(by_loss.contains("best: point 1, "), "{by_loss}");
}

#[test]
fn a_point_of_which_a_seed_diverged_does_not_win_by_the_others() {
    let (work, _) = workplace();
    let lucky = ["0,1,done,t000-s1,0.9,1,,0.01,,", "0,2,diverged,t000-s2,,1,loss is NaN,0.01,,"];
    let steady = ["1,1,done,t001-s1,0.5,1,,1e30,,", "1,2,done,t001-s2,0.7,1,,1e30,,"];
    let sweep = recorded(work.path(), &[lucky, steady].concat());
    let best = best_of(&sweep);
    assert_exit(&best, 0);
    let said = text(&best);
    assert!(said.contains("of sweep rates: phases[0].lr=1e30\n"), "{said}");
    assert!(said.contains("# val_acc 0.6000 on average over 2 seeds\n\n"), "{said}");
    // All is over, so there is a summary at once.
    let output = resume(&sweep).output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("best: point 1, 0.6000 on average over 2 seeds: phases[0].lr=1e30\n"), "{said}");

    let worse = ["1,1,failed,t001-s1,,1,,1e30,,", "1,2,diverged,t001-s2,,1,,1e30,,"];
    let best = best_of(&recorded(work.path(), &[lucky, worse].concat()));
    let said = text(&best);
    assert!(said.contains("# val_acc 0.9000 on average over 1 seed\n# of its 2 seeds 1 diverged; no point"), "{said}");
}

#[test]
fn why_no_point_is_best_is_told() {
    let (work, _) = workplace();
    let said = |rows: &[&str]| {
        let best = best_of(&recorded(work.path(), rows));
        assert_exit(&best, 2);
        text(&best)
    };
    let [done, over] = ["0,1,done,t000-s1,,1,,0.01,,", "0,2,diverged,t000-s2,,1,,0.01,,"];
    let words = said(&[done, over]);
    assert!(words.contains("has a value of `val_acc`: 1 diverged, 1 done\nhelp: `runner compare"), "{words}");
    let words = said(&[over]);
    assert!(words.contains("has a result: 1 diverged"), "{words}");
    let words = said(&[over, "0,1,planned,t000-s1,,,,0.01,,"]);
    assert!(words.contains("is done yet"), "{words}");
}

#[test]
fn a_sweep_of_which_all_diverge_is_no_success() {
    let (work, file) = workplace();
    std::fs::write(&file, SWEEP.replace("0.01, 1e30", "1e30")).unwrap();
    let runs = work.path().join("runs");
    let output = begin(&file, &runs).output().unwrap();
    assert_exit(&output, 5);
    let said = text(&output);
    assert!(said.contains("2 trials: 2 diverged\nno trial has a result; trials.csv says why\n"), "{said}");
    // It is the same for a sweep that has nothing left to run.
    assert_exit(&resume(&only_run(&runs)).output().unwrap(), 5);
    let best = best_of(&only_run(&runs));
    assert_exit(&best, 2);
    assert!(text(&best).contains("has a result: 2 diverged"), "{}", text(&best));
}
