//! Class folders whose files stay where they are.

use super::layout::File;
use super::{Folder, Listed};
use crate::error::DAMAGED;
use crate::resize::Extent;
use crate::stored::{Files, Skipped, Stored, check};
use crate::summary::hex;
use crate::{DataError, Dataset, Facts, Images, Split};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Files whose headers were read.
pub(super) struct Checked {
    pub classes: Vec<String>,
    pub train: Vec<(File, Extent)>,
    pub val: Vec<(File, Extent)>,
    pub skipped: Vec<Skipped>,
}

impl Folder {
    /// What the files' names tell; where damaged ones are skipped, their headers too.
    pub(super) fn disk_facts(&self, folder: &Path) -> Result<Facts, DataError> {
        let mut facts = self.listed_facts(folder)?;
        if self.manner.skip_bad {
            let checked = self.checked(folder)?;
            (facts.train_images, facts.val_images) = (checked.train.len(), checked.val.len());
        }
        Ok(facts)
    }

    /// Reads the header of each file.
    pub(super) fn checked(&self, folder: &Path) -> Result<Checked, DataError> {
        let Listed { classes, train, val, mut skipped } = self.listed(folder)?;
        let mut damaged = Vec::new();
        let (train, val) = (self.whole(train, &mut damaged)?, self.whole(val, &mut damaged)?);
        self.skip(damaged, &mut skipped)?;
        Ok(Checked { classes, train, val, skipped })
    }

    /// Notes damaged files as left out.
    ///
    /// # Errors
    /// When there are such, and they are not skipped.
    pub(super) fn skip(&self, mut damaged: Vec<Skipped>, skipped: &mut Vec<Skipped>) -> Result<(), DataError> {
        if self.manner.skip_bad {
            skipped.append(&mut damaged);
        }
        DataError::of_files(damaged, DAMAGED).map_or(Ok(()), Err)
    }

    /// Opens the set: its files are listed and their headers read, and some images are decoded for the statistics.
    pub(super) fn open_disk(&self, folder: &Path) -> Result<Dataset, DataError> {
        let mut facts = self.listed_facts(folder)?;
        let Checked { classes, train, val, skipped } = self.checked(folder)?;
        (facts.train_images, facts.val_images) = (train.len(), val.len());
        let digest = digest(folder, self.manner.channels, [&train, &val])?;
        let (train, val) = (self.stored(train, &facts), self.stored(val, &facts));
        self.check_some(folder, &train, &val)?;
        Dataset::on_disk(facts, classes, train, val, digest, skipped)
    }

    /// Files with their extents; those without a header are put aside.
    pub(super) fn whole(&self, files: Vec<File>, damaged: &mut Vec<Skipped>) -> Result<Vec<(File, Extent)>, DataError> {
        let paths: Vec<&Path> = files.iter().map(|file| file.path.as_path()).collect();
        let found = check(&paths, self.manner.turns)?;
        let mut whole = Vec::new();
        for (file, found) in files.into_iter().zip(found) {
            match found {
                Ok(extent) => whole.push((file, extent)),
                Err(bad) => damaged.push(bad),
            }
        }
        Ok(whole)
    }

    /// A split of files.
    pub(super) fn stored(&self, files: Vec<(File, Extent)>, facts: &Facts) -> Split {
        let labels = files.iter().map(|(file, _)| file.class).collect();
        let files = Files { files: files.into_iter().map(|(file, extent)| (file.path, extent)).collect() };
        let images = Images::Stored(Stored::new(files, self.manner));
        Split { images, labels, size: facts.size, channels: facts.channels }
    }
}

/// `sha256:` over both splits: of each the number of images (8 bytes, little-endian), and of each image the class (4 bytes),
/// width, height (as the image is shown, where it is turned) and bytes of the file (8 bytes each) and its path under the folder, with `/`, and a byte 0; the number of
/// channels last (8 bytes). What the files hold is not read: that of a large set takes longer than a training.
pub(super) fn digest(folder: &Path, channels: usize, splits: [&[(File, Extent)]; 2]) -> Result<String, DataError> {
    let mut hash = Sha256::new();
    for split in splits {
        hash.update((split.len() as u64).to_le_bytes());
        for (File { path, class }, extent) in split {
            let bytes = std::fs::metadata(path).map_err(DataError::io(path, "read"))?.len();
            hash.update(class.to_le_bytes());
            for number in [extent.width as u64, extent.height as u64, bytes] {
                hash.update(number.to_le_bytes());
            }
            let relative = path.strip_prefix(folder).unwrap_or(path);
            let names: Vec<_> = relative.iter().map(|name| name.to_string_lossy()).collect();
            hash.update(names.join("/").as_bytes());
            hash.update([0]);
        }
    }
    hash.update((channels as u64).to_le_bytes());
    Ok(format!("sha256:{}", hex(&hash.finalize())))
}
