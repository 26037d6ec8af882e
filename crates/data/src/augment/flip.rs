//! Random mirroring.

use super::{Augment, AugmentEntry, Change, Draw, Move, change};
use crate::draw::coin;
use crate::registry::Entry;

pub static ENTRY: AugmentEntry = Entry {
    name: "flip",
    summary: "mirrors left and right, half of the time",
    cite: "Krizhevsky et al. 2012, ImageNet Classification with Deep CNNs",
    params: &[],
    shorthand: None,
    make: |_| change(Flip),
};

struct Flip;

impl Augment for Flip {
    fn draw(&self, _: usize, draw: &mut Draw) -> Change {
        Change::Move(if coin(&mut draw.rng) { Move::Mirror } else { Move::Stay })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::gray;
    use super::*;

    #[test]
    fn half_are_mirrored() {
        let mirrored = (0..1000)
            .filter(|index| {
                let mut image = gray(2, &[1, 2, 3, 4]);
                Flip.apply(&mut image, &mut Draw::new(1, 0, *index));
                assert!([[1, 2, 3, 4], [2, 1, 4, 3]].contains(&[0, 1, 2, 3].map(|i| image.pixels[i])));
                image.pixels[0] == 2
            })
            .count();
        assert!((450..550).contains(&mirrored), "{mirrored}");
    }
}
