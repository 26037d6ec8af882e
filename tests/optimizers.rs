//! Whole trainings with optimizers that are more than a rule for one gradient: searches, mixes, bounds.

mod common;

use common::{SCHEDULE_FREE, SEARCH, TRANSITION, assert_exit, only_run, runner, text};
use runner::record::reader::RunReader;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Trains in a folder of its own.
fn train(dir: &Path, name: &str, content: &str) -> PathBuf {
    let config = dir.join(format!("{name}.toml"));
    std::fs::write(&config, content).unwrap();
    let runs = dir.join(name);
    let output = runner().arg(&config).arg("--quiet").arg("--runs-dir").arg(&runs).output().unwrap();
    assert_exit(&output, 0);
    only_run(&runs)
}

/// A CSV's columns by name.
fn columns(csv: &[u8]) -> BTreeMap<String, Vec<String>> {
    let mut reader = csv::Reader::from_reader(csv);
    let names = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let column = |k: usize| rows.iter().map(|row| row[k].to_owned()).collect();
    names.iter().enumerate().map(|(k, name)| (name.to_owned(), column(k))).collect()
}

#[test]
fn bounds_and_shares_are_recorded_as_they_were_planned() {
    let dir = tempfile::tempdir().unwrap();
    let run = train(dir.path(), "transition", TRANSITION);
    let recorded = columns(&std::fs::read(run.join("trace.csv")).unwrap());
    let output = runner().arg("plan").arg(dir.path().join("transition.toml")).args(["--trace", "-"]).output().unwrap();
    assert_exit(&output, 0);
    let planned = columns(&output.stdout);
    for (name, column) in &planned {
        assert_eq!(column, &recorded[name], "{name}");
    }
    assert_eq!(planned["mix"][5..9], ["NaN", "0.0", "0.125", "0.25"]);
    assert_eq!((planned["clip_norm"][0].as_str(), planned["clip_norm"][6].as_str()), ("0.5", "0.25"));
    assert_eq!((planned["clip_norm"][14].as_str(), planned["clip_value"][14].as_str()), ("inf", "inf"));
    let decays = &planned["weight_decay.head"];
    assert_eq!([&decays[0], &decays[14], &decays[17]].map(String::as_str), ["0.0", "0.5", "0.25"]);
    let number = |name: &str, step: usize| recorded[name][step].parse::<f64>().unwrap();
    for step in 0..20 {
        let (whole, left, most) = (number("grad_norm", step), number("clipped_norm", step), number("clip_norm", step));
        assert!(left <= most * (1.0 + 1e-6) && left <= whole, "step {step}: {left} of {whole}, at most {most}");
        assert!(step < 14 || left == whole, "step {step}: {left} of {whole}");
    }
    assert!((0..6).any(|step| number("clipped_norm", step) < number("grad_norm", step)), "nothing was clipped");

    let picture = std::fs::read_to_string(run.join("schedule.svg")).unwrap();
    assert!(picture.contains("share of the mix"), "the shares are drawn");
}

/// Values of a run's model whose names end in one of these.
fn tensors(run: &Path, ends: &[&str]) -> BTreeMap<String, Vec<u8>> {
    tensors_in(&run.join("model.safetensors"), ends)
}

fn tensors_in(file: &Path, ends: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let bytes = std::fs::read(file).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let named = |name: &str| ends.iter().any(|end| name.ends_with(end));
    file.iter().filter(|(name, _)| named(name)).map(|(name, view)| (name.to_owned(), view.data().to_vec())).collect()
}

/// A search looks at its batch many times: the running statistics see it once, at the weights that the step began with.
#[test]
fn the_statistics_are_those_of_the_first_evaluation() {
    let dir = tempfile::tempdir().unwrap();
    let one = SEARCH.replace("steps = 8", "steps = 1");
    let other =
        one.replace("{ kind = \"lbfgs\", history = 3, iterations = 3 }", "\"sgd\"").replace("lr = 1.0", "lr = 1e-9");
    let (searched, stepped) = (train(dir.path(), "searched", &one), train(dir.path(), "stepped", &other));
    let statistics = tensors(&searched, &["running_mean", "running_var"]);
    assert!(!statistics.is_empty() && statistics == tensors(&stepped, &["running_mean", "running_var"]));
    assert_ne!(tensors(&searched, &["conv.weight"]), tensors(&stepped, &["conv.weight"]));
}

#[test]
fn a_search_brings_the_loss_down() {
    let dir = tempfile::tempdir().unwrap();
    let half = SEARCH.replace("batch = 64", "batch = 2500").replace("iterations = 3", "iterations = 8");
    let run = train(dir.path(), "search", &half.replace("steps = 8", "steps = 4"));
    let trace = columns(&std::fs::read(run.join("trace.csv")).unwrap());
    let losses: Vec<f64> = trace["loss"].iter().map(|loss| loss.parse().unwrap()).collect();
    assert!(losses[3] < 0.95 * losses[0], "{losses:?}");
    assert!(trace["momentum"].iter().all(|momentum| momentum == "0.0"));
}

/// The model of schedule-free rules is the mean that they keep: it is evaluated, and in the run's files.
#[test]
fn the_mean_that_optimizers_keep_is_the_model() {
    let dir = tempfile::tempdir().unwrap();
    let content = SCHEDULE_FREE.to_owned() + "[record]\nphases = true\nbest = true\n";
    let run = train(dir.path(), "free", &content);
    let recorded = columns(&std::fs::read(run.join("trace.csv")).unwrap());
    let plan = |more: &[&str]| {
        let output = runner().arg("plan").arg(dir.path().join("free.toml")).args(more).output().unwrap();
        assert_exit(&output, 0);
        output
    };
    for (name, column) in columns(&plan(&["--trace", "-"]).stdout) {
        assert_eq!(column, recorded[&name], "{name}");
    }
    assert_eq!((recorded["lr"][0].as_str(), recorded["lr"][17].as_str()), ("0.0", "0.5"));
    let words = text(&plan(&[])).split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("the model is the mean of weights that optimizers keep"), "{words}");

    let rows = RunReader::open(&run).unwrap().metrics().unwrap().rows;
    assert_eq!(rows.len(), 4);
    let last = rows.last().unwrap();
    assert!(rows.iter().all(|row| row.val_loss_avg.is_some_and(|loss| loss != row.val_loss)), "{rows:?}");
    let loss_of = |more: &[&str]| {
        let output = runner().arg("eval").arg(&run).arg("--json").args(more).output().unwrap();
        assert_exit(&output, 0);
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        found["val_loss"].as_f64().unwrap()
    };
    assert_eq!(loss_of(&[]), last.val_loss);
    assert_eq!(loss_of(&["--average"]), last.val_loss_avg.unwrap());
    let best = rows.iter().map(|row| row.val_loss).collect::<Vec<_>>();
    assert!(best.contains(&loss_of(&["--weights", run.join("model-best.safetensors").to_str().unwrap()])));
    let [phase, whole] = ["model-phase-1.safetensors", "model.safetensors"].map(|file| numbers_in(&run.join(file)));
    assert!(phase == whole, "the last phase ends where training does");

    // Of the weights that gradients are taken at, which the checkpoint has, it is another.
    let plain = train(dir.path(), "plain", &content.replace("schedule-free-", ""));
    assert!(numbers_in(&plain.join("model.safetensors")) != whole);
}

/// Where what keeps the mean goes, by another kind of optimizer or for a fresh start, training goes on from that mean: it is the
/// model that was evaluated there.
#[test]
fn what_comes_behind_a_mean_begins_at_it() {
    let dir = tempfile::tempdir().unwrap();
    let content = SCHEDULE_FREE.replacen("lr = 0.5\n", "lr = 0.0\nNEXT\n", 1) + "[record]\nphases = true\n";
    for (name, next, stays) in [
        ("other", "optimizer = \"sgd\"", true),
        ("adamw", "optimizer = \"schedule-free-adamw\"", true),
        ("fresh", "fresh = true", true),
        // The mean itself goes on: toward where the steps had come to.
        ("same", "", false),
    ] {
        // Rates of 0: the weights of the second phase are those that it begins with.
        let run = train(dir.path(), name, &content.replace("NEXT", next));
        let [first, second] = [0, 1].map(|phase| {
            tensors_in(&run.join(format!("model-phase-{phase}.safetensors")), &["conv.weight", "fc.weight"])
        });
        assert!(first.len() > 3 && (first == second) == stays, "{name}");
    }
}

/// The bytes behind the header, which names the step.
fn numbers_in(file: &Path) -> Vec<u8> {
    let bytes = std::fs::read(file).unwrap();
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    bytes[8 + header..].to_vec()
}
