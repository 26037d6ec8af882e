//! A sweep that is killed comes to the same end.

use crate::common::{assert_exit, only_run, runner, text, timeless};
use crate::workplace::{begin, has_a_sweep, resume, workplace};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::Path;
use std::time::Duration;

#[test]
fn a_sweep_that_is_killed_comes_to_the_same_end() {
    let (work, file) = workplace();
    let (whole, torn) = (work.path().join("whole"), work.path().join("torn"));
    let output = begin(&file, &whole).output().unwrap();
    assert_exit(&output, 0);
    let whole = only_run(&whole);
    let states: Vec<String> = timeless(&whole.join("trials.csv")).iter().map(|row| row[2].clone()).collect();
    assert_eq!(states, ["done", "done", "diverged", "diverged"], "{}", text(&output));

    let mut child = begin(&file, &torn).spawn().unwrap();
    for _ in 0..3 {
        // At a random moment, from the making of the folder on.
        let wait = RandomState::new().build_hasher().finish() % 1500;
        while !torn.is_dir() || !has_a_sweep(&torn) {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait));
        child.kill().unwrap();
        child.wait().unwrap();
        child = resume(&only_run(&torn)).spawn().unwrap();
    }
    child.wait().unwrap();
    assert_exit(&resume(&only_run(&torn)).output().unwrap(), 0);
    let torn = only_run(&torn);
    assert_eq!(timeless(&torn.join("trials.csv")), timeless(&whole.join("trials.csv")));
    for run in ["t000-s1", "t000-s2"] {
        let model = |sweep: &Path| std::fs::read(sweep.join(run).join("model.safetensors")).unwrap();
        assert!(model(&torn) == model(&whole), "{run} has other weights");
    }

    // More seeds: only what is new is run.
    let kept = whole.join("sweep.toml");
    let content = std::fs::read_to_string(&kept).unwrap().replace("seeds = [1, 2]", "seeds = [1, 2, 3]");
    std::fs::write(&kept, content).unwrap();
    let before = std::fs::metadata(whole.join("t000-s1/run.json")).unwrap().modified().unwrap();
    assert_exit(&resume(&whole).output().unwrap(), 0);
    assert_eq!(timeless(&whole.join("trials.csv")).len(), 6);
    assert_eq!(std::fs::metadata(whole.join("t000-s1/run.json")).unwrap().modified().unwrap(), before);

    let best = runner().args(["sweep", "--best"]).arg(&whole).output().unwrap();
    assert_exit(&best, 0);
    let best = String::from_utf8(best.stdout).unwrap();
    let of_best = work.path().join("best.toml");
    std::fs::write(&of_best, &best).unwrap();
    assert!(best.contains("phases[0].lr=0.01"), "{best}");
    assert_exit(&runner().arg("plan").arg(&of_best).output().unwrap(), 0);

    let compared = runner().arg("compare").arg(&whole).args(["--json"]).output().unwrap();
    assert_exit(&compared, 0);
    let compared: serde_json::Value = serde_json::from_slice(&compared.stdout).unwrap();
    assert_eq!(compared["groups"][0]["name"], "phases[0].lr=0.01");
    assert_eq!((compared["groups"][0]["n"].as_u64(), compared["groups"][1]["n"].as_u64()), (Some(3), Some(0)));
}

/// Proposals follow from results: with other numbers of jobs, and killed in between, the same points are tried.
#[test]
fn a_search_that_is_killed_comes_to_the_same_end() {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                [[phases]]\nsteps = 12\nbatch = 32\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    let search = "name = 'search'\nbase = 'small.toml'\nmethod = 'tpe'\npoints = 7\nstartup = 3\nparallel = 2\nseeds = [1]\n\
                  constraints = ['phases[0].lr > 0.002']\n[axes]\n'phases[0].lr' = { log_uniform = [0.001, 0.1] }\n";
    std::fs::write(&file, search).unwrap();
    let (whole, torn) = (work.path().join("whole"), work.path().join("torn"));
    let output = begin(&file, &whole).output().unwrap();
    assert_exit(&output, 0);
    let said = text(&output);
    assert!(said.contains("[1/7]") && said.contains("[7/7]") && !said.contains("/3]"), "{said}");
    let trials = timeless(&only_run(&whole).join("trials.csv"));
    let rates: std::collections::BTreeSet<&String> = trials.iter().map(|row| &row[6]).collect();
    assert_eq!((trials.len(), rates.len()), (7, 7), "{trials:?}");
    assert!(trials.iter().all(|row| row[2] == "done" && row[6].parse::<f64>().unwrap() > 0.002), "{trials:?}");

    let mut command = runner();
    command.arg("sweep").arg(&file).args(["--jobs", "1", "--runs-dir"]).arg(&torn);
    let mut child = command.spawn().unwrap();
    let proposed = || {
        let table = torn.is_dir().then(|| only_run(&torn).join("trials.csv"));
        table.filter(|path| path.is_file()).map_or(0, |path| timeless(&path).len())
    };
    while proposed() < 5 {
        std::thread::sleep(Duration::from_millis(20));
        assert!(child.try_wait().unwrap().is_none(), "it came to its end before it was killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_exit(&resume(&only_run(&torn)).output().unwrap(), 0);
    assert_eq!(timeless(&only_run(&torn).join("trials.csv")), trials);
}

#[test]
fn a_sweep_that_prunes_comes_to_the_same_end() {
    let (work, file) = workplace();
    let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n[train]\neval_every = '50step'\n\
                [[phases]]\nsteps = 1500\nbatch = 32\nsize = 8\noptimizer = 'sgd'\nlr = 0.1\n";
    std::fs::write(work.path().join("small.toml"), base).unwrap();
    let sweep = "name = 'pruned'\nbase = 'small.toml'\nparallel = 2\nprune = { rule = 'median', at = [0.1, 0.2], startup = 2 }\n\
                 [axes]\n'phases[0].lr' = [0.1, 0.2, 0.15, 1e-9, 2e-9, 0.12]\n";
    std::fs::write(&file, sweep).unwrap();
    let (whole, torn) = (work.path().join("whole"), work.path().join("torn"));
    assert_exit(&begin(&file, &whole).output().unwrap(), 0);
    let trials = timeless(&only_run(&whole).join("trials.csv"));
    assert!(trials[0][2] == "done" && trials[3][2] == "pruned" && trials[4][2] == "pruned", "{trials:?}");
    assert!(trials[3][5].starts_with("at 10 % of its steps: "), "{trials:?}");
    for run in ["t003-s0", "t004-s0"] {
        let info = std::fs::read(only_run(&whole).join(run).join("run.json")).unwrap();
        let info: serde_json::Value = serde_json::from_slice(&info).unwrap();
        let early = info["steps_done"].as_u64().unwrap() < 1500;
        assert!(early && info["status"] == "interrupted", "it was given up, but trained on: {info}");
        let table = std::fs::read_to_string(only_run(&whole).join("trials.csv")).unwrap();
        let row = table.lines().find(|row| row.contains(run)).unwrap();
        assert!(row.split(',').nth(5).unwrap().parse::<f64>().unwrap() > 0.0, "what it cost is not on record: {row}");
    }

    let mut command = runner();
    command.arg("sweep").arg(&file).args(["--jobs", "1", "--runs-dir"]).arg(&torn);
    let mut child = command.spawn().unwrap();
    while !torn.is_dir() || !has_a_sweep(&torn) || !only_run(&torn).join("t003-s0/metrics.csv").is_file() {
        std::thread::sleep(Duration::from_millis(5));
        assert!(child.try_wait().unwrap().is_none(), "it came to its end before it was killed");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_exit(&resume(&only_run(&torn)).output().unwrap(), 0);
    assert_eq!(timeless(&only_run(&torn).join("trials.csv")), trials);
}
