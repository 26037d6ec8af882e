//! Data sets, augmentation, order, and the loader that prepares batches ahead.

pub mod augment;
pub mod draw;
mod error;
mod facts;
pub mod fetch;
pub mod loader;
mod luma;
pub mod mix;
mod normalise;
mod open;
pub mod order;
mod others;
mod picture;
#[cfg(test)]
mod pillow;
mod prefetch;
pub mod prune;
pub mod publication;
pub mod resize;
mod sample;
pub mod sets;
pub mod stored;
mod summary;
pub mod weights;

pub use error::DataError;
pub use facts::{Facts, FactsSource};
pub use loader::{Batch, BatchPlan, Loader, Numbers, Training};
pub use normalise::{Normalise, Statistics};
pub use open::{Given, Notice, Request, Root, at_home, facts, open};
pub use others::{Chosen, Others, TrainedOn, open_others};
pub use prefetch::PrefetchError;
pub use summary::hex;

use resize::Extent;
use runner_engine::{kernels, registry, units};
use runner_jpeg as jpeg;
use std::path::{Path, PathBuf};
use stored::{Skipped, Stored};

/// One image file, whole, in red, green and blue: its extent and `(height, width, 3)` bytes. JPEG or PNG, grey and CMYK too.
///
/// # Errors
/// When it cannot be read or decoded.
pub fn decode_rgb(path: &Path) -> Result<(Extent, Vec<u8>), DataError> {
    let mut bytes = Vec::new();
    picture::read(path, &mut bytes)?;
    let mut decoder = picture::Decoder::default();
    let decoded = decoder.whole(path, &bytes, 3).map_err(|error| match error {
        DataError::Unusable { path, problem, .. } => {
            DataError::Unusable { path, problem, remedy: "name a JPEG or PNG file that is whole".to_owned() }
        }
        other => other,
    })?;
    Ok((decoded.extent, decoded.pixels.to_vec()))
}

/// One split of a set.
pub struct Split {
    pub images: Images,
    pub labels: Vec<u32>,
    /// Side of the images in memory; of those on disk, the one that they are served at where nothing else is said.
    pub size: usize,
    pub channels: usize,
}

/// The images of a split.
pub enum Images {
    /// `(n, size, size, channels)`, as decoded.
    Memory(Vec<u8>),
    /// Of any extent, decoded when they are served.
    Stored(Stored),
}

/// A set, loaded and checked.
pub struct Dataset {
    pub facts: Facts,
    pub class_names: Vec<String>,
    pub train: Split,
    pub val: Split,
    /// Of the training images, or as [given](Self::normalised_by), per channel, in `0..=1`: what inputs are normalised with.
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
    /// `sha256:` over images and labels of both splits in order.
    pub digest: String,
    /// Set when this set stands in for another: the other's name.
    pub stands_in_for: Option<String>,
    /// Files that are no part of it: damaged, or no images. Of images on disk the headers were looked at; what is damaged behind
    /// them shows when it is served.
    pub skipped: Vec<Skipped>,
    /// The files of the validation images, in order, where they were read from such into memory.
    pub val_files: Vec<PathBuf>,
}

impl Split {
    /// The bytes of image `index`, `(size, size, channels)`.
    ///
    /// # Panics
    /// When images are not in memory.
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.size * self.size * self.channels;
        &self.bytes()[index * len..(index + 1) * len]
    }

    /// All images in memory.
    ///
    /// # Panics
    /// When they are not there.
    pub fn bytes(&self) -> &[u8] {
        match &self.images {
            Images::Memory(bytes) => bytes,
            Images::Stored(_) => panic!("images on disk, where those in memory were asked for"),
        }
    }

    /// The longest shorter side that an image has: where more is asked for, all are enlarged.
    pub fn longest_short_side(&self) -> usize {
        let short = |Extent { width, height }: Extent| width.min(height);
        match &self.images {
            Images::Memory(_) => self.size,
            Images::Stored(stored) => (0..self.labels.len()).map(|k| short(stored.extent(k))).max().unwrap_or(0),
        }
    }

    /// The images on disk, where they are.
    pub fn stored(&self) -> Option<&Stored> {
        match &self.images {
            Images::Memory(_) => None,
            Images::Stored(stored) => Some(stored),
        }
    }
}

impl Dataset {
    /// A set from its splits: statistics and digest are computed here.
    pub fn new(facts: Facts, class_names: Vec<String>, train: Split, val: Split) -> Self {
        let (mean, std) = summary::statistics(&train);
        let digest = summary::digest(&train, &val);
        let (skipped, val_files) = (Vec::new(), Vec::new());
        Self { facts, class_names, train, val, mean, std, digest, stands_in_for: None, skipped, val_files }
    }

    /// The set, normalised by these statistics in the place of its own; its digest is over the images and stays.
    ///
    /// # Panics
    /// When they are not of as many channels as the images have.
    #[must_use]
    pub fn normalised_by(mut self, Statistics { mean, deviation }: &Statistics) -> Self {
        assert_eq!([mean.len(), deviation.len()], [self.facts.channels; 2], "statistics of other channels");
        let rounded = |numbers: &[f64]| numbers.iter().map(|number| *number as f32).collect();
        (self.mean, self.std) = (rounded(mean), rounded(deviation));
        self
    }

    /// The file of a validation image, or its place in a pack; `None` of images that are no files.
    pub fn val_file(&self, index: usize) -> Option<PathBuf> {
        match self.val.stored() {
            Some(stored) => Some(stored.name(index)),
            None => self.val_files.get(index).cloned(),
        }
    }

    /// The mean colour as bytes.
    pub fn mean_color(&self) -> Vec<u8> {
        self.mean.iter().map(|mean| (mean * 255.0).round() as u8).collect()
    }

    /// The standard deviation in steps of a byte.
    pub fn byte_deviation(&self) -> Vec<f32> {
        self.std.iter().map(|std| std * 255.0).collect()
    }

    /// What a net is given for each byte of each channel and, behind them, for the mean colour: `(channels, 257)`.
    pub fn normalised_bytes(&self) -> Vec<f32> {
        let normalise = Normalise::new(&self.mean, &self.std);
        let (channels, mean) = (self.train.channels, self.mean_color());
        let gray = (0..=255).flat_map(|byte| std::iter::repeat_n(byte, channels));
        let bytes: Vec<u8> = gray.chain(mean).collect();
        let mut values = vec![0.0; bytes.len()];
        normalise.apply(&bytes, &mut values);
        (0..channels).flat_map(|c| values.iter().skip(c).step_by(channels).copied().collect::<Vec<_>>()).collect()
    }

    /// A set on disk, whose digest is known: statistics are those of some training images, spread evenly, as validation would
    /// serve them; damaged ones left out where such are skipped.
    ///
    /// # Errors
    /// When one of these cannot be served.
    pub fn on_disk(
        facts: Facts,
        class_names: Vec<String>,
        train: Split,
        val: Split,
        digest: String,
        skipped: Vec<Skipped>,
    ) -> Result<Self, DataError> {
        let (some, _) = sample::middle(&train, sample::IMAGES)?;
        let (mean, std) = summary::statistics(&some);
        let val_files = Vec::new();
        Ok(Self { facts, class_names, train, val, mean, std, digest, stands_in_for: None, skipped, val_files })
    }
}
