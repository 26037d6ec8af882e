//! Runs what is left of a sweep: as many trials at a time as there is room for, each in a process of its own.

use super::ledger::{Ledger, Saved, State, Trial};
use super::prefix::{Border, Prefixes, Shared};
use super::prune::{Pruner, Shown, Verdict};
use crate::config::sweep::Prune;
use crate::launch::{Ending, Launcher, Report, Task};
use crate::plan::Prefix;
use crate::record::columns::{Columns, read_columns};
use crate::record::folder::{self, file};
use crate::record::reader::{RunReader, TableState};
use crate::record::run_json::RunInfo;
use crate::record::{RecordError, Status};
use crate::train::prefix;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How often signals and the clock are looked at while nothing happens.
const TICK: Duration = Duration::from_millis(200);
/// How long a trial of an earlier sweep process may take to write its last checkpoint before it is taken for stuck.
/// Tests do not wait that long.
const PATIENCE: Duration = if cfg!(test) { Duration::from_millis(200) } else { Duration::from_secs(120) };
/// How often a trial may be interrupted by itself, without a step between: by a signal of its own, a time limit, or because one of an
/// earlier sweep process was still at it.
const TRIES: usize = 5;

/// What holds for all trials.
#[derive(Clone, Debug)]
pub struct Order {
    /// The sweep's folder: run folders lie in it.
    pub folder: PathBuf,
    /// The column of `metrics.csv` that the sweep is about.
    pub metric: String,
    /// At a time.
    pub jobs: usize,
    /// For each.
    pub threads: usize,
    /// Where each computes, as `--device` takes it; left to the trial where nothing is said.
    pub device: Option<String>,
    /// Whether those that failed are tried again.
    pub retry_failed: bool,
    /// Which are given up before their end.
    pub prune: Option<Prune>,
    /// Of the metric.
    pub lower_is_better: bool,
    /// The beginnings of the points that are there, of which equal ones are trained once.
    pub prefixes: Prefixes,
}

/// Follows a sweep.
pub trait Watcher {
    /// A trial was started, anew or from its checkpoint.
    fn begun(&mut self, trial: &Trial);
    /// A running trial printed an event.
    fn event(&mut self, trial: &Trial, event: &serde_json::Value);
    /// A trial is over, or was interrupted.
    fn ended(&mut self, trial: &Trial, ledger: &Ledger);
    /// Trials were added, or found to be over, or to be run again, by what an earlier process left.
    fn planned(&mut self, _ledger: &Ledger) {}
    /// Time goes by.
    fn tick(&mut self) {}
}

/// Where further trials come from while a sweep runs.
pub trait Source {
    /// Those that follow from the ledger as it is now, numbered after the ones there; none while they depend on trials that
    /// are not over.
    ///
    /// # Errors
    /// When one cannot be made for reasons that are not its own, as of a full disk: later the same ones follow.
    fn next(&mut self, ledger: &Ledger) -> anyhow::Result<Vec<Trial>>;

    /// The beginnings of a point that came from here, where points share them.
    fn beginnings(&self, _number: usize) -> Vec<Prefix> {
        Vec::new()
    }

    /// Before which phases points that are still to come may have a beginning in common with those that are there: those up to
    /// this one. `None` where none is to come that shares.
    fn shares_up_to(&self, _ledger: &Ledger) -> Option<usize> {
        None
    }
}

/// No further ones.
impl Source for () {
    fn next(&mut self, _: &Ledger) -> anyhow::Result<Vec<Trial>> {
        Ok(Vec::new())
    }
}

/// A sweep that cannot go on. What is done stays done.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("cannot start a trial: {0}")]
    Launch(std::io::Error),
    #[error("{0:#}")]
    Propose(anyhow::Error),
    #[error("{} is still being written by an earlier process; wait until it ends, or stop it", .0.display())]
    Busy(PathBuf),
}

/// Where point number `number`'s experiment lies.
pub fn experiment_file(folder: &Path, number: usize) -> PathBuf {
    folder.join("points").join(format!("t{number:03}.toml"))
}

/// Whether a trial is to be run: it is not over, or it failed and those that did are tried again. Some proposals of a search never
/// made an experiment.
pub fn is_left(trial: &Trial, folder: &Path, retry_failed: bool) -> bool {
    let again = || retry_failed && trial.state == State::Failed && experiment_file(folder, trial.number).is_file();
    !trial.state.is_over() || again()
}

/// Whether a run's own records say that it came to its end, be that in the ledger or not.
pub fn came_to_its_end(run: &Path) -> bool {
    info_of(run).is_some_and(|info| matches!(info.status, Status::Done | Status::Diverged))
}

/// A trial that is done and whose value is not that of the metric in its own records, and that value: it was judged by another column.
/// Nothing is known of trials whose records are gone or cannot be read.
pub fn judged_otherwise<'a>(ledger: &'a Ledger, folder: &Path, metric: &str) -> Option<(&'a Trial, Option<f64>)> {
    ledger.trials.iter().filter(|trial| trial.state == State::Done).find_map(|trial| {
        let table = read_columns(&folder.join(&trial.run).join(file::METRICS), [metric]).ok()?;
        let recorded = (table.state != TableState::Missing).then(|| last(table))?;
        (recorded != trial.objective).then_some((trial, recorded))
    })
}

/// Runs all trials that are left, until all are over or `stop` says so; then those under way write a checkpoint and end.
///
/// # Errors
/// When the records cannot be written, a process cannot be started or a further trial cannot be made; when an earlier process does not
/// let go of the last trials. Trials under way are stopped in good order first.
pub fn run(
    ledger: &mut Ledger,
    order: &Order,
    source: &mut dyn Source,
    launcher: &mut dyn Launcher,
    watcher: &mut dyn Watcher,
    stop: &dyn Fn() -> bool,
) -> Result<(), SweepError> {
    let mut sweep = Running {
        ledger,
        order,
        source,
        launcher,
        watcher,
        under_way: BTreeSet::new(),
        given_up: BTreeSet::new(),
        waiting: Vec::new(),
        interrupted: BTreeMap::new(),
        prefixes: order.prefixes.clone(),
        shared: Shared::default(),
        passed: BTreeSet::new(),
        keeping: BTreeMap::new(),
    };
    sweep.begin()?;
    sweep.watcher.planned(sweep.ledger);
    let result = sweep.work(stop);
    sweep.launcher.stop();
    // Whatever went wrong, those under way end in good order, and what they came to is written down.
    let drained = sweep.drain();
    result.and(drained)
}

struct Running<'a> {
    ledger: &'a mut Ledger,
    order: &'a Order,
    source: &'a mut dyn Source,
    launcher: &'a mut dyn Launcher,
    watcher: &'a mut dyn Watcher,
    /// Indices into the ledger.
    under_way: BTreeSet<usize>,
    /// Of these the ones that were asked to end.
    given_up: BTreeSet<usize>,
    /// Not begun, the next one last.
    waiting: Vec<usize>,
    /// How often each was interrupted at the same step, and that step.
    interrupted: BTreeMap<usize, (usize, u64)>,
    /// The beginnings of all points that are known.
    prefixes: Prefixes,
    /// Which of the trials begin alike.
    shared: Shared,
    /// Trials with a phase before which they will not keep their state any more: an earlier process took them past it.
    passed: BTreeSet<(usize, usize)>,
    /// Of the trials under way the phases before which they keep their state.
    keeping: BTreeMap<usize, Vec<usize>>,
}

/// How a trial begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Beginning {
    /// At step 0, or where it stands.
    Own,
    /// Before this phase, with what another trial kept in that folder.
    Of(usize, PathBuf),
    /// Once another trial has kept its state.
    Later,
}

impl Running<'_> {
    /// Finds out what is left.
    fn begin(&mut self) -> Result<(), SweepError> {
        let mut begun = Vec::new();
        for index in 0..self.ledger.trials.len() {
            let (folder, log) = (self.run_folder(index), self.log(index));
            let trial = &mut self.ledger.trials[index];
            match trial.state {
                State::Failed if is_left(trial, &self.order.folder, self.order.retry_failed) => {
                    (trial.state, trial.reason) = (State::Planned, String::new())
                }
                // The process that would have written down how it ended is gone. It may have come to its end all the same.
                State::Running | State::Interrupted => {
                    begun.push(index);
                    trial.state = State::Interrupted;
                    if came_to_its_end(&folder) {
                        close(trial, &folder, &log, Ending::Exit(0), &self.order.metric);
                    }
                }
                _ => {}
            }
        }
        // Some may have shown enough before the process was killed, and train on with a batch system.
        for index in begun {
            let Some(verdict) = self.verdict(index) else { continue };
            if self.launcher.take_over(&self.task(index, Vec::new())).map_err(SweepError::Launch)? {
                self.under_way.insert(index);
                self.given_up.insert(index);
                self.launcher.stop_one(index);
            } else {
                self.give_up(index, verdict, info_of(&self.run_folder(index)).as_ref());
            }
        }
        let is_left = |(k, trial): &(usize, &Trial)| !trial.state.is_over() && !self.under_way.contains(k);
        self.waiting = self.ledger.trials.iter().enumerate().filter(is_left).map(|(k, _)| k).collect();
        self.waiting.reverse();
        self.shared = Shared::new(&self.ledger.trials, &self.prefixes);
        self.passed = self.find_passed();
        Ok(self.ledger.write()?)
    }

    /// Trials that are past the borders of what they have in common with others, without having kept their state there: nobody
    /// else began so when they did.
    fn find_passed(&self) -> BTreeSet<(usize, usize)> {
        let mut passed = BTreeSet::new();
        let mut done: BTreeMap<usize, u64> = BTreeMap::new();
        for common in (0..self.ledger.trials.len()).flat_map(|index| self.shared.with_earlier(index)) {
            let Border { phase, steps } = common.border;
            for earlier in &common.earlier {
                let read = || info_of(&self.run_folder(*earlier)).map_or(0, |info| info.steps_done);
                let done = *done.entry(*earlier).or_insert_with(read);
                if done > steps {
                    passed.insert((*earlier, phase));
                }
            }
        }
        passed
    }

    /// How a trial begins, by what is on disk now.
    fn beginning(&self, index: usize) -> Beginning {
        if self.run_folder(index).join(file::RUN).is_file() {
            return Beginning::Own;
        }
        for common in self.shared.with_earlier(index) {
            let phase = common.border.phase;
            for earlier in &common.earlier {
                let run = self.run_folder(*earlier);
                if prefix::is_kept(&run, phase) {
                    return Beginning::Of(phase, prefix::folder(&run, phase));
                }
                let is_to_come = match self.keeping.get(earlier) {
                    Some(phases) => phases.contains(&phase),
                    None => self.under_way.contains(earlier) || self.waiting.contains(earlier),
                };
                if is_to_come && !self.passed.contains(&(*earlier, phase)) {
                    return Beginning::Later;
                }
            }
        }
        Beginning::Own
    }

    /// The phases before which a trial keeps its state: those at which trials leave it that are yet to begin, and those at which
    /// points may that are not known yet.
    fn keeps(&self, index: usize, beginning: &Beginning) -> Vec<usize> {
        let from = match beginning {
            Beginning::Of(phase, _) => *phase,
            Beginning::Own | Beginning::Later => {
                info_of(&self.run_folder(index)).and_then(|info| info.forked_from).map_or(0, |fork| fork.phase)
            }
        };
        let known = self.shared.kept_by(index, from, |later| !self.ledger.trials[later].state.is_over());
        let Some(last) = self.source.shares_up_to(self.ledger) else { return known };
        let own = self.prefixes.0.get(&self.ledger.trials[index].number).into_iter().flatten();
        let may_be_wanted = |phase: &usize| from < *phase && (*phase <= last || known.contains(phase));
        own.map(|prefix| prefix.phase).filter(may_be_wanted).collect()
    }

    fn work(&mut self, stop: &dyn Fn() -> bool) -> Result<(), SweepError> {
        let mut busy_since: BTreeMap<usize, Instant> = BTreeMap::new();
        loop {
            // A proposal that makes no experiment is over at once, and the next may follow from it.
            while !stop() && self.plan_further()? {}
            let all_over = self.waiting.is_empty() && self.under_way.is_empty();
            if all_over || stop() {
                return Ok(());
            }
            while self.under_way.len() < self.order.jobs && !stop() {
                let Some(next) = self.next_free(&mut busy_since)? else { break };
                self.start(next)?;
            }
            if self.under_way.is_empty() && self.waiting.iter().all(|index| self.must_wait(*index)) {
                // What they wait for broke off for good.
                return Ok(());
            }
            if let Some(report) = self.launcher.next(TICK).map_err(SweepError::Launch)? {
                self.report(report)?;
            }
            self.watcher.tick();
        }
    }

    /// Takes in what follows from the trials that are over by now; whether there was anything.
    fn plan_further(&mut self) -> Result<bool, SweepError> {
        let further = self.source.next(self.ledger).map_err(SweepError::Propose)?;
        if further.is_empty() {
            return Ok(false);
        }
        let first = self.ledger.trials.len();
        for number in further.iter().map(|trial| trial.number) {
            self.prefixes.0.entry(number).or_insert_with(|| self.source.beginnings(number));
        }
        self.ledger.extend(further);
        self.shared = Shared::new(&self.ledger.trials, &self.prefixes);
        let (over, left): (Vec<usize>, Vec<usize>) =
            (first..self.ledger.trials.len()).partition(|k| self.ledger.trials[*k].state.is_over());
        for index in left {
            self.waiting.insert(0, index);
        }
        self.ledger.write()?;
        self.watcher.planned(self.ledger);
        for index in over {
            self.watcher.ended(&self.ledger.trials[index], self.ledger);
        }
        Ok(true)
    }

    /// Takes the next trial that no earlier process still writes.
    ///
    /// # Errors
    /// When all that may begin have been written for too long, and nothing is under way that others could follow.
    fn next_free(&mut self, busy_since: &mut BTreeMap<usize, Instant>) -> Result<Option<usize>, SweepError> {
        let (mut stuck, mut others) = (None, !self.under_way.is_empty());
        for place in (0..self.waiting.len()).rev() {
            let index = self.waiting[place];
            if self.must_wait(index) {
                continue;
            }
            let folder = self.run_folder(index);
            if self.launcher.outlives() || folder::is_locked(&folder) != Some(true) {
                self.waiting.remove(place);
                return Ok(Some(index));
            }
            if busy_since.entry(index).or_insert_with(Instant::now).elapsed() > PATIENCE {
                stuck.get_or_insert(folder);
            } else {
                others = true;
            }
        }
        match stuck {
            Some(folder) if !others => Err(SweepError::Busy(folder)),
            _ => Ok(None),
        }
    }

    fn pruner(&self) -> Option<Pruner<'_>> {
        let prune = self.order.prune.as_ref()?;
        Some(Pruner { prune, metric: &self.order.metric, lower_is_better: self.order.lower_is_better })
    }

    fn must_wait(&self, index: usize) -> bool {
        self.is_held(index) || self.beginning(index) == Beginning::Later
    }

    /// Whether a trial must wait for others, for its fate depends on them.
    fn is_held(&self, index: usize) -> bool {
        let trial = &self.ledger.trials[index];
        let holds = |pruner: Pruner<'_>| {
            self.ledger.trials.iter().any(|other| !other.state.is_over() && pruner.precedes(other, trial))
        };
        self.pruner().is_some_and(holds)
    }

    /// Whether a trial is given up, by what is on disk.
    fn verdict(&self, index: usize) -> Option<Verdict> {
        let pruner = self.pruner()?;
        if self.is_held(index) {
            return None;
        }
        let own = &self.ledger.trials[index];
        let folder = |trial: &Trial| self.order.folder.join(&trial.run);
        let shown: Shown = pruner.shown(&folder(own));
        shown.iter().any(Option::is_some).then_some(())?;
        let before = self.ledger.trials.iter().filter(|trial| pruner.precedes(trial, own));
        let mut trials: Vec<(&Trial, Shown)> = before.map(|trial| (trial, pruner.shown(&folder(trial)))).collect();
        trials.push((own, shown));
        pruner.fates(&trials).pop()?
    }

    /// What it took until then, by its records, stays on record, whenever the sweep was killed.
    fn give_up(&mut self, index: usize, verdict: Verdict, info: Option<&RunInfo>) {
        let trial = &mut self.ledger.trials[index];
        note_cost(trial, info);
        (trial.state, trial.objective, trial.reason) = (State::Pruned, None, verdict.reason);
    }

    fn run_folder(&self, index: usize) -> PathBuf {
        self.order.folder.join(&self.ledger.trials[index].run)
    }

    fn log(&self, index: usize) -> PathBuf {
        self.order.folder.join("logs").join(format!("{}.txt", self.ledger.trials[index].run))
    }

    fn start(&mut self, index: usize) -> Result<(), SweepError> {
        let beginning = self.beginning(index);
        let keeps = self.keeps(index, &beginning);
        let arguments = self.arguments(index, beginning, &keeps);
        self.keeping.insert(index, keeps);
        self.ledger.trials[index].state = State::Running;
        self.ledger.write()?;
        self.launcher.start(self.task(index, arguments)).map_err(SweepError::Launch)?;
        self.under_way.insert(index);
        self.watcher.begun(&self.ledger.trials[index]);
        Ok(())
    }

    fn task(&self, index: usize, arguments: Vec<OsString>) -> Task {
        let (name, folder) = (self.ledger.trials[index].run.clone(), self.order.folder.clone());
        Task {
            id: index,
            name,
            folder,
            arguments,
            log: self.log(index),
            rows: self.run_folder(index).join(file::METRICS),
        }
    }

    /// Of a command that begins the trial, or goes on with it.
    fn arguments(&self, index: usize, beginning: Beginning, keeps: &[usize]) -> Vec<OsString> {
        let trial = &self.ledger.trials[index];
        let experiment = experiment_file(&self.order.folder, trial.number).into_os_string();
        let mut arguments: Vec<OsString> = vec!["train".into(), experiment];
        let mut add = |flag: &str, value: OsString| arguments.extend([flag.into(), value]);
        add("--seed", trial.seed.to_string().into());
        add("--run-folder", self.run_folder(index).into_os_string());
        add("--threads", self.order.threads.to_string().into());
        if let Some(device) = &self.order.device {
            add("--device", device.into());
        }
        for phase in keeps {
            add("--keep-prefix", phase.to_string().into());
        }
        if let Beginning::Of(_, folder) = beginning {
            add("--prefix", folder.into_os_string());
        }
        arguments.push("--go-on".into());
        arguments
    }

    fn report(&mut self, report: Report) -> Result<(), SweepError> {
        match report {
            Report::Event(index, event) => {
                self.watcher.event(&self.ledger.trials[index], &event);
                // A row is written before its event is printed; with a beginning from another trial come the rows of that one.
                let shows = event["event"] == "evaluated" || event["event"] == "resumed";
                if shows && !self.given_up.contains(&index) && self.verdict(index).is_some() {
                    self.given_up.insert(index);
                    self.launcher.stop_one(index);
                }
            }
            Report::Ended(index, ending) => {
                self.under_way.remove(&index);
                self.keeping.remove(&index);
                let folder = self.run_folder(index);
                let log = self.log(index);
                let trial = &mut self.ledger.trials[index];
                let info = close(trial, &folder, &log, ending, &self.order.metric);
                if self.ledger.trials[index].state != State::Failed
                    && let Some(verdict) = self.verdict(index)
                {
                    // However far it came by the time it ended.
                    self.give_up(index, verdict, info.as_ref());
                }
                if self.ledger.trials[index].state == State::Interrupted {
                    let steps = info.map_or(0, |info| info.steps_done);
                    let (tries, at) = self.interrupted.entry(index).or_default();
                    *tries = if steps > *at { 1 } else { *tries + 1 };
                    *at = steps;
                    if *tries < TRIES {
                        self.waiting.insert(0, index);
                    }
                }
                self.ledger.write()?;
                self.watcher.ended(&self.ledger.trials[index], self.ledger);
            }
        }
        Ok(())
    }

    /// Waits for the last reports of those under way.
    fn drain(&mut self) -> Result<(), SweepError> {
        let mut result = Ok(());
        while !self.under_way.is_empty() {
            match self.launcher.next(TICK) {
                Ok(Some(report)) => result = result.and(self.report(report)),
                Ok(None) => {}
                Err(error) => result = result.and(Err(SweepError::Launch(error))),
            }
            self.watcher.tick();
        }
        result
    }
}

/// What a run says of itself; nothing, where it has no records yet.
fn info_of(run: &Path) -> Option<RunInfo> {
    RunReader::open(run).and_then(|run| run.info()).ok()
}

/// Writes down what a trial took so far, and what of it another trial trained.
fn note_cost(trial: &mut Trial, info: Option<&RunInfo>) {
    trial.seconds = info.map(|info| info.seconds.train);
    trial.saved = info.and_then(|info| info.forked_from.as_ref()).map(Saved::from);
}

/// Writes down how a trial ended, from its own records, which it gives, and from how its process did.
fn close(trial: &mut Trial, folder: &Path, log: &Path, ending: Ending, metric: &str) -> Option<RunInfo> {
    let info = info_of(folder);
    let said = info.as_ref().and_then(|info| info.exit_reason.clone());
    let status = info.as_ref().map(|info| info.status);
    note_cost(trial, info.as_ref());
    trial.objective = objective(folder, metric);
    let killed = |signal: i32| format!("killed by signal {signal}");
    (trial.state, trial.reason) = match (ending, status) {
        // However its process ended after that.
        (_, Some(Status::Done)) => (State::Done, said.unwrap_or_default()),
        (_, Some(Status::Diverged)) => (State::Diverged, said.unwrap_or_default()),
        // Before it listened to signals, which it does once it has its data, or by a second one.
        (Ending::Signal(signal @ (2 | 15)), _) => (State::Interrupted, killed(signal)),
        (Ending::Exit(code @ (130 | 143)), _) => (State::Interrupted, killed(code - 128)),
        // With another code it was taken up and failed before it could say so in its record.
        (Ending::Exit(75), Some(Status::Interrupted)) => (State::Interrupted, said.unwrap_or_default()),
        // Stopped by a signal before there was anything to record; what is on record is of an earlier try.
        (Ending::Exit(75), _) => (State::Interrupted, String::new()),
        // The record may be of an earlier try, too.
        (Ending::Exit(_), Some(Status::Failed)) => (State::Failed, last_error(log).or(said).unwrap_or_default()),
        (Ending::Exit(code), _) => {
            (State::Failed, format!("exit code {code}{}", last_words(log).map_or(String::new(), |w| format!(": {w}"))))
        }
        (Ending::Signal(9), _) => {
            (State::Failed, "killed by signal 9, as the system does when memory runs out".to_owned())
        }
        (Ending::Signal(signal), _) => (State::Failed, killed(signal)),
    };
    if trial.state != State::Done {
        // What goes on is not final, and what broke off has no result.
        trial.objective = None;
    }
    if trial.state == State::Interrupted {
        trial.seconds = None;
    }
    info
}

/// The metric at a run's last evaluation, if it has one that is a number.
fn objective(folder: &Path, metric: &str) -> Option<f64> {
    read_columns(&folder.join(file::METRICS), [metric]).ok().and_then(last)
}

/// The last value of a column, if it is there and a number.
fn last(table: Columns<1>) -> Option<f64> {
    let [column] = table.values;
    column?.last().copied().filter(|value| value.is_finite())
}

/// The line of a log that says what was wrong.
fn last_words(log: &Path) -> Option<String> {
    let text = std::fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&text);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let error = lines().rfind(|line| line.contains("error:") || line.contains("panicked"));
    error.or_else(|| lines().next_back()).map(str::to_owned)
}

/// The same as a record would say it.
fn last_error(log: &Path) -> Option<String> {
    let words = last_words(log)?;
    Some(words.strip_prefix("error: ").unwrap_or(&words).to_owned())
}

#[cfg(test)]
mod tests;
