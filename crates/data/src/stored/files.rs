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

/// A file that cannot be part of a set, and is left out of it where `skip_bad` says so.
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
    pub fn of(error: DataError) -> Result<Self, DataError> {
        match error {
            DataError::Unusable { path, problem, .. } => Ok(Self { path, problem }),
            other => Err(other),
        }
    }
}

/// Reads the header of each file, or finds that it has none. `turns`: see [`Manner`](super::Manner).
///
/// # Errors
/// When a file cannot be read.
pub fn check(files: &[&Path], turns: bool) -> Result<Vec<Result<Extent, Skipped>>, DataError> {
    let read = |path: &&Path| match picture::extent(path, turns) {
        Ok(extent) => Ok(Ok(extent)),
        Err(error) => Skipped::of(error).map(Err),
    };
    // Of several errors, that of the first in the set's order.
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
