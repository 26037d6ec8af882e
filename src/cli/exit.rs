//! Exit codes, and failures that know theirs.

use crate::config::Diagnostics;
use crate::data::{DataError, PrefetchError};
use std::process::ExitCode;

/// How the program ends. The numbers are documented and relied on by scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Done = 0,
    Unexpected = 1,
    /// Usage or configuration.
    Config = 2,
    Data = 3,
    Diverged = 4,
    /// Some trials of a sweep failed, or all are over and none came to its end.
    TrialsFailed = 5,
    /// An expectation of `runner compare` does not hold.
    NotAsExpected = 6,
    /// Another try goes on: stopped by a signal after a checkpoint, or another process is at it (`EX_TEMPFAIL`).
    Interrupted = 75,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// Located in the experiment file, already formatted.
    Config(Diagnostics),
    /// A bad argument or environment variable.
    Usage(String),
    Data(DataError),
    /// Files that cannot be used, located where the experiment file names them.
    Files(Diagnostics),
    /// Nothing is wrong, and the same command may succeed later: stopped before anything was made, or another process is at
    /// it.
    TryAgain(String),
    Other(anyhow::Error),
}

impl Failure {
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Config(_) | Failure::Usage(_) => Exit::Config,
            Failure::Data(_) | Failure::Files(_) => Exit::Data,
            Failure::TryAgain(_) => Exit::Interrupted,
            Failure::Other(_) => Exit::Unexpected,
        }
    }

    /// Prints to standard error, in colour where it has colours.
    pub fn eprint(&self) {
        let error = anstyle::Style::new().bold().fg_color(Some(anstyle::AnsiColor::Red.into()));
        match self {
            Failure::Config(diagnostics) | Failure::Files(diagnostics) => diagnostics.eprint(),
            Failure::Usage(message) | Failure::TryAgain(message) => {
                anstream::eprintln!("{error}error:{error:#} {message}")
            }
            Failure::Data(e) => anstream::eprintln!("{error}error:{error:#} {e}"),
            Failure::Other(e) => anstream::eprintln!("{error}error:{error:#} {e:#}"),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        // Images on disk may turn out to be damaged while they are trained on.
        let error = match error.downcast::<PrefetchError>() {
            Ok(PrefetchError::Data(data)) => return Failure::Data(data),
            Ok(other) => other.into(),
            Err(error) => error,
        };
        match error.downcast::<DataError>() {
            Ok(data) => Failure::Data(data),
            Err(error) => Failure::Other(error),
        }
    }
}

impl From<DataError> for Failure {
    fn from(error: DataError) -> Self {
        Failure::Data(error)
    }
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Failure::Config(diagnostics)
    }
}
