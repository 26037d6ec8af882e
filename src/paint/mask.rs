//! Where an image may change.

use super::picture::Picture;
use crate::data::resize::Extent;

/// A number in `0..=1` for each pixel.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    pub extent: Extent,
    pub values: Vec<f32>,
}

impl Mask {
    /// The lightness of a picture, fitted to an extent; its borders softened over so many pixels.
    pub fn of(picture: &Picture, to: Extent, feather: usize) -> Self {
        let grey = picture.fitted(to).grey();
        let soft = grey.blurred(feather as f32 / 2.0);
        let values = soft.pixels.chunks_exact(3).map(|pixel| pixel[0].clamp(0.0, 1.0)).collect();
        Self { extent: to, values }
    }

    /// Whether nothing may change.
    pub fn is_black(&self) -> bool {
        self.values.iter().all(|value| *value == 0.0)
    }

    /// The mean over the pixels that each of so many rows and columns stands for: rows `⌊i·H/h⌋` to `⌈(i+1)·H/h⌉`, as
    /// PyTorch's `interpolate(mode="area")`.
    pub fn at(&self, height: usize, width: usize) -> Vec<f32> {
        let Extent { width: from_width, height: from_height } = self.extent;
        let range = |k: usize, from: usize, to: usize| k * from / to..((k + 1) * from).div_ceil(to);
        let mut out = Vec::with_capacity(height * width);
        for row in 0..height {
            let rows = range(row, from_height, height);
            for col in 0..width {
                let cols = range(col, from_width, width);
                let sum: f64 = rows
                    .clone()
                    .flat_map(|y| &self.values[y * from_width..][cols.clone()])
                    .map(|value| f64::from(*value))
                    .sum();
                out.push((sum / (rows.len() * cols.len()) as f64) as f32);
            }
        }
        out
    }

    /// `base + m·(pixels − base)`: three channels a pixel.
    pub fn mix(&self, base: &[f32], pixels: &[f32], out: &mut [f32]) {
        let per_image = 3 * self.values.len();
        let images =
            out.chunks_exact_mut(per_image).zip(base.chunks_exact(per_image)).zip(pixels.chunks_exact(per_image));
        for ((out, base), pixels) in images {
            for (k, m) in self.values.iter().enumerate() {
                for at in 3 * k..3 * k + 3 {
                    out[at] = base[at] + m * (pixels[at] - base[at]);
                }
            }
        }
    }

    /// The gradient of the pixels from that of the mix.
    pub fn pull(&self, grads: &mut [f32]) {
        for image in grads.chunks_exact_mut(3 * self.values.len()) {
            for (pixel, m) in image.chunks_exact_mut(3).zip(&self.values) {
                pixel.iter_mut().for_each(|grad| *grad *= m);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layers_mask_is_the_mean_over_what_its_pixels_stand_for() {
        let mask = Mask {
            extent: Extent { width: 5, height: 2 },
            values: vec![1.0, 1.0, 0.0, 0.0, 0.5, 1.0, 1.0, 0.0, 0.0, 0.5],
        };
        // Columns 0..3 and 2..5: PyTorch's windows overlap where sides do not divide.
        let close = |found: Vec<f32>, wanted: [f32; 2]| found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(close(mask.at(1, 2), [2.0 / 3.0, 1.0 / 6.0]), "{:?}", mask.at(1, 2));
        assert_eq!(mask.at(2, 5), mask.values);
    }

    #[test]
    fn what_is_masked_stays_as_it_was_and_has_no_gradient() {
        let mask = Mask { extent: Extent { width: 2, height: 1 }, values: vec![0.0, 0.25] };
        let (base, pixels) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [9.0; 6]);
        let mut out = [0.0; 6];
        mask.mix(&base, &pixels, &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0, 5.25, 6.0, 6.75]);
        let mut grads = [4.0; 6];
        mask.pull(&mut grads);
        assert_eq!(grads, [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    }
}
