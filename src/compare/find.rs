//! From the paths that a person names to run folders.

use super::dawnbench;
use crate::record::folder::file;
use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::path::{Path, PathBuf};

/// A path that leads to no run.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("{}: {cause}", path.display())]
    Io { path: PathBuf, cause: std::io::Error },
    #[error("{} is no run folder, and holds none: it has no {}{}", path.display(), file::RUN, instead(path))]
    NoRun { path: PathBuf },
    #[error("{} is a file, and {}", path.display(), no_entry(path))]
    NoEntry { path: PathBuf },
}

/// What a folder without runs may have been named for.
fn instead(folder: &Path) -> String {
    let folders = folders_with_runs(folder);
    let entries = dawnbench::tables(folder);
    match (&folders[..], &entries[..]) {
        ([], []) => String::new(),
        ([], entries) => format!("; entries of DAWNBench are named by their files: {}", some(entries)),
        (folders, _) => format!("; folders in it hold runs, and are named themselves: {}", some(folders)),
    }
}

/// The first few names.
fn some(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let more = if names.len() > SHOWN { ", …" } else { "" };
    names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ") + more
}

fn no_entry(path: &Path) -> String {
    if let Some(run) = path.parent().filter(|folder| is_run(folder)) {
        return format!("one of a run: name its folder, {}", here(run).display());
    }
    match dawnbench::lacking(path) {
        Some(table) => format!("no entry of DAWNBench: there is no {} beside it", table.display()),
        None => "neither a run folder nor an entry of DAWNBench (.tsv, .json)".to_owned(),
    }
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
            None if path.is_file() => return Err(FindError::NoEntry { path: path.clone() }),
            None => runs_in(path)?,
        };
        if inside.is_empty() {
            return Err(FindError::NoRun { path: path.clone() });
        }
        found.extend(inside);
    }
    // The same folder may be named twice, by itself and by the one it lies in.
    let mut seen = BTreeSet::new();
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

/// The folder of a path, by a name that can be read: of a bare file's the path has none.
pub fn here(folder: &Path) -> &Path {
    if folder.as_os_str().is_empty() { Path::new(".") } else { folder }
}

/// Whether a path leads out of `root`, a canonical path, by a link; one that leads to nothing does not.
pub fn leads_out(path: &Path, root: &Path) -> bool {
    path.canonicalize().is_ok_and(|real| !real.starts_with(root))
}

/// Names of the folders inside that are no runs and hold some, as sweeps are; hidden ones and links are none.
pub fn folders_with_runs(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let may_be_folder = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| !kind.is_file());
    let holds_run = |path: &Path| {
        std::fs::read_dir(path)
            .is_ok_and(|mut all| all.any(|one| one.is_ok_and(|one| may_be_folder(&one) && is_run(&one.path()))))
    };
    let named = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let mut names = Vec::new();
    for entry in named {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !name.starts_with('.') && !is_run(&entry.path()) && holds_run(&entry.path()) {
            names.push(name);
        }
    }
    names.sort();
    names
}

/// What is said of folders with runs in the folders among `paths`: of those the runs are taken, and nobody looks further. `found`:
/// the runs that were.
pub fn not_looked_into(paths: &[PathBuf], found: &[PathBuf]) -> Option<String> {
    // A sweep has one folder and thousands of runs.
    let folders: BTreeSet<&Path> =
        paths.iter().map(PathBuf::as_path).chain(found.iter().filter_map(|run| run.parent())).collect();
    let seen: BTreeSet<PathBuf> = folders.into_iter().filter_map(|folder| canonical(folder).ok()).collect();
    let inside =
        |folder: &Path| folders_with_runs(folder).into_iter().map(|name| folder.join(name)).collect::<Vec<_>>();
    let folders = paths.iter().filter(|path| !is_run(path)).flat_map(|folder| inside(folder));
    let left: Vec<PathBuf> =
        folders.filter(|folder| !canonical(folder).is_ok_and(|real| seen.contains(&real))).collect();
    match &left[..] {
        [] => None,
        [one] => Some(format!("{} holds runs, and is not looked into unless it is named itself", one.display())),
        [one, ..] => Some(format!(
            "{} folders with runs are not looked into unless they are named themselves, as {}",
            left.len(),
            one.display()
        )),
    }
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
        let error = runs(&[b.join(file::RUN)]).unwrap_err().to_string();
        assert!(
            error.ends_with(&format!("run.json is a file, and one of a run: name its folder, {}", b.display())),
            "{error}"
        );
        assert_eq!(found, [b, a]);
        assert!(matches!(runs(&[root.path().join("other")]), Err(FindError::NoRun { .. })));
        assert!(matches!(runs(&[root.path().join("absent")]), Err(FindError::Io { .. })));
    }

    #[test]
    fn folders_with_runs_inside_are_said_where_nobody_looks_into_them() {
        let root = tempfile::tempdir().unwrap();
        for name in ["run", "sweep/t000-s0", "sweep/t001-s0", "other/run", ".hidden/run", "deep/er/run"] {
            let path = root.path().join(name);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(file::RUN), "{}").unwrap();
        }
        let said = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| root.path().join(name)).collect();
            not_looked_into(&paths, &runs(&paths).unwrap())
        };
        let two = said(&[""]).unwrap();
        assert!(two.starts_with("2 folders with runs are not looked into") && two.ends_with("other"), "{two}");
        assert!(said(&["", "sweep"]).unwrap().contains("other holds runs, and is not"));
        assert_eq!(said(&["", "sweep/t001-s0", "other"]), None);
        assert_eq!(said(&["sweep"]), None);
        let error = runs(&[root.path().join("deep")]).unwrap_err().to_string();
        assert!(
            error.ends_with("it has no run.json; folders in it hold runs, and are named themselves: er"),
            "{error}"
        );
    }
}
