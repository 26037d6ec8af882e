//! CSV files that grow by whole lines and can be cut back to where a checkpoint found them.
//!
//! Every row goes through the same serialisation, `runner plan --trace` included, so that equal values are equal bytes:
//! numbers in the shortest form that reads back to the same value (`0.1`, `5e-7`, `NaN`), `\n` after each line.

use super::atomic;
use super::error::RecordError;
use super::rows::Row;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Where a file stands: what a checkpoint remembers of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Length, header included.
    pub bytes: u64,
    /// Rows below the header.
    pub rows: u64,
}

/// A CSV file open at its end. Each row is one `write` of a whole line, so that a killed process or a full disk leaves
/// at most one torn line, the last, which readers leave out and a resumed run cuts off.
#[derive(Debug)]
pub struct CsvFile {
    path: PathBuf,
    file: File,
    columns: Vec<String>,
    at: Position,
}

impl CsvFile {
    /// A new file with its header. `columns` may name more than a row type's own (`lr.head` behind those of
    /// `trace.csv`): rows are then pairs `(row, &values)`.
    ///
    /// # Errors
    /// When it exists or cannot be written.
    pub fn create(path: &Path, columns: &[&str]) -> Result<Self, RecordError> {
        let columns: Vec<String> = columns.iter().map(|&c| c.to_owned()).collect();
        let header = header_line(&columns);
        let mut file =
            OpenOptions::new().append(true).create_new(true).open(path).map_err(RecordError::io("create", path))?;
        file.write_all(&header).map_err(RecordError::io("write", path))?;
        let at = Position { bytes: header.len() as u64, rows: 0 };
        Ok(Self { path: path.to_owned(), file, columns, at })
    }

    /// Opens the file as it was at `at`: what was written after the checkpoint is cut off.
    ///
    /// # Errors
    /// When the file is not the one that stood at `at`: shorter, or with another header or number of rows.
    pub fn reopen(path: &Path, columns: &[&str], at: Position) -> Result<Self, RecordError> {
        let columns: Vec<String> = columns.iter().map(|&c| c.to_owned()).collect();
        let mut file = OpenOptions::new().read(true).append(true).open(path).map_err(RecordError::io("open", path))?;
        let mut kept = Vec::new();
        (&mut file).take(at.bytes).read_to_end(&mut kept).map_err(RecordError::io("read", path))?;
        check_kept(&kept, &header_line(&columns), at)
            .map_err(|what| RecordError::Changed { path: path.to_owned(), what })?;
        file.set_len(at.bytes).and_then(|()| file.sync_all()).map_err(RecordError::io("cut back", path))?;
        Ok(Self { path: path.to_owned(), file, columns, at })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// When it has another number of fields than the header, or cannot be written; the file then ends with the row
    /// before, or with a torn line where even that fails.
    pub fn append(&mut self, row: &impl Serialize) -> Result<(), RecordError> {
        let line = self.line(row).map_err(|e| RecordError::Row { path: self.path.clone(), what: e.to_string() })?;
        if let Err(cause) = self.file.write_all(&line) {
            let _ = self.file.set_len(self.at.bytes);
            return Err(RecordError::io("write", &self.path)(cause));
        }
        self.at.bytes += line.len() as u64;
        self.at.rows += 1;
        Ok(())
    }

    /// Where the file stands now.
    pub fn position(&self) -> Position {
        self.at
    }

    /// Brings all rows onto the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), RecordError> {
        self.file.sync_data().map_err(RecordError::io("sync", &self.path))
    }

    /// The row's line. The header is written before it and taken off again: csv then checks the number of fields.
    fn line(&self, row: &impl Serialize) -> csv::Result<Vec<u8>> {
        let mut writer = writer();
        writer.write_record(&self.columns)?;
        writer.serialize(row)?;
        let bytes = writer.into_inner().map_err(|e| io::Error::other(e.to_string()))?;
        Ok(bytes[header_line(&self.columns).len()..].to_vec())
    }
}

/// A whole table as bytes, header first: `plan.csv`, `runner plan --csv` and `--trace`.
///
/// # Errors
/// When a row has other fields than [`Row::COLUMNS`] says.
pub fn encode<R: Row>(rows: impl IntoIterator<Item = R>) -> csv::Result<Vec<u8>> {
    encode_columns(R::COLUMNS, rows)
}

/// The same where columns are not those of a row type alone.
///
/// # Errors
/// When a row has not as many fields as there are columns.
pub fn encode_columns(columns: &[&str], rows: impl IntoIterator<Item = impl Serialize>) -> csv::Result<Vec<u8>> {
    let mut writer = writer();
    writer.write_record(columns)?;
    for row in rows {
        writer.serialize(row)?;
    }
    writer.into_inner().map_err(|e| io::Error::other(e.to_string()).into())
}

/// Writes a whole table at once, atomically.
///
/// # Errors
/// Those of [`encode`] and [`atomic::write`].
pub fn write<R: Row>(path: &Path, rows: impl IntoIterator<Item = R>) -> Result<(), RecordError> {
    let bytes = encode(rows).map_err(|e| RecordError::Row { path: path.to_owned(), what: e.to_string() })?;
    atomic::write(path, &bytes)
}

/// With numbers and quotes as all our CSV has them; the header is written as a record.
pub(super) fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new())
}

/// Column names are plain words: they need no quotes.
fn header_line(columns: &[String]) -> Vec<u8> {
    (columns.join(",") + "\n").into_bytes()
}

/// Whether `kept`, the file up to `at`, is what was there when `at` was taken; else what is wrong.
fn check_kept(kept: &[u8], header: &[u8], at: Position) -> Result<(), String> {
    if (kept.len() as u64) < at.bytes {
        return Err(format!("it holds {} bytes of {}", kept.len(), at.bytes));
    }
    if !kept.starts_with(header) {
        return Err("it has another header".to_owned());
    }
    let rows = kept.iter().filter(|&&b| b == b'\n').count() as u64 - 1;
    if rows != at.rows || !kept.ends_with(b"\n") {
        return Err(format!("it holds {rows} whole rows where {} were", at.rows));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::{metrics, trace};
    use super::super::rows::{MetricsRow, TraceRow};
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    fn filled(path: &Path, rows: u64) -> CsvFile {
        let mut file = CsvFile::create(path, TraceRow::COLUMNS).unwrap();
        (0..rows).for_each(|step| file.append(&trace(step)).unwrap());
        file
    }

    #[test]
    fn rows_are_lines_and_equal_a_table_written_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        let file = filled(&path, 3);
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes, encode((0..3).map(trace)).unwrap());
        assert_eq!(file.position(), Position { bytes: bytes.len() as u64, rows: 3 });
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(
            text.lines().next().unwrap(),
            "step,epoch,phase,optimizer,size,batch,lr,momentum,weight_decay,loss,grad_norm,seconds"
        );
        assert_eq!(text.lines().nth(1).unwrap(), "0,0,1,sgd,24,128,0.1,0.95,0.0005,0.3333333333333333,1.5e-7,0.25");
    }

    #[test]
    fn a_table_without_rows_has_its_header() {
        assert_eq!(encode::<MetricsRow>([]).unwrap(), (MetricsRow::COLUMNS.join(",") + "\n").into_bytes());
    }

    #[test]
    fn reopened_at_a_position_it_goes_on_as_if_never_stopped() {
        let dir = tempfile::tempdir().unwrap();
        let (whole, cut) = (dir.path().join("whole.csv"), dir.path().join("cut.csv"));
        filled(&whole, 9);
        for kept in 0..6 {
            let mut file = filled(&cut, kept);
            let at = file.position();
            (kept..6).for_each(|step| file.append(&trace(step)).unwrap());
            drop(file);
            // A killed process: the last line is torn.
            let torn = OpenOptions::new().write(true).open(&cut).unwrap();
            torn.set_len(fs::metadata(&cut).unwrap().len() - 7 * u64::from(kept < 5)).unwrap();
            let mut file = CsvFile::reopen(&cut, TraceRow::COLUMNS, at).unwrap();
            (kept..9).for_each(|step| file.append(&trace(step)).unwrap());
            assert_eq!(fs::read(&cut).unwrap(), fs::read(&whole).unwrap(), "kept {kept}");
            fs::remove_file(&cut).unwrap();
        }
    }

    #[test]
    fn a_changed_file_is_refused_and_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        let at = filled(&path, 4).position();
        let good = fs::read(&path).unwrap();
        let check = |bytes: &[u8], columns: &[&str], want: &str| {
            fs::write(&path, bytes).unwrap();
            let error = CsvFile::reopen(&path, columns, at).unwrap_err().to_string();
            assert!(error.contains(want) && error.contains("trace.csv"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), bytes);
        };
        check(&good[..good.len() - 1], TraceRow::COLUMNS, "bytes of");
        check(&good, MetricsRow::COLUMNS, "another header");
        let mut joined = good.clone();
        joined[good.len() - 80] = b'\n';
        check(&joined, TraceRow::COLUMNS, "5 whole rows where 4 were");
        joined = [&good[..good.len() - 1], b"0\n"].concat();
        check(&joined, TraceRow::COLUMNS, "3 whole rows where 4 were");
    }

    #[test]
    fn further_columns_follow_the_row() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("trace.csv");
        let columns = [TraceRow::COLUMNS, &["lr.head", "lr.stem"]].concat();
        let mut file = CsvFile::create(&path, &columns).unwrap();
        file.append(&(trace(0), [0.5, 0.25])).unwrap();
        let error = file.append(&trace(1)).unwrap_err();
        assert!(error.to_string().contains("does not fit the columns"), "{error}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.ends_with(",0.25,0.5,0.25\n") && text.lines().count() == 2, "{text}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error_that_names_the_file() {
        let path = Path::new("/dev/full");
        let file = OpenOptions::new().append(true).open(path).unwrap();
        let columns = TraceRow::COLUMNS.iter().map(|&c| c.to_owned()).collect();
        let mut file = CsvFile { path: path.to_owned(), file, columns, at: Position { bytes: 0, rows: 0 } };
        let error = file.append(&trace(0)).unwrap_err().to_string();
        assert!(error.contains("/dev/full") && error.contains("free some space"), "{error}");
        assert_eq!(file.position(), Position { bytes: 0, rows: 0 });
    }

    proptest! {
        #[test]
        fn numbers_read_back_to_the_same_value(bits: u64, count: u64) {
            let row = MetricsRow { step: count, images: count, ..metrics(0, f64::from_bits(bits)) };
            let bytes = encode([row]).unwrap();
            let back: MetricsRow = csv::Reader::from_reader(&bytes[..]).deserialize().next().unwrap().unwrap();
            prop_assert_eq!((back.step, back.images), (count, count));
            let value = f64::from_bits(bits);
            prop_assert!(back.val_acc.to_bits() == bits || (value.is_nan() && back.val_acc.is_nan()));
        }
    }
}
