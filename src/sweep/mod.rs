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
use ledger::{Id, Ledger, State, Trial};
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
    /// Trials that are planned there and asked for no more.
    pub no_more: BTreeSet<Id>,
}

/// The trials that a sweep asks for and the ledger does not have yet: see [`asked`].
pub fn missing(sweep: &Sweep, ledger: &Ledger, allowed: &dyn Fn(&[String]) -> bool) -> Vec<Trial> {
    asked(sweep, ledger, allowed).missing
}

/// The trials that a sweep asks for and the ledger does not have yet, those of new axis values, seeds or random points, and those that
/// it has for nothing, as values or seeds were taken out or fewer points are drawn. Points that are there keep their numbers and values,
/// though the axes may have changed since; new ones are numbered after them. Points that are not `allowed` are passed over; those that
/// are there stay, for what is allowed may hang on data that are elsewhere by now. Of a search these are the points that it begins with,
/// and new seeds of all; the others follow from results ([`search::Searching`]).
pub fn asked(sweep: &Sweep, ledger: &Ledger, allowed: &dyn Fn(&[String]) -> bool) -> Asked {
    let there: BTreeSet<Id> = ledger.trials.iter().map(Trial::id).collect();
    let values_of: BTreeMap<usize, &Vec<String>> =
        ledger.trials.iter().map(|trial| (trial.number, &trial.values)).collect();
    let mut numbers: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    for (number, values) in &values_of {
        if let Some(places) = places(sweep, values) {
            numbers.entry(places).or_insert(*number);
        }
    }
    let mut free = ledger.next_number();
    let mut missing = Vec::new();
    for (place, values) in points(sweep, ledger, allowed).into_iter().enumerate() {
        let known = match sweep.method {
            // Points that are drawn are known by their numbers, for two may have equal values.
            Method::Random(_) | Method::Sobol(_) | Method::Tpe(_) => Some(place),
            Method::Grid => places(sweep, &values).and_then(|places| numbers.get(&places).copied()),
        };
        let is_new = |seed: &u64| known.is_none_or(|number| !there.contains(&(number, *seed)));
        let seeds: Vec<u64> = sweep.seeds.iter().copied().filter(is_new).collect();
        if seeds.is_empty() || (sweep.method == Method::Grid && !allowed(&values)) {
            continue;
        }
        let number = known.unwrap_or_else(|| {
            free += 1;
            free - 1
        });
        let values = values_of.get(&number).map_or(values, |there| (*there).clone());
        missing.extend(seeds.into_iter().map(|seed| Trial::planned(number, seed, values.clone())));
    }
    let is_wanted = |trial: &Trial| sweep.seeds.contains(&trial.seed) && has(sweep, trial);
    let for_nothing = ledger.trials.iter().filter(|trial| trial.state == State::Planned && !is_wanted(trial));
    Asked { missing, no_more: for_nothing.map(Trial::id).collect() }
}

/// Which of the listed values of each axis a point of a grid has; `None` where an axis has that value no more.
fn places(sweep: &Sweep, values: &[String]) -> Option<Vec<usize>> {
    sweep.axes.iter().zip(values).map(|(axis, value)| axis.place(value)).collect()
}

/// Whether a sweep still has the point of a trial.
fn has(sweep: &Sweep, trial: &Trial) -> bool {
    match sweep.method {
        Method::Grid => places(sweep, &trial.values).is_some(),
        Method::Random(draws) | Method::Sobol(draws) => (trial.number as u64) < draws.points,
        Method::Tpe(search) => (trial.number as u64) < search.draws.points,
    }
}

/// A value for each axis, for each point: of those that are drawn the allowed ones, of a grid all.
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
        Method::Grid => propose::grid(&axes).unwrap_or_default(),
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

/// What the axes' values are taken from.
pub fn values(sweep: &Sweep) -> Vec<Values> {
    sweep.axes.iter().map(|axis| axis.values.clone()).collect()
}

#[cfg(test)]
mod tests;
