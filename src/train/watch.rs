//! What the stop rules remember from step to step and from evaluation to evaluation; part of a checkpoint.

use crate::config::spec::{Metric, Patience, StopSpec};
use crate::record::rows::MetricsRow;
use crate::stats::Smooth;
use crate::units::number;
use serde::{Deserialize, Serialize};

/// The weight of the past in the smoothed loss.
const BETA: f64 = 0.98;
/// A smoothed loss so many times its best has diverged.
pub const FACTOR: f64 = 4.0;
/// Steps whose smoothed loss is not yet a best to be compared with.
const FIRST: u64 = 12;

/// What the stop rules have seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    pub smoothed: SmoothedLoss,
    /// The best value of the metric of `patience`, and the evaluations since.
    best: Option<f64>,
    since: u64,
}

impl Watch {
    /// Takes in an evaluation; says why training ends with it, if it does.
    pub fn ended(&mut self, stop: &StopSpec, row: &MetricsRow) -> Option<String> {
        let tired = stop.patience.and_then(|patience| self.is_tired(patience, row));
        let found = |metric: &Metric| value(row, *metric).unwrap_or(f64::NAN);
        let reached = |(metric, target): (&Metric, &f64)| metric.reaches(found(metric), *target);
        if !stop.at.is_empty() && stop.at.iter().all(reached) {
            let found = stop.at.keys().map(|metric| format!("{} is {}", metric.word(), number(found(metric))));
            return Some(format!("target reached: {}", found.collect::<Vec<_>>().join(", ")));
        }
        tired
    }

    /// Keeps count of evaluations without improvement.
    fn is_tired(&mut self, patience: Patience, row: &MetricsRow) -> Option<String> {
        let Patience { evaluations, metric, min_change } = patience;
        // An evaluation without it, as before the first averaged weights, says nothing.
        let found = value(row, metric)?;
        let gain = |best: f64| if metric.falls() { best - found } else { found - best };
        if self.best.map_or(found.is_finite(), |best| gain(best) > min_change) {
            (self.best, self.since) = (Some(found), 0);
            return None;
        }
        self.since += 1;
        (self.since >= evaluations).then(|| {
            let better = self.best.map(|best| format!(" better than {}{}", number(best), patience.least()));
            format!("{} evaluations brought no {}{}", self.since, metric.word(), better.unwrap_or_default())
        })
    }
}

/// The metric's column; `None` where it is empty.
fn value(row: &MetricsRow, metric: Metric) -> Option<f64> {
    match metric {
        Metric::ValAcc => Some(row.val_acc),
        Metric::ValAccTop5 => Some(row.val_acc_top5),
        Metric::ValAccTta => row.val_acc_tta,
        Metric::ValAccAvg => row.val_acc_avg,
        Metric::ValLoss => Some(row.val_loss),
        Metric::ValLossAvg => row.val_loss_avg,
        Metric::TrainAcc => Some(row.train_acc),
        Metric::TrainLoss => Some(row.train_loss),
    }
}

/// The training loss, smoothed with [`BETA`], and its best so far, the first dozen steps left out. Source: the learning-rate
/// finder of fastai 0.7, whose factor of 4 it has too.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SmoothedLoss {
    smooth: Smooth,
    value: f64,
    steps: u64,
    best: Option<f64>,
}

impl Default for SmoothedLoss {
    fn default() -> Self {
        Self { smooth: Smooth::new(BETA), value: 0.0, steps: 0, best: None }
    }
}

impl SmoothedLoss {
    /// Takes in the loss of a step; tells whether it has diverged: NaN, or over four times the best.
    pub fn add(&mut self, loss: f64) -> bool {
        self.steps += 1;
        self.value = self.smooth.add(loss);
        if self.value.is_nan() || self.best.is_some_and(|best| self.value > FACTOR * best) {
            return true;
        }
        if self.steps > FIRST {
            self.best = Some(self.best.map_or(self.value, |best| best.min(self.value)));
        }
        false
    }

    /// The smoothed loss; 0 before the first step.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// The lowest that it was, once there are steps enough.
    pub fn best(&self) -> Option<f64> {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(val_acc: f64, val_loss: f64) -> MetricsRow {
        MetricsRow { val_acc, val_loss, ..crate::record::rows::tests::metrics(0, 0.0) }
    }

    /// The reasons after each of these accuracies and losses, and how many evaluations there were.
    fn told(stop: &StopSpec, rows: &[(f64, f64)]) -> (usize, Option<String>) {
        let mut watch = Watch::default();
        for (k, (acc, loss)) in rows.iter().enumerate() {
            let ended = watch.ended(stop, &row(*acc, *loss));
            // As a checkpoint would keep it.
            watch = serde_json::from_str(&serde_json::to_string(&watch).unwrap()).unwrap();
            if ended.is_some() {
                return (k + 1, ended);
            }
        }
        (rows.len(), None)
    }

    #[test]
    fn a_target_is_reached_when_all_of_it_is() {
        let stop = StopSpec { at: [(Metric::ValAcc, 0.9), (Metric::ValLoss, 0.5)].into(), ..StopSpec::default() };
        let rows = [(0.95, 0.6), (0.89, 0.4), (f64::NAN, 0.1), (0.9, 0.5), (0.99, 0.1)];
        let (evaluations, reason) = told(&stop, &rows);
        assert_eq!((evaluations, reason.as_deref()), (4, Some("target reached: val_acc is 0.9, val_loss is 0.5")));
    }

    #[test]
    fn patience_ends_after_so_many_evaluations_without_improvement() {
        let patience = |metric, min_change| StopSpec {
            patience: Some(Patience { evaluations: 2, metric, min_change }),
            ..StopSpec::default()
        };
        let rows = [(0.5, 2.0), (0.5, 1.9), (0.6, 2.0), (0.61, 2.1), (0.6, 1.0)];
        assert_eq!(told(&patience(Metric::ValAcc, 0.0), &rows).0, 5);
        assert_eq!(told(&patience(Metric::ValAcc, 0.0), &rows).1, None, "each second one is better");
        let (evaluations, reason) = told(&patience(Metric::ValAcc, 0.05), &rows);
        assert_eq!(
            (evaluations, reason.as_deref()),
            (5, Some("2 evaluations brought no val_acc better than 0.6 by more than 0.05"))
        );
        assert_eq!(told(&patience(Metric::ValLoss, 0.0), &rows).0, 4);
        assert_eq!(told(&patience(Metric::ValAcc, 0.0), &[(f64::NAN, 1.0); 3]).0, 2, "NaN is no improvement");
    }

    #[test]
    fn the_loss_diverges_at_four_times_its_best_and_not_in_the_first_steps() {
        let mut wild = SmoothedLoss::default();
        assert!((0..FIRST).all(|k| !wild.add(10f64.powi(k as i32))), "no best yet");
        let mut loss = SmoothedLoss::default();
        assert!((0..100).all(|_| !loss.add(1.0)));
        assert!((loss.value() - 1.0).abs() < 1e-12 && (loss.best().unwrap() - 1.0).abs() < 1e-12);
        // Towards 10: after n steps 10 − 9·0.98ⁿ, less the bias; 4 is passed where 0.98ⁿ < 2/3, at n = 21 but for it.
        let steps = (1..).find(|_| loss.add(10.0)).unwrap();
        assert!((17..=21).contains(&steps), "{steps}");
        assert!(SmoothedLoss::default().add(f64::NAN));
    }
}
