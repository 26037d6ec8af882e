//! `runner sweep --dry-run`: the trials that are left, and what they would cost.

use super::SweepArgs;
use super::agenda::Agenda;
use super::folder::has_begun;
use super::point::{Maker, Point};
use super::room::{Room, compute, cores};
use super::words::{axes_of, pairs};
use crate::cli::train::start_threads;
use crate::cli::{Exit, Failure, output};
use crate::compare::report;
use crate::config::sweep::{Method, Sweep};
use crate::nn::Compute;
use crate::record::text::{plural, span};
use crate::sweep::ledger::Trial;
use crate::sweep::prefix::Shared;
use crate::sweep::run::came_to_its_end;
use crate::train::estimate;
use crate::units::count;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// At most so many axes are columns of their own.
const MOST_COLUMNS: usize = 4;

/// Prints them, timed by a few steps that are taken now.
///
/// # Errors
/// When what is left cannot be planned any more, or nothing can be timed here.
pub fn list(args: &SweepArgs, agenda: Agenda<'_>) -> Result<Exit, Failure> {
    let left = Left::new(agenda, args.retry_failed)?;
    let Some(first) = left.points.values().next() else {
        output::print(&match left.further {
            0 => "there is nothing left to run\n".to_owned(),
            n => format!("{} from the results of those that are there\n", follow(n)),
        })?;
        return Ok(Exit::Done);
    };
    let place = Place::new(args, left.maker.sweep, left.trials.len())?;
    let speed = Speed(estimate::flops_per_second(&first.loaded.spec, &first.facts[0], &place.compute)?);
    let (table, whole) = left.table(speed)?;
    let total = left.total(&whole, &left.shared(speed)?, speed, &place);
    output::print(&format!("{}\n\n{total}\n{}", table.trim_fmt(), left.notes()))?;
    Ok(Exit::Done)
}

/// What is left of a sweep.
struct Left<'a> {
    maker: Maker<'a>,
    /// In the order of their points.
    trials: Vec<Trial>,
    points: BTreeMap<usize, Point>,
    /// How many of the trials were begun before.
    begun: u64,
    /// How many points a search has still to propose.
    further: u64,
}

/// What trainings cost.
#[derive(Default)]
struct Cost {
    images: u64,
    seconds: f64,
}

impl<'a> Left<'a> {
    /// Trials that are there are planned as they were written down.
    fn new(agenda: Agenda<'a>, retry_failed: bool) -> Result<Self, Failure> {
        let next = agenda.kept().chain(&agenda.new).map(|trial| trial.number + 1).max().unwrap_or(0);
        let further = match agenda.maker.sweep.method {
            Method::Tpe(search) => search.draws.points.saturating_sub(next as u64),
            _ => 0,
        };
        let there: Vec<Trial> = agenda.left(retry_failed).cloned().collect();
        let Agenda { maker, folder, new: mut trials, mut points, .. } = agenda;
        let mut begun = 0;
        if let Some(folder) = folder {
            for trial in there.into_iter().filter(|trial| !came_to_its_end(&folder.join(&trial.run))) {
                if let Entry::Vacant(free) = points.entry(trial.number) {
                    free.insert(maker.recorded(folder, trial.number)?);
                }
                begun += u64::from(has_begun(folder, &trial));
                trials.push(trial);
            }
            trials.sort_by_key(|trial| (trial.number, trial.seed));
        }
        Ok(Self { maker, trials, points, begun, further })
    }

    /// A line for each point; and what all trials would cost, were each trained from its start.
    fn table(&self, speed: Speed) -> Result<(comfy_table::Table, Cost), Failure> {
        let mut table = comfy_table::Table::new();
        report::plain(&mut table, output::width());
        let axes = axes_of(self.maker.sweep);
        // Columns of a few letters each cannot be read.
        let has_columns = axes.len() <= MOST_COLUMNS;
        let heads = if has_columns { axes.clone() } else { vec!["values".to_owned()] };
        table.set_header(["point", "seeds", "steps", "images", "each"].map(str::to_owned).into_iter().chain(heads));
        let mut whole = Cost::default();
        for (number, Point { loaded, plan, facts }) in &self.points {
            let of_point: Vec<&Trial> = self.trials.iter().filter(|trial| trial.number == *number).collect();
            let seconds = estimate::seconds(&loaded.spec, plan, facts, speed.flops())?;
            let images: u64 = plan.phases.iter().map(|phase| phase.images).sum();
            whole.images += images * of_point.len() as u64;
            whole.seconds += seconds * of_point.len() as f64;
            let seeds: Vec<String> = of_point.iter().map(|trial| trial.seed.to_string()).collect();
            let (steps, images) = (count(plan.total_steps), count(images));
            let fixed = [number.to_string(), seeds.join(" "), steps, images, speed.time(seconds)];
            let values = &of_point[0].values;
            let values = if has_columns { values.clone() } else { vec![pairs(&axes, values)] };
            table.add_row(fixed.into_iter().chain(values));
        }
        Ok((table, whole))
    }

    /// What is trained once for several trials, and counted for each.
    fn shared(&self, speed: Speed) -> Result<Cost, Failure> {
        let shared = Shared::new(&self.trials, &self.maker.prefixes(&self.points));
        let mut cost = Cost::default();
        for (index, trial) in self.trials.iter().enumerate() {
            let Some(common) = shared.with_earlier(index).first() else { continue };
            let Point { loaded, plan, facts } = &self.points[&trial.number];
            cost.images += plan.images_before(common.border.steps);
            cost.seconds += estimate::seconds_before(common.border.phase, &loaded.spec, plan, facts, speed.flops())?;
        }
        Ok(cost)
    }

    /// What is left in one line; in a further one what is shared, which does not count.
    fn total(&self, whole: &Cost, shared: &Cost, speed: Speed, place: &Place) -> String {
        let trials = plural(self.trials.len() as u64, "trial");
        let total = format!("{trials}, {} images", count(whole.images - shared.images));
        let (total, about) = match speed.0 {
            Some(flops) => (
                format!(
                    "{total}, about {} on {} ({:.0} GFLOP/s, measured just now)",
                    span(whole.seconds - shared.seconds),
                    place.in_words(),
                    flops / 1e9
                ),
                format!(", about {},", span(shared.seconds)),
            ),
            None => {
                (format!("{total}; how long is unknown, for the optimizer takes no fixed time a step"), String::new())
            }
        };
        match shared.images {
            0 => total,
            images => format!(
                "{total}\nnot counted: {} images{about} of beginnings that trials have in common and one of them trains for all",
                count(images)
            ),
        }
    }

    /// What the table does not show, each in a line.
    fn notes(&self) -> String {
        let mut notes = String::new();
        if self.begun > 0 {
            notes += &format!("counted whole, though begun before: {}\n", plural(self.begun, "trial"));
        }
        let different: BTreeSet<&[String]> = self.trials.iter().map(|trial| trial.values.as_slice()).collect();
        match self.points.len() - different.len() {
            0 => {}
            1 => notes += "1 point has the values of another\n",
            n => notes += &format!("{} have the values of others\n", plural(n as u64, "point")),
        }
        if self.further > 0 {
            notes += &format!("{} from the results of these, and cost about as much each\n", follow(self.further));
        }
        notes
    }
}

/// `3 further points follow`
fn follow(points: u64) -> String {
    format!("{} follow{}", plural(points, "further point"), if points == 1 { "s" } else { "" })
}

/// Operations a second, where the optimizer takes a fixed number of them a step.
#[derive(Clone, Copy)]
struct Speed(Option<f64>);

impl Speed {
    /// Without a speed, no number of seconds that follows from it is one.
    fn flops(self) -> f64 {
        self.0.unwrap_or(f64::NAN)
    }

    fn time(self, seconds: f64) -> String {
        if self.0.is_some() { span(seconds) } else { "unknown".to_owned() }
    }
}

/// Where steps are timed.
struct Place {
    compute: Compute,
    threads: usize,
    /// Of this machine.
    cores: usize,
}

impl Place {
    /// Starts as many threads as so many trials together compute with. A batch system has machines of its own.
    fn new(args: &SweepArgs, sweep: &Sweep, trials: usize) -> Result<Self, Failure> {
        let (compute, cores) = (compute(args)?, cores());
        if !args.is_local() || compute.device.is_some() {
            return Ok(Self { compute, threads: cores, cores });
        }
        let room = Room::new(args, sweep, trials);
        let threads = u16::try_from((room.jobs * room.threads).min(cores)).unwrap_or(u16::MAX);
        // Threads that were started before are all that there are.
        Ok(Self { compute, threads: start_threads(Some(threads)).unwrap_or(cores), cores })
    }

    fn in_words(&self) -> String {
        let Self { compute, threads, cores } = self;
        match compute.device {
            Some(_) => compute.label(),
            None if threads < cores => format!("{threads} of the {cores} cores of this machine"),
            None => "all cores of this machine".to_owned(),
        }
    }
}
