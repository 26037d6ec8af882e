//! From a sweep's points to experiments that may be tried.

use crate::cli::{Failure, prepare};
use crate::config::spec::SetSpec;
use crate::config::sweep::{Measure, Sweep};
use crate::config::{self, Diagnostics, Loaded};
use crate::data::Facts;
use crate::plan::{Plan, Prefix};
use crate::registry::Choice;
use crate::sweep::fit::fitted;
use crate::sweep::ledger::{Ledger, Trial};
use crate::sweep::prefix::Prefixes;
use crate::sweep::run::experiment_file;
use crate::train::estimate;
use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A point that may be tried.
pub struct Point {
    pub loaded: Loaded,
    pub plan: Plan,
    pub facts: Vec<Facts>,
}

impl Point {
    /// Its beginnings.
    fn prefixes(&self) -> Vec<Prefix> {
        self.plan.prefixes(&self.loaded.spec.for_sets(&self.facts))
    }
}

/// The data sets that an experiment asks for, and what may stand in for them.
type Asked = (Vec<SetSpec>, Option<Choice>);

/// Puts points together as `runner train` would, and fits those that are to cost as much as the base.
pub struct Maker<'a> {
    sweep: &'a Sweep,
    /// What the base costs, where points are to cost as much.
    cost: Option<f64>,
    facts: RefCell<Vec<(Asked, Vec<Facts>)>>,
}

impl<'a> Maker<'a> {
    /// # Errors
    /// When points are to cost as much as the base, and that cannot be planned.
    pub fn new(sweep: &'a Sweep) -> Result<Self, Failure> {
        let mut maker = Self { sweep, cost: None, facts: RefCell::default() };
        if let Some(equal) = &sweep.equal {
            let base = maker.whole(sweep.base()?)?;
            maker.cost = Some(cost(&base, equal.measure)?);
        }
        Ok(maker)
    }

    /// Whether a point keeps the constraints and can cost as much as the base. What is wrong with it otherwise shows when it
    /// is made.
    pub fn allows(&self, point: &[String]) -> bool {
        if self.cost.is_none() {
            return self.sweep.allows(point);
        }
        match self.experiment(point) {
            // With its length fitted: constraints may speak of that.
            Ok(Some(loaded)) => self.sweep.holds(point, &loaded),
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Puts a point together and checks it as `runner train` would.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn make(&self, point: &[String]) -> Result<Point, Failure> {
        match self.experiment(point)? {
            Some(loaded) => self.whole(loaded),
            None => Err(Failure::Usage(self.no_length())),
        }
    }

    /// Makes the points of these trials, each once.
    ///
    /// # Errors
    /// All that is wrong with the first that cannot be made.
    pub fn all(&self, trials: &[Trial]) -> Result<BTreeMap<usize, Point>, Failure> {
        let mut points = BTreeMap::new();
        for trial in trials {
            if let Entry::Vacant(free) = points.entry(trial.number) {
                free.insert(self.make(&trial.values)?);
            }
        }
        Ok(points)
    }

    /// The beginnings of a point, where points share them.
    pub fn beginnings(&self, point: &Point) -> Vec<Prefix> {
        if self.sweep.share { point.prefixes() } else { Vec::new() }
    }

    /// The beginnings of these points, likewise.
    pub fn prefixes(&self, points: &BTreeMap<usize, Point>) -> Prefixes {
        Prefixes(points.iter().map(|(number, point)| (*number, self.beginnings(point))).collect())
    }

    /// The same of the points of these trials as they were written down in the sweep's folder. One that cannot be planned any more
    /// has no beginning in common with others: what is wrong with it shows when it is trained.
    pub fn recorded_prefixes(&self, folder: &Path, ledger: &Ledger) -> Prefixes {
        let numbers: BTreeSet<usize> = ledger.trials.iter().map(|trial| trial.number).collect();
        let of_point = |number: usize| {
            let loaded = config::load(&experiment_file(folder, number), &[]).ok()?;
            Some((number, self.whole(loaded).ok()?.prefixes()))
        };
        Prefixes(numbers.into_iter().filter(|_| self.sweep.share).filter_map(of_point).collect())
    }

    fn no_length(&self) -> String {
        let path = self.sweep.equal.as_ref().map_or("", |equal| equal.path.as_str());
        format!("no `{path}` makes the point cost as much as the base")
    }

    /// `None` where no length makes it cost as much as the base.
    fn experiment(&self, point: &[String]) -> Result<Option<Loaded>, Diagnostics> {
        let (Some(equal), Some(target)) = (&self.sweep.equal, self.cost) else {
            return self.sweep.experiment(point).map(Some);
        };
        let of = |loaded: &Loaded| cost(&self.whole(loaded.clone()).ok()?, equal.measure).ok();
        fitted(self.sweep, equal, point, target, &of)
    }

    fn whole(&self, mut loaded: Loaded) -> Result<Point, Failure> {
        prepare::with_absolute_paths(&mut loaded.spec)?;
        let asked = (loaded.spec.sets(), loaded.spec.data.stand_in.clone());
        let known = self.facts.borrow().iter().find(|(data, _)| *data == asked).map(|(_, facts)| facts.clone());
        let facts = match known {
            Some(facts) => facts,
            None => {
                let facts = prepare::facts(&loaded.spec)?;
                self.facts.borrow_mut().push((asked, facts.clone()));
                facts
            }
        };
        let plan = prepare::plan(&loaded, &facts)?;
        Ok(Point { loaded, plan, facts })
    }
}

fn cost(point: &Point, measure: Measure) -> Result<f64, Failure> {
    match measure {
        Measure::Images => Ok(point.plan.phases.iter().map(|phase| phase.images as f64).sum()),
        // At a speed of one operation a second: what is compared are operations.
        Measure::Time => Ok(estimate::seconds(&point.loaded.spec, &point.plan, &point.facts, 1.0)?),
    }
}
