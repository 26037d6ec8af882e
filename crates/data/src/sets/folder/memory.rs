//! Class folders decoded into memory, at one size.

use super::layout::File;
use super::{Folder, Listed, resize_remedy};
use crate::picture::{Reading, with_whole};
use crate::resize::{Extent, Resizer, Window};
use crate::stored::{Manner, Skipped};
use crate::{DataError, Dataset, Facts, Images, Split};
use rayon::prelude::*;
use std::path::Path;

/// The most that a set may take of memory, in bytes.
const MEMORY: u64 = 8 << 30;

impl Folder {
    /// Refuses a set that would take more memory than is sensible, before any of it is taken.
    pub fn check_memory(&self, folder: &Path, facts: &Facts) -> Result<(), DataError> {
        if self.manner.rectangular {
            return Err(DataError::Unusable {
                path: folder.to_owned(),
                problem: "`rectangular`, though images in memory are square".to_owned(),
                remedy: "leave it out, or add keep = \"disk\"".to_owned(),
            });
        }
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
            remedy: format!(
                "leave them on disk, dataset = {{ kind = \"{0}\", keep = \"disk\" }}, or give a smaller side: dataset = \
                 {{ kind = \"{0}\", size = 32 }}",
                self.name
            ),
        })
    }

    /// Decodes all files.
    pub(super) fn read_memory(&self, folder: &Path) -> Result<Dataset, DataError> {
        let mut facts = self.listed_facts(folder)?;
        self.check_memory(folder, &facts)?;
        let Listed { classes, train: files, val: val_files, mut skipped } = self.listed(folder)?;
        let first = &files[0].path;
        let mut errors = Vec::new();
        let (train, _) = self.decoded(&files, first, facts.size, &mut skipped, &mut errors)?;
        let (val, kept) = self.decoded(&val_files, first, facts.size, &mut skipped, &mut errors)?;
        if let Some(error) = DataError::together(errors) {
            return Err(error);
        }
        self.check_some(folder, &train, &val)?;
        (facts.train_images, facts.val_images) = (train.labels.len(), val.labels.len());
        let mut set = Dataset::new(facts, classes, train, val);
        set.skipped = skipped;
        set.val_files = kept.into_iter().map(|k| val_files[k].path.clone()).collect();
        Ok(set)
    }

    /// Decodes files to one side, and tells which are in the split, by their places: damaged ones are not, but told of
    /// where such are skipped, and else errors. Without a size of its own they must all be as `first` is.
    pub(super) fn decoded(
        &self,
        files: &[File],
        first: &Path,
        side: usize,
        skipped: &mut Vec<Skipped>,
        errors: &mut Vec<DataError>,
    ) -> Result<(Split, Vec<usize>), DataError> {
        let channels = self.manner.channels;
        let len = side * side * channels;
        let mut images = vec![0; files.len() * len];
        let decode = |(file, image): (&File, &mut [u8])| self.read_image(&file.path, first, side, image).err();
        let problems: Vec<Option<DataError>> =
            files.par_iter().zip(images.par_chunks_exact_mut(len)).map(decode).collect();
        let (mut labels, mut kept) = (Vec::new(), Vec::new());
        for (k, (file, problem)) in files.iter().zip(problems).enumerate() {
            match problem {
                None => {
                    images.copy_within(k * len..(k + 1) * len, kept.len() * len);
                    labels.push(file.class);
                    kept.push(k);
                }
                Some(error) if !self.manner.skip_bad || is_of_another_size(&error) => errors.push(error),
                Some(error) => skipped.push(Skipped::of(error)?),
            }
        }
        images.truncate(kept.len() * len);
        Ok((Split { images: Images::Memory(images), labels, size: side, channels }, kept))
    }

    /// That a split is not empty for all its files being damaged.
    pub(super) fn check_some(&self, folder: &Path, train: &Split, val: &Split) -> Result<(), DataError> {
        let empty = [(train, "training"), (val, "validation")].into_iter().find(|(split, _)| split.labels.is_empty());
        let Some((_, name)) = empty else { return Ok(()) };
        Err(DataError::Unusable {
            path: folder.to_owned(),
            problem: format!("none of the {name} images can be decoded"),
            remedy: "see without skip_bad what is wrong with them".to_owned(),
        })
    }

    /// Decodes one image into its place, `(side, side, channels)`: the middle square, in whole pixels.
    fn read_image(&self, path: &Path, first: &Path, side: usize, image: &mut [u8]) -> Result<(), DataError> {
        let Manner { channels, turns, .. } = self.manner;
        let reading = Reading { channels, turns };
        with_whole(path, reading, |pixels, extent| {
            let to = Extent::square(side);
            if self.size.is_none() && extent != to {
                let problem = format!(
                    "the image is {extent}, and {} is {to}: without a `size` they must all be the same",
                    first.display()
                );
                return Err(DataError::Unusable { path: path.to_owned(), problem, remedy: resize_remedy() });
            }
            let square = extent.width.min(extent.height);
            let (left, top) = ((extent.width - square) / 2, (extent.height - square) / 2);
            let middle = Window { left, top, width: square, height: square };
            Resizer::new(self.manner.channels).resize(pixels, extent, middle, to, image);
            Ok(())
        })
    }
}

/// Whether the image is none that is damaged, but the set lacks a size.
fn is_of_another_size(error: &DataError) -> bool {
    matches!(error, DataError::Unusable { remedy, .. } if *remedy == resize_remedy())
}
