//! The best and the last evaluation of a run.

use super::rows::MetricsRow;

/// What a run reached so far. Best is the highest `val_acc`, the earliest of equals; NaN is never best.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    pub best: Option<MetricsRow>,
    pub last: Option<MetricsRow>,
}

impl Scores {
    /// Takes in the next evaluation; tells whether it is the best so far.
    pub fn add(&mut self, row: &MetricsRow) -> bool {
        let best = match &self.best {
            None => !row.val_acc.is_nan(),
            Some(best) => row.val_acc > best.val_acc,
        };
        if best {
            self.best = Some(row.clone());
        }
        self.last = Some(row.clone());
        best
    }
}

impl<'a> FromIterator<&'a MetricsRow> for Scores {
    fn from_iter<I: IntoIterator<Item = &'a MetricsRow>>(rows: I) -> Self {
        let mut scores = Self::default();
        rows.into_iter().for_each(|row| {
            scores.add(row);
        });
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::metrics;
    use super::*;

    #[test]
    fn the_earliest_of_the_highest_is_best() {
        let rows: Vec<_> =
            [f64::NAN, 0.5, 0.7, 0.7, f64::NAN].iter().zip(0..).map(|(&acc, step)| metrics(step, acc)).collect();
        let scores: Scores = rows.iter().collect();
        assert_eq!(scores.best.unwrap().step, 2);
        assert_eq!(scores.last.unwrap().step, 4);
        assert_eq!(rows[..1].iter().collect::<Scores>().best, None);
    }
}
