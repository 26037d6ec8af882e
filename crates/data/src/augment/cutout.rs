//! Random erasing.

use super::{Augment, AugmentEntry, Change, Draw, Move, change};
use crate::draw::below;
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: AugmentEntry = Entry {
    name: "cutout",
    summary: "covers a square of side `size`, anywhere within the image, with the set's mean colour",
    cite: "DeVries and Taylor 2017 (arXiv:1708.04552); Page 2018, How to Train Your ResNet",
    params: &[Param {
        key: "size",
        kind: Kind::Int { min: 1, max: 256 },
        default: Default::Required,
        doc: "the square's side, in pixels of the phase's size; an image that is smaller is covered whole",
    }],
    shorthand: Some("size"),
    make: |settings| change(Cutout { size: settings.usize("size") }),
};

/// The square lies wholly inside, as Page's does; DeVries and Taylor's may hang over the border. The mean colour is
/// what 0 is to a net whose inputs are normalised.
struct Cutout {
    size: usize,
}

impl Augment for Cutout {
    fn draw(&self, size: usize, draw: &mut Draw) -> Change {
        let side = self.size.min(size);
        let mut corner = || below(&mut draw.rng, (size - side) as u32 + 1) as usize;
        Move::Cover { top: corner(), left: corner(), side }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::gray;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_square_is_whole_and_lies_anywhere() {
        let mut places = BTreeSet::new();
        for index in 0..400 {
            let mut image = gray(5, &[7; 25]);
            Cutout { size: 3 }.apply(&mut image, &mut Draw::new(1, 0, index));
            assert_eq!(image.pixels.iter().filter(|p| **p == 200).count(), 9);
            places.insert(image.pixels.iter().position(|p| *p == 200));
        }
        assert_eq!(places.len(), 9);
    }

    #[test]
    fn a_square_larger_than_the_image_covers_it() {
        let mut image = gray(2, &[7; 4]);
        Cutout { size: 8 }.apply(&mut image, &mut Draw::new(1, 0, 0));
        assert_eq!(image.pixels, [200; 4]);
    }
}
