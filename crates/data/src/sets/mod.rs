//! Data sets: what each one is officially, where its files lie, and how they are read.

pub mod cifar10;
pub mod cifar100;
pub mod fashion_mnist;
pub mod folder;
mod idx;
pub mod imagenet;
pub mod mnist;
mod records;
pub mod shapes;

use super::{Chosen, DataError, Dataset, Given, Others};
use crate::publication::Publication;
use crate::registry::{Choice, Describe, Entry, Family, Settings};
use crate::stored::pack::Listing;
use crate::{Facts, FactsSource};
use std::path::{Path, PathBuf};

/// The setting of class folders that has photographs turned. Experiments that leave it out, or say `false`, are the same.
pub const EXIF_ORIENTATION: &str = "exif_orientation";

/// A set that can be trained on.
pub trait SetReader: Send + Sync {
    /// The set's official figures, which need neither its files nor a network; none where every user has his own.
    fn official(&self) -> Option<Facts>;

    /// The figures to plan with while the files are absent: as given, the rest official.
    ///
    /// # Errors
    /// Of a set without official figures: what has to be given.
    fn outline(&self, given: &Given) -> Result<Facts, DataError> {
        let official = self.official().expect("a set without official figures has an outline of its own");
        Ok(match given.is_empty() {
            true => official,
            false => Facts {
                train_images: given.train_images.unwrap_or(official.train_images),
                val_images: given.val_images.unwrap_or(official.val_images),
                classes: given.classes.unwrap_or(official.classes),
                source: FactsSource::File,
                ..official
            },
        })
    }

    /// Where its images come from.
    fn origin(&self) -> Origin;

    /// The folder with the set's files under `root`, if any of them is there; whether they are whole, `count` and
    /// `read` find out.
    fn locate(&self, root: &Path) -> Option<PathBuf>;

    /// What the files hold, without reading images: from names, sizes and first bytes, and of packed files by unpacking
    /// them, which keeps nothing.
    ///
    /// # Errors
    /// When a file is missing, cut or too long.
    fn count(&self, folder: &Path) -> Result<Facts, DataError>;

    /// Reads and checks the whole set.
    ///
    /// # Errors
    /// When a file is missing, has another size than it should, or holds what it cannot.
    fn read(&self, folder: &Path) -> Result<Dataset, DataError>;

    /// Reads images that a net was not trained on, as it does its own; `None` where its own are no files of images.
    fn read_others(&self, _others: Others<'_>) -> Option<Result<(Dataset, Chosen), DataError>> {
        None
    }

    /// The set's image files, for packing them into one; `None` where it has none.
    fn to_pack(&self, _folder: &Path) -> Option<Result<Listing, DataError>> {
        None
    }
}

/// Where a set's images come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Origin {
    /// Drawn in memory: always there. `locate`, `count` and `read` look at no folder.
    Generated,
    /// Files, which can also be fetched.
    Published(&'static Publication<'static>),
    /// Files that everyone has to get himself; in words, how.
    Elsewhere(&'static str),
    /// Files of the user's own, which nobody publishes.
    Own,
}

/// An entry of the family `data set`.
pub type SetEntry = Entry<fn(&Settings) -> Box<dyn SetReader>>;

pub static ENTRIES: &[&SetEntry] = &[
    &cifar10::ENTRY,
    &cifar100::ENTRY,
    &mnist::ENTRY,
    &fashion_mnist::ENTRY,
    &imagenet::ENTRY,
    &folder::ENTRY,
    &shapes::ENTRY,
];

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
