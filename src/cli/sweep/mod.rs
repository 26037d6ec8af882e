//! `runner sweep`.

mod base;
mod display;
mod metric;
mod point;

use super::device::{DeviceChoice, instruction_set};
use super::train::start_threads;
use super::{Exit, Failure, output, prepare};
use crate::compare::{Options, report};
use crate::config;
use crate::config::suggest::quoted;
use crate::config::sweep::{self as sweep_file, Method, Sweep, Values};
use crate::data::DataError;
use crate::launch::{self, Launcher, Setup, local};
use crate::nn::Compute;
use crate::record::folder::file::RUN;
use crate::record::text::{plural, span};
use crate::record::{RecordError, RunFolder, atomic};
use crate::registry::find;
use crate::sweep::ledger::{Id, Ledger, Saved, State, Trial, axes_in};
use crate::sweep::prefix::Shared;
use crate::sweep::run::{Order, Source, SweepError, came_to_its_end, experiment_file, is_left, run as run_trials};
use crate::sweep::search::{NoPoint, Searching};
use crate::sweep::{self, file};
use crate::train::{StopFlag, estimate};
use crate::units::count;
use anyhow::Context as _;
use clap::builder::{PossibleValue, PossibleValuesParser};
use point::{Maker, Point};
use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

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
        return best(folder);
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

/// Points of a grid that are not tried, by the reason.
#[derive(Default)]
struct LeftOut(RefCell<BTreeMap<String, Named>>);

/// The first few of some things, and how many they are.
#[derive(Default)]
struct Named {
    first: Vec<String>,
    all: usize,
}

impl Named {
    /// So many are named.
    const FEW: usize = 10;

    fn add(&mut self, name: impl FnOnce() -> String) {
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

impl LeftOut {
    fn add(&self, why: &str, point: impl FnOnce() -> String) {
        self.0.borrow_mut().entry(why.to_owned()).or_default().add(point);
    }

    /// Says which they are. In place of a point that is drawn there is another.
    fn say(&self, sweep: &Sweep) {
        let Some(all) = grid_points(sweep) else { return };
        for (why, points) in self.0.borrow().iter() {
            let of = format!("{} of {}", count(points.all as u64), plural(all, "point"));
            anstream::eprintln!("left out, for {why}: {of}: {points}");
        }
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

/// Says which planned trials are left out, as the sweep file has their points or seeds no more.
fn say_no_more(ledger: &Ledger, no_more: &BTreeSet<Id>) {
    let mut named = Named::default();
    for trial in ledger.trials.iter().filter(|trial| no_more.contains(&trial.id())) {
        named.add(|| format!("{} ({})", trial.run, assignments(ledger, trial)));
    }
    if named.all > 0 {
        let trials = plural(named.all as u64, "planned trial");
        anstream::eprintln!("left out, for {} has the point or the seed no more: {trials}: {named}", file::SWEEP);
    }
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

/// What it means that the sweep's folder cannot be had.
fn no_folder(error: RecordError) -> Failure {
    match error {
        RecordError::Locked { .. } => Failure::TryAgain(error.to_string()),
        error => Failure::Usage(error.to_string()),
    }
}

/// Where trials of this machine compute.
fn compute(args: &SweepArgs) -> Result<Compute, Failure> {
    args.device.unwrap_or_default().compute(instruction_set()?)
}

/// What trials have room for.
struct Room {
    /// At a time.
    jobs: usize,
    /// For each.
    threads: usize,
}

impl Room {
    /// For so many trials that are left.
    fn new(args: &SweepArgs, sweep: &Sweep, left: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let left = match sweep.method {
            Method::Tpe(search) => left.max(search.parallel as usize * sweep.seeds.len()),
            _ => left,
        };
        // A batch system knows how many it has room for. Here, trials side by side waste less than the threads of one trial,
        // whose steps end together.
        let is_local = args.launcher == local::ENTRY.name;
        let jobs = args.jobs.map_or(if is_local { cores } else { left }, usize::from).min(left.max(1)).max(1);
        let threads = args.threads.map_or(if is_local { (cores / jobs).max(1) } else { 1 }, usize::from);
        Self { jobs, threads }
    }
}

fn launcher(args: &SweepArgs, threads: usize) -> Result<Box<dyn Launcher>, Failure> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let entry = find(launch::ENTRIES, &args.launcher).expect("clap knows the names");
    (entry.make)(Setup { program, threads, arguments: args.launcher_arg.clone() }).map_err(Failure::Usage)
}

/// `sweep.toml` of a sweep's folder.
fn existing(folder: &Path) -> Result<PathBuf, Failure> {
    let path = folder.join(file::SWEEP);
    if !path.is_file() {
        let message = format!("{} is not a sweep's folder: it holds no {}", folder.display(), file::SWEEP);
        return Err(Failure::Usage(message));
    }
    Ok(path)
}

fn axes_of(sweep: &Sweep) -> Vec<String> {
    sweep.axes.iter().map(|axis| axis.name.clone()).collect()
}

/// The trials in a sweep's folder.
///
/// # Errors
/// When they cannot be read, or are of other axes.
fn trials_in(folder: &Path, sweep: &Sweep) -> Result<Ledger, Failure> {
    let (path, axes) = (folder.join(file::TRIALS), axes_of(sweep));
    if let Some(there) = axes_in(&path).filter(|there| *there != axes) {
        let there = if there.is_empty() { "none".to_owned() } else { quoted(there.iter().map(String::as_str)) };
        let message = format!("the axes have changed: the trials that are there are of {there}");
        let help = "put these back, in their order, or start a new sweep: each trial has a value of every axis";
        return Err(sweep.axes_error(message, help).into());
    }
    Ledger::read(&path, axes).map_err(|e| Failure::Usage(e.to_string()))
}

/// Says where constraints leave fewer points than are asked for.
fn enough(sweep: &Sweep, ledger: &Ledger, new: &[Trial]) -> Result<(), Failure> {
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

/// Points that the ledger has stay as they were written: their trials are those of that experiment.
fn write_points(
    folder: &RunFolder,
    sweep: &Sweep,
    ledger: &Ledger,
    points: &BTreeMap<usize, Point>,
) -> Result<(), Failure> {
    for name in [file::POINTS, file::LOGS] {
        let path = folder.join(name);
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make the folder {}", path.display()))?;
    }
    let known = ledger.numbers();
    for (number, point) in points.iter().filter(|(number, _)| !known.contains(number)) {
        write_point(folder.path(), *number, point).map_err(anyhow::Error::from)?;
    }
    // Last: a folder with this file has all that it needs.
    atomic::write(&folder.join(file::SWEEP), sweep.content.as_bytes()).map_err(anyhow::Error::from)?;
    Ok(())
}

fn write_point(folder: &Path, number: usize, point: &Point) -> Result<(), RecordError> {
    atomic::write(&experiment_file(folder, number), config::write(&point.loaded.spec).as_bytes())
}

/// What a search makes of a point that cannot be made. What is wrong with the point itself will always be; a disk or a network may do
/// better another time.
fn no_point(failure: Failure) -> NoPoint {
    // As much as `trials.csv` has room for.
    let first_line = |text: &str| NoPoint::Refused(text.lines().next().unwrap_or_default().to_owned());
    match failure {
        Failure::Config(diagnostics) | Failure::Files(diagnostics) => first_line(diagnostics.first_message()),
        Failure::Usage(message) => first_line(&message),
        Failure::TryAgain(message) => NoPoint::Broken(anyhow::Error::msg(message)),
        // A file that is not there, or is no image, is the point's own.
        Failure::Data(error) => match &error {
            DataError::Io { source, .. } if source.kind() != ErrorKind::NotFound => NoPoint::Broken(error.into()),
            _ => first_line(&error.to_string()),
        },
        Failure::Other(error) => NoPoint::Broken(error),
    }
}

fn work(
    args: &SweepArgs,
    sweep: &Sweep,
    maker: &Maker<'_>,
    (room, launcher): (&Room, &mut dyn Launcher),
    folder: &RunFolder,
    ledger: &mut Ledger,
) -> Result<Exit, Failure> {
    let order = Order {
        folder: folder.path().to_owned(),
        metric: sweep.metric.clone(),
        jobs: room.jobs,
        threads: room.threads,
        device: args.device.map(|device| device.to_string()),
        retry_failed: args.retry_failed,
        prune: sweep.prune.clone(),
        lower_is_better: lower_is_better(&sweep.metric),
        prefixes: maker.recorded_prefixes(folder.path(), ledger),
    };
    let stop = StopFlag::on_signals().map_err(|e| Failure::Other(e.into()))?;
    let lower = lower_is_better(&sweep.metric);
    let search = match sweep.method {
        Method::Tpe(search) => Some([search.draws.points as usize, sweep.seeds.len()]),
        _ => None,
    };
    let mut display = display::Display::new(folder.path(), ledger, &order, search, lower);
    let prepare = |number: usize, values: &[String]| {
        let point = maker.make(values).map_err(no_point)?;
        write_point(folder.path(), number, &point).map_err(|error| NoPoint::Broken(error.into()))?;
        Ok(maker.beginnings(&point))
    };
    let allows = |point: &[String]| maker.refusal(point).is_none();
    let mut search;
    let source: &mut dyn Source = match sweep.method {
        Method::Tpe(how) => {
            search = Searching::new(sweep, how, lower, &prepare, &allows);
            &mut search
        }
        _ => &mut (),
    };
    let result = run_trials(ledger, &order, source, launcher, &mut display, &|| stop.raised().is_some());
    drop(display);
    result.map_err(|error| match error {
        SweepError::Propose(error) => error.into(),
        SweepError::Busy(_) => Failure::TryAgain(error.to_string()),
        error => Failure::Other(error.into()),
    })?;
    summary(folder.path(), ledger, lower)?;
    Ok(match () {
        () if !is_whole(sweep, ledger) => Exit::Interrupted,
        () if ledger.trials.iter().any(|trial| trial.state == State::Failed) => Exit::TrialsFailed,
        () if has_no_result(ledger) => Exit::TrialsFailed,
        () => Exit::Done,
    })
}

/// Whether nothing is left to run or to propose.
fn is_whole(sweep: &Sweep, ledger: &Ledger) -> bool {
    let proposed = match sweep.method {
        Method::Tpe(search) => ledger.next_number() >= search.draws.points as usize,
        _ => true,
    };
    proposed && ledger.trials.iter().all(|trial| trial.state.is_over())
}

/// Whether all trials are over and none came to its end.
fn has_no_result(ledger: &Ledger) -> bool {
    ledger.trials.iter().all(|trial| trial.state.is_over() && trial.state != State::Done)
}

/// Whether less of a metric is more.
pub fn lower_is_better(metric: &str) -> bool {
    Options { metric: metric.to_owned(), ..Options::default() }.lower_is_better()
}

fn summary(folder: &Path, ledger: &Ledger, lower: bool) -> Result<(), Failure> {
    let mut text = format!("{}: {}\n", plural(ledger.trials.len() as u64, "trial"), states(ledger));
    text += &best_line(ledger, lower);
    text += &saving(ledger);
    text += &failures(folder, ledger);
    let shown = folder.display();
    text += &match has_no_result(ledger) {
        true => format!("no trial has a result; trials.csv says why\n{shown}\n"),
        false => format!("{shown}\n`runner compare {shown}` tells whether that can be told\n"),
    };
    Ok(output::print(&text)?)
}

/// `3 done, 1 failed`
fn states(ledger: &Ledger) -> String {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for trial in &ledger.trials {
        *states.entry(trial.state.word()).or_default() += 1;
    }
    let states: Vec<String> = states.iter().map(|(state, n)| format!("{n} {state}")).collect();
    states.join(", ")
}

/// The best point, and where it was found wanting; nothing while no trial has a value.
fn best_line(ledger: &Ledger, lower: bool) -> String {
    let Some(best) = sweep::best(ledger, lower) else { return String::new() };
    let (mean, seeds) = (display::figure(best.mean), plural(best.seeds as u64, "seed"));
    let lacks = best.lacks().map(|lacks| format!(" ({lacks})")).unwrap_or_default();
    let values = values_of(ledger, best.number);
    format!("best: point {}, {mean} on average over {seeds}{lacks}: {values}\n", best.number)
}

/// Where to see why trials failed, and how they are run again; nothing where none did.
fn failures(folder: &Path, ledger: &Ledger) -> String {
    let failed = || ledger.trials.iter().filter(|trial| trial.state == State::Failed);
    let shown = folder.display();
    let again = match failed().any(|trial| is_left(trial, folder, true)) {
        true => format!("; `runner sweep --resume {shown} --retry-failed` runs what failed once more"),
        false => String::new(),
    };
    match failed().count() {
        0 => String::new(),
        n => format!(
            "{n} failed: {} says why, {} what each wrote{again}\n",
            file::TRIALS,
            folder.join(file::LOGS).display()
        ),
    }
}

/// What was trained once for several trials; nothing where all trained everything.
fn saving(ledger: &Ledger) -> String {
    let saved: Vec<Saved> = ledger.trials.iter().filter_map(|trial| trial.saved).collect();
    let (steps, seconds) = saved.iter().fold((0, 0.0), |(steps, seconds), s| (steps + s.steps, seconds + s.seconds));
    match saved.len() {
        0 => String::new(),
        n => format!(
            "{n} began where another trial had come to: {} steps, {} of training saved\n",
            count(steps),
            span(seconds)
        ),
    }
}

/// `phases[1].lr.to=0.4, shape=cosine`
fn assignments(ledger: &Ledger, trial: &Trial) -> String {
    pairs(&ledger.axes, &trial.values)
}

/// The same of a point.
fn values_of(ledger: &Ledger, number: usize) -> String {
    let trial = ledger.trials.iter().find(|trial| trial.number == number);
    trial.map(|trial| assignments(ledger, trial)).unwrap_or_default()
}

fn pairs(axes: &[impl std::fmt::Display], values: &[String]) -> String {
    let pairs = axes.iter().zip(values).map(|(axis, value)| format!("{axis}={value}"));
    pairs.collect::<Vec<_>>().join(", ")
}

/// The sweep of a folder, and its trials.
///
/// # Errors
/// When the folder is none of a sweep, its files make no sense, or its trials were judged by another metric.
pub fn read(folder: &Path) -> Result<(Sweep, Ledger), Failure> {
    let sweep = sweep_file::load_begun(&existing(folder)?)?;
    let ledger = trials_in(folder, &sweep)?;
    metric::is_that_of_trials(&sweep, folder, &ledger)?;
    Ok((sweep, ledger))
}

/// Why no point is best.
fn no_best(folder: &Path, sweep: &Sweep, ledger: &Ledger) -> String {
    let (shown, metric) = (folder.display(), &sweep.metric);
    match ledger.trials.iter().filter(|trial| trial.state == State::Done).count() {
        0 if has_no_result(ledger) && !ledger.trials.is_empty() => {
            format!("no trial of {shown} has a result: {}", states(ledger))
        }
        0 => format!("no trial of {shown} is done yet"),
        _ => format!(
            "no trial of {shown} has a value of `{metric}`: {}\n\
             help: `runner compare {shown} --metric COLUMN` judges them by another column of metrics.csv",
            states(ledger)
        ),
    }
}

fn best(folder: &Path) -> Result<Exit, Failure> {
    let (sweep, ledger) = read(folder)?;
    let Some(best) = sweep::best(&ledger, lower_is_better(&sweep.metric)) else {
        return Err(Failure::Usage(no_best(folder, &sweep, &ledger)));
    };
    let path = experiment_file(folder, best.number);
    let experiment = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let head = format!(
        "# The best point of sweep {}: {}\n# {} {} on average over {}\n",
        sweep.name,
        values_of(&ledger, best.number),
        sweep.metric,
        display::figure(best.mean),
        plural(best.seeds as u64, "seed")
    );
    let lacks = best.lacks().map(|lacks| format!("# {lacks}\n")).unwrap_or_default();
    output::print(&format!("{head}{lacks}\n{experiment}"))?;
    Ok(Exit::Done)
}
