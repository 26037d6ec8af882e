//! Pruning: an epoch that leaves some of the training images out.
//!
//! How many it leaves out is known before training, so that the schedule is: an epoch of a set of `n` images serves
//! [`Prune::images`]`(n)` of them. Which ones, is decided where the epoch begins, by the losses that images had when they were trained on
//! last; and each of them may count more than once in the mean over a batch, so that gradients are, on average, those of the whole set.
//!
//! What is drawn is a function of (seed, purpose, epoch) and of those losses.

pub mod hardest;
pub mod infobatch;
pub mod none;
pub mod random;

use super::draw::shuffle;
use crate::registry::{self, Choice, Describe, Entry, Family, Interval, Kind, Param, Settings, find};
use crate::units::{Purpose, rng};
use rand_chacha::ChaCha8Rng;

/// Leaves images of an epoch out.
pub trait Prune: Send + Sync {
    /// How many of so many images an epoch serves: at least one of at least one.
    fn images(&self, of: usize) -> usize;

    /// Whether it looks at losses.
    fn by_loss(&self) -> bool;

    /// As many images as [`images`](Self::images) says, of those that `by_loss` names, the least loss first; equal ones, those that
    /// nobody has trained on, and all where losses are not looked at, in an order that was drawn.
    fn choose(&self, by_loss: Vec<u32>, rng: &mut ChaCha8Rng) -> Selection;
}

/// What an epoch serves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    pub images: Vec<u32>,
    /// How much each counts; none: all count once.
    pub weights: Option<Vec<f32>>,
}

/// An entry of the family `image pruning`.
pub type PruneEntry = Entry<fn(&Settings) -> Box<dyn Prune>>;

pub static ENTRIES: &[&PruneEntry] = &[&none::ENTRY, &infobatch::ENTRY, &hardest::ENTRY, &random::ENTRY];

pub static FAMILY: Family = Family {
    name: "image pruning",
    doc: "Which training images an epoch leaves out",
    entries: || ENTRIES.iter().map(|e| *e as &dyn Describe).collect(),
};

/// A share of the images that are kept: all is no pruning.
const SHARE: Kind = Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: true });

/// What an entry keeps that has one share for all.
const KEEP: Param = Param {
    key: "keep",
    kind: SHARE,
    default: registry::Default::Required,
    doc: "share of the training images that an epoch serves",
};

/// What a checked choice makes.
///
/// # Panics
/// When it names what is none of the family: checking finds that.
pub fn make(choice: &Choice) -> Box<dyn Prune> {
    let entry = find(ENTRIES, &choice.kind).unwrap_or_else(|| panic!("`{}` prunes no images", choice.kind));
    (entry.make)(&choice.settings)
}

/// The share of `of` images as a whole number, at least one and at most all.
fn share_of(share: f64, of: usize) -> usize {
    ((share * of as f64).round() as usize).clamp(usize::from(of > 0), of)
}

/// What epoch `epoch` serves, in the order in which it does. `losses`: of each image of the set, what it had when it was
/// trained on last; no number where it never was.
///
/// Images of no known loss come behind all others, as if theirs were large.
///
/// # Panics
/// When there are more images than a `u32` counts.
pub fn order(prune: &dyn Prune, seed: u64, epoch: u64, losses: &[f32]) -> Selection {
    let count = u32::try_from(losses.len()).expect("a set has fewer than 2³² images");
    let mut rng = rng(seed, Purpose::Prune, epoch, 0);
    let mut images: Vec<u32> = (0..count).collect();
    shuffle(&mut rng, &mut images);
    if prune.by_loss() {
        let key = |image: &u32| Some(losses[*image as usize]).filter(|loss| !loss.is_nan()).unwrap_or(f32::INFINITY);
        // Stable: among equals the draw decides.
        images.sort_by(|a, b| key(a).total_cmp(&key(b)));
    }
    let Selection { images, weights } = prune.choose(images, &mut rng);
    let mut places: Vec<u32> = (0..images.len() as u32).collect();
    shuffle(&mut rng, &mut places);
    Selection {
        images: places.iter().map(|place| images[*place as usize]).collect(),
        weights: weights.map(|weights| places.iter().map(|place| weights[*place as usize]).collect()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Value;
    use std::collections::BTreeSet;

    fn choice(kind: &str, settings: &[(&'static str, Value)]) -> Box<dyn Prune> {
        let entry = find(ENTRIES, kind).unwrap();
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        (entry.make)(&Settings(settings))
    }

    fn infobatch(easy: f64, keep: f64, rescale: bool) -> Box<dyn Prune> {
        let settings = [("easy", Value::Float(easy)), ("keep", Value::Float(keep)), ("rescale", Value::Bool(rescale))];
        choice("infobatch", &settings)
    }

    fn share(kind: &str, keep: f64) -> Box<dyn Prune> {
        choice(kind, &[("keep", Value::Float(keep))])
    }

    /// Losses that fall with the number of the image.
    fn falling(n: usize) -> Vec<f32> {
        (0..n).map(|k| 1.0 - k as f32 / n as f32).collect()
    }

    #[test]
    fn as_many_images_as_were_told_none_twice() {
        let all =
            [infobatch(0.75, 0.5, true), infobatch(0.5, 0.01, false), share("hardest", 0.7), share("random", 0.3)];
        for prune in &all {
            for n in [1, 2, 3, 10, 999] {
                let chosen = order(&**prune, 1, 2, &falling(n));
                let distinct: BTreeSet<u32> = chosen.images.iter().copied().collect();
                assert_eq!([distinct.len(), chosen.images.len()], [prune.images(n); 2], "of {n}");
                assert!((1..=n).contains(&prune.images(n)) && distinct.iter().all(|image| (*image as usize) < n));
                assert!(chosen.weights.is_none_or(|weights| weights.len() == chosen.images.len()));
            }
        }
        assert_eq!(choice("none", &[]).images(7), 7);
    }

    #[test]
    fn seed_and_epoch_decide_and_unknown_losses_are_large() {
        let prune = share("hardest", 0.5);
        let mut losses = falling(100);
        let of = |losses: &[f32], seed, epoch| order(&*prune, seed, epoch, losses).images;
        assert_eq!(of(&losses, 1, 2), of(&losses, 1, 2));
        assert!(of(&losses, 1, 2) != of(&losses, 1, 3) && of(&losses, 1, 2) != of(&losses, 2, 2));
        let set = |losses: &[f32]| of(losses, 1, 2).into_iter().collect::<BTreeSet<u32>>();
        assert_eq!(set(&losses), (0..50).collect());
        losses[99] = f32::NAN;
        assert_eq!(set(&losses), (0..49).chain([99]).collect());
        // Of none that was trained on yet, any.
        let unknown = [f32::NAN; 100];
        assert_ne!(set(&unknown), order(&*prune, 1, 3, &unknown).images.into_iter().collect());
    }

    /// Old runs resume only while this stays what it is.
    #[test]
    fn the_choice_is_pinned() {
        let Selection { images, weights } = order(&*infobatch(0.5, 0.5, true), 1, 1, &falling(8));
        assert_eq!((images, weights), (vec![7, 3, 4, 0, 2, 1], Some(vec![2.0, 1.0, 2.0, 1.0, 1.0, 1.0])));
    }

    /// Σ over what is served of weight · x is, on average, the sum over all.
    #[test]
    fn weights_make_up_for_what_is_left_out() {
        let n = 40;
        let losses = falling(n);
        let prune = infobatch(0.75, 0.4, true);
        let mut counted = vec![0.0; n];
        let epochs = 4000;
        for epoch in 0..epochs {
            let Selection { images, weights } = order(&*prune, 3, epoch, &losses);
            for (image, weight) in images.into_iter().zip(weights.unwrap()) {
                counted[image as usize] += f64::from(weight) / epochs as f64;
            }
        }
        // 12 of the 30 easy ones are kept, each 2.5 times: a deviation of 0.02 here.
        assert!(counted[..10].iter().all(|count| (count - 1.0).abs() < 1e-9));
        assert!(counted[10..].iter().all(|count| (count - 1.0).abs() < 0.1), "{counted:?}");
    }

    #[test]
    fn at_random_all_are_served_alike() {
        let prune = share("random", 0.25);
        let mut counts = vec![0; 20];
        for epoch in 0..4000 {
            order(&*prune, 3, epoch, &falling(20)).images.iter().for_each(|image| counts[*image as usize] += 1);
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
