//! Gram matrices of activations, and their gradient.

use crate::kernels::matmul::{Epilogue, View, product};
use crate::kernels::{Isa, Write};
use rayon::prelude::*;

/// Pixels whose products are summed by one task: sums depend on it, so it is the same whatever the threads.
const PIXELS: usize = 2048;

/// `G = scale · FᵀW`, `(c, c)`: F are activations, `(pixels, c)`, and W are F, or F with each pixel times its weight.
///
/// # Panics
/// When the lengths do not fit.
pub fn gram(isa: Isa, channels: usize, f: &[f32], weighted: &[f32], scale: f32, g: &mut [f32]) {
    assert!(f.len() == weighted.len() && g.len() == channels * channels, "gram: lengths differ");
    let piece = PIXELS * channels;
    let parts: Vec<Vec<f32>> = f
        .par_chunks(piece)
        .zip(weighted.par_chunks(piece))
        .map(|(f, weighted)| {
            let pixels = f.len() / channels;
            let (f, weighted) = (View::new(f, pixels, channels), View::new(weighted, pixels, channels));
            let mut part = vec![0.0; channels * channels];
            product(isa, f.transposed(), weighted, Epilogue { alpha: scale, ..Epilogue::default() }, &mut part);
            part
        })
        .collect();
    g.fill(0.0);
    for part in parts {
        g.iter_mut().zip(part).for_each(|(sum, part)| *sum += part);
    }
}

/// `dF += 2·scale · W·D`, of the symmetric gradient D of G.
///
/// # Panics
/// When the lengths do not fit.
pub fn gradient(isa: Isa, channels: usize, weighted: &[f32], d: &[f32], scale: f32, df: &mut [f32]) {
    let weighted = View::new(weighted, weighted.len() / channels, channels);
    let epilogue = Epilogue { alpha: 2.0 * scale, bias: None, write: Write::Add };
    product(isa, weighted, View::new(d, channels, channels), epilogue, df);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums in `f64`, entry by entry.
    fn slow(channels: usize, f: &[f32], weighted: &[f32], scale: f64) -> Vec<f64> {
        let mut g = vec![0.0; channels * channels];
        for (f, w) in f.chunks_exact(channels).zip(weighted.chunks_exact(channels)) {
            for (i, f) in f.iter().enumerate() {
                for (j, w) in w.iter().enumerate() {
                    g[i * channels + j] += f64::from(*f) * f64::from(*w) * scale;
                }
            }
        }
        g
    }

    fn noise(len: usize) -> Vec<f32> {
        let mut state = 7u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn products_of_channels_agree_with_their_slow_twin_on_every_instruction_set() {
        for (channels, pixels) in [(1, 1), (3, 5), (24, 2048), (65, 2049), (31, 4100)] {
            let f = noise(channels * pixels);
            let weighted: Vec<f32> = f.iter().enumerate().map(|(k, f)| f * ((k / channels) % 3) as f32).collect();
            let expected = slow(channels, &f, &weighted, 0.01);
            for isa in Isa::available() {
                let mut g = vec![f32::NAN; channels * channels];
                gram(isa, channels, &f, &weighted, 0.01, &mut g);
                let largest = expected.iter().fold(0.0f64, |max, g| max.max(g.abs()));
                for (found, expected) in g.iter().zip(&expected) {
                    assert!((f64::from(*found) - expected).abs() <= 1e-5 * largest, "{isa} {channels}×{pixels}");
                }
            }
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_matrix() {
        // L = Σ D·G with symmetric D: dL/dF = scale·(W·D + (W·Dᵀ)), for W = m·F.
        let (channels, pixels, scale) = (5, 33, 0.1);
        let f = noise(channels * pixels);
        let mask: Vec<f32> = (0..pixels).map(|p| (p % 4) as f32 / 3.0).collect();
        let weigh = |f: &[f32]| -> Vec<f32> { f.iter().enumerate().map(|(k, f)| f * mask[k / channels]).collect() };
        let half = noise(channels * channels);
        let d: Vec<f32> =
            (0..channels * channels).map(|k| half[k] + half[(k % channels) * channels + k / channels]).collect();
        let loss = |f: &[f32]| -> f64 {
            slow(channels, f, &weigh(f), scale).iter().zip(&d).map(|(g, d)| g * f64::from(*d)).sum()
        };
        for isa in Isa::available() {
            let mut found = vec![1.0; f.len()];
            gradient(isa, channels, &weigh(&f), &d, scale as f32, &mut found);
            for k in [0, 7, 11, 80, f.len() - 1] {
                let step = 1e-2;
                let at = |by: f32| {
                    let mut moved = f.clone();
                    moved[k] += by;
                    loss(&moved)
                };
                let slope = (at(step) - at(-step)) / (2.0 * f64::from(step));
                assert!((f64::from(found[k]) - 1.0 - slope).abs() < 2e-4, "{isa}, {k}: {} and {slope}", found[k]);
            }
        }
    }
}
