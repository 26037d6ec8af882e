//! Some of the images that are learned already, at random, each for those that are left out.

use super::{Prune, PruneEntry, SHARE, Selection, share_of};
use crate::draw::shuffle;
use crate::registry::{Default, Entry, Kind, Param};
use rand_chacha::ChaCha8Rng;

pub static ENTRY: PruneEntry = Entry {
    name: "infobatch",
    summary: "of the images of least loss some are left out at random, and the others of them count for those too",
    cite: "Qin et al. 2024 (arXiv:2303.04947), where those below the mean loss are easy; here a fixed share is, so that lengths are known",
    params: &[
        Param {
            key: "easy",
            kind: SHARE,
            default: Default::Toml("0.75"),
            doc: "share of the training images, those of least loss, of which some are left out",
        },
        Param {
            key: "keep",
            kind: SHARE,
            default: Default::Toml("0.5"),
            doc: "share of these that an epoch serves; it serves `1 - easy · (1 - keep)` of all images",
        },
        Param {
            key: "rescale",
            kind: Kind::Bool,
            default: Default::Toml("true"),
            doc: "whether their losses and gradients are multiplied by `1 / keep`, so that gradients are those of all images on average",
        },
    ],
    shorthand: Some("keep"),
    make: |settings| {
        Box::new(InfoBatch {
            easy: settings.float("easy"),
            keep: settings.float("keep"),
            rescale: settings.bool("rescale"),
        })
    },
};

/// With `e = round(easy · n)` easy images, `k = round(keep · e)` of them, each counting `e / k` times: exactly as many as there were.
struct InfoBatch {
    easy: f64,
    keep: f64,
    rescale: bool,
}

impl InfoBatch {
    /// How many are easy, and how many of these are served.
    fn counts(&self, of: usize) -> (usize, usize) {
        let easy = share_of(self.easy, of);
        (easy, share_of(self.keep, easy))
    }
}

impl Prune for InfoBatch {
    fn images(&self, of: usize) -> usize {
        let (easy, kept) = self.counts(of);
        of - easy + kept
    }

    fn by_loss(&self) -> bool {
        true
    }

    fn choose(&self, mut by_loss: Vec<u32>, rng: &mut ChaCha8Rng) -> Selection {
        let (easy, kept) = self.counts(by_loss.len());
        shuffle(rng, &mut by_loss[..easy]);
        let images: Vec<u32> = by_loss[easy..].iter().chain(&by_loss[..kept]).copied().collect();
        let weight = easy as f32 / kept.max(1) as f32;
        let hard = images.len() - kept;
        let weights = self.rescale.then(|| (0..images.len()).map(|k| if k < hard { 1.0 } else { weight }).collect());
        Selection { images, weights }
    }
}
