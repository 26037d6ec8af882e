//! A list of validation images, where no folders tell them: as ImageNet's are published, all in one folder.

use super::layout::{File, Listed, untrained, unusable};
use crate::DataError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Endings that a list may leave out.
const ENDINGS: [&str; 5] = ["", ".JPEG", ".jpg", ".jpeg", ".png"];
/// What some programs begin a text with.
const MARK: char = '\u{feff}';

/// Divides files of class folders by a list: those that it names are for validation and not for training, by whatever path it
/// leads to them.
///
/// # Errors
/// Those of [`named`]; a list that leaves nothing to train on, of all classes or of one.
pub fn divide(root: &Path, list: &Path, classes: Vec<String>, files: Vec<File>) -> Result<Listed, DataError> {
    let val = named(root, list, &classes)?;
    let taken: BTreeSet<PathBuf> = val.iter().map(|file| real(&file.path)).collect();
    let mut folders = Folders::default();
    let train: Vec<File> = files.into_iter().filter(|file| !taken.contains(&folders.real(&file.path))).collect();
    let remedy = "leave some out, to train on";
    match untrained(&classes, &train) {
        _ if train.is_empty() => unusable(list, "it names all files", remedy),
        Some(name) => unusable(list, &format!("it names all images of the class `{name}`"), remedy),
        None => Ok(Listed { classes, train, val, skipped: Vec::new() }),
    }
}

/// A file's path without links and `..`; as it is where the system does not tell.
fn real(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Real paths of many files: each folder's is asked for once, as a file's own takes far longer.
#[derive(Default)]
struct Folders(BTreeMap<PathBuf, PathBuf>);

impl Folders {
    fn real(&mut self, file: &Path) -> PathBuf {
        let (Some(folder), Some(name), false) = (file.parent(), file.file_name(), file.is_symlink()) else {
            return real(file);
        };
        if let Some(known) = self.0.get(folder) {
            return known.join(name);
        }
        let found = real(folder);
        let path = found.join(name);
        self.0.insert(folder.to_owned(), found);
        path
    }
}

/// The files that a list names, in its order.
///
/// A line is a path, relative to `val/` or to the set's folder, and, where the file lies in no class folder, its class: the
/// name of a class folder, or its place among them from 0 on. A tab, spaces or a comma part them, and what follows is passed over,
/// as are empty lines, those that begin with `#`, the head of Kaggle's list, and a mark of the order of bytes.
///
/// A path and a class may have spaces and commas. The path is the first of these that is there: what stands before a tab, the whole
/// line, the longest beginning with an image's ending, the first word. The class is what stands behind the tab, else the longest that
/// there is. In double quotes either is what stands there.
///
/// # Errors
/// With the line: a file that is not there, a class that there is none of; a list that names no files.
pub fn named(root: &Path, list: &Path, classes: &[String]) -> Result<Vec<File>, DataError> {
    let text = fs::read_to_string(list).map_err(DataError::io(list, "read"))?;
    let numbers: BTreeMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let (mut files, mut taken) = (Vec::new(), BTreeSet::new());
    for (number, line) in (1..).zip(text.trim_start_matches(MARK).lines()) {
        let line = line.trim_matches(parts_words);
        let first = first_word(line);
        if first.is_empty() || first.starts_with('#') || first == "ImageId" {
            continue;
        }
        let wrong = |problem: String, remedy: &str| unusable(list, &format!("line {number}: {problem}"), remedy);
        let readings = readings(line);
        let found = readings.iter().find_map(|reading| Some((find(root, reading.path)?, reading)));
        let Some((path, Reading { path: name, class })) = found else {
            let marked = readings.first().filter(|_| line.starts_with('"') || line.contains('\t'));
            let likeliest = marked.or_else(|| readings.iter().find(|reading| has_ending(reading.path)));
            let name = likeliest.map_or(first, |reading| reading.path);
            return wrong(format!("there is no file {name}"), "name files relative to val/ or to the set's folder");
        };
        let folder = path.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let (class, said) = match (class, &folder) {
            (Class::Exactly(class), _) => (exactly(class, &numbers), *class),
            (Class::Within(text), _) => (within(text, &numbers), *text),
            (Class::OfFolder, Some(folder)) => (exactly(folder, &numbers), folder.as_str()),
            (Class::OfFolder, None) => continue,
        };
        let Some(class) = class else {
            return wrong(
                format!("there is no class `{said}`"),
                "after the path write the name of a class folder, or its place among them from 0 on",
            );
        };
        if !taken.insert(real(&path)) {
            return wrong(format!("{name} is named twice"), "remove one of the lines");
        }
        files.push(File { path, class });
    }
    if files.is_empty() {
        return unusable(list, "it names no files", "write the path of a validation image on each line");
    }
    Ok(files)
}

fn parts_words(c: char) -> bool {
    [',', ' ', '\t'].contains(&c)
}

fn first_word(text: &str) -> &str {
    text.split(parts_words).next().unwrap_or_default()
}

/// A way in which a line can be a path and a class.
struct Reading<'a> {
    path: &'a str,
    class: Class<'a>,
}

enum Class<'a> {
    /// None stands there: that of the folder that the file is in.
    OfFolder,
    Exactly(&'a str),
    /// At the beginning of a text.
    Within(&'a str),
}

impl<'a> Reading<'a> {
    /// Of a path and what follows it, which is all of the class or more.
    fn new(path: &'a str, rest: &'a str, is_all: bool) -> Self {
        let (path, rest) = (path.trim_end_matches(parts_words), rest.trim_matches(parts_words));
        let class = match quoted(rest) {
            _ if rest.is_empty() => Class::OfFolder,
            Some((class, _)) => Class::Exactly(class),
            None if is_all => Class::Exactly(rest),
            None => Class::Within(rest),
        };
        Self { path, class }
    }
}

/// In what ways a line can be read, in the order in which they are tried.
fn readings(line: &str) -> Vec<Reading<'_>> {
    if let Some((path, rest)) = quoted(line) {
        return vec![Reading { path, ..Reading::new("", rest, rest.starts_with('\t')) }];
    }
    let before_last = line.rsplit_once('\t').map(|(path, class)| Reading::new(path, class, true));
    let before_first = line.split_once('\t').map(|(path, rest)| {
        let class = rest.split('\t').next().unwrap_or_default();
        Reading::new(path, class, true)
    });
    let cut = |end: usize| Reading::new(&line[..end], &line[end..], false);
    let with_ending = ends(line).filter(|end| has_ending(&line[..*end])).map(cut);
    let tabbed = before_last.into_iter().chain(before_first);
    tabbed.chain([cut(line.len())]).chain(with_ending).chain([cut(first_word(line).len())]).collect()
}

/// Where a text may end: behind each of its words, the last first.
fn ends(text: &str) -> impl Iterator<Item = usize> {
    let between = text.char_indices().rev().filter(|(_, c)| parts_words(*c)).map(|(at, _)| at);
    std::iter::once(text.len()).chain(between)
}

/// What stands in double quotes at the beginning, and what follows.
fn quoted(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('"')?.split_once('"')
}

/// Whether a path ends as images do.
fn has_ending(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    ENDINGS.iter().filter(|ending| !ending.is_empty()).any(|ending| path.ends_with(&ending.to_ascii_lowercase()))
}

/// The class that a text begins with: the longest name of one, or else its place.
fn within(text: &str, numbers: &BTreeMap<&str, u32>) -> Option<u32> {
    let named = ends(text).find_map(|end| numbers.get(&text[..end]).copied());
    named.or_else(|| exactly(first_word(text), numbers))
}

/// The class of that name, or at that place.
fn exactly(name: &str, numbers: &BTreeMap<&str, u32>) -> Option<u32> {
    let by_place = || name.parse::<u32>().ok().filter(|place| (*place as usize) < numbers.len());
    numbers.get(name).copied().or_else(by_place)
}

fn find(root: &Path, name: &str) -> Option<PathBuf> {
    let places = [root.join("val"), root.to_owned()];
    let named = places.iter().flat_map(|place| ENDINGS.iter().map(move |ending| place.join(format!("{name}{ending}"))));
    named.into_iter().find(|path| path.is_file())
}
