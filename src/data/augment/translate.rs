//! Random shifts.

use super::{Augment, AugmentEntry, Draw, Image};
use crate::data::draw::below;
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
        let padding = if settings.text("padding") == "zero" { Padding::Zero } else { Padding::Reflect };
        Box::new(Translate { pixels: settings.usize("pixels"), padding })
    },
};

/// The shift is drawn evenly from `−pixels..=pixels` along each axis.
struct Translate {
    pixels: usize,
    padding: Padding,
}

#[derive(Clone, Copy)]
enum Padding {
    Reflect,
    Zero,
}

impl Padding {
    /// Where pixel `at` of an axis of `size` comes from; `None` is black.
    fn source(self, at: isize, size: usize) -> Option<usize> {
        let inside = usize::try_from(at).ok().filter(|at| *at < size);
        match self {
            Padding::Zero => inside,
            // Back and forth between the outermost pixels, which are not repeated (as PyTorch's "reflect"); any shift
            // is allowed, where PyTorch wants it below the size.
            Padding::Reflect => inside.or_else(|| {
                let period = (2 * size - 2).max(1);
                let folded = at.unsigned_abs() % period;
                Some(folded.min(period - folded).min(size - 1))
            }),
        }
    }
}

impl Augment for Translate {
    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let mut shift = || below(&mut draw.rng, 2 * self.pixels as u32 + 1) as isize - self.pixels as isize;
        let (dy, dx) = (shift(), shift());
        if (dy, dx) == (0, 0) {
            return;
        }
        let (size, channels, padding) = (image.size, image.channels, self.padding);
        image.rewrite(|old, y, row| match padding.source(y as isize + dy, size) {
            None => row.fill(0),
            Some(y) => {
                let line = &old[y * size * channels..(y + 1) * size * channels];
                for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
                    match padding.source(x as isize + dx, size) {
                        None => pixel.fill(0),
                        Some(x) => pixel.copy_from_slice(&line[x * channels..(x + 1) * channels]),
                    }
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::gray;
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_border_is_mirrored_without_its_outermost_pixel() {
        let at: Vec<_> = (-7..8).map(|i| Padding::Reflect.source(i, 4).unwrap()).collect();
        assert_eq!(at, [1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
        assert_eq!(Padding::Reflect.source(5, 1), Some(0));
        assert_eq!(Padding::Zero.source(-1, 4), None);
        assert_eq!(Padding::Zero.source(4, 4), None);
        assert_eq!(Padding::Zero.source(3, 4), Some(3));
    }

    #[test]
    fn all_shifts_occur_equally_often_and_move_the_whole_image() {
        let mut counts = BTreeMap::new();
        for index in 0..4500 {
            let pixels: Vec<u8> = (1..=9).collect();
            let mut image = gray(3, &pixels);
            Translate { pixels: 1, padding: Padding::Zero }.apply(&mut image, &mut Draw::new(1, 0, index));
            *counts.entry(image.pixels).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 9);
        assert!(counts.values().all(|c| c.abs_diff(500) < 100), "{counts:?}");
        for expected in [[1, 2, 3, 4, 5, 6, 7, 8, 9], [5, 6, 0, 8, 9, 0, 0, 0, 0], [0, 0, 0, 0, 1, 2, 0, 4, 5]] {
            assert!(counts.contains_key(expected.as_slice()), "{expected:?} in {counts:?}");
        }
    }
}
