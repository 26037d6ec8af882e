//! RandAugment.

use super::severity::{self, Fill, LEVELS, Most, Sort, TIMM, TORCHVISION};
use super::{AugmentEntry, Draw, Edit, Image, Operation, Step};
use crate::draw::{below, between, noise};
use crate::registry::{Default, Entry, Interval, Kind, Param};

const SETS: [&str; 3] = ["timm-increasing", "timm", "torchvision"];

pub static ENTRY: AugmentEntry = Entry {
    name: "rand-augment",
    summary: "makes some operations of one magnitude, each drawn from some fifteen: contrast, colour, shears, shifts \
              and others",
    cite: "Cubuk et al. 2019, RandAugment (arXiv:1909.13719); timm's rand_augment_transform; torchvision's RandAugment",
    params: &[
        Param {
            key: "magnitude",
            kind: Kind::Float(Interval::closed(0.0, 10.0)),
            default: Default::Toml("9.0"),
            doc: "how much each operation does, from 0 to 10 as timm's `m`; a third of torchvision's, which goes to \
                  30: its default of 9 is 3 here",
        },
        Param {
            key: "operations",
            kind: Kind::Int { min: 1, max: 16 },
            default: Default::Toml("2"),
            doc: "how many are drawn for an image, one after another; the same may come twice",
        },
        Param {
            key: "deviation",
            kind: Kind::Float(Interval::closed(0.0, 10.0)),
            default: Default::Toml("0.0"),
            doc: "standard deviation of the magnitude, drawn anew for each operation and cut off at 0 and 10: timm's \
                  `mstd`",
        },
        Param {
            key: "probability",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false }),
            default: Default::Toml("1.0"),
            doc: "of each operation that was drawn; 0.5 with timm, where no `p` is given",
        },
        Param {
            key: "set",
            kind: Kind::Word(&SETS),
            default: Default::Toml("\"timm-increasing\""),
            doc: "whose operations and ranges: timm's with `inc1`, all of which do more as the magnitude grows; \
                  timm's without, the TPU implementation's, of which posterize and solarize do less, and colour, \
                  contrast, brightness and sharpness least in the middle; torchvision's, with identity, without \
                  invert and solarize-add, the magnitude rounded to one of its 31 levels",
        },
        Param {
            key: "interpolation",
            kind: Kind::Word(&["mixed", "nearest", "bilinear", "bicubic"]),
            default: Default::Absent,
            doc: "of rotations, shears and shifts; `mixed` draws bilinear or bicubic for each, as timm's `random`; \
                  left out: `mixed` in timm's sets, `nearest` in torchvision's (whose training scripts say bilinear)",
        },
        Param {
            key: "padding",
            kind: Kind::Word(&["mean", "zero"]),
            default: Default::Absent,
            doc: "what comes in at the border: the set's mean colour, or black; left out: `mean` in timm's sets, \
                  `zero` in torchvision's",
        },
    ],
    shorthand: Some("magnitude"),
    make: |settings| {
        let set = match settings.text("set").as_str() {
            "timm-increasing" => Set::Timm { increasing: true },
            "timm" => Set::Timm { increasing: false },
            "torchvision" => Set::Torchvision,
            other => unreachable!("`{other}` is no set of operations"),
        };
        let (interpolation, padding) = match set {
            Set::Timm { .. } => ("mixed", "mean"),
            Set::Torchvision => ("nearest", "zero"),
        };
        let word = |key: &str, own: &str| settings.opt_text(key).unwrap_or_else(|| own.to_owned());
        Ok(Step::Edit(Box::new(RandAugment {
            operations: settings.usize("operations"),
            magnitude: settings.float("magnitude"),
            deviation: settings.float("deviation"),
            probability: settings.float("probability") as f32,
            set,
            fill: Fill::of(&word("interpolation", interpolation), &word("padding", padding)),
        })))
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Timm { increasing: bool },
    Torchvision,
}

/// Operations are drawn evenly, with replacement. For each, everything is drawn whether it is used or not, so that
/// one setting does not change what the others draw. The magnitude's deviation is nearly normal (see [`noise`]).
struct RandAugment {
    operations: usize,
    magnitude: f64,
    deviation: f64,
    probability: f32,
    set: Set,
    fill: Fill,
}

impl RandAugment {
    /// The next operation of an image of that side; `None` where it falls out.
    fn draw(&self, size: usize, draw: &mut Draw) -> Option<(Sort, Operation)> {
        let sorts: &[Sort] = match self.set {
            Set::Timm { .. } => &TIMM,
            Set::Torchvision => &TORCHVISION,
        };
        let sort = sorts[below(&mut draw.rng, sorts.len() as u32) as usize];
        let is_made = between(&mut draw.rng, 0.0, 1.0) < self.probability;
        let magnitude = (self.magnitude + self.deviation * f64::from(noise(&mut draw.rng))).clamp(0.0, 10.0);
        let way = self.fill.way(size, draw);
        let operation = match self.set {
            Set::Timm { increasing } => severity::timm(sort, magnitude, increasing, way),
            Set::Torchvision => {
                let level = (magnitude / 10.0 * f64::from(LEVELS - 1)).round() as u32;
                severity::torchvision(sort, level, Most::rand_augment(size), way)
            }
        };
        is_made.then_some((sort, operation))
    }
}

impl Edit for RandAugment {
    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        for _ in 0..self.operations {
            if let Some((_, operation)) = self.draw(image.size, draw) {
                operation.apply(image);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Border, Interpolation};
    use super::*;
    use std::collections::BTreeMap;

    fn augment(set: Set, probability: f32, deviation: f64) -> RandAugment {
        let fill = Fill { interpolation: None, border: Border::Mean };
        RandAugment { operations: 2, magnitude: 6.0, deviation, probability, set, fill }
    }

    fn draws(augment: &RandAugment) -> Vec<Option<(Sort, Operation)>> {
        (0..6000).map(|index| augment.draw(100, &mut Draw::new(1, 0, index))).collect()
    }

    #[test]
    fn all_operations_are_equally_likely_and_as_many_fall_out_as_should() {
        for (set, count) in [(Set::Timm { increasing: true }, 15), (Set::Torchvision, 14)] {
            let mut counts = BTreeMap::new();
            for (sort, _) in draws(&augment(set, 1.0, 0.5)).into_iter().flatten() {
                *counts.entry(format!("{sort:?}")).or_insert(0u32) += 1;
            }
            assert_eq!(counts.len(), count);
            let each = 6000 / count as u32;
            assert!(counts.values().all(|n| n.abs_diff(each) < 90), "{counts:?}");
        }
        let made = draws(&augment(Set::Torchvision, 0.5, 0.0)).into_iter().flatten().count();
        assert!(made.abs_diff(3000) < 150, "{made}");
    }

    #[test]
    fn magnitudes_vary_by_their_deviation_and_go_both_ways() {
        let shears = |deviation: f64| -> Vec<f64> {
            let drawn = draws(&augment(Set::Timm { increasing: true }, 1.0, deviation)).into_iter().flatten();
            let shears = drawn.filter_map(|(sort, operation)| match (sort, operation) {
                (Sort::ShearX, Operation::Warp(warp)) => Some(warp.matrix[1] / 0.03),
                _ => None,
            });
            shears.collect()
        };
        let (still, moved) = (shears(0.0), shears(0.5));
        assert!(still.iter().all(|by| (by.abs() - 6.0).abs() < 1e-9));
        let negative = still.iter().filter(|by| **by < 0.0).count();
        assert!(negative.abs_diff(still.len() / 2) < still.len() / 8, "{negative} of {}", still.len());
        let mean = |of: &dyn Fn(f64) -> f64| moved.iter().map(|by| of(by.abs())).sum::<f64>() / moved.len() as f64;
        let (centre, spread) = (mean(&|by| by), mean(&|by| (by - 6.0).powi(2)).sqrt());
        assert!((centre - 6.0).abs() < 0.1 && (spread - 0.5).abs() < 0.06, "{centre} ± {spread}");
        assert!(shears(10.0).iter().all(|by| by.abs() < 10.0 + 1e-9));
    }

    #[test]
    fn one_setting_leaves_the_draws_of_the_others_alone() {
        let sorts = |augment: &RandAugment| -> Vec<Sort> {
            let drawn = draws(augment).into_iter();
            drawn.map(|drawn| drawn.map(|(sort, _)| sort)).map(|sort| sort.unwrap()).collect()
        };
        let set = Set::Timm { increasing: true };
        let mut nearest = augment(set, 1.0, 2.0);
        nearest.fill.interpolation = Some(Interpolation::Nearest);
        assert_eq!(sorts(&augment(set, 1.0, 0.0)), sorts(&nearest));
    }
}
