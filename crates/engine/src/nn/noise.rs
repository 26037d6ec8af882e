//! What layers draw random numbers from.

use crate::units::{Purpose, rng};
use rand_chacha::ChaCha8Rng;

/// Which draws a pass makes: a function of the seed, the step, the layer's name and the image's place in the step. A pass
/// that is made again draws the same; images that pass in parts draw what they would together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noise {
    pub seed: u64,
    pub step: u64,
    /// The place in its step of the pass's first image.
    pub first: u64,
}

impl Noise {
    /// The stream of the layer of that key, from the step's first image on.
    pub(super) fn stream(self, layer: u64) -> ChaCha8Rng {
        rng(self.seed, Purpose::Layer, layer, self.step)
    }
}
