//! What can be wrong with data: each error says which file, what was expected, and what to do. Exit code 3.

use std::io;
use std::path::PathBuf;

/// Data that cannot be had or cannot be right.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Neither present nor to be fetched.
    #[error("{why}\nhelp: {remedy}")]
    Absent {
        /// Where it was sought, and why it cannot be fetched.
        why: String,
        /// How to get it.
        remedy: String,
    },

    /// A file of the set is not there, though others are.
    #[error("{}: missing; the set consists of {files}\nhelp: unpack the archive again, or move the folder away to have it fetched", file.display())]
    Missing { file: PathBuf, files: String },

    /// A file is too short, too long or empty.
    #[error(
        "{}: {found} bytes, expected {expected} ({records} records of {record_bytes} bytes): {}\n\
         help: unpack the archive again, or move the folder away to have it fetched",
        file.display(),
        extent(*found, *expected, *record_bytes)
    )]
    Size { file: PathBuf, found: u64, expected: u64, records: u64, record_bytes: u64 },

    /// A label that names no class.
    #[error(
        "{}: label {found} at byte {offset} (record {record}), expected 0 to {}\n\
         help: the file is corrupt; unpack the archive again, or move the folder away to have it fetched",
        file.display(),
        classes - 1
    )]
    Label { file: PathBuf, record: usize, offset: u64, found: u8, classes: usize },

    /// A file that does not hold what its format says it must.
    #[error(
        "{}: byte {offset}: {problem}\n\
         help: the file is not as published; get it again, or move the folder away to have it fetched",
        file.display()
    )]
    Malformed {
        file: PathBuf,
        /// In the file, or in what it unpacks to where `problem` says so.
        offset: u64,
        problem: String,
    },

    /// A file or folder of the user's own that cannot be part of a set.
    #[error("{}: {problem}\nhelp: {remedy}", path.display())]
    Unusable { path: PathBuf, problem: String, remedy: String },

    /// The system would not read or write.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io { path: PathBuf, action: &'static str, source: io::Error },
}

impl DataError {
    /// For `map_err` on what the system says about a path.
    pub(super) fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(io::Error) -> DataError {
        let path = path.into();
        move |source| DataError::Io { path, action, source }
    }
}

/// Where a file of the wrong size ends.
fn extent(found: u64, expected: u64, record_bytes: u64) -> String {
    match found {
        0 => "it is empty".to_owned(),
        _ if found > expected => format!("{} bytes too many after byte {expected}", found - expected),
        _ if found.is_multiple_of(record_bytes) => format!("it ends after {} records", found / record_bytes),
        _ => format!("it ends at byte {} of record {}", found % record_bytes, found / record_bytes),
    }
}
