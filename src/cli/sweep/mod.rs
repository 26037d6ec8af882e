//! `runner sweep`.

mod base;
mod best;
mod display;
mod folder;
mod left_out;
mod metric;
mod point;
mod room;
mod summary;
mod words;
mod work;

pub use folder::read;
pub use metric::lower_is_better;

use super::device::DeviceChoice;
use super::train::start_threads;
use super::{Exit, Failure, output, prepare};
use crate::compare::report;
use crate::config::sweep::{self as sweep_file, Method, Sweep};
use crate::launch::{self, local};
use crate::nn::Compute;
use crate::record::RunFolder;
use crate::record::folder::file::RUN;
use crate::record::text::{plural, span};
use crate::sweep::ledger::{Id, Ledger, Trial};
use crate::sweep::prefix::Shared;
use crate::sweep::run::{came_to_its_end, experiment_file, is_left};
use crate::sweep::{self, file};
use crate::train::estimate;
use crate::units::count;
use clap::builder::{PossibleValue, PossibleValuesParser};
use folder::{existing, no_folder, trials_in, write_points};
use left_out::{LeftOut, enough, say_no_more};
use point::{Maker, Point};
use room::{Room, compute, launcher};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use words::{axes_of, pairs};
use work::work;

/// A dry run lists at most so many axes as columns of their own.
const MOST_COLUMNS: usize = 4;

#[derive(clap::Args, Debug)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Examples:
  runner sweep configs/sweeps/peak-lr.toml --dry-run
  runner sweep configs/sweeps/peak-lr.toml --jobs 2
  runner sweep --resume runs/20261123T120000Z-peak-lr-1a2b
  runner sweep --best runs/20261123T120000Z-peak-lr-1a2b > best.toml
  runner compare runs/20261123T120000Z-peak-lr-1a2b

After changing sweep.toml in a sweep's folder (more seeds, more values), --resume runs only what is new, and leaves out what was planned \
for values and seeds that were taken out. It refuses where the base, an alternative, the axes or the metric have changed: start a new \
sweep for that."
)]
pub struct SweepArgs {
    /// The sweep: a TOML file
    #[arg(required_unless_present_any = ["resume", "best"])]
    sweep: Option<PathBuf>,
    /// Go on with a sweep, in its folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["sweep", "runs_dir"])]
    resume: Option<PathBuf>,
    /// Print the experiment of a sweep's best point
    #[arg(long, value_name = "DIR", conflicts_with_all = ["sweep", "resume", "dry_run", "jobs", "retry_failed"])]
    best: Option<PathBuf>,
    /// Trials at a time [default: one a core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// Threads for each trial [default: the cores shared by the trials at a time; with a batch system 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Where trials compute: auto, cpu, cuda or cuda:N, as of `runner train` [default: auto]
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceChoice>,
    /// What runs the trials
    #[arg(long, value_name = "NAME", default_value = "local", value_parser = launchers())]
    launcher: String,
    /// An argument for the command that submits to a batch system, as --launcher-arg=--partition=long (repeatable)
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    launcher_arg: Vec<String>,
    /// The folder that the sweep's folder is made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    runs_dir: PathBuf,
    /// Run trials that failed once more
    #[arg(long)]
    retry_failed: bool,
    /// List trials, steps, images and the time they would take, by a few timing steps taken now, and run none of them
    #[arg(long)]
    dry_run: bool,
}

/// The names of launchers, with what they are.
fn launchers() -> PossibleValuesParser {
    launch::ENTRIES.iter().map(|entry| PossibleValue::new(entry.name).help(entry.summary)).into()
}

/// Lists, runs, goes on, or tells the best.
pub fn run(args: &SweepArgs) -> Result<Exit, Failure> {
    if let Some(folder) = &args.best {
        return best::print(folder);
    }
    let path = match (&args.resume, &args.sweep) {
        (Some(folder), _) => existing(folder)?,
        (None, Some(path)) => path.clone(),
        (None, None) => unreachable!("clap asks for one of the two"),
    };
    // Before anything is read that another process may be writing.
    let locked = match &args.resume {
        Some(folder) if !args.dry_run => Some(RunFolder::of_sweep(folder).map_err(no_folder)?),
        _ => None,
    };
    let sweep = match &args.resume {
        Some(_) => sweep_file::load_begun(&path)?,
        None => sweep_file::load(&path)?,
    };
    let mut ledger = match &args.resume {
        Some(folder) => trials_in(folder, &sweep)?,
        None => Ledger::new(PathBuf::new(), axes_of(&sweep)),
    };
    if let Some(folder) = &args.resume {
        base::is_unchanged(folder, &sweep, &ledger)?;
    }
    let maker = Maker::new(&sweep)?;
    let left_out = LeftOut::default();
    let sweep::Asked { missing: mut new, mut no_more } = sweep::asked(&sweep, &ledger, &|point| {
        let refusal = maker.refusal(point);
        refusal.inspect(|why| left_out.add(why, || pairs(&axes_of(&sweep), point))).is_none()
    });
    if let Some(folder) = &args.resume {
        let known = ledger.numbers();
        // Some proposals of a search never made an experiment, and would not with another seed.
        new.retain(|trial| !known.contains(&trial.number) || experiment_file(folder, trial.number).is_file());
        // What was begun goes on.
        for trial in ledger.trials.iter().filter(|trial| folder.join(&trial.run).join(RUN).is_file()) {
            no_more.remove(&trial.id());
        }
    }
    metric::exists(&sweep)?;
    if let Some(folder) = &args.resume {
        metric::is_that_of_trials(&sweep, folder, &ledger)?;
    }
    left_out.say(&sweep);
    enough(&sweep, &ledger, &new)?;
    let points = maker.all(&new)?;
    say_no_more(&ledger, &no_more);
    for notice in notices(&points, args.dry_run) {
        output::notice(&notice);
    }
    if args.dry_run {
        drop_trials(&mut ledger, &no_more);
        return dry_run(args, &maker, &sweep, &ledger, new, points);
    }
    can_begin(&points)?;
    if args.launcher == local::ENTRY.name && args.device.is_some() {
        // Said once, before anything is made, and not by each trial.
        drop(compute(args)?);
    }
    let left = left_in(args, &ledger).filter(|trial| !no_more.contains(&trial.id())).count();
    let room = Room::new(args, &sweep, left + new.len());
    let mut launcher = launcher(args, room.threads)?;
    let folder = match locked {
        Some(folder) => folder,
        None => RunFolder::create(&args.runs_dir, &sweep.name).map_err(no_folder)?,
    };
    if args.resume.is_none() {
        ledger.move_to(folder.join(file::TRIALS));
        base::keep(folder.path(), &sweep)?;
    }
    write_points(&folder, &sweep, &ledger, &points)?;
    drop_trials(&mut ledger, &no_more);
    ledger.extend(new);
    // No row on disk may lose its point.
    ledger.write().map_err(anyhow::Error::from)?;
    let known = ledger.numbers();
    for (number, _) in no_more.into_iter().filter(|(number, _)| !known.contains(number)) {
        // Another point may have its number one day.
        let _ = std::fs::remove_file(experiment_file(folder.path(), number));
    }
    work(args, &sweep, &maker, (&room, &mut *launcher), &folder, &mut ledger)
}

fn drop_trials(ledger: &mut Ledger, no_more: &BTreeSet<Id>) {
    ledger.trials.retain(|trial| !no_more.contains(&trial.id()));
}

/// The trials that are there and to be run; a new sweep has none.
fn left_in<'a>(args: &'a SweepArgs, ledger: &'a Ledger) -> impl Iterator<Item = &'a Trial> {
    let is_left = move |trial: &&Trial| args.resume.as_ref().is_some_and(|at| is_left(trial, at, args.retry_failed));
    ledger.trials.iter().filter(is_left)
}

/// What to say of absent sets and of plans, each once. Trials say themselves what stands in for one; what is listed would not.
fn notices(points: &BTreeMap<usize, Point>, are_listed: bool) -> BTreeSet<String> {
    let of_point = |point: &Point| {
        let Point { loaded, plan, facts } = point;
        let remarks = prepare::remarks(&loaded.spec, plan, &facts[0]).collect::<Vec<_>>();
        prepare::notices(&loaded.spec, facts, !are_listed).chain(remarks).collect::<Vec<_>>()
    };
    points.values().flat_map(of_point).collect()
}

/// Sees that some trial could begin.
fn can_begin(points: &BTreeMap<usize, Point>) -> Result<(), Failure> {
    let mut missing = points.values().map(|point| prepare::missing_weights(&point.loaded.spec));
    match missing.next() {
        Some(Some(what)) if missing.all(|missing| missing.is_some()) => {
            Err(Failure::Usage(format!("no trial could begin: {what}\nhelp: put the file there, or name another")))
        }
        _ => Ok(()),
    }
}

fn dry_run(
    args: &SweepArgs,
    maker: &Maker<'_>,
    sweep: &Sweep,
    ledger: &Ledger,
    new: Vec<Trial>,
    mut points: BTreeMap<usize, Point>,
) -> Result<Exit, Failure> {
    let next = ledger.trials.iter().chain(&new).map(|trial| trial.number + 1).max().unwrap_or(0);
    let further = match sweep.method {
        Method::Tpe(search) => search.draws.points.saturating_sub(next as u64),
        _ => 0,
    };
    let (mut trials, mut begun) = (new, 0);
    if let Some(folder) = &args.resume {
        for trial in left_in(args, ledger).filter(|trial| !came_to_its_end(&folder.join(&trial.run))) {
            if let Entry::Vacant(free) = points.entry(trial.number) {
                free.insert(maker.recorded(folder, trial.number)?);
            }
            begun += u64::from(folder.join(&trial.run).join(RUN).is_file());
            trials.push(trial.clone());
        }
        trials.sort_by_key(|trial| (trial.number, trial.seed));
    }
    let Some(first) = points.values().next() else {
        output::print(&match further {
            0 => "there is nothing left to run\n".to_owned(),
            n => format!("{} from the results of those that are there\n", follow(n)),
        })?;
        return Ok(Exit::Done);
    };
    let compute = compute(args)?;
    let (threads, cores) = threads(args, sweep, trials.len(), &compute);
    let measured = estimate::flops_per_second(&first.loaded.spec, &first.facts[0], &compute)?;
    // Without it, no number of seconds is one.
    let speed = measured.unwrap_or(f64::NAN);
    let time = |seconds: f64| if measured.is_some() { span(seconds) } else { "unknown".to_owned() };
    let mut table = comfy_table::Table::new();
    report::plain(&mut table, output::width());
    let axes: Vec<&str> = sweep.axes.iter().map(|axis| axis.name.as_str()).collect();
    // Columns of a few letters each cannot be read.
    let has_columns = axes.len() <= MOST_COLUMNS;
    let heads = if has_columns { axes.clone() } else { vec!["values"] };
    table.set_header(["point", "seeds", "steps", "images", "each"].into_iter().chain(heads));
    let (mut images, mut seconds) = (0, 0.0);
    for (number, Point { loaded, plan, facts }) in &points {
        let of_point: Vec<&Trial> = trials.iter().filter(|trial| trial.number == *number).collect();
        let each = estimate::seconds(&loaded.spec, plan, facts, speed)?;
        let of_one: u64 = plan.phases.iter().map(|phase| phase.images).sum();
        images += of_one * of_point.len() as u64;
        seconds += each * of_point.len() as f64;
        let seeds: Vec<String> = of_point.iter().map(|trial| trial.seed.to_string()).collect();
        let fixed = [number.to_string(), seeds.join(" "), count(plan.total_steps), count(of_one), time(each)];
        let values = &of_point[0].values;
        let values = if has_columns { values.clone() } else { vec![pairs(&axes, values)] };
        table.add_row(fixed.into_iter().chain(values));
    }
    let shared = Shared::new(&trials, &maker.prefixes(&points));
    let (mut shared_images, mut shared_seconds) = (0, 0.0);
    for (index, trial) in trials.iter().enumerate() {
        let (Some(common), point) = (shared.with_earlier(index).first(), &points[&trial.number]) else { continue };
        shared_images += point.plan.images_before(common.border.steps);
        let Point { loaded, plan, facts } = point;
        shared_seconds += estimate::seconds_before(common.border.phase, &loaded.spec, plan, facts, speed)?;
    }
    let place = match compute.device {
        Some(_) => compute.label(),
        None if threads < cores => format!("{threads} of the {cores} cores of this machine"),
        None => "all cores of this machine".to_owned(),
    };
    let total = format!("{}, {} images", plural(trials.len() as u64, "trial"), count(images - shared_images));
    let total = match measured {
        Some(speed) => format!(
            "{total}, about {} on {place} ({:.0} GFLOP/s, measured just now)",
            span(seconds - shared_seconds),
            speed / 1e9
        ),
        None => format!("{total}; how long is unknown, for the optimizer takes no fixed time a step"),
    };
    let about = if measured.is_some() { format!(", about {},", span(shared_seconds)) } else { String::new() };
    let total = match shared_images {
        0 => total,
        _ => format!(
            "{total}\nnot counted: {} images{about} of beginnings that trials have in common and one of them trains for all",
            count(shared_images)
        ),
    };
    let mut notes = String::new();
    if begun > 0 {
        notes += &format!("counted whole, though begun before: {}\n", plural(begun, "trial"));
    }
    let different: BTreeSet<&[String]> = trials.iter().map(|trial| trial.values.as_slice()).collect();
    match points.len() - different.len() {
        0 => {}
        1 => notes += "1 point has the values of another\n",
        n => notes += &format!("{} have the values of others\n", plural(n as u64, "point")),
    }
    if further > 0 {
        notes += &format!("{} from the results of these, and cost about as much each\n", follow(further));
    }
    output::print(&format!("{}\n\n{total}\n{notes}", table.trim_fmt()))?;
    Ok(Exit::Done)
}

/// `3 further points follow`
fn follow(points: u64) -> String {
    format!("{} follow{}", plural(points, "further point"), if points == 1 { "s" } else { "" })
}

/// How many threads so many trials together compute with, which are started, and the cores of this machine. A batch system has
/// machines of its own.
fn threads(args: &SweepArgs, sweep: &Sweep, trials: usize, compute: &Compute) -> (usize, usize) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if args.launcher != local::ENTRY.name || compute.device.is_some() {
        return (cores, cores);
    }
    let room = Room::new(args, sweep, trials);
    let threads = u16::try_from((room.jobs * room.threads).min(cores)).unwrap_or(u16::MAX);
    // Threads that were started before are all that there are.
    (start_threads(Some(threads)).unwrap_or(cores), cores)
}
