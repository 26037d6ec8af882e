//! What a running mean of gradients that starts from 0 stands for.

use super::{State, StateError};

const WEIGHT_BITS: &str = "weight_bits";

/// What the weights of the gradients in `m ← β·m + (1 − β)·g` add up to, `w ← β·w + 1 − β`: `m/w` is their mean, whatever
/// `β` was at each step. The counterpart of [`Sum`](super::sum::Sum).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    weight: f64,
}

impl Mean {
    /// Of a buffer that holds the mean of another kind of optimizer.
    pub fn handed_on() -> Self {
        Self { weight: 1.0 }
    }

    /// Takes a step with this `β`.
    pub fn step(&mut self, beta: f64) {
        self.weight = beta * self.weight + (1.0 - beta);
    }

    /// The factor that makes the buffer a mean.
    pub fn to_mean(self) -> f32 {
        // Before the first step the buffer is 0, whatever it is multiplied by.
        if self.weight > 0.0 { (1.0 / self.weight) as f32 } else { 1.0 }
    }

    /// For a [`State`]; what is a number there is kept by its bits.
    pub fn counters(self) -> [(&'static str, u64); 1] {
        [(WEIGHT_BITS, self.weight.to_bits())]
    }

    /// The same from a state that is to be moved into these buffers and nothing else.
    ///
    /// # Errors
    /// As those of [`State::into_parts`].
    pub fn load<const B: usize>(state: State, to: [(&str, &mut Vec<f32>); B]) -> Result<Self, StateError> {
        let [weight] = state.into_parts(to, [WEIGHT_BITS])?;
        Ok(Self { weight: f64::from_bits(weight) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_equal_gradients_is_that_gradient_whatever_the_beta() {
        for betas in [vec![0.0; 3], vec![0.99; 40], vec![0.95, 0.9, 0.5, 0.0, 0.85]] {
            let (mut mean, mut buffer) = (Mean::default(), 0.0);
            for beta in betas {
                mean.step(beta);
                buffer = (beta * f64::from(buffer) + (1.0 - beta) * 2.5) as f32;
                assert!((buffer * mean.to_mean() - 2.5).abs() < 1e-5, "{buffer}");
            }
        }
    }
}
