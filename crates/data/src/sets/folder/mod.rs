//! Class folders of PNG and JPEG files: any images of the user's own, decoded into memory.
//!
//! For small images, and for large ones made small on reading. All of them, at one size, must fit in memory.

mod budget;
mod jpeg;
mod layout;
mod picture;

#[cfg(test)]
mod tests;

use super::{Origin, SetEntry, SetReader};
use crate::registry::{Default, Entry, Interval, Kind, Param};
use crate::{DataError, Dataset, Facts, FactsSource, Given, Split};
use layout::{Layout, Listed};
use picture::Picture;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

pub static ENTRY: SetEntry = Entry {
    name: "folder",
    summary: "PNG and JPEG files in class folders: train/<class>/* and val/<class>/* (or test/), or <class>/* alone",
    cite: "the layout of torchvision's ImageFolder",
    params: &[
        Param {
            key: "size",
            kind: Kind::Int { min: 1, max: 1024 },
            default: Default::Absent,
            doc: "side that images are brought to on reading: the middle square, resized; left out: they must all be \
                  square and of one size",
        },
        Param {
            key: "colour",
            kind: Kind::Word(&["rgb", "grey"]),
            default: Default::Toml("\"rgb\""),
            doc: "whether images have three channels or one; those of the other sort are converted",
        },
        Param {
            key: "val",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: true }),
            default: Default::Toml("0.2"),
            doc: "share of the images to validate on, where there are no folders train/ and val/; chosen by each file's \
                  name, so that it stays the same when files are added",
        },
    ],
    shorthand: None,
    make: |settings| {
        Box::new(Folder {
            name: ENTRY.name,
            size: settings.opt_usize("size"),
            channels: if settings.text("colour") == "grey" { 1 } else { 3 },
            val: settings.float("val"),
        })
    },
};

/// The most that a set may take of memory, in bytes.
const MEMORY: u64 = 8 << 30;

/// Class folders, by their own name or another set's.
pub(super) struct Folder {
    /// The set's.
    pub name: &'static str,
    pub size: Option<usize>,
    pub channels: usize,
    pub val: f64,
}

impl SetReader for Folder {
    fn official(&self) -> Option<Facts> {
        None
    }

    fn outline(&self, given: &Given) -> Result<Facts, DataError> {
        let Given { train_images: Some(train_images), val_images: Some(val_images), classes: Some(classes) } = *given
        else {
            return Err(DataError::Absent {
                why: "there are no class folders of images, and a set of one's own has no official figures".to_owned(),
                remedy: "name their folder with `root`, or to plan without them give `train_images`, `val_images` and \
                         `classes` beside `dataset`"
                    .to_owned(),
            });
        };
        let Some(size) = self.size else {
            return Err(DataError::Absent {
                why: "there are no class folders of images to tell their size by".to_owned(),
                remedy: "to plan without them give it: dataset = { kind = \"folder\", size = 64 }".to_owned(),
            });
        };
        Ok(self.facts(train_images, val_images, classes, size, FactsSource::File))
    }

    fn origin(&self) -> Origin {
        Origin::Own
    }

    fn locate(&self, root: &Path) -> Option<PathBuf> {
        Layout::of(root).map(|_| root.to_owned())
    }

    fn count(&self, folder: &Path) -> Result<Facts, DataError> {
        let facts = self.listed_facts(folder)?;
        self.check_memory(folder, &facts)?;
        Ok(facts)
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        let facts = self.count(folder)?;
        let Listed { classes, train, val } = Listed::new(folder, self.val)?;
        let first = &train[0].path;
        let read = |files: &[layout::File]| -> Result<Split, DataError> {
            let len = facts.size * facts.size * facts.channels;
            let mut images = vec![0; files.len() * len];
            let problem = files
                .par_iter()
                .zip(images.par_chunks_exact_mut(len))
                .map(|(file, image)| self.read_image(&file.path, first, facts.size, image).err())
                // Of several bad files the first is named, whichever thread was quicker.
                .find_map_first(|problem| problem);
            let labels = files.iter().map(|file| file.class).collect();
            problem.map_or(Ok(Split { images, labels, size: facts.size, channels: facts.channels }), Err)
        };
        let (train, val) = (read(&train)?, read(&val)?);
        Ok(Dataset::new(facts, classes, train, val))
    }
}

impl Folder {
    fn facts(&self, train_images: usize, val_images: usize, classes: usize, size: usize, source: FactsSource) -> Facts {
        let name = self.name.to_owned();
        Facts { name, train_images, val_images, classes, channels: self.channels, size, source }
    }

    /// What the files' names and, without a size, the first of them tell; whether that fits into memory is not asked.
    pub fn listed_facts(&self, folder: &Path) -> Result<Facts, DataError> {
        let listed = Listed::new(folder, self.val)?;
        let size = self.side(&listed)?;
        Ok(self.facts(listed.train.len(), listed.val.len(), listed.classes.len(), size, FactsSource::Data))
    }

    /// Refuses a set that would take more memory than is sensible, before any of it is taken.
    pub fn check_memory(&self, folder: &Path, facts: &Facts) -> Result<(), DataError> {
        let images = (facts.train_images + facts.val_images) as u64;
        let bytes = images * (facts.size * facts.size * facts.channels) as u64;
        if bytes <= MEMORY {
            return Ok(());
        }
        let gib = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
        Err(DataError::Unusable {
            path: folder.to_owned(),
            problem: format!(
                "{images} images of {0}×{0} with {1} channels take {2:.1} GiB in memory, and at most {3:.0} are allowed",
                facts.size,
                facts.channels,
                gib(bytes),
                gib(MEMORY)
            ),
            remedy: format!("give a smaller side: dataset = {{ kind = \"{}\", size = 32 }}", self.name),
        })
    }

    /// The side of all images: the one asked for, else the first image's own.
    fn side(&self, listed: &Listed) -> Result<usize, DataError> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let first = &listed.train[0].path;
        let (width, height) = picture::extent(first)?;
        if width != height {
            let problem = format!("the image is {width}×{height}, not square");
            return Err(DataError::Unusable { path: first.clone(), problem, remedy: resize_remedy() });
        }
        Ok(width)
    }

    /// Decodes one image into its place, `(side, side, channels)`.
    fn read_image(&self, path: &Path, first: &Path, side: usize, image: &mut [u8]) -> Result<(), DataError> {
        let picture = Picture::read(path, self.channels)?;
        if self.size.is_none() && (picture.width, picture.height) != (side, side) {
            let problem = format!(
                "the image is {}×{}, and {} is {side}×{side}: without a `size` they must all be the same",
                picture.width,
                picture.height,
                first.display()
            );
            return Err(DataError::Unusable { path: path.to_owned(), problem, remedy: resize_remedy() });
        }
        picture.fit(side, image);
        Ok(())
    }
}

fn resize_remedy() -> String {
    "give the side that all are to be brought to: dataset = { kind = \"folder\", size = 64 }".to_owned()
}
