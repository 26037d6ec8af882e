//! Constraints that cannot be judged at some point: an error, and no reason to leave it out.

use crate::common::{assert_exit, text};
use crate::workplace::{SWEEP, begin, recorded, resume, workplace};
use std::process::Output;

/// Two phases, of which the first has a rate that rises.
const BASE: &str = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                    [train]\nepochs = 4\naverage = { kind = 'swa', start = '3step' }\n\
                    [[phases]]\nepochs = '50%'\nbatch = 500\nsize = 8\noptimizer = 'sgd'\nlr = { from = 0.1, to = 0.2 }\n\
                    [[phases]]\nepochs = '50%'\nlr = 0.1\n";

fn dry_run(constraint: &str, content: &str) -> Output {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), BASE).unwrap();
    std::fs::write(&file, format!("name = 's'\nbase = 'small.toml'\nconstraints = [\"{constraint}\"]\n{content}\n"))
        .unwrap();
    let output = begin(&file, &work.path().join("runs")).arg("--dry-run").output().unwrap();
    assert!(!work.path().join("runs").exists());
    output
}

#[test]
fn why_a_constraint_cannot_be_judged_is_told_with_the_point() {
    let flat = "shape = { alternatives = [{ name = 'flat', phases = [{ epochs = '100%', batch = 500, optimizer = 'sgd', \
                lr = 0.1 }] }, { name = 'as-it-is' }] }";
    for (constraint, axes, column, words) in [
        (
            "train.average.start < 9step",
            "'train.average.start' = ['3step', '50%']",
            "37",
            "a plain number and steps do not go together\n| help: numbers have units as settings do: \
             | help: that is at the point train.average.start='50%'\n",
        ),
        (
            "phases[0].lr.to > 0.1",
            flat,
            "17",
            "`phases[0].lr` stays what it is there, and has no `to`\n| help: name `phases[0].lr` itself, or let every point have \
             | help: that is at the point shape=flat\n",
        ),
        (
            "phases[1].lr > 0.1",
            flat,
            "17",
            "there is no `phases[1].lr`\n| help: let every point have it as a number, or take the constraint out\n",
        ),
        (
            "phases[1].epochs > 1",
            "'phases[1].steps' = [3, 4]",
            "17",
            "there is no `phases[1].epochs`, but `phases[1].steps`\n| help: give the length in the same unit at every point\n\
             | help: that is at the point phases[1].steps=3 and 1 more\n",
        ),
        (
            "1 / phases[0].weight_decay > 1",
            "'phases[0].weight_decay' = [0.1, 0]",
            "19",
            "a division by 0\n|phases[0].weight_decay=0\n",
        ),
        ("shape > 1", flat, "17", "axis `shape` is flat there, which is no number\n"),
    ] {
        let output = dry_run(constraint, &format!("[axes]\n{axes}"));
        assert_exit(&output, 2);
        let said = text(&output);
        let head = format!("rates.toml:3:{column}: error: `{constraint}` cannot be judged: ");
        for words in [head.as_str()].into_iter().chain(words.split('|').map(str::trim_start)) {
            assert!(said.contains(words), "`{words}` is not in\n{said}");
        }
        assert!(!said.contains("left out"), "{said}");
    }
}

#[test]
fn one_that_does_not_hold_before_leaves_the_point_out() {
    let axes = "[axes]\n'phases[0].weight_decay' = [0.1, 0]";
    let output = dry_run("phases[0].weight_decay > 0\", \"1 / phases[0].weight_decay > 1", axes);
    assert_exit(&output, 0);
    let words = "left out, for `phases[0].weight_decay > 0` does not hold: 1 of 2 points: phases[0].weight_decay=0\n";
    assert!(text(&output).contains(words), "{}", text(&output));
}

/// Also where those are not settings of a run, and where the base lacks what an axis sets.
#[test]
fn constraints_speak_of_what_lengths_and_rates_are_made_by() {
    for (constraint, axes, left) in [
        ("train.epochs * train.stretch <= 4", "'train.stretch' = [0.5, 1, 2]", "train.stretch=2\n"),
        ("train.lr_batch < 500", "length = { paths = ['train.lr_batch'], values = [250, 500] }", "length=500\n"),
    ] {
        let output = dry_run(constraint, &format!("[axes]\n{axes}"));
        assert_exit(&output, 0);
        let words = format!("left out, for `{constraint}` does not hold: 1 of ");
        assert!(text(&output).contains(&words) && text(&output).contains(left), "{}", text(&output));
    }
}

/// As far as points are known before: of a search those that it may propose at random.
#[test]
fn drawn_points_are_judged_before_anything_runs() {
    let axes = "[axes]\n'train.average.start' = ['3step', '50%']\n'phases[0].lr.to' = { uniform = [0.1, 0.2] }";
    for method in ["method = 'random'\npoints = 12\n", "method = 'tpe'\nstartup = 1\npoints = 20\n"] {
        let output = dry_run("train.average.start < 9step", &format!("{method}{axes}"));
        assert_exit(&output, 2);
        let said = text(&output);
        assert!(
            said.contains(" cannot be judged: a plain number and steps") && said.contains("\n1 error in "),
            "{said}"
        );
        assert!(said.contains("help: that is at the point train.average.start='50%', phases[0].lr.to=0.1"), "{said}");
    }
}

/// It began when such points were left out without a word, and the others have their numbers.
#[test]
fn a_sweep_that_is_there_passes_them_over_and_says_so() {
    let (work, _) = workplace();
    let rows = ["0,1,done,t000-s1,0.9,1,,1e30,,", "0,2,done,t000-s2,0.8,1,,1e30,,"];
    let sweep = recorded(work.path(), &rows);
    let claim = "constraints = ['1 / (phases[0].lr - 0.01) > 0']\n";
    let content = SWEEP.replace("small.toml", "../small.toml").replace("[axes]", &format!("{claim}[axes]"));
    let said = |content: &str| {
        std::fs::write(sweep.join("sweep.toml"), content).unwrap();
        let output = resume(&sweep).arg("--dry-run").output().unwrap();
        assert_exit(&output, 0);
        text(&output)
    };
    let why = "for `1 / (phases[0].lr - 0.01) > 0` cannot be judged: a division by 0: ";
    let grid = said(&content);
    assert!(grid.contains(&format!("left out, {why}1 of 2 points: phases[0].lr=0.01\n")), "{grid}");
    let drawn = said(&content.replace("[axes]", "method = 'random'\npoints = 8\n[axes]"));
    assert!(drawn.contains(&format!("passed over, {why}")) && drawn.contains("the point phases[0].lr=0.01"), "{drawn}");
}
