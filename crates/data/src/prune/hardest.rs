//! The images of largest loss.

use super::{KEEP, Prune, PruneEntry, Selection, share_of};
use crate::registry::Entry;
use rand_chacha::ChaCha8Rng;

pub static ENTRY: PruneEntry = Entry {
    name: "hardest",
    summary: "an epoch serves the images whose loss was largest when they were trained on last",
    cite: "after Jiang et al. 2019 (arXiv:1910.00762, selective backprop) and Kawaguchi and Lu 2020 (arXiv:1907.04371, ordered SGD)",
    params: &[KEEP],
    shorthand: Some(KEEP.key),
    make: |settings| Box::new(Hardest { keep: settings.float(KEEP.key) }),
};

struct Hardest {
    keep: f64,
}

impl Prune for Hardest {
    fn images(&self, of: usize) -> usize {
        share_of(self.keep, of)
    }

    fn by_loss(&self) -> bool {
        true
    }

    fn choose(&self, mut by_loss: Vec<u32>, _: &mut ChaCha8Rng) -> Selection {
        let kept = self.images(by_loss.len());
        Selection { images: by_loss.split_off(by_loss.len() - kept), weights: None }
    }
}
