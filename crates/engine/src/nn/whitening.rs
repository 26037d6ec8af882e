//! Filters that whiten: computed from training images, so that their outputs on such images are uncorrelated and about
//! equally large.
//!
//! With `M = Σ p·pᵀ / count` over all patches `p` that a filter sees (not centred), and its eigenvectors `v` and
//! eigenvalues `λ`, ascending: the filters are `v/√(λ + ε)` and, where there are twice as many filters as numbers in a
//! patch, after them the same negated. Source: Page 2019, How to Train Your ResNet 8, with one sign; with both Jordan 2024
//! (arXiv:2404.00498). PyTorch's `eigh` leaves the sign of `v` open, here the largest component is positive.

use super::eigen;
use super::shape::Shape;
use rayon::prelude::*;

/// The second moments of patches, added up a batch of images at a time.
pub struct Patches {
    kernel: [usize; 2],
    /// Numbers of a patch: `channels·height·width`, in this order.
    len: usize,
    /// Whether each filter is there negated too.
    both_signs: bool,
    /// The upper triangle is kept.
    moments: Vec<f64>,
    count: u64,
}

impl Patches {
    /// Of patches as filters of `[O, channels, height, width]` see them; `O` is the patch's numbers, or twice as many.
    ///
    /// # Panics
    /// When the filters have other than four axes, or there is another number of them.
    pub fn new(filters: &[usize]) -> Self {
        let [outputs, channels, height, width] = *filters else { panic!("filters have four axes, not {filters:?}") };
        let len = channels * height * width;
        assert!(outputs == len || outputs == 2 * len, "{outputs} filters of {len} numbers");
        let both_signs = outputs != len;
        Self { kernel: [height, width], len, both_signs, moments: vec![0.0; len * len], count: 0 }
    }

    /// Adds all patches, one a pixel, of images `(n, h, w, c)`. Images are added in order, whatever the number of threads.
    ///
    /// # Panics
    /// When the patches do not fit the images.
    pub fn add(&mut self, shape: Shape, images: &[f32]) {
        let [kh, kw] = self.kernel;
        assert!(shape.h >= kh && shape.w >= kw && shape.c * kh * kw == self.len, "patches of {shape}");
        let each: Vec<Vec<f64>> =
            images.par_chunks_exact(shape.len()).map(|image| self.of_image(shape, image)).collect();
        self.count += (each.len() * (shape.h - kh + 1) * (shape.w - kw + 1)) as u64;
        for moments in each {
            self.moments.iter_mut().zip(moments).for_each(|(sum, part)| *sum += part);
        }
    }

    fn of_image(&self, shape: Shape, image: &[f32]) -> Vec<f64> {
        let [kh, kw] = self.kernel;
        let mut moments = vec![0.0; self.len * self.len];
        let mut patch = vec![0.0; self.len];
        for y in 0..=shape.h - kh {
            for x in 0..=shape.w - kw {
                for (at, value) in patch.iter_mut().enumerate() {
                    let (channel, dy, dx) = (at / (kh * kw), at / kw % kh, at % kw);
                    *value = f64::from(image[((y + dy) * shape.w + x + dx) * shape.c + channel]);
                }
                for (i, a) in patch.iter().enumerate() {
                    let row = &mut moments[i * self.len..][..self.len];
                    row[i..].iter_mut().zip(&patch[i..]).for_each(|(sum, b)| *sum += a * b);
                }
            }
        }
        moments
    }

    /// The filters, `(O, channels, height, width)`.
    pub fn filters(&self, eps: f64) -> Vec<f32> {
        let n = self.len;
        let matrix: Vec<f64> =
            (0..n * n).map(|at| self.moments[(at / n).min(at % n) * n + (at / n).max(at % n)]).collect();
        let count = self.count.max(1) as f64;
        let matrix: Vec<f64> = matrix.into_iter().map(|sum| sum / count).collect();
        let whitening: Vec<f32> = eigen::symmetric(&matrix, n)
            .into_iter()
            .flat_map(|(value, vector)| {
                // Rounding may take a zero eigenvalue below zero.
                let scale = 1.0 / (value.max(0.0) + eps).sqrt();
                vector.into_iter().map(move |x| (x * scale) as f32)
            })
            .collect();
        if !self.both_signs {
            return whitening;
        }
        let negated: Vec<f32> = whitening.iter().map(|x| -x).collect();
        [whitening, negated].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(n: usize, shape: Shape) -> Vec<f32> {
        // Waves under noise: neighbours are alike, channels differ.
        let noise = |k: usize| (k.wrapping_mul(2_654_435_761) >> 8) % 1009;
        let pixel = |k: usize| ((k / shape.c) as f32 * 0.37).sin() + noise(k) as f32 / 2000.0;
        (0..n * shape.len()).map(|k| pixel(k) + (k % shape.c) as f32 * 0.2).collect()
    }

    #[test]
    fn outputs_are_uncorrelated_and_of_one_size() {
        let shape = Shape::new(9, 7, 3);
        let images = images(20, shape);
        let mut patches = Patches::new(&[24, 3, 2, 2]);
        patches.add(shape, &images[..shape.len() * 13]);
        patches.add(shape, &images[shape.len() * 13..]);
        let eps = 1e-9;
        let filters = patches.filters(eps);
        let mut single = Patches::new(&[12, 3, 2, 2]);
        single.add(shape, &images);
        assert_eq!(single.filters(eps), filters[..144], "one sign: the first half");
        assert_eq!(filters.len(), 24 * 12);
        assert!(filters[..144].iter().zip(&filters[144..]).all(|(a, b)| *a == -*b));
        let mut twin = [[0.0f64; 12]; 12];
        let mut count = 0.0;
        for n in 0..20 {
            for (y, x) in (0..8).flat_map(|y| (0..6).map(move |x| (y, x))) {
                let at = |c: usize, dy: usize, dx: usize| f64::from(images[((n * 9 + y + dy) * 7 + x + dx) * 3 + c]);
                let patch: Vec<f64> = (0..12).map(|k| at(k / 4, k / 2 % 2, k % 2)).collect();
                let out: Vec<f64> = filters[..144]
                    .chunks(12)
                    .map(|f| f.iter().zip(&patch).map(|(f, p)| f64::from(*f) * p).sum())
                    .collect();
                (0..144).for_each(|ij| twin[ij / 12][ij % 12] += out[ij / 12] * out[ij % 12]);
                count += 1.0;
            }
        }
        for (i, row) in twin.iter().enumerate() {
            for (j, sum) in row.iter().enumerate() {
                let (moment, want) = (sum / count, f64::from(u8::from(i == j)));
                assert!((moment - want).abs() < 1e-4, "{i} {j}: {moment}");
            }
        }
    }

    #[test]
    fn no_patches_and_no_variety_are_no_trouble() {
        let mut patches = Patches::new(&[8, 1, 2, 2]);
        assert!(patches.filters(5e-4).iter().all(|x| x.is_finite()));
        patches.add(Shape::new(2, 2, 1), &[1.0; 4]);
        assert!(patches.filters(5e-4).iter().all(|x| x.is_finite()));
    }
}
