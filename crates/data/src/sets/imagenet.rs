//! ImageNet (ILSVRC 2012), whose figures are known before its files are there: its schedules can be planned without them.

use super::folder::{Folder, KEEP, MARGIN, ORIENTATION, RECTANGULAR, SKIP_BAD, VAL_LIST};
use super::{Origin, SetEntry, SetReader};
use crate::registry::{Default, Entry, Kind, Param};
use crate::stored::pack::{Listing, is_pack};
use crate::units::classes;
use crate::{Chosen, DataError, Dataset, Facts, FactsSource, Others};
use std::path::{Path, PathBuf};

const NAME: &str = "imagenet";
const TRAIN_IMAGES: usize = 1_281_167;
const VAL_IMAGES: usize = 50_000;
const CLASSES: usize = 1000;
const CHANNELS: usize = 3;
/// The first class by name, the tench: its folder tells ImageNet from other class folders.
const FIRST_CLASS: &str = "n01440764";
const HOW: &str = "nobody may pass it on: sign up at https://www.image-net.org, download the images of ILSVRC 2012 (train and \
                   validation, tasks 1 and 2), unpack them into class folders, train/n01440764/*.JPEG and \
                   val/n01440764/*.JPEG, and name the folder that holds train/ and val/";

pub static ENTRY: SetEntry = Entry {
    name: NAME,
    summary: "1,281,167 photographs of 1000 classes, and 50,000 to validate on, in class folders as those of `folder`",
    cite: "Russakovsky et al. 2014, ImageNet Large Scale Visual Recognition Challenge (arXiv:1409.0575); the set of 2012",
    params: &[
        Param {
            key: "size",
            kind: Kind::Int { min: 1, max: 1024 },
            default: Default::Toml("224"),
            doc: "on disk, the size of phases that name none; in memory, which at most 46 pixels a side fit into, the side that \
                  images are brought to on reading: the middle square, resized",
        },
        Param { default: Default::Toml("\"disk\""), ..KEEP },
        MARGIN,
        RECTANGULAR,
        VAL_LIST,
        SKIP_BAD,
        ORIENTATION,
    ],
    shorthand: Some("size"),
    // The share is that of sets without train/ and val/.
    make: |settings| Box::new(ImageNet(Folder::new(NAME, settings.opt_usize("size"), CHANNELS, 0.5, settings))),
};

struct ImageNet(Folder);

impl ImageNet {
    fn folders(&self) -> &Folder {
        &self.0
    }

    fn facts(&self, source: FactsSource) -> Facts {
        Facts {
            name: NAME.to_owned(),
            train_images: TRAIN_IMAGES,
            val_images: VAL_IMAGES,
            classes: CLASSES,
            channels: CHANNELS,
            size: self.0.size.unwrap_or(224),
            source,
        }
    }

    /// That the files are the whole set and no other.
    fn check(&self, folder: &Path, found: &Facts) -> Result<(), DataError> {
        let figures = |facts: &Facts| {
            let of = classes(facts.classes);
            format!("{} training and {} validation images of {of}", facts.train_images, facts.val_images)
        };
        let (found, whole) = (figures(found), figures(&self.facts(FactsSource::Official)));
        if found == whole {
            return Ok(());
        }
        Err(DataError::Unusable {
            path: folder.to_owned(),
            problem: format!("there are {found}, and ImageNet has {whole}"),
            remedy: format!(
                "add what is missing; for other class folders there is dataset = {{ kind = \"folder\", size = {} }}",
                self.0.size.unwrap_or(224)
            ),
        })
    }
}

impl SetReader for ImageNet {
    fn official(&self) -> Option<Facts> {
        Some(self.facts(FactsSource::Official))
    }

    fn origin(&self) -> Origin {
        Origin::Elsewhere(HOW)
    }

    fn locate(&self, root: &Path) -> Option<PathBuf> {
        if is_pack(root) {
            return Some(root.to_owned());
        }
        let folders = [root.join(NAME), root.to_owned()];
        folders.into_iter().find(|folder| folder.join("train").join(FIRST_CLASS).is_dir())
    }

    fn read_others(&self, others: Others<'_>) -> Option<Result<(Dataset, Chosen), DataError>> {
        SetReader::read_others(self.folders(), others)
    }

    fn to_pack(&self, folder: &Path) -> Option<Result<Listing, DataError>> {
        SetReader::to_pack(self.folders(), folder)
    }

    fn count(&self, folder: &Path) -> Result<Facts, DataError> {
        if is_pack(folder) {
            // Of the images that were whole when it was made.
            return self.folders().count(folder);
        }
        self.check(folder, &self.folders().listed_facts(folder)?)?;
        self.folders().count(folder)
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        self.count(folder)?;
        self.folders().read(folder)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Given;
    use crate::stored::Manner;
    use std::fs;

    const SET: ImageNet = set(64);

    /// In memory.
    const fn set(size: usize) -> ImageNet {
        let manner =
            Manner { channels: CHANNELS, margin: 8.0 / 7.0, skip_bad: false, rectangular: false, turns: false };
        ImageNet(Folder { name: NAME, size: Some(size), val: 0.5, val_list: None, on_disk: false, manner })
    }

    #[test]
    fn figures_are_known_without_files() {
        let facts = SET.outline(&Given::default()).unwrap();
        assert_eq!((facts.train_images, facts.val_images, facts.classes), (1_281_167, 50_000, 1000));
        assert_eq!((facts.size, facts.channels, facts.source), (64, 3, FactsSource::Official));
    }

    #[test]
    fn other_class_folders_are_not_taken_for_it_and_a_part_of_it_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let touch = |file: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        };
        for file in ["train/cat/a.jpg", "val/cat/a.jpg", "imagenet/train/n01440764/a.JPEG"] {
            touch(file);
            let there = file.starts_with(NAME).then(|| root.path().join(NAME));
            assert_eq!(SET.locate(root.path()), there);
        }
        touch("imagenet/val/n01440764/b.JPEG");
        let folder = SET.locate(root.path()).unwrap();
        assert_eq!(SET.locate(&folder), Some(folder.clone()), "named itself");
        let said = SET.count(&folder).unwrap_err().to_string();
        for words in ["1 training and 1 validation images of 1 class,", "1281167 training", "kind = \"folder\""] {
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn what_does_not_fit_into_memory_is_said_before_images_are_read() {
        let said = SET.folders().check_memory(Path::new("there"), &SET.facts(FactsSource::Data)).unwrap_err();
        assert!(said.to_string().contains("dataset = { kind = \"imagenet\", size = "), "{said}");
        let small = set(46);
        assert!(small.folders().check_memory(Path::new("there"), &small.facts(FactsSource::Data)).is_ok());
        let large = set(47);
        assert!(large.folders().check_memory(Path::new("there"), &large.facts(FactsSource::Data)).is_err());
    }
}
