//! Whether a file changed since it was last read, told without reading it.

use std::path::Path;
use std::time::SystemTime;

/// What a file looks like from outside. Files of a run only grow or are replaced, so one that looks the same is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    /// A file that was replaced by one as long, in the same tick of the clock, is another one all the same.
    number: u64,
}

impl Stamp {
    /// Of the file as it is now; one that is absent or cannot be looked at has that of no file.
    pub fn of(path: &Path) -> Self {
        let Ok(found) = std::fs::metadata(path) else { return Self::default() };
        Self { modified: found.modified().ok(), bytes: found.len(), number: number(&found) }
    }
}

#[cfg(unix)]
fn number(found: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn number(_: &std::fs::Metadata) -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::super::atomic;
    use super::*;
    use std::fs;

    #[test]
    fn whatever_changes_a_file_shows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        let absent = Stamp::of(&path);
        atomic::write(&path, b"{}").unwrap();
        let written = Stamp::of(&path);
        assert_eq!(written, Stamp::of(&path));
        fs::OpenOptions::new().append(true).open(&path).unwrap().set_len(3).unwrap();
        let grown = Stamp::of(&path);
        atomic::write(&path, b"{}").unwrap();
        assert!(absent != written && written != grown && grown != Stamp::of(&path));
        // As long as before, at the same time: replaced all the same.
        if cfg!(unix) {
            let time = fs::metadata(&path).unwrap().modified().unwrap();
            let before = Stamp::of(&path);
            fs::write(dir.path().join("other"), b"[]").unwrap();
            let other = fs::File::options().write(true).open(dir.path().join("other")).unwrap();
            other.set_modified(time).unwrap();
            fs::rename(dir.path().join("other"), &path).unwrap();
            assert_ne!(before, Stamp::of(&path));
        }
    }
}
