//! Pictures as numbers: read, fitted, made lighter or greyer, and written.

use crate::data::resize::Extent;
use crate::data::{self, DataError};
use image::imageops::{self, FilterType};
use image::{ImageBuffer, ImageFormat, Rgb};
use std::io::Cursor;
use std::path::Path;

type Buffer = ImageBuffer<Rgb<f32>, Vec<f32>>;

/// Red, green and blue in `0..=1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub extent: Extent,
    /// `(h, w, 3)`
    pub pixels: Vec<f32>,
}

/// What the net's images are normalised with.
#[derive(Clone, Copy, Debug)]
pub struct Colours<'a> {
    pub mean: &'a [f64],
    pub std: &'a [f64],
}

/// The extent of a picture whose longer side is brought to `size`.
pub fn fitted(of: Extent, size: usize) -> Extent {
    let longer = of.width.max(of.height) as f64;
    let side = |side: usize| ((side as f64 * size as f64 / longer).round() as usize).max(1);
    Extent { width: side(of.width), height: side(of.height) }
}

impl Picture {
    /// Reads a JPEG or PNG file.
    ///
    /// # Errors
    /// When it cannot be read or decoded.
    pub fn read(path: &Path) -> Result<Self, DataError> {
        let (extent, bytes) = data::decode_rgb(path)?;
        Ok(Self { extent, pixels: bytes.into_iter().map(|byte| f32::from(byte) / 255.0).collect() })
    }

    /// The largest part in the middle that has the shape of `to`, resized to it: Catmull–Rom, widened where it shrinks.
    pub fn fitted(&self, to: Extent) -> Self {
        let Extent { width, height } = self.extent;
        let scale = (width as f64 / to.width as f64).min(height as f64 / to.height as f64);
        let side = |wanted: usize, of: usize| ((wanted as f64 * scale).round() as usize).clamp(1, of);
        let cut = Extent { width: side(to.width, width), height: side(to.height, height) };
        let (left, top) = ((width - cut.width) / 2, (height - cut.height) / 2);
        let whole = self.buffer();
        let part = imageops::crop_imm(&whole, left as u32, top as u32, cut.width as u32, cut.height as u32);
        if cut == to {
            return Self { extent: to, pixels: part.to_image().into_raw() };
        }
        let resized = imageops::resize(&part.to_image(), to.width as u32, to.height as u32, FilterType::CatmullRom);
        Self { extent: to, pixels: resized.into_raw() }
    }

    fn buffer(&self) -> Buffer {
        let Extent { width, height } = self.extent;
        ImageBuffer::from_raw(width as u32, height as u32, self.pixels.clone()).expect("as many pixels as its extent")
    }

    /// Softened by a Gaussian of that standard deviation.
    pub fn blurred(&self, sigma: f32) -> Self {
        if sigma <= 0.0 {
            return self.clone();
        }
        Self { extent: self.extent, pixels: imageops::blur(&self.buffer(), sigma).into_raw() }
    }

    /// Its lightness (Rec. 601) in all three channels.
    pub fn grey(&self) -> Self {
        let pixels = self.pixels.chunks_exact(3).flat_map(|pixel| [lightness(pixel); 3]).collect();
        Self { extent: self.extent, pixels }
    }

    /// Its lightness, of the mean and deviation that another picture's has.
    pub fn with_lights_of(&self, other: &Self) -> Self {
        let of = |picture: &Self| -> (f64, f64) {
            let lights = || picture.pixels.chunks_exact(3).map(|pixel| f64::from(lightness(pixel)));
            let count = lights().count() as f64;
            let mean = lights().sum::<f64>() / count;
            (mean, (lights().map(|light| (light - mean).powi(2)).sum::<f64>() / count).sqrt())
        };
        let ((mean, std), (to_mean, to_std)) = (of(self), of(other));
        let scale = if std > 0.0 { to_std / std } else { 1.0 };
        let moved = |pixel: &[f32]| ((f64::from(lightness(pixel)) - mean) * scale + to_mean) as f32;
        let pixels = self.pixels.chunks_exact(3).flat_map(|pixel| [moved(pixel).clamp(0.0, 1.0); 3]).collect();
        Self { extent: self.extent, pixels }
    }

    /// The lightness of this picture with the colours of another of the same extent: its I and Q in YIQ.
    pub fn with_colours_of(&self, other: &Self) -> Self {
        let mix = |(pixel, other): (&[f32], &[f32])| {
            let change = lightness(pixel) - lightness(other);
            [0, 1, 2].map(|k| (other[k] + change).clamp(0.0, 1.0))
        };
        let pixels = self.pixels.chunks_exact(3).zip(other.pixels.chunks_exact(3)).flat_map(mix).collect();
        Self { extent: self.extent, pixels }
    }

    /// As the net takes it.
    pub fn normalised(&self, colours: Colours<'_>) -> Vec<f32> {
        let value = |(k, value): (usize, &f32)| ((f64::from(*value) - colours.mean[k % 3]) / colours.std[k % 3]) as f32;
        self.pixels.iter().enumerate().map(value).collect()
    }

    /// From what the net takes; what lies beyond black or white is cut.
    pub fn of_normalised(values: &[f32], extent: Extent, colours: Colours<'_>) -> Self {
        let pixel = |(k, value): (usize, &f32)| {
            (f64::from(*value) * colours.std[k % 3] + colours.mean[k % 3]).clamp(0.0, 1.0) as f32
        };
        Self { extent, pixels: values.iter().enumerate().map(pixel).collect() }
    }

    /// As a PNG file of 8 bits.
    ///
    /// # Panics
    /// Never: memory takes any file.
    pub fn png(&self) -> Vec<u8> {
        let bytes: Vec<u8> = self.pixels.iter().map(|value| (value * 255.0).round() as u8).collect();
        let Extent { width, height } = self.extent;
        let image: ImageBuffer<Rgb<u8>, Vec<u8>> =
            ImageBuffer::from_raw(width as u32, height as u32, bytes).expect("as many pixels as its extent");
        let mut file = Cursor::new(Vec::new());
        image.write_to(&mut file, ImageFormat::Png).expect("memory takes any file");
        file.into_inner()
    }

    /// Pictures of one extent side by side, so many a row, a few pixels of white between them.
    pub fn sheet(pictures: &[Self], columns: usize) -> Self {
        const GAP: usize = 4;
        let Extent { width, height } = pictures[0].extent;
        let rows = pictures.len().div_ceil(columns);
        let columns = columns.min(pictures.len());
        let extent = Extent { width: columns * (width + GAP) - GAP, height: rows * (height + GAP) - GAP };
        let mut pixels = vec![1.0; extent.width * extent.height * 3];
        for (k, picture) in pictures.iter().enumerate() {
            let (left, top) = ((k % columns) * (width + GAP), (k / columns) * (height + GAP));
            for (y, row) in picture.pixels.chunks_exact(width * 3).enumerate() {
                let at = ((top + y) * extent.width + left) * 3;
                pixels[at..at + row.len()].copy_from_slice(row);
            }
        }
        Self { extent, pixels }
    }
}

/// Y of YIQ, Rec. 601.
fn lightness(pixel: &[f32]) -> f32 {
    0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Picture {
        let extent = Extent { width: 4, height: 2 };
        Picture { extent, pixels: (0..24).map(|k| k as f32 / 23.0).collect() }
    }

    #[test]
    fn the_longer_side_is_brought_to_the_size() {
        assert_eq!(fitted(Extent { width: 300, height: 200 }, 150), Extent { width: 150, height: 100 });
        assert_eq!(fitted(Extent { width: 2, height: 999 }, 100), Extent { width: 1, height: 100 });
    }

    #[test]
    fn what_the_net_takes_goes_there_and_back() {
        let picture = picture();
        let colours = Colours { mean: &[0.1, 0.2, 0.3], std: &[0.5, 0.25, 2.0] };
        let there = picture.normalised(colours);
        let back = Picture::of_normalised(&there, picture.extent, colours);
        assert!(back.pixels.iter().zip(&picture.pixels).all(|(a, b)| (a - b).abs() < 1e-6));
        assert_eq!(Picture::of_normalised(&[9.0, -9.0, 0.0], Extent::square(1), colours).pixels, [1.0, 0.0, 0.3]);
    }

    #[test]
    fn colours_and_lightness_come_apart_and_together() {
        let picture = picture();
        assert_eq!(picture.with_colours_of(&picture), picture);
        let light = picture.grey().with_colours_of(&picture);
        let close = |a: &Picture, b: &Picture| a.pixels.iter().zip(&b.pixels).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(&light, &picture), "its own lightness with its own colours");
        assert!(close(&picture.with_lights_of(&picture), &picture.grey()));
    }

    #[test]
    fn a_fitted_picture_is_the_middle_in_its_shape() {
        let picture = picture();
        assert_eq!(picture.fitted(picture.extent), picture);
        let middle = picture.fitted(Extent::square(2));
        assert_eq!(middle.pixels[..6], picture.pixels[3..9], "columns 1 and 2");
        assert_eq!(Picture::sheet(&[middle.clone(), middle], 2).extent, Extent { width: 8, height: 2 });
    }
}
