//! From values to pixels, and where the ticks are.

use crate::units::number;

/// Numbers beyond this are not drawn: a loss that large says nothing but that training diverged, and sums of such overflow.
const LARGEST: f64 = 1e100;
/// Numbers closer to zero are zero, and differences none.
pub const TINY: f64 = 1e-100;

/// Whether a number has a place on an axis.
pub fn is_drawable(x: f64) -> bool {
    x.abs() <= LARGEST
}

/// A line that goes to zero, or comes from there, passes all decades on the way: those below this share of its highest value
/// are not shown.
const SHOWN_TO_ZERO: f64 = 1e-3;

/// The lowest of a line's values that a logarithmic axis should reach down to; infinite where none is above zero.
pub fn lowest_on_log(values: impl Iterator<Item = f64>) -> f64 {
    let (mut lowest, mut highest, mut has_zero) = (f64::INFINITY, 0.0f64, false);
    for value in values {
        if value > TINY {
            (lowest, highest) = (lowest.min(value), highest.max(value));
        } else {
            has_zero = true;
        }
    }
    if has_zero { lowest.max(highest * SHOWN_TO_ZERO) } else { lowest }
}

/// No axis has more, whatever its values.
const MOST_TICKS: usize = 1000;

/// How values lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    Linear,
    Log,
}

/// One axis: values `low..high` onto pixels `from..to`.
#[derive(Clone, Debug)]
pub struct Axis {
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
    pub from: f64,
    pub to: f64,
    /// Between ticks, where the axis was made to begin and end at ticks.
    step: Option<f64>,
    /// Whether the low end of a log scale is 0, which lies on none.
    over_zero: bool,
}

/// A place on an axis worth a label.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    pub value: f64,
    pub label: String,
}

impl Axis {
    /// The pixel of a value. On a log scale what is not above zero lies at the low end.
    pub fn px(&self, value: f64) -> f64 {
        let share = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + share * (self.to - self.from)
    }

    /// An axis over exactly `low..high`, such as steps.
    pub fn exact(low: f64, high: f64, pixels: (f64, f64)) -> Self {
        let high = if high - low > TINY { high } else { low + 1.0 };
        Self { scale: Scale::Linear, low, high, from: pixels.0, to: pixels.1, step: None, over_zero: false }
    }

    /// A linear axis around `low..high`, of about `many` ticks, that begins and ends at one.
    pub fn around(low: f64, high: f64, many: usize, pixels: (f64, f64)) -> Self {
        let (low, high) = (low.min(high), low.max(high));
        let (low, high) =
            if high - low > TINY { (low, high) } else { (low - 0.5 * spread(low), high + 0.5 * spread(high)) };
        let step = round_step((high - low) / many.max(1) as f64);
        let low = (low / step + 1e-9).floor() * step;
        let high = (high / step - 1e-9).ceil() * step;
        Self { scale: Scale::Linear, low, high, from: pixels.0, to: pixels.1, step: Some(step), over_zero: false }
    }

    /// A logarithmic axis over whole decades around `low..high`, both above zero.
    pub fn decades(low: f64, high: f64, pixels: (f64, f64)) -> Self {
        let low = 10f64.powf((low.log10() + 1e-9).floor());
        let high = 10f64.powf((high.log10() - 1e-9).ceil()).max(low * 10.0);
        Self { scale: Scale::Log, low, high, from: pixels.0, to: pixels.1, step: None, over_zero: false }
    }

    /// The same with one decade more at the low end, which stands for 0.
    pub fn decades_over_zero(low: f64, high: f64, pixels: (f64, f64)) -> Self {
        let axis = Self::decades(low, high, pixels);
        Self { low: axis.low / 10.0, over_zero: true, ..axis }
    }

    /// A logarithmic axis for values of `low..high`, down to the decade of `shown`, which is above zero. Where values are lower,
    /// one decade more stands for 0, at whose tick lies all that is not above it.
    pub fn decades_down_to(shown: f64, (low, high): (f64, f64), pixels: (f64, f64)) -> Self {
        let axis = Self::decades(shown, high, pixels);
        if low < axis.low * (1.0 - 1e-6) { Self::decades_over_zero(shown, high, pixels) } else { axis }
    }

    /// About `many` ticks at round values; those it was made for, on an axis that begins and ends at ticks.
    pub fn ticks(&self, many: usize) -> Vec<Tick> {
        match self.scale {
            Scale::Linear => self.linear_ticks(many),
            Scale::Log => self.log_ticks(many),
        }
    }

    fn linear_ticks(&self, many: usize) -> Vec<Tick> {
        let step = self.step.unwrap_or_else(|| round_step((self.high - self.low) / many.max(1) as f64));
        let decimals = (-step.log10() - 1e-9).ceil().max(0.0) as usize;
        let (first, last) = ((self.low / step - 1e-9).ceil() as i64, (self.high / step + 1e-9).floor() as i64);
        let label = |value: f64| match decimals {
            _ if value == 0.0 => "0".to_owned(),
            0..=5 => format!("{value:.decimals$}"),
            _ => number(value),
        };
        (first..=last)
            .take(MOST_TICKS)
            .map(|i| {
                let value = i as f64 * step;
                Tick { value, label: label(value).replace('-', "−") }
            })
            .collect()
    }

    fn log_ticks(&self, many: usize) -> Vec<Tick> {
        let (first, last) = (self.low.log10().round() as i32, self.high.log10().round() as i32);
        let stride = ((last - first) as usize).div_ceil(many.max(1)).max(1);
        let label = |e: i32| if self.over_zero && e == first { "0".to_owned() } else { power_of_ten(e) };
        (first..=last).step_by(stride).map(|e| Tick { value: 10f64.powi(e), label: label(e) }).collect()
    }
}

/// A width to give an axis whose values are all `value`.
fn spread(value: f64) -> f64 {
    if value.abs() <= TINY { 1.0 } else { value.abs() * 0.5 }
}

/// The next larger of 1, 2, 5 times a power of ten.
fn round_step(rough: f64) -> f64 {
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * (1.0 - 1e-9)).unwrap_or(10.0);
    // Dividing keeps 0.1 and the like at the nearest number: 10^-1 times 2 is not always 0.2.
    if power < 1.0 { factor / (1.0 / power).round() } else { factor * power }
}

/// `0.01`, `1`, `100`; beyond: `10⁻⁵`.
fn power_of_ten(exponent: i32) -> String {
    if (-3..=3).contains(&exponent) {
        return number(10f64.powi(exponent));
    }
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => c.to_digit(10).and_then(|d| char::from_u32(0x2070 + d)).unwrap_or(c),
    };
    format!("10{}", exponent.to_string().chars().map(raised).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, many: usize) -> Vec<String> {
        axis.ticks(many).into_iter().map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_round_and_said_shortly() {
        assert_eq!(labels(&Axis::around(0.0, 0.41, 4, (0.0, 1.0)), 4), ["0", "0.2", "0.4", "0.6"]);
        assert_eq!(labels(&Axis::exact(0.0, 470.0, (0.0, 1.0)), 5), ["0", "100", "200", "300", "400"]);
        assert_eq!(labels(&Axis::around(0.85, 0.95, 3, (0.0, 1.0)), 3), ["0.85", "0.90", "0.95"]);
        assert_eq!(labels(&Axis::decades(1e-5, 10.0, (0.0, 1.0)), 7)[..3], ["10⁻⁵", "10⁻⁴", "0.001"]);
        assert_eq!(labels(&Axis::decades_over_zero(1e-3, 1.0, (0.0, 1.0)), 7), ["0", "0.001", "0.01", "0.1", "1"]);
        assert_eq!(labels(&Axis::around(-0.5, 0.5, 2, (0.0, 1.0)), 2), ["−0.5", "0", "0.5"]);
    }

    /// A decay to zero is shown over three decades; what ends above zero, wholly.
    #[test]
    fn a_logarithmic_axis_ends_above_zero() {
        let down = (0..10_000).map(|k| f64::from(10_000 - k) * 1e-5);
        assert!((lowest_on_log(down.clone()) - 1e-5).abs() < 1e-18);
        assert!((lowest_on_log(down.clone().chain([0.0])) - 1e-4).abs() < 1e-18);
        assert_eq!(lowest_on_log([0.0, 0.3, 0.4].into_iter()), 0.3);
        assert_eq!(lowest_on_log([0.0, 0.0].into_iter()), f64::INFINITY);
        let axis = |low| labels(&Axis::decades_down_to(2e-4, (low, 0.1), (0.0, 1.0)), 7);
        assert_eq!(axis(2e-4), ["10⁻⁴", "0.001", "0.01", "0.1"]);
        assert_eq!(axis(0.0), ["0", "10⁻⁴", "0.001", "0.01", "0.1"]);
        assert_eq!(axis(2e-8), axis(0.0));
    }

    #[test]
    fn a_single_value_has_room_around_it() {
        for value in [0.0, 0.9, -3.0, 1e-9] {
            let axis = Axis::around(value, value, 4, (0.0, 100.0));
            assert!(axis.low < value && value < axis.high && axis.px(value).is_finite(), "{axis:?}");
        }
    }

    #[test]
    fn values_land_where_they_belong() {
        let axis = Axis::decades(1e-3, 1.0, (300.0, 0.0));
        assert!((axis.px(0.1) - 100.0).abs() < 1e-9);
        assert_eq!(axis.px(0.0), 300.0);
        let axis = Axis::decades_over_zero(1e-3, 1.0, (400.0, 0.0));
        assert!((axis.px(1e-3) - 300.0).abs() < 1e-9 && axis.px(0.0) == 400.0, "0 is not the lowest value");
        assert_eq!(Axis::exact(0.0, 4.0, (10.0, 50.0)).px(1.0), 20.0);
    }
}
