//! One group against another.

use super::{Group, Options, Quantity};
use crate::stats::{self, Interval, Pairing};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// The chance with which enough seeds should find a difference.
const POWER: f64 = 0.8;
const CONFIDENCE: f64 = 0.95;
/// An interval of fewer runs cannot be as wide as it should.
const ENOUGH: usize = 6;

/// How it is tested whether a difference could be chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Test {
    /// Welch's t-test: means, variances unequal.
    Welch,
    /// Student's of pairs where the groups have the same seeds, else Welch's.
    Paired,
    /// Wilcoxon's: signed ranks where the groups have the same seeds, else rank sums.
    Wilcoxon,
}

/// Why there is no p-value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untested {
    TooFew,
    /// Times of runs, some of which did not reach the target.
    NotReached,
    /// Values that are NaN or infinite.
    NotFinite,
    /// The runs of each group agree to the bit.
    Constant,
    /// The runs of each seed do.
    EqualPairs,
    /// They differ by the same for each seed.
    EqualDifferences,
}

/// A group against a baseline.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Contrast {
    /// Index of the group.
    #[serde(skip)]
    pub group: usize,
    #[serde(skip)]
    pub baseline: usize,
    /// `mean of the group − mean of the baseline`; over the seeds that both have, when paired.
    pub difference: f64,
    /// The runs of the group, or of the baseline, that has fewer.
    #[serde(skip)]
    pub runs: usize,
    /// Bootstrap, 95 %; of three runs or more.
    pub interval: Option<Interval>,
    /// Whether runs of the same seed were taken together, for the interval (and for the tests of pairs).
    pub pairing: Pairing,
    pub test: Test,
    pub p: Option<f64>,
    /// Where there is no p.
    #[serde(skip)]
    pub untested: Option<Untested>,
    /// After Holm's correction for the number of comparisons.
    pub p_adjusted: Option<f64>,
    /// Hedges' g.
    pub effect: Option<f64>,
    /// Roughly how many more seeds a side would settle it; 0 when it is settled.
    pub more_seeds: Option<usize>,
}

/// Contrasts by the values that they are of: those who compare again and again draw the intervals of equal values once.
#[derive(Default)]
pub struct Contrasts(HashMap<Compared, Contrast>);

/// Seeds and values, to the bit, of a group and of the baseline; `None` where not all runs have a value.
type Compared = [Option<Vec<(u64, u64)>>; 2];

impl Contrasts {
    /// All other groups against the baseline, for options that are always the same.
    pub fn of(&mut self, groups: &[Group], baseline: usize, options: &Options) -> Vec<Contrast> {
        if groups.is_empty() {
            return Vec::new();
        }
        let bits = |k: usize| -> Option<Vec<(u64, u64)>> {
            let values = groups[k].quantities(options.by)?;
            Some(values.into_iter().map(|(seed, value)| (seed, value.to_bits())).collect())
        };
        let theirs = bits(baseline);
        let before = &self.0;
        let one = |group: usize| {
            let compared: Compared = [bits(group), theirs.clone()];
            let known = before.get(&compared).cloned();
            let contrast = known.unwrap_or_else(|| Contrast::between(groups, group, baseline, options));
            (compared, Contrast { group, baseline, ..contrast })
        };
        let others: Vec<usize> = (0..groups.len()).filter(|k| *k != baseline).collect();
        let all: Vec<(Compared, Contrast)> = others.into_par_iter().map(one).collect();
        let contrasts = all.iter().map(|(_, contrast)| contrast.clone()).collect();
        self.0 = all.into_iter().collect();
        contrasts
    }
}

impl Contrast {
    /// Compares by `options.by`. Everything that the runs do not suffice for is absent.
    pub fn between(groups: &[Group], group: usize, baseline: usize, options: &Options) -> Self {
        let [ours, theirs] = [group, baseline].map(|k| groups[k].quantities(options.by));
        let all_have = ours.is_some() && theirs.is_some();
        let (ours, theirs) = (ours.unwrap_or_default(), theirs.unwrap_or_default());
        let pairing = match ours.len() > 1 && ours.keys().eq(theirs.keys()) {
            true => Pairing::Paired,
            false => Pairing::Unpaired,
        };
        let values = |by_seed: &BTreeMap<u64, f64>| by_seed.values().copied().collect::<Vec<f64>>();
        let (a, b) = (values(&ours), values(&theirs));
        let differences = || a.iter().zip(&b).map(|(x, y)| x - y).collect::<Vec<f64>>();
        let p = match (options.test, pairing) {
            (Test::Welch, _) | (Test::Paired, Pairing::Unpaired) => stats::welch(&a, &b).map(|welch| welch.p),
            (Test::Paired, Pairing::Paired) => stats::paired(&differences()),
            (Test::Wilcoxon, Pairing::Unpaired) => stats::rank_sum(&a, &b),
            (Test::Wilcoxon, Pairing::Paired) => stats::signed_rank(&differences()),
        };
        // Ranks need about as many as means do, where values are spread as by a bell.
        let needed = match (options.test, pairing) {
            (Test::Paired | Test::Wilcoxon, Pairing::Paired) => {
                stats::pairs_needed(&differences(), options.alpha, POWER)
            }
            _ => stats::samples_needed(&a, &b, options.alpha, POWER),
        };
        Self {
            group,
            baseline,
            runs: a.len().min(b.len()),
            difference: stats::mean(&a) - stats::mean(&b),
            interval: stats::bootstrap(&a, &b, pairing, CONFIDENCE),
            pairing,
            test: options.test,
            p,
            untested: p
                .is_none()
                .then(|| if all_have { untested(&a, &b, options.test, pairing) } else { Untested::NotReached }),
            p_adjusted: None,
            effect: stats::hedges_g(&a, &b),
            more_seeds: needed.map(|needed| needed.saturating_sub(a.len().min(b.len()))),
        }
    }

    /// Whether there is an interval, of too few runs to be as wide as it should.
    pub fn is_narrow(&self) -> bool {
        self.interval.is_some() && self.runs < ENOUGH
    }

    /// Whether the difference is there at that level, corrected for the number of comparisons.
    pub fn is_settled(&self, alpha: f64) -> bool {
        self.p_adjusted.is_some_and(|p| p <= alpha)
    }

    /// Whether the group is the better one, judging by the means.
    pub fn is_better(&self, options: &Options) -> bool {
        let lower = options.lower_is_better() || options.by == Quantity::Time;
        if lower { self.difference < 0.0 } else { self.difference > 0.0 }
    }
}

/// Why the test finds nothing in these values.
fn untested(a: &[f64], b: &[f64], test: Test, pairing: Pairing) -> Untested {
    match test {
        _ if a.len().min(b.len()) < 2 => Untested::TooFew,
        _ if a.iter().chain(b).any(|x| !x.is_finite()) => Untested::NotFinite,
        Test::Paired if pairing == Pairing::Paired => Untested::EqualDifferences,
        Test::Welch | Test::Paired => Untested::Constant,
        // Rank sums of finite values always have a p.
        Test::Wilcoxon => Untested::EqualPairs,
    }
}
