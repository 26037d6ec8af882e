//! Every image.

use super::{Prune, PruneEntry, Selection};
use crate::registry::Entry;
use rand_chacha::ChaCha8Rng;

pub static ENTRY: PruneEntry = Entry {
    name: "none",
    summary: "an epoch serves all training images",
    cite: "as any training on a set of images",
    params: &[],
    shorthand: None,
    make: |_| Box::new(Whole),
};

struct Whole;

impl Prune for Whole {
    fn images(&self, of: usize) -> usize {
        of
    }

    fn by_loss(&self) -> bool {
        false
    }

    fn choose(&self, images: Vec<u32>, _: &mut ChaCha8Rng) -> Selection {
        Selection { images, weights: None }
    }
}
