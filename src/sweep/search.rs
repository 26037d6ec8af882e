//! Trials that follow from the results of others.
//!
//! Point k is proposed from points 0 to k − `parallel`, once all of these are over: from their values in `trials.csv`, in the order of
//! their numbers, and nothing else. When trials end, how many run at a time, and whether the sweep was killed in between make no
//! difference. A point is written down before any of its trials begins, and never proposed again.

use super::ledger::{Ledger, State, Trial};
use super::propose::{self, Seen};
use super::run::Source;
use super::values;
use crate::config::sweep::{Search, Sweep};
use crate::plan::Prefix;
use crate::stats::mean;
use std::collections::BTreeMap;

/// Makes a point's experiment, by number and values, or says why not. Gives the beginnings that it may have in common with others.
pub type Prepare<'a> = dyn Fn(usize, &[String]) -> Result<Vec<Prefix>, NoPoint> + 'a;

/// Why a point has no experiment.
#[derive(Debug)]
pub enum NoPoint {
    /// Its values make none: it is a failed one, for that reason, and the search goes on.
    Refused(String),
    /// Something else went wrong, and may go better another time: the point is not tried yet.
    Broken(anyhow::Error),
}

/// A search under way.
pub struct Searching<'a> {
    sweep: &'a Sweep,
    search: Search,
    lower_is_better: bool,
    /// Checks the experiment of a new point and keeps it in the sweep's folder; says why not where it cannot be.
    prepare: &'a Prepare<'a>,
    allows: &'a dyn Fn(&[String]) -> bool,
    beginnings: BTreeMap<usize, Vec<Prefix>>,
}

impl<'a> Searching<'a> {
    /// `allows`: whether a point may be tried.
    pub fn new(
        sweep: &'a Sweep,
        search: Search,
        lower_is_better: bool,
        prepare: &'a Prepare<'a>,
        allows: &'a dyn Fn(&[String]) -> bool,
    ) -> Self {
        Self { sweep, search, lower_is_better, prepare, allows, beginnings: BTreeMap::new() }
    }
}

impl Source for Searching<'_> {
    fn next(&mut self, ledger: &Ledger) -> anyhow::Result<Vec<Trial>> {
        let mut points: BTreeMap<usize, Vec<&Trial>> = BTreeMap::new();
        for trial in &ledger.trials {
            points.entry(trial.number).or_default().push(trial);
        }
        let mut trials = Vec::new();
        for number in ledger.next_number()..self.search.draws.points as usize {
            // Of those planned just now none is over.
            let needed = (number + 1).saturating_sub(self.search.parallel as usize);
            let is_over = |k: usize| points.get(&k).is_some_and(|trials| trials.iter().all(|t| t.state.is_over()));
            if !(0..needed).all(is_over) {
                break;
            }
            let seen: Vec<Seen> = (0..needed).filter_map(|k| self.seen(&points[&k])).collect();
            trials.extend(self.propose(number, &seen)?);
        }
        Ok(trials)
    }

    fn beginnings(&self, number: usize) -> Vec<Prefix> {
        self.beginnings.get(&number).cloned().unwrap_or_default()
    }

    fn shares_up_to(&self, ledger: &Ledger) -> Option<usize> {
        let more = ledger.next_number() < self.search.draws.points as usize;
        (more && self.sweep.share).then(|| self.sweep.first_phase_with_a_range()).filter(|phase| *phase > 0)
    }
}

impl Searching<'_> {
    fn propose(&mut self, number: usize, seen: &[Seen]) -> anyhow::Result<Vec<Trial>> {
        let (axes, seed) = (values(self.sweep), self.search.draws.seed);
        let found = propose::tpe(&axes, seed, number as u64, seen, self.allows);
        let refused = "the constraints refuse whatever is proposed: widen the axes or the constraints";
        let made = match &found {
            Some(point) => (self.prepare)(number, point),
            None => Err(NoPoint::Refused(refused.to_owned())),
        };
        let refusal = match made {
            Ok(beginnings) => {
                self.beginnings.insert(number, beginnings);
                None
            }
            Err(NoPoint::Refused(reason)) => Some(reason),
            Err(NoPoint::Broken(error)) => return Err(error.context(format!("cannot make point {number}"))),
        };
        let point = found.unwrap_or_else(|| vec![String::new(); axes.len()]);
        let trial = |seed: &u64| {
            let mut trial = Trial::planned(number, *seed, point.clone());
            if let Some(reason) = &refusal {
                (trial.state, trial.reason) = (State::Failed, reason.clone());
            }
            trial
        };
        Ok(self.sweep.seeds.iter().map(trial).collect())
    }

    /// What came of a point: the mean over its seeds, worse than all such where one was pruned, the worst where one diverged. A point that only failed tells nothing.
    fn seen(&self, trials: &[&Trial]) -> Option<Seen> {
        let done: Vec<f64> = trials.iter().filter(|t| t.state == State::Done).filter_map(|t| t.objective).collect();
        let diverged = trials.iter().any(|trial| trial.state == State::Diverged);
        let pruned = trials.iter().any(|trial| trial.state == State::Pruned);
        let sign = if self.lower_is_better { 1.0 } else { -1.0 };
        let loss = match () {
            () if diverged => f64::INFINITY,
            // Worse than all that came to their ends.
            () if pruned => f64::MAX,
            () if done.is_empty() => return None,
            () => sign * mean(&done),
        };
        Some(Seen { values: trials[0].values.clone(), loss })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Text;
    use crate::config::sweep::{self, Method};
    use std::cell::RefCell;
    use std::path::Path;

    fn sweep(folder: &Path) -> Sweep {
        let base = "name = 'b'\n[data]\ndataset = 'shapes'\n[model]\nbackbone = 'shallow'\n\
                    [[phases]]\nepochs = 1\nbatch = 50\noptimizer = 'sgd'\nlr = 0.1\n";
        std::fs::write(folder.join("base.toml"), base).unwrap();
        let content = "name = 's'\nbase = 'base.toml'\nmethod = 'tpe'\npoints = 30\nstartup = 6\nparallel = 3\nseeds = [1, 2]\n\
                       [axes]\n'phases[0].lr' = { log_uniform = [0.001, 10] }\n'phases[0].batch' = [25, 50, 100]\n";
        let text = Text { name: "s.toml".into(), content: content.into(), folder: folder.to_owned() };
        sweep::read(text).unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// Ends trials of the ledger in an order of its own until all are over; every seventh diverges.
    fn searched(sweep: &Sweep, folder: &Path, pick: impl Fn(usize, usize) -> usize, killed: bool) -> Vec<Trial> {
        let Method::Tpe(search) = sweep.method else { panic!("a search") };
        let prepared = RefCell::new(Vec::new());
        let prepare = |number: usize, _: &[String]| {
            prepared.borrow_mut().push(number);
            if number == 9 { Err(NoPoint::Refused("no such point".to_owned())) } else { Ok(Vec::new()) }
        };
        let allows = |point: &[String]| sweep.allows(point);
        let mut source = Searching::new(sweep, search, false, &prepare, &allows);
        let path = folder.join("trials.csv");
        let axes: Vec<String> = sweep.axes.iter().map(|axis| axis.name.clone()).collect();
        let mut ledger = Ledger::new(path.clone(), axes.clone());
        ledger.extend(crate::sweep::missing(sweep, &ledger, &|_| true));
        for turn in 0.. {
            let further = source.next(&ledger).unwrap();
            ledger.extend(further);
            if killed {
                ledger.write().unwrap();
                ledger = Ledger::read(&path, axes.clone()).unwrap();
            }
            let open: Vec<usize> = (0..ledger.trials.len()).filter(|k| !ledger.trials[*k].state.is_over()).collect();
            let Some(most) = open.len().checked_sub(1) else { break };
            let trial = &mut ledger.trials[open[pick(turn, open.len()).min(most)]];
            let lr: f64 = trial.values[0].parse().unwrap();
            trial.objective = Some(1.0 / (1.0 + (lr / 0.3).ln().powi(2)) + 0.001 * trial.seed as f64);
            trial.state = State::Done;
            if trial.number % 7 == 6 {
                (trial.state, trial.objective) = (State::Diverged, None);
            }
        }
        let mut prepared = prepared.into_inner();
        prepared.dedup();
        assert_eq!(prepared, (6..30).collect::<Vec<_>>(), "each point once, in order");
        ledger.trials
    }

    #[test]
    fn what_is_tried_does_not_depend_on_when_trials_end_or_whether_it_was_killed() {
        let folder = tempfile::tempdir().unwrap();
        let sweep = sweep(folder.path());
        let first = searched(&sweep, folder.path(), |_, _| 0, false);
        assert_eq!(first.len(), 60);
        assert_eq!(first, searched(&sweep, folder.path(), |_, open| open - 1, false));
        assert_eq!(first, searched(&sweep, folder.path(), |turn, open| turn * 7919 % open, true));
        let failed: Vec<&Trial> = first.iter().filter(|trial| trial.state == State::Failed).collect();
        assert!(failed.len() == 2 && failed[0].number == 9 && failed[0].reason == "no such point", "{failed:?}");
        // It closes in on 0.3, in the middle of four decades.
        let near = |trials: &[Trial]| {
            let lr = |trial: &Trial| trial.values[0].parse::<f64>().unwrap();
            trials.iter().filter(|trial| (0.06..1.5).contains(&lr(trial))).count() as f64 / trials.len() as f64
        };
        assert!(near(&first[30..]) > 0.5, "{}", near(&first[30..]));
    }

    #[test]
    fn a_point_that_could_not_be_written_down_is_proposed_again() {
        let folder = tempfile::tempdir().unwrap();
        let sweep = sweep(folder.path());
        let Method::Tpe(search) = sweep.method else { panic!("a search") };
        let full = std::cell::Cell::new(true);
        let prepare = |_: usize, _: &[String]| match full.get() {
            true => Err(NoPoint::Broken(anyhow::anyhow!("no space"))),
            false => Ok(Vec::new()),
        };
        let allows = |point: &[String]| sweep.allows(point);
        let mut ledger = Ledger::new(folder.path().join("trials.csv"), Vec::new());
        ledger.extend(crate::sweep::missing(&sweep, &ledger, &|_| true));
        for trial in &mut ledger.trials {
            (trial.state, trial.objective) = (State::Done, Some(trial.number as f64));
        }
        let mut source = Searching::new(&sweep, search, false, &prepare, &allows);
        let error = format!("{:#}", source.next(&ledger).unwrap_err());
        assert!(error.contains("point 6") && error.contains("no space"), "{error}");
        full.set(false);
        let trials = source.next(&ledger).unwrap();
        assert!(trials.iter().all(|trial| trial.state == State::Planned), "{trials:?}");
        assert_eq!((trials.len(), trials[0].number), (6, 6), "three points by two seeds");
        assert_eq!(trials, Searching::new(&sweep, search, false, &prepare, &allows).next(&ledger).unwrap());
    }
}
