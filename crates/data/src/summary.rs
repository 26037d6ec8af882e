//! What a set is known by: the statistics that normalise it, and its digest.

use super::Split;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

/// Mean and deviation of each channel, in `0..=1`.
///
/// Sums of bytes and of their squares are whole numbers, so they are exact in any order; a channel that never varies
/// has deviation 1, such that normalising leaves it at 0. The deviation is the population's (divided by n), as the
/// recipes give it.
pub fn statistics(split: &Split) -> (Vec<f32>, Vec<f32>) {
    let pixels = (split.bytes().len() / split.channels) as u128;
    histograms(split)
        .iter()
        .map(|histogram| {
            let moment = |power: u32| -> u128 {
                histogram.iter().zip(0u128..).map(|(count, value)| u128::from(*count) * value.pow(power)).sum()
            };
            let (sum, squares) = (moment(1), moment(2));
            let mean = sum as f64 / (pixels as f64 * 255.0);
            let spread = pixels * squares - sum * sum;
            let std = if spread == 0 { 1.0 } else { (spread as f64).sqrt() / (pixels as f64 * 255.0) };
            (mean as f32, std as f32)
        })
        .unzip()
}

/// How often each byte occurs in each channel.
fn histograms(split: &Split) -> Vec<[u64; 256]> {
    let channels = split.channels;
    let zero = || vec![[0u64; 256]; channels];
    split
        .bytes()
        .par_chunks(channels << 16)
        .map(|part| {
            let mut counts = zero();
            for pixel in part.chunks_exact(channels) {
                for (histogram, byte) in counts.iter_mut().zip(pixel) {
                    histogram[usize::from(*byte)] += 1;
                }
            }
            counts
        })
        .reduce(zero, |mut total, part| {
            for (t, p) in total.iter_mut().flatten().zip(part.iter().flatten()) {
                *t += p;
            }
            total
        })
}

/// `sha256:` over both splits: of each the number, side and channels of its images (8 bytes each, little-endian), the
/// labels (4 bytes each, little-endian) and the images, in order.
pub fn digest(train: &Split, val: &Split) -> String {
    let mut hash = Sha256::new();
    for split in [train, val] {
        for number in [split.labels.len(), split.size, split.channels] {
            hash.update((number as u64).to_le_bytes());
        }
        for label in &split.labels {
            hash.update(label.to_le_bytes());
        }
        hash.update(split.bytes());
    }
    format!("sha256:{}", hex(&hash.finalize()))
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Images;

    fn split(images: Vec<u8>, channels: usize) -> Split {
        let labels = vec![0; images.len() / channels];
        Split { images: Images::Memory(images), labels, size: 1, channels }
    }

    #[test]
    fn statistics_are_those_of_the_definition() {
        let (mean, std) = statistics(&split(vec![0, 10, 255, 10, 51, 10], 2));
        let values = [0.0, 1.0, 0.2f64];
        let expected = values.iter().sum::<f64>() / 3.0;
        let variance = values.iter().map(|v| (v - expected).powi(2)).sum::<f64>() / 3.0;
        assert_eq!(mean, vec![expected as f32, (10.0 / 255.0f64) as f32]);
        assert_eq!(std, vec![variance.sqrt() as f32, 1.0]);
    }

    #[test]
    fn the_digest_sees_labels_images_and_their_split() {
        let base = || split(vec![1, 2, 3], 1);
        let mut relabelled = base();
        relabelled.labels[2] = 1;
        let digests = [
            digest(&base(), &split(vec![4], 1)),
            digest(&relabelled, &split(vec![4], 1)),
            digest(&split(vec![1, 2, 4], 1), &split(vec![4], 1)),
            digest(&split(vec![1, 2], 1), &split(vec![3, 4], 1)),
        ];
        for (i, a) in digests.iter().enumerate() {
            assert!(a.starts_with("sha256:") && a.len() == 7 + 64);
            assert!(digests[i + 1..].iter().all(|b| a != b));
        }
    }
}
