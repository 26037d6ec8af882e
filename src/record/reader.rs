//! Reads a run folder back, also one that is still written or whose process was killed.

use super::error::RecordError;
use super::folder::{self, file};
use super::rows::{MetricsRow, PlanRow, Row, TraceRow};
use super::run_json::RunInfo;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// A run folder to read. Nothing is locked or changed.
#[derive(Clone, Debug)]
pub struct RunReader {
    path: PathBuf,
}

/// The rows of a CSV file, and whether the file was whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Table<R> {
    pub rows: Vec<R>,
    pub state: TableState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableState {
    /// Every line is whole.
    Whole,
    /// The last line was not written to its end and is left out.
    Torn,
    /// There is no such file (yet).
    Missing,
}

impl TableState {
    /// The whole lines of a file's bytes, and whether they are all.
    pub(super) fn of(bytes: &[u8]) -> (&[u8], Self) {
        let whole = bytes.iter().rposition(|&b| b == b'\n').map_or(0, |last| last + 1);
        let state = if whole == bytes.len() && whole > 0 { Self::Whole } else { Self::Torn };
        (&bytes[..whole], state)
    }
}

impl RunReader {
    /// # Errors
    /// When `path` is no run folder.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        folder::check_is_run(path)?;
        Ok(Self { path: path.to_owned() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `run.json`
    ///
    /// # Errors
    /// When it cannot be read or is of a newer format.
    pub fn info(&self) -> Result<RunInfo, RecordError> {
        RunInfo::read(&self.path.join(file::RUN))
    }

    /// Whether a process writes this run now. `Some(false)` beside status `running`: its process was killed, and the run
    /// can be resumed. `None`: it cannot be told, for instance where the file system has no locks.
    pub fn is_live(&self) -> Option<bool> {
        folder::is_locked(&self.path)
    }

    /// `metrics.csv`
    ///
    /// # Errors
    /// When it cannot be read, or a whole line of it makes no sense.
    pub fn metrics(&self) -> Result<Table<MetricsRow>, RecordError> {
        read_table(&self.path.join(file::METRICS))
    }

    /// `trace.csv`
    ///
    /// # Errors
    /// As [`metrics`](Self::metrics).
    pub fn trace(&self) -> Result<Table<TraceRow>, RecordError> {
        read_table(&self.path.join(file::TRACE))
    }

    /// `plan.csv`
    ///
    /// # Errors
    /// As [`metrics`](Self::metrics).
    pub fn plan(&self) -> Result<Table<PlanRow>, RecordError> {
        read_table(&self.path.join(file::PLAN))
    }
}

/// The bytes of a regular file. A pipe or a device in its place, which might never end, is an error.
///
/// # Errors
/// When there is no such file, or it cannot be read.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    check_is_regular(path)?;
    std::fs::read(path)
}

fn check_is_regular(path: &Path) -> io::Result<()> {
    if std::fs::metadata(path)?.is_file() {
        Ok(())
    } else {
        Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// Reads a CSV file of rows; columns are found by name, and unknown ones passed over.
///
/// # Errors
/// When the file cannot be read, or a whole line of it is no row.
pub fn read_table<R: Row>(path: &Path) -> Result<Table<R>, RecordError> {
    let bytes = match read_file(path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            return Ok(Table { rows: Vec::new(), state: TableState::Missing });
        }
        Err(cause) => return Err(RecordError::io("read", path)(cause)),
    };
    let (whole, state) = TableState::of(&bytes);
    let mut reader = csv::Reader::from_reader(whole);
    let rows = reader.deserialize().collect::<Result<Vec<R>, _>>().map_err(|e| RecordError::Malformed {
        path: path.to_owned(),
        line: e.position().map_or(1, csv::Position::line),
        what: e.to_string(),
    })?;
    Ok(Table { rows, state })
}

/// So much of a file's end is looked at for its last row, and as much of its start for the header.
const LONGEST_LINE: u64 = 1 << 16;

/// The last whole row of a CSV file, without reading those before it; `None` where there is none yet.
///
/// # Errors
/// When the file cannot be read, or its last whole line is no row.
pub fn last_row<R: Row>(path: &Path) -> Result<Option<R>, RecordError> {
    let ends = match ends(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(RecordError::io("read", path))?,
    };
    let Some((header, line)) = ends else { return Ok(None) };
    let malformed = |e: csv::Error| RecordError::Malformed { path: path.to_owned(), line: 1, what: e.to_string() };
    let text = [header, line].concat();
    csv::Reader::from_reader(&text[..]).deserialize().next().transpose().map_err(malformed)
}

/// The first and the last whole line of a file, where these are two.
fn ends(path: &Path) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    check_is_regular(path)?;
    let file = std::fs::File::open(path)?;
    let mut start = Vec::new();
    (&file).take(LONGEST_LINE).read_to_end(&mut start)?;
    let length = file.metadata()?.len();
    let mut end = Vec::new();
    (&file).seek(SeekFrom::Start(length.saturating_sub(LONGEST_LINE)))?;
    (&file).take(LONGEST_LINE).read_to_end(&mut end)?;
    let Some(header) = start.iter().position(|b| *b == b'\n') else { return Ok(None) };
    let (whole, _) = TableState::of(&end);
    let lines = whole.strip_suffix(b"\n").unwrap_or_default();
    let Some(before) = lines.iter().rposition(|b| *b == b'\n') else { return Ok(None) };
    Ok(Some((start[..=header].to_vec(), whole[before + 1..].to_vec())))
}

#[cfg(test)]
mod tests {
    use super::super::csv_file;
    use super::super::rows::tests::{metrics, plan, trace};
    use super::*;
    use std::fs;

    #[test]
    fn reads_back_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(file::RUN), "{}").unwrap();
        csv_file::write(&dir.path().join(file::METRICS), [metrics(9, 0.1 + 0.2)]).unwrap();
        csv_file::write(&dir.path().join(file::PLAN), [plan(0), plan(1)]).unwrap();
        let run = RunReader::open(dir.path()).unwrap();
        assert_eq!(run.metrics().unwrap(), Table { rows: vec![metrics(9, 0.1 + 0.2)], state: TableState::Whole });
        assert_eq!(run.plan().unwrap().rows, [plan(0), plan(1)]);
        assert_eq!(run.trace().unwrap(), Table { rows: vec![], state: TableState::Missing });
        assert_eq!(run.is_live(), None);
    }

    #[test]
    fn cut_anywhere_the_whole_lines_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        let whole = csv_file::encode([trace(0), trace(1)]).unwrap();
        let ends: Vec<usize> = whole.iter().enumerate().filter(|&(_, &b)| b == b'\n').map(|(at, _)| at + 1).collect();
        for cut in 0..=whole.len() {
            fs::write(&path, &whole[..cut]).unwrap();
            let table = read_table::<TraceRow>(&path).unwrap();
            let lines = ends.iter().filter(|&&end| end <= cut).count();
            assert_eq!(table.rows, [trace(0), trace(1)][..lines.saturating_sub(1)], "cut at {cut}");
            assert_eq!(table.state == TableState::Whole, ends.contains(&cut), "cut at {cut}");
        }
    }

    #[test]
    fn the_last_whole_row_is_found_from_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        assert_eq!(last_row::<TraceRow>(&path).unwrap(), None);
        let whole = csv_file::encode((0..3000).map(trace)).unwrap();
        let ends: Vec<usize> = whole.iter().enumerate().filter(|&(_, &b)| b == b'\n').map(|(at, _)| at + 1).collect();
        let cuts = (0..400).chain(whole.len() - 400..=whole.len()).chain([1 << 16, (1 << 16) + 1, (1 << 17) - 1]);
        for cut in cuts {
            fs::write(&path, &whole[..cut]).unwrap();
            let lines = ends.iter().filter(|&&end| end <= cut).count() as u64;
            assert_eq!(last_row::<TraceRow>(&path).unwrap(), lines.checked_sub(2).map(trace), "cut at {cut}");
        }
    }

    #[test]
    fn a_bad_line_inside_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        let text = String::from_utf8(csv_file::encode([trace(0), trace(1)]).unwrap()).unwrap();
        fs::write(&path, text.replacen("0.1,", "fast,", 1)).unwrap();
        let error = read_table::<TraceRow>(&path).unwrap_err().to_string();
        assert!(error.contains("trace.csv:2:") && error.contains("restore"), "{error}");
    }

    #[test]
    fn further_columns_are_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        let text = String::from_utf8(csv_file::encode([trace(0)]).unwrap()).unwrap();
        fs::write(&path, text.replace("seconds\n", "seconds,lr.head\n").replace(",0.25\n", ",0.25,3\n")).unwrap();
        assert_eq!(read_table::<TraceRow>(&path).unwrap().rows, [trace(0)]);
    }
}
