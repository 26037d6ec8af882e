//! What RandAugment and TrivialAugment choose from.

use super::{Image, Tone, Warp};

/// A change of an image at hand: the bytes of Pillow's `ImageOps`, `ImageEnhance` and `Image.transform`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    Identity,
    /// Each channel is stretched: its darkest byte becomes 0, its brightest 255.
    AutoContrast,
    /// Each channel gets a histogram as even as that of one with so few values can be.
    Equalize,
    Invert,
    /// So many of the upper bits are kept, 0 to 8. 0, which Pillow 13 refuses, is black, as with its older versions.
    Posterize(u32),
    /// Bytes from this one on are inverted: all at 0, none at 256.
    Solarize(u16),
    /// This is added to bytes below 128, up to 255.
    SolarizeAdd(u8),
    Tone(Tone),
    /// By a factor: at 0 the mean of the 3×3 pixels around, in which the middle one counts fivefold. The outermost
    /// pixels stay.
    Sharpness(f32),
    Warp(Warp),
}

impl Operation {
    pub fn apply(self, image: &mut Image) {
        match self {
            Self::Identity => {}
            Self::AutoContrast => by_channel(image, stretched),
            Self::Equalize => by_channel(image, equalized),
            Self::Invert => image.pixels.iter_mut().for_each(|byte| *byte = !*byte),
            Self::Posterize(bits) => {
                let mask = u8::MAX.checked_shl(8 - bits.min(8)).unwrap_or(0);
                image.pixels.iter_mut().for_each(|byte| *byte &= mask);
            }
            Self::Solarize(from) => {
                let turned = |byte: u8| if u16::from(byte) < from { byte } else { !byte };
                image.pixels.iter_mut().for_each(|byte| *byte = turned(*byte));
            }
            Self::SolarizeAdd(add) => {
                let lit = |byte: u8| if byte < 128 { byte.saturating_add(add) } else { byte };
                image.pixels.iter_mut().for_each(|byte| *byte = lit(*byte));
            }
            Self::Tone(tone) => tone.apply(image),
            Self::Sharpness(factor) => sharpen(image, factor),
            Self::Warp(warp) => warp.apply(image),
        }
    }
}

/// How often each byte occurs.
type Histogram = [u32; 256];

/// Looks each byte up in a table that is made of its channel's histogram.
fn by_channel(image: &mut Image, table: impl Fn(&Histogram) -> [u8; 256]) {
    match image.channels {
        1 => look_up::<1>(&mut image.pixels, table),
        3 => look_up::<3>(&mut image.pixels, table),
        channels => unreachable!("an image of {channels} channels"),
    }
}

fn look_up<const C: usize>(pixels: &mut [u8], table: impl Fn(&Histogram) -> [u8; 256]) {
    let pixels = pixels.as_chunks_mut::<C>().0;
    let mut counts = [[0; 256]; C];
    for pixel in &*pixels {
        counts.iter_mut().zip(pixel).for_each(|(counts, byte)| counts[usize::from(*byte)] += 1);
    }
    let tables = counts.each_ref().map(table);
    for pixel in pixels {
        pixel.iter_mut().zip(&tables).for_each(|(byte, table)| *byte = table[usize::from(*byte)]);
    }
}

fn same() -> [u8; 256] {
    std::array::from_fn(|byte| byte as u8)
}

/// `ImageOps.autocontrast`.
fn stretched(counts: &Histogram) -> [u8; 256] {
    let occurs = |count: &u32| *count > 0;
    let (Some(low), Some(high)) = (counts.iter().position(occurs), counts.iter().rposition(occurs)) else {
        return same();
    };
    if high <= low {
        return same();
    }
    let scale = 255.0 / (high - low) as f64;
    let offset = -(low as f64) * scale;
    // Fractions are cut off.
    std::array::from_fn(|byte| (byte as f64 * scale + offset) as u8)
}

/// `ImageOps.equalize`.
fn equalized(counts: &Histogram) -> [u8; 256] {
    let last = counts.iter().rposition(|count| *count > 0).map_or(0, |last| counts[last]);
    let step = (counts.iter().sum::<u32>() - last) / 255;
    if step == 0 {
        return same();
    }
    let mut below = step / 2;
    std::array::from_fn(|byte| {
        let level = (below / step).min(255) as u8;
        below += counts[byte];
        level
    })
}

/// `ImageEnhance.Sharpness`. Pillow leaves images that are smaller than its filter alone.
fn sharpen(image: &mut Image, factor: f32) {
    let (size, channels) = (image.size, image.channels);
    if size < 3 {
        return;
    }
    image.rewrite(|old, y, row| {
        let width = row.len();
        let line = |y: usize| &old.pixels[y * width..][..width];
        row.copy_from_slice(line(y));
        if y == 0 || y + 1 == size {
            return;
        }
        let upper_two = line(y - 1).iter().zip(line(y));
        let three: Vec<u16> =
            upper_two.zip(line(y + 1)).map(|((a, b), c)| u16::from(*a) + u16::from(*b) + u16::from(*c)).collect();
        let sums = three.iter().zip(&three[channels..]).zip(&three[2 * channels..]).map(|((a, b), c)| a + b + c);
        for (byte, sum) in row[channels..width - channels].iter_mut().zip(sums) {
            // A thirteenth, rounded: none lies halfway between two whole numbers, so it does not matter in what Pillow
            // computes it.
            let smooth = f32::from((2 * (sum + 4 * u16::from(*byte)) + 13) / 26);
            *byte = (smooth + factor * (f32::from(*byte) - smooth)) as u8;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::super::tests::of_pillow;
    use super::super::{Border, Interpolation, Manner};
    use super::*;
    use crate::pillow::Pillow;

    fn operation(kind: &str, size: usize, number: f64, interpolation: Option<&str>) -> Operation {
        let interpolation = match interpolation {
            Some("bicubic") => Interpolation::Bicubic,
            Some("bilinear") => Interpolation::Bilinear,
            _ => Interpolation::Nearest,
        };
        let manner = Manner { interpolation, border: Border::Mean };
        match kind {
            "auto-contrast" => Operation::AutoContrast,
            "equalize" => Operation::Equalize,
            "invert" => Operation::Invert,
            "posterize" => Operation::Posterize(number as u32),
            "solarize" => Operation::Solarize(number.ceil() as u16),
            "solarize-add" => Operation::SolarizeAdd(number as u8),
            "sharpness" => Operation::Sharpness(number as f32),
            "shear-x" => Operation::Warp(manner.shear_x(number)),
            "shear-y" => Operation::Warp(manner.shear_y(number)),
            "translate-x" => Operation::Warp(manner.shift([number, 0.0])),
            "translate-y" => Operation::Warp(manner.shift([0.0, number])),
            "turn" => Operation::Warp(manner.turn(size, number)),
            other => panic!("`{other}`"),
        }
    }

    #[test]
    fn bytes_are_pillows() {
        let pillow = Pillow::of("operations");
        let points = ["auto-contrast", "equalize", "invert", "posterize", "solarize", "solarize-add", "sharpness"];
        let warps = ["shear-x", "shear-y", "translate-x", "translate-y", "turn"];
        for kind in points.into_iter().chain(warps) {
            let cases = pillow.cases(kind);
            assert!(cases.len() >= 3, "{kind}: {}", cases.len());
            for (name, case) in cases {
                let numbers = |key: &str| -> Option<Vec<f64>> {
                    case[key].as_array().map(|all| all.iter().map(|number| number.as_f64().unwrap()).collect())
                };
                let source = pillow.image(case["of"].as_str().unwrap());
                let fill = numbers("fill").unwrap_or_else(|| vec![0.0; source.channels]);
                let fill: Vec<u8> = fill.into_iter().map(|byte| byte as u8).collect();
                let (asked, want) = (numbers("numbers").unwrap(), &pillow.image(&name).pixels);
                assert_eq!(want.len(), asked.len() * source.pixels.len(), "{name}");
                for (number, want) in asked.into_iter().zip(want.chunks_exact(source.pixels.len())) {
                    let mut image = of_pillow(source, &fill);
                    operation(kind, image.size, number, case["interpolation"].as_str()).apply(&mut image);
                    assert_eq!(image.pixels, want, "{name}, {number}: {case}");
                }
            }
        }
    }

    #[test]
    fn what_keeps_all_bits_or_none_and_what_inverts_all_or_nothing() {
        let source = Pillow::of("operations").image("square13").clone();
        let made = |operation: Operation| {
            let mut image = of_pillow(&source, &[0; 3]);
            operation.apply(&mut image);
            image.pixels
        };
        let inverted: Vec<u8> = source.pixels.iter().map(|byte| 255 - byte).collect();
        assert_eq!(made(Operation::Posterize(8)), source.pixels);
        assert!(made(Operation::Posterize(0)).iter().all(|byte| *byte == 0));
        assert_eq!((made(Operation::Solarize(0)), made(Operation::Solarize(256))), (inverted, source.pixels.clone()));
        assert_eq!(made(Operation::Identity), source.pixels);
    }
}
