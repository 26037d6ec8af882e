//! CIFAR-100 in its binary version: two files of records of two label bytes, the coarse one first.

use super::SetEntry;
use super::records::{RecordFile, RecordSet};
use crate::publication::{Download, Form, Publication};
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: SetEntry = Entry {
    name: "cifar100",
    summary: "60,000 colour images of 32×32 in a hundred classes, in the official binary files",
    cite: "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    params: &[Param {
        key: "labels",
        kind: Kind::Word(&["fine", "coarse"]),
        default: Default::Toml("'fine'"),
        doc: "which classes: the hundred fine ones, or the twenty coarse ones that they belong to",
    }],
    shorthand: None,
    make: |settings| Box::new(set(settings.text("labels") == "coarse")),
};

/// Bytes and checksum as TensorFlow Datasets and MLDatasets.jl have them.
static PUBLICATION: Publication<'static> = Publication {
    folder: FOLDER,
    downloads: &[Download {
        file: "cifar-100-binary.tar.gz",
        mirrors: &[
            "https://www.cs.toronto.edu/~kriz",
            "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
        ],
        bytes: 168_513_733,
        sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        form: Form::TarGz { folder: FOLDER, files: &["train.bin", "test.bin"] },
    }],
};

const FOLDER: &str = "cifar-100-binary";

fn set(coarse: bool) -> RecordSet {
    RecordSet {
        name: ENTRY.name,
        publication: &PUBLICATION,
        train: vec![RecordFile { name: "train.bin", records: 50_000 }],
        val: RecordFile { name: "test.bin", records: 10_000 },
        labels: &[20, 100],
        used: if coarse { 0 } else { 1 },
        class_names: if coarse { &COARSE } else { &FINE },
        // Other programs call their files so, too.
        telling_names: false,
    }
}

#[rustfmt::skip]
const COARSE: [&str; 20] = [
    "aquatic_mammals", "fish", "flowers", "food_containers", "fruit_and_vegetables", "household_electrical_devices",
    "household_furniture", "insects", "large_carnivores", "large_man-made_outdoor_things",
    "large_natural_outdoor_scenes", "large_omnivores_and_herbivores", "medium_mammals", "non-insect_invertebrates",
    "people", "reptiles", "small_mammals", "trees", "vehicles_1", "vehicles_2",
];

#[rustfmt::skip]
const FINE: [&str; 100] = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
];

#[cfg(test)]
mod tests {
    use super::super::SetReader;
    use super::super::records::tests::{said, write};
    use super::*;
    use std::fs;

    const RECORD: usize = 2 + 3072;

    #[test]
    fn either_label_can_be_trained_on() {
        let folder = tempfile::tempdir().unwrap();
        write(&set(false).with_records(30), folder.path());
        for (coarse, classes, last) in [(false, 100, "worm"), (true, 20, "vehicles_2")] {
            let set = set(coarse).with_records(30).read(folder.path()).unwrap();
            assert_eq!((set.facts.classes, set.class_names.last().unwrap().as_str()), (classes, last));
            assert_eq!((set.facts.train_images, set.facts.val_images), (30, 30));
            let expected: Vec<u32> = (0..30).map(|r| r % classes as u32).collect();
            assert_eq!(set.train.labels, expected);
            assert_eq!(set.train.image(3)[..6], [0, 3, 0, 0, 3, 1]);
        }
    }

    #[test]
    fn both_labels_are_checked() {
        for (place, label, words) in [(0, 20, "expected 0 to 19"), (1, 100, "expected 0 to 99")] {
            let said = said(&set(false).with_records(3), "test.bin", |file| {
                let mut bytes = fs::read(file).unwrap();
                bytes[RECORD + place] = label;
                fs::write(file, bytes).unwrap();
            });
            let at = format!("label {label} at byte {} (record 1), {words}", RECORD + place);
            assert!(said.contains("test.bin") && said.contains(&at), "{said}");
        }
    }

    #[test]
    fn a_stray_train_bin_is_not_the_set() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("train.bin"), "tokens").unwrap();
        assert_eq!(set(false).locate(root.path()), None);
        fs::write(root.path().join("test.bin"), "").unwrap();
        assert_eq!(set(false).locate(root.path()), Some(root.path().to_owned()));
    }

    #[test]
    fn official_figures_are_those_of_the_settings() {
        let facts = |coarse| set(coarse).official().unwrap();
        assert_eq!((facts(false).train_images, facts(false).val_images, facts(false).classes), (50_000, 10_000, 100));
        assert_eq!(facts(true).classes, 20);
    }
}
