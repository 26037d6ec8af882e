//! Many images in one file, which is mapped into memory: see FORMAT.md, "Packs".

mod layout;
mod write;

#[cfg(test)]
mod tests;

pub use layout::MAGIC;
pub use write::{Form, Listing, Options, Packed, differences, write};

use super::{Held, Source};
use crate::DataError;
use crate::kernels::Mapped;
use crate::resize::Extent;
use layout::{Head, Record};
use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A pack that was opened: its index is whole, its images are checked when they are first read.
pub struct Pack {
    path: PathBuf,
    map: Mapped,
    pub head: Head,
    records: Vec<Record>,
    /// Where the name of each image begins in `map`.
    names: Vec<usize>,
    checked: Vec<AtomicBool>,
    /// `sha256:` of the index, which holds a checksum of each image.
    pub digest: String,
}

/// The training images of a pack, or those for validation.
pub struct Part {
    pack: Arc<Pack>,
    first: usize,
    count: usize,
}

/// Whether a file begins as packs do.
pub fn is_pack(path: &Path) -> bool {
    let mut start = [0; MAGIC.len()];
    path.is_file() && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && start == *MAGIC
}

impl Pack {
    /// Maps a pack and checks its index.
    ///
    /// # Errors
    /// When it cannot be read, is cut, or is damaged.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let file = File::open(path).map_err(DataError::io(path, "read"))?;
        let map = Mapped::new(&file).map_err(DataError::io(path, "map"))?;
        let damaged = |problem: String| DataError::Unusable {
            path: path.to_owned(),
            problem,
            remedy: "get the file again, or make it anew with `runner data pack`".to_owned(),
        };
        let index = layout::read(&map).map_err(damaged)?;
        let checked = index.records.iter().map(|_| AtomicBool::new(false)).collect();
        let layout::Index { head, records, names, digest } = index;
        Ok(Self { path: path.to_owned(), map, head, records, names, checked, digest })
    }

    /// Labels of the training images, then those of validation.
    pub fn labels(&self) -> [Vec<u32>; 2] {
        let (train, val) = self.records.split_at(self.head.train);
        [train, val].map(|records| records.iter().map(|record| record.class).collect())
    }

    /// The name of an image.
    fn image_name(&self, at: usize) -> Cow<'_, str> {
        let Self { names, map, records, .. } = self;
        let name = map.get(names[at]..).and_then(|rest| rest.get(..records[at].name_bytes)).unwrap_or_default();
        String::from_utf8_lossy(name)
    }

    /// The side of all images, where they are squares of one size.
    pub fn side(&self) -> Option<usize> {
        let first = self.records.first()?.extent;
        let alike = first == Extent::square(first.width) && self.records.iter().all(|record| record.extent == first);
        alike.then_some(first.width).filter(|side| *side > 0)
    }

    /// The two splits.
    pub fn parts(self) -> [Part; 2] {
        let pack = Arc::new(self);
        let (first, all) = (pack.head.train, pack.records.len());
        let part = |first, count| Part { pack: Arc::clone(&pack), first, count };
        [part(0, first), part(first, all - first)]
    }
}

impl Source for Part {
    fn len(&self) -> usize {
        self.count
    }

    fn extent(&self, index: usize) -> Extent {
        self.pack.records[self.first + index].extent
    }

    fn name(&self, index: usize) -> PathBuf {
        self.pack.path.join(self.pack.image_name(self.first + index).as_ref())
    }

    fn held<'a>(&'a self, index: usize, _: &'a mut Vec<u8>) -> Result<Held<'a>, DataError> {
        let (pack, at) = (&*self.pack, self.first + index);
        let record = &pack.records[at];
        // Within the file, as opening has seen.
        let bytes = &pack.map[record.range()];
        if !pack.checked[at].load(Ordering::Relaxed) {
            if layout::crc(bytes) != record.crc {
                return Err(DataError::Unusable {
                    path: self.name(index),
                    problem: "its bytes are not those that were packed: the checksum differs".to_owned(),
                    remedy: "get the pack again, make it anew with `runner data pack`, or go without such images with \
                             skip_bad = true"
                        .to_owned(),
                });
            }
            pack.checked[at].store(true, Ordering::Relaxed);
        }
        Ok(if pack.head.channels == 0 { Held::File(bytes) } else { Held::Pixels(bytes) })
    }
}
