//! Where the trials of a sweep run: each as a process of its own, so that a crash, or the system's killing one for memory,
//! takes down that trial alone.

mod local;

pub use local::Local;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// A process to be started.
#[derive(Clone, Debug)]
pub struct Task {
    /// The caller's number for it; reports carry it.
    pub id: usize,
    /// Arguments of this program.
    pub arguments: Vec<OsString>,
    /// What it writes to standard error is kept here.
    pub log: PathBuf,
}

/// News of a task.
#[derive(Debug)]
pub enum Report {
    /// A line of its standard output that is JSON: an event of the training.
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
    /// Starts a task.
    ///
    /// # Errors
    /// When the system will not start it.
    fn start(&mut self, task: Task) -> std::io::Result<()>;

    /// The next report, as soon as there is one; `None` when none comes in time.
    fn next(&mut self, timeout: Duration) -> Option<Report>;

    /// Asks one task to write a checkpoint and end. Its last report still comes.
    fn stop_one(&mut self, id: usize);

    /// Asks all tasks to write a checkpoint and end. Their last reports still come.
    fn stop(&mut self);
}
