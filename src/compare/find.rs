//! From the paths that a person names to run folders.

use super::dawnbench;
use crate::record::folder::file;
use std::path::{Path, PathBuf};

/// A path that leads to no run.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("{}: {cause}", path.display())]
    Io { path: PathBuf, cause: std::io::Error },
    #[error("{} is no run folder, and holds none: it has no {}", path.display(), file::RUN)]
    NoRun { path: PathBuf },
}

/// The run folders among `paths`, in order, each once; of a folder that holds runs (a sweep, `runs/`) all of them, by
/// name. An entry of DAWNBench is its table.
///
/// # Errors
/// When a path cannot be read or leads to no run.
pub fn runs(paths: &[PathBuf]) -> Result<Vec<PathBuf>, FindError> {
    let mut found = Vec::new();
    for path in paths {
        let inside = match dawnbench::table(path) {
            Some(table) => vec![table],
            None if is_run(path) => vec![path.clone()],
            None => runs_in(path)?,
        };
        if inside.is_empty() {
            return Err(FindError::NoRun { path: path.clone() });
        }
        found.extend(inside);
    }
    // The same folder may be named twice, by itself and by the one it lies in.
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|path| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    Ok(found)
}

/// The run that `folder` is, or those in it, by name; there may be none. Links that lead out of the folder are passed over.
///
/// # Errors
/// When it cannot be read.
pub fn inside(folder: &Path) -> Result<Vec<PathBuf>, FindError> {
    if is_run(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    let mut runs = runs_in(folder)?;
    let root = canonical(folder)?;
    runs.retain(|run| run.canonicalize().is_ok_and(|real| real.starts_with(&root)));
    Ok(runs)
}

/// A folder's path without links.
///
/// # Errors
/// When it is not there.
pub fn canonical(folder: &Path) -> Result<PathBuf, FindError> {
    folder.canonicalize().map_err(|cause| FindError::Io { path: folder.to_owned(), cause })
}

/// Whether a path leads out of `root`, a canonical path, by a link; one that leads to nothing does not.
pub fn leads_out(path: &Path, root: &Path) -> bool {
    path.canonicalize().is_ok_and(|real| !real.starts_with(root))
}

fn is_run(path: &Path) -> bool {
    path.join(file::RUN).is_file()
}

fn runs_in(folder: &Path) -> Result<Vec<PathBuf>, FindError> {
    let unreadable = |cause| FindError::Io { path: folder.to_owned(), cause };
    let mut runs = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_run(&path) {
            runs.push(path);
        }
    }
    runs.sort();
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_found_once_in_order() {
        let root = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = root.path().join(name);
            std::fs::create_dir(&path).unwrap();
            std::fs::write(path.join(file::RUN), "{}").unwrap();
            path
        };
        let (b, a) = (make("b"), make("a"));
        std::fs::create_dir(root.path().join("other")).unwrap();
        let found = runs(&[b.clone(), root.path().to_owned()]).unwrap();
        assert_eq!(found, [b, a]);
        assert!(matches!(runs(&[root.path().join("other")]), Err(FindError::NoRun { .. })));
        assert!(matches!(runs(&[root.path().join("absent")]), Err(FindError::Io { .. })));
    }
}
