//! What can be wrong with data: each error says which file, what was expected, and what to do. Exit code 3.

use crate::stored::Skipped;
use crate::units::count;
use std::io;
use std::path::PathBuf;

/// What helps where a file is damaged, and where several are.
pub const DAMAGED: [&str; 2] = [
    "replace the file, move it out of the class folder, or leave such files out with skip_bad = true",
    "replace the files, move them out of the class folders, or leave such files out with skip_bad = true",
];
/// So many files are named where a set cannot be opened for them.
const NAMED: usize = 5;

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

    /// Several such files, which the same helps.
    #[error("{}\nhelp: {remedy}", listed(files, *of, *named))]
    Several {
        files: Vec<Skipped>,
        /// Of how many, where all were looked at.
        of: Option<usize>,
        /// So many are named.
        named: usize,
        remedy: String,
    },

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

    /// What to say of files that cannot be part of a set; `remedies`: what helps where it is one, and where they are several.
    /// `None` of no files.
    pub(super) fn of_files(mut files: Vec<Skipped>, remedies: [&str; 2]) -> Option<DataError> {
        if files.len() > 1 {
            let remedy = remedies[1].to_owned();
            return Some(DataError::Several { files, of: None, named: NAMED, remedy });
        }
        let Skipped { path, problem } = files.pop()?;
        Some(DataError::Unusable { path, problem, remedy: remedies[0].to_owned() })
    }

    /// One of several errors: the first, and where that is of a file, with all files that the same helps. `None` of none.
    pub(super) fn together(errors: Vec<DataError>) -> Option<DataError> {
        let mut errors = errors.into_iter();
        let (path, problem, remedy) = match errors.next()? {
            DataError::Unusable { path, problem, remedy } => (path, problem, remedy),
            other => return Some(other),
        };
        let alike = |error: DataError| match error {
            DataError::Unusable { path, problem, remedy: other } if other == remedy => Some(Skipped { path, problem }),
            _ => None,
        };
        let files = std::iter::once(Skipped { path, problem }).chain(errors.filter_map(alike)).collect();
        let remedies = if remedy == DAMAGED[0] { DAMAGED } else { [remedy.as_str(); 2] };
        Self::of_files(files, remedies)
    }

    /// What to say where a set was looked through: all its damaged files, by name, of so many. `unfit`: those that are known without
    /// decoding them; `errors`: of those that were decoded. Where the system would not read, that is said alone. `None` of no files.
    pub fn of_verified(unfit: Vec<Skipped>, errors: Vec<DataError>, of: usize) -> Option<DataError> {
        let (mut files, mut remedy) = (unfit, None);
        for error in errors {
            let DataError::Unusable { path, problem, remedy: helps } = error else { return Some(error) };
            files.push(Skipped { path, problem });
            remedy = remedy.or(Some(helps).filter(|helps| helps != DAMAGED[0]));
        }
        let remedy = remedy.unwrap_or_else(|| DAMAGED[usize::from(files.len() > 1)].to_owned());
        (!files.is_empty()).then_some(DataError::Several { files, of: Some(of), named: usize::MAX, remedy })
    }
}

/// How many files there are, and a line for each that is named.
fn listed(files: &[Skipped], of: Option<usize>, named: usize) -> String {
    let of = of.map(|of| format!(" of {}", count(of as u64))).unwrap_or_default();
    let mut text = format!("{}{of} files cannot be used", count(files.len() as u64));
    for Skipped { path, problem } in files.iter().take(named) {
        text += &format!("\n  {}: {problem}", path.display());
    }
    if files.len() > named {
        text += "\n  …";
    }
    text
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_the_same_helps_are_named_together() {
        let bad = |name: &str, remedy: &str| DataError::Unusable {
            path: name.into(),
            problem: "no image".to_owned(),
            remedy: remedy.to_owned(),
        };
        let said = |errors: Vec<DataError>| DataError::together(errors).map(|error| error.to_string());
        assert_eq!(said(Vec::new()), None);
        assert_eq!(said(vec![bad("a", "mend it"), bad("b", "other")]).unwrap(), "a: no image\nhelp: mend it");
        let two = said(vec![bad("a", DAMAGED[0]), bad("b", "other"), bad("c", DAMAGED[0])]);
        assert_eq!(two.unwrap(), format!("2 files cannot be used\n  a: no image\n  c: no image\nhelp: {}", DAMAGED[1]));
        let many = said((0..7).map(|k| bad(&k.to_string(), "mend it")).collect()).unwrap();
        assert!(many.starts_with("7 files cannot be used\n  0: no image\n"), "{many}");
        assert!(many.ends_with("\n  4: no image\n  …\nhelp: mend it"), "{many}");
        let unread = || DataError::io("d", "read")(io::Error::other("gone"));
        assert_eq!(said(vec![unread(), bad("a", "mend it")]).unwrap(), "d: cannot read: gone");

        let unfit = || vec![Skipped { path: "notes.txt".into(), problem: "no name of an image".to_owned() }];
        let verified = |unfit: Vec<Skipped>, errors: Vec<DataError>| {
            DataError::of_verified(unfit, errors, 1234).map(|error| error.to_string())
        };
        assert_eq!(verified(Vec::new(), Vec::new()), None);
        assert_eq!(verified(unfit(), vec![bad("a", DAMAGED[0]), unread()]).unwrap(), "d: cannot read: gone");
        let all = verified(unfit(), (0..7).map(|k| bad(&k.to_string(), DAMAGED[0])).collect()).unwrap();
        assert!(all.starts_with("8 of 1,234 files cannot be used\n  notes.txt: no name of an image\n"), "{all}");
        assert!(all.ends_with(&format!("\n  6: no image\nhelp: {}", DAMAGED[1])), "{all}");
        let one = verified(Vec::new(), vec![bad("a", "get the pack again")]).unwrap();
        assert_eq!(one, "1 of 1,234 files cannot be used\n  a: no image\nhelp: get the pack again");
    }
}
