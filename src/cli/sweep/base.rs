//! The base of a sweep as it was when the sweep began, kept in the sweep's folder: points of two bases are not to be compared.

use crate::cli::{Failure, prepare};
use crate::config;
use crate::config::spec::Spec;
use crate::config::suggest::quoted;
use crate::config::sweep::Sweep;
use crate::record::atomic;
use crate::sweep::file;
use std::collections::BTreeSet;
use std::path::Path;

/// So many changed settings are named.
const NAMED: usize = 4;

/// Keeps the base in the folder of a sweep that begins.
///
/// # Errors
/// When the disk refuses.
pub fn keep(folder: &Path, sweep: &Sweep) -> Result<(), Failure> {
    let text = config::write(&resolved(sweep)?);
    atomic::write(&folder.join(file::BASE), text.as_bytes()).map_err(anyhow::Error::from)?;
    Ok(())
}

/// Sees that the base is still the one that was kept. Sweeps of older versions kept none.
///
/// # Errors
/// Which settings have changed.
pub fn is_unchanged(folder: &Path, sweep: &Sweep) -> Result<(), Failure> {
    let path = folder.join(file::BASE);
    if !path.is_file() {
        return Ok(());
    }
    let then = config::load(&path, &[])?.spec;
    let changed = changes(&then, &resolved(sweep)?);
    if changed.is_empty() {
        return Ok(());
    }
    let named = quoted(changed.iter().take(NAMED).map(String::as_str));
    let more = match changed.len().saturating_sub(NAMED) {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Err(Failure::Usage(format!(
        "the base has changed since the sweep {} began, in {named}{more}: points of both are not to be compared\n\
         help: put the old base back (what it came to is in {}), or start a new sweep for the new one",
        folder.display(),
        path.display()
    )))
}

/// The base with all that it extends, from wherever it is run.
fn resolved(sweep: &Sweep) -> Result<Spec, Failure> {
    let mut spec = sweep.base()?.spec;
    prepare::with_absolute_paths(&mut spec)?;
    Ok(spec)
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
