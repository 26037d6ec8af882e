//! What a net takes each image for.

use super::rows::Row;
use serde::{Deserialize, Serialize};

/// One image, evaluated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionRow {
    /// Its file; of images that are no files, their number from 0.
    pub image: String,
    /// The name of its class.
    pub label: String,
    /// That of the class with the highest output, the first of equals; empty where an output is NaN.
    pub predicted: String,
    /// Of `predicted`; NaN where there is none.
    pub probability: f64,
    /// Of `label`.
    pub label_probability: f64,
}

impl Row for PredictionRow {
    const COLUMNS: &'static [&'static str] = &["image", "label", "predicted", "probability", "label_probability"];
}

impl PredictionRow {
    /// Of a net's outputs for one image, of which it was decided that the one of number `predicted` is the highest. `names`: of all
    /// outputs, as `probabilities`, which [`softmax`] or [`logistic`] makes of them.
    ///
    /// # Panics
    /// When there are fewer probabilities or names.
    pub fn new(image: String, names: &[String], label: usize, predicted: Option<usize>, probabilities: &[f64]) -> Self {
        Self {
            image,
            label: names[label].clone(),
            predicted: predicted.map(|class| names[class].clone()).unwrap_or_default(),
            probability: predicted.map_or(f64::NAN, |class| probabilities[class]),
            label_probability: probabilities[label],
        }
    }
}

/// The shares of the exponentials, which the cross-entropy takes for probabilities.
pub fn softmax(outputs: &[f32]) -> Vec<f64> {
    let highest = f64::from(outputs.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let parts: Vec<f64> = outputs.iter().map(|output| (f64::from(*output) - highest).exp()).collect();
    let sum: f64 = parts.iter().sum();
    parts.into_iter().map(|part| part / sum).collect()
}

/// `1/(1 + e^−z)` of each output by itself, which binary cross-entropy takes for its probability.
pub fn logistic(outputs: &[f32]) -> Vec<f64> {
    outputs.iter().map(|output| 1.0 / (1.0 + (-f64::from(*output)).exp())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::csv_file;
    use super::*;

    fn row(outputs: &[f32], predicted: Option<usize>) -> PredictionRow {
        let names = ["cat", "dog, big", "output 2"].map(str::to_owned);
        PredictionRow::new("val/cat/1.png".to_owned(), &names, 0, predicted, &softmax(outputs))
    }

    #[test]
    fn probabilities_are_shares_of_exponentials() {
        // A thousand more changes nothing, and would be infinite by itself.
        for shift in [0.0, 1000.0, -1000.0] {
            let found = row(&[shift, shift + 2.0, shift], Some(1));
            let e = 2f64.exp();
            assert!((found.probability - e / (e + 2.0)).abs() < 1e-12, "{found:?}");
            assert!((found.label_probability - 1.0 / (e + 2.0)).abs() < 1e-12, "{found:?}");
        }
        let lost = row(&[f32::NAN, 1.0, 2.0], None);
        assert!(lost.predicted.is_empty() && lost.probability.is_nan() && lost.label_probability.is_nan(), "{lost:?}");
    }

    #[test]
    fn probabilities_of_classes_by_themselves_are_logistic() {
        let found = logistic(&[0.0, 2.0, -2.0, 1e9, -1e9, f32::NAN]);
        let e = 2f64.exp();
        for (found, wanted) in found.iter().zip([0.5, e / (e + 1.0), 1.0 / (e + 1.0), 1.0, 0.0]) {
            assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted}");
        }
        assert!(found[5].is_nan());
    }

    #[test]
    fn rows_are_named_as_their_header_says() {
        let bytes = csv_file::encode([row(&[0.0, 0.0, f32::NEG_INFINITY], Some(0))]).unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(text, "image,label,predicted,probability,label_probability\nval/cat/1.png,cat,cat,0.5,0.5\n");
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        assert_eq!(reader.headers().unwrap(), PredictionRow::COLUMNS);
    }
}
