//! From a sweep's points to experiments that may be tried.

use super::metric;
use super::words::{axes_of, pairs};
use crate::cli::{Failure, prepare};
use crate::config::spec::{SetSpec, Spec};
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
use std::cell::{Cell, RefCell};
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

    /// Whether it fits an absent set alone, and not what stands in for that.
    fn is_beyond_stand_in(&self) -> bool {
        prepare::is_beyond_stand_in(&self.loaded.spec, &self.facts)
    }
}

/// The figures of an absent set for which another stands in.
#[derive(Clone, Copy)]
enum Figures {
    /// Those of the other.
    StandIn,
    /// Its own, as they are published.
    Official,
}

/// What points are planned with.
struct Basis {
    figures: Figures,
    /// What the base costs by these, where points are to cost as much.
    cost: Option<f64>,
}

/// The data sets that an experiment asks for, and what may stand in for them.
type Asked = (Vec<SetSpec>, Option<Choice>);

/// Puts points together as `runner train` would, and fits those that are to cost as much as the base.
pub struct Maker<'a> {
    pub sweep: &'a Sweep,
    /// At least one; a point is planned with the first that it fits.
    bases: Vec<Basis>,
    /// Whether some point was planned with the official figures, and all are since then.
    official: Cell<bool>,
    facts: RefCell<Vec<(Asked, Vec<Facts>)>>,
}

impl<'a> Maker<'a> {
    /// # Errors
    /// When points are to cost as much as the base, and that cannot be planned.
    pub fn new(sweep: &'a Sweep) -> Result<Self, Failure> {
        let mut maker = Self { sweep, bases: Vec::new(), official: Cell::new(false), facts: RefCell::default() };
        let stand_in = maker.basis(Figures::StandIn);
        let official = match sweep.equal.is_none() || maker.knows_stand_ins() {
            true => maker.basis(Figures::Official).ok(),
            // Nothing stands in: it would be the same once more.
            false => None,
        };
        match (stand_in, official) {
            (Err(failure), None) => return Err(failure),
            (stand_in, official) => maker.bases.extend(stand_in.ok().into_iter().chain(official)),
        }
        Ok(maker)
    }

    fn basis(&self, figures: Figures) -> Result<Basis, Failure> {
        let Some(equal) = &self.sweep.equal else { return Ok(Basis { figures, cost: None }) };
        let base = self.whole(self.sweep.base()?, figures)?;
        Ok(Basis { figures, cost: Some(cost(&base, equal.measure)?) })
    }

    /// Whether one set stands in for another in what was planned so far.
    fn knows_stand_ins(&self) -> bool {
        self.facts.borrow().iter().flat_map(|(_, facts)| facts).any(prepare::is_stand_in)
    }

    /// Why a point is not tried: it breaks a constraint, or cannot cost as much as the base. What is wrong with it otherwise shows
    /// when it is made.
    ///
    /// # Errors
    /// Why a constraint cannot be judged there.
    pub fn refusal(&self, point: &[String]) -> Result<Option<String>, Diagnostics> {
        let broken = |loaded: &Loaded| {
            let broken = self.sweep.broken(point, loaded)?;
            Ok(broken.map(|claim| format!("`{}` does not hold", claim.text)))
        };
        if self.sweep.equal.is_none() {
            if self.sweep.constraints.is_empty() {
                return Ok(None);
            }
            return self.sweep.experiment(point).map_or(Ok(None), |loaded| broken(&loaded));
        }
        let look = |basis: &Basis| match self.experiment(point, basis) {
            // With its length fitted: constraints may speak of that.
            Ok(Some(loaded)) => Some(broken(&loaded)),
            Ok(None) if self.fits(point, basis) => Some(Ok(Some(self.no_length()))),
            // It may fit other figures.
            Ok(None) => None,
            Err(_) => Some(Ok(None)),
        };
        self.in_turn().find_map(look).unwrap_or_else(|| Ok(Some(self.no_length())))
    }

    /// What a point is planned with, in the order in which it is tried.
    fn in_turn(&self) -> impl Iterator<Item = &Basis> {
        let official = self.bases.last().filter(|_| self.official.get());
        official.into_iter().chain(&self.bases)
    }

    /// Whether a point can be planned, whatever it costs.
    fn fits(&self, point: &[String], basis: &Basis) -> bool {
        self.sweep.experiment(point).is_ok_and(|loaded| self.whole(loaded, basis.figures).is_ok())
    }

    /// Puts a point together and checks it as `runner train` would.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn make(&self, point: &[String]) -> Result<Point, Failure> {
        self.first(|basis| self.made(point, basis))
    }

    fn made(&self, point: &[String], basis: &Basis) -> Result<Point, Failure> {
        match self.experiment(point, basis)? {
            Some(loaded) => {
                metric::is_measured(self.sweep, &loaded.spec)?;
                self.whole(loaded, basis.figures)
            }
            None => Err(Failure::Usage(self.no_length())),
        }
    }

    /// What can be made with the first figures that allow it; what is wrong by the first of all where none does.
    fn first(&self, make: impl Fn(&Basis) -> Result<Point, Failure>) -> Result<Point, Failure> {
        let mut refused = None;
        for basis in self.in_turn() {
            match make(basis) {
                Ok(point) => return Ok(point),
                Err(failure) => refused = refused.or(Some(failure)),
            }
        }
        Err(refused.expect("points are planned with some figures"))
    }

    /// Makes the points of these trials, each once. Where some do not fit what stands in for a set, all that can be are planned
    /// with that set's own figures: they are seen side by side.
    ///
    /// # Errors
    /// All that is wrong with any of them, and at which points.
    pub fn all(&self, trials: &[Trial]) -> Result<BTreeMap<usize, Point>, Failure> {
        let axes = axes_of(self.sweep);
        let (mut points, mut wrong, mut numbers) = (BTreeMap::new(), Vec::new(), BTreeSet::new());
        let mut other = None;
        for trial in trials.iter().filter(|trial| numbers.insert(trial.number)) {
            match self.make(&trial.values) {
                Ok(point) => drop(points.insert(trial.number, point)),
                Err(Failure::Config(errors)) => {
                    wrong.push((format!("the point {}", pairs(&axes, &trial.values)), errors))
                }
                Err(failure) => {
                    other = Some(failure);
                    break;
                }
            }
        }
        // What is wrong with the file is told first: it was found before, and is there to be mended.
        if let Some(errors) = Diagnostics::of_several(&wrong, numbers.len()) {
            return Err(errors.into());
        }
        if let Some(failure) = other {
            return Err(failure);
        }
        if let (true, Some(official)) = (points.values().any(Point::is_beyond_stand_in), self.bases.last()) {
            self.official.set(true);
            for trial in trials {
                let point = points.get_mut(&trial.number).expect("each trial has its point");
                if point.facts.iter().any(prepare::is_stand_in)
                    && let Ok(other) = self.made(&trial.values, official)
                {
                    *point = other;
                }
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
        let of_point = |number: usize| Some((number, self.recorded(folder, number).ok()?.prefixes()));
        Prefixes(numbers.into_iter().filter(|_| self.sweep.share).filter_map(of_point).collect())
    }

    /// A point as it was written down in the sweep's folder.
    ///
    /// # Errors
    /// When it cannot be read or planned any more.
    pub fn recorded(&self, folder: &Path, number: usize) -> Result<Point, Failure> {
        let loaded = config::load(&experiment_file(folder, number), &[])?;
        self.first(|basis| self.whole(loaded.clone(), basis.figures))
    }

    fn no_length(&self) -> String {
        let path = self.sweep.equal.as_ref().map_or("", |equal| equal.path.as_str());
        format!("no `{path}` makes the point cost what the base does, to one in a hundred")
    }

    /// `None` where no length makes it cost as much as the base.
    fn experiment(&self, point: &[String], basis: &Basis) -> Result<Option<Loaded>, Diagnostics> {
        let (Some(equal), Some(target)) = (&self.sweep.equal, basis.cost) else {
            return self.sweep.experiment(point).map(Some);
        };
        let of = |loaded: &Loaded| cost(&self.whole(loaded.clone(), basis.figures).ok()?, equal.measure).ok();
        fitted(self.sweep, equal, point, target, &of)
    }

    fn whole(&self, mut loaded: Loaded, figures: Figures) -> Result<Point, Failure> {
        prepare::with_absolute_paths(&mut loaded.spec)?;
        let known = self.known(&loaded.spec)?;
        let facts = match figures {
            Figures::StandIn => known,
            Figures::Official => prepare::official(&loaded.spec, &known).unwrap_or(known),
        };
        let plan = prepare::plan(&loaded, &facts)?;
        Ok(Point { loaded, plan, facts })
    }

    /// What is known of an experiment's data sets without network, looked at once.
    fn known(&self, spec: &Spec) -> Result<Vec<Facts>, Failure> {
        let asked = (spec.sets(), spec.data.stand_in.clone());
        if let Some((_, facts)) = self.facts.borrow().iter().find(|(data, _)| *data == asked) {
            return Ok(facts.clone());
        }
        let facts = prepare::facts(spec)?;
        self.facts.borrow_mut().push((asked, facts.clone()));
        Ok(facts)
    }
}

fn cost(point: &Point, measure: Measure) -> Result<f64, Failure> {
    match measure {
        Measure::Images => Ok(point.plan.phases.iter().map(|phase| phase.images as f64).sum()),
        // At a speed of one operation a second: what is compared are operations.
        Measure::Training => Ok(estimate::training_flops(&point.loaded.spec, &point.plan, &point.facts)?),
        Measure::Time => Ok(estimate::seconds(&point.loaded.spec, &point.plan, &point.facts, 1.0)?),
    }
}
