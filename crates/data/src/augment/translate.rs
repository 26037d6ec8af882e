//! Random shifts.

use super::border::Border;
use super::{Augment, AugmentEntry, Change, Draw, Move, change};
use crate::draw::below;
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: AugmentEntry = Entry {
    name: "translate",
    summary: "shifts by up to `pixels` each way: the same as padding by `pixels` and cropping at random",
    cite: "He et al. 2015, Deep Residual Learning (zero); Page 2018, How to Train Your ResNet (reflect)",
    params: &[
        Param {
            key: "pixels",
            kind: Kind::Int { min: 0, max: 256 },
            default: Default::Required,
            doc: "the furthest shift along each axis, in pixels of the phase's size",
        },
        Param {
            key: "padding",
            kind: Kind::Word(&["reflect", "zero"]),
            default: Default::Toml("\"reflect\""),
            doc: "what comes in at the border: the image mirrored at its outermost pixel, or black",
        },
    ],
    shorthand: Some("pixels"),
    make: |settings| {
        change(Translate { pixels: settings.usize("pixels"), border: Border::of(&settings.text("padding")) })
    },
};

/// The shift is drawn evenly from `−pixels..=pixels` along each axis.
struct Translate {
    pixels: usize,
    border: Border,
}

impl Augment for Translate {
    fn draw(&self, _: usize, draw: &mut Draw) -> Change {
        let mut shift = || below(&mut draw.rng, 2 * self.pixels as u32 + 1) as isize - self.pixels as isize;
        Move::Shift { dy: shift(), dx: shift(), border: self.border }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::gray;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn all_shifts_occur_equally_often_and_move_the_whole_image() {
        let mut counts = BTreeMap::new();
        for index in 0..4500 {
            let pixels: Vec<u8> = (1..=9).collect();
            let mut image = gray(3, &pixels);
            Translate { pixels: 1, border: Border::Zero }.apply(&mut image, &mut Draw::new(1, 0, index));
            *counts.entry(image.pixels).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 9);
        assert!(counts.values().all(|c| c.abs_diff(500) < 100), "{counts:?}");
        for expected in [[1, 2, 3, 4, 5, 6, 7, 8, 9], [5, 6, 0, 8, 9, 0, 0, 0, 0], [0, 0, 0, 0, 1, 2, 0, 4, 5]] {
            assert!(counts.contains_key(expected.as_slice()), "{expected:?} in {counts:?}");
        }
    }
}
