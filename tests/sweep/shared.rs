//! What trials have in common is trained once.

use crate::common::{assert_exit, only_run, text, timeless};
use crate::workplace::{begin, killed_and_resumed, resume, tiny, workplace};
use std::path::Path;

/// Four points: all have the first phase in common, two and two of them the second.
const ALIKE: &str = r#"
name = "alike"
base = "small.toml"
seeds = [1]
[axes]
"phases[1].lr.to" = [0.1, 0.08]
"phases[2].lr.from" = [0.1, 0.05]
"#;

/// The runs of two sweeps are the same: weights to the byte, and all rows but for what measures time.
#[track_caller]
fn assert_same_runs(sweep: &Path, other: &Path, runs: &[&str]) {
    for run in runs {
        let [mine, theirs] = [sweep, other].map(|sweep| sweep.join(run));
        for file in ["model.safetensors", "model-ema.safetensors", "experiment.toml", "plan.csv"] {
            let [mine, theirs] = [&mine, &theirs].map(|run| std::fs::read(run.join(file)).ok());
            assert!(mine.is_some() || file == "model-ema.safetensors", "{run}/{file} is not there");
            assert!(mine == theirs, "{run}/{file} differs");
        }
        for table in ["trace.csv", "metrics.csv"] {
            assert_eq!(timeless(&mine.join(table)), timeless(&theirs.join(table)), "{run}/{table}");
        }
    }
}

/// The rows of `trials.csv`, as far as they do not tell who trained what.
fn results(sweep: &Path) -> Vec<Vec<String>> {
    let mut rows = timeless(&sweep.join("trials.csv"));
    rows.iter_mut().for_each(|row| row.truncate(8));
    rows
}

#[test]
fn what_trials_have_in_common_is_trained_once_and_makes_no_difference() {
    let (work, file) = workplace();
    std::fs::write(work.path().join("small.toml"), format!("{}[record]\ntensorboard = true\n", tiny())).unwrap();
    let runs = ["t000-s1", "t001-s1", "t002-s1", "t003-s1"];
    std::fs::write(&file, format!("share = false\n{ALIKE}")).unwrap();
    let alone = work.path().join("alone");
    assert_exit(&begin(&file, &alone).output().unwrap(), 0);
    let alone = only_run(&alone);

    std::fs::write(&file, ALIKE).unwrap();
    let dry = begin(&file, &work.path().join("none")).arg("--dry-run").output().unwrap();
    assert!(text(&dry).contains("of beginnings that trials have in common"), "{}", text(&dry));
    let shared = work.path().join("shared");
    let output = begin(&file, &shared).output().unwrap();
    assert_exit(&output, 0);
    assert!(text(&output).contains("3 began where another trial had come to: 59 steps"), "{}", text(&output));
    let shared = only_run(&shared);
    assert_same_runs(&shared, &alone, &runs);
    assert_eq!(results(&shared), results(&alone));
    // Other programs are told of the beginning too: numbers in event files have the same lengths whatever they are.
    let events = |sweep: &Path, run: &str| -> u64 {
        let files = std::fs::read_dir(sweep.join(run)).unwrap().map(|entry| entry.unwrap());
        let files = files.filter(|file| file.file_name().to_string_lossy().starts_with("events."));
        files.map(|file| file.metadata().unwrap().len()).sum()
    };
    assert_eq!(runs.map(|run| events(&shared, run)), runs.map(|run| events(&alone, run)));

    // Phases of 13 and 10 steps.
    let saved = |sweep: &Path| -> Vec<String> {
        timeless(&sweep.join("trials.csv")).iter().map(|row| row.last().unwrap().clone()).collect()
    };
    assert_eq!(
        (saved(&alone), saved(&shared)),
        (vec![String::new(); 4], ["", "23", "13", "23"].map(Into::into).to_vec())
    );
    let head = |run: &str, rows: usize| -> Vec<String> {
        let trace = std::fs::read_to_string(shared.join(run).join("trace.csv")).unwrap();
        trace.lines().take(1 + rows).map(str::to_owned).collect()
    };
    assert_eq!((head("t001-s1", 23), head("t003-s1", 23)), (head("t000-s1", 23), head("t002-s1", 23)), "seconds too");
    let info: serde_json::Value =
        serde_json::from_slice(&std::fs::read(shared.join("t003-s1/run.json")).unwrap()).unwrap();
    let fork = &info["forked_from"];
    assert_eq!((&fork["run"], &fork["phase"], &fork["steps"]), (&"t002-s1".into(), &2.into(), &23.into()), "{info}");
    assert!(fork["seconds"].as_f64().unwrap() > 0.0 && info["seconds"]["train"].as_f64() > fork["seconds"].as_f64());

    // Killed ten times, at any moment: nothing is lost, and nothing is other.
    let torn = killed_and_resumed(&file, &work.path().join("torn"), 10);
    assert_same_runs(&torn, &alone, &runs);
    assert_eq!((results(&torn), saved(&torn)), (results(&alone), saved(&shared)));

    // More values: what was kept serves later points, too.
    let kept = shared.join("sweep.toml");
    let content = std::fs::read_to_string(&kept).unwrap().replace("[0.1, 0.05]", "[0.1, 0.05, 0.02]");
    std::fs::write(&kept, content).unwrap();
    assert_exit(&resume(&shared).output().unwrap(), 0);
    assert_eq!(saved(&shared), ["", "23", "13", "23", "23", "23"]);
}

/// Points of a search are not known beforehand: each keeps its state where others may leave it.
#[test]
fn a_search_trains_once_what_its_points_have_in_common() {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                [[phases]]\nsteps = 9\nbatch = 32\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n\
                [[phases]]\nsteps = 5\nlr = 0.1\n[[phases]]\nsteps = 4\nlr = 0.01\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    let search = "name = 'search'\nbase = 'small.toml'\nmethod = 'tpe'\npoints = 8\nstartup = 3\nparallel = 2\nseeds = [1]\n\
                  [axes]\n'phases[0].lr' = [0.1, 0.05]\n'phases[1].lr' = { log_uniform = [0.001, 0.1] }\n";
    std::fs::write(&file, format!("share = false\n{search}")).unwrap();
    let alone = work.path().join("alone");
    assert_exit(&begin(&file, &alone).output().unwrap(), 0);
    std::fs::write(&file, search).unwrap();
    let shared = work.path().join("shared");
    let output = begin(&file, &shared).output().unwrap();
    assert_exit(&output, 0);
    let torn = killed_and_resumed(&file, &work.path().join("torn"), 3);
    let [alone, shared] = [alone, shared].map(|runs| only_run(&runs));
    let names = std::array::from_fn::<String, 8, _>(|k| format!("t{k:03}-s1"));
    for sweep in [&shared, &torn] {
        assert_same_runs(sweep, &alone, &names.each_ref().map(String::as_str));
        assert_eq!(results(sweep), results(&alone));
    }
    let saved = |sweep: &Path| -> Vec<String> {
        timeless(&sweep.join("trials.csv")).iter().map(|row| row.last().unwrap().clone()).collect()
    };
    assert_eq!(saved(&torn), saved(&shared));
    // Two rates in the first phase: the first point with each trains it. The second phase is never twice the same.
    assert!(text(&output).contains("6 began where another trial had come to: 54 steps"), "{}", text(&output));
    let kept = |phase: usize| shared.join(format!("t000-s1/checkpoint/before-phase-{phase}")).is_dir();
    assert_eq!([1, 2].map(kept), [true, false]);
}
