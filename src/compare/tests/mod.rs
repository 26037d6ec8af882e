//! From folders to verdicts, over runs written here.

mod claims;
mod contrasts;
mod effects;
mod groups;
mod left_out;
mod margin;
mod more_seeds;
mod names;
mod of_sweeps;
mod reports;
mod unlike;

use super::*;
use crate::record::folder::file;
use crate::record::testing::Run;
use crate::stats::Pairing;
use serde_json::json;
use std::fs;
use std::path::Path;

/// Three seeds of two experiments that differ in one ramp's end; the second is better by 0.05.
fn study(root: &Path) {
    for (seed, noise) in [0.000, 0.002, 0.004].into_iter().enumerate() {
        let settings = |to: f64| json!({ "phases[0].lr.to": to, "phases[0].batch": 125 });
        let low =
            Run { seed: seed as u64, settings: settings(0.1), accuracies: &[0.3, 0.80 + noise], ..Run::default() };
        low.write(root, &format!("a{seed}"));
        let high = Run {
            seed: seed as u64,
            hash: "bbbbbbbb",
            settings: settings(0.4),
            accuracies: &[0.5, 0.86, 0.85 - noise],
            ..Run::default()
        };
        high.write(root, &format!("b{seed}"));
    }
}

/// Runs of two experiments by seed, with these last values.
fn of_seeds(root: &Path, values: [&[f64]; 2]) {
    for (hash, values) in ["a", "b"].into_iter().zip(values) {
        for (seed, value) in (0..).zip(values) {
            let run = Run { hash, seed, accuracies: &[*value], ..Run::default() };
            run.write(root, &format!("{hash}{seed}"));
        }
    }
}

/// Three points of a search, in which six settings differ.
fn search(root: &Path) {
    for (k, (peak, knee)) in [(0.4, 0.03125), (0.4, 0.0625), (0.8, 0.123_456)].into_iter().enumerate() {
        let settings = json!({
            "phases[0].lr.to": peak, "phases[1].lr.from": peak, "phases[1].lr.to": knee, "phases[2].lr.from": knee,
            "phases[1].epochs": 0.75 - knee / 3.0, "phases[2].epochs": 1.25 + knee / 3.0, "phases[0].batch": 125,
        });
        let run = Run { name: "knee", hash: ["aaaaaaaa", "bbbbbbbb", "cccccccc"][k], settings, ..Run::default() };
        run.write(root, &format!("t00{k}-s0"));
    }
}

/// Changes the text of a run's `run.json`.
fn edit(run: &Path, changes: &[(&str, &str)]) {
    let path = run.join(file::RUN);
    let mut text = fs::read_to_string(&path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "`{from}` is not in {text}");
        text = text.replacen(from, to, 1);
    }
    fs::write(path, text).unwrap();
}

fn compared(root: &Path, options: Options) -> Comparison {
    compare(&[root.to_owned()], options).unwrap()
}

fn names(found: &Comparison) -> Vec<&str> {
    found.groups.iter().map(|group| group.name.as_str()).collect()
}
