//! Data sets: what each one is officially, where its files lie, and how they are read.

pub mod cifar10;
pub mod shapes;

use super::{DataError, Dataset};
use crate::data::Facts;
use crate::registry::{Choice, Describe, Entry, Family, Settings};
use std::path::{Path, PathBuf};

/// A set that can be trained on.
pub trait SetReader: Send + Sync {
    /// The set's official figures, which need neither its files nor a network.
    fn official(&self) -> Facts;

    /// Where its images come from.
    fn origin(&self) -> Origin;

    /// The folder with the set's files under `root`, if any of them is there; whether they are whole, `count` and
    /// `read` find out.
    fn locate(&self, root: &Path) -> Option<PathBuf>;

    /// What the files hold, from their sizes alone.
    ///
    /// # Errors
    /// When a file is missing or has another size than it should.
    fn count(&self, folder: &Path) -> Result<Facts, DataError>;

    /// Reads and checks the whole set.
    ///
    /// # Errors
    /// When a file is missing, has another size than it should, or holds what it cannot.
    fn read(&self, folder: &Path) -> Result<Dataset, DataError>;
}

/// Where a set's images come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    /// Drawn in memory: always there. `locate`, `count` and `read` look at no folder.
    Generated,
    /// Files, which are also to be had as this archive.
    Archive(&'static Archive),
}

/// A set's files as they are published: one `.tar.gz`.
#[derive(Debug, PartialEq)]
pub struct Archive {
    pub url: &'static str,
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: &'static str,
    /// The folder that the archive holds.
    pub folder: &'static str,
    /// The files of that folder to keep.
    pub files: &'static [&'static str],
}

/// An entry of the family `data set`.
pub type SetEntry = Entry<fn(&Settings) -> Box<dyn SetReader>>;

pub static ENTRIES: &[&SetEntry] = &[&cifar10::ENTRY, &shapes::ENTRY];

pub static FAMILY: Family = Family {
    name: "data set",
    doc: "The images to train and to validate on",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The set of a checked choice.
///
/// # Panics
/// When the choice names no data set: checking finds that.
pub fn make(choice: &Choice) -> Box<dyn SetReader> {
    let entry =
        crate::registry::find(ENTRIES, &choice.kind).unwrap_or_else(|| panic!("`{}` is not a data set", choice.kind));
    (entry.make)(&choice.settings)
}
