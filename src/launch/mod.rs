//! Where the trials of a sweep run: each as a process of its own, so that a crash, or the system's killing one for memory,
//! takes down that trial alone.
//!
//! A launcher is one file with an [`Entry`]: processes of this machine ([`local`]), or jobs of a batch system, which have the
//! better part of their work from `queue`.

pub mod hyperqueue;
pub mod local;
mod queue;
pub mod slurm;

pub use local::Local;

use crate::registry::Entry;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What to run, and where.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The program that tasks run: this one.
    pub program: PathBuf,
    /// Threads, and so cores, for each task.
    pub threads: usize,
    /// Handed on to the command that submits.
    pub arguments: Vec<String>,
}

/// Makes a launcher, or says in words what is missing here.
pub type Make = fn(Setup) -> Result<Box<dyn Launcher>, String>;

/// All that trials can be launched with; the first is the default.
pub static ENTRIES: &[&Entry<Make>] = &[&local::ENTRY, &slurm::ENTRY, &hyperqueue::ENTRY];

/// A process to be started.
#[derive(Clone, Debug)]
pub struct Task {
    /// The caller's number for it; reports carry it.
    pub id: usize,
    /// Tells it from the others in queues and file names.
    pub name: String,
    /// The sweep's folder, in which batch systems have their scripts.
    pub folder: PathBuf,
    /// Arguments of the program. The same command begins the task and goes on with it.
    pub arguments: Vec<OsString>,
    /// What it writes to standard error is kept here.
    pub log: PathBuf,
    /// The table that it adds its evaluations to.
    pub rows: PathBuf,
}

/// News of a task.
#[derive(Debug)]
pub enum Report {
    /// An event of the training; at least `evaluated`, with the values of the new row.
    Event(usize, serde_json::Value),
    /// It is over. There is no further report of it.
    Ended(usize, Ending),
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Exit(i32),
    /// By a signal that it did not handle.
    Signal(i32),
}

/// Starts processes and tells what becomes of them.
pub trait Launcher {
    /// Starts a task, or takes it over where one of an earlier process still runs or waits.
    ///
    /// # Errors
    /// When the system will not start it.
    fn start(&mut self, task: Task) -> io::Result<()>;

    /// Takes a task over where one of an earlier process still runs or waits; whether there was one.
    ///
    /// # Errors
    /// When the system does not answer.
    fn take_over(&mut self, _task: &Task) -> io::Result<bool> {
        Ok(false)
    }

    /// The next report, as soon as there is one; `None` when none comes in time.
    ///
    /// # Errors
    /// When tasks could not be started after all. Each of them is reported as ended.
    fn next(&mut self, timeout: Duration) -> io::Result<Option<Report>>;

    /// Asks one task to write a checkpoint and end. Its last report still comes.
    fn stop_one(&mut self, id: usize);

    /// Asks all tasks to write a checkpoint and end. Their last reports still come.
    fn stop(&mut self);

    /// Whether tasks go on when this process is gone: then those of an earlier one are taken over, and not waited for.
    fn outlives(&self) -> bool {
        false
    }
}
