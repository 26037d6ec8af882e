//! One place for the engine to tell events to: the run folder with all its sinks.

use super::csv_file::{CsvFile, Position};
use super::error::RecordError;
use super::event::{Event, RunFacts, SecondsByKind, Sink, Status};
use super::folder::{RunFolder, file};
use super::log::Log;
use super::reader;
use super::rows::{MetricsRow, Row, TraceRow};
use super::run_json::{Fork, RunJson};
use super::scores::Scores;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Where the growing files of a run stand, by name: part of a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Positions(pub BTreeMap<String, Position>);

impl Positions {
    /// A checkpoint that does not know a file is not of this program.
    fn of(&self, folder: &RunFolder, name: &str) -> Result<Position, RecordError> {
        self.0.get(name).copied().ok_or_else(|| RecordError::Changed {
            path: folder.join(name),
            what: "the checkpoint does not say where it stood".to_owned(),
        })
    }
}

/// A run's folder and all that is written about the run.
///
/// A checkpoint goes: [`sync`](Self::sync), take [`positions`](Self::positions), write the checkpoint with them,
/// then tell [`Event::Checkpoint`]. Killed anywhere in between, the run goes on from a checkpoint whose rows are on the
/// disk.
pub struct Recorder {
    folder: Arc<RunFolder>,
    /// The display comes last: it shows what is recorded.
    sinks: Vec<Box<dyn Sink>>,
    scores: Scores,
}

impl Recorder {
    /// Begins the records of a new run and tells [`Event::Started`].
    ///
    /// # Errors
    /// When a file cannot be made.
    pub fn create(folder: RunFolder, facts: RunFacts, display: Box<dyn Sink>) -> Result<Self, RecordError> {
        let folder = Arc::new(folder);
        let own = own_columns(&facts);
        let columns: Vec<&str> = TraceRow::COLUMNS.iter().copied().chain(own.iter().copied()).collect();
        let trace = Trace(CsvFile::create(&folder.join(file::TRACE), &columns)?, (0..own.len()).collect());
        let sinks: Vec<Box<dyn Sink>> = vec![
            Box::new(Metrics(CsvFile::create(&folder.join(file::METRICS), &metrics_columns(&facts))?, further(&facts))),
            Box::new(trace),
            Box::new(Info(RunJson::create(&folder.join(file::RUN), &facts)?, Arc::clone(&folder))),
            Box::new(Log::open(&folder.join(file::LOG))?),
            display,
        ];
        let scores = Scores::of(&facts);
        let started = Event::Started { folder: folder.path().to_owned(), facts: Box::new(facts) };
        let mut recorder = Self { folder, sinks, scores };
        recorder.event(&started)?;
        Ok(recorder)
    }

    /// Goes on with the records of a run from a checkpoint before step `step`: rows after it are cut. Tells
    /// [`Event::Resumed`].
    ///
    /// # Errors
    /// When a file is missing, or is not the one that the checkpoint was written beside.
    pub fn resume(
        folder: RunFolder,
        facts: RunFacts,
        step: u64,
        at: &Positions,
        display: Box<dyn Sink>,
    ) -> Result<Self, RecordError> {
        Self::reopen(folder, facts, step, at, display, |path, facts, rows| RunJson::resume(path, facts, step, rows))
    }

    /// Begins the records of a run behind those of another one's beginning, which lie in the folder already: as
    /// [`resume`](Self::resume), but that there was no such run before.
    ///
    /// # Errors
    /// As [`resume`](Self::resume).
    pub fn fork(
        folder: RunFolder,
        facts: RunFacts,
        fork: &Fork,
        seconds: SecondsByKind,
        at: &Positions,
        display: Box<dyn Sink>,
    ) -> Result<Self, RecordError> {
        let json = |path: &Path, facts: &RunFacts, rows: &[MetricsRow]| RunJson::fork(path, facts, fork, seconds, rows);
        Self::reopen(folder, facts, fork.steps, at, display, json)
    }

    fn reopen(
        folder: RunFolder,
        facts: RunFacts,
        step: u64,
        at: &Positions,
        display: Box<dyn Sink>,
        json: impl FnOnce(&Path, &RunFacts, &[MetricsRow]) -> Result<RunJson, RecordError>,
    ) -> Result<Self, RecordError> {
        let folder = Arc::new(folder);
        let reopen = |name: &str, columns: &[&str]| {
            at.of(&folder, name).and_then(|at| CsvFile::reopen(&folder.join(name), columns, at))
        };
        let metrics = reopen(file::METRICS, &metrics_columns(&facts))?;
        let own = own_columns(&facts);
        let places = own_places(&folder.join(file::TRACE), &own)?;
        let kept = places.iter().map(|place| own[*place]);
        let columns: Vec<&str> = TraceRow::COLUMNS.iter().copied().chain(kept).collect();
        let trace = reopen(file::TRACE, &columns)?;
        let rows = reader::read_table(&folder.join(file::METRICS))?.rows;
        let sinks: Vec<Box<dyn Sink>> = vec![
            Box::new(Metrics(metrics, further(&facts))),
            Box::new(Trace(trace, places)),
            Box::new(Info(json(&folder.join(file::RUN), &facts, &rows)?, Arc::clone(&folder))),
            Box::new(Log::open(&folder.join(file::LOG))?),
            display,
        ];
        let scores = Scores::after(&rows, &facts);
        let resumed = Event::Resumed { folder: folder.path().to_owned(), facts: Box::new(facts), step, rows };
        let mut recorder = Self { folder, sinks, scores };
        recorder.event(&resumed)?;
        Ok(recorder)
    }

    /// Tells an event to every sink, also when one fails: a full disk must not hide the end of a run from its display.
    ///
    /// # Errors
    /// The first one met.
    pub fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        if let Event::Evaluated(row) = event {
            self.scores.add(row);
        }
        first_error(self.sinks.iter_mut().map(|sink| sink.event(event)))
    }

    /// Brings all records onto the disk.
    ///
    /// # Errors
    /// The first one met.
    pub fn sync(&mut self) -> Result<(), RecordError> {
        first_error(self.sinks.iter_mut().map(|sink| sink.sync()))
    }

    /// Where the growing files stand now.
    pub fn positions(&self) -> Positions {
        Positions(self.sinks.iter().filter_map(|s| s.position()).map(|(name, at)| (name.to_owned(), at)).collect())
    }

    /// The step of the best evaluation so far.
    pub fn best_step(&self) -> Option<u64> {
        self.scores.best.as_ref().map(|row| row.step)
    }

    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }
}

/// Leaves word of a run that could not begin: its folder says that it failed or, where not even that can be written, is
/// removed. Called with the folder's files as [`Recorder::create`] or what comes before it left them.
pub fn could_not_begin(folder: &Path, facts: &RunFacts, reason: &str) {
    let failed = Event::Finished {
        status: Status::Failed,
        exit_reason: reason.to_owned(),
        step: 0,
        seconds: SecondsByKind::default(),
        skipped_steps: None,
    };
    let said = RunJson::create(&folder.join(file::RUN), facts).and_then(|mut json| json.event(&failed));
    if said.is_err() {
        for name in [file::EXPERIMENT, file::PLAN, file::SCHEDULE, file::METRICS, file::TRACE, file::RUN, file::LOG] {
            // What is not there need not go; what cannot go stays, and the folder with it.
            let _ = std::fs::remove_file(folder.join(name));
        }
        // As long as anything else is left, the lock tells that it is of a run.
        let is_lock = |entry: std::fs::DirEntry| entry.file_name() == file::LOCK;
        if std::fs::read_dir(folder).is_ok_and(|entries| entries.flatten().all(is_lock)) {
            let _ = std::fs::remove_file(folder.join(file::LOCK));
            let _ = std::fs::remove_dir(folder);
        }
    }
}

/// Goes through all results, then gives the first error.
fn first_error(results: impl Iterator<Item = Result<(), RecordError>>) -> Result<(), RecordError> {
    let mut first = Ok(());
    for result in results {
        first = first.and(result);
    }
    first
}

/// Those of all runs, and those that this run asks for.
fn metrics_columns(facts: &RunFacts) -> Vec<&'static str> {
    MetricsRow::COLUMNS.iter().copied().chain(further(facts)).collect()
}

fn further(facts: &RunFacts) -> Vec<&'static str> {
    MetricsRow::further_columns(facts.tta, facts.average.is_some())
}

/// `metrics.csv`, and the columns that it has besides those of all runs.
struct Metrics(CsvFile, Vec<&'static str>);

impl Sink for Metrics {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        let Event::Evaluated(row) = event else { return Ok(()) };
        self.0.append(&row.clone().split(&self.1))
    }
    fn sync(&mut self) -> Result<(), RecordError> {
        self.0.sync()
    }
    fn position(&self) -> Option<(&'static str, Position)> {
        Some((file::METRICS, self.0.position()))
    }
}

/// `run.json`, put into the folder by its path each time: as long as that is the run's. Others are told all the same: their files are
/// open wherever the folder is.
struct Info(RunJson, Arc<RunFolder>);

impl Sink for Info {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        // Not at each step, of which there are many.
        if matches!(event, Event::Evaluated(_) | Event::Checkpoint { .. } | Event::Finished { .. }) {
            self.1.check_in_place()?;
        }
        self.0.event(event)
    }
    /// Before a checkpoint, whose folder would be made anew.
    fn sync(&mut self) -> Result<(), RecordError> {
        self.1.check_in_place()?;
        self.0.sync()
    }
}

/// Those that this run has besides those of all: rates that differ from the phase's, bounds, shares.
fn own_columns(facts: &RunFacts) -> Vec<&str> {
    facts.lr_columns.iter().chain(&facts.step_columns).map(String::as_str).collect()
}

/// For each column of a table behind those of all runs, which of the run's own it is. The program that began the table may have known
/// fewer of them, or had them in another order.
///
/// # Errors
/// When the table cannot be read, or has one that is none of them.
fn own_places(path: &Path, own: &[&str]) -> Result<Vec<usize>, RecordError> {
    let mut first = String::new();
    let table = std::fs::File::open(path).map_err(RecordError::io("read", path))?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(table), &mut first)
        .map_err(RecordError::io("read", path))?;
    let place = |column: &str| {
        let what = || format!("it has a column `{column}`, which the run has not");
        let place = own.iter().position(|name| *name == column);
        place.ok_or_else(|| RecordError::Changed { path: path.to_owned(), what: what() })
    };
    first.trim_end().split(',').skip(TraceRow::COLUMNS.len()).map(place).collect()
}

/// `trace.csv`, and which of the run's own columns each of its further ones is.
struct Trace(CsvFile, Vec<usize>);

impl Sink for Trace {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        if let Event::StepDone(done) = event {
            let own: Vec<f64> = done.own_lrs.iter().chain(&done.step_values).copied().collect();
            self.0.append(&(&done.row, self.1.iter().map(|place| own[*place]).collect::<Vec<_>>()))
        } else {
            Ok(())
        }
    }
    fn sync(&mut self) -> Result<(), RecordError> {
        self.0.sync()
    }
    fn position(&self) -> Option<(&'static str, Position)> {
        Some((file::TRACE, self.0.position()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::StepDone;
    use super::super::event::tests::{facts, step_done};
    use super::super::reader::RunReader;
    use super::super::rows::tests::metrics;
    use super::*;
    use std::fs;
    use std::sync::{Arc, Mutex};

    /// A display that keeps what it is told.
    #[derive(Clone, Default)]
    struct Told(Arc<Mutex<Vec<Event>>>);

    impl Sink for Told {
        fn event(&mut self, event: &Event) -> Result<(), RecordError> {
            self.0.lock().unwrap().push(event.clone());
            Ok(())
        }
    }

    /// Steps `from..to`, an evaluation after every fourth.
    fn train(recorder: &mut Recorder, from: u64, to: u64) {
        for step in from..to {
            recorder.event(&Event::StepDone(step_done(step))).unwrap();
            if step % 4 == 3 {
                recorder.event(&Event::Evaluated(metrics(step, 0.01 * step as f64))).unwrap();
            }
        }
    }

    fn files(folder: &Path) -> [Vec<u8>; 2] {
        [file::METRICS, file::TRACE].map(|name| fs::read(folder.join(name)).unwrap())
    }

    #[test]
    fn a_resumed_run_leaves_the_files_of_an_uninterrupted_one() {
        let dir = tempfile::tempdir().unwrap();
        let whole = RunFolder::create(dir.path(), "whole").unwrap();
        let whole_path = whole.path().to_owned();
        train(&mut Recorder::create(whole, facts(), Box::new(Told::default())).unwrap(), 0, 12);

        for (saved, killed) in [(0, 0), (0, 5), (3, 4), (4, 11), (6, 9)] {
            let folder = RunFolder::create(dir.path(), "cut").unwrap();
            let path = folder.path().to_owned();
            let mut recorder = Recorder::create(folder, facts(), Box::new(Told::default())).unwrap();
            train(&mut recorder, 0, saved);
            recorder.sync().unwrap();
            let text = serde_json::to_string(&recorder.positions()).unwrap();
            train(&mut recorder, saved, killed);
            drop(recorder);

            let told = Told::default();
            let at: Positions = serde_json::from_str(&text).unwrap();
            let folder = RunFolder::open(&path).unwrap();
            let mut recorder = Recorder::resume(folder, facts(), saved, &at, Box::new(told.clone())).unwrap();
            train(&mut recorder, saved, 12);
            assert_eq!(files(&path), files(&whole_path), "saved {saved}, killed {killed}");
            match &told.0.lock().unwrap()[0] {
                Event::Resumed { step, rows, .. } => assert_eq!((*step, rows.len() as u64), (saved, saved / 4)),
                other => panic!("{other:?}"),
            }
        }
    }

    /// Those that the program has come to record since it was begun are left out.
    #[test]
    fn a_run_goes_on_with_the_columns_that_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let columns = |names: &[&str]| RunFacts {
            step_columns: names.iter().map(|name| (*name).to_owned()).collect(),
            ..facts()
        };
        let done =
            |step: u64, values: &[f64]| Event::StepDone(StepDone { step_values: values.to_vec(), ..step_done(step) });
        let folder = RunFolder::create(dir.path(), "old").unwrap();
        let path = folder.path().to_owned();
        let mut recorder = Recorder::create(folder, columns(&["mix", "decay"]), Box::new(Told::default())).unwrap();
        recorder.event(&done(0, &[0.5, 0.25])).unwrap();
        recorder.sync().unwrap();
        let at = recorder.positions();
        drop(recorder);
        let facts = columns(&["decay", "beta", "mix"]);
        let folder = RunFolder::open(&path).unwrap();
        let mut recorder = Recorder::resume(folder, facts, 1, &at, Box::new(Told::default())).unwrap();
        recorder.event(&done(1, &[0.125, 0.9, 0.75])).unwrap();
        drop(recorder);
        let text = fs::read_to_string(path.join(file::TRACE)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let ends = [",mix,decay", ",0.5,0.25", ",0.75,0.125"];
        assert!(lines.len() == 3 && lines.iter().zip(ends).all(|(line, end)| line.ends_with(end)), "{text}");
    }

    #[test]
    fn test_time_augmentation_is_a_column_of_runs_that_ask_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let rows = [metrics(0, 0.5), MetricsRow { val_acc_tta: Some(0.75), ..metrics(1, 0.5) }];
        for (tta, header, last) in [(false, "wall_seconds", "14.0"), (true, "wall_seconds,val_acc_tta", "14.0,0.75")] {
            let folder = RunFolder::create(dir.path(), "a").unwrap();
            let path = folder.path().join(file::METRICS);
            let mut recorder =
                Recorder::create(folder, RunFacts { tta, ..facts() }, Box::new(Told::default())).unwrap();
            for row in &rows {
                recorder.event(&Event::Evaluated(row.clone())).unwrap();
            }
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines[0].ends_with(header) && lines[2].ends_with(last), "{text}");
            assert!(lines[1].ends_with(if tta { "14.0," } else { "14.0" }), "{text}");
            let read = reader::read_table::<MetricsRow>(&path).unwrap().rows;
            assert_eq!(read[0], rows[0]);
            assert_eq!(read[1].val_acc_tta, rows[1].val_acc_tta.filter(|_| tta));
        }
    }

    #[test]
    fn averaged_weights_have_their_columns_behind_those_of_views() {
        let dir = tempfile::tempdir().unwrap();
        let row = MetricsRow { val_acc_tta: Some(0.75), val_acc_avg: Some(0.5), ..metrics(1, 0.5) };
        for (tta, header, last) in [
            (false, "wall_seconds,val_acc_avg,val_loss_avg", "14.0,0.5,"),
            (true, "wall_seconds,val_acc_tta,val_acc_avg,val_loss_avg,val_acc_avg_tta", "14.0,0.75,0.5,,"),
        ] {
            let folder = RunFolder::create(dir.path(), "a").unwrap();
            let path = folder.path().join(file::METRICS);
            let facts = RunFacts { tta, average: Some("swa".to_owned()), ..facts() };
            let mut recorder = Recorder::create(folder, facts, Box::new(Told::default())).unwrap();
            recorder.event(&Event::Evaluated(row.clone())).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let lines: Vec<&str> = text.lines().collect();
            assert!(lines[0].ends_with(header) && lines[1].ends_with(last), "{text}");
            let read = reader::read_table::<MetricsRow>(&path).unwrap().rows;
            assert_eq!(
                (read[0].val_acc_tta.is_some(), read[0].val_acc_avg, read[0].val_loss_avg),
                (tta, Some(0.5), None)
            );
        }
    }

    #[test]
    fn what_only_some_runs_have_are_the_last_columns() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path(), "a").unwrap();
        let path = folder.path().join(file::TRACE);
        let lr_columns = vec!["lr.norm".to_owned(), "lr.head.*".to_owned()];
        let facts = RunFacts { lr_columns, step_columns: vec!["mix".to_owned()], ..facts() };
        let mut recorder = Recorder::create(folder, facts, Box::new(Told::default())).unwrap();
        let done = StepDone { own_lrs: vec![0.5, 0.0], step_values: vec![0.125], ..step_done(0) };
        recorder.event(&Event::StepDone(done)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].ends_with(",seconds,lr.norm,lr.head.*,mix") && lines[1].ends_with(",0.25,0.5,0.0,0.125"),
            "{text}"
        );
        let row = TraceRow { mix: Some(0.125), ..step_done(0).row };
        assert_eq!(reader::read_table::<TraceRow>(&path).unwrap().rows, [row]);
    }

    #[test]
    fn the_folder_reads_back_while_live_and_after() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path(), "a").unwrap();
        let reader_path = folder.path().to_owned();
        let mut recorder = Recorder::create(folder, facts(), Box::new(Told::default())).unwrap();
        train(&mut recorder, 0, 4);
        let run = RunReader::open(&reader_path).unwrap();
        assert_eq!(run.is_live(), Some(true));
        assert_eq!((run.trace().unwrap().rows.len(), run.metrics().unwrap().rows.len()), (4, 1));
        recorder
            .event(&Event::Finished {
                status: Status::Diverged,
                exit_reason: "the loss is NaN at step 4".to_owned(),
                step: 4,
                seconds: SecondsByKind::default(),
                skipped_steps: None,
            })
            .unwrap();
        drop(recorder);
        assert_eq!(run.is_live(), Some(false));
        let info = run.info().unwrap();
        assert_eq!((info.status, info.last.unwrap().step), (Status::Diverged, 3));
        let log = fs::read_to_string(reader_path.join(file::LOG)).unwrap();
        assert!(log.lines().all(|line| line.as_bytes()[19] == b'Z') && log.contains("the loss is NaN"), "{log}");
    }

    #[test]
    fn a_position_that_is_missing_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path(), "a").unwrap();
        let path = folder.path().to_owned();
        drop(Recorder::create(folder, facts(), Box::new(Told::default())).unwrap());
        let folder = RunFolder::open(&path).unwrap();
        let error = Recorder::resume(folder, facts(), 0, &Positions::default(), Box::new(Told::default()));
        assert!(error.err().unwrap().to_string().contains("metrics.csv"));
    }

    /// One sink that fails keeps no other from being told.
    #[test]
    fn all_sinks_are_told_and_the_first_error_is_given() {
        struct Full;
        impl Sink for Full {
            fn event(&mut self, _: &Event) -> Result<(), RecordError> {
                Err(RecordError::io("write", Path::new("a"))(std::io::ErrorKind::StorageFull.into()))
            }
        }
        let dir = tempfile::tempdir().unwrap();
        let told = Told::default();
        let folder = RunFolder::create(dir.path(), "a").unwrap();
        let sinks: Vec<Box<dyn Sink>> = vec![Box::new(Full), Box::new(told.clone())];
        let mut recorder = Recorder { folder: folder.into(), sinks, scores: Scores::default() };
        assert!(recorder.event(&Event::Notice { text: String::new() }).is_err());
        assert_eq!(told.0.lock().unwrap().len(), 1);
    }
}
