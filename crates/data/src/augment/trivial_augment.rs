//! TrivialAugment.

use super::severity::{self, Fill, LEVELS, Most, Sort, TORCHVISION};
use super::{AugmentEntry, Draw, Edit, Image, Operation, Step};
use crate::draw::below;
use crate::registry::{Default, Entry, Kind, Param};

pub static ENTRY: AugmentEntry = Entry {
    name: "trivial-augment",
    summary: "makes one operation of random magnitude, drawn from those of torchvision's `rand-augment`",
    cite: "Müller and Hutter 2021, TrivialAugment (arXiv:2103.10158); torchvision's TrivialAugmentWide",
    params: &[
        Param {
            key: "interpolation",
            kind: Kind::Word(&["nearest", "bilinear", "bicubic"]),
            default: Default::Toml("\"nearest\""),
            doc: "of rotations and shears; torchvision's training scripts say bilinear",
        },
        Param {
            key: "padding",
            kind: Kind::Word(&["zero", "mean"]),
            default: Default::Toml("\"zero\""),
            doc: "what comes in at the border: black, or the set's mean colour",
        },
    ],
    shorthand: None,
    make: |settings| {
        let fill = Fill::of(&settings.text("interpolation"), &settings.text("padding"));
        Ok(Step::Edit(Box::new(TrivialAugment { fill })))
    },
};

/// The operation is drawn evenly, and then one of 31 magnitudes and a sign. Shifts go up to 32 pixels at any size, as
/// the paper's.
struct TrivialAugment {
    fill: Fill,
}

impl TrivialAugment {
    fn draw(&self, size: usize, draw: &mut Draw) -> (Sort, Operation) {
        let sort = TORCHVISION[below(&mut draw.rng, TORCHVISION.len() as u32) as usize];
        let level = below(&mut draw.rng, LEVELS);
        (sort, severity::torchvision(sort, level, Most::WIDE, self.fill.way(size, draw)))
    }
}

impl Edit for TrivialAugment {
    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        self.draw(image.size, draw).1.apply(image);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::gray;
    use super::super::{Border, Interpolation};
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn operations_and_magnitudes_are_drawn_evenly() {
        let augment =
            TrivialAugment { fill: Fill { interpolation: Some(Interpolation::Nearest), border: Border::Zero } };
        let (mut sorts, mut shifts) = (BTreeMap::new(), BTreeMap::new());
        for index in 0..14_000 {
            let (sort, operation) = augment.draw(64, &mut Draw::new(1, 0, index));
            *sorts.entry(format!("{sort:?}")).or_insert(0u32) += 1;
            if let (Sort::TranslateX, Operation::Warp(warp)) = (sort, operation) {
                *shifts.entry(warp.matrix[2] as i32).or_insert(0u32) += 1;
            }
        }
        assert_eq!(sorts.len(), 14);
        assert!(sorts.values().all(|n| n.abs_diff(1000) < 120), "{sorts:?}");
        // 31 magnitudes either way, both of which are the same at 0; and int(15.999…) is 15, int(17.07) is 17.
        assert_eq!((shifts.keys().next(), shifts.keys().last(), shifts.get(&16)), (Some(&-32), Some(&32), None));
        assert!(shifts.len() > 50, "{shifts:?}");
    }

    #[test]
    fn an_image_that_moves_out_is_filled() {
        let augment =
            TrivialAugment { fill: Fill { interpolation: Some(Interpolation::Nearest), border: Border::Mean } };
        let filled = (0..400).filter(|index| {
            let mut image = gray(4, &[7; 16]);
            augment.apply(&mut image, &mut Draw::new(1, 0, *index));
            image.pixels == [200; 16]
        });
        assert!(filled.count() > 20);
    }
}
