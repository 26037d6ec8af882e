//! Resizing with antialiasing.

use std::ops::Range;

/// Fractional bits of a weight: 32 bits less 8 for the byte and 2 for sums that overshoot.
const PRECISION: u32 = 32 - 8 - 2;

/// Resizes square images of bytes from one side to another: a triangle filter, widened by the scale when it shrinks, so
/// that every source pixel counts (bilinear interpolation when it grows).
///
/// Rows first, then columns, with bytes in between and whole-number weights: the same bytes as Pillow's
/// `Image.resize(…, BILINEAR)`, on any machine. PyTorch's `antialias=True` differs by at most a rounding.
pub struct Resizer {
    from: usize,
    to: usize,
    channels: usize,
    taps: Vec<Taps>,
    /// `(from, to, channels)`: rows resized, columns not yet.
    narrow: Vec<u8>,
}

/// What one output pixel is made of along an axis.
struct Taps {
    range: Range<usize>,
    weights: Vec<i32>,
}

impl Resizer {
    pub fn new(from: usize, to: usize, channels: usize) -> Self {
        let taps = (0..to).map(|i| Taps::new(from, to, i)).collect();
        Self { from, to, channels, taps, narrow: vec![0; from * to * channels] }
    }

    /// Whether this resizes between these sides.
    pub fn fits(&self, from: usize, to: usize) -> bool {
        (self.from, self.to) == (from, to)
    }

    /// Resizes `source`, `(from, from, channels)`, into `target`, `(to, to, channels)`.
    pub fn resize(&mut self, source: &[u8], target: &mut [u8]) {
        if self.from == self.to {
            target.copy_from_slice(source);
            return;
        }
        let (c, row) = (self.channels, self.to * self.channels);
        for (wide, narrow) in source.chunks_exact(self.from * c).zip(self.narrow.chunks_exact_mut(row)) {
            for (pixel, taps) in narrow.chunks_exact_mut(c).zip(&self.taps) {
                taps.gather(&wide[taps.range.start * c..taps.range.end * c], pixel);
            }
        }
        for (line, taps) in target.chunks_exact_mut(row).zip(&self.taps) {
            taps.gather(&self.narrow[taps.range.start * row..taps.range.end * row], line);
        }
    }
}

impl Taps {
    /// Of output pixel `i`.
    fn new(from: usize, to: usize, i: usize) -> Self {
        let scale = from as f64 / to as f64;
        let support = scale.max(1.0);
        let centre = (i as f64 + 0.5) * scale;
        // The bounds and the half pixels are Pillow's.
        let start = (centre - support + 0.5).max(0.0) as usize;
        let end = ((centre + support + 0.5) as usize).min(from);
        let raw: Vec<f64> =
            (start..end).map(|x| (1.0 - ((x as f64 - centre + 0.5) / support).abs()).max(0.0)).collect();
        let total: f64 = raw.iter().sum();
        let weights = raw.iter().map(|w| (w / total * f64::from(1u32 << PRECISION) + 0.5) as i32).collect();
        Self { range: start..end, weights }
    }

    /// The weighted mean of as many equal parts of `source` as there are weights.
    fn gather(&self, source: &[u8], target: &mut [u8]) {
        let len = target.len();
        for (j, byte) in target.iter_mut().enumerate() {
            let mut sum = 1 << (PRECISION - 1);
            for (weight, part) in self.weights.iter().zip(source.chunks_exact(len)) {
                sum += weight * i32::from(part[j]);
            }
            *byte = (sum >> PRECISION).clamp(0, 255) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::summary::hex;
    use sha2::{Digest, Sha256};

    /// A picture with edges, in three channels that differ.
    fn picture(side: usize) -> Vec<u8> {
        (0..side * side * 3).map(|i| ((i * i * 7 + i / 5 * 31) % 256) as u8).collect()
    }

    fn resized(from: usize, to: usize) -> Vec<u8> {
        let mut target = vec![0; to * to * 3];
        Resizer::new(from, to, 3).resize(&picture(from), &mut target);
        target
    }

    #[test]
    fn bytes_are_pillows() {
        // Pillow 13.0.0: Image.fromarray(picture).resize((to, to), BILINEAR)
        assert_eq!(resized(4, 2), [63, 102, 119, 85, 131, 168, 91, 110, 133, 101, 114, 163]);
        let digests = [
            (5, 3, "be73758678abf2c0"),
            (3, 4, "4a10b8fe48b8ce1a"),
            (32, 16, "20af17698053f828"),
            (32, 24, "12d63c6b923c782c"),
            (32, 20, "18bdae1c6da585d8"),
            (24, 32, "41cae5d8c5e69efa"),
            (33, 7, "6e5c8dacf05b8554"),
        ];
        for (from, to, expected) in digests {
            assert_eq!(hex(&Sha256::digest(resized(from, to)))[..16], *expected, "{from} to {to}");
        }
    }

    #[test]
    fn the_same_side_changes_nothing() {
        assert_eq!(resized(9, 9), picture(9));
    }

    #[test]
    fn a_plain_picture_stays_plain() {
        for (from, to) in [(32, 24), (32, 5), (5, 32), (7, 1)] {
            let mut target = vec![0; to * to * 3];
            Resizer::new(from, to, 3).resize(&vec![255; from * from * 3], &mut target);
            assert!(target.iter().all(|byte| *byte == 255), "{from} to {to}");
        }
    }
}
