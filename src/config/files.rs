//! The text of a file, or in plain words why there is none.

use super::suggest::nearest;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;

/// Why a file has no text.
#[derive(Debug)]
pub enum ReadError {
    /// It cannot be opened: there is nothing to point into.
    Closed { message: String, help: Option<String> },
    /// Its bytes are not UTF-8: what there is, and where it stops being text.
    NotText { content: String, span: Range<usize>, message: String, help: String },
}

/// Reads a file as UTF-8, without the byte order mark that some editors of Windows put at its start.
///
/// # Errors
/// When it cannot be read, or is no UTF-8.
pub fn read(path: &Path) -> Result<String, ReadError> {
    let bytes = std::fs::read(path).map_err(|error| closed(path, &error))?;
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

fn closed(path: &Path, error: &std::io::Error) -> ReadError {
    let (message, help) = match error.kind() {
        ErrorKind::NotFound => {
            let near = neighbour(path).map(|name| format!("did you mean `{name}`, in the same folder?"));
            ("there is no such file".to_owned(), near)
        }
        ErrorKind::IsADirectory => ("that is a folder, not a file".to_owned(), None),
        _ => (format!("the file cannot be read: {error}"), None),
    };
    ReadError::Closed { message, help }
}

/// The TOML file beside `path` whose name is most like its own.
fn neighbour(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).ok()?.filter_map(Result::ok);
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| name.ends_with(".toml"));
    names.sort();
    let stem = |name: &str| name.trim_end_matches(".toml").to_owned();
    let stems: Vec<String> = names.iter().map(|name| stem(name)).collect();
    let near = nearest(&stem(path.file_name()?.to_str()?), stems.iter().map(String::as_str))?;
    Some(format!("{near}.toml"))
}
