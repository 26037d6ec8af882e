//! `runner sweep`.

mod agenda;
mod base;
mod best;
mod display;
mod dry_run;
mod folder;
mod left_out;
mod metric;
mod point;
mod room;
mod summary;
mod unjudged;
mod words;
mod work;

pub use folder::read;
pub use metric::lower_is_better;

use super::device::DeviceChoice;
use super::{Exit, Failure, output};
use crate::config::sweep as sweep_file;
use crate::launch::{self, local};
use crate::record::RunFolder;
use crate::sweep::run::Order;
use agenda::Agenda;
use clap::builder::{PossibleValue, PossibleValuesParser};
use folder::{existing, no_folder};
use room::{Room, compute, launcher};
use std::path::PathBuf;
use work::work;

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

impl SweepArgs {
    /// Whether trials run on this machine, and no batch system has them.
    fn is_local(&self) -> bool {
        self.launcher == local::ENTRY.name
    }
}

/// Lists, runs, goes on, or tells the best.
pub fn run(args: &SweepArgs) -> Result<Exit, Failure> {
    if let Some(folder) = &args.best {
        return best::print(folder);
    }
    let (sweep, locked) = match (&args.resume, &args.sweep) {
        (Some(folder), _) => {
            let path = existing(folder)?;
            // Before anything is read that another process may be writing.
            let locked = match args.dry_run {
                true => None,
                false => Some(RunFolder::of_sweep(folder).map_err(no_folder)?),
            };
            (sweep_file::load_begun(&path)?, locked)
        }
        (None, Some(path)) => (sweep_file::load(path)?, None),
        (None, None) => unreachable!("clap asks for one of the two"),
    };
    let agenda = Agenda::new(&sweep, args.resume.as_deref())?;
    for notice in agenda.notices(args.dry_run) {
        output::notice(&notice);
    }
    if args.dry_run { dry_run::list(args, agenda) } else { carry_out(args, agenda, locked) }
}

/// Runs what is left, in the folder of a sweep that is there or in a new one.
fn carry_out(args: &SweepArgs, agenda: Agenda<'_>, locked: Option<RunFolder>) -> Result<Exit, Failure> {
    agenda.can_begin()?;
    if args.is_local() && args.device.is_some() {
        // Said once, before anything is made, and not by each trial.
        drop(compute(args)?);
    }
    let sweep = agenda.maker.sweep;
    let room = Room::new(args, sweep, agenda.left(args.retry_failed).count() + agenda.new.len());
    let mut launcher = launcher(args, room.threads)?;
    let folder = match locked {
        Some(folder) => folder,
        None => RunFolder::create(&args.runs_dir, &sweep.name).map_err(no_folder)?,
    };
    let (maker, mut ledger) = agenda.write_down(&folder)?;
    let order = Order {
        folder: folder.path().to_owned(),
        metric: sweep.metric.clone(),
        jobs: room.jobs,
        threads: room.threads,
        device: args.device.map(|device| device.to_string()),
        retry_failed: args.retry_failed,
        prune: sweep.prune.clone(),
        lower_is_better: lower_is_better(&sweep.metric),
        prefixes: maker.recorded_prefixes(folder.path(), &ledger),
    };
    work(&maker, &order, &mut *launcher, &mut ledger)
}
