//! What lies beyond the border of an image.

/// How an image goes on beyond its outermost pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Mirrored at its outermost pixel.
    Reflect,
    /// Black.
    Zero,
    /// The set's mean colour, which is 0 to a net whose inputs are normalised.
    Mean,
}

impl Border {
    /// By the word of a checked setting.
    ///
    /// # Panics
    /// For any other word: a mistake in the declaration.
    pub fn of(word: &str) -> Self {
        match word {
            "reflect" => Self::Reflect,
            "zero" => Self::Zero,
            "mean" => Self::Mean,
            other => unreachable!("`{other}` is not a border"),
        }
    }

    /// Where pixel `at` of an axis of `size` comes from; `None` where it is [`fill`](Self::fill)ed.
    pub fn source(self, at: isize, size: usize) -> Option<usize> {
        let inside = usize::try_from(at).ok().filter(|at| *at < size);
        match self {
            Self::Zero | Self::Mean => inside,
            // Back and forth between the outermost pixels, which are not repeated (as PyTorch's "reflect"); any distance
            // is allowed, where PyTorch wants it below the size.
            Self::Reflect => inside.or_else(|| {
                let period = (2 * size - 2).max(1);
                let folded = at.unsigned_abs() % period;
                Some(folded.min(period - folded).min(size - 1))
            }),
        }
    }

    /// Fills pixels that come from nowhere.
    pub fn fill(self, pixels: &mut [u8], mean: &[u8]) {
        match self {
            Self::Mean => pixels.chunks_exact_mut(mean.len()).for_each(|pixel| pixel.copy_from_slice(mean)),
            Self::Reflect | Self::Zero => pixels.fill(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_border_is_mirrored_without_its_outermost_pixel() {
        let at: Vec<_> = (-7..8).map(|i| Border::Reflect.source(i, 4).unwrap()).collect();
        assert_eq!(at, [1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
        assert_eq!(Border::Reflect.source(5, 1), Some(0));
        for border in [Border::Zero, Border::Mean] {
            assert_eq!([-1, 0, 3, 4].map(|at| border.source(at, 4)), [None, Some(0), Some(3), None]);
        }
    }
}
