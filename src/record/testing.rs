//! Run folders for tests, written without training.

use super::folder::file;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Says that a test did not run, past the harness, which keeps to itself what passing tests print.
pub fn skipped(why: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr().lock(), "skipped: {why}");
}

/// A run to be written.
#[derive(Clone)]
pub struct Run<'a> {
    pub name: &'a str,
    pub seed: u64,
    pub hash: &'a str,
    pub settings: serde_json::Value,
    pub status: &'a str,
    pub threads: usize,
    /// One evaluation and one phase each: 10 seconds and 1000 images apart.
    pub accuracies: &'a [f64],
    pub last_set_since: usize,
}

impl Default for Run<'_> {
    fn default() -> Self {
        let settings = json!({});
        Self {
            name: "a",
            seed: 0,
            hash: "aaaaaaaa",
            settings,
            status: "done",
            threads: 2,
            accuracies: &[0.5, 0.8],
            last_set_since: 0,
        }
    }
}

impl Run<'_> {
    /// Writes the folder `root/<folder>`.
    pub fn write(&self, root: &Path, folder: &str) -> PathBuf {
        let path = root.join(folder);
        fs::create_dir_all(&path).unwrap();
        let info = json!({
            "format": 1, "name": self.name, "status": self.status, "exit_reason": null,
            "created": format!("2026-01-01T00:00:{:02}Z", folder.len()), "updated": "2026-01-01T00:01:00Z", "resumes": 0,
            "argv": [], "seed": self.seed, "spec_hash": self.hash, "git_commit": null, "git_dirty": null,
            "version": "0.1.0", "device": "cpu", "instruction_set": "avx2", "threads": self.threads, "precision": "f32",
            "dataset": { "name": "shapes", "images": 5000, "val_images": 1000, "digest": "", "stand_in": false,
                "stands_in_for": null },
            "last_set_since": self.last_set_since, "model": "", "parameters": 1, "settings": self.settings, "steps": 100, "steps_done": 100,
            "seconds": { "train": 0.0, "eval": 0.0, "data_wait": 0.0, "checkpoint": 0.0 },
            "best": null, "final": null,
        });
        fs::write(path.join(file::RUN), info.to_string()).unwrap();
        let rows = self.accuracies.iter().enumerate();
        let rows = rows.map(|(k, acc)| format!("{k},{k},{acc},{},{}\n", 1000 * (k + 1), 10.0 * (k + 1) as f64));
        let rows: String = rows.collect();
        fs::write(path.join(file::METRICS), format!("step,phase,val_acc,images,train_seconds\n{rows}")).unwrap();
        path
    }
}
