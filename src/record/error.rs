//! What can go wrong with records: always the path, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// A record that could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The operating system refused. What was written before remains readable.
    #[error("cannot {action} {}: {cause}; {}", path.display(), remedy(cause))]
    Io { action: &'static str, path: PathBuf, cause: io::Error },

    /// Another process writes this run.
    #[error(
        "{} is being written by another process{}; wait until it ends, or stop it first",
        folder.display(),
        pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    Locked { folder: PathBuf, pid: Option<u32> },

    /// The folder holds no run.
    #[error("{} is not a run folder: {reason}; name a folder that `runner train` made", folder.display())]
    NotARun { folder: PathBuf, reason: String },

    /// The folder is to be made, and holds a run.
    #[error("{} holds a run already; name another folder, or go on with it by --resume", folder.display())]
    Taken { folder: PathBuf },

    /// The folder is to be made, and holds what the run would write.
    #[error("{} is there already, and the run would overwrite it; move it, or name another folder for the run", path.display())]
    InTheWay { path: PathBuf },

    /// The folder is to be made, and something else is in its place or above it.
    #[error("{} is no folder, and the run needs one there; move it, or name another folder for the run", path.display())]
    NoFolder { path: PathBuf },

    /// The folder of a run that is being written lies at its path no more.
    #[error(
        "{} is not the folder any more that the run is written in: that one was moved, deleted or replaced; what was trained since its \
         last checkpoint is lost: go on from there by --resume with the path where it lies now, or begin anew",
        folder.display()
    )]
    Displaced { folder: PathBuf },

    /// A file of a run does not read as FORMAT.md says.
    #[error("{}:{line}: {what}; restore the file, or leave this run out", path.display())]
    Malformed { path: PathBuf, line: u64, what: String },

    /// The table of a sweep's trials does not read as FORMAT.md says.
    #[error("{}:{line}: {what}; restore the file, or start a new sweep", path.display())]
    Trials { path: PathBuf, line: u64, what: String },

    /// The run was written by a newer program.
    #[error(
        "{} has format {format}, which is newer than what this program reads (up to {known}); update runner to use this run",
        path.display()
    )]
    Newer { path: PathBuf, format: u32, known: u32 },

    /// A CSV file is not the one that the checkpoint was written beside.
    #[error(
        "{} does not fit the checkpoint: {what}; the file was changed after it was written: restore it, or start a new run",
        path.display()
    )]
    Changed { path: PathBuf, what: String },

    /// A row that cannot be a line of its file.
    #[error("a row does not fit the columns of {}: {what}", path.display())]
    Row { path: PathBuf, what: String },
}

impl RecordError {
    /// For `map_err`: what was tried, and on which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RecordError {
        let path = path.to_owned();
        move |cause| RecordError::Io { action, path, cause }
    }
}

/// What a person can do about an error of the operating system.
fn remedy(cause: &io::Error) -> &'static str {
    use io::ErrorKind as Kind;
    match cause.kind() {
        Kind::StorageFull | Kind::QuotaExceeded => {
            "free some space there, or choose another disk (for runs: --runs-dir); what was written so far is readable"
        }
        Kind::PermissionDenied => "make it writable for this user, or choose another folder (for runs: --runs-dir)",
        Kind::ReadOnlyFilesystem => "this disk is mounted read-only: choose another folder (for runs: --runs-dir)",
        Kind::NotADirectory | Kind::AlreadyExists => {
            "a file is in the way: move it, or choose another folder (for runs: --runs-dir)"
        }
        Kind::NotFound => "check the path, or choose another folder (for runs: --runs-dir)",
        Kind::InvalidFilename => "choose a shorter --name or another folder with --runs-dir",
        Kind::Unsupported => "this file system lacks what is needed: choose a local folder (for runs: --runs-dir)",
        _ => "check the disk, or choose another folder (for runs: --runs-dir)",
    }
}
