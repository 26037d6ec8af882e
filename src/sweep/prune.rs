//! Which trials are given up: those that are behind others **at the same share of their own schedules**. A slow start is held
//! against starts that are as far along, so a long warm-up does not lose to a short one for being long.
//!
//! A trial's fate follows from what it and the trials of points 0 to its own − `parallel` showed at the rungs, which lies on
//! disk as their `metrics.csv`: there is no other state. It begins once those are over, so its fate is known at the evaluation that
//! decides it, and is the same whenever a sweep is killed and resumed, and however many trials run at a time.

use super::ledger::Trial;
use crate::config::sweep::{Prune, Rule};
use crate::record::columns::read_columns;
use crate::record::folder::file;
use crate::record::reader::RunReader;
use crate::stats::median;
use std::path::Path;

/// What a trial showed at each rung: the metric at its first evaluation there or later, but for that at its end.
pub type Shown = Vec<Option<f64>>;

/// A trial that is given up: at which rung, and what it was held against.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub rung: usize,
    pub reason: String,
}

/// Pruning, and what trials showed.
#[derive(Debug)]
pub struct Pruner<'a> {
    pub prune: &'a Prune,
    pub metric: &'a str,
    pub lower_is_better: bool,
}

impl Pruner<'_> {
    /// What a run on disk showed; nothing, where it has no records yet.
    pub fn shown(&self, folder: &Path) -> Shown {
        let nothing = vec![None; self.prune.at.len()];
        let Ok(info) = RunReader::open(folder).and_then(|run| run.info()) else { return nothing };
        let Ok(columns) = read_columns(&folder.join(file::METRICS), ["step", self.metric]) else { return nothing };
        let [Some(steps), Some(values)] = columns.values else { return nothing };
        let at = |share: &f64| {
            let row = steps.iter().position(|step| step + 1.0 >= share * info.steps as f64)?;
            // At the end there is nothing left to give up, and no share of the steps that others are at.
            values.get(row).copied().filter(|_| steps[row] + 1.0 < info.steps as f64)
        };
        self.prune.at.iter().map(at).collect()
    }

    /// The fates of trials that come in the order of their points; `None` for those that go on, or went to their ends.
    pub fn fates(&self, trials: &[(&Trial, Shown)]) -> Vec<Option<Verdict>> {
        let mut fates: Vec<Option<Verdict>> = Vec::new();
        for (trial, shown) in trials {
            let others = trials.iter().zip(&fates).filter(|((other, _), _)| self.precedes(other, trial));
            let others: Vec<(&Shown, Option<usize>)> =
                others.map(|((_, shown), fate)| (shown, fate.as_ref().map(|fate| fate.rung))).collect();
            fates.push(self.fate(shown, &others));
        }
        fates
    }

    /// Whether a trial must be over before the other begins.
    pub fn precedes(&self, trial: &Trial, other: &Trial) -> bool {
        trial.number + self.prune.parallel <= other.number
    }

    fn fate(&self, shown: &Shown, others: &[(&Shown, Option<usize>)]) -> Option<Verdict> {
        (0..shown.len()).find_map(|rung| {
            let own = shown[rung]?;
            // One that was given up earlier may have trained on for a moment.
            let there = others.iter().filter(|(_, fate)| fate.is_none_or(|fate| fate >= rung));
            let values: Vec<f64> = there.filter_map(|(shown, _)| shown[rung]).collect();
            if values.len() < self.prune.startup {
                return None;
            }
            let bound = self.bound(values.iter().map(|value| self.loss(*value)).collect());
            (self.loss(own) > bound).then(|| {
                let share = 100.0 * self.prune.at[rung];
                let bound = if self.lower_is_better { bound } else { -bound };
                let reason =
                    format!("at {share} % of its steps: {own:.4}, worse than {bound:.4} of {} others", values.len());
                Verdict { rung, reason }
            })
        })
    }

    /// The worst loss that goes on, of those of others.
    fn bound(&self, mut losses: Vec<f64>) -> f64 {
        losses.sort_by(f64::total_cmp);
        match self.prune.rule {
            Rule::Median => median(&losses),
            // Of these and the trial itself one in `keep`, and at least one, goes on.
            Rule::Asha { keep } => losses[(losses.len() + 1).div_ceil(keep) - 1],
        }
    }

    /// Lower is better; what is no number is the worst.
    fn loss(&self, value: f64) -> f64 {
        match value {
            _ if value.is_nan() => f64::INFINITY,
            _ if self.lower_is_better => value,
            _ => -value,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::testing::Run;

    fn fates(rule: Rule, parallel: usize, shown: &[[Option<f64>; 2]]) -> Vec<Option<usize>> {
        let prune = Prune { rule, at: vec![0.25, 0.5], startup: 3, parallel };
        let pruner = Pruner { prune: &prune, metric: "val_acc", lower_is_better: false };
        let trials: Vec<Trial> = (0..shown.len()).map(|k| Trial::planned(k, 1, vec![])).collect();
        let shown: Vec<(&Trial, Shown)> = trials.iter().zip(shown).map(|(t, s)| (t, s.to_vec())).collect();
        pruner.fates(&shown).into_iter().map(|fate| fate.map(|fate| fate.rung)).collect()
    }

    #[test]
    fn nothing_is_given_up_at_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let prune = Prune { rule: Rule::Median, at: vec![0.25, 0.985, 0.995], startup: 1, parallel: 1 };
        let pruner = Pruner { prune: &prune, metric: "val_acc", lower_is_better: false };
        // An evaluation at each of 100 steps: the last but one passes the second share, and the last alone the third.
        let run = Run { accuracies: &[0.5; 100], ..Run::default() }.write(folder.path(), "t000-s1");
        assert_eq!(pruner.shown(&run), [Some(0.5), Some(0.5), None]);
    }

    #[test]
    fn the_median_of_those_before_decides() {
        let shown = [
            [Some(0.5), Some(0.8)],
            [Some(0.4), Some(0.7)],
            [Some(0.3), Some(0.6)],
            // Below the median of three, 0.4.
            [Some(0.35), None],
            [Some(0.45), Some(0.65)],
            [Some(0.45), Some(0.9)],
            [Some(f64::NAN), None],
            [None, None],
        ];
        let found = fates(Rule::Median, 1, &shown);
        assert_eq!(found, [None, None, None, Some(0), Some(1), None, Some(0), None]);
        // Three and more points back: trial 5 is the first with three to be held against.
        let found = fates(Rule::Median, 3, &shown);
        assert_eq!(found, [None, None, None, None, None, None, Some(0), None]);
    }

    #[test]
    fn what_a_pruned_trial_went_on_to_show_does_not_count() {
        let mut shown = vec![[Some(0.5), Some(0.5)]; 3];
        shown.push([Some(0.1), Some(0.9)]);
        shown.push([Some(0.6), Some(0.5)]);
        let found = fates(Rule::Median, 1, &shown);
        assert_eq!(found, [None, None, None, Some(0), None]);
        shown[3][1] = None;
        assert_eq!(fates(Rule::Median, 1, &shown), found, "it was stopped at once");
    }

    #[test]
    fn successive_halving_keeps_one_in_so_many() {
        let of = |last: f64| {
            let mut shown: Vec<[Option<f64>; 2]> = (0..8).map(|k| [Some(0.8 - 0.1 * f64::from(k)), None]).collect();
            shown.push([Some(last), None]);
            fates(Rule::Asha { keep: 3 }, 1, &shown)[8]
        };
        // Nine with itself: the best three go on.
        assert_eq!((of(0.65), of(0.55)), (None, Some(0)));
    }
}
