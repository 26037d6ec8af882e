//! Images that a net was not trained on, for evaluating it.

use super::sets::{self, folder};
use super::{DataError, Dataset, Facts};
use crate::registry::Choice;
use std::path::Path;

/// So many names of classes are told.
const NAMED: usize = 8;

/// What is to be known of the images that a net was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainedOn {
    pub facts: Facts,
    /// A name for each class.
    pub classes: Vec<String>,
    /// What inputs are normalised with.
    pub mean: Vec<f32>,
    pub std: Vec<f32>,
}

/// Where other images are.
#[derive(Clone, Copy, Debug)]
pub struct Others<'a> {
    /// A folder, a pack or a list of files.
    pub from: &'a Path,
    pub trained_on: &'a TrainedOn,
}

/// Which of the images that are there are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Those put aside for validation.
    Validation,
    /// All, where nothing tells some from the others.
    All,
    /// Those that a list names.
    Listed,
}

impl Chosen {
    pub fn word(self) -> &'static str {
        match self {
            Self::Validation => "validation",
            Self::All => "all",
            Self::Listed => "listed",
        }
    }
}

/// Opens other images, as the set of `choice` reads its own; where that has no files of images, class folders are read into memory.
/// They are the validation images of the set, which has no training images.
///
/// # Errors
/// When there are none, one cannot be read, or their classes are not those that the net was trained on.
pub fn open_others(choice: &Choice, others: Others<'_>) -> Result<(Dataset, Chosen), DataError> {
    sets::make(choice).read_others(others).unwrap_or_else(|| folder::read_others(others))
}

impl TrainedOn {
    /// The place of each of the classes that were found in `from` among the net's, which must be the same by name.
    pub(super) fn places(&self, from: &Path, found: &[String]) -> Result<Vec<u32>, DataError> {
        let place = |name: &String| self.classes.iter().position(|class| class == name);
        let unknown: Vec<&String> = found.iter().filter(|name| place(name).is_none()).collect();
        let missing: Vec<&String> = self.classes.iter().filter(|class| !found.contains(class)).collect();
        let problems = [(unknown, "not among them"), (missing, "without images here")];
        let problems: Vec<String> = problems
            .into_iter()
            .filter(|(names, _)| !names.is_empty())
            .map(|(names, what)| format!("{what}: {}", told(&names)))
            .collect();
        if problems.is_empty() {
            return Ok(found.iter().filter_map(place).map(|place| place as u32).collect());
        }
        Err(DataError::Unusable {
            path: from.to_owned(),
            problem: format!("the classes are not those that the net was trained on; {}", problems.join("; ")),
            remedy: "give class folders the names that they had in training; a list may do without some of the classes"
                .to_owned(),
        })
    }
}

/// `` `cat`, `dog` and 3 more ``
fn told(names: &[&String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
