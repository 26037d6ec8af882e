//! What is left out of a sweep, and why; and whether enough is left.

use super::words::assignments;
use crate::cli::Failure;
use crate::config::sweep::{Method, Sweep, Values};
use crate::record::text::plural;
use crate::sweep::file;
use crate::sweep::ledger::{Id, Ledger, Trial};
use crate::units::count;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Points of a grid that are not tried, by the reason.
#[derive(Default)]
pub struct LeftOut(RefCell<BTreeMap<String, Named>>);

impl LeftOut {
    pub fn add(&self, why: &str, point: impl FnOnce() -> String) {
        self.0.borrow_mut().entry(why.to_owned()).or_default().add(point);
    }

    /// Says which they are. In place of a point that is drawn there is another.
    pub fn say(&self, sweep: &Sweep) {
        let Some(all) = grid_points(sweep) else { return };
        for (why, points) in self.0.borrow().iter() {
            let of = format!("{} of {}", count(points.all as u64), plural(all, "point"));
            anstream::eprintln!("left out, for {why}: {of}: {points}");
        }
    }
}

/// The first few of some things, and how many they are.
#[derive(Default)]
pub struct Named {
    first: Vec<String>,
    pub all: usize,
}

impl Named {
    /// So many are named.
    const FEW: usize = 10;

    pub fn add(&mut self, name: impl FnOnce() -> String) {
        self.all += 1;
        if self.all <= Self::FEW {
            self.first.push(name());
        }
    }
}

impl std::fmt::Display for Named {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let more = self.all - self.first.len();
        write!(out, "{}", self.first.join("; "))?;
        if more > 0 { write!(out, "; and {} more", count(more as u64)) } else { Ok(()) }
    }
}

/// Says which planned trials are left out, as the sweep file has their points or seeds no more.
pub fn say_no_more(ledger: &Ledger, no_more: &BTreeSet<Id>) {
    let mut named = Named::default();
    for trial in ledger.trials.iter().filter(|trial| no_more.contains(&trial.id())) {
        named.add(|| format!("{} ({})", trial.run, assignments(ledger, trial)));
    }
    if named.all > 0 {
        let trials = plural(named.all as u64, "planned trial");
        anstream::eprintln!("left out, for {} has the point or the seed no more: {trials}: {named}", file::SWEEP);
    }
}

/// Says where constraints leave fewer points than are asked for.
pub fn enough(sweep: &Sweep, ledger: &Ledger, new: &[Trial]) -> Result<(), Failure> {
    let mut numbers = ledger.numbers();
    numbers.extend(new.iter().map(|trial| trial.number));
    let asked = match sweep.method {
        // What is left out was said.
        Method::Grid if numbers.is_empty() => {
            let all = plural(grid_points(sweep).unwrap_or_default(), "point");
            return Err(Failure::Usage(format!("none of {all} is left\nhelp: {}", wider(sweep))));
        }
        Method::Grid => return Ok(()),
        Method::Random(draws) | Method::Sobol(draws) => draws.points,
        Method::Tpe(search) => search.startup.min(search.draws.points),
    };
    if (numbers.len() as u64) < asked {
        let what = match (sweep.constraints.is_empty(), sweep.equal.is_some()) {
            (true, _) => "`equal` leaves",
            (false, true) => "the constraints and `equal` leave",
            (false, false) => "the constraints leave",
        };
        let points = format!("{} of {}", numbers.len(), plural(asked, "point"));
        return Err(Failure::Usage(format!("{what} {points}\nhelp: {}", wider(sweep))));
    }
    Ok(())
}

/// What brings more points.
fn wider(sweep: &Sweep) -> &'static str {
    match (sweep.constraints.is_empty(), sweep.equal.is_some()) {
        (true, true) => "widen the axes, or fit the length of another phase",
        (false, true) => "widen the axes or the constraints, or fit the length of another phase",
        (_, false) => "widen the axes or the constraints",
    }
}

/// How many combinations the values of a grid have; `None` where points are drawn.
fn grid_points(sweep: &Sweep) -> Option<u64> {
    let values = sweep.axes.iter().map(|axis| match &axis.values {
        Values::Choice(values) => values.len() as u64,
        _ => 1,
    });
    (sweep.method == Method::Grid).then(|| values.product())
}
