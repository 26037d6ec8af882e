//! Which points are tried.

mod sobol;
mod tpe;

pub use sobol::sobol;
pub use tpe::{Seen, tpe};

use crate::config::sweep::Values;
use crate::units::{Purpose, rng};
use rand_chacha::rand_core::Rng;

/// All combinations of the axes' lists, the last axis changing fastest. `None` where an axis is a distribution.
pub fn grid(axes: &[Values]) -> Option<Vec<Vec<String>>> {
    let mut points = vec![Vec::new()];
    for axis in axes {
        let Values::Choice(values) = axis else { return None };
        let longer = |point: &Vec<String>| {
            let point = point.clone();
            values.iter().map(move |value| [point.as_slice(), std::slice::from_ref(value)].concat())
        };
        points = points.iter().flat_map(longer).collect();
    }
    Some(points)
}

/// Point number `number` of a random sweep: a function of the number, the sweep's own seed and each axis's place, so that
/// more points never change those before.
pub fn random(axes: &[Values], seed: u64, number: u64) -> Vec<String> {
    point(axes, |place| rng(seed, Purpose::Propose, place as u64, number).next_u64())
}

/// For each axis, by its place, the value at so many 2⁻⁶⁴ of its length.
fn point(axes: &[Values], bits: impl Fn(usize) -> u64) -> Vec<String> {
    axes.iter().enumerate().map(|(place, axis)| axis.at(bits(place))).collect()
}

impl Values {
    /// The value that lies at `bits` · 2⁻⁶⁴ of the way.
    fn at(&self, bits: u64) -> String {
        let share = (bits >> 11) as f64 / (1u64 << 53) as f64;
        let whole = |n: u64| ((u128::from(bits) * u128::from(n)) >> 64) as u64;
        match self {
            Self::Choice(values) => values[whole(values.len() as u64) as usize].clone(),
            Self::Uniform { low, high } => digits(low + (high - low) * share, *low, *high),
            Self::LogUniform { low, high } => {
                let (from, to) = (low.ln(), high.ln());
                digits((from + (to - from) * share).exp(), *low, *high)
            }
            Self::Int { low, high } => (low + whole(high.abs_diff(*low) + 1) as i64).to_string(),
        }
    }
}

/// Four significant digits, as finely as a hyper-parameter is ever chosen, and readable; but never beyond the range.
fn digits(x: f64, low: f64, high: f64) -> String {
    let rounded: f64 = format!("{x:.3e}").parse().unwrap_or(x);
    format!("{:?}", rounded.clamp(low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(values: &[&str]) -> Values {
        Values::Choice(values.iter().map(|v| (*v).to_owned()).collect())
    }

    #[test]
    fn grids_have_all_combinations() {
        let points = grid(&[choice(&["a", "b"]), choice(&["1", "2", "3"])]).unwrap();
        assert_eq!(points.len(), 6);
        assert_eq!(
            (points[0].join(""), points[1].join(""), points[5].join("")),
            ("a1".into(), "a2".into(), "b3".into())
        );
        assert_eq!(grid(&[Values::Int { low: 1, high: 2 }]), None);
        assert_eq!(grid(&[]), Some(vec![vec![]]));
    }

    #[test]
    fn random_points_are_functions_of_their_numbers_and_cover_their_ranges() {
        let axes = [
            Values::LogUniform { low: 1e-3, high: 1.0 },
            Values::Int { low: -1, high: 2 },
            Values::Uniform { low: 0.5, high: 0.75 },
            choice(&["x", "y"]),
        ];
        let points: Vec<_> = (0..2000).map(|number| random(&axes, 1, number)).collect();
        assert_eq!(points[7], random(&axes, 1, 7));
        assert_ne!(points[7], random(&axes, 2, 7));
        let count = |test: &dyn Fn(&[String]) -> bool| points.iter().filter(|p| test(p)).count();
        // A third of the logarithms lies in each decade.
        let below = |limit: f64| count(&|p| p[0].parse::<f64>().is_ok_and(|x| x < limit));
        assert!(below(1e-3) == 0 && below(1e-2).abs_diff(667) < 100 && below(1e-1).abs_diff(1333) < 100);
        for whole in ["-1", "0", "1", "2"] {
            assert!(count(&|p| p[1] == whole).abs_diff(500) < 100, "{whole}");
        }
        assert!(points.iter().all(|p| p[2].parse::<f64>().is_ok_and(|x| (0.5..=0.75).contains(&x))));
        assert!(count(&|p| p[3] == "x").abs_diff(1000) < 150);
        assert_eq!(digits(0.123456, 0.0, 1.0), "0.1235");
        assert_eq!(digits(0.99996, 0.5, 0.9999), "0.9999");
    }
}
