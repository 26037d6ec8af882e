//! Trials that begin alike: one trains the beginning and keeps its state there, the others begin from that.
//!
//! Who trains follows from the order of trials alone, and what was kept lies in the run folder of the one who did: a sweep that is
//! killed finds both again.

use super::ledger::Trial;
use crate::plan::Prefix;
use std::collections::BTreeMap;

/// The beginnings of the points of a sweep, those that other points have too as well as those that none has.
#[derive(Clone, Debug, Default)]
pub struct Prefixes(pub BTreeMap<usize, Vec<Prefix>>);

/// Which trials begin alike.
#[derive(Debug, Default)]
pub struct Shared {
    /// For each trial, in their order.
    trials: Vec<Links>,
}

#[derive(Clone, Debug, Default)]
struct Links {
    /// What earlier trials have in common with it, the longest beginning first.
    with_earlier: Vec<Common>,
    /// Borders at which a later trial leaves it: that trial has no longer beginning in common with any before it.
    left_at: Vec<(Border, usize)>,
}

/// A beginning that a trial has in common with earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Common {
    pub border: Border,
    /// In order.
    pub earlier: Vec<usize>,
}

/// The end of a beginning: the phase that comes next, and the steps before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Border {
    pub phase: usize,
    pub steps: u64,
}

impl Shared {
    /// Trials of equal seeds whose points begin alike.
    pub fn new(trials: &[Trial], prefixes: &Prefixes) -> Self {
        let mut links = vec![Links::default(); trials.len()];
        let mut seen: BTreeMap<(u64, &str), Vec<usize>> = BTreeMap::new();
        for (index, trial) in trials.iter().enumerate() {
            for prefix in prefixes.0.get(&trial.number).into_iter().flatten().rev() {
                let border = Border { phase: prefix.phase, steps: prefix.steps };
                let same = seen.entry((trial.seed, prefix.digest.as_str())).or_default();
                if !same.is_empty() {
                    if links[index].with_earlier.is_empty() {
                        same.iter().for_each(|earlier| links[*earlier].left_at.push((border, index)));
                    }
                    links[index].with_earlier.push(Common { border, earlier: same.clone() });
                }
                same.push(index);
            }
        }
        Self { trials: links }
    }

    /// The beginnings that a trial has in common with earlier ones, the longest first.
    pub fn with_earlier(&self, index: usize) -> &[Common] {
        self.trials.get(index).map_or(&[], |links| &links.with_earlier)
    }

    /// The phases before which a trial that trains from `from` on keeps its state for those later trials that want it.
    pub fn kept_by(&self, index: usize, from: usize, wants: impl Fn(usize) -> bool) -> Vec<usize> {
        let left_at = self.trials.get(index).map_or(&[][..], |links| &links.left_at);
        let wanted = left_at.iter().filter(|(border, later)| border.phase > from && wants(*later));
        let mut phases: Vec<usize> = wanted.map(|(border, _)| border.phase).collect();
        phases.sort_unstable();
        phases.dedup();
        phases
    }

    /// Steps that a trial has not to train itself, when all goes well.
    pub fn saved(&self, index: usize) -> u64 {
        self.with_earlier(index).first().map_or(0, |common| common.border.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(points: &[&[&str]]) -> Prefixes {
        let prefix = |(k, digest): (usize, &&str)| Prefix {
            phase: k + 1,
            steps: 10 * (k as u64 + 1),
            digest: (*digest).to_owned(),
        };
        let of = |point: &&[&str]| point.iter().enumerate().map(prefix).collect();
        Prefixes(points.iter().map(of).enumerate().collect())
    }

    fn earlier(shared: &Shared, index: usize) -> Vec<(usize, Vec<usize>)> {
        let common = |common: &Common| (common.border.phase, common.earlier.clone());
        shared.with_earlier(index).iter().map(common).collect()
    }

    #[test]
    fn beginnings_form_a_tree_and_each_is_trained_by_the_first_that_has_it() {
        // Four points share the first phase, two and two of them the second.
        let prefixes = prefixes(&[&["a", "ax"], &["a", "ay"], &["a", "ax"], &["a", "ay"], &["b", "bx"]]);
        let trials: Vec<Trial> = (0..5).map(|number| Trial::planned(number, 1, vec![])).collect();
        let shared = Shared::new(&trials, &prefixes);
        assert_eq!(earlier(&shared, 0), []);
        assert_eq!(earlier(&shared, 1), [(1, vec![0])]);
        assert_eq!(earlier(&shared, 2), [(2, vec![0]), (1, vec![0, 1])]);
        assert_eq!(earlier(&shared, 3), [(2, vec![1]), (1, vec![0, 1, 2])]);
        assert_eq!(earlier(&shared, 4), []);
        assert_eq!(shared.kept_by(0, 0, |_| true), [1, 2]);
        assert_eq!(shared.kept_by(0, 0, |later| later == 2), [2], "trial 3 has more in common with trial 1");
        assert_eq!(shared.kept_by(1, 1, |_| true), [2], "it begins behind phase 0");
        assert_eq!(shared.kept_by(2, 2, |_| true), [0; 0]);
        assert_eq!((0..5).map(|index| shared.saved(index)).collect::<Vec<_>>(), [0, 10, 20, 20, 0]);
    }

    #[test]
    fn other_seeds_begin_otherwise() {
        let prefixes = prefixes(&[&["a"], &["a"]]);
        let trials: Vec<Trial> =
            [(0, 1), (0, 2), (1, 1), (1, 2)].map(|(number, seed)| Trial::planned(number, seed, vec![])).to_vec();
        let shared = Shared::new(&trials, &prefixes);
        assert_eq!((earlier(&shared, 2), earlier(&shared, 3)), (vec![(1, vec![0])], vec![(1, vec![1])]));
        assert_eq!(shared.kept_by(0, 0, |_| true), [1]);
    }
}
