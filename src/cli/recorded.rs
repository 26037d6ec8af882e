//! A run that was recorded, as resuming and evaluating take it up.

use super::{Failure, paths};
use crate::config::{self, Loaded, Override};
use crate::record::folder::file;
use crate::record::reader::RunReader;
use crate::record::run_json::RunInfo;
use std::convert::Infallible;
use std::path::Path;

/// What a run folder says of its run, and its experiment.
pub struct Recorded {
    pub info: RunInfo,
    /// With folders of data left out that are there no more.
    pub loaded: Loaded,
}

impl Recorded {
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
        let mut loaded = config::load_with(&folder.join(file::EXPERIMENT), overrides)?;
        // Where the data has moved, $RUNNER_DATA or the cache may have it, and the digest tells whether it is the same.
        let there = |root: &Path| Ok::<_, Infallible>(root.exists().then(|| root.to_owned()));
        let mut moved = loaded.spec.clone();
        moved.change_roots(there).unwrap_or_else(|never| match never {});
        // Two sets that their folders alone tell apart cannot both be elsewhere.
        if moved.sets().len() == loaded.spec.sets().len() {
            loaded.spec = moved;
        }
        Ok(Self { info, loaded })
    }
}
