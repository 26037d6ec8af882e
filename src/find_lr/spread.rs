//! What several seeds suggest together.

/// The middle and the ends of rates that several seeds suggest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Of an even number the geometric mean of the two in the middle: rates are compared by their quotients.
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Spread {
    /// Of rates above zero; `None` where there are none.
    pub fn of(rates: &[f64]) -> Option<Self> {
        let mut sorted = rates.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        let (a, b) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        // The root of a square need not be the number itself.
        let median = if a == b { a } else { (a * b).sqrt() };
        Some(Self { median, low, high })
    }

    /// How many times the lowest the highest is.
    pub fn factor(&self) -> f64 {
        self.high / self.low
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_middle_of_rates_is_that_of_their_logarithms() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[0.1]), Some(Spread { median: 0.1, low: 0.1, high: 0.1 }));
        assert_eq!(Spread::of(&[0.4, 0.1, 0.2]), Some(Spread { median: 0.2, low: 0.1, high: 0.4 }));
        let even = Spread::of(&[1.0, 4.0]).unwrap();
        assert_eq!((even.median, even.factor()), (2.0, 4.0));
    }
}
