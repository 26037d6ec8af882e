//! Event files: records one after the other, each with its length and checksums (TFRecord).

use super::proto::Message;
use crate::record::RecordError;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// How names of event files begin; TensorBoard finds them by it, and reads them in the order of their names.
const PREFIX: &str = "events.out.tfevents.";
const SUFFIX: &str = ".runner";
/// The version of what events mean.
const VERSION: &str = "brain.Event:2";

/// Fields of `Event`.
pub mod event {
    pub const WALL_TIME: u64 = 1;
    pub const STEP: u64 = 2;
    pub const FILE_VERSION: u64 = 3;
    pub const SUMMARY: u64 = 5;
    pub const SESSION_LOG: u64 = 7;
}

/// An event file of a run, open at its end.
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a further file in the folder, to be read after those that are there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(folder: &Path) -> Result<Self, RecordError> {
        let numbers = numbers(folder).map_err(RecordError::io("read the folder", folder))?;
        let last = numbers.iter().max().copied();
        // A clock that was set back must not put this file before the others.
        let second = (now() as u64).max(last.map_or(0, |(second, _)| second));
        let path = folder.join(format!("{PREFIX}{second:010}.{:03}{SUFFIX}", numbers.len()));
        let file =
            OpenOptions::new().append(true).create_new(true).open(&path).map_err(RecordError::io("create", &path))?;
        let mut events = Self { path, file };
        events.write(0, |event| event.text(event::FILE_VERSION, VERSION))?;
        Ok(events)
    }

    /// Whether a folder has event files.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn is_in(folder: &Path) -> Result<bool, RecordError> {
        Ok(!numbers(folder).map_err(RecordError::io("read the folder", folder))?.is_empty())
    }

    /// Adds an event of step `step`, in one write: a killed process leaves at most a torn record, where readers stop.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, step: u64, fill: impl FnOnce(Message) -> Message) -> Result<(), RecordError> {
        let event = fill(Message::new().double(event::WALL_TIME, now()).int(event::STEP, step));
        self.file.write_all(&record(event.bytes())).map_err(RecordError::io("write", &self.path))
    }

    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), RecordError> {
        self.file.sync_data().map_err(RecordError::io("sync", &self.path))
    }
}

/// Seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Second and number of each event file in the folder.
fn numbers(folder: &Path) -> io::Result<Vec<(u64, u64)>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        let inside = name.strip_prefix(PREFIX).and_then(|rest| rest.strip_suffix(SUFFIX));
        let both = inside.and_then(|inside| inside.split_once('.'));
        numbers.extend(both.and_then(|(second, number)| Some((second.parse().ok()?, number.parse().ok()?))));
    }
    Ok(numbers)
}

/// Length (8 bytes), its checksum (4), the data, its checksum (4); little-endian.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), data, &masked(data)].concat()
}

/// A CRC-32C that may itself be checksummed: turned, and a constant added.
fn masked(data: &[u8]) -> [u8; 4] {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first record of a file that TensorBoard 2.21 wrote.
    #[test]
    fn records_are_those_of_tensorboard() {
        let event = Message::new().double(1, 1_700_000_000.0).text(3, VERSION);
        let written =
            b"\x18\x00\x00\x00\x00\x00\x00\x00\xa3\x7fK\"\t\x00\x00\x00@\xfcT\xd9A\x1a\rbrain.Event:2\xec\xed\x8f\x9d";
        assert_eq!(record(event.bytes()), written);
    }

    #[test]
    fn later_files_are_read_later() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("events.out.tfevents.9000000000.000.runner"), "").unwrap();
        for _ in 0..3 {
            EventFile::create(folder.path()).unwrap();
        }
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let expected: Vec<_> = (0..4).map(|k| format!("events.out.tfevents.9000000000.{k:03}.runner")).collect();
        assert_eq!(names, expected);
    }
}
