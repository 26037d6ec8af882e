//! Metrics of a run, out of its tables.

use crate::record::RecordError;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// What is sent of a table, and under which names.
pub struct Table {
    pub file: &'static str,
    /// Columns, and what they are called on the server.
    columns: &'static [(&'static str, &'static str)],
    /// Further columns that begin like this are sent, too.
    more: Option<(&'static str, &'static str)>,
    /// The column that says when a row was written, in seconds.
    seconds: Clock,
}

/// How a table tells the time of a row.
enum Clock {
    /// Seconds since the run began.
    Since(&'static str),
    /// Seconds that the row took.
    Took(&'static str),
}

pub const TRACE: Table = Table {
    file: crate::record::folder::file::TRACE,
    columns: &[
        ("loss", "train/loss"),
        ("grad_norm", "train/grad_norm"),
        ("lr", "schedule/lr"),
        ("momentum", "schedule/momentum"),
        ("weight_decay", "schedule/weight_decay"),
    ],
    more: Some(("lr.", "schedule/")),
    seconds: Clock::Took("seconds"),
};

pub const METRICS: Table = Table {
    file: crate::record::folder::file::METRICS,
    columns: &[
        ("train_loss", "eval/train_loss"),
        ("train_acc", "eval/train_acc"),
        ("val_loss", "eval/val_loss"),
        ("val_acc", "eval/val_acc"),
        ("val_acc_top5", "eval/val_acc_top5"),
        ("train_seconds", "eval/train_seconds"),
    ],
    more: Some(("val_acc_", "eval/")),
    seconds: Clock::Since("wall_seconds"),
};

/// The metrics of one row.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub step: u64,
    pub metrics: Vec<Value>,
    /// Behind it.
    pub end: Place,
}

/// A place in a table between two lines.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Before it, and so many lines.
    bytes: u64,
    lines: u64,
    /// The time of the row before it, in seconds since the run began.
    seconds: f64,
}

/// How far a table was read, which grows: nothing is read twice.
#[derive(Debug, Default)]
pub struct Bookmark {
    /// The table's first line; empty while there is none.
    header: Vec<u8>,
    /// Behind the header, where there is one.
    place: Place,
}

impl Bookmark {
    /// What is before that place is done with.
    pub fn move_to(&mut self, place: Place) {
        self.place = place;
    }

    /// The header, and the whole lines from the bookmark on. A table that is shorter than that is read from its start.
    fn unread(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let found = std::fs::metadata(path)?;
        if !found.is_file() {
            // It might never end.
            return Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file"));
        }
        if found.len() < self.place.bytes {
            *self = Self::default();
        }
        let mut lines = self.header.clone();
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(self.place.bytes))?;
        file.read_to_end(&mut lines)?;
        let is_end = |byte: &u8| *byte == b'\n';
        lines.truncate(lines.iter().rposition(is_end).map_or(0, |end| end + 1));
        if self.header.is_empty() {
            let length = lines.iter().position(is_end).map_or(0, |end| end + 1);
            self.header = lines[..length].to_vec();
            self.place = Place { bytes: length as u64, lines: 1, seconds: 0.0 };
        }
        Ok(lines)
    }
}

impl Table {
    /// The whole rows from a bookmark on that are after step `after`, as metrics that MLflow takes. Equal rows give equal metrics,
    /// their times too: what is sent twice is there once. `begun`: milliseconds since 1970. The bookmark moves behind rows
    /// that come before the first of them.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub fn rows(
        &self,
        run: &Path,
        from: &mut Bookmark,
        begun: i64,
        after: Option<u64>,
    ) -> Result<Vec<Row>, RecordError> {
        let path = run.join(self.file);
        let lines = match from.unread(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(RecordError::io("read", &path))?,
        };
        // The reader has seen the header, and none of the lines between that and the bookmark.
        let (start, head) = (from.place, from.header.len() as u64);
        let malformed = |error: csv::Error| RecordError::Malformed {
            path: path.clone(),
            line: error.position().map_or(1, |at| start.lines + at.line() - 1),
            what: error.to_string(),
        };
        let behind = |at: &csv::Position, seconds: f64| Place {
            bytes: start.bytes + at.byte() - head,
            lines: start.lines + at.line() - 2,
            seconds,
        };
        let mut reader = csv::Reader::from_reader(&lines[..]);
        let header = reader.headers().map_err(malformed)?.clone();
        let place = |name: &str| header.iter().position(|column| column == name);
        let sent: Vec<(usize, String)> =
            header.iter().enumerate().filter_map(|(k, column)| Some((k, self.key(column)?))).collect();
        let (step_at, clock_at) = (place("step"), place(self.seconds.column()));
        let mut rows = Vec::new();
        let mut spent = start.seconds;
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(malformed)? {
            let number = |k: usize| record.get(k).and_then(|text| text.parse::<f64>().ok());
            let step = step_at.and_then(number).map(|step| step as u64);
            if step.is_some() {
                let seconds = clock_at.and_then(number).unwrap_or(0.0);
                spent = if matches!(self.seconds, Clock::Since(_)) { seconds } else { spent + seconds };
            }
            let end = behind(reader.position(), spent);
            let Some(step) = step.filter(|step| after.is_none_or(|after| *step > after)) else {
                if rows.is_empty() {
                    from.move_to(end);
                }
                continue;
            };
            let timestamp = begun + (1000.0 * spent) as i64;
            let metric = |(k, key): &(usize, String)| {
                let value = number_of(number(*k)?);
                Some(json!({ "key": key, "value": value, "timestamp": timestamp, "step": step }))
            };
            rows.push(Row { step, metrics: sent.iter().filter_map(metric).collect(), end });
        }
        Ok(rows)
    }

    fn key(&self, column: &str) -> Option<String> {
        let named = self.columns.iter().find(|(name, _)| *name == column).map(|(_, key)| (*key).to_owned());
        let more =
            || self.more.filter(|(begin, _)| column.starts_with(begin)).map(|(_, group)| format!("{group}{column}"));
        named.or_else(more).map(|key| plain(&key))
    }
}

impl Clock {
    fn column(&self) -> &'static str {
        match self {
            Self::Since(column) | Self::Took(column) => column,
        }
    }
}

/// JSON has no words for what is not finite; the server takes these.
fn number_of(value: f64) -> Value {
    match value {
        value if value.is_nan() => "NaN".into(),
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        value => value.into(),
    }
}

/// A name with no other characters than the server takes: `phases[0].lr` becomes `phases.0.lr`.
pub fn plain(name: &str) -> String {
    let name = name.replace('[', ".").replace(']', "");
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-./ ".contains(c) { c } else { '_' }).collect()
}
