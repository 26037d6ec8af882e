//! Tree of Parzen estimators: Bergstra, Bardenet, Bengio, Kégl, "Algorithms for Hyper-Parameter Optimization", NIPS 2011.
//!
//! The points seen are parted into the best ones and the rest; each part gives every axis a density, l(x) and g(x). Points are
//! drawn from l, and the one with the greatest l(x)/g(x) is tried, which is that of the greatest expected improvement.

use crate::config::sweep::Values;
use crate::units::{Purpose, rng};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use statrs::distribution::{ContinuousCDF, Normal};

/// The share of the points that counts as best; γ of the paper.
const BEST: f64 = 0.15;
/// Draws from l, of which one is tried.
const CANDIDATES: usize = 24;
/// So many draws that the constraints refuse are thrown away for each candidate.
const PATIENCE: usize = 50;
/// A component's deviation is at least the axis's length by the number of points, up to this.
const FINEST: f64 = 100.0;

/// A point and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub values: Vec<String>,
    /// The lower the better; infinite where it diverged.
    pub loss: f64,
}

/// Point number `number`, given what came of others: a function of these, their order, and the sweep's seed. `None` when the
/// constraints refuse whatever is drawn.
pub fn tpe(
    axes: &[Values],
    seed: u64,
    number: u64,
    seen: &[Seen],
    allowed: &dyn Fn(&[String]) -> bool,
) -> Option<Vec<String>> {
    let mut order: Vec<&Seen> = seen.iter().collect();
    order.sort_by(|a, b| a.loss.total_cmp(&b.loss));
    let best = (BEST * order.len() as f64).ceil() as usize;
    let (best, rest) = order.split_at(best);
    let densities: Vec<[Density; 2]> =
        axes.iter().enumerate().map(|(k, axis)| [best, rest].map(|part| Density::of(axis, k, part))).collect();
    // A stream that the random points, which take one for each axis, leave alone.
    let mut rng = rng(seed, Purpose::Propose, axes.len() as u64, number);
    let mut chosen: Option<(f64, Vec<String>)> = None;
    let (mut candidates, mut refused) = (0, 0);
    while candidates < CANDIDATES && refused < PATIENCE * CANDIDATES {
        let values: Vec<String> = axes.iter().zip(&densities).map(|(axis, [l, _])| l.draw(axis, &mut rng)).collect();
        if !allowed(&values) {
            refused += 1;
            continue;
        }
        candidates += 1;
        let ratio =
            |((axis, [l, g]), value): ((&Values, &[Density; 2]), &String)| l.log(axis, value) - g.log(axis, value);
        let gain: f64 = axes.iter().zip(&densities).zip(&values).map(ratio).sum();
        if chosen.as_ref().is_none_or(|(most, _)| gain > *most) {
            chosen = Some((gain, values));
        }
    }
    chosen.map(|(_, values)| values)
}

/// Where the points of one part lie along one axis.
enum Density {
    /// Of a list: each value's count and one more, so that none is impossible.
    Words(Vec<f64>),
    /// Of a range, whose ends are 0 and 1: the even distribution, and a normal one around each point, cut at the ends.
    Range(Vec<Component>),
}

struct Component {
    mean: f64,
    deviation: f64,
    /// Of the uncut normal distribution, below 0 and below 1.
    below: [f64; 2],
}

impl Density {
    fn of(axis: &Values, k: usize, part: &[&Seen]) -> Self {
        let values = || part.iter().map(|seen| seen.values[k].as_str());
        if let Values::Choice(words) = axis {
            let count = |word: &String| 1.0 + values().filter(|value| value == word).count() as f64;
            return Self::Words(words.iter().map(count).collect());
        }
        let mut places: Vec<f64> = values().filter_map(|value| place(axis, value)).collect();
        places.sort_by(f64::total_cmp);
        let finest = 1.0 / (1.0 + places.len() as f64).min(FINEST);
        let component = |k: usize| {
            // As far as the farther neighbour; the ends are neighbours, too.
            let left = if k == 0 { 0.0 } else { places[k - 1] };
            let right = places.get(k + 1).copied().unwrap_or(1.0);
            Component::new(places[k], (places[k] - left).max(right - places[k]).clamp(finest, 1.0))
        };
        Self::Range((0..places.len()).map(component).collect())
    }

    fn draw(&self, axis: &Values, rng: &mut ChaCha8Rng) -> String {
        match (self, axis) {
            (Self::Words(weights), Values::Choice(words)) => {
                let mut left = share(rng) * weights.iter().sum::<f64>();
                let within = |weight: &f64| {
                    left -= weight;
                    left < 0.0
                };
                words[weights.iter().position(within).unwrap_or(words.len() - 1)].clone()
            }
            (Self::Range(components), _) => {
                let which = (share(rng) * (components.len() + 1) as f64) as usize;
                let even = share(rng);
                let at = components.get(which).map_or(even, |component| component.quantile(even));
                axis.at((at * 2f64.powi(64)) as u64)
            }
            (Self::Words(_), _) => axis.at(rng.next_u64()),
        }
    }

    /// The logarithm of the density at a value; the same constant is left out of l and of g.
    fn log(&self, axis: &Values, value: &str) -> f64 {
        match (self, axis) {
            (Self::Words(weights), Values::Choice(words)) => {
                let weight = words.iter().position(|word| word == value).map_or(1.0, |k| weights[k]);
                (weight / weights.iter().sum::<f64>()).ln()
            }
            (Self::Range(components), _) => {
                let Some(at) = place(axis, value) else { return 0.0 };
                let sum: f64 = 1.0 + components.iter().map(|component| component.density(at)).sum::<f64>();
                (sum / (components.len() + 1) as f64).ln()
            }
            (Self::Words(_), _) => 0.0,
        }
    }
}

impl Component {
    fn new(mean: f64, deviation: f64) -> Self {
        let normal = Normal::standard();
        let below = [0.0, 1.0].map(|end| normal.cdf((end - mean) / deviation));
        Self { mean, deviation, below }
    }

    fn density(&self, at: f64) -> f64 {
        let z = (at - self.mean) / self.deviation;
        let normal = (-0.5 * z * z).exp() / (self.deviation * (2.0 * std::f64::consts::PI).sqrt());
        normal / (self.below[1] - self.below[0])
    }

    fn quantile(&self, share: f64) -> f64 {
        let [low, high] = self.below;
        let z = Normal::standard().inverse_cdf(low + share * (high - low));
        (self.mean + self.deviation * z).clamp(0.0, 1.0)
    }
}

/// Where a value lies on its axis, from 0 to 1.
fn place(axis: &Values, value: &str) -> Option<f64> {
    let x: f64 = value.parse().ok()?;
    let place = match axis {
        Values::Choice(_) => return None,
        Values::Uniform { low, high } => (x - low) / (high - low),
        Values::LogUniform { low, high } => (x / low).ln() / (high / low).ln(),
        // The middle of its part of the axis.
        Values::Int { low, high } => (x - *low as f64 + 0.5) / (high.abs_diff(*low) + 1) as f64,
    };
    Some(place.clamp(0.0, 1.0))
}

/// Evenly in `[0, 1)`.
fn share(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::random;
    use super::*;

    fn axes() -> Vec<Values> {
        let words = ["a", "b", "c"].map(str::to_owned).to_vec();
        vec![
            Values::LogUniform { low: 1e-3, high: 10.0 },
            Values::Uniform { low: -1.0, high: 1.0 },
            Values::Int { low: 1, high: 20 },
            Values::Choice(words),
        ]
    }

    /// Lowest at 0.3, 0.5, 7, b.
    fn loss(values: &[String]) -> f64 {
        let x = |k: usize| values[k].parse::<f64>().unwrap();
        let word = if values[3] == "b" { 0.0 } else { 1.0 };
        (x(0) / 0.3).ln().powi(2) + 4.0 * (x(1) - 0.5).powi(2) + (x(2) - 7.0).powi(2) / 20.0 + word
    }

    fn search(seed: u64, points: u64, tpe_from: u64) -> Vec<Seen> {
        let axes = axes();
        let mut seen: Vec<Seen> = Vec::new();
        for number in 0..points {
            let values = match number < tpe_from {
                true => random(&axes, seed, number),
                false => tpe(&axes, seed, number, &seen, &|_| true).unwrap(),
            };
            let loss = loss(&values);
            seen.push(Seen { values, loss });
        }
        seen
    }

    fn best(seen: &[Seen]) -> f64 {
        seen.iter().map(|s| s.loss).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn it_finds_better_points_than_chance() {
        let (mut better, mut sums) = (0, [0.0, 0.0]);
        for seed in 0..20 {
            let (searched, drawn) = (best(&search(seed, 60, 10)), best(&search(seed, 60, 60)));
            better += usize::from(searched < drawn);
            sums = [sums[0] + searched, sums[1] + drawn];
        }
        assert!(better >= 15 && sums[0] < 0.5 * sums[1], "better in {better} of 20 searches: {sums:?}");
    }

    #[test]
    fn a_proposal_follows_from_what_was_seen_alone() {
        let seen = search(3, 30, 10);
        let axes = axes();
        let next = |seed: u64, number: u64, seen: &[Seen]| tpe(&axes, seed, number, seen, &|_| true).unwrap();
        assert_eq!(next(3, 30, &seen), next(3, 30, &seen));
        assert_ne!(next(3, 30, &seen), next(3, 31, &seen));
        assert_ne!(next(3, 30, &seen), next(4, 30, &seen));
        assert_ne!(next(3, 30, &seen), next(3, 30, &seen[..29]));
        for number in 0..200 {
            let values = next(1, number, &seen);
            let inside = |k: usize, low: f64, high: f64| (low..=high).contains(&values[k].parse::<f64>().unwrap());
            assert!(inside(0, 1e-3, 10.0) && inside(1, -1.0, 1.0) && inside(2, 1.0, 20.0), "{values:?}");
        }
    }

    #[test]
    fn constraints_are_kept_or_it_gives_up() {
        let seen = search(3, 30, 10);
        let small = |values: &[String]| values[0].parse::<f64>().unwrap() < 0.01;
        for number in 30..40 {
            assert!(small(&tpe(&axes(), 1, number, &seen, &small).unwrap()));
        }
        assert_eq!(tpe(&axes(), 1, 30, &seen, &|_| false), None);
    }

    #[test]
    fn densities_are_densities() {
        let axis = Values::Uniform { low: 0.0, high: 1.0 };
        let seen: Vec<Seen> = ["0.1", "0.12", "0.9"].map(|x| Seen { values: vec![x.to_owned()], loss: 0.0 }).to_vec();
        let density = Density::of(&axis, 0, &seen.iter().collect::<Vec<_>>());
        let sum: f64 = (0..10_000).map(|k| density.log(&axis, &format!("{}", (k as f64 + 0.5) / 1e4)).exp()).sum();
        assert!((sum / 1e4 - 1.0).abs() < 1e-6, "{sum}");
    }
}
