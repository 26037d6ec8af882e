//! Mirroring by turns.

use super::{Augment, AugmentEntry, Change, Draw, Move, change};
use crate::draw::coin;
use crate::registry::Entry;
use crate::units::{Purpose, rng};

pub static ENTRY: AugmentEntry = Entry {
    name: "flip-alternating",
    summary: "mirrors left and right at random in the first epoch, then each image by turns",
    cite: "Jordan 2024, 94% on CIFAR-10 in 3.29 seconds on a single GPU (arXiv:2404.00498)",
    params: &[],
    shorthand: None,
    make: |_| change(FlipAlternating),
};

/// Each image is mirrored or not by one draw for the whole run; on odd epochs it is the other way round. Any two epochs
/// in a row thus show both sides of every image.
struct FlipAlternating;

impl Augment for FlipAlternating {
    fn draw(&self, _: usize, draw: &mut Draw) -> Change {
        let first = coin(&mut rng(draw.seed, Purpose::Flip, 0, draw.index));
        Change::Move(if first != (draw.epoch % 2 == 1) { Move::Mirror } else { Move::Stay })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::gray;
    use super::*;

    fn mirrored(epoch: u64, index: u64) -> bool {
        let mut image = gray(2, &[1, 2, 3, 4]);
        FlipAlternating.apply(&mut image, &mut Draw::new(5, epoch, index));
        image.pixels == [2, 1, 4, 3]
    }

    #[test]
    fn two_epochs_in_a_row_show_both_sides() {
        for index in 0..50 {
            let sides: Vec<bool> = (0..4).map(|epoch| mirrored(epoch, index)).collect();
            assert_eq!(sides, [sides[0], !sides[0], sides[0], !sides[0]]);
        }
    }

    #[test]
    fn the_first_side_is_a_fair_draw() {
        let count = (0..1000).filter(|index| mirrored(0, *index)).count();
        assert!((450..550).contains(&count), "{count}");
    }
}
