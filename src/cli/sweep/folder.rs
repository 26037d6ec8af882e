//! A sweep's folder: what is read there, and what is written before trials run.

use super::metric;
use super::point::Point;
use super::words::axes_of;
use crate::cli::Failure;
use crate::config;
use crate::config::suggest::quoted;
use crate::config::sweep::{self as sweep_file, Sweep};
use crate::record::folder::file::RUN;
use crate::record::{RecordError, RunFolder, atomic};
use crate::sweep::file;
use crate::sweep::ledger::{Ledger, Trial, axes_in};
use crate::sweep::run::experiment_file;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The sweep of a folder, and its trials.
///
/// # Errors
/// When the folder is none of a sweep, its files make no sense, or its trials were judged by another metric.
pub fn read(folder: &Path) -> Result<(Sweep, Ledger), Failure> {
    let sweep = sweep_file::load_begun(&existing(folder)?)?;
    let ledger = trials_in(folder, &sweep)?;
    metric::is_that_of_trials(&sweep, folder, &ledger)?;
    Ok((sweep, ledger))
}

/// `sweep.toml` of a sweep's folder.
pub fn existing(folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join(file::SWEEP);
    if !path.is_file() {
        let message = format!("{} is not a sweep's folder: it holds no {}", folder.display(), file::SWEEP);
        return Err(Failure::Usage(message));
    }
    Ok(path)
}

/// The trials in a sweep's folder.
///
/// # Errors
/// When they cannot be read, or are of other axes.
pub fn trials_in(folder: &Path, sweep: &Sweep) -> Result<Ledger, Failure> {
    let (path, axes) = (folder.join(file::TRIALS), axes_of(sweep));
    if let Some(there) = axes_in(&path).filter(|there| *there != axes) {
        let there = if there.is_empty() { "none".to_owned() } else { quoted(there.iter().map(String::as_str)) };
        let message = format!("the axes have changed: the trials that are there are of {there}");
        let help = "put these back, in their order, or start a new sweep: each trial has a value of every axis";
        return Err(sweep.axes_error(message, help).into());
    }
    Ledger::read(&path, axes).map_err(|e| Failure::Usage(e.to_string()))
}

/// Whether a trial is on record: it was begun, and perhaps came to its end.
pub fn has_begun(folder: &Path, trial: &Trial) -> bool {
    folder.join(&trial.run).join(RUN).is_file()
}

/// What it means that the sweep's folder cannot be had.
pub fn no_folder(error: RecordError) -> Failure {
    match error {
        RecordError::Locked { .. } => Failure::TryAgain(error.to_string()),
        error => Failure::Usage(error.to_string()),
    }
}

/// Points that the ledger has stay as they were written: their trials are those of that experiment.
pub fn write_points(
    folder: &RunFolder,
    sweep: &Sweep,
    ledger: &Ledger,
    points: &BTreeMap<usize, Point>,
) -> Result<(), Failure> {
    for name in [file::POINTS, file::LOGS] {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
    }
    let known = ledger.numbers();
    for (number, point) in points.iter().filter(|(number, _)| !known.contains(number)) {
        write_point(folder.path(), *number, point).map_err(anyhow::Error::from)?;
    }
    // Last: a folder with this file has all that it needs.
    atomic::write(&folder.join(file::SWEEP), sweep.content.as_bytes()).map_err(anyhow::Error::from)?;
    Ok(())
}

pub fn write_point(folder: &Path, number: usize, point: &Point) -> Result<(), RecordError> {
    atomic::write(&experiment_file(folder, number), config::write(&point.loaded.spec).as_bytes())
}
