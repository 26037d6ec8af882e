//! Images as files of their own.

use super::{Held, Source, on_pool};
use crate::DataError;
use crate::picture;
use crate::resize::Extent;
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Files whose first bytes were read.
#[derive(Default)]
pub struct Files {
    pub files: Vec<(PathBuf, Extent)>,
}

/// A file that is left out of a set, because `skip_bad` says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    pub path: PathBuf,
    /// What is wrong with it, in a line.
    pub problem: String,
}

impl Skipped {
    /// By the error that names the file. A disk that does not answer is no damaged file.
    ///
    /// # Errors
    /// The error itself, where it is of another kind.
    pub fn by(path: &Path, error: DataError) -> Result<Self, DataError> {
        match error {
            DataError::Unusable { problem, .. } => Ok(Self { path: path.to_owned(), problem }),
            other => Err(other),
        }
    }
}

/// Reads the header of each file; of those with none, the first is an error, or they are `None` where they are skipped.
///
/// # Errors
/// When a file cannot be read, or is none and not skipped.
pub fn check(files: &[&Path], skip_bad: bool) -> Result<Vec<Result<Extent, Skipped>>, DataError> {
    let read = |path: &&Path| match picture::extent(path) {
        Ok(extent) => Ok(Ok(extent)),
        Err(error) if skip_bad => Skipped::by(path, error).map(Err),
        Err(error) => Err(error),
    };
    // Of several, the first in the set's order is named.
    on_pool(|| files.par_iter().map(read).collect::<Vec<_>>()).into_iter().collect()
}

impl Source for Files {
    fn len(&self) -> usize {
        self.files.len()
    }

    fn extent(&self, index: usize) -> Extent {
        self.files[index].1
    }

    fn name(&self, index: usize) -> PathBuf {
        self.files[index].0.clone()
    }

    fn held<'a>(&'a self, index: usize, room: &'a mut Vec<u8>) -> Result<Held<'a>, DataError> {
        picture::read(&self.files[index].0, room)?;
        Ok(Held::File(room))
    }
}
