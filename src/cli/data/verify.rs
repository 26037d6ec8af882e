//! `runner data info --verify`.

use super::pack::name_skipped;
use crate::cli::{Failure, output};
use crate::data::stored::{Hand, Skipped, on_pool};
use crate::data::{DataError, Dataset, FactsSource};
use crate::record::console::Counter;
use crate::record::text::plural;
use crate::units::count;
use rayon::prelude::*;

/// Images between two looks at the counter.
const AT_ONCE: usize = 256;

/// What is verified.
pub struct Verified<'a> {
    /// Opened without the files that cannot be part of it.
    pub set: &'a Dataset,
    /// Whether its images are files that are decoded, here or as it was read.
    pub is_decoded: bool,
    /// Whether files that cannot be part of it are left out, as the experiment says; else they are errors.
    pub skips: bool,
}

/// Decodes all images on disk; of a set in memory all were as it was read. Names the files that cannot be used, and says how many were
/// looked at: on standard error where standard output holds JSON.
///
/// # Errors
/// When there are files that cannot be used, and they are not skipped.
pub fn run(Verified { set, is_decoded, skips }: Verified<'_>, json: bool) -> Result<(), Failure> {
    let whole = set.train.labels.len() + set.val.labels.len();
    let (files, what) = (whole + set.skipped.len(), if set.skipped.is_empty() { "image" } else { "file" });
    let is_on_disk = set.train.stored().is_some();
    let damaged = if is_on_disk { decode(set) } else { Vec::new() };
    let decoded = whole - damaged.len();
    if skips {
        let damaged = damaged.into_iter().map(Skipped::of).collect::<Result<Vec<_>, _>>()?;
        name_skipped(&set.skipped);
        name_skipped(&damaged);
    } else if let Some(error) = DataError::of_verified(set.skipped.clone(), damaged, files) {
        return Err(error.into());
    }
    let all = plural(files as u64, what);
    let when = if is_on_disk { "" } else { " as they were read" };
    let mut said = match (is_decoded, set.facts.source) {
        (true, _) => format!("{} of {all} decoded{when}", count(decoded as u64)),
        (false, FactsSource::Drawn) => format!("{all} drawn in memory: there is no file to verify"),
        (false, _) => format!("{all} checked{when}"),
    };
    if files > decoded {
        said += &format!(", {} left out", plural((files - decoded) as u64, "file"));
    }
    match json {
        true => anstream::eprintln!("{said}"),
        false => output::print(&(said + "\n"))?,
    }
    Ok(())
}

/// What is said of the images on disk that are damaged, in the set's order.
fn decode(set: &Dataset) -> Vec<DataError> {
    let all = set.train.labels.len() + set.val.labels.len();
    let counter = Counter::new("verifying", "images", all as u64);
    let (mut done, mut bad) = (0, Vec::new());
    for split in [&set.train, &set.val] {
        let Some(stored) = split.stored() else { continue };
        let indices: Vec<usize> = (0..split.labels.len()).collect();
        for part in indices.chunks(AT_ONCE) {
            let look = |hand: &mut Hand, index: &usize| stored.whole(*index, hand).err();
            let found: Vec<Option<DataError>> =
                on_pool(|| part.par_iter().map_init(|| Hand::new(split.channels), look).collect());
            bad.extend(found.into_iter().flatten());
            done += part.len();
            counter.at(done as u64);
        }
    }
    bad
}
