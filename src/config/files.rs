//! Where a file lies that another names, and its text, or in plain words why there is none.

use super::suggest::nearest;
use crate::data::{Root, at_home};
use std::io::{ErrorKind, Read as _};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The largest file that is read, in MiB: an experiment has some kilobytes.
const LARGEST: u64 = 16;

/// Why a file has no text.
#[derive(Debug)]
pub enum ReadError {
    /// There is no such file.
    Missing,
    /// It cannot be opened: there is nothing to point into.
    Closed { message: String, help: Option<String> },
    /// Its bytes are not UTF-8: what there is, and where it stops being text.
    NotText { content: String, span: Range<usize>, message: String, help: String },
}

/// What a file in `folder` names: a relative path starts from there, one that begins with `~` from the home folder.
pub fn named(folder: &Path, path: &str) -> PathBuf {
    folder.join(at_home(Path::new(path), Root::home))
}

/// Reads a file as UTF-8, without the byte order mark that some editors of Windows put at its start.
///
/// # Errors
/// When it cannot be read, is no regular file or a very large one, or is no UTF-8.
pub fn read(path: &Path) -> Result<String, ReadError> {
    // Asked before it is opened: a pipe that nobody writes to would not let go, a device may have no end.
    let facts = std::fs::metadata(path).map_err(|error| unreadable(&error))?;
    if facts.is_dir() {
        return Err(ReadError::Closed { message: "that is a folder, not a file".to_owned(), help: None });
    }
    if !facts.is_file() {
        let message = "that is a pipe or a device, not a file".to_owned();
        return Err(ReadError::Closed { message, help: Some("write what comes from it to a file first".to_owned()) });
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| unreadable(&error))?;
    file.take((LARGEST << 20) + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LARGEST << 20 {
        let message = format!("the file is larger than {LARGEST} MiB, too large for an experiment");
        return Err(ReadError::Closed { message, help: None });
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(ReadError::NotText {
            content: String::new(),
            span: 0..0,
            message: "the file is UTF-16 text".to_owned(),
            help: "save it as UTF-8: in Notepad under Save As, Encoding".to_owned(),
        });
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)),
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let byte = error.as_bytes()[valid];
            Err(ReadError::NotText {
                content: String::from_utf8_lossy(error.as_bytes()).into_owned(),
                span: valid..valid + 1,
                message: format!("the file is not UTF-8 text: byte {byte:#04x} has no meaning here"),
                help: "save it as UTF-8; editors call this the encoding of the file".to_owned(),
            })
        }
    }
}

fn unreadable(error: &std::io::Error) -> ReadError {
    match error.kind() {
        ErrorKind::NotFound => ReadError::Missing,
        _ => ReadError::Closed { message: format!("the file cannot be read: {error}"), help: None },
    }
}

/// The name of the TOML file beside `path` whose name is most like its own, but for those of `others`, which are given as
/// they really lie.
pub fn neighbour(path: &Path, others: &[&PathBuf]) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let is_other = |path: PathBuf| std::fs::canonicalize(path).is_ok_and(|real| others.contains(&&real));
    let entries = entries.filter(|entry| others.is_empty() || !is_other(entry.path()));
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".toml"));
    names.sort();
    let stem = |name: &str| name.trim_end_matches(".toml").to_owned();
    let stems: Vec<String> = names.iter().map(|name| stem(name)).collect();
    let near = nearest(&stem(path.file_name()?.to_str()?), stems.iter().map(String::as_str))?;
    Some(format!("{near}.toml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_path_starts_from_the_file_and_a_tilde_from_the_home_folder() {
        assert_eq!(named(Path::new("there"), "./~"), Path::new("there/./~"));
        let own = Root::home().map_or("there/~/sets".into(), |home| home.join("sets"));
        assert_eq!(named(Path::new("there"), "~/sets"), own);
    }
}
