//! Random erasing.

use super::{AugmentEntry, Draw, Edit, Image, Misuse, Step};
use crate::draw::{below, between, noise};
use crate::registry::{Default, Entry, Interval, Kind, Param};
use crate::resize::Window;

pub static ENTRY: AugmentEntry = Entry {
    name: "random-erasing",
    summary: "covers a rectangle of random area and shape with the set's mean colour, a random one or noise",
    cite: "Zhong et al. 2017, Random Erasing (arXiv:1708.04896); torchvision's and timm's RandomErasing",
    params: &[
        Param {
            key: "probability",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false }),
            default: Default::Toml("0.5"),
            doc: "share of the images that it is done to",
        },
        Param {
            key: "min_scale",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: true }),
            default: Default::Toml("0.02"),
            doc: "the smallest part of the image's area",
        },
        Param {
            key: "max_scale",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: true }),
            default: Default::Toml("0.33"),
            doc: "the largest part of the image's area (timm: a third)",
        },
        Param {
            key: "ratio",
            kind: Kind::Float(Interval::at_least(1.0)),
            default: Default::Toml("3.3"),
            doc: "the longer side in shorter ones, at most",
        },
        Param {
            key: "value",
            kind: Kind::Word(&["mean", "color", "noise"]),
            default: Default::Toml("\"mean\""),
            doc: "what it is covered with: the set's mean colour, which is 0 to the net (timm's `const`, \
                  torchvision's 0); one colour (timm's `rand`), or one for each pixel (timm's `pixel`), drawn around \
                  the mean with the set's deviation and cut off at black and white",
        },
    ],
    shorthand: Some("probability"),
    make: |settings| {
        let keys = ["min_scale", "max_scale"];
        let scale = keys.map(|key| settings.float(key));
        if scale[0] > scale[1] {
            return Err(Misuse::crossed(keys, scale));
        }
        let value = match settings.text("value").as_str() {
            "mean" => Value::Mean,
            "color" => Value::Color,
            "noise" => Value::Noise,
            other => unreachable!("`{other}` covers nothing"),
        };
        let (probability, ratio) = (settings.float("probability") as f32, settings.float("ratio"));
        Ok(Step::Edit(Box::new(RandomErasing { probability, scale, ratio, value })))
    },
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Mean,
    Color,
    Noise,
}

/// How often a rectangle is drawn before the image is left alone.
const TRIES: usize = 10;

/// The area is drawn evenly from `scale` (parts of the image's), the ratio of height to width from `1/ratio..ratio`,
/// evenly on a logarithmic scale, the place evenly. A rectangle as high or as wide as the image is drawn anew; after
/// ten tries there is none. All as timm and torchvision do.
///
/// They cover the normalised image, so timm's noise has mean 0 and deviation 1 there. Here it is of bytes: rounded,
/// cut off where no byte goes (beyond some two deviations), and nearly normal (see [`noise`]).
struct RandomErasing {
    probability: f32,
    scale: [f64; 2],
    ratio: f64,
    value: Value,
}

impl RandomErasing {
    fn window(&self, size: usize, draw: &mut Draw) -> Option<Window> {
        let area = (size * size) as f64;
        if between(&mut draw.rng, 0.0, 1.0) >= self.probability {
            return None;
        }
        let mut even = |[low, high]: [f64; 2]| low + (high - low) * f64::from(between(&mut draw.rng, 0.0, 1.0));
        for _ in 0..TRIES {
            let area = area * even(self.scale);
            // The last bits of logarithm and exponential, in which systems differ, are lost in whole pixels.
            let ratio = even([-self.ratio.ln(), self.ratio.ln()]).exp();
            let height = (area * ratio).sqrt().round_ties_even() as usize;
            let width = (area / ratio).sqrt().round_ties_even() as usize;
            if height < size && width < size {
                let mut place = |room: usize| below(&mut draw.rng, room as u32 + 1) as usize;
                return Some(Window { top: place(size - height), left: place(size - width), width, height });
            }
        }
        None
    }
}

impl Edit for RandomErasing {
    fn apply(&self, image: &mut Image, draw: &mut Draw) {
        let Some(Window { left, top, width, height }) = self.window(image.size, draw) else { return };
        let Image { size, channels, pixels, mean, deviation, .. } = image;
        let mut drawn = |color: &mut [u8]| {
            for (byte, (mean, deviation)) in color.iter_mut().zip(mean.iter().zip(&*deviation)) {
                *byte = (f32::from(*mean) + deviation * noise(&mut draw.rng)).round() as u8;
            }
        };
        let mut color = mean.clone();
        if self.value == Value::Color {
            drawn(&mut color);
        }
        for row in pixels.chunks_exact_mut(*size * *channels).skip(top).take(height) {
            for pixel in row[left * *channels..][..width * *channels].chunks_exact_mut(*channels) {
                match self.value {
                    Value::Noise => drawn(pixel),
                    Value::Mean | Value::Color => pixel.copy_from_slice(&color),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erasing(value: Value) -> RandomErasing {
        RandomErasing { probability: 0.5, scale: [0.02, 0.33], ratio: 3.3, value }
    }

    #[test]
    fn half_the_images_lose_a_rectangle_of_the_area_and_shape_asked_for() {
        let erasing = erasing(Value::Mean);
        let windows: Vec<Window> =
            (0..4000).filter_map(|index| erasing.window(100, &mut Draw::new(1, 0, index))).collect();
        assert!(windows.len().abs_diff(2000) < 120, "{}", windows.len());
        let areas: Vec<f64> = windows.iter().map(|w| (w.width * w.height) as f64 / 1e4).collect();
        assert!(areas.iter().all(|area| (0.015..0.34).contains(area)));
        let mean = areas.iter().sum::<f64>() / areas.len() as f64;
        assert!((mean - 0.175).abs() < 0.01, "{mean}");
        let tall = windows.iter().filter(|w| w.height > w.width).count();
        assert!(tall.abs_diff(windows.len() / 2) < 100, "{tall}");
        for w in &windows {
            assert!(w.left + w.width <= 100 && w.top + w.height <= 100 && w.width < 100 && w.height < 100, "{w:?}");
            assert!((w.height as f64 / w.width as f64).ln().abs() < 3.3f64.ln() + 0.12, "{w:?}");
        }
    }

    #[test]
    fn what_covers_is_the_mean_or_drawn_around_it() {
        // Neither mean nor noise makes a 1 more than by chance.
        let covered = |value: Value| -> Vec<Vec<[u8; 3]>> {
            let of = |index| {
                let mut image = Image::new(vec![100, 120, 140], vec![20.0, 30.0, 5.0]);
                image.resize(40);
                image.pixels.fill(1);
                erasing(value).apply(&mut image, &mut Draw::new(1, 0, index));
                let pixels: Vec<[u8; 3]> = image.pixels.as_chunks().0.to_vec();
                pixels.into_iter().filter(|pixel| *pixel != [1; 3]).collect()
            };
            (0..200).map(of).filter(|pixels: &Vec<_>| !pixels.is_empty()).collect()
        };
        assert!(covered(Value::Mean).iter().flatten().all(|pixel| *pixel == [100, 120, 140]));
        let colors = covered(Value::Color);
        assert!(colors.iter().all(|pixels| pixels.iter().all(|pixel| *pixel == pixels[0])));
        let noisy = covered(Value::Noise);
        assert!(noisy.iter().all(|pixels| pixels.len() < 9 || pixels.iter().any(|pixel| *pixel != pixels[0])));
        assert!([&colors, &noisy].iter().all(|all| all.len().abs_diff(100) < 25));
        for (c, (mean, deviation)) in [(100.0, 20.0), (120.0, 30.0), (140.0, 5.0)].into_iter().enumerate() {
            let values: Vec<f64> = noisy.iter().flatten().map(|pixel| f64::from(pixel[c])).collect();
            let count = values.len() as f64;
            let centre = values.iter().sum::<f64>() / count;
            let spread = (values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / count).sqrt();
            assert!((centre - mean).abs() < 0.5 && (spread - deviation).abs() < 0.5, "{centre} ± {spread}");
        }
    }

    #[test]
    fn small_images_are_left_alone_where_no_rectangle_fits() {
        for size in 1..5 {
            let mut image = Image::new(vec![9], vec![1.0]);
            image.resize(size);
            (0..50).for_each(|index| erasing(Value::Noise).apply(&mut image, &mut Draw::new(1, 0, index)));
            assert_eq!(image.pixels.len(), size * size);
        }
    }
}
