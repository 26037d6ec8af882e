//! Plain quantities that every layer of the program may name.

/// Wall-clock seconds.
pub type Seconds = f64;

/// The seconds of `"90s"`, `"10min"` or `"1.5h"`: plain digits with a point where one is wanted, at most nine before it; no
/// sign, no exponent, no leading zeros, no space. `None` for any other text.
pub fn read_seconds(text: &str) -> Option<Seconds> {
    let units = [("min", 60.0), ("h", 3600.0), ("s", 1.0)];
    let (written, seconds) = units.into_iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    let (whole, fraction) = written.split_once('.').unwrap_or((written, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_plain = whole == "0" || !whole.starts_with('0');
    let fits = is_digits(whole) && is_digits(fraction) && is_plain && whole.len() <= 9;
    written.parse::<f64>().ok().filter(|_| fits).map(|amount| amount * seconds)
}

/// The purpose of a random draw: one number a use, so that no two uses share a stream.
///
/// Every random number of the program is a function of (seed, purpose, epoch, index): see [`rng`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Initial weights; index = a number made of the parameter's name.
    Init = 1,
    /// The permutation of the training set; index 0.
    Order = 2,
    /// Augmentation of one image; index = its number in the set.
    Augment = 3,
    /// The alternating flip's first draw; epoch 0, index = the image's number.
    Flip = 4,
    /// Generated data sets; epoch = split (0 training, 1 validation), index = the image's number.
    Generate = 5,
    /// Dropout and other noise inside the net; epoch = a number made of the layer's name, index = step.
    Layer = 6,
    /// Resampling of statistics; seed, epoch and index 0.
    Bootstrap = 7,
    /// Points of a random sweep; epoch = the axis's place, index = the point's number.
    Propose = 8,
    /// Mixing of the images of a batch; index = step.
    Mix = 9,
    /// Noise that a painting starts from; index = the image's number.
    Paint = 10,
    /// The images that an epoch serves where it leaves some out, and their order; index 0.
    Prune = 11,
}

/// The generator for one draw: ChaCha8 keyed by (seed, purpose, epoch, index) and nothing else, so that any image of any
/// epoch can be prepared by any thread in any order with the same bytes.
pub fn rng(seed: u64, purpose: Purpose, epoch: u64, index: u64) -> rand_chacha::ChaCha8Rng {
    use rand_chacha::rand_core::SeedableRng;
    let mut key = [0u8; 32];
    for (chunk, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, epoch, index]) {
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    rand_chacha::ChaCha8Rng::from_seed(key)
}

/// A number as a person writes it: the shortest decimal that reads back to the same value, with an exponent only where
/// the zeros would be tedious (below 1e-4, from 1e7 on).
///
/// CSV files are not written with this but by the `csv` crate, which prints the same digits as `0.1` and `1.0`.
pub fn number(x: f64) -> String {
    let magnitude = x.abs();
    if magnitude == 0.0 || !x.is_finite() || (1e-4..1e7).contains(&magnitude) {
        format!("{x}")
    } else {
        format!("{x:e}")
    }
}

/// Without the last digits of a product or quotient of decimal fractions, which no person would write: to twelve.
pub fn rounded(x: f64) -> f64 {
    format!("{x:.11e}").parse().unwrap_or(x)
}

/// A number as [`number`] has it, to six significant digits: what arithmetic leaves behind them says nothing to people.
pub fn brief(x: f64) -> String {
    number(format!("{x:.5e}").parse().unwrap_or(x))
}

/// A count with its thousands set apart: `50,000`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 class`, `1,000 classes`
pub fn classes(n: usize) -> String {
    format!("{} class{}", count(n as u64), if n == 1 { "" } else { "es" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        for (x, text) in [(0.0, "0"), (4.0, "4"), (0.1, "0.1"), (0.0005, "0.0005"), (1e-5, "1e-5"), (2.5e8, "2.5e8")] {
            assert_eq!(number(x), text);
            assert_eq!(number(-x).parse::<f64>().unwrap(), -x);
        }
        assert_eq!(number(f64::NAN), "NaN");
        for (x, text) in
            [(0.7 * 0.4, "0.28"), (0.05 * 1.1, "0.055"), (1.0 / 3.0, "0.333333"), (1e-5, "1e-5"), (0.0, "0")]
        {
            assert_eq!(brief(x), text);
        }
        assert_eq!((brief(f64::INFINITY).as_str(), brief(f64::NAN).as_str()), ("inf", "NaN"));
    }

    #[test]
    fn spans_of_time_are_read() {
        for (text, seconds) in [("90s", 90.0), ("10min", 600.0), ("1.5h", 5400.0), ("0s", 0.0), ("0.25s", 0.25)] {
            assert_eq!(read_seconds(text), Some(seconds), "{text}");
        }
        for wrong in ["", "s", "10", "10 min", "-1s", "+1s", "1e3s", "01s", ".5h", "5.h", "infs", "1234567890s", "1m"] {
            assert_eq!(read_seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn one_class_is_no_more() {
        assert_eq!([0, 1, 2, 1000].map(classes), ["0 classes", "1 class", "2 classes", "1,000 classes"]);
    }

    #[test]
    fn counts_for_people() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_281_167, "1,281,167")] {
            assert_eq!(count(n), text);
        }
    }
}
