//! Which point of a sweep is best.
//!
//! Points are compared by the means over their seeds. A mean over the seeds that survived is none of the point: those that diverged
//! would have been the worst of it. So a seed without a value weighs more than any value: points with fewer such seeds come first,
//! and means decide between points with as many. Where some point has values of all its seeds, no other is best.

use super::ledger::{Ledger, State, Trial};
use crate::stats::mean;
use std::collections::BTreeMap;

/// What the seeds of a point came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The point's.
    pub number: usize,
    /// Of the objective, over the seeds that have one.
    pub mean: f64,
    /// So many of them.
    pub seeds: usize,
    /// The others: how they stand, and how many do.
    lacking: BTreeMap<&'static str, usize>,
}

impl Standing {
    /// Nothing, where no seed has a value.
    fn of(number: usize, trials: &[&Trial]) -> Option<Self> {
        let values: Vec<f64> = trials.iter().filter_map(|trial| value(trial)).collect();
        if values.is_empty() {
            return None;
        }
        let mut lacking: BTreeMap<&'static str, usize> = BTreeMap::new();
        for trial in trials.iter().filter(|trial| value(trial).is_none()) {
            let word = if trial.state == State::Done { "without a value" } else { trial.state.word() };
            *lacking.entry(word).or_default() += 1;
        }
        Some(Self { number, mean: mean(&values), seeds: values.len(), lacking })
    }

    /// Whether all its seeds have values.
    pub fn is_whole(&self) -> bool {
        self.lacking.is_empty()
    }

    /// What to say of the best point where not even that is whole: `of its 3 seeds 2 diverged; …`
    pub fn lacks(&self) -> Option<String> {
        if self.is_whole() {
            return None;
        }
        let parts: Vec<String> = self.lacking.iter().map(|(word, n)| format!("{n} {word}")).collect();
        let all = self.seeds + self.without();
        Some(format!("of its {all} seeds {}; no point has a value of every seed", parts.join(", ")))
    }

    /// How many seeds have no value.
    fn without(&self) -> usize {
        self.lacking.values().sum()
    }

    fn is_better_than(&self, other: &Self, lower_is_better: bool) -> bool {
        match self.without().cmp(&other.without()) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal if lower_is_better => self.mean < other.mean,
            std::cmp::Ordering::Equal => self.mean > other.mean,
        }
    }
}

/// The objective of a trial that is done.
fn value(trial: &Trial) -> Option<f64> {
    trial.objective.filter(|value| trial.state == State::Done && value.is_finite())
}

/// The best point, of equals the first; nothing while no trial has a value.
pub fn best(ledger: &Ledger, lower_is_better: bool) -> Option<Standing> {
    let mut points: BTreeMap<usize, Vec<&Trial>> = BTreeMap::new();
    for trial in &ledger.trials {
        points.entry(trial.number).or_default().push(trial);
    }
    let standings = points.iter().filter_map(|(number, trials)| Standing::of(*number, trials));
    standings.reduce(|best, next| if next.is_better_than(&best, lower_is_better) { next } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of three seeds each: values of those that are done, else how they ended.
    fn best_of(points: &[[Result<f64, State>; 3]], lower_is_better: bool) -> Option<Standing> {
        let mut ledger = Ledger::new("".into(), Vec::new());
        for (number, seeds) in points.iter().enumerate() {
            for (seed, ended) in (0..).zip(seeds) {
                let mut trial = Trial::planned(number, seed, Vec::new());
                match ended {
                    Ok(value) => (trial.state, trial.objective) = (State::Done, Some(*value)),
                    Err(state) => trial.state = *state,
                }
                ledger.extend([trial]);
            }
        }
        best(&ledger, lower_is_better)
    }

    #[test]
    fn survivors_do_not_speak_for_seeds_that_diverged() {
        let steady = [Ok(0.8), Ok(0.7), Ok(0.75)];
        for ended in [State::Diverged, State::Failed, State::Pruned, State::Running] {
            let lucky = [Ok(0.9), Err(ended), Ok(0.95)];
            let found = best_of(&[lucky, steady], false).unwrap();
            assert_eq!((found.number, found.seeds, found.lacks()), (1, 3, None), "{ended:?}");
        }
        // Losses, and a value that is none.
        let found = best_of(&[[Ok(0.1), Ok(f64::NAN), Ok(0.1)], steady], true).unwrap();
        assert_eq!((found.number, found.is_whole()), (1, true));
        let found = best_of(&[steady, [Ok(0.8), Ok(0.7), Ok(0.8)]], false).unwrap();
        assert_eq!(found.number, 1, "of whole points the mean decides");
    }

    #[test]
    fn where_no_point_is_whole_the_one_with_most_seeds_is_named_and_what_it_lacks() {
        let (gone, broken) = (Err(State::Diverged), Err(State::Failed));
        let found = best_of(&[[Ok(0.9), gone, gone], [Ok(0.5), Ok(0.6), gone], [Ok(0.6), broken, Ok(0.7)]], false);
        let found = found.unwrap();
        assert_eq!((found.number, found.seeds, found.is_whole()), (2, 2, false));
        assert!((found.mean - 0.65).abs() < 1e-12, "{}", found.mean);
        let found = best_of(&[[Ok(0.9), gone, gone], [gone, gone, gone]], false).unwrap();
        let words = "of its 3 seeds 2 diverged; no point has a value of every seed";
        assert_eq!(found.lacks().as_deref(), Some(words));
        let found = best_of(&[[Ok(0.9), gone, broken]], false).unwrap();
        assert!(found.lacks().is_some_and(|words| words.contains("3 seeds 1 diverged, 1 failed;")), "{found:?}");
        assert_eq!(best_of(&[[gone, gone, broken]], false), None);
    }
}
