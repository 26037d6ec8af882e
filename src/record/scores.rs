//! The best and the last evaluation of a run.

use super::event::RunFacts;
use super::rows::MetricsRow;

/// What a run reached so far. Best is the highest `val_acc`, the earliest of equals; NaN is never best, nor is an evaluation
/// of other images than the last ones where there is one of those.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    pub best: Option<MetricsRow>,
    pub last: Option<MetricsRow>,
    /// The phase since which the last data set is used.
    last_set_since: usize,
}

impl Scores {
    /// Those of a run before its first evaluation.
    pub fn of(facts: &RunFacts) -> Self {
        Self { last_set_since: facts.last_set_since, ..Self::default() }
    }

    /// Those of a run with so many evaluations behind it.
    pub fn after(rows: &[MetricsRow], facts: &RunFacts) -> Self {
        let mut scores = Self::of(facts);
        rows.iter().for_each(|row| {
            scores.add(row);
        });
        scores
    }

    /// Takes in the next evaluation; tells whether it is the best so far.
    pub fn add(&mut self, row: &MetricsRow) -> bool {
        let best = match &self.best {
            None => !row.val_acc.is_nan(),
            Some(best) if best.phase < self.last_set_since && row.phase >= self.last_set_since => !row.val_acc.is_nan(),
            Some(best) => row.val_acc > best.val_acc,
        };
        if best {
            self.best = Some(row.clone());
        }
        self.last = Some(row.clone());
        best
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::tests::facts;
    use super::super::rows::tests::metrics;
    use super::*;

    #[test]
    fn the_earliest_of_the_highest_is_best() {
        let rows: Vec<_> =
            [f64::NAN, 0.5, 0.7, 0.7, f64::NAN].iter().zip(0..).map(|(&acc, step)| metrics(step, acc)).collect();
        let facts = facts();
        let scores = Scores::after(&rows, &facts);
        assert_eq!(scores.best.unwrap().step, 2);
        assert_eq!(scores.last.unwrap().step, 4);
        assert_eq!(Scores::after(&rows[..1], &facts).best, None);
    }

    #[test]
    fn what_was_evaluated_on_other_images_is_best_only_until_there_is_another() {
        let facts = RunFacts { last_set_since: 2, ..facts() };
        let row = |(phase, acc): (usize, f64)| MetricsRow { phase, ..metrics(phase as u64, acc) };
        let rows = [(0, 0.9), (1, 0.8), (2, f64::NAN), (2, 0.3), (3, 0.4), (3, 0.2)].map(row);
        let best = |until: usize| Scores::after(&rows[..until], &facts).best.unwrap().val_acc;
        assert_eq!([1, 2, 3, 4, 5, 6].map(best), [0.9, 0.9, 0.9, 0.3, 0.4, 0.4]);
    }
}
