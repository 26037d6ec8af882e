//! Tells the program which commit it is built from: `RUNNER_GIT_COMMIT` and `RUNNER_GIT_DIRTY`, for `run.json`.
//! Without git, or outside a checkout of its own (a source archive, a vendored copy), both stay unset.

use std::path::Path;
use std::process::Command;

/// What the program is made of: the commit counts as changed when these are.
const SOURCES: [&str; 4] = ["build.rs", "Cargo.lock", "Cargo.toml", "src"];

fn main() {
    SOURCES.iter().for_each(|source| println!("cargo::rerun-if-changed={source}"));
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let is_own_checkout = git(&["rev-parse", "--show-toplevel"])
        .is_some_and(|top| Path::new(&top).canonicalize().ok() == Path::new(&here).canonicalize().ok());
    if !is_own_checkout {
        return;
    }
    // The log of HEAD grows with every commit and checkout, in work trees too.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    let status = git(&[&["--no-optional-locks", "status", "--porcelain", "--"], &SOURCES[..]].concat());
    if let (Some(commit), Some(status)) = (git(&["rev-parse", "HEAD"]), status) {
        println!("cargo::rustc-env=RUNNER_GIT_COMMIT={commit}");
        println!("cargo::rustc-env=RUNNER_GIT_DIRTY={}", !status.is_empty());
    }
}

/// What git prints, trimmed; `None` when it is absent or fails.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
