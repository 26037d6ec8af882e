//! Runs that differ in the seed alone, as one.

use super::name;
use super::outcome::Outcome;
use super::unlike::unlike;
use super::{Options, Quantity, trials};
use crate::record::Status;
use crate::record::text::plural;
use crate::stats::{deviation, mean};
use crate::units::Seconds;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The runs of one experiment.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its values of what was varied, or the experiment's name.
    pub name: String,
    pub spec_hash: String,
    /// The settings in which the groups differ, by path; those of phases as `planned[0].…`, where recipes stand for several.
    pub differing: BTreeMap<String, Value>,
    /// In the order given.
    pub runs: Vec<Outcome>,
    /// Those of `runs` that count: trained to the end, one a seed, by seed.
    pub counted: Vec<usize>,
}

/// Some values in short.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Summary {
    pub n: usize,
    pub mean: f64,
    /// Unbiased; absent for one value.
    pub sd: Option<f64>,
    /// By seed.
    pub values: Vec<f64>,
}

impl Summary {
    fn of(values: Vec<f64>) -> Option<Self> {
        let n = values.len();
        (n > 0).then(|| Self { n, mean: mean(&values), sd: deviation(&values), values })
    }
}

/// Seeds of a group that came to no result: the others do not speak for them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lost {
    pub diverged: usize,
    /// Or killed.
    pub failed: usize,
    pub pruned: usize,
    /// All seeds.
    pub of: usize,
}

impl Lost {
    /// How many there are.
    pub fn count(self) -> usize {
        self.kinds().map(|(n, _)| n).sum()
    }

    /// `2 of 4 diverged`, `2 of 4 diverged, 1 failed`
    pub fn words(self) -> String {
        let of = self.of;
        let words = |(k, (n, word)): (usize, (usize, &str))| match k {
            0 => format!("{n} of {of} {word}"),
            _ => format!("{n} {word}"),
        };
        self.kinds().enumerate().map(words).collect::<Vec<_>>().join(", ")
    }

    /// `diverged`, where all did; nothing where there may be results.
    pub fn all(self) -> Option<String> {
        (self.count() == self.of).then(|| self.kinds().map(|(_, word)| word).collect::<Vec<_>>().join(" or "))
    }

    /// How many came to what, where any did.
    fn kinds(self) -> impl Iterator<Item = (usize, &'static str)> {
        let kinds = [(self.diverged, "diverged"), (self.failed, "failed"), (self.pruned, "pruned")];
        kinds.into_iter().filter(|(n, _)| *n > 0)
    }
}

/// How soon a group's runs reach the target.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TimeToTarget {
    /// Runs that reached it, of those that ended, well or not.
    pub reached: usize,
    pub of: usize,
    /// Of training, over those that reached it; as are the images.
    pub seconds: Option<Summary>,
    pub images: Option<Summary>,
    /// `hours × price`, on average.
    pub cost: Option<f64>,
}

impl Group {
    fn new(runs: Vec<Outcome>) -> Self {
        let counted = one_a_seed(&runs);
        let spec_hash = runs[0].info.spec_hash.clone();
        Self { name: String::new(), spec_hash, differing: BTreeMap::new(), runs, counted }
    }

    /// The runs that count.
    pub fn counted(&self) -> impl ExactSizeIterator<Item = &Outcome> {
        self.counted.iter().map(|k| &self.runs[*k])
    }

    /// The seeds of the runs that count.
    pub fn seeds(&self) -> Vec<u64> {
        self.counted().map(|run| run.info.seed).collect()
    }

    /// The metric at the last evaluation, over the runs that count.
    pub fn last(&self) -> Option<Summary> {
        Summary::of(self.counted().map(Outcome::last).collect())
    }

    /// The metric at each run's best evaluation.
    pub fn best(&self) -> Option<Summary> {
        Summary::of(self.counted().map(|run| run.best).collect())
    }

    /// Time, images and cost to the target; `None` where no target was asked for.
    pub fn time_to_target(&self, options: &Options) -> Option<TimeToTarget> {
        options.target?;
        // A run that is still under way may yet reach it, and is no evidence that it takes long; one that failed is.
        let ended = |run: &&Outcome| run.reached.is_some() || !run.is_open();
        let ended: Vec<&Outcome> = self.distinct().filter(ended).collect();
        let reached: Vec<_> = ended.iter().filter_map(|run| run.reached).collect();
        let seconds = Summary::of(reached.iter().map(|r| r.seconds).collect());
        let price = self.runs.iter().find_map(|run| run.price).or(options.price);
        let cost = price.zip(seconds.as_ref()).map(|(price, s)| s.mean / 3600.0 * price);
        Some(TimeToTarget {
            reached: reached.len(),
            of: ended.len(),
            images: Summary::of(reached.iter().map(|r| r.images).collect()),
            seconds,
            cost,
        })
    }

    /// By seed, what a contrast compares: `None` where a run that counts has no such value.
    pub fn quantities(&self, by: Quantity) -> Option<BTreeMap<u64, f64>> {
        let quantity = |run: &Outcome| match by {
            Quantity::Final => Some(run.last()),
            Quantity::Best => Some(run.best),
            Quantity::Time => run.reached.map(|r| r.seconds),
        };
        self.counted().map(|run| Some((run.info.seed, quantity(run)?))).collect()
    }

    /// One run a seed: the one that counts, else the latest.
    fn distinct(&self) -> impl Iterator<Item = &Outcome> {
        let counted: BTreeSet<u64> = self.seeds().into_iter().collect();
        let mut others: BTreeMap<u64, &Outcome> = BTreeMap::new();
        for run in self.runs.iter().filter(|run| !counted.contains(&run.info.seed)) {
            let latest = others.entry(run.info.seed).or_insert(run);
            if run.info.created > latest.info.created {
                *latest = run;
            }
        }
        self.counted().chain(others.into_values())
    }

    /// The seeds whose latest run diverged, failed, was killed or given up, and that have none that counts; `None` where there are
    /// none such.
    pub fn lost(&self) -> Option<Lost> {
        let count = |is: fn(&Outcome) -> bool| self.distinct().filter(|run| is(run)).count();
        let lost = Lost {
            diverged: count(|run| run.info.status == Status::Diverged),
            failed: count(|run| run.info.status == Status::Failed || run.is_killed()),
            pruned: count(|run| run.pruned),
            of: self.distinct().count(),
        };
        lost.kinds().next().map(|_| lost)
    }

    /// Mean training seconds over the runs that count.
    pub fn train_seconds(&self) -> Option<Seconds> {
        Summary::of(self.counted().filter_map(|run| run.seconds.last().copied()).collect()).map(|s| s.mean)
    }
}

/// The runs that trained to their end, the latest of each seed, by seed: a seed run twice is one observation.
fn one_a_seed(runs: &[Outcome]) -> Vec<usize> {
    let mut by_seed: BTreeMap<u64, usize> = BTreeMap::new();
    for (k, run) in runs.iter().enumerate().filter(|(_, run)| run.is_done() && !run.metric.is_empty()) {
        let latest = by_seed.entry(run.info.seed).or_insert(k);
        if run.info.created > runs[*latest].info.created {
            *latest = k;
        }
    }
    by_seed.into_values().collect()
}

/// Groups runs by everything but the seed, in the order in which their first ones come. The groups have no names yet.
pub fn by_experiment(outcomes: Vec<Outcome>) -> Vec<Group> {
    let mut order: Vec<String> = Vec::new();
    let mut by_hash: BTreeMap<String, Vec<Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        let hash = outcome.info.spec_hash.clone();
        if !by_hash.contains_key(&hash) {
            order.push(hash.clone());
        }
        by_hash.entry(hash).or_default().push(outcome);
    }
    order.iter().filter_map(|hash| by_hash.remove(hash)).map(Group::new).collect()
}

/// Groups runs by everything but the seed, and names the groups by what differs between them. Notes tell of runs that do
/// not count, and of groups whose seconds are of different machines or whose values of `metric` are not of the same thing. `root`: the
/// folder that is watched, outside of which nothing is read.
pub fn group(mut outcomes: Vec<Outcome>, metric: &str, root: Option<&Path>, notes: &mut Vec<String>) -> Vec<Group> {
    trials::mark_pruned(&mut outcomes, root);
    let mut groups = by_experiment(outcomes);
    name::name(&mut groups);
    let words = groups.iter().flat_map(|group| left_out(group).into_iter().map(move |words| (words, &group.name[..])));
    notes.extend(said_of(words));
    if let [Group { runs, .. }] = &groups[..]
        && let [one, two] = &runs[..]
    {
        let but = if one.info.seed == two.info.seed { "and of one seed" } else { "and differ in the seed alone" };
        notes.push(format!("both runs are of the same experiment, {but}"));
    }
    let machines: BTreeSet<String> = groups.iter().flat_map(Group::counted).map(Outcome::machine).collect();
    if machines.len() > 1 {
        let machines: Vec<String> = machines.into_iter().collect();
        notes.push(format!("seconds are of different machines: {}", machines.join("; ")));
    }
    let numbered: Vec<(usize, &Group)> = groups.iter().enumerate().collect();
    notes.extend(unlike(&numbered, metric).into_iter().map(|unlike| unlike.words));
    groups
}

/// Notes of words and the groups that they are said of.
pub fn said_of<'a>(words: impl Iterator<Item = (String, &'a str)>) -> Vec<String> {
    let mut told: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (words, name) in words {
        told.entry(words).or_default().push(name);
    }
    let mut notes = Vec::new();
    for (words, names) in told {
        match names.len() {
            // A search gives up most of its points.
            n if n > MOST_NAMED => notes.push(format!("{n} groups: {words} each")),
            _ => notes.extend(names.into_iter().map(|name| format!("{name}: {words}"))),
        }
    }
    notes
}

/// Groups, or runs, that a note names, of which the same is to be said.
pub const MOST_NAMED: usize = 4;

/// What is said of the runs of a group that do not count.
fn left_out(group: &Group) -> Vec<String> {
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let mut repeated = 0_u64;
    let others = group.runs.iter().enumerate().filter(|(k, _)| !group.counted.contains(k));
    for run in others.map(|(_, run)| run) {
        match run.is_done() && !run.metric.is_empty() {
            true => repeated += 1,
            false => *states.entry(run.state()).or_default() += 1,
        }
    }
    let mut words = Vec::new();
    if !states.is_empty() {
        let states: Vec<String> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
        words.push(format!("not counted: {}", states.join(", ")));
    }
    if repeated > 0 {
        let (seeds, are) = if repeated == 1 { ("seed", "is") } else { ("seeds", "are") };
        words.push(format!("{} of the same {seeds} {are} not counted", plural(repeated, "earlier run")));
    }
    words
}
