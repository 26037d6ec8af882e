//! What training remembers of its images, for phases that leave some of them out.

use crate::data::prune::{self, Prune, Selection};
use std::collections::BTreeMap;

/// Losses of images, by the place of their set among the plan's.
pub type Remembered = BTreeMap<usize, ImageLosses>;

/// The losses of a set's images.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageLosses {
    /// Of each image as it was trained on last; no number where it never was.
    pub now: Vec<f32>,
    /// The same where the last epoch began that leaves images out: which it serves follows from these.
    pub then: Vec<f32>,
}

impl ImageLosses {
    /// Of so many images that nobody has trained on.
    pub fn unknown(images: usize) -> Self {
        Self { now: vec![f32::NAN; images], then: vec![f32::NAN; images] }
    }

    /// Notes those of a step.
    ///
    /// # Panics
    /// When an image is none of the set.
    pub fn note(&mut self, images: &[u32], losses: &[f32]) {
        images.iter().zip(losses).for_each(|(image, loss)| self.now[*image as usize] = *loss);
    }

    /// An epoch begins that leaves images out.
    pub fn begin_epoch(&mut self) {
        self.then.copy_from_slice(&self.now);
    }

    /// What that epoch serves.
    pub fn selection(&self, prune: &dyn Prune, seed: u64, epoch: u64) -> Selection {
        prune::order(prune, seed, epoch, &self.then)
    }
}
