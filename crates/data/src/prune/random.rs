//! Any images.

use super::{KEEP, Prune, PruneEntry, Selection, share_of};
use crate::registry::Entry;
use rand_chacha::ChaCha8Rng;

pub static ENTRY: PruneEntry = Entry {
    name: "random",
    summary: "an epoch serves some images, drawn anew for each: what the others are to be held against",
    cite: "the baseline of Okanovic et al. 2024 (arXiv:2305.18424)",
    params: &[KEEP],
    shorthand: Some(KEEP.key),
    make: |settings| Box::new(Random { keep: settings.float(KEEP.key) }),
};

struct Random {
    keep: f64,
}

impl Prune for Random {
    fn images(&self, of: usize) -> usize {
        share_of(self.keep, of)
    }

    fn by_loss(&self) -> bool {
        false
    }

    fn choose(&self, mut images: Vec<u32>, _: &mut ChaCha8Rng) -> Selection {
        images.truncate(self.images(images.len()));
        Selection { images, weights: None }
    }
}
