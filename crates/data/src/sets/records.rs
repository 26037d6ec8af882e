//! What the CIFAR sets share: files of records, each a few label bytes and three planes of 32×32 bytes.

use super::{Origin, SetReader};
use crate::publication::Publication;
use crate::{DataError, Dataset, Facts, FactsSource, Images, Split};
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

pub const SIDE: usize = 32;
pub const CHANNELS: usize = 3;
pub const PLANE: usize = SIDE * SIDE;
const IMAGE: usize = CHANNELS * PLANE;

/// One file of a set.
#[derive(Clone, Copy)]
pub struct RecordFile {
    pub name: &'static str,
    pub records: usize,
}

/// A set in such files.
#[derive(Clone)]
pub struct RecordSet {
    pub name: &'static str,
    pub publication: &'static Publication<'static>,
    pub train: Vec<RecordFile>,
    pub val: RecordFile,
    /// The label bytes that a record begins with: of each, how many classes it tells apart.
    pub labels: &'static [usize],
    /// Which of them is trained on.
    pub used: usize,
    pub class_names: &'static [&'static str],
    /// Whether any of the files tells the set by its name, in a folder of whatever name; else it takes all of them.
    pub telling_names: bool,
}

impl SetReader for RecordSet {
    fn official(&self) -> Option<Facts> {
        Some(self.facts(FactsSource::Official))
    }

    fn origin(&self) -> Origin {
        Origin::Published(self.publication)
    }

    fn locate(&self, root: &Path) -> Option<PathBuf> {
        let folder = root.join(self.publication.folder);
        if self.files().any(|file| folder.join(file.name).exists()) {
            return Some(folder);
        }
        let mut there = self.files().map(|file| root.join(file.name).exists());
        let told = if self.telling_names { there.any(|is| is) } else { there.all(|is| is) };
        told.then(|| root.to_owned())
    }

    fn count(&self, folder: &Path) -> Result<Facts, DataError> {
        for RecordFile { name, records } in self.files() {
            let file = folder.join(name);
            let found = match fs::metadata(&file) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    let files: Vec<&str> = self.files().map(|file| file.name).collect();
                    return Err(DataError::Missing { file, files: files.join(", ") });
                }
                other => other.map_err(DataError::io(&file, "read"))?.len(),
            };
            self.check_size(&file, records, found)?;
        }
        Ok(self.facts(FactsSource::Data))
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        let facts = self.count(folder)?;
        let names = self.class_names.iter().map(|name| (*name).to_owned()).collect();
        let (train, val) = (self.read_split(folder, &self.train)?, self.read_split(folder, &[self.val])?);
        Ok(Dataset::new(facts, names, train, val))
    }
}

impl RecordSet {
    fn facts(&self, source: FactsSource) -> Facts {
        Facts {
            name: self.name.to_owned(),
            train_images: self.train.iter().map(|file| file.records).sum(),
            val_images: self.val.records,
            classes: self.class_names.len(),
            channels: CHANNELS,
            size: SIDE,
            source,
        }
    }

    fn files(&self) -> impl Iterator<Item = RecordFile> {
        self.train.iter().copied().chain([self.val])
    }

    fn record_bytes(&self) -> usize {
        self.labels.len() + IMAGE
    }

    fn check_size(&self, file: &Path, records: usize, found: u64) -> Result<(), DataError> {
        let (records, record_bytes) = (records as u64, self.record_bytes() as u64);
        let expected = records * record_bytes;
        if found == expected {
            return Ok(());
        }
        Err(DataError::Size { file: file.to_owned(), found, expected, records, record_bytes })
    }

    fn read_split(&self, folder: &Path, files: &[RecordFile]) -> Result<Split, DataError> {
        let total = files.iter().map(|file| file.records).sum::<usize>();
        let (mut images, mut labels) = (vec![0; total * IMAGE], vec![0; total]);
        let mut first = 0;
        for RecordFile { name, records } in files {
            let end = first + records;
            let file = folder.join(name);
            self.read_file(&file, &mut images[first * IMAGE..end * IMAGE], &mut labels[first..end])?;
            first = end;
        }
        Ok(Split { images: Images::Memory(images), labels, size: SIDE, channels: CHANNELS })
    }

    fn read_file(&self, file: &Path, images: &mut [u8], labels: &mut [u32]) -> Result<(), DataError> {
        let bytes = fs::read(file).map_err(DataError::io(file, "read"))?;
        self.check_size(file, labels.len(), bytes.len() as u64)?;
        bytes
            .par_chunks_exact(self.record_bytes())
            .zip(images.par_chunks_exact_mut(IMAGE))
            .zip(labels)
            .enumerate()
            .map(|(record, ((source, image), label))| {
                let (head, planes) = source.split_at(self.labels.len());
                for (place, (found, classes)) in head.iter().zip(self.labels).enumerate() {
                    if usize::from(*found) >= *classes {
                        let offset = (record * self.record_bytes() + place) as u64;
                        let (file, found, classes) = (file.to_owned(), *found, *classes);
                        return Some(DataError::Label { file, record, offset, found, classes });
                    }
                }
                *label = u32::from(head[self.used]);
                interleave(planes, image);
                None
            })
            // Of several bad records the first is named, whichever thread was quicker.
            .find_map_first(|error| error)
            .map_or(Ok(()), Err)
    }
}

/// Planes of red, green and blue to pixels of three bytes.
fn interleave(planes: &[u8], image: &mut [u8]) {
    for (c, plane) in planes.chunks_exact(PLANE).enumerate() {
        for (pixel, byte) in image.chunks_exact_mut(CHANNELS).zip(plane) {
            pixel[c] = *byte;
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    impl RecordSet {
        /// The same set with few records a file, to be made in a test.
        pub fn with_records(mut self, records: usize) -> Self {
            self.train.iter_mut().chain([&mut self.val]).for_each(|file| file.records = records);
            self
        }
    }

    /// Small files: record `r` of file `f` has as each label `(f + r)` modulo its classes, and planes of `f`, `r` and
    /// the column.
    pub fn write(set: &RecordSet, folder: &Path) {
        for (f, RecordFile { name, records }) in set.files().enumerate() {
            let mut bytes = Vec::new();
            for r in 0..records {
                bytes.extend(set.labels.iter().map(|classes| ((f + r) % classes) as u8));
                bytes.extend([f as u8; PLANE]);
                bytes.extend([r as u8; PLANE]);
                bytes.extend((0..PLANE).map(|i| (i % SIDE) as u8));
            }
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// Writes the set, damages one file, and gives what reading then says.
    pub fn said(set: &RecordSet, file: &str, damage: impl Fn(&Path)) -> String {
        let folder = tempfile::tempdir().unwrap();
        write(set, folder.path());
        damage(&folder.path().join(file));
        set.read(folder.path()).err().unwrap_or_else(|| panic!("{file} was read")).to_string()
    }
}
