//! Many experiments from one file: which points are tried, what became of them, and running what is left.
//!
//! The folder is the truth: `sweep.toml` (the sweep file, paths made absolute), `base.toml` (the base as it was at the
//! beginning), `points/tNNN.toml` (each point's whole experiment), `trials.csv`, a run folder a trial, and `logs/`. Whatever kills a sweep, going on from the folder comes to
//! the same end.

pub mod fit;
pub mod ledger;
pub mod optuna;
pub mod prefix;
pub mod propose;
pub mod prune;
pub mod run;
pub mod search;
mod standing;

pub use standing::{Standing, best};

use crate::config::sweep::{Method, Sweep, Values};
use ledger::{Ledger, State, Trial};
use std::collections::{BTreeMap, BTreeSet};

/// Files of a sweep folder.
pub mod file {
    pub use crate::record::folder::file::SWEEP;
    pub const TRIALS: &str = "trials.csv";
    /// The base experiment as it was when the sweep began, whole.
    pub const BASE: &str = "base.toml";
    pub const POINTS: &str = "points";
    pub const LOGS: &str = "logs";
}

/// So many draws in a row that constraints refuse are the last.
const PATIENCE: usize = 1000;
/// A Sobol sequence ends here.
const SOBOL_END: u64 = 1 << 16;

/// What a sweep asks for, held against the trials that are there.
#[derive(Debug)]
pub struct Asked {
    /// Trials that the ledger does not have yet.
    pub missing: Vec<Trial>,
    /// Points and seeds of trials that are planned there and asked for no more.
    pub no_more: Vec<(usize, u64)>,
}

/// The trials that a sweep asks for and the ledger does not have yet: see [`asked`].
pub fn missing(sweep: &Sweep, ledger: &Ledger, allowed: &dyn Fn(&[String]) -> bool) -> Vec<Trial> {
    asked(sweep, ledger, allowed).missing
}

/// The trials that a sweep asks for and the ledger does not have yet, those of new axis values, seeds or random points, and those that
/// it has for nothing, as values or seeds were taken out. Points that are there keep their numbers; new ones are numbered after them.
/// Points that are not `allowed` are passed over. Of a search these are the points that it begins with, and new seeds of all; the
/// others follow from results ([`search::Searching`]).
pub fn asked(sweep: &Sweep, ledger: &Ledger, allowed: &dyn Fn(&[String]) -> bool) -> Asked {
    let mut numbers: BTreeMap<Vec<String>, usize> =
        ledger.trials.iter().map(|trial| (trial.values.clone(), trial.number)).collect();
    let drawn: BTreeMap<usize, Vec<String>> =
        ledger.trials.iter().map(|trial| (trial.number, trial.values.clone())).collect();
    let there: BTreeSet<(usize, u64)> = ledger.trials.iter().map(|trial| (trial.number, trial.seed)).collect();
    let mut free = ledger.next_number();
    let (mut missing, mut wanted) = (Vec::new(), BTreeSet::new());
    for (place, values) in points(sweep, ledger, allowed).into_iter().enumerate() {
        let (number, values) = match sweep.method {
            // Points that are drawn are known by their numbers, for two may have equal values; and those that are there stay as
            // they are, though the axes may have changed since.
            Method::Random(_) | Method::Sobol(_) | Method::Tpe(_) => {
                (place, drawn.get(&place).cloned().unwrap_or(values))
            }
            Method::Grid => {
                let number = *numbers.entry(values.clone()).or_insert_with(|| {
                    free += 1;
                    free - 1
                });
                (number, values)
            }
        };
        wanted.extend(sweep.seeds.iter().map(|seed| (number, *seed)));
        let new = sweep.seeds.iter().filter(|seed| !there.contains(&(number, **seed)));
        missing.extend(new.map(|seed| Trial::planned(number, *seed, values.clone())));
    }
    let planned = ledger.trials.iter().filter(|trial| trial.state == State::Planned);
    let no_more = planned.map(|trial| (trial.number, trial.seed)).filter(|trial| !wanted.contains(trial)).collect();
    Asked { missing, no_more }
}

/// A value for each axis, for each point.
fn points(sweep: &Sweep, ledger: &Ledger, allowed: &dyn Fn(&[String]) -> bool) -> Vec<Vec<String>> {
    let axes = values(sweep);
    let drawn = |points: u64, end: u64, draw: &dyn Fn(u64) -> Vec<String>| {
        let (mut found, mut refused) = (Vec::new(), 0);
        for number in 0..end {
            if found.len() as u64 == points || refused == PATIENCE {
                break;
            }
            let point = draw(number);
            if allowed(&point) {
                found.push(point);
                refused = 0;
            } else {
                refused += 1;
            }
        }
        found
    };
    match sweep.method {
        // Axes of ranges are refused in a grid when the file is read.
        Method::Grid => {
            let points = propose::grid(&axes).unwrap_or_default();
            points.into_iter().filter(|point| allowed(point)).collect()
        }
        Method::Random(draws) => drawn(draws.points, u64::MAX, &|number| propose::random(&axes, draws.seed, number)),
        Method::Sobol(draws) => drawn(draws.points, SOBOL_END, &|number| propose::sobol(&axes, draws.seed, number)),
        Method::Tpe(search) => {
            let first = search.startup.min(search.draws.points);
            let mut points = drawn(first, u64::MAX, &|number| propose::random(&axes, search.draws.seed, number));
            let there: BTreeMap<usize, &Vec<String>> =
                ledger.trials.iter().map(|trial| (trial.number, &trial.values)).collect();
            let last = (search.draws.points as usize).max(points.len());
            let later = there.range(points.len()..last).map(|(_, values)| (*values).clone());
            points.extend(later);
            points
        }
    }
}

fn values(sweep: &Sweep) -> Vec<Values> {
    sweep.axes.iter().map(|axis| axis.values.clone()).collect()
}

#[cfg(test)]
mod tests;
