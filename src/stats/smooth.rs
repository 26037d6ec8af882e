//! A moving average that forgets.

use serde::{Deserialize, Serialize};

/// An exponential moving average, corrected for its beginning: of values x₁ … xₙ
/// `Σ βⁿ⁻ᵏ·xₖ / Σ βⁿ⁻ᵏ`, so that the first is itself and a constant stays.
///
/// Adam's correction (Kingma & Ba 2015, arXiv:1412.6980, section 3), and fastai's `AvgSmoothLoss`. It is plain data: a
/// checkpoint can hold it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smooth {
    beta: f64,
    average: f64,
    weight: f64,
}

impl Smooth {
    /// Before the first value. `beta` in 0..1: the share that a step keeps; it looks back over about 1 / (1 − β) values.
    pub fn new(beta: f64) -> Self {
        Self { beta, average: 0.0, weight: 0.0 }
    }

    /// Takes in a value and gives the average with it. What is not finite spoils all averages after it.
    pub fn add(&mut self, value: f64) -> f64 {
        self.average = self.beta * self.average + (1.0 - self.beta) * value;
        self.weight = self.beta * self.weight + (1.0 - self.beta);
        self.average / self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::Smooth;

    #[test]
    fn the_first_value_is_itself_and_later_ones_weigh_more() {
        let mut smooth = Smooth::new(0.98);
        assert_eq!(smooth.add(3.0), 3.0);
        // (0.98·3 + 5) / 1.98
        assert!((smooth.add(5.0) - 7.94 / 1.98).abs() < 1e-12);
        let mut none = Smooth::new(0.0);
        assert_eq!([2.0, 7.0].map(|x| none.add(x)), [2.0, 7.0]);
        let mut constant = Smooth::new(0.9);
        assert!((0..100).all(|_| (constant.add(0.25) - 0.25).abs() < 1e-15));
    }

    #[test]
    fn what_is_not_finite_stays_seen() {
        let mut smooth = Smooth::new(0.5);
        smooth.add(f64::NAN);
        assert!(smooth.add(1.0).is_nan());
    }
}
