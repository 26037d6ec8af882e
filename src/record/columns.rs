//! Single columns of a CSV file, fast: what comparing a thousand runs needs.

use super::error::RecordError;
use super::reader::{self, TableState};
use csv::ByteRecord;
use std::io::ErrorKind;
use std::path::Path;

/// The numbers of a column; `None` where the file lacks it.
pub type Column = Option<Vec<f64>>;

/// Some columns of a CSV file, as numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns<const N: usize> {
    /// One for each name asked for; a column that the file lacks is `None`.
    pub values: [Column; N],
    pub state: TableState,
}

/// Reads the columns of these names and passes over all others. An empty field is NaN: nothing was measured. A last line
/// that was not written to its end is left out; of a file that is absent, no column is there.
///
/// # Errors
/// When the file cannot be read, a whole line of it has too few fields, or a field is no number.
pub fn read_columns<const N: usize>(path: &Path, names: [&str; N]) -> Result<Columns<N>, RecordError> {
    let (values, state) = read_named(path, &names)?;
    let mut values = values.into_iter();
    Ok(Columns { values: std::array::from_fn(|_| values.next().flatten()), state })
}

/// As [`read_columns`], of names that are not known beforehand.
///
/// # Errors
/// Likewise.
pub fn read_named(path: &Path, names: &[&str]) -> Result<(Vec<Column>, TableState), RecordError> {
    let bytes = match reader::read_file(path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == ErrorKind::NotFound => {
            return Ok((vec![None; names.len()], TableState::Missing));
        }
        Err(cause) => return Err(RecordError::io("read", path)(cause)),
    };
    let (whole, state) = TableState::of(&bytes);
    let malformed = |line: u64, what: String| RecordError::Malformed { path: path.to_owned(), line, what };
    let unreadable = |e: csv::Error| malformed(e.position().map_or(1, csv::Position::line), e.to_string());
    let mut reader = csv::Reader::from_reader(whole);
    let header = reader.byte_headers().map_err(unreadable)?.clone();
    let place = |name: &&str| header.iter().position(|field| field == name.as_bytes());
    let places: Vec<Option<usize>> = names.iter().map(place).collect();
    let mut values: Vec<Column> = places.iter().map(|place| place.map(|_| Vec::new())).collect();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(unreadable)? {
        for ((column, place), name) in values.iter_mut().zip(&places).zip(names) {
            let (Some(column), Some(place)) = (column, place) else { continue };
            let field = record.get(*place).unwrap_or_default();
            let text = std::str::from_utf8(field).ok();
            let number = text.and_then(|text| if text.is_empty() { Some(f64::NAN) } else { text.parse().ok() });
            let Some(number) = number else {
                let line = record.position().map_or(1, csv::Position::line);
                let what = format!("`{}` of column {name} is no number", String::from_utf8_lossy(field));
                return Err(malformed(line, what));
            };
            column.push(number);
        }
    }
    Ok((values, state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_in_any_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        std::fs::write(&file, "a,b,c\n1,x,3\n4,y,NaN\n5,y,\n7,z").unwrap();
        let found = read_columns(&file, ["c", "absent", "a"]).unwrap();
        assert_eq!(found.state, TableState::Torn);
        assert_eq!(found.values[1], None);
        assert_eq!(found.values[2], Some(vec![1.0, 4.0, 5.0]));
        let c = found.values[0].as_ref().unwrap();
        assert!(c[0] == 3.0 && c[1..].iter().all(|c| c.is_nan()) && c.len() == 3, "{c:?}");
        assert_eq!(read_columns(&folder.path().join("b.csv"), ["a"]).unwrap().state, TableState::Missing);
    }

    #[test]
    fn what_is_no_number_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.csv");
        std::fs::write(&file, "a,b\n1,2\n3,fast\n").unwrap();
        let error = read_columns(&file, ["b"]).unwrap_err().to_string();
        assert!(error.contains("a.csv:3: `fast` of column b"), "{error}");
        std::fs::write(&file, "a,b\n1,2\n3\n").unwrap();
        assert!(read_columns(&file, ["b"]).unwrap_err().to_string().contains("a.csv:3"), "too few fields");
    }
}
