//! One group against another.

use super::group::said_of;
use super::unlike::{Unlike, unlike};
use super::{Group, Options};
use crate::record::text::plural;
use crate::stats::{self, Interval, Pairing, holm};
use rayon::prelude::*;
use std::collections::HashMap;

/// The chance with which enough seeds should find a difference.
const POWER: f64 = 0.8;
/// An interval of fewer runs cannot be as wide as it should.
const ENOUGH: usize = 6;

/// How it is tested whether a difference could be chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Test {
    /// Welch's t-test: means, variances unequal.
    Welch,
    /// Student's of pairs, over the seeds that both groups have; where these are too few, Welch's.
    Paired,
    /// Wilcoxon's: signed ranks over the seeds that both groups have; where these are too few, rank sums.
    Wilcoxon,
}

impl Test {
    /// As `--json` and `--csv` write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Welch => "welch",
            Self::Paired => "paired",
            Self::Wilcoxon => "wilcoxon",
        }
    }
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
    /// Of so many runs that count, for the other group lacks their seeds: those of the group and those of the baseline.
    #[serde(skip)]
    pub left_out: [usize; 2],
    /// Bootstrap, at a confidence of 1 − alpha; of three runs or more.
    pub interval: Option<Interval>,
    /// Whether runs of the same seed were taken together, by the test and for the interval.
    pub pairing: Pairing,
    /// The one that was done.
    pub test: Test,
    pub p: Option<f64>,
    /// Where there is no p.
    #[serde(skip)]
    pub untested: Option<Untested>,
    /// After Holm's correction for the number of comparisons.
    pub p_adjusted: Option<f64>,
    /// Hedges' g.
    pub effect: Option<f64>,
    /// Roughly how many more seeds a side would settle it, corrected as well; 0 when it is settled, and only then.
    pub more_seeds: Option<usize>,
    /// Whether the interval shows that the difference is below the margin; one of fewer runs than make it as wide as it should be
    /// does not. `None` without a margin.
    pub same: Option<bool>,
    /// Whether with fewer no values whatever could: ranks of few values have no small p.
    #[serde(skip)]
    pub at_least: bool,
    /// Why the values are no measure of the same thing, whatever p is, where that is certain.
    pub against: Option<Unlike>,
    /// The level that these seeds are for, where it is not settled.
    #[serde(skip)]
    asked: Option<f64>,
}

/// What the runs that count tell of a contrast. That no difference is found is no sign that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// That they differ tells nothing, for the values are of different ones of these.
    Unlike(&'static str),
    /// There is a difference; `negligible`: it is surely below the margin.
    Differs { better: bool, negligible: bool },
    /// There was no test; why, where more runs would not help.
    Untested(Option<Untested>),
    /// The difference is below the margin.
    Same,
    /// It seems to be, by an interval that lacks so many runs.
    PerhapsSame { lacks: usize },
    /// So many more seeds might settle a difference.
    PerhapsDiffers { better: bool, more: usize },
    /// Nothing that more seeds would settle, as far as anybody will train them.
    Nothing,
}

/// So many more seeds are none that anybody will train.
const MOST_SEEDS: usize = 200;

/// The values that a contrast is of.
struct Samples {
    /// Of the group and of the baseline; by seed, where these are taken together.
    a: Vec<f64>,
    b: Vec<f64>,
    pairing: Pairing,
    left_out: [usize; 2],
    /// Whether every run that counts has a value.
    whole: bool,
}

/// Of fewer pairs nothing is tested.
const FEWEST_PAIRS: usize = 2;

impl Samples {
    fn of(groups: &[Group], group: usize, baseline: usize, options: &Options) -> Self {
        let quantities = [group, baseline].map(|k| groups[k].quantities(options.by));
        let whole = quantities.iter().all(Option::is_some);
        let [mut ours, mut theirs] = quantities.map(Option::unwrap_or_default);
        let (mut pairing, mut left_out) = (Pairing::Unpaired, [0, 0]);
        let common = ours.keys().filter(|seed| theirs.contains_key(*seed)).count();
        // Where pairs are the smaller part of what there is, more is told without them.
        let has_pairs = common >= FEWEST_PAIRS && 2 * common >= ours.len().max(theirs.len());
        if options.test != Test::Welch && has_pairs {
            (pairing, left_out) = (Pairing::Paired, [ours.len() - common, theirs.len() - common]);
            ours.retain(|seed, _| theirs.contains_key(seed));
            theirs.retain(|seed, _| ours.contains_key(seed));
        }
        let [a, b] = [ours, theirs].map(|by_seed| by_seed.into_values().collect());
        Self { a, b, pairing, left_out, whole }
    }

    fn differences(&self) -> Vec<f64> {
        stats::differences(&self.a, &self.b)
    }

    /// The values of the side that has fewer.
    fn runs(&self) -> usize {
        self.a.len().min(self.b.len())
    }

    /// How many more values a side would settle it at that level, about; and how many more ranks need for any p as small.
    fn more(&self, test: Test, alpha: f64) -> (Option<usize>, usize) {
        // Ranks need about as many as means do, where values are spread as by a bell.
        let needed = match self.pairing {
            Pairing::Paired => stats::pairs_needed(&self.differences(), alpha, POWER),
            Pairing::Unpaired => stats::samples_needed(&self.a, &self.b, alpha, POWER),
        };
        let fewest = match (test, self.pairing) {
            (Test::Welch | Test::Paired, _) => 0,
            (Test::Wilcoxon, Pairing::Paired) => stats::fewest_pairs(alpha).saturating_sub(self.runs()),
            (Test::Wilcoxon, Pairing::Unpaired) => stats::fewest_more(self.a.len(), self.b.len(), alpha),
        };
        (needed.map(|needed| needed.saturating_sub(self.runs())), fewest)
    }
}

/// Contrasts by the values that they are of: those who compare again and again draw the intervals of equal values once, and count
/// what they need once for a level.
#[derive(Default)]
pub struct Contrasts(HashMap<Compared, Contrast>);

/// Seeds and values, to the bit, of a group and of the baseline; `None` where not all runs have a value.
type Compared = [Option<Vec<(u64, u64)>>; 2];

impl Contrasts {
    /// All other groups against the baseline, corrected for their number, for options that are always the same.
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
            let against = against(groups, group, baseline, options);
            (compared, Contrast { group, baseline, against, ..contrast })
        };
        let others: Vec<usize> = (0..groups.len()).filter(|k| *k != baseline).collect();
        let all: Vec<(Compared, Contrast)> = others.into_par_iter().map(one).collect();
        let (compared, contrasts): (Vec<Compared>, Vec<Contrast>) = all.into_iter().unzip();
        let contrasts = corrected(contrasts, groups, options);
        self.0 = compared.into_iter().zip(contrasts.iter().cloned()).collect();
        contrasts
    }
}

impl Contrast {
    /// Compares by `options.by`. Everything that the runs do not suffice for is absent, as is what follows from how many contrasts
    /// there are.
    pub fn between(groups: &[Group], group: usize, baseline: usize, options: &Options) -> Self {
        let samples = Samples::of(groups, group, baseline, options);
        let Samples { a, b, pairing, left_out, whole } = &samples;
        let test = match (options.test, pairing) {
            (Test::Paired, Pairing::Unpaired) => Test::Welch,
            (asked, _) => asked,
        };
        let p = match (test, pairing) {
            (Test::Welch, _) => stats::welch(a, b).map(|welch| welch.p),
            (Test::Paired, _) => stats::paired(&samples.differences()),
            (Test::Wilcoxon, Pairing::Unpaired) => stats::rank_sum(a, b),
            (Test::Wilcoxon, Pairing::Paired) => stats::signed_rank(&samples.differences()),
        };
        let mut contrast = Self {
            group,
            baseline,
            runs: samples.runs(),
            difference: stats::mean(a) - stats::mean(b),
            left_out: *left_out,
            interval: stats::bootstrap(a, b, *pairing, 1.0 - options.alpha),
            pairing: *pairing,
            test,
            p,
            untested: p.is_none().then(|| if *whole { untested(a, b, test) } else { Untested::NotReached }),
            p_adjusted: None,
            effect: stats::hedges_g(a, b),
            more_seeds: None,
            same: None,
            at_least: false,
            against: against(groups, group, baseline, options),
            asked: None,
        };
        contrast.same = options.margin.map(|_| contrast.is_within(options) && contrast.lacks() == 0);
        contrast
    }

    /// Says how many more seeds would settle it at that level.
    fn ask_for_seeds(&mut self, groups: &[Group], options: &Options, alpha: f64) {
        let (more, fewest) = Samples::of(groups, self.group, self.baseline, options).more(self.test, alpha);
        self.at_least = fewest > 0 && more.is_some_and(|more| more <= fewest);
        // A difference that cannot be tested may stay so with any number of seeds.
        self.more_seeds = self.p.and(more).map(|more| more.max(fewest).max(1));
        self.asked = Some(alpha);
    }

    /// Whether there is an interval, of too few runs to be as wide as it should.
    pub fn is_narrow(&self) -> bool {
        self.interval.is_some() && self.lacks() > 0
    }

    /// How many more runs a side its interval has to be of to be about as wide as it should.
    pub fn lacks(&self) -> usize {
        ENOUGH.saturating_sub(self.runs)
    }

    /// Whether its interval, of however few runs, lies within the margin.
    fn is_within(&self, options: &Options) -> bool {
        let within = |margin: f64| self.interval.is_some_and(|interval| interval.is_within(margin));
        options.margin.is_some_and(within)
    }

    /// What can be told from the runs that count.
    pub fn told(&self, options: &Options) -> Told {
        if let Some(unlike) = &self.against {
            return Told::Unlike(unlike.what);
        }
        let (better, same) = (self.is_better(options), self.same == Some(true));
        if self.is_settled(options.alpha) {
            return Told::Differs { better, negligible: same };
        }
        // Rank sums give single runs a p, too: one that can hardly be small.
        if self.p.is_none() || self.runs < 2 {
            return Told::Untested(self.untested);
        }
        match self.more_seeds {
            _ if same => Told::Same,
            _ if self.is_within(options) => Told::PerhapsSame { lacks: self.lacks() },
            Some(more) if more <= MOST_SEEDS => Told::PerhapsDiffers { better, more },
            _ => Told::Nothing,
        }
    }

    /// Whether the difference is there at that level, corrected for the number of comparisons.
    pub fn is_settled(&self, alpha: f64) -> bool {
        self.p_adjusted.is_some_and(|p| p <= alpha)
    }

    /// Whether the group is the better one, judging by the means.
    pub fn is_better(&self, options: &Options) -> bool {
        if options.less_is_better() { self.difference < 0.0 } else { self.difference > 0.0 }
    }
}

/// The first thing in which values of the two groups surely are not of the same.
fn against(groups: &[Group], group: usize, baseline: usize, options: &Options) -> Option<Unlike> {
    let pair = [group, baseline].map(|k| (k, &groups[k]));
    unlike(&pair, &options.metric).into_iter().find(|unlike| unlike.certain)
}

/// Why the test finds nothing in these values.
fn untested(a: &[f64], b: &[f64], test: Test) -> Untested {
    match test {
        _ if a.len().min(b.len()) < 2 => Untested::TooFew,
        _ if a.iter().chain(b).any(|x| !x.is_finite()) => Untested::NotFinite,
        Test::Paired => Untested::EqualDifferences,
        Test::Welch => Untested::Constant,
        // Rank sums of finite values always have a p.
        Test::Wilcoxon => Untested::EqualPairs,
    }
}

/// With Holm's correction over those that could be tested, and what it asks of those that it does not settle: the smallest p of
/// these has to come down to alpha by their number.
fn corrected(mut contrasts: Vec<Contrast>, groups: &[Group], options: &Options) -> Vec<Contrast> {
    let p: Vec<f64> = contrasts.iter().filter_map(|c| c.p).collect();
    let mut adjusted = holm(&p).into_iter();
    for contrast in &mut contrasts {
        contrast.p_adjusted = contrast.p.and_then(|_| adjusted.next());
    }
    let open = contrasts.iter().filter(|c| c.p.is_some() && !c.is_settled(options.alpha)).count();
    let level = options.alpha / open.max(1) as f64;
    contrasts.par_iter_mut().for_each(|contrast| {
        if contrast.is_settled(options.alpha) {
            (contrast.more_seeds, contrast.at_least, contrast.asked) = (Some(0), false, None);
        } else if contrast.asked != Some(level) {
            contrast.ask_for_seeds(groups, options, level);
        }
    });
    contrasts
}

/// What is to be known of contrasts by tests of pairs: runs that are not of them, and groups that have no pairs.
pub fn notes(contrasts: &[Contrast], groups: &[Group], options: &Options) -> Vec<String> {
    let in_place = match options.test {
        Test::Welch => return Vec::new(),
        Test::Paired => "Welch's t-test in place of Student's of pairs",
        Test::Wilcoxon => "Wilcoxon's rank-sum test in place of his signed ranks",
    };
    let words = |contrast: &Contrast| {
        let [ours, theirs] = contrast.left_out;
        match contrast.pairing {
            // Of single runs nothing is tested.
            Pairing::Unpaired if contrast.runs < FEWEST_PAIRS => None,
            Pairing::Unpaired => Some(format!("too few seeds in common with #{}: {in_place}", contrast.baseline + 1)),
            Pairing::Paired if ours + theirs == 0 => None,
            Pairing::Paired => {
                let sides = [(ours, "its own"), (theirs, "the baseline's")].into_iter().filter(|(n, _)| *n > 0);
                let sides: Vec<String> =
                    sides.map(|(n, whose)| format!("{} of {whose}", plural(n as u64, "run"))).collect();
                Some(format!(
                    "the difference is over the {} seeds that #{} has too, without {}",
                    contrast.runs,
                    contrast.baseline + 1,
                    sides.join(" and ")
                ))
            }
        }
    };
    said_of(contrasts.iter().filter_map(|contrast| Some((words(contrast)?, &groups[contrast.group].name[..]))))
}
