//! `runner find-lr`: what it finds, and that it leaves everything as it was.

mod common;

use common::{assert_exit, only_run, runner, text};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Two phases and two optimizers, with what else a state can hold.
const TINY: &str = r#"
name = "tiny"
seed = 5
[data]
dataset = "shapes"
[model]
backbone = { kind = "resnet9", width = 2 }
[train]
checkpoint_every = "6step"
lookahead = { every = 4, decay = 0.5, start = "4step", at_epoch_end = false }
[[params]]
role = "norm"
lr_factor = 0.5
[[phases]]
steps = 12
size = 8
batch = 50
optimizer = "sgd"
lr = 0.1
[[phases]]
steps = 8
size = 12
optimizer = "rmsprop"
lr = { from = 0.001, to = 0.01 }
"#;

fn write(dir: &Path, content: &str) -> PathBuf {
    let path = dir.join("tiny.toml");
    std::fs::write(&path, content).unwrap();
    path
}

fn find(args: &[&str], dir: &Path) -> std::process::Output {
    runner().current_dir(dir).arg("find-lr").args(args).output().unwrap()
}

fn json(output: &std::process::Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}\n{}", text(output)))
}

/// All files below a folder, with their bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => drop(found.insert(path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    found
}

/// The highest rate that `plan` shows of a phase.
fn planned(dir: &Path, sets: &[&str], phase: usize) -> f64 {
    let sets = sets.iter().flat_map(|set| ["--set", *set]);
    let output = runner().current_dir(dir).args(["plan", "tiny.toml", "--csv", "-"]).args(sets).output().unwrap();
    assert_exit(&output, 0);
    let mut reader = csv::Reader::from_reader(&output.stdout[..]);
    let at = |key: &str, header: &csv::StringRecord| header.iter().position(|name| name == key).unwrap();
    let header = reader.headers().unwrap().clone();
    let row = reader.records().nth(phase).unwrap().unwrap();
    let rate = |key: &str| row[at(key, &header)].parse::<f64>().unwrap();
    rate("lr_from").max(rate("lr_to"))
}

#[test]
fn what_it_says_to_set_gives_the_phase_that_rate() {
    let dir = tempfile::tempdir().unwrap();
    let recipe =
        "recipe = \"step\"\nepochs = 2\nat = [1]\ngamma = 0.25\nsize = 8\nbatch = 50\noptimizer = \"sgd\"\nlr = 0.1\n";
    let head = &TINY[..TINY.find("[[phases]]").unwrap()];
    let restarts = "recipe = \"sgdr\"\ncycles = 1\nsize = 8\nbatch = 50\noptimizer = \"sgd\"\nlr = 0.1\n";
    // The phase that is swept, and the one that then has the rate: of a recipe the one with its highest, not one that leads in.
    for (content, swept, phase, sets) in [
        (TINY.to_owned(), 0, 0, vec!["train.lr_batch=25"]),
        (TINY.to_owned(), 1, 1, vec![]),
        (format!("{head}[[phases]]\n{recipe}"), 1, 0, vec![]),
        (format!("{head}[[phases]]\n{restarts}"), 0, 1, vec![]),
        // Ramps of which neither end comes down to the rate: both do.
        (TINY.replace("lr = 0.1", "lr = { from = 50.0, to = 200.0, curve = \"cosine\" }"), 0, 0, vec![]),
        (TINY.replace("lr = 0.1", "lr = { from = 200, to = 50 }"), 0, 0, vec!["train.lr_batch=25"]),
    ] {
        write(dir.path(), &content);
        let number = swept.to_string();
        let mut args = vec!["tiny.toml", "--seeds", "1", "--lr-from", "1e-4", "--json", "--phase", &number];
        args.extend(sets.iter().flat_map(|set| ["--set", *set]));
        let output = find(&args, dir.path());
        assert_exit(&output, 0);
        let found = json(&output);
        let (set, valley) =
            (found["set"].as_str().unwrap(), found["suggestions"]["valley"]["median"].as_f64().unwrap());
        let rate = planned(dir.path(), &[&sets[..], &[set]].concat(), phase);
        assert!((rate / valley - 1.0).abs() < 0.06, "{set} gives {rate}, not {valley}, to two digits");
    }
}

#[test]
fn it_suggests_rates_draws_them_and_leaves_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), TINY);
    let args = ["tiny.toml", "--seeds", "2", "--lr-from", "1e-4", "--plot", "p.svg", "--csv", "c.csv"];
    let output = find(&args, dir.path());
    assert_exit(&output, 0);
    let said = text(&output);
    for words in [
        "phase 0: sgd, 8 px, batch 50, shapes, fresh weights",
        "200 steps, rate 0.0001 → 10 exponential; seeds 5, 6",
        "valley",
        "slide",
        "minimum/10",
        "steepest",
        "--set 'phases[0].lr=",
    ] {
        assert!(said.contains(words), "no {words} in {said}");
    }
    let left: Vec<PathBuf> = files(dir.path()).into_keys().map(|p| p.file_name().unwrap().into()).collect();
    assert_eq!(left, ["c.csv", "p.svg", "tiny.toml"].map(PathBuf::from));
    assert_eq!(std::fs::read_to_string(dir.path().join("tiny.toml")).unwrap(), TINY);
    assert!(std::fs::read_to_string(dir.path().join("p.svg")).unwrap().contains("seed 6"));

    let rows: Vec<(u64, usize, f64, f64, f64)> =
        csv::Reader::from_path(dir.path().join("c.csv")).unwrap().deserialize().map(Result::unwrap).collect();
    assert_eq!((rows[0].0, rows[0].1, rows[0].2), (5, 0, 1e-4));
    assert_eq!(rows[1].2, 1e-4 * 1e5f64.powf(0.005));
    assert!(rows.iter().any(|row| row.0 == 6) && rows[0].3 == rows[0].4);
    // The same bytes again, with another number of threads.
    let again = find(&["tiny.toml", "--seeds", "2", "--lr-from", "1e-4", "--csv", "-", "--threads", "1"], dir.path());
    assert_eq!(again.stdout, std::fs::read(dir.path().join("c.csv")).unwrap());
    let beside = String::from_utf8(again.stderr).unwrap();
    assert!(beside.contains("--set 'phases[0].lr="), "the report stands on standard error: {beside}");
}

#[test]
fn the_setting_to_paste_is_the_higher_end_of_the_rate() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), TINY);
    let args = ["tiny.toml", "--phase", "1", "--size", "16", "--seeds", "1", "--lr-to", "1", "--json"];
    let output = find(&args, dir.path());
    let found = json(&output);
    assert_eq!((&found["optimizer"], &found["size"], &found["phase"]), (&"rmsprop".into(), &16.into(), &1.into()));
    assert!(found["set"].as_str().unwrap().starts_with("phases[1].lr.to="), "{found}");
    let valley = found["suggestions"]["valley"]["median"].as_f64().unwrap();
    assert_eq!(found["seeds"][0]["suggestions"]["valley"], valley);
    assert!((1e-7..1.0).contains(&valley));
    // What is suggested can be set.
    let set = found["set"].as_str().unwrap();
    assert_exit(&runner().current_dir(dir.path()).args(["plan", "tiny.toml", "--set", set]).output().unwrap(), 0);
}

#[test]
fn a_rate_that_no_setting_gives_is_said_to_be_that() {
    let dir = tempfile::tempdir().unwrap();
    let recipe = "recipe = \"piecewise\"\nat = [0, 1]\nlr = [0.2, 0.1]\nsize = 8\nbatch = 50\noptimizer = \"sgd\"\n";
    let head = &TINY[..TINY.find("[[phases]]").unwrap()];
    write(dir.path(), &format!("{head}[[phases]]\n{recipe}"));
    let args = ["tiny.toml", "--seeds", "1", "--lr-from", "1e-4"];
    let found = json(&find(&[&args[..], &["--json"]].concat(), dir.path()));
    let why = "No single setting gives phase 0 that rate: the rates of the recipe `piecewise` are given one by one.";
    assert!(found["suggestions"]["valley"]["median"].is_number() && found["set"].is_null(), "{found}");
    let remarks: Vec<&str> = found["remarks"].as_array().unwrap().iter().map(|words| words.as_str().unwrap()).collect();
    assert!(remarks.iter().any(|words| words.starts_with(why)), "{remarks:?}");
    let said = text(&find(&args, dir.path()));
    assert!(said.contains("No single setting gives phase 0 that rate") && !said.contains("--set"), "{said}");
}

/// Weights, statistics and optimizer state are the checkpoint's, and it stays as it is.
#[test]
fn a_run_is_begun_from_and_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), TINY);
    let runs = dir.path().join("runs");
    assert_exit(&runner().arg(&config).arg("--quiet").arg("--runs-dir").arg(&runs).output().unwrap(), 0);
    let run = only_run(&runs);
    let before = files(&run);
    let from = run.to_str().unwrap();
    let first = |args: &[&str]| -> Vec<f64> {
        let output = find(&[args, &["--seeds", "1", "--csv", "-", "--lr-to", "1"]].concat(), dir.path());
        let mut reader = csv::Reader::from_reader(&output.stdout[..]);
        reader.deserialize::<(u64, usize, f64, f64, f64)>().map(|row| row.unwrap().3).collect()
    };
    let (fresh, trained) = (first(&["tiny.toml", "--phase", "1"]), first(&["--from", from]));
    assert!(trained[0] < fresh[0], "{} {}", trained[0], fresh[0]);
    let other_phase = first(&["--from", from, "--phase", "0"]);
    assert_ne!(other_phase[0], trained[0]);
    // Two seeds see other images with the same weights.
    let seeded = first(&["--from", from, "--set", "seed=6"]);
    assert!(seeded[0] != trained[0] && seeded[0] < fresh[0]);
    let output = find(&["--from", from, "--seeds", "1", "--json"], dir.path());
    let found = json(&output);
    assert!(found["weights"].as_str().unwrap().ends_with("after 20 of 20 steps"), "{found}");
    assert_eq!(found["phase"], 1);
    assert!(files(&run) == before, "the run folder is as it was");
}

/// The optimizer's state counts: with that of training the first steps go another way than with none.
#[test]
fn the_optimizers_state_is_the_runs() {
    let dir = tempfile::tempdir().unwrap();
    let config = write(dir.path(), TINY);
    let runs = dir.path().join("runs");
    assert_exit(&runner().arg(&config).arg("--quiet").arg("--runs-dir").arg(&runs).output().unwrap(), 0);
    let run = only_run(&runs);
    let weights = format!("model.weights={}", run.join("model.safetensors").display());
    let losses = |args: &[&str]| -> Vec<f64> {
        let fixed = ["--seeds", "1", "--csv", "-", "--lr-from", "1e-3", "--lr-to", "1"];
        let output = find(&[args, &fixed].concat(), dir.path());
        let mut reader = csv::Reader::from_reader(&output.stdout[..]);
        reader.deserialize::<(u64, usize, f64, f64, f64)>().map(|row| row.unwrap().3).collect()
    };
    let with_state = losses(&["--from", run.to_str().unwrap()]);
    let weights_alone = losses(&["tiny.toml", "--phase", "1", "--set", &weights]);
    assert_eq!(with_state[0], weights_alone[0], "the same weights, statistics and images");
    assert_ne!(with_state[1], weights_alone[1], "another second step");
}

#[test]
fn curves_that_cannot_be_used_say_so() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), TINY);
    let flat = find(&["tiny.toml", "--seeds", "1", "--lr-from", "1e-9", "--lr-to", "1e-8"], dir.path());
    assert_exit(&flat, 1);
    let said = text(&flat);
    for words in ["seed 5 cannot be used: the loss never falls", "--lr-to", "No curve can be used"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(!said.contains("valley"), "{said}");
    let wild = [
        "tiny.toml",
        "--seeds",
        "1",
        "--lr-from",
        "1e6",
        "--lr-to",
        "1e12",
        "--steps",
        "100",
        "--json",
        "--plot",
        "p.png",
    ];
    let diverged = find(&wild, dir.path());
    assert_exit(&diverged, 4);
    let found = json(&diverged);
    assert_eq!(found["seeds"][0]["unusable"], "diverges-at-once", "{found}");
    assert_eq!((found["suggestions"]["valley"].is_null(), found["set"].is_null()), (true, true));
    assert!(found["seeds"][0]["remedy"].as_str().unwrap().contains("--lr-from"));
    assert!(dir.path().join("p.png").exists());
}

#[test]
fn misuse_is_exit_code_2_and_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), TINY);
    let cases: &[(&[&str], &str)] = &[
        (&["tiny.toml", "--phase", "2"], "--phase 2: there are phases 0 to 1"),
        (&["tiny.toml", "--size", "7"], "the smallest size that this net takes is 8"),
        (&["tiny.toml", "--lr-from", "1", "--lr-to", "0.1"], "a sweep goes up"),
        (&["tiny.toml", "--lr-from", "0"], "numbers above zero"),
        (&["tiny.toml", "--plot", "p.pdf"], "must end in .svg or .png"),
        (&["tiny.toml", "--json", "--csv", "-"], "name a file for one"),
        (&["--from", "nowhere"], "there is no folder nowhere"),
        (&["tini.toml"], "did you mean tiny.toml?"),
    ];
    for (args, want) in cases {
        let output = find(args, dir.path());
        assert_exit(&output, 2);
        assert!(text(&output).contains(want), "{want}:\n{}", text(&output));
    }
}

/// A recipe has one rate for all phases that it stands for; what is behind it keeps its own number.
#[test]
fn the_setting_to_paste_of_a_recipe_is_the_recipe_s() {
    let dir = tempfile::tempdir().unwrap();
    let (head, _) = TINY.split_once("[[phases]]").unwrap();
    let recipe = "[[phases]]\nrecipe = \"one-cycle\"\nepochs = 1\nlr = 0.1\nbatch = 50\noptimizer = \"sgd\"\n";
    write(dir.path(), &format!("{head}{recipe}\n[[phases]]\nepochs = 1\nlr = 0.01\n"));
    for (phase, path) in [("0", "phases[0].lr="), ("3", "phases[1].lr=")] {
        let args = ["tiny.toml", "--phase", phase, "--seeds", "1", "--lr-to", "1", "--json"];
        let found = json(&find(&args, dir.path()));
        let set = found["set"].as_str().unwrap();
        assert!(set.starts_with(path), "{set}");
        assert_exit(&runner().current_dir(dir.path()).args(["plan", "tiny.toml", "--set", set]).output().unwrap(), 0);
    }
}
