//! A run that was recorded, as resuming and evaluating take it up.

use super::{Failure, paths};
use crate::config::{self, Loaded, Override};
use crate::data::{DataError, Request, Root};
use crate::record::folder::file;
use crate::record::reader::RunReader;
use crate::record::run_json::RunInfo;
use std::convert::Infallible;
use std::path::{Path, PathBuf};

/// What a run folder says of its run, and its experiment.
pub struct Recorded {
    pub info: RunInfo,
    /// With folders of data left out that are there no more.
    pub loaded: Loaded,
    /// These folders.
    gone: Vec<PathBuf>,
}

/// Whether there may be data in a place: an empty folder is where a disk was mounted.
pub fn is_there(root: &Path) -> bool {
    root.is_file() || std::fs::read_dir(root).is_ok_and(|mut entries| entries.next().is_some())
}

impl Recorded {
    /// What is known of a run whose data is where it was.
    #[cfg(test)]
    pub fn new(info: RunInfo, loaded: Loaded) -> Self {
        Self { info, loaded, gone: Vec::new() }
    }

    /// Reads both from a run folder.
    ///
    /// # Errors
    /// When it is none, is of a newer format, or its experiment is not right any more: usage.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        Self::read_with(folder, &[])
    }

    /// The same with overrides of its experiment.
    ///
    /// # Errors
    /// Those of [`Recorded::read`]; all that is wrong with the overrides.
    pub fn read_with(folder: &Path, overrides: &[Override]) -> Result<Self, Failure> {
        let usage = |error: crate::record::RecordError| Failure::Usage(error.to_string());
        let reader = RunReader::open(paths::run(folder)?).map_err(usage)?;
        let info = reader.info().map_err(usage)?;
        let mut loaded = config::load_begun(&folder.join(file::EXPERIMENT), overrides)?;
        let sets = loaded.spec.sets();
        let roots = sets.iter().filter_map(|set| set.root.as_deref());
        let mut gone: Vec<PathBuf> = roots.filter(|root| !is_there(root)).map(Path::to_owned).collect();
        gone.dedup();
        // Where the data has moved, $RUNNER_DATA or the cache may have it, and the digest tells whether it is the same.
        let there = |root: &Path| Ok::<_, Infallible>(is_there(root).then(|| root.to_owned()));
        let mut moved = loaded.spec.clone();
        moved.change_roots(there).unwrap_or_else(|never| match never {});
        // Two sets that their folders alone tell apart cannot both be elsewhere.
        if moved.sets().len() == sets.len() {
            loaded.spec = moved;
        }
        Ok(Self { info, loaded, gone })
    }

    /// What was found of the run's data; where that is absent, the error says where it was when the run was trained, and how
    /// `command`, which takes no `--set`, is told where it is now.
    ///
    /// # Errors
    /// Those of `found`.
    pub fn with_data<T>(
        &self,
        found: Result<T, impl Into<Failure>>,
        folder: &Path,
        command: &str,
    ) -> Result<T, Failure> {
        found.map_err(|failure| match failure.into() {
            Failure::Data(DataError::Absent { why, .. }) => self.absent(why, folder, command).into(),
            other => other,
        })
    }

    fn absent(&self, why: String, folder: &Path, command: &str) -> DataError {
        let experiment = folder.join(file::EXPERIMENT);
        let gone: Vec<String> = self.gone.iter().map(|root| root.display().to_string()).collect();
        let why = match (gone.is_empty(), Root::find(None, Request::ROOT)) {
            (true, _) => why,
            (false, elsewhere) => {
                let elsewhere =
                    elsewhere.map(|Root { path, source }| format!(", nor in {} ({source})", path.display()));
                format!(
                    "the run was trained on images in {}, where they are no more{}",
                    gone.join(" and "),
                    elsewhere.unwrap_or_default()
                )
            }
        };
        // A folder that the experiment names has the first word.
        let sets = self.loaded.spec.sets();
        let is_named = |root: &Path| sets.iter().any(|set| set.root.as_deref() == Some(root));
        let has_word = match self.gone.is_empty() {
            true => sets.iter().any(|set| set.root.is_some()),
            false => self.gone.iter().any(|root| is_named(root)),
        };
        let remedy = match has_word {
            true => {
                format!("put them back, or name the folder that they are in now as `root` in {}", experiment.display())
            }
            false => format!("name the folder that they are in now in front of the command: RUNNER_DATA=DIR {command}"),
        };
        DataError::Absent { why, remedy }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_is_not_there() {
        let dir = tempfile::tempdir().unwrap();
        assert!(!is_there(dir.path()) && !is_there(&dir.path().join("none")));
        std::fs::write(dir.path().join("a.pack"), "").unwrap();
        assert!(is_there(dir.path()) && is_there(&dir.path().join("a.pack")));
    }
}
