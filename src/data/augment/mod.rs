//! Augmentation: what is done to a training image each time it is served.
//!
//! Images are resized to the phase's size first and augmented then, as bytes: all lengths are pixels of that size, so
//! `translate = 2` moves an image of 16 twice as far, in parts of it, as one of 32. A phase may name its own list.
//!
//! What is drawn is a function of (seed, purpose, epoch, image number) and of the list's order, never of the batch, the
//! step or the thread.

pub mod cutout;
pub mod flip;
pub mod flip_alternating;
pub mod translate;

use crate::registry::{Choice, Describe, Entry, Family, Settings};
use crate::units::{Purpose, rng};
use rand_chacha::ChaCha8Rng;

/// One change of one image.
pub trait Augment: Send + Sync {
    fn apply(&self, image: &mut Image, draw: &mut Draw);
}

/// A list of changes, made in order.
pub type Chain = Vec<Box<dyn Augment>>;

/// What one serving of one image may draw from.
pub struct Draw {
    pub seed: u64,
    pub epoch: u64,
    /// The image's number in the set.
    pub index: u64,
    /// The stream of this serving, shared by the list's members in turn.
    pub rng: ChaCha8Rng,
}

impl Draw {
    pub fn new(seed: u64, epoch: u64, index: u64) -> Self {
        Self { seed, epoch, index, rng: rng(seed, Purpose::Augment, epoch, index) }
    }
}

/// An image while it is changed; made once and used for one image after another.
pub struct Image {
    /// `(size, size, channels)`.
    pub pixels: Vec<u8>,
    pub size: usize,
    pub channels: usize,
    /// The set's mean colour, which becomes 0 when images are normalised.
    pub mean: Vec<u8>,
    /// A second image's worth of bytes, for changes that cannot be made in place.
    scratch: Vec<u8>,
}

impl Image {
    /// Room for images of any size; `mean` has a byte for each channel.
    pub fn new(mean: Vec<u8>) -> Self {
        Self { pixels: Vec::new(), size: 0, channels: mean.len(), mean, scratch: Vec::new() }
    }

    /// Sets the side; the pixels are then unspecified.
    pub fn resize(&mut self, size: usize) {
        self.size = size;
        self.pixels.resize(size * size * self.channels, 0);
        self.scratch.resize(self.pixels.len(), 0);
    }

    /// Mirrors left and right.
    pub fn mirror(&mut self) {
        for row in self.pixels.chunks_exact_mut(self.size * self.channels) {
            row.reverse();
            // Now the pixels stand in the right order and the channels of each in the wrong one.
            row.chunks_exact_mut(self.channels).for_each(<[u8]>::reverse);
        }
    }

    /// Makes the image anew, row by row, from the old one: `write(old, y, row)`.
    fn rewrite(&mut self, write: impl Fn(&[u8], usize, &mut [u8])) {
        for (y, row) in self.scratch.chunks_exact_mut(self.size * self.channels).enumerate() {
            write(&self.pixels, y, row);
        }
        std::mem::swap(&mut self.pixels, &mut self.scratch);
    }
}

/// An entry of the family `augmentation`.
pub type AugmentEntry = Entry<fn(&Settings) -> Box<dyn Augment>>;

pub static ENTRIES: &[&AugmentEntry] = &[&flip::ENTRY, &flip_alternating::ENTRY, &translate::ENTRY, &cutout::ENTRY];

pub static FAMILY: Family = Family {
    name: "augmentation",
    doc: "What is done to a training image each time it is served",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// The changes of a checked list.
///
/// # Panics
/// When one names no augmentation: checking finds that.
pub fn chain(choices: &[Choice]) -> Chain {
    choices
        .iter()
        .map(|choice| {
            let entry = crate::registry::find(ENTRIES, &choice.kind)
                .unwrap_or_else(|| panic!("`{}` is not an augmentation", choice.kind));
            (entry.make)(&choice.settings)
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An image of one channel.
    pub fn gray(size: usize, pixels: &[u8]) -> Image {
        let mut image = Image::new(vec![200]);
        image.resize(size);
        image.pixels.copy_from_slice(pixels);
        image
    }

    #[test]
    fn mirroring_keeps_channels_in_order() {
        let mut image = Image::new(vec![0; 3]);
        image.resize(2);
        image.pixels.copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        image.mirror();
        assert_eq!(image.pixels, [4, 5, 6, 1, 2, 3, 10, 11, 12, 7, 8, 9]);
    }
}
