//! Weighted sums of images.

use super::{Blend, Mix, MixEntry, PARAMS};
use crate::draw::beta;
use crate::registry::Entry;
use rand_chacha::ChaCha8Rng;

pub static ENTRY: MixEntry = Entry {
    name: "mixup",
    summary: "each image of a batch becomes a weighted sum of itself and another one, and so do their labels",
    cite: "Zhang et al. 2018 (arXiv:1710.09412)",
    params: PARAMS,
    shorthand: Some("alpha"),
    make: |settings| Box::new(Mixup { alpha: settings.float("alpha") }),
};

/// `λ ~ Beta(α, α)`, one for the batch, as the authors' code has it.
struct Mixup {
    alpha: f64,
}

impl Mix for Mixup {
    fn blend(&self, _size: usize, rng: &mut ChaCha8Rng) -> Blend {
        Blend::Sum(beta(rng, self.alpha))
    }
}
