//! What a decaying sum of gradients stands for.

use super::{State, StateError};

const WEIGHT_BITS: &str = "weight_bits";
const HANDED_ON: &str = "handed_on";

/// A weight of gradients that is as good as none: its inverse is still an `f32`.
const FORGOTTEN: f64 = 1e-30;

/// The names of the counters that [`Sum::counters`] gives.
pub const COUNTERS: [&str; 2] = [HANDED_ON, WEIGHT_BITS];

/// What the weights of the gradients in `b ← m·b + share·g` add up to, `w ← m·w + share` (the share is 1 outside of a mix): the mean of those gradients is `b/w`,
/// whatever `m` was at each step. That mean is what one kind of optimizer hands on to another.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum {
    weight: f64,
    /// Whether the buffer holds a mean that was handed on, to become a sum with the first step's momentum.
    handed_on: bool,
}

impl Sum {
    /// Of a buffer that holds the mean of another kind of optimizer.
    pub fn of_mean() -> Self {
        Self { weight: 1.0, handed_on: true }
    }

    /// Takes a step with this momentum, and gives the factor on the buffer. A mean that was handed on becomes the sum of as
    /// many such gradients as this momentum keeps in the long run, `1/(1 − m)`, of this share.
    pub fn step(&mut self, momentum: f64, share: f64) -> f32 {
        let scale = if self.handed_on { share / (1.0 - momentum) } else { 1.0 };
        let keep = momentum * scale;
        *self = Self { weight: keep * self.weight + share, handed_on: false };
        keep as f32
    }

    /// The factor that makes the buffer a mean.
    pub fn to_mean(self) -> f32 {
        // Of no gradients, before the first step, or of such as are long forgotten, in a mix whose share has gone to 0: the
        // factor would be infinite, and the buffer is 0 or nearly.
        if self.weight > FORGOTTEN { (1.0 / self.weight) as f32 } else { 0.0 }
    }

    /// For a [`State`]; what is a number there is kept by its bits.
    pub fn counters(self) -> [(&'static str, u64); 2] {
        [(HANDED_ON, u64::from(self.handed_on)), (WEIGHT_BITS, self.weight.to_bits())]
    }

    /// The same from a state that is to be moved into these buffers and nothing else.
    ///
    /// # Errors
    /// As those of [`State::into_parts`].
    pub fn load<const B: usize>(state: State, to: [(&str, &mut Vec<f32>); B]) -> Result<Self, StateError> {
        let [handed_on, weight] = state.into_parts(to, COUNTERS)?;
        Ok(Self { weight: f64::from_bits(weight), handed_on: handed_on != 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_equal_gradients_is_that_gradient_whatever_the_momentum() {
        for momenta in [vec![0.0; 3], vec![0.9; 40], vec![0.95, 0.9, 0.5, 0.0, 0.85]] {
            let (mut sum, mut buffer) = (Sum::default(), 0.0);
            for momentum in momenta {
                buffer = sum.step(momentum, 1.0) * buffer + 2.5;
                assert!((buffer * sum.to_mean() - 2.5).abs() < 1e-5, "{buffer}");
            }
        }
    }

    #[test]
    fn gradients_that_are_long_forgotten_leave_no_mean() {
        let (mut sum, mut buffer) = (Sum::default(), 0.0);
        assert_eq!(buffer * sum.to_mean(), 0.0);
        buffer = sum.step(0.9, 1.0) * buffer + 2.5;
        for _ in 0..2000 {
            buffer *= sum.step(0.9, 0.0);
            assert!((buffer * sum.to_mean()).abs() < 2.6);
        }
        assert_eq!(buffer * sum.to_mean(), 0.0);
    }

    #[test]
    fn a_mean_that_was_handed_on_is_a_sum_from_the_first_step() {
        let mut sum = Sum::of_mean();
        assert_eq!(sum.to_mean(), 1.0);
        let buffer = sum.step(0.9, 1.0) * 2.0 + 2.0;
        assert!((buffer - 20.0).abs() < 1e-5 && (buffer * sum.to_mean() - 2.0).abs() < 1e-6, "{buffer}");
    }
}
