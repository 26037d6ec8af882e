//! The base of a sweep as it was when the sweep began, kept in the sweep's folder, and the points that are there: those of two bases, or
//! of two files under one name, are not to be compared.

use crate::cli::{Failure, prepare};
use crate::config::schema::PHASE_LENGTH;
use crate::config::spec::Spec;
use crate::config::suggest::quoted;
use crate::config::sweep::Sweep;
use crate::config::{self, Loaded};
use crate::record::atomic;
use crate::sweep::file;
use crate::sweep::ledger::{Ledger, Trial};
use crate::sweep::run::experiment_file;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// So many changed settings are named.
const NAMED: usize = 4;

/// Keeps the base in the folder of a sweep that begins.
///
/// # Errors
/// When the disk refuses.
pub fn keep(folder: &Path, sweep: &Sweep) -> Result<(), Failure> {
    let text = config::write(&resolved(sweep.base()?)?);
    atomic::write(&folder.join(file::BASE), text.as_bytes()).map_err(anyhow::Error::from)?;
    Ok(())
}

/// Sees that the base is still the one that was kept, and that points would be made of it as those that are there were. Sweeps of
/// older versions kept none.
///
/// # Errors
/// Which settings have changed.
pub fn is_unchanged(folder: &Path, sweep: &Sweep, ledger: &Ledger) -> Result<(), Failure> {
    let path = folder.join(file::BASE);
    if !path.is_file() {
        return Ok(());
    }
    let then = config::load(&path, &[])?.spec;
    let changed = changes(&then, &resolved(sweep.base()?)?);
    if changed.is_empty() {
        return points_are_unchanged(folder, sweep, ledger);
    }
    Err(Failure::Usage(format!(
        "the base has changed since the sweep {} began, in {}: points of both are not to be compared\n\
         help: put the old base back (what it came to is in {}), or start a new sweep for the new one",
        folder.display(),
        in_words(&changed),
        path.display()
    )))
}

/// Sees that names in the sweep file, as those of alternatives, still stand for what the points that are there were made of.
fn points_are_unchanged(folder: &Path, sweep: &Sweep, ledger: &Ledger) -> Result<(), Failure> {
    let points: BTreeMap<usize, &Trial> = ledger.trials.iter().map(|trial| (trial.number, trial)).collect();
    for (number, trial) in points {
        let Some(names) = sweep.names_at(&trial.values).filter(|names| !names.is_empty()) else { continue };
        let path = experiment_file(folder, number);
        // A proposal of a search may have made no experiment.
        let Ok(then) = config::load(&path, &[]) else { continue };
        let now = resolved(sweep.experiment(&trial.values)?)?;
        let mut changed = changes(&then.spec, &now);
        // What is fitted follows from the figures of the data too, which may be others by now.
        changed.retain(|setting| !is_fitted(setting, sweep, &now));
        if !changed.is_empty() {
            return Err(Failure::Usage(format!(
                "what {} stands for has changed since point {number} of the sweep {} was made, in {}: points of both are \
                 not to be compared\n\
                 help: put the old one back (what it came to is in {}), give the new one another name, or start a new \
                 sweep for it",
                quoted(names.iter().map(String::as_str)),
                folder.display(),
                in_words(&changed),
                path.display()
            )));
        }
    }
    Ok(())
}

/// Whether a setting of a point is the length that makes it cost as much as the base; a recipe spreads it over several phases.
fn is_fitted(setting: &str, sweep: &Sweep, point: &Spec) -> bool {
    let Some(fitted) = sweep.fitted_phase() else { return false };
    let phases = point.phases.iter().enumerate().filter(|(_, phase)| phase.source == fitted);
    let mut lengths = phases.flat_map(|(index, _)| PHASE_LENGTH.map(|key| format!("phases[{index}].{key}")));
    lengths.any(|length| length == setting)
}

/// An experiment with all that it extends, from wherever it is run.
fn resolved(loaded: Loaded) -> Result<Spec, Failure> {
    let mut spec = loaded.spec;
    prepare::with_absolute_paths(&mut spec)?;
    Ok(spec)
}

/// The first few of the settings, and how many more there are.
fn in_words(changed: &BTreeSet<String>) -> String {
    let named = quoted(changed.iter().take(NAMED).map(String::as_str));
    match changed.len().saturating_sub(NAMED) {
        0 => named,
        n => format!("{named} and {n} more"),
    }
}

/// The settings in which two experiments differ, but for those that make no other one: names, seeds, folders of data, records.
fn changes(then: &Spec, now: &Spec) -> BTreeSet<String> {
    let (old, new) = (then.settings(), now.settings());
    let differs = |path: &&String| old.get(*path) != new.get(*path);
    let mut changed: BTreeSet<String> = old.keys().chain(new.keys()).filter(differs).cloned().collect();
    // Phases that an axis brings may leave it to this one.
    if then.data.augment != now.data.augment {
        changed.insert("data.augment".to_owned());
    }
    changed
}
