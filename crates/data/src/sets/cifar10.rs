//! CIFAR-10 in its binary version: six files of 10,000 records of one label byte.

use super::SetEntry;
use super::records::{RecordFile, RecordSet};
use crate::publication::{Download, Form, Publication};
use crate::registry::Entry;

pub static ENTRY: SetEntry = Entry {
    name: "cifar10",
    summary: "60,000 colour images of 32×32 in ten classes, in the official binary files",
    cite: "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    params: &[],
    shorthand: None,
    make: |_| Box::new(set()),
};

/// Bytes and checksum as TensorFlow Datasets and MLDatasets.jl have them.
static PUBLICATION: Publication<'static> = Publication {
    folder: FOLDER,
    downloads: &[Download {
        file: "cifar-10-binary.tar.gz",
        mirrors: &[
            "https://www.cs.toronto.edu/~kriz",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
        ],
        bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        form: Form::TarGz { folder: FOLDER, files: &FILES },
    }],
};

const FOLDER: &str = "cifar-10-batches-bin";
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
const RECORDS: usize = 10_000;

fn set() -> RecordSet {
    let [train @ .., val] = FILES.map(|name| RecordFile { name, records: RECORDS });
    RecordSet {
        name: ENTRY.name,
        publication: &PUBLICATION,
        train: train.to_vec(),
        val,
        labels: &[10],
        used: 0,
        class_names: &CLASSES,
        telling_names: true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::SetReader;
    use super::super::records::tests::{said, write};
    use super::super::records::{CHANNELS, PLANE, SIDE};
    use super::*;
    use crate::FactsSource;
    use std::fs;
    use std::path::Path;

    const RECORD: usize = 1 + CHANNELS * PLANE;

    fn small() -> RecordSet {
        set().with_records(3)
    }

    #[test]
    fn records_become_interleaved_images_in_file_order() {
        let folder = tempfile::tempdir().unwrap();
        write(&small(), folder.path());
        let set = small().read(folder.path()).unwrap();
        assert_eq!((set.facts.train_images, set.facts.val_images), (15, 3));
        assert_eq!(set.facts.source, FactsSource::Data);
        assert_eq!(set.train.labels[..4], [0, 1, 2, 1]);
        assert_eq!(set.val.labels, [5, 6, 7]);
        // Image 4 is record 1 of the second file; its pixel at column 7 of row 2:
        let at = (2 * SIDE + 7) * CHANNELS;
        assert_eq!(set.train.image(4)[at..at + 3], [1, 1, 7]);
    }

    #[test]
    fn the_folder_may_be_the_root_or_lie_in_it() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(small().locate(root.path()), None);
        fs::write(root.path().join(FILES[3]), "").unwrap();
        assert_eq!(small().locate(root.path()), Some(root.path().to_owned()));
        let inner = root.path().join(FOLDER);
        fs::create_dir(&inner).unwrap();
        assert_eq!(small().locate(root.path()), Some(root.path().to_owned()), "an empty folder is none");
        fs::write(inner.join(FILES[5]), "").unwrap();
        assert_eq!(small().locate(root.path()), Some(inner));
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
            let message = said(&small(), "data_batch_4.bin", damage);
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
        write(&small(), folder.path());
        let message = set().count(folder.path()).unwrap_err().to_string();
        assert!(message.contains("9219 bytes, expected 30730000"), "{message}");
    }

    #[test]
    #[ignore = "needs the real files: RUNNER_TEST_CIFAR10=DIR cargo test -- --ignored"]
    fn the_real_files_are_read_whole() {
        let root = std::env::var_os("RUNNER_TEST_CIFAR10").expect("RUNNER_TEST_CIFAR10 names the folder");
        let folder = set().locate(Path::new(&root)).expect("files in RUNNER_TEST_CIFAR10");
        let set = set().read(&folder).unwrap();
        assert_eq!((set.train.labels.len(), set.val.labels.len()), (50_000, 10_000));
        for class in 0..10 {
            assert_eq!(set.val.labels.iter().filter(|l| **l == class).count(), 1000);
        }
        for (mean, official) in set.mean.iter().zip([0.4914, 0.4822, 0.4465]) {
            assert!((mean - official).abs() < 0.005, "{:?}", set.mean);
        }
    }
}
