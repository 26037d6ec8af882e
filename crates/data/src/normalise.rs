//! Bytes to what the net takes in.

use crate::kernels::Element;

/// What pixels of `0..=1` are normalised with, a number for each channel, in the place of what a set's own training images
/// tell: those of the images that published weights were trained on, mostly. Empty lists: what they tell, after all.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Statistics {
    pub mean: Vec<f64>,
    pub deviation: Vec<f64>,
}

impl Statistics {
    /// Whether they leave it to the set's own.
    pub fn is_own(&self) -> bool {
        self.mean.is_empty() && self.deviation.is_empty()
    }
}

/// `(byte / 255 − mean) / std` per channel, as a table: a byte has but 256 values.
pub struct Normalise<E> {
    /// One table a channel.
    tables: Vec<[E; 256]>,
}

impl<E: Element> Normalise<E> {
    /// `mean` and `std` in `0..=1`, a number for each channel. Computed in `f64` and rounded to `f32`, then to `E`.
    pub fn new(mean: &[f32], std: &[f32]) -> Self {
        let table = |(mean, std): (&f32, &f32)| {
            std::array::from_fn(|byte| {
                let value = (byte as f64 / 255.0 - f64::from(*mean)) / f64::from(*std);
                E::from_f32(value as f32)
            })
        };
        Self { tables: mean.iter().zip(std).map(table).collect() }
    }

    /// Writes the normalised image, channels last on both sides.
    pub fn apply(&self, bytes: &[u8], target: &mut [E]) {
        match &self.tables[..] {
            [red, green, blue] => {
                let pixels = target.as_chunks_mut::<3>().0.iter_mut().zip(bytes.as_chunks::<3>().0);
                pixels.for_each(|(to, [r, g, b])| *to = [red[*r as usize], green[*g as usize], blue[*b as usize]]);
            }
            tables => {
                let pixels = target.chunks_exact_mut(tables.len()).zip(bytes.chunks_exact(tables.len()));
                for (pixel, source) in pixels {
                    pixel
                        .iter_mut()
                        .zip(source)
                        .zip(tables)
                        .for_each(|((to, byte), table)| *to = table[*byte as usize]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_their_own_statistics() {
        let normalise = Normalise::<f32>::new(&[0.0, 0.5], &[1.0, 0.25]);
        let mut target = [9.0; 4];
        normalise.apply(&[255, 255, 51, 0], &mut target);
        assert_eq!(target, [1.0, 2.0, 0.2, -2.0]);
    }

    #[test]
    fn narrower_types_are_rounded_once_from_f32() {
        let (wide, narrow) =
            (Normalise::<f32>::new(&[0.473], &[0.251]), Normalise::<half::bf16>::new(&[0.473], &[0.251]));
        for byte in 0..=255 {
            let (mut a, mut b) = ([0.0], [half::bf16::ZERO]);
            wide.apply(&[byte], &mut a);
            narrow.apply(&[byte], &mut b);
            assert_eq!(half::bf16::from_f32(a[0]), b[0]);
        }
    }
}
