//! CIFAR-10 in its binary version: six files of 10,000 records, each a label and three planes of 32×32 bytes.

use super::{Archive, Origin, SetEntry, SetReader};
use crate::data::{DataError, Dataset, Split};
use crate::data::{Facts, FactsSource};
use crate::registry::Entry;
use rayon::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

pub static ENTRY: SetEntry = Entry {
    name: "cifar10",
    summary: "60,000 colour images of 32×32 in ten classes, in the official binary files",
    cite: "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Cifar10 { records: RECORDS }),
};

static ARCHIVE: Archive = Archive {
    url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    bytes: 170_052_171,
    sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    folder: "cifar-10-batches-bin",
    files: &FILES,
};

/// Five of training images, then the test images.
const FILES: [&str; 6] = [
    "data_batch_1.bin",
    "data_batch_2.bin",
    "data_batch_3.bin",
    "data_batch_4.bin",
    "data_batch_5.bin",
    "test_batch.bin",
];
const CLASSES: [&str; 10] = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const SIDE: usize = 32;
const CHANNELS: usize = 3;
const PLANE: usize = SIDE * SIDE;
const IMAGE: usize = CHANNELS * PLANE;
const RECORD: usize = 1 + IMAGE;
const RECORDS: usize = 10_000;

struct Cifar10 {
    /// Records a file; fewer than the official number only in tests.
    records: usize,
}

impl SetReader for Cifar10 {
    fn official(&self) -> Facts {
        Facts {
            name: ENTRY.name.to_owned(),
            train_images: (FILES.len() - 1) * self.records,
            val_images: self.records,
            classes: CLASSES.len(),
            channels: CHANNELS,
            size: SIDE,
            source: FactsSource::Official,
        }
    }

    fn origin(&self) -> Origin {
        Origin::Archive(&ARCHIVE)
    }

    fn locate(&self, root: &Path) -> Option<PathBuf> {
        let folder = root.join(ARCHIVE.folder);
        if folder.is_dir() {
            return Some(folder);
        }
        FILES.iter().any(|file| root.join(file).exists()).then(|| root.to_owned())
    }

    fn count(&self, folder: &Path) -> Result<Facts, DataError> {
        for name in FILES {
            let file = folder.join(name);
            let found = match fs::metadata(&file) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(DataError::Missing { file, files: FILES.join(", ") });
                }
                other => other.map_err(DataError::io(&file, "read"))?.len(),
            };
            self.check_size(&file, found)?;
        }
        Ok(Facts { source: FactsSource::Data, ..self.official() })
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        let facts = self.count(folder)?;
        let (train, val) = FILES.split_at(FILES.len() - 1);
        let names = CLASSES.iter().map(|name| (*name).to_owned()).collect();
        Ok(Dataset::new(facts, names, self.read_split(folder, train)?, self.read_split(folder, val)?))
    }
}

impl Cifar10 {
    fn check_size(&self, file: &Path, found: u64) -> Result<(), DataError> {
        let expected = (self.records * RECORD) as u64;
        if found == expected {
            return Ok(());
        }
        let (records, record_bytes) = (self.records as u64, RECORD as u64);
        Err(DataError::Size { file: file.to_owned(), found, expected, records, record_bytes })
    }

    fn read_split(&self, folder: &Path, names: &[&str]) -> Result<Split, DataError> {
        let mut images = vec![0; names.len() * self.records * IMAGE];
        let mut labels = vec![0; names.len() * self.records];
        names
            .par_iter()
            .zip(images.par_chunks_mut(self.records * IMAGE))
            .zip(labels.par_chunks_mut(self.records))
            .map(|((name, images), labels)| self.read_file(&folder.join(name), images, labels))
            .collect::<Vec<_>>()
            .into_iter()
            // Of several bad files the first is named, whichever thread was quicker.
            .collect::<Result<(), _>>()?;
        Ok(Split { images, labels, size: SIDE, channels: CHANNELS })
    }

    fn read_file(&self, file: &Path, images: &mut [u8], labels: &mut [u32]) -> Result<(), DataError> {
        let bytes = fs::read(file).map_err(DataError::io(file, "read"))?;
        self.check_size(file, bytes.len() as u64)?;
        let records = bytes.chunks_exact(RECORD).zip(images.chunks_exact_mut(IMAGE)).zip(labels);
        for (record, ((source, image), label)) in records.enumerate() {
            if usize::from(source[0]) >= CLASSES.len() {
                let (file, offset) = (file.to_owned(), (record * RECORD) as u64);
                return Err(DataError::Label { file, record, offset, found: source[0], classes: CLASSES.len() });
            }
            *label = u32::from(source[0]);
            interleave(&source[1..], image);
        }
        Ok(())
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
mod tests {
    use super::*;

    const SMALL: Cifar10 = Cifar10 { records: 3 };

    /// Six small files: record `r` of file `f` has label `(f + r) % 10`, and planes of `f`, `r` and the column.
    fn files(folder: &Path) {
        for (f, name) in FILES.iter().enumerate() {
            let mut bytes = Vec::new();
            for r in 0..SMALL.records {
                bytes.push(((f + r) % 10) as u8);
                bytes.extend([f as u8; PLANE]);
                bytes.extend([r as u8; PLANE]);
                bytes.extend((0..PLANE).map(|i| (i % SIDE) as u8));
            }
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    #[test]
    fn records_become_interleaved_images_in_file_order() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let set = SMALL.read(folder.path()).unwrap();
        assert_eq!((set.facts.train_images, set.facts.val_images), (15, 3));
        assert_eq!(set.facts.source, FactsSource::Data);
        assert_eq!(set.train.labels[..4], [0, 1, 2, 1]);
        assert_eq!(set.val.labels, [5, 6, 7]);
        // Image 4 is record 1 of the second file; its pixel at column 7 of row 2:
        let at = 4 * IMAGE + (2 * SIDE + 7) * CHANNELS;
        assert_eq!(set.train.images[at..at + 3], [1, 1, 7]);
    }

    #[test]
    fn the_folder_may_be_the_root_or_lie_in_it() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(SMALL.locate(root.path()), None);
        fs::write(root.path().join(FILES[3]), "").unwrap();
        assert_eq!(SMALL.locate(root.path()), Some(root.path().to_owned()));
        let inner = root.path().join("cifar-10-batches-bin");
        fs::create_dir(&inner).unwrap();
        assert_eq!(SMALL.locate(root.path()), Some(inner));
    }

    #[test]
    fn each_damage_is_named_with_its_file_and_place() {
        type Case = (&'static str, fn(&Path), &'static [&'static str]);
        let cases: [Case; 6] = [
            ("missing", |f| fs::remove_file(f).unwrap(), &["missing", "data_batch_1.bin, "]),
            ("empty", |f| fs::write(f, "").unwrap(), &["0 bytes, expected 9219", "it is empty"]),
            ("cut in a record", |f| cut(f, 5000), &["5000 bytes", "ends at byte 1927 of record 1"]),
            ("cut between records", |f| cut(f, 2 * RECORD), &["ends after 2 records"]),
            (
                "too long",
                |f| fs::write(f, [fs::read(f).unwrap(), vec![0; 9]].concat()).unwrap(),
                &["9 bytes too many after byte 9219"],
            ),
            (
                "a label of 10",
                |f| {
                    let mut bytes = fs::read(f).unwrap();
                    bytes[2 * RECORD] = 10;
                    fs::write(f, bytes).unwrap();
                },
                &["label 10 at byte 6146 (record 2), expected 0 to 9"],
            ),
        ];
        for (name, damage, words) in cases {
            let folder = tempfile::tempdir().unwrap();
            files(folder.path());
            damage(&folder.path().join("data_batch_4.bin"));
            let message = SMALL.read(folder.path()).err().unwrap_or_else(|| panic!("{name}: read")).to_string();
            for word in ["data_batch_4.bin", "help: "].iter().chain(words) {
                assert!(message.contains(word), "{name}: `{word}` is not in: {message}");
            }
        }
    }

    fn cut(file: &Path, len: usize) {
        fs::write(file, &fs::read(file).unwrap()[..len]).unwrap();
    }

    #[test]
    fn a_set_of_another_length_is_not_taken_for_the_official_one() {
        let folder = tempfile::tempdir().unwrap();
        files(folder.path());
        let message = Cifar10 { records: RECORDS }.count(folder.path()).unwrap_err().to_string();
        assert!(message.contains("9219 bytes, expected 30730000"), "{message}");
    }

    #[test]
    #[ignore = "needs the real files: RUNNER_TEST_CIFAR10=DIR cargo test -- --ignored"]
    fn the_real_files_are_read_whole() {
        let root = std::env::var_os("RUNNER_TEST_CIFAR10").expect("RUNNER_TEST_CIFAR10 names the folder");
        let real = Cifar10 { records: RECORDS };
        let set = real.read(&real.locate(Path::new(&root)).expect("files in RUNNER_TEST_CIFAR10")).unwrap();
        assert_eq!((set.train.labels.len(), set.val.labels.len()), (50_000, 10_000));
        for class in 0..10 {
            assert_eq!(set.val.labels.iter().filter(|l| **l == class).count(), 1000);
        }
        for (mean, official) in set.mean.iter().zip([0.4914, 0.4822, 0.4465]) {
            assert!((mean - official).abs() < 0.005, "{:?}", set.mean);
        }
    }
}
