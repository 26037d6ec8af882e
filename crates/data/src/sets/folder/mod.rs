//! Class folders of PNG and JPEG files: any images of the user's own, decoded into memory or each time they are served; the
//! same packed into one file.

mod disk;
mod layout;
mod list;
mod memory;
mod others;
mod packed;

#[cfg(test)]
mod tests;

use super::{Origin, SetEntry, SetReader};
use crate::picture;
use crate::registry::{Default, Entry, Interval, Kind, Param, Settings};
use crate::resize::Extent;
use crate::stored::Manner;
use crate::stored::pack::{Listing, is_pack};
use crate::{Chosen, DataError, Dataset, Facts, FactsSource, Given, Others};
use layout::{Layout, Listed};
use std::path::{Path, PathBuf};

pub static ENTRY: SetEntry = Entry {
    name: "folder",
    summary: "PNG and JPEG files in class folders: train/<class>/* and val/<class>/* (or test/), or <class>/* alone; or \
              what `runner data pack` makes of them; pixels as the file holds them, unless `exif_orientation` has them turned",
    cite: "the layout of torchvision's ImageFolder",
    params: &[
        Param {
            key: "size",
            kind: Kind::Int { min: 1, max: 1024 },
            default: Default::Absent,
            doc: "in memory, the side that images are brought to on reading: the middle square, resized; left out: they \
                  must all be square and of one size. On disk, the size of phases that name none; left out: 224",
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
        Param { default: Default::Toml("\"memory\""), ..KEEP },
        MARGIN,
        RECTANGULAR,
        VAL_LIST,
        SKIP_BAD,
        ORIENTATION,
    ],
    shorthand: None,
    make: |settings| {
        let channels = if settings.text("colour") == "grey" { 1 } else { 3 };
        Box::new(Folder::new(ENTRY.name, settings.opt_usize("size"), channels, settings.float("val"), settings))
    },
};

/// Where images are between one serving and the next.
pub(super) const KEEP: Param = Param {
    key: "keep",
    kind: Kind::Word(&["memory", "disk"]),
    default: Default::Required,
    doc: "`memory`: all images, decoded, at one size; for sets that fit. `disk`: each is decoded when a batch needs it, at the \
          size of its phase; crops are taken from the image as the file holds it",
};

pub(super) const MARGIN: Param = Param {
    key: "margin",
    kind: Kind::Float(Interval { min: 1.0, max: 4.0, min_open: false, max_open: false }),
    // 8/7, such that 224 is cut out of 256.
    default: Default::Toml("1.142857"),
    doc: "on disk: without a crop, and in validation, the short side is brought to so many times the size, and the middle \
          is served",
};

pub(super) const RECTANGULAR: Param = Param {
    key: "rectangular",
    kind: Kind::Bool,
    default: Default::Toml("false"),
    doc: "on disk: validation images keep their shape, in batches of images of alike width by height; the long side is cut to \
          a multiple of 32",
};

pub(super) const VAL_LIST: Param = Param {
    key: "val_list",
    kind: Kind::Text,
    default: Default::Absent,
    doc: "a file in the set's folder that lists the validation images: a path on each line, relative to val/ or to that folder, and \
          behind a tab, a space or a comma the class of a file in no class folder, by name or by its place from 0 on. Either may have \
          spaces; where that leaves a doubt, a tab or double quotes tell where it ends",
};

pub(super) const SKIP_BAD: Param = Param {
    key: "skip_bad",
    kind: Kind::Bool,
    default: Default::Toml("false"),
    doc: "go without files that are no images or cannot be decoded, and say how many; otherwise they are an error. Of images on \
          disk some show only as they are decoded: validation then leaves them out, and in a batch to train on the next image of \
          their class stands in. A JPEG file whose data end early or are damaged is left out whatever part of it is decoded: its codes are \
          read to their end the first time that it is served",
};

pub(super) const ORIENTATION: Param = Param {
    key: super::EXIF_ORIENTATION,
    kind: Kind::Bool,
    // Absent, so that experiments of before are what they were.
    default: Default::Absent,
    doc: "whether photographs are turned upright, as the EXIF orientation of a JPEG file says, before anything else is done with \
          them; left out: no, as in torchvision's ImageFolder. A pack is made with it or without: `runner data pack --set \
          data.dataset.exif_orientation=true`",
};

/// Reads images in the place of those of a set that has no files of images.
///
/// # Errors
/// As [`crate::open_others`].
pub(crate) fn read_others(others: Others<'_>) -> Result<(Dataset, Chosen), DataError> {
    Folder::like(&others.trained_on.facts).read_others(others)
}

/// Class folders, by their own name or another set's.
#[derive(Clone)]
pub(super) struct Folder {
    /// The set's.
    pub name: &'static str,
    pub size: Option<usize>,
    pub val: f64,
    pub val_list: Option<String>,
    pub on_disk: bool,
    pub manner: Manner,
}

/// The size of phases that name none, of images on disk.
const USUAL: usize = 224;

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
        let Some(size) = self.size.or(self.on_disk.then_some(USUAL)) else {
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
        (is_pack(root) || Layout::of(root).is_some()).then(|| root.to_owned())
    }

    fn read_others(&self, others: Others<'_>) -> Option<Result<(Dataset, Chosen), DataError>> {
        Some(self.read_others(others))
    }

    fn to_pack(&self, folder: &Path) -> Option<Result<Listing, DataError>> {
        Some(self.to_pack(folder))
    }

    fn count(&self, folder: &Path) -> Result<Facts, DataError> {
        if is_pack(folder) {
            return self.pack_facts(folder);
        }
        if self.on_disk {
            return self.disk_facts(folder);
        }
        let facts = self.listed_facts(folder)?;
        self.check_memory(folder, &facts)?;
        Ok(facts)
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        match (is_pack(folder), self.on_disk) {
            (true, _) => self.open_pack(folder),
            (false, true) => self.open_disk(folder),
            (false, false) => self.read_memory(folder),
        }
    }
}

impl Folder {
    /// Of the settings that class folders share; `val`: see that of `folder`.
    pub fn new(name: &'static str, size: Option<usize>, channels: usize, val: f64, settings: &Settings) -> Self {
        Self {
            name,
            size,
            val,
            val_list: settings.opt_text("val_list"),
            on_disk: settings.text("keep") == "disk",
            manner: Manner {
                channels,
                margin: settings.float("margin"),
                skip_bad: settings.bool("skip_bad"),
                rectangular: settings.bool("rectangular"),
                turns: settings.opt_bool(super::EXIF_ORIENTATION).unwrap_or(false),
            },
        }
    }

    fn facts(&self, train_images: usize, val_images: usize, classes: usize, size: usize, source: FactsSource) -> Facts {
        let (name, channels) = (self.name.to_owned(), self.manner.channels);
        Facts { name, train_images, val_images, classes, channels, size, source }
    }

    fn listed(&self, folder: &Path) -> Result<Listed, DataError> {
        Listed::new(folder, self.val, self.val_list.as_deref(), self.manner.skip_bad)
    }

    /// What the files' names and, in memory without a size, the first of them tell; whether that fits into memory is not
    /// asked.
    pub fn listed_facts(&self, folder: &Path) -> Result<Facts, DataError> {
        let listed = self.listed(folder)?;
        let size = if self.on_disk { self.size.unwrap_or(USUAL) } else { self.side(&listed)? };
        Ok(self.facts(listed.train.len(), listed.val.len(), listed.classes.len(), size, FactsSource::Data))
    }

    /// The side of all images in memory: the one asked for, else the first image's own.
    fn side(&self, listed: &Listed) -> Result<usize, DataError> {
        if let Some(size) = self.size {
            return Ok(size);
        }
        let first = &listed.train[0].path;
        let Extent { width, height } = picture::extent(first, self.manner.turns)?;
        if width != height {
            let problem = format!("the image is {width}×{height}, not square");
            return Err(DataError::Unusable { path: first.clone(), problem, remedy: resize_remedy() });
        }
        Ok(width)
    }
}

fn resize_remedy() -> String {
    "give the side that all are to be brought to: dataset = { kind = \"folder\", size = 64 }".to_owned()
}
