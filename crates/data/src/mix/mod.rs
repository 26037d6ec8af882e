//! Mixing: each image of a batch is blended with another of the batch, and counts as both their labels.
//!
//! Unlike an augmentation it looks at a whole batch, after its images were changed and normalised. One blend is drawn for a
//! batch, and one permutation that says which image each is blended with: with a share `λ` of its own,
//!
//! ```text
//! loss = λ·CE(label) + (1 − λ)·CE(label of the other)
//! ```
//!
//! What is drawn is a function of (seed, purpose, epoch, step). A list with several entries draws one of them for each batch,
//! as torchvision's training references choose between mixup and cutmix.

pub mod cutmix;
pub mod mixup;

use super::draw::{below, between, shuffle};
use super::resize::Window;
use crate::kernels::{Element, loss};
use crate::registry::{Choice, Default, Describe, Entry, Family, Interval, Kind, Param, Settings, find};
use crate::units::{Purpose, rng};
use rand_chacha::ChaCha8Rng;

/// How the images of a batch are blended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blend {
    /// `λ·own + (1 − λ)·other`, with this λ.
    Sum(f32),
    /// The other's pixels in this window, the own ones outside.
    Patch(Window),
}

impl Blend {
    /// The share of its own image in each of side `size`.
    pub fn own(&self, size: usize) -> f32 {
        match self {
            Self::Sum(own) => *own,
            Self::Patch(window) => 1.0 - (window.width * window.height) as f32 / (size * size) as f32,
        }
    }
}

/// Draws the blend of a batch.
pub trait Mix: Send + Sync {
    /// For images of side `size`.
    fn blend(&self, size: usize, rng: &mut ChaCha8Rng) -> Blend;
}

/// An entry of the family `image mix`. Each has the settings `alpha` and `probability`.
pub type MixEntry = Entry<fn(&Settings) -> Box<dyn Mix>>;

pub static ENTRIES: &[&MixEntry] = &[&mixup::ENTRY, &cutmix::ENTRY];

pub static FAMILY: Family = Family {
    name: "image mix",
    doc: "How the images of a batch, and their labels, are blended with each other",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

const PARAMS: &[Param] = &[
    Param {
        key: "alpha",
        kind: Kind::Float(Interval::above(0.0)),
        default: Default::Toml("1.0"),
        doc: "the shares are drawn from Beta(alpha, alpha): below 1 mostly near 0 and 1, above it mostly near a half",
    },
    Param {
        key: "probability",
        kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false }),
        default: Default::Toml("1.0"),
        doc: "share of the batches that it is drawn for which are mixed; the others are served as they are",
    },
];

/// Second labels of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    pub labels: Vec<u32>,
    /// The share of the first ones, in `0..=1`.
    pub own: f32,
}

impl Mixed {
    /// As the loss takes them.
    pub fn targets(&self) -> loss::Mixed<'_> {
        loss::Mixed { labels: &self.labels, own: self.own }
    }
}

/// A phase's list.
#[derive(Default)]
pub struct Mixer(Vec<(Box<dyn Mix>, f32)>);

/// What a checked list makes.
///
/// # Panics
/// When it names what is none of the family: checking finds that.
pub fn mixer(choices: &[Choice]) -> Mixer {
    let make = |choice: &Choice| {
        let entry = find(ENTRIES, &choice.kind).unwrap_or_else(|| panic!("`{}` mixes no images", choice.kind));
        ((entry.make)(&choice.settings), choice.settings.float("probability") as f32)
    };
    Mixer(choices.iter().map(make).collect())
}

impl Mixer {
    /// Whether it leaves all batches as they are.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What becomes of a step's batch of `count` images of side `size`; `None` where it is served as it is.
    pub fn draw(&self, [seed, epoch, step]: [u64; 3], size: usize, count: usize) -> Option<Mixture> {
        let mut rng = rng(seed, Purpose::Mix, epoch, step);
        let (mix, probability) = &self.0[match self.0.len() {
            0 => return None,
            1 => 0,
            several => below(&mut rng, several as u32) as usize,
        }];
        if *probability < 1.0 && between(&mut rng, 0.0, 1.0) >= *probability {
            return None;
        }
        let blend = mix.blend(size, &mut rng);
        Some(Mixture { blend, others: permutation(&mut rng, count) })
    }
}

/// What becomes of one batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    pub blend: Blend,
    /// The place in the batch of what each image is blended with.
    pub others: Vec<usize>,
}

impl Mixture {
    /// The second labels.
    pub fn mixed(&self, size: usize, labels: &[u32]) -> Mixed {
        Mixed { labels: self.others.iter().map(|other| labels[*other]).collect(), own: self.blend.own(size) }
    }

    /// Blends `images: (n, size, size, channels)` with each other. `before` is room for a copy.
    pub fn apply<E: Element>(&self, size: usize, images: &mut [E], before: &mut Vec<E>) {
        before.clear();
        before.extend_from_slice(images);
        let len = images.len() / self.others.len();
        for (image, other) in images.chunks_exact_mut(len).zip(&self.others) {
            put(self.blend, size, &before[other * len..][..len], image);
        }
    }
}

/// Fisher–Yates, as the order of an epoch.
fn permutation(rng: &mut ChaCha8Rng, count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    shuffle(rng, &mut order);
    order
}

/// Blends an image with another, both `(size, size, channels)`.
fn put<E: Element>(blend: Blend, size: usize, other: &[E], image: &mut [E]) {
    match blend {
        Blend::Sum(own) => {
            for (value, other) in image.iter_mut().zip(other) {
                *value = E::from_f32(own * value.to_f32() + (1.0 - own) * other.to_f32());
            }
        }
        Blend::Patch(window) => {
            let channels = image.len() / (size * size);
            for row in window.top..window.top + window.height {
                let at = (row * size + window.left) * channels;
                let len = window.width * channels;
                image[at..at + len].copy_from_slice(&other[at..at + len]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Value;
    use std::collections::BTreeSet;

    fn choice(kind: &str, alpha: f64, probability: f64) -> Choice {
        Choice::with(kind, [("alpha", Value::Float(alpha)), ("probability", Value::Float(probability))])
    }

    const SIZE: usize = 6;
    const N: usize = 9;

    /// Image `k` is all `k + 1`, in two channels, and has label `10·k`.
    fn serve(mixer: &Mixer, step: u64) -> (Vec<f32>, Option<Mixed>) {
        let len = SIZE * SIZE * 2;
        let mut images: Vec<f32> = (0..N * len).map(|i| (i / len + 1) as f32).collect();
        let labels: Vec<u32> = (0..N as u32).map(|k| 10 * k).collect();
        let mixture = mixer.draw([1, 2, step], SIZE, N);
        mixture.iter().for_each(|mixture| mixture.apply(SIZE, &mut images, &mut vec![7.0; 3]));
        (images, mixture.map(|mixture| mixture.mixed(SIZE, &labels)))
    }

    #[test]
    fn labels_tell_what_images_are_made_of() {
        for kind in ["mixup", "cutmix"] {
            let mixer = mixer(&[choice(kind, 1.0, 1.0)]);
            for step in 0..50 {
                let (images, mixed) = serve(&mixer, step);
                let mixed = mixed.unwrap();
                assert_eq!(serve(&mixer, step), (images.clone(), Some(mixed.clone())));
                assert_eq!(mixed.labels.iter().collect::<BTreeSet<_>>().len(), N, "a permutation");
                let of_images = images.chunks_exact(SIZE * SIZE * 2).zip(&mixed.labels).enumerate();
                for (k, (image, other)) in of_images {
                    let (a, b) = ((k + 1) as f32, (other / 10 + 1) as f32);
                    let mean = image.iter().sum::<f32>() / image.len() as f32;
                    let want = mixed.own * a + (1.0 - mixed.own) * b;
                    assert!((mean - want).abs() < 1e-4, "{kind} {step}: {mean} is not {want}");
                    let whole = |v: &f32| *v == a || *v == b;
                    assert!(kind == "mixup" || image.iter().all(whole), "{kind} {step}");
                    assert!(kind == "cutmix" || image.iter().all(|v| *v == image[0]), "{kind} {step}");
                }
            }
        }
    }

    #[test]
    fn one_of_a_list_is_drawn_for_each_batch() {
        let both = mixer(&[choice("mixup", 1.0, 0.5), choice("cutmix", 1.0, 1.0)]);
        let [mut sums, mut patches, mut plain] = [0u32; 3];
        for step in 0..400 {
            let (images, mixed) = serve(&both, step);
            let whole = images.iter().all(|v| v.fract() == 0.0);
            *match (mixed, whole) {
                (None, _) => &mut plain,
                (Some(_), false) => &mut sums,
                (Some(_), true) => &mut patches,
            } += 1;
        }
        assert!(plain.abs_diff(100) < 30 && sums.abs_diff(100) < 30 && patches.abs_diff(200) < 40, "{plain} {sums}");
        assert_eq!(serve(&mixer(&[]), 0), (serve(&mixer(&[]), 1).0, None));
    }

    #[test]
    fn all_have_the_common_settings() {
        for entry in ENTRIES {
            let keys: Vec<&str> = entry.params.iter().map(|param| param.key).collect();
            assert_eq!(keys, ["alpha", "probability"], "{}", entry.name);
        }
    }

    /// Old runs resume only while this stays what it is.
    #[test]
    fn the_draws_are_pinned() {
        let mixed = |kind: &str| serve(&mixer(&[choice(kind, 1.0, 1.0)]), 3).1.unwrap();
        let [sum, patch] = ["mixup", "cutmix"].map(mixed);
        assert_eq!((sum.labels, sum.own), (vec![20, 70, 60, 30, 50, 80, 10, 0, 40], 0.8733737));
        assert_eq!((patch.labels, patch.own), (vec![40, 30, 80, 0, 10, 50, 70, 60, 20], 34.0 / 36.0));
    }
}
