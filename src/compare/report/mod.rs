//! A comparison for people (tables for the terminal or for Markdown, a picture, a page) and for programs (CSV, JSON).

mod csv;
mod html;
mod json;
mod picture;
mod sheets;
mod tables;

pub use csv::csv;
pub use html::{Live, Shown, html, live_policy};
pub use json::json;
pub use picture::svg;
pub use sheets::claim;
pub use tables::{markdown, plain, terminal};

use super::{Options, Quantity};
use crate::units::{Seconds, number, rounded};

/// How a metric's values are written: accuracies in per cent, all else as they are.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Scale {
    Percent,
    Plain,
    Seconds,
}

impl Scale {
    fn of_metric(options: &Options) -> Self {
        match options.metric.as_str() {
            name if name.contains("acc") => Self::Percent,
            name if name.contains("seconds") => Self::Seconds,
            _ => Self::Plain,
        }
    }

    /// Of what contrasts compare.
    fn of_quantity(options: &Options) -> Self {
        if options.by == Quantity::Time { Self::Seconds } else { Self::of_metric(options) }
    }

    /// Without its unit, which the column's title gives.
    fn show(self, x: f64) -> String {
        match self {
            _ if x.is_nan() => "NaN".to_owned(),
            Self::Percent => format!("{:.2}", 100.0 * x),
            Self::Plain => format!("{x:.4}"),
            Self::Seconds => seconds(x),
        }
    }

    /// With its sign, as a difference.
    fn signed(self, x: f64) -> String {
        if x.is_nan() || x < 0.0 { self.show(x) } else { format!("+{}", self.show(x)) }
    }

    fn unit(self) -> &'static str {
        match self {
            Self::Percent => " %",
            Self::Plain => "",
            Self::Seconds => " s",
        }
    }

    /// What a person gave, in their digits.
    fn given(self, x: f64) -> String {
        number(if self == Self::Percent { rounded(100.0 * x) } else { x })
    }
}

/// What a person means who gives a difference as tables show it, of accuracies in points of per cent.
pub fn meant(shown: f64, options: &Options) -> f64 {
    if Scale::of_quantity(options) == Scale::Percent { shown / 100.0 } else { shown }
}

/// With so many decimals, and of small numbers with more, up to `most`, for as many digits.
fn with_digits(x: f64, digits: i32, decimals: usize, most: usize) -> String {
    let magnitude = if x == 0.0 { digits } else { x.abs().log10().floor().clamp(-9.0, 9.0) as i32 };
    let decimals = usize::try_from(digits - 1 - magnitude).unwrap_or(0).clamp(decimals, most);
    format!("{x:.decimals$}")
}

/// `45.2`, `2.59`, `0.0123`
fn seconds(s: Seconds) -> String {
    with_digits(s, 3, 1, 4)
}

/// `12.50`, `0.0014`
fn cost(of: f64) -> String {
    with_digits(of, 2, 2, 6)
}

/// `45.2 s`, `12.3 min`, `2.4 h`
fn span(of: Seconds) -> String {
    match of {
        s if s < 120.0 => format!("{} s", seconds(s)),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

/// Images in thousands or millions.
fn images(n: f64) -> String {
    match n {
        n if n.is_nan() => "–".to_owned(),
        n if n < 1e4 => number(n.round()),
        n if n < 1e6 => format!("{:.0} k", n / 1e3),
        n => format!("{:.2} M", n / 1e6),
    }
}

/// A p-value: two digits, very small ones as a bound.
fn p_value(p: f64) -> String {
    match p {
        p if p < 1e-4 => "<0.0001".to_owned(),
        p if p < 0.1 => format!("{p:.4}"),
        p => format!("{p:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_have_digits_too() {
        for (x, words) in [(45.23, "45.2"), (2.589, "2.59"), (0.2131, "0.213"), (0.00423, "0.0042"), (0.0, "0.0")] {
            assert_eq!((seconds(x), seconds(-x).trim_start_matches('-')), (words.to_owned(), words));
        }
        assert_eq!([12.5, 0.2, 0.001_44, 0.0].map(cost), ["12.50", "0.20", "0.0014", "0.00"]);
        assert_eq!([119.0, 2.589, 720.0].map(span), ["119.0 s", "2.59 s", "12.0 min"]);
        assert_eq!(Scale::Seconds.signed(-0.2131), "-0.213");
    }

    #[test]
    fn a_difference_is_given_as_it_is_shown() {
        let accuracy = Options::default();
        for points in [0.3, 0.7, 1.0, 12.5] {
            assert_eq!(Scale::Percent.given(meant(points, &accuracy)), number(points));
        }
        assert_eq!(meant(0.5, &accuracy), 0.005);
        let loss = Options { metric: "val_loss".to_owned(), ..Options::default() };
        let time = Options { by: Quantity::Time, ..Options::default() };
        assert_eq!([&loss, &time].map(|options| meant(0.5, options)), [0.5, 0.5]);
        assert_eq!([Scale::Plain, Scale::Seconds].map(|scale| scale.given(0.5)), ["0.5", "0.5"]);
    }
}
