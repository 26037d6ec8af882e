//! Where trials compute, and how many of them at a time.

use super::SweepArgs;
use crate::cli::Failure;
use crate::cli::device::instruction_set;
use crate::config::sweep::{Method, Sweep};
use crate::launch::{self, Launcher, Setup};
use crate::nn::Compute;
use crate::registry::find;
use anyhow::Context as _;

/// What trials have room for.
pub struct Room {
    /// At a time.
    pub jobs: usize,
    /// For each.
    pub threads: usize,
}

impl Room {
    /// For so many trials that are left.
    pub fn new(args: &SweepArgs, sweep: &Sweep, left: usize) -> Self {
        let cores = cores();
        let left = match sweep.method {
            Method::Tpe(search) => left.max(search.parallel as usize * sweep.seeds.len()),
            _ => left,
        };
        // A batch system knows how many it has room for. Here, trials side by side waste less than the threads of one trial,
        // whose steps end together.
        let is_local = args.is_local();
        let jobs = args.jobs.map_or(if is_local { cores } else { left }, usize::from).min(left.max(1)).max(1);
        let threads = args.threads.map_or(if is_local { (cores / jobs).max(1) } else { 1 }, usize::from);
        Self { jobs, threads }
    }
}

/// The cores of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Where trials of this machine compute.
pub fn compute(args: &SweepArgs) -> Result<Compute, Failure> {
    args.device.unwrap_or_default().compute(instruction_set()?)
}

/// What runs the trials.
///
/// # Errors
/// When it cannot be had.
pub fn launcher(args: &SweepArgs, threads: usize) -> Result<Box<dyn Launcher>, Failure> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let entry = find(launch::ENTRIES, &args.launcher).expect("clap knows the names");
    (entry.make)(Setup { program, threads, arguments: args.launcher_arg.clone() }).map_err(Failure::Usage)
}
