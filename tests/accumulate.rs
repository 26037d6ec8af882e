//! Accumulated gradients: steps whose images go through the net in parts are counted and recorded as steps. That the
//! gradient is that of one pass is tested beside `Passes`.

mod common;

use common::{assert_exit, only_run, runner};
use runner::record::reader::RunReader;
use runner::record::rows::{PlannedStepRow, TraceRow};
use std::path::Path;

/// 5,000 images an epoch: batches of 1,000, and then of 1,700, 1,700, 1,600.
const LARGE: &str = r#"
name = "large"
[data]
dataset = "shapes"
[model]
backbone = { shallow = 4 }
[[phases]]
epochs = 1
size = 8
batch = 1000
optimizer = "sgd"
lr = { from = 0.01, to = 0.001 }
[[phases]]
epochs = 1
batch = 1700
lr = 0.01
"#;

fn trace(dir: &Path, name: &str, sets: &[&str]) -> Vec<TraceRow> {
    let (config, runs) = (dir.join("large.toml"), dir.join(name));
    std::fs::write(&config, LARGE).unwrap();
    let mut command = runner();
    command.arg(&config).arg("--quiet").arg("--runs-dir").arg(&runs);
    command.args(sets.iter().flat_map(|set| ["--set", *set]));
    assert_exit(&command.output().unwrap(), 0);
    RunReader::open(&only_run(&runs)).unwrap().trace().unwrap().rows
}

#[test]
fn steps_are_counted_and_recorded_whole() {
    let dir = tempfile::tempdir().unwrap();
    let whole = trace(dir.path(), "whole", &[]);
    let parts = trace(dir.path(), "parts", &["phases[0].accumulate=3"]);
    let planned = |rows: &[TraceRow]| rows.iter().map(PlannedStepRow::from).collect::<Vec<_>>();
    assert_eq!(planned(&parts), planned(&whole));
    assert_eq!(parts.iter().map(|row| row.batch).collect::<Vec<_>>(), [1000, 1000, 1000, 1000, 1000, 1700, 1700, 1600]);
    // Batch norm sees 334 images at a time instead of 1,000: nearly the same, and not quite.
    let (a, b) = (whole[0].loss, parts[0].loss);
    assert!(a != b && (a - b).abs() < 0.02 * a, "{a} and {b}");
}
