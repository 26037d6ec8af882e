//! `log.txt`: the events of a run in time-stamped lines for people, steps now and then.

use super::error::RecordError;
use super::event::{Event, RunFacts, Sink};
use super::scores::Scores;
use super::text::{self, Pace};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a step is logged.
const INTERVAL: Duration = Duration::from_secs(10);

/// The sink of `log.txt`. Lines are only ever added, by resumed runs too.
pub(super) struct Log {
    path: PathBuf,
    file: File,
    /// Known from the first event on.
    facts: Option<Box<RunFacts>>,
    scores: Scores,
    pace: Pace,
}

impl Log {
    /// Opens the file at its end, after a line that a killed process may have torn.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(RecordError::io("open", path))?;
        end_torn_line(&mut file).map_err(RecordError::io("write", path))?;
        Ok(Self { path: path.to_owned(), file, facts: None, scores: Scores::default(), pace: Pace::new(INTERVAL) })
    }

    fn write(&mut self, lines: &[String]) -> Result<(), RecordError> {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let text: String = lines.iter().map(|line| format!("{now}  {line}\n")).collect();
        self.file.write_all(text.as_bytes()).map_err(RecordError::io("write", &self.path))
    }
}

fn end_torn_line(file: &mut File) -> std::io::Result<()> {
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(())
}

impl Sink for Log {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        match event {
            Event::Started { facts, .. } => {
                self.facts = Some(facts.clone());
                self.scores = Scores::of(facts);
            }
            Event::Resumed { facts, rows, .. } => {
                self.facts = Some(facts.clone());
                self.scores = Scores::after(rows, facts);
            }
            Event::Evaluated(row) => {
                self.scores.add(row);
            }
            _ => {}
        }
        let Some(facts) = &self.facts else { return Ok(()) };
        let lines = match event {
            Event::StepDone(done) if self.pace.due() => vec![text::step(facts, done)],
            Event::StepDone(_) | Event::Evaluating { .. } => return Ok(()),
            event => text::lines(facts, &self.scores, event),
        };
        self.write(&lines)
    }

    fn sync(&mut self) -> Result<(), RecordError> {
        self.file.sync_data().map_err(RecordError::io("sync", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_is_ended_and_whole_ones_are_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.txt");
        for (before, after) in [("", ""), ("a\n", "a\n"), ("a\nb", "a\nb\n")] {
            std::fs::write(&path, before).unwrap();
            Log::open(&path).unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after);
        }
    }
}
