//! Random changes of brightness, contrast, saturation and hue.

use super::{Augment, AugmentEntry, Change, Draw, Image, change};
use crate::draw::{below, between};
use crate::luma::luma;
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: AugmentEntry = Entry {
    name: "color-jitter",
    summary: "changes brightness, contrast, saturation and hue at random, in random order",
    cite: "torchvision's ColorJitter; Howard 2013, Some Improvements on Deep CNN Based Image Classification",
    params: &[
        Param {
            key: "strength",
            kind: Kind::Float(Interval::at_least(0.0)),
            default: Default::Toml("0.0"),
            doc: "brightness, contrast and saturation, where they are left out",
        },
        Param {
            key: "brightness",
            kind: Kind::Float(Interval::at_least(0.0)),
            default: Default::Absent,
            doc: "brightness is multiplied by up to 1 ± this, not below 0; left out: `strength`",
        },
        Param {
            key: "contrast",
            kind: Kind::Float(Interval::at_least(0.0)),
            default: Default::Absent,
            doc: "distance from the image's mean grey is multiplied by up to 1 ± this; left out: `strength`",
        },
        Param {
            key: "saturation",
            kind: Kind::Float(Interval::at_least(0.0)),
            default: Default::Absent,
            doc: "distance from the pixel's grey is multiplied by up to 1 ± this; left out: `strength`",
        },
        Param {
            key: "hue",
            kind: Kind::Float(Interval::closed(0.0, 0.5)),
            default: Default::Toml("0.0"),
            doc: "the hue turns by up to this part of the colour circle, either way",
        },
    ],
    shorthand: Some("strength"),
    make: |settings| {
        let strength = settings.float("strength");
        let reach = |key: &str| settings.opt_float(key).unwrap_or(strength) as f32;
        change(ColorJitter {
            brightness: reach("brightness"),
            contrast: reach("contrast"),
            saturation: reach("saturation"),
            hue: settings.float("hue") as f32,
        })
    },
};

/// The order of the four is drawn first, then the factor of each, evenly from `max(0, 1 − x)..1 + x` (hue: `−x..x`). All
/// are drawn whether they are used or not, so that one setting does not change what the others draw.
///
/// Images of one channel have no saturation and no hue.
struct ColorJitter {
    brightness: f32,
    contrast: f32,
    saturation: f32,
    hue: f32,
}

impl Augment for ColorJitter {
    fn draw(&self, _: usize, draw: &mut Draw) -> Change {
        let order = order(draw);
        let mut factor = |reach: f32| between(&mut draw.rng, (1.0 - reach).max(0.0), 1.0 + reach);
        let [brightness, contrast, saturation] =
            [self.brightness, self.contrast, self.saturation].map(|reach| (reach > 0.0).then_some(factor(reach)));
        let hue = (self.hue > 0.0).then_some(between(&mut draw.rng, -self.hue, self.hue));
        let tone = |which| match which {
            0 => brightness.map(Tone::Brightness),
            1 => contrast.map(Tone::Contrast),
            2 => saturation.map(Tone::Saturation),
            _ => hue.map(Tone::hue),
        };
        Change::Tones(order.map(|which| tone(which).unwrap_or(Tone::Stay)))
    }
}

/// A change of all pixels. Images of one channel have no saturation and no hue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Tone {
    /// None.
    Stay,
    /// By a factor. As Pillow's `ImageEnhance.Brightness`: black at 0.
    Brightness(f32),
    /// By a factor. As Pillow's `ImageEnhance.Contrast`: the image's mean grey at 0.
    Contrast(f32),
    /// By a factor. As Pillow's `ImageEnhance.Color`: grey at 0.
    Saturation(f32),
    /// By so many 255ths of the colour circle, below 0 from 256 down. As torchvision's `adjust_hue` of a Pillow image.
    Hue(u8),
}

impl Tone {
    /// A part of the colour circle either way, in 255ths, rounded towards 0.
    fn hue(turn: f32) -> Self {
        Self::Hue((f64::from(turn) * 255.0) as i32 as u8)
    }

    pub fn apply(self, image: &mut Image) {
        let (channels, pixels) = (image.channels, &mut image.pixels[..]);
        match self {
            Self::Brightness(factor) => blend_all(pixels, 0, factor),
            Self::Contrast(factor) => contrast(pixels, channels, factor),
            Self::Saturation(factor) if channels == 3 => saturation(pixels, factor),
            Self::Hue(turn) if channels == 3 => hue(pixels, turn),
            Self::Stay | Self::Saturation(_) | Self::Hue(_) => {}
        }
    }
}

/// The four in an order of which all are equally likely.
fn order(draw: &mut Draw) -> [u8; 4] {
    let mut order = [0, 1, 2, 3];
    for last in (1..order.len()).rev() {
        order.swap(last, below(&mut draw.rng, last as u32 + 1) as usize);
    }
    order
}

fn contrast(pixels: &mut [u8], channels: usize, factor: f32) {
    let sum: u64 = match channels {
        3 => pixels.as_chunks().0.iter().map(|pixel| u64::from(luma(*pixel))).sum(),
        _ => pixels.iter().map(|byte| u64::from(*byte)).sum(),
    };
    let count = (pixels.len() / if channels == 3 { 3 } else { 1 }).max(1);
    let mean = (sum as f64 / count as f64 + 0.5) as u8;
    blend_all(pixels, mean, factor);
}

fn saturation(pixels: &mut [u8], factor: f32) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let grey = luma(*pixel);
        *pixel = pixel.map(|byte| blend(grey, byte, factor));
    }
}

fn hue(pixels: &mut [u8], turn: u8) {
    for pixel in pixels.as_chunks_mut::<3>().0 {
        let [h, s, v] = to_hsv(*pixel);
        *pixel = from_hsv([h.wrapping_add(turn), s, v]);
    }
}

/// Blends every byte with the same one: by a table, as there are 256 of them.
fn blend_all(pixels: &mut [u8], from: u8, factor: f32) {
    let table: [u8; 256] = std::array::from_fn(|byte| blend(from, byte as u8, factor));
    pixels.iter_mut().for_each(|byte| *byte = table[usize::from(*byte)]);
}

/// `from` at 0, `to` at 1, and beyond, within a byte's range; fractions are cut off, as Pillow's `Image.blend` does.
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    (f32::from(from) + factor * (f32::from(to) - f32::from(from))) as u8
}

/// Hue, saturation and value, a byte each: Pillow's `convert("HSV")`.
fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max == min {
        return [0, 0, max];
    }
    let spread = f32::from(max - min);
    let below_max = |byte: u8| f32::from(max - byte) / spread;
    let sextant = if r == max {
        below_max(b) - below_max(g)
    } else if g == max {
        (2.0 + f64::from(below_max(r)) - f64::from(below_max(b))) as f32
    } else {
        (4.0 + f64::from(below_max(g)) - f64::from(below_max(r))) as f32
    };
    // Single precision where Pillow has it, double where C makes it so.
    let turns = f64::from(sextant) / 6.0 + 1.0;
    let hue = (if turns >= 1.0 { turns - 1.0 } else { turns }) as f32;
    let byte = |x: f32| (f64::from(x) * 255.0) as u8;
    [byte(hue), byte(spread / f32::from(max)), max]
}

/// The inverse of [`to_hsv`], but for its roundings: Pillow's `convert("RGB")`.
fn from_hsv([h, s, v]: [u8; 3]) -> [u8; 3] {
    if s == 0 {
        return [v; 3];
    }
    let place = f64::from(h) * 6.0 / 255.0;
    // Nothing is negative here: cutting fractions off is rounding down, and far cheaper.
    let sextant = place as u8;
    let (part, saturation) = (f64::from((place - f64::from(sextant)) as f32), f64::from((f64::from(s) / 255.0) as f32));
    let dimmed = |share: f64| (f64::from(v) * (1.0 - share) + 0.5) as u8;
    let (p, q, t) = (dimmed(saturation), dimmed(saturation * part), dimmed(saturation * (1.0 - part)));
    match sextant % 6 {
        0 => [v, t, p],
        1 => [q, v, p],
        2 => [p, v, t],
        3 => [p, q, v],
        4 => [t, p, v],
        _ => [v, p, q],
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{gray, of_pillow};
    use super::*;
    use crate::pillow::Pillow;
    use std::collections::BTreeMap;

    #[track_caller]
    fn assert_pillows(kind: &str, key: &str, tone: impl Fn(f32) -> Tone) {
        let pillow = Pillow::read();
        let cases = pillow.cases(kind);
        assert!(cases.len() > 5);
        for (name, case) in cases {
            let source = pillow.image(case["of"].as_str().unwrap());
            let mut image = of_pillow(source, &vec![0; source.channels]);
            tone(case[key].as_f64().unwrap() as f32).apply(&mut image);
            assert_eq!(image.pixels, pillow.image(&name).pixels, "{name}: {case}");
        }
    }

    #[test]
    fn bytes_are_pillows() {
        assert_pillows("brightness", "factor", Tone::Brightness);
        assert_pillows("contrast", "factor", Tone::Contrast);
        assert_pillows("saturation", "factor", Tone::Saturation);
        assert_pillows("hue", "turn", Tone::hue);
    }

    #[test]
    fn every_colour_keeps_nearly_its_hue_saturation_and_value() {
        for colour in 0..1 << 15 {
            let pixel = [colour >> 10, colour >> 5 & 31, colour & 31].map(|level: i32| (level * 255 / 31) as u8);
            let back = from_hsv(to_hsv(pixel));
            let far = pixel.iter().zip(back).map(|(a, b)| a.abs_diff(b)).max();
            assert!(far <= Some(7), "{pixel:?} comes back as {back:?}");
        }
    }

    #[test]
    fn factors_are_drawn_evenly_around_one() {
        let jitter = ColorJitter { brightness: 0.5, contrast: 0.0, saturation: 0.0, hue: 0.0 };
        let mut levels: Vec<u8> = (0..4000)
            .map(|index| {
                let mut image = gray(1, &[100]);
                jitter.apply(&mut image, &mut Draw::new(1, 0, index));
                image.pixels[0]
            })
            .collect();
        levels.sort_unstable();
        for (place, expected) in [(0, 50), (1000, 75), (2000, 100), (3000, 125), (3999, 150)] {
            assert!(levels[place].abs_diff(expected) <= 3, "{place}: {}", levels[place]);
        }
    }

    #[test]
    fn all_orders_are_equally_likely() {
        let mut counts = BTreeMap::new();
        (0..4800).for_each(|index| *counts.entry(order(&mut Draw::new(1, 0, index))).or_insert(0u32) += 1);
        assert_eq!(counts.len(), 24);
        assert!(counts.values().all(|count| count.abs_diff(200) < 60), "{counts:?}");
    }

    #[test]
    fn a_grey_image_has_no_saturation_and_no_hue() {
        let jitter = ColorJitter { brightness: 0.0, contrast: 0.0, saturation: 1.0, hue: 0.5 };
        for index in 0..50 {
            let mut image = gray(2, &[1, 20, 150, 255]);
            jitter.apply(&mut image, &mut Draw::new(1, 0, index));
            assert_eq!(image.pixels, [1, 20, 150, 255]);
        }
    }

    #[test]
    fn one_setting_leaves_the_draws_of_the_others_alone() {
        let level = |jitter: ColorJitter| {
            let mut image = gray(1, &[100]);
            jitter.apply(&mut image, &mut Draw::new(3, 1, 4));
            image.pixels
        };
        let alone = level(ColorJitter { brightness: 0.4, contrast: 0.0, saturation: 0.0, hue: 0.0 });
        assert_eq!(level(ColorJitter { brightness: 0.4, contrast: 0.0, saturation: 0.8, hue: 0.5 }), alone);
    }
}
