//! What the MNIST sets share: images of 28×28 grey bytes and labels, each split in two IDX files.

mod file;

#[cfg(test)]
mod tests;

use super::{Origin, SetReader};
use crate::publication::Publication;
use crate::{DataError, Dataset, Facts, FactsSource, Images, Split};
use file::IdxFile;
use std::io::Read;
use std::path::{Path, PathBuf};

const SIDE: usize = 28;
const CLASSES: usize = 10;

/// What the names of a split's files begin with: training, validation.
const SPLITS: [&str; 2] = ["train", "t10k"];

/// How the training labels begin of the sets that have the same file names and sizes: by this they are told apart.
const BEGINNINGS: [(&str, [u8; 10]); 2] =
    [("mnist", [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]), ("fashion-mnist", [9, 0, 0, 3, 0, 2, 7, 2, 5, 5])];

/// Bytes before the labels.
const LABELS_AT: usize = 8;

/// A set in such files.
#[derive(Clone, Copy)]
pub struct IdxSet {
    pub name: &'static str,
    pub publication: &'static Publication<'static>,
    /// Where the files are looked for under the data folder, beside the published folder.
    pub other_folders: &'static [&'static str],
    pub class_names: &'static [&'static str; CLASSES],
    /// Images in training and in validation; fewer than officially only in tests.
    pub images: [usize; 2],
}

impl SetReader for IdxSet {
    fn official(&self) -> Option<Facts> {
        Some(self.facts(FactsSource::Official))
    }

    fn origin(&self) -> Origin {
        Origin::Published(self.publication)
    }

    fn locate(&self, root: &Path) -> Option<PathBuf> {
        let named = [self.publication.folder].into_iter().chain(self.other_folders.iter().copied());
        let in_named = named.map(|name| root.join(name)).find(|folder| has_files(folder));
        // Files that lie in the data folder itself may be another set's. Those that cannot be told are taken for this
        // one's, so that what is wrong with them is said.
        let ours =
            || has_files(root) && beginning(root).is_none_or(|(_, found)| whose(found).is_none_or(|w| w == self.name));
        in_named.or_else(|| ours().then(|| root.to_owned()))
    }

    fn count(&self, folder: &Path) -> Result<Facts, DataError> {
        for split in 0..SPLITS.len() {
            let (images, labels) = self.files(folder, split)?;
            images.check_packed()?;
            labels.check_packed()?;
        }
        self.check_identity(folder)?;
        Ok(self.facts(FactsSource::Data))
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        let names = self.class_names.iter().map(|name| (*name).to_owned()).collect();
        let splits = [self.read_split(folder, 0)?, self.read_split(folder, 1)?];
        self.check_identity(folder)?;
        let [train, val] = splits;
        Ok(Dataset::new(self.facts(FactsSource::Data), names, train, val))
    }
}

impl IdxSet {
    fn facts(&self, source: FactsSource) -> Facts {
        let [train_images, val_images] = self.images;
        let name = self.name.to_owned();
        Facts { name, train_images, val_images, classes: CLASSES, channels: 1, size: SIDE, source }
    }

    /// A split's images and labels, headers checked.
    fn files(&self, folder: &Path, split: usize) -> Result<(IdxFile, IdxFile), DataError> {
        let images = IdxFile::check(find(folder, SPLITS[split], "images")?, &[self.images[split], SIDE, SIDE])?;
        let labels = IdxFile::check(find(folder, SPLITS[split], "labels")?, &[self.images[split]])?;
        Ok((images, labels))
    }

    fn read_split(&self, folder: &Path, split: usize) -> Result<Split, DataError> {
        let (images, labels) = self.files(folder, split)?;
        let found = labels.read()?;
        if let Some(record) = found.iter().position(|label| usize::from(*label) >= CLASSES) {
            let offset = (labels.header() + record) as u64;
            return Err(DataError::Label { file: labels.path, record, offset, found: found[record], classes: CLASSES });
        }
        let labels = found.into_iter().map(u32::from).collect();
        Ok(Split { images: Images::Memory(images.read()?), labels, size: SIDE, channels: 1 })
    }

    /// Refuses the files of another set of the same shape.
    fn check_identity(&self, folder: &Path) -> Result<(), DataError> {
        let Some((file, found)) = beginning(folder) else { return Ok(()) };
        let whose = whose(found);
        if whose == Some(self.name) {
            return Ok(());
        }
        let other = whose.map_or("another set".to_owned(), |name| format!("`{name}`"));
        let problem =
            format!("the labels begin with {found:?}: these are the files of {other}, not of `{}`", self.name);
        Err(DataError::Malformed { file, offset: LABELS_AT as u64, problem })
    }
}

/// The set whose training labels begin so.
fn whose(found: [u8; 10]) -> Option<&'static str> {
    BEGINNINGS.iter().find(|(_, beginning)| *beginning == found).map(|(name, _)| *name)
}

/// The names that a file goes by, the official one first: `train-images-idx3-ubyte.gz`.
fn names(split: &str, content: &str) -> [String; 4] {
    let dimensions = if content == "images" { 3 } else { 1 };
    let (dashed, dotted) = (format!("-idx{dimensions}-ubyte"), format!(".idx{dimensions}-ubyte"));
    [dashed.clone() + ".gz", dashed, dotted.clone() + ".gz", dotted].map(|end| format!("{split}-{content}{end}"))
}

/// A file under one of its names.
fn find(folder: &Path, split: &str, content: &str) -> Result<PathBuf, DataError> {
    let names = names(split, content);
    let there = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    there.ok_or_else(|| {
        let files: Vec<String> = contents().map(|(split, content)| self::names(split, content)[0].clone()).collect();
        DataError::Missing { file: folder.join(&names[0]), files: files.join(", ") + ", each packed or not" }
    })
}

fn contents() -> impl Iterator<Item = (&'static str, &'static str)> {
    SPLITS.into_iter().flat_map(|split| [(split, "images"), (split, "labels")])
}

fn has_files(folder: &Path) -> bool {
    contents().any(|(split, content)| find(folder, split, content).is_ok())
}

/// The file of the training labels and how they begin; `None` where that cannot be read.
fn beginning(folder: &Path) -> Option<(PathBuf, [u8; 10])> {
    let path = find(folder, SPLITS[0], "labels").ok()?;
    let (mut header, mut labels) = ([0; LABELS_AT], [0; 10]);
    let mut content = file::open(&path).ok()?;
    content.read_exact(&mut header).and_then(|()| content.read_exact(&mut labels)).ok()?;
    Some((path, labels))
}
