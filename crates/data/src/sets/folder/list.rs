//! A list of validation images, where no folders tell them: as ImageNet's are published, all in one folder.

use super::layout::{File, Listed, unusable};
use crate::DataError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Endings that a list may leave out.
const ENDINGS: [&str; 5] = ["", ".JPEG", ".jpg", ".jpeg", ".png"];

/// Divides files of class folders by a list: those that it names are for validation and not for training.
///
/// A line is a path, relative to `val/` or to the set's folder, and, where the file lies in no class folder, its class: the
/// name of a class folder, or its place among them from 0 on. Words are parted by spaces or commas, and what follows the first
/// two is passed over, as are empty lines, those that begin with `#`, and the head of Kaggle's list.
///
/// # Errors
/// With the line: a file that is not there, a class that there is none of; a list that leaves nothing to train on.
pub fn divide(root: &Path, list: &Path, classes: Vec<String>, files: Vec<File>) -> Result<Listed, DataError> {
    let text = fs::read_to_string(list).map_err(DataError::io(list, "read"))?;
    let numbers: BTreeMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let (mut val, mut taken) = (Vec::new(), BTreeSet::new());
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split([',', ' ', '\t']).filter(|word| !word.is_empty());
        let Some(name) = words.next().filter(|word| !word.starts_with('#') && *word != "ImageId") else { continue };
        let wrong = |problem: String, remedy: &str| unusable(list, &format!("line {number}: {problem}"), remedy);
        let Some(path) = find(root, name) else {
            return wrong(format!("there is no file {name}"), "name files relative to val/ or to the set's folder");
        };
        let folder = || path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let Some(class) = words.next().map(str::to_owned).or_else(folder) else { continue };
        let by_place = || class.parse::<u32>().ok().filter(|place| (*place as usize) < classes.len());
        let Some(class) = numbers.get(class.as_str()).copied().or_else(by_place) else {
            return wrong(
                format!("there is no class `{class}`"),
                "after the path write the name of a class folder, or its place among them from 0 on",
            );
        };
        if !taken.insert(path.clone()) {
            return wrong(format!("{name} is named twice"), "remove one of the lines");
        }
        val.push(File { path, class });
    }
    let train: Vec<File> = files.into_iter().filter(|file| !taken.contains(&file.path)).collect();
    match (val.is_empty(), train.is_empty()) {
        (true, _) => unusable(list, "it names no files", "write the path of a validation image on each line"),
        (_, true) => unusable(list, "it names all files", "leave some out, to train on"),
        _ => Ok(Listed { classes, train, val, skipped: Vec::new() }),
    }
}

fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let places = [root.join("val"), root.to_owned()];
    let named = places.iter().flat_map(|place| ENDINGS.iter().map(move |ending| place.join(format!("{name}{ending}"))));
    named.into_iter().find(|path| path.is_file())
}
