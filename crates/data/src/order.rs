//! The order in which an epoch serves the training images.

use super::draw::shuffle;
use crate::units::{Purpose, rng};

/// Writes the permutation of `0..images` that epoch `epoch` uses: Fisher–Yates, a function of (seed, epoch) alone.
///
/// # Panics
/// When there are more images than a `u32` counts.
pub fn permutation(seed: u64, epoch: u64, images: usize, order: &mut Vec<u32>) {
    let count = u32::try_from(images).expect("a set in memory has fewer than 2³² images");
    let mut rng = rng(seed, Purpose::Order, epoch, 0);
    order.clear();
    order.extend(0..count);
    shuffle(&mut rng, order);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(seed: u64, epoch: u64, images: usize) -> Vec<u32> {
        let mut order = vec![99; 3];
        permutation(seed, epoch, images, &mut order);
        order
    }

    #[test]
    fn every_image_is_served_once() {
        for images in [0, 1, 2, 1000] {
            let mut sorted = order(3, 1, images);
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(0..images as u32));
        }
    }

    #[test]
    fn seed_and_epoch_decide() {
        assert_eq!(order(1, 2, 100), order(1, 2, 100));
        assert_ne!(order(1, 2, 100), order(1, 3, 100));
        assert_ne!(order(1, 2, 100), order(2, 2, 100));
    }

    #[test]
    fn all_orders_are_equally_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for epoch in 0..6000 {
            *counts.entry(order(7, epoch, 3)).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|c| c.abs_diff(1000) < 120), "{counts:?}");
    }

    /// Old runs resume only while this stays what it is.
    #[test]
    fn the_order_is_pinned() {
        assert_eq!(order(1, 0, 8), [0, 3, 4, 6, 5, 7, 2, 1]);
    }
}
