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
#[cfg(test)]
mod pillow;
mod prefetch;
pub mod publication;
pub mod resize;
pub mod sets;
mod summary;

pub use error::DataError;
pub use facts::{Facts, FactsSource};
pub use loader::{Batch, BatchPlan, Loader, Training};
pub use normalise::Normalise;
pub use open::{Given, Notice, Request, Root, facts, open};
pub use prefetch::PrefetchError;

use runner_engine::{kernels, registry, units};

/// One split of a set in memory: bytes, channels-last.
pub struct Split {
    /// `(n, size, size, channels)`, as decoded.
    pub images: Vec<u8>,
    pub labels: Vec<u32>,
    pub size: usize,
    pub channels: usize,
}

/// A set, loaded and checked.
pub struct Dataset {
    pub facts: Facts,
    pub class_names: Vec<String>,
    pub train: Split,
    pub val: Split,
    /// Of the training images, per channel, in `0..=1`: what inputs are normalised with.
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
    /// `sha256:` over images and labels of both splits in order.
    pub digest: String,
    /// Set when this set stands in for another: the other's name.
    pub stands_in_for: Option<String>,
}

impl Split {
    /// The bytes of image `index`, `(size, size, channels)`.
    pub fn image(&self, index: usize) -> &[u8] {
        let len = self.size * self.size * self.channels;
        &self.images[index * len..(index + 1) * len]
    }
}

impl Dataset {
    /// A set from its splits: statistics and digest are computed here.
    pub fn new(facts: Facts, class_names: Vec<String>, train: Split, val: Split) -> Self {
        let (mean, std) = summary::statistics(&train);
        let digest = summary::digest(&train, &val);
        Self { facts, class_names, train, val, mean, std, digest, stands_in_for: None }
    }
}
