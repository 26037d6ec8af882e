//! Points, their states and values of the metric as they are shown.

use crate::config::sweep::Sweep;
use crate::sweep::ledger::{Ledger, Trial};
use std::collections::BTreeMap;

/// The names of the axes.
pub fn axes_of(sweep: &Sweep) -> Vec<String> {
    sweep.axes.iter().map(|axis| axis.name.clone()).collect()
}

/// `phases[1].lr.to=0.4, shape=cosine`
pub fn assignments(ledger: &Ledger, trial: &Trial) -> String {
    pairs(&ledger.axes, &trial.values)
}

/// The same of a point.
pub fn values_of(ledger: &Ledger, number: usize) -> String {
    let trial = ledger.trials.iter().find(|trial| trial.number == number);
    trial.map(|trial| assignments(ledger, trial)).unwrap_or_default()
}

/// Each axis with its value.
pub fn pairs(axes: &[String], values: &[String]) -> String {
    let pairs = axes.iter().zip(values).map(|(axis, value)| format!("{axis}={value}"));
    pairs.collect::<Vec<_>>().join(", ")
}

/// `3 done, 1 failed`
pub fn states(ledger: &Ledger) -> String {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for trial in &ledger.trials {
        *states.entry(trial.state.word()).or_default() += 1;
    }
    let states: Vec<String> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    states.join(", ")
}

/// A value of the metric, as the ledger's reader wants it: four digits.
pub fn figure(x: f64) -> String {
    format!("{x:.4}")
}
