//! How much of an operation a magnitude is: timm's and torchvision's tables.

use super::operation::Operation;
use super::warp::Manner;
use super::{Border, Draw, Interpolation, Tone};
use crate::draw::coin;

/// What there is to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Identity,
    AutoContrast,
    Equalize,
    Invert,
    Rotate,
    Posterize,
    Solarize,
    SolarizeAdd,
    Color,
    Contrast,
    Brightness,
    Sharpness,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
}

/// timm's `_RAND_TRANSFORMS`.
pub const TIMM: [Sort; 15] = [
    Sort::AutoContrast,
    Sort::Equalize,
    Sort::Invert,
    Sort::Rotate,
    Sort::Posterize,
    Sort::Solarize,
    Sort::SolarizeAdd,
    Sort::Color,
    Sort::Contrast,
    Sort::Brightness,
    Sort::Sharpness,
    Sort::ShearX,
    Sort::ShearY,
    Sort::TranslateX,
    Sort::TranslateY,
];

/// torchvision's, of both augmentations.
pub const TORCHVISION: [Sort; 14] = [
    Sort::Identity,
    Sort::ShearX,
    Sort::ShearY,
    Sort::TranslateX,
    Sort::TranslateY,
    Sort::Rotate,
    Sort::Brightness,
    Sort::Color,
    Sort::Contrast,
    Sort::Sharpness,
    Sort::Posterize,
    Sort::Solarize,
    Sort::AutoContrast,
    Sort::Equalize,
];

/// Which way an operation goes that has two ways, and what it needs besides.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub negative: bool,
    pub manner: Manner,
    /// The image's side.
    pub size: usize,
}

/// What of an image an operation is to be made with; not yet drawn where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// `None`: bilinear or bicubic, drawn for each operation.
    pub interpolation: Option<Interpolation>,
    pub border: Border,
}

impl Fill {
    /// By the words of checked settings.
    ///
    /// # Panics
    /// For any others: a mistake in the declaration.
    pub fn of(interpolation: &str, padding: &str) -> Self {
        let interpolation = match interpolation {
            "mixed" => None,
            "nearest" => Some(Interpolation::Nearest),
            "bilinear" => Some(Interpolation::Bilinear),
            "bicubic" => Some(Interpolation::Bicubic),
            other => unreachable!("`{other}` is no interpolation"),
        };
        Self { interpolation, border: Border::of(padding) }
    }

    /// Always draws as much, whatever is made of it.
    pub fn way(self, size: usize, draw: &mut Draw) -> Way {
        let (negative, smooth) = (coin(&mut draw.rng), coin(&mut draw.rng));
        let drawn = if smooth { Interpolation::Bicubic } else { Interpolation::Bilinear };
        let manner = Manner { interpolation: self.interpolation.unwrap_or(drawn), border: self.border };
        Way { negative, manner, size }
    }
}

impl Way {
    fn sign(&self, amount: f64) -> f64 {
        if self.negative { -amount } else { amount }
    }
}

/// timm's operation of a magnitude of 0 to 10. `increasing`: as with its `inc1`, all go from little to much;
/// otherwise posterizing, solarizing and the four that blend go as the TPU implementation's, with which 0 is the
/// most, or the middle nothing.
pub fn timm(sort: Sort, magnitude: f64, increasing: bool, way: Way) -> Operation {
    let part = magnitude / 10.0;
    let steps = |most: u32| (part * f64::from(most)) as u32;
    let factor = || match increasing {
        true => (1.0 + way.sign(part * 0.9)).max(0.1) as f32,
        false => (part * 1.8 + 0.1) as f32,
    };
    let least = |most: u32, steps: u32| if increasing { most - steps } else { steps };
    let along = |amount: f64| way.sign(amount);
    match sort {
        Sort::Identity => Operation::Identity,
        Sort::AutoContrast => Operation::AutoContrast,
        Sort::Equalize => Operation::Equalize,
        Sort::Invert => Operation::Invert,
        Sort::Rotate => Operation::Warp(way.manner.turn(way.size, along(part * 30.0))),
        Sort::Posterize => Operation::Posterize(least(4, steps(4))),
        Sort::Solarize => Operation::Solarize(least(256, steps(256)) as u16),
        Sort::SolarizeAdd => Operation::SolarizeAdd(steps(110) as u8),
        Sort::Color => Operation::Tone(Tone::Saturation(factor())),
        Sort::Contrast => Operation::Tone(Tone::Contrast(factor())),
        Sort::Brightness => Operation::Tone(Tone::Brightness(factor())),
        Sort::Sharpness => Operation::Sharpness(factor()),
        Sort::ShearX => Operation::Warp(way.manner.shear_x(along(part * 0.3))),
        Sort::ShearY => Operation::Warp(way.manner.shear_y(along(part * 0.3))),
        Sort::TranslateX => Operation::Warp(way.manner.shift([along(part * 0.45) * way.size as f64, 0.0])),
        Sort::TranslateY => Operation::Warp(way.manner.shift([0.0, along(part * 0.45) * way.size as f64])),
    }
}

/// The most that torchvision's operations do.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    pub shear: f32,
    /// Pixels.
    pub shift: f32,
    pub degrees: f32,
    /// What is added to, or taken from, a factor of 1.
    pub blend: f32,
    /// Bits that are taken away.
    pub bits: f32,
}

impl Most {
    /// RandAugment's for an image of that side.
    pub fn rand_augment(size: usize) -> Self {
        Self { shear: 0.3, shift: (150.0 / 331.0 * size as f64) as f32, degrees: 30.0, blend: 0.9, bits: 4.0 }
    }

    /// TrivialAugment's wide ones.
    pub const WIDE: Self = Self { shear: 0.99, shift: 32.0, degrees: 135.0, blend: 0.99, bits: 6.0 };
}

/// torchvision's levels of each operation.
pub const LEVELS: u32 = 31;

/// torchvision's operation of a level below [`LEVELS`].
///
/// It shears by the tangent of an angle whose tangent it is given, which is that number up to its last bits.
pub fn torchvision(sort: Sort, level: u32, most: Most, way: Way) -> Operation {
    let along = |end: f32| way.sign(f64::from(linspace(end, level)));
    let factor = |end: f32| (1.0 + along(end)) as f32;
    // It counts how far the image goes to the right and down.
    let pixels = |end: f32| -along(end).trunc();
    match sort {
        Sort::Identity => Operation::Identity,
        Sort::AutoContrast => Operation::AutoContrast,
        Sort::Equalize => Operation::Equalize,
        Sort::Invert => Operation::Invert,
        Sort::Rotate => Operation::Warp(way.manner.turn(way.size, along(most.degrees))),
        Sort::Posterize => {
            let every = f64::from(LEVELS - 1) / f64::from(most.bits);
            Operation::Posterize(8 - (f64::from(level) / every).round_ties_even() as u32)
        }
        // From 255 down; a byte is a whole number.
        Sort::Solarize => Operation::Solarize((255.0 - 8.5 * f64::from(level)).ceil() as u16),
        Sort::SolarizeAdd => Operation::SolarizeAdd(0),
        Sort::Color => Operation::Tone(Tone::Saturation(factor(most.blend))),
        Sort::Contrast => Operation::Tone(Tone::Contrast(factor(most.blend))),
        Sort::Brightness => Operation::Tone(Tone::Brightness(factor(most.blend))),
        Sort::Sharpness => Operation::Sharpness(factor(most.blend)),
        Sort::ShearX => Operation::Warp(way.manner.shear_x(along(most.shear))),
        Sort::ShearY => Operation::Warp(way.manner.shear_y(along(most.shear))),
        Sort::TranslateX => Operation::Warp(way.manner.shift([pixels(most.shift), 0.0])),
        Sort::TranslateY => Operation::Warp(way.manner.shift([0.0, pixels(most.shift)])),
    }
}

/// Entry `level` of `torch.linspace(0, end, LEVELS)`: from the nearer end, in one rounding, as PyTorch computes it
/// where the processor has fused products and sums.
fn linspace(end: f32, level: u32) -> f32 {
    let step = f64::from(end / (LEVELS - 1) as f32);
    // Products of two single numbers are whole in double precision.
    match level < LEVELS / 2 {
        true => (step * f64::from(level)) as f32,
        false => (f64::from(end) - step * f64::from(LEVELS - 1 - level)) as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pillow::Pillow;

    fn way(size: usize, negative: bool) -> Way {
        Way { negative, manner: Manner { interpolation: Interpolation::Nearest, border: Border::Zero }, size }
    }

    /// The number that an operation is made with.
    fn amount(operation: Operation) -> f64 {
        match operation {
            Operation::Posterize(bits) => f64::from(bits),
            Operation::Solarize(from) => f64::from(from),
            Operation::SolarizeAdd(add) => f64::from(add),
            Operation::Sharpness(factor)
            | Operation::Tone(Tone::Saturation(factor) | Tone::Contrast(factor) | Tone::Brightness(factor)) => {
                f64::from(factor)
            }
            Operation::Warp(warp) => {
                let [a, b, c, d, _, f] = warp.matrix;
                if a == 1.0 { b + c + d + f } else { -d.atan2(a).to_degrees() }
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn magnitudes_are_timms() {
        use Sort::*;
        let of = |sort, magnitude, increasing| amount(timm(sort, magnitude, increasing, way(100, false)));
        // By hand from timm's auto_augment.py, at a magnitude of 6.
        let rows = [
            (Posterize, 2.0, 2.0),
            (Solarize, 153.0, 103.0),
            (SolarizeAdd, 66.0, 66.0),
            (Color, 1.18, 1.54),
            (Contrast, 1.18, 1.54),
            (Brightness, 1.18, 1.54),
            (Sharpness, 1.18, 1.54),
            (ShearX, 0.18, 0.18),
            (ShearY, 0.18, 0.18),
            (TranslateX, 27.0, 27.0),
            (TranslateY, 27.0, 27.0),
        ];
        for (sort, plain, increasing) in rows {
            for (increases, want) in [(false, plain), (true, increasing)] {
                let got = of(sort, 6.0, increases);
                assert!((got - want).abs() < 1e-6, "{sort:?}, {increases}: {got} is not {want}");
            }
        }
        assert!((of(Rotate, 6.0, true).abs() - 18.0).abs() < 1e-9);
        assert_eq!([0.0, 10.0].map(|m| of(Posterize, m, true)), [4.0, 0.0]);
        assert_eq!([0.0, 10.0].map(|m| of(Solarize, m, false)), [0.0, 256.0]);
        let least = timm(Brightness, 10.0, true, way(9, true));
        assert_eq!(least, Operation::Tone(Tone::Brightness(0.1)));
    }

    /// `torch.linspace` and what torchvision makes of it, from the fixture.
    #[test]
    fn levels_are_torchvisions() {
        let pillow = Pillow::of("operations");
        let (_, table) = pillow.cases("levels").remove(0);
        let numbers = |key: &str| -> Vec<f64> {
            table[key].as_array().unwrap_or_else(|| panic!("{key}")).iter().map(|n| n.as_f64().unwrap()).collect()
        };
        let levels = |most: Most, sort: Sort, size: usize| -> Vec<f64> {
            (0..LEVELS).map(|level| amount(torchvision(sort, level, most, way(size, true)))).collect()
        };
        for size in [24, 32, 128, 160, 176, 224] {
            let want: Vec<f64> = numbers(&format!("shift {size}"));
            assert_eq!(levels(Most::rand_augment(size), Sort::TranslateX, size), want, "{size}");
        }
        let (rand, wide) = (Most::rand_augment(32), Most::WIDE);
        assert_eq!(levels(wide, Sort::TranslateY, 32), numbers("shift wide"));
        assert_eq!(levels(rand, Sort::Posterize, 32), numbers("bits"));
        assert_eq!(levels(wide, Sort::Posterize, 32), numbers("bits wide"));
        assert_eq!(levels(rand, Sort::Solarize, 32), numbers("solarize"));
        for (most, end) in [(rand, "0.3"), (wide, "0.99")] {
            let shears: Vec<f64> = levels(most, Sort::ShearX, 32).iter().map(|by| -by).collect();
            assert_eq!(shears, numbers(end), "{end}");
        }
        for (most, end) in [(rand, "30"), (wide, "135")] {
            let turns: Vec<f64> = (0..LEVELS).map(|level| f64::from(linspace(most.degrees, level))).collect();
            assert_eq!(turns, numbers(end), "{end}");
        }
        let factors: Vec<f64> = numbers("0.9").iter().map(|by| f64::from((1.0 - by) as f32)).collect();
        assert_eq!(levels(rand, Sort::Color, 32), factors);
    }
}
