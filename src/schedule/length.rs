/// How long a phase is.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// Passes over the training set; may be fractional.
    Epochs(f64),
    /// Optimizer steps.
    Steps(u64),
}

impl Length {
    /// The parts that these shares of it are, one after the other. Steps are whole: each border is the nearest, so that the
    /// parts add up, and a part may come to none.
    pub fn parts(self, shares: &[f64]) -> Vec<Self> {
        let steps = match self {
            Self::Epochs(epochs) => return shares.iter().map(|share| Self::Epochs(share * epochs)).collect(),
            Self::Steps(steps) => steps as f64,
        };
        let (mut sum, mut border) = (0.0, 0);
        let part = |share: &f64| {
            sum += share;
            let before = std::mem::replace(&mut border, (sum * steps).round() as u64);
            Self::Steps(border - before)
        };
        shares.iter().map(part).collect()
    }

    pub fn is_none(self) -> bool {
        match self {
            Self::Epochs(epochs) => epochs == 0.0,
            Self::Steps(steps) => steps == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_steps_are_whole_and_add_up() {
        let steps = |all, shares: &[f64]| -> Vec<u64> {
            let count = |part| if let Length::Steps(steps) = part { steps } else { panic!("steps") };
            Length::Steps(all).parts(shares).into_iter().map(count).collect()
        };
        assert_eq!(steps(10, &[1.0 / 3.0; 3]), [3, 4, 3]);
        assert_eq!(steps(1, &[0.45, 0.45, 0.1]), [0, 1, 0]);
        assert_eq!(steps(40, &[0.4, 0.4, 0.2]), [16, 16, 8]);
        assert_eq!(Length::Epochs(2.0).parts(&[0.25, 0.75]), [Length::Epochs(0.5), Length::Epochs(1.5)]);
    }
}
