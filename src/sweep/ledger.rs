//! `trials.csv`: what is to be tried, and what became of it.

use crate::record::run_json::Fork;
use crate::record::{RecordError, atomic};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The columns before those of the axes.
const COLUMNS: [&str; 7] = ["trial", "seed", "state", "run", "objective", "seconds", "reason"];
/// Those behind them, which the tables of older sweeps lack.
const SAVED: [&str; 2] = ["saved_steps", "saved_seconds"];

/// What a trial is known by: its point's number and its seed.
pub type Id = (usize, u64);

/// One point of a sweep with one seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Trial {
    /// The point's number, from 0; seeds of one point share it.
    pub number: usize,
    pub seed: u64,
    pub state: State,
    /// Its run folder, inside the sweep's.
    pub run: String,
    /// The metric that the sweep is about, at the last evaluation.
    pub objective: Option<f64>,
    /// Of training.
    pub seconds: Option<f64>,
    /// Why it ended as it did; empty while there is nothing to say.
    pub reason: String,
    /// The axes' values, as the sweep file writes them.
    pub values: Vec<String>,
    /// What it had not to train itself.
    pub saved: Option<Saved>,
}

/// The beginning of a trial that another one trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saved {
    pub steps: u64,
    /// Of training; the trial's own include them.
    pub seconds: f64,
}

impl From<&Fork> for Saved {
    fn from(fork: &Fork) -> Self {
        Self { steps: fork.steps, seconds: fork.seconds }
    }
}

/// How a trial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not begun.
    Planned,
    /// Begun; if no process writes it any more, it was killed and can go on.
    Running,
    Done,
    /// It crashed, was killed for memory, or its experiment could not run. It runs again only when asked for.
    Failed,
    /// Its loss became NaN, or the stop rule fired: a result, not a failure.
    Diverged,
    /// Given up before its end, for others did better: a result, too.
    Pruned,
    /// Stopped by a signal after a checkpoint, or killed together with the sweep: it goes on.
    Interrupted,
}

impl State {
    const ALL: [Self; 7] =
        [Self::Planned, Self::Running, Self::Done, Self::Failed, Self::Diverged, Self::Pruned, Self::Interrupted];

    /// As `trials.csv` writes it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Diverged => "diverged",
            Self::Pruned => "pruned",
            Self::Interrupted => "interrupted",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Whether there is nothing left to run.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Diverged | Self::Pruned)
    }
}

impl Trial {
    /// One that is not begun.
    pub fn planned(number: usize, seed: u64, values: Vec<String>) -> Self {
        Self {
            number,
            seed,
            state: State::Planned,
            run: format!("t{number:03}-s{seed}"),
            objective: None,
            seconds: None,
            reason: String::new(),
            values,
            saved: None,
        }
    }

    pub fn id(&self) -> Id {
        (self.number, self.seed)
    }
}

/// The axes that the trials in a file have, by its header; `None` where it is no table of trials.
pub fn axes_in(path: &Path) -> Option<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).ok()?;
    let header: Vec<String> = reader.headers().ok()?.iter().map(str::to_owned).collect();
    let axes = header.strip_prefix(&COLUMNS.map(str::to_owned)[..])?;
    Some(axes.strip_suffix(&SAVED.map(str::to_owned)[..]).unwrap_or(axes).to_vec())
}

/// All trials of a sweep, kept in its folder.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    /// The axes' names.
    pub axes: Vec<String>,
    /// By number, then seed.
    pub trials: Vec<Trial>,
}

impl Ledger {
    /// An empty one, which is to lie at `path`.
    pub fn new(path: PathBuf, axes: Vec<String>) -> Self {
        Self { path, axes, trials: Vec::new() }
    }

    /// The points that have trials.
    pub fn numbers(&self) -> BTreeSet<usize> {
        self.trials.iter().map(|trial| trial.number).collect()
    }

    /// The number of the next point: those there are count from 0.
    pub fn next_number(&self) -> usize {
        self.trials.iter().map(|trial| trial.number + 1).max().unwrap_or(0)
    }

    /// Reads `path`, which must have these axes; an empty ledger where there is no such file.
    ///
    /// # Errors
    /// When it cannot be read, makes no sense, or is of other axes.
    pub fn read(path: &Path, axes: Vec<String>) -> Result<Self, RecordError> {
        let mut ledger = Self::new(path.to_owned(), axes);
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(ledger),
            Err(cause) => return Err(RecordError::io("read", path)(cause)),
        };
        let malformed = |line: u64, what: String| RecordError::Trials { path: path.to_owned(), line, what };
        let mut reader = csv::Reader::from_reader(&text[..]);
        let header = reader.headers().map_err(|e| malformed(1, e.to_string()))?;
        let expected = ledger.columns();
        let older = &expected[..expected.len() - SAVED.len()];
        if header.iter().ne(expected.iter().copied()) && header.iter().ne(older.iter().copied()) {
            return Err(malformed(1, format!("its columns are not `{}`", expected.join(","))));
        }
        for record in reader.records() {
            let record = record.map_err(|e| malformed(e.position().map_or(1, csv::Position::line), e.to_string()))?;
            let line = record.position().map_or(1, csv::Position::line);
            let trial =
                trial(&record, ledger.axes.len()).ok_or_else(|| malformed(line, "this is no trial".to_owned()))?;
            ledger.trials.push(trial);
        }
        ledger.sort();
        Ok(ledger)
    }

    fn columns(&self) -> Vec<&str> {
        COLUMNS.into_iter().chain(self.axes.iter().map(String::as_str)).chain(SAVED).collect()
    }

    /// Lies at another path from now on.
    pub fn move_to(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// Adds trials and keeps the order.
    pub fn extend(&mut self, trials: impl IntoIterator<Item = Trial>) {
        self.trials.extend(trials);
        self.sort();
    }

    fn sort(&mut self) {
        self.trials.sort_by_key(Trial::id);
    }

    /// Replaces the file as a whole, synced.
    ///
    /// # Errors
    /// When the disk refuses; the file is then as before.
    pub fn write(&self) -> Result<(), RecordError> {
        atomic::write_with(&self.path, |out| {
            let mut writer = csv::Writer::from_writer(out);
            writer.write_record(self.columns())?;
            for trial in &self.trials {
                writer.write_record(record(trial))?;
            }
            writer.flush()
        })
    }
}

fn record(trial: &Trial) -> Vec<String> {
    let number = |x: Option<f64>| x.map_or(String::new(), |x| x.to_string());
    let fixed = [
        trial.number.to_string(),
        trial.seed.to_string(),
        trial.state.word().to_owned(),
        trial.run.clone(),
        number(trial.objective),
        number(trial.seconds),
        trial.reason.clone(),
    ];
    let saved = trial.saved.map(|saved| [saved.steps.to_string(), saved.seconds.to_string()]).unwrap_or_default();
    fixed.into_iter().chain(trial.values.iter().cloned()).chain(saved).collect()
}

fn trial(record: &csv::StringRecord, axes: usize) -> Option<Trial> {
    let number = |k: usize| match record.get(k)? {
        "" => Some(None),
        text => text.parse().ok().map(Some),
    };
    Some(Trial {
        number: record.get(0)?.parse().ok()?,
        seed: record.get(1)?.parse().ok()?,
        state: State::from_word(record.get(2)?)?,
        run: record.get(3)?.to_owned(),
        objective: number(4)?,
        seconds: number(5)?,
        reason: record.get(6)?.to_owned(),
        values: record.iter().skip(COLUMNS.len()).take(axes).map(str::to_owned).collect(),
        saved: saved(record, COLUMNS.len() + axes)?,
    })
}

/// The two columns from that place on; absent in older tables, empty where all was trained.
fn saved(record: &csv::StringRecord, at: usize) -> Option<Option<Saved>> {
    match (record.get(at).unwrap_or_default(), record.get(at + 1).unwrap_or_default()) {
        ("", "") => Some(None),
        (steps, seconds) => Some(Some(Saved { steps: steps.parse().ok()?, seconds: seconds.parse().ok()? })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.csv");
        let axes = vec!["phases[1].lr.to".to_owned(), "shape".to_owned()];
        let mut ledger = Ledger::read(&path, axes.clone()).unwrap();
        let mut done = Trial::planned(1, 2, vec!["0.4".to_owned(), "a, \"b\"".to_owned()]);
        (done.state, done.objective, done.seconds) = (State::Done, Some(0.1 + 0.2), Some(12.5));
        done.reason = "two\nlines".to_owned();
        done.saved = Some(Saved { steps: 120, seconds: 0.1 });
        ledger.extend([done, Trial::planned(0, 3, vec!["0.1".to_owned(), String::new()])]);
        ledger.write().unwrap();
        let again = Ledger::read(&path, axes).unwrap();
        assert_eq!(again.trials, ledger.trials);
        assert_eq!(again.trials[0].run, "t000-s3");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with(
                "trial,seed,state,run,objective,seconds,reason,phases[1].lr.to,shape,saved_steps,saved_seconds\n"
            ),
            "{text}"
        );
        let older = text.replace(",saved_steps,saved_seconds", "").replace(",120,0.1", "").replace(",,\n", "\n");
        std::fs::write(&path, older).unwrap();
        let read = Ledger::read(&path, ledger.axes.clone()).unwrap();
        assert_eq!((read.trials[1].saved, &read.trials[1].values), (None, &ledger.trials[1].values));
        let error = Ledger::read(&path, vec!["other".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("trials.csv:1: its columns are not `trial,seed,"), "{error}");
        assert_eq!(axes_in(&path), Some(ledger.axes.clone()), "of an older version");
        std::fs::write(&path, text.replace("done", "won")).unwrap();
        let error = Ledger::read(&path, ledger.axes.clone()).unwrap_err().to_string();
        assert!(error.contains("trials.csv:3") && error.contains("start a new sweep"), "{error}");
        assert_eq!(axes_in(&path), Some(ledger.axes.clone()));
        std::fs::write(&path, "run,state\n").unwrap();
        assert_eq!(axes_in(&path), None);
    }
}
