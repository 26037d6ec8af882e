//! What a sweep has before it: trials that are there and left, new ones, and the points of these. Found and checked before anything is
//! made.

use super::folder::{has_begun, trials_in, write_points};
use super::left_out::{LeftOut, enough, say_no_more};
use super::point::{Maker, Point};
use super::unjudged::Unjudged;
use super::words::{axes_of, pairs};
use super::{base, metric};
use crate::cli::{Failure, prepare};
use crate::config::sweep::Sweep;
use crate::record::RunFolder;
use crate::sweep::ledger::{Id, Ledger, Trial};
use crate::sweep::run::{experiment_file, is_left};
use crate::sweep::{self, file};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What is there of a sweep, and what is to be done.
pub struct Agenda<'a> {
    pub maker: Maker<'a>,
    /// Of a sweep that is there.
    pub folder: Option<&'a Path>,
    /// As it is on disk.
    ledger: Ledger,
    /// Trials that are planned there and asked for no more.
    no_more: BTreeSet<Id>,
    /// Trials that are not there yet.
    pub new: Vec<Trial>,
    /// Their points.
    pub points: BTreeMap<usize, Point>,
}

impl<'a> Agenda<'a> {
    /// Of a new sweep, or of one that is there, in its folder; what is left out of it is said.
    ///
    /// # Errors
    /// When that folder is of another sweep by now, no point or too few are left, or any is wrong.
    pub fn new(sweep: &'a Sweep, folder: Option<&'a Path>) -> Result<Self, Failure> {
        let ledger = match folder {
            Some(folder) => trials_in(folder, sweep)?,
            None => Ledger::new(PathBuf::new(), axes_of(sweep)),
        };
        if let Some(folder) = folder {
            base::is_unchanged(folder, sweep, &ledger)?;
        }
        let maker = Maker::new(sweep)?;
        let (left_out, unjudged) = (LeftOut::default(), Unjudged::default());
        let sweep::Asked { missing: mut new, mut no_more } = sweep::asked(sweep, &ledger, &|point| {
            let refusal = unjudged.refusal(&maker, point);
            refusal.inspect(|why| left_out.add(why, || pairs(&axes_of(sweep), point))).is_none()
        });
        match folder {
            None => unjudged.refuse(&maker)?,
            // Such points were left out as it began, and the others are numbered without them.
            Some(_) => unjudged.say(sweep),
        }
        if let Some(folder) = folder {
            let known = ledger.numbers();
            // Some proposals of a search never made an experiment, and would not with another seed.
            new.retain(|trial| !known.contains(&trial.number) || experiment_file(folder, trial.number).is_file());
            // What was begun goes on.
            for trial in ledger.trials.iter().filter(|trial| has_begun(folder, trial)) {
                no_more.remove(&trial.id());
            }
        }
        metric::exists(sweep)?;
        if let Some(folder) = folder {
            metric::is_that_of_trials(sweep, folder, &ledger)?;
        }
        left_out.say(sweep);
        enough(sweep, &ledger, &new)?;
        let points = maker.all(&new)?;
        say_no_more(&ledger, &no_more);
        Ok(Self { maker, folder, ledger, no_more, new, points })
    }

    /// The trials that are there, but for those that are asked for no more.
    pub fn kept(&self) -> impl Iterator<Item = &Trial> {
        self.ledger.trials.iter().filter(|trial| !self.no_more.contains(&trial.id()))
    }

    /// Those of them that are to be run; a new sweep has none.
    pub fn left(&self, retry_failed: bool) -> impl Iterator<Item = &Trial> {
        self.kept().filter(move |trial| self.folder.is_some_and(|folder| is_left(trial, folder, retry_failed)))
    }

    /// What to say of absent sets and of plans, each once. Trials say themselves what stands in for one; what is listed would not.
    pub fn notices(&self, are_listed: bool) -> BTreeSet<String> {
        let of_point = |point: &Point| {
            let Point { loaded, plan, facts } = point;
            let remarks = prepare::remarks(&loaded.spec, plan, &facts[0]).collect::<Vec<_>>();
            prepare::notices(&loaded.spec, facts, !are_listed).chain(remarks).collect::<Vec<_>>()
        };
        self.points.values().flat_map(of_point).collect()
    }

    /// Sees that some trial could begin.
    ///
    /// # Errors
    /// What the first of the new ones lacks, where each lacks something.
    pub fn can_begin(&self) -> Result<(), Failure> {
        let mut missing = self.points.values().map(|point| prepare::missing_weights(&point.loaded.spec));
        match missing.next() {
            Some(Some(what)) if missing.all(|missing| missing.is_some()) => {
                Err(Failure::Usage(format!("no trial could begin: {what}\nhelp: put the file there, or name another")))
            }
            _ => Ok(()),
        }
    }

    /// Writes all of it into the sweep's folder, where another process would find it; what is asked for no more goes.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write_down(self, folder: &RunFolder) -> Result<(Maker<'a>, Ledger), Failure> {
        let Self { maker, folder: begun, mut ledger, no_more, new, points } = self;
        if begun.is_none() {
            ledger.move_to(folder.join(file::TRIALS));
            base::keep(folder.path(), maker.sweep)?;
        }
        write_points(folder, maker.sweep, &ledger, &points)?;
        ledger.trials.retain(|trial| !no_more.contains(&trial.id()));
        ledger.extend(new);
        // No row on disk may lose its point.
        ledger.write().map_err(anyhow::Error::from)?;
        let known = ledger.numbers();
        for (number, _) in no_more.into_iter().filter(|(number, _)| !known.contains(number)) {
            // Another point may have its number one day.
            let _ = std::fs::remove_file(experiment_file(folder.path(), number));
        }
        Ok((maker, ledger))
    }
}
