//! The order of things, with trials that are written instead of trained.

use super::*;
use crate::config::sweep::Rule;
use crate::record::testing::Run;
use std::collections::VecDeque;

/// What a fake trial does when it is started.
#[derive(Clone, Copy)]
enum Deed {
    /// Ends at once with this status in its `run.json` and this exit code.
    End(&'static str, i32),
    /// Ends without any record.
    Crash(Ending),
    /// Says this in its `run.json`, and is killed.
    Kill(&'static str),
    /// Runs until it is stopped.
    Hang,
    /// Ends well, and by then has kept its state before phase 1.
    Keep,
    /// Evaluates to these accuracies, tells of it, and runs until it is stopped.
    Show(&'static [f64]),
}

struct Fake {
    root: PathBuf,
    deeds: VecDeque<Deed>,
    reports: VecDeque<Report>,
    hanging: Vec<Task>,
    started: Vec<String>,
    /// What tasks were told to keep and to begin from.
    prefixes: Vec<(Option<String>, Option<String>)>,
    devices: Vec<Option<String>>,
    /// Written before the next report.
    to_keep: Vec<PathBuf>,
    most: usize,
}

impl Fake {
    fn new(root: &Path, deeds: impl IntoIterator<Item = Deed>) -> Self {
        let deeds = deeds.into_iter().collect();
        let root = root.to_owned();
        Self {
            root,
            deeds,
            reports: [].into(),
            hanging: vec![],
            started: vec![],
            prefixes: vec![],
            devices: vec![],
            to_keep: vec![],
            most: 0,
        }
    }
}

/// The value of an option of a task; the last part of a path.
fn option(task: &Task, name: &str) -> Option<String> {
    let place = task.arguments.iter().position(|argument| argument == name)?;
    Some(Path::new(&task.arguments[place + 1]).file_name().unwrap().to_string_lossy().into_owned())
}

/// The name of a task's run folder.
fn run_of(task: &Task) -> String {
    option(task, "--run-folder").unwrap()
}

impl Launcher for Fake {
    fn start(&mut self, task: Task) -> std::io::Result<()> {
        let run = run_of(&task);
        assert!(task.arguments.contains(&"--go-on".into()), "the same command begins and resumes");
        self.started.push(run.clone());
        self.prefixes.push((option(&task, "--keep-prefix"), option(&task, "--prefix")));
        self.devices.push(option(&task, "--device"));
        match self.deeds.pop_front().unwrap() {
            Deed::End(status, code) => {
                Run { status, accuracies: &[0.25, 0.75], ..Run::default() }.write(&self.root, &run);
                self.reports.push_back(Report::Ended(task.id, Ending::Exit(code)));
            }
            Deed::Keep => {
                Run { accuracies: &[0.25], ..Run::default() }.write(&self.root, &run);
                self.to_keep.push(prefix::folder(&self.root.join(&run), 1));
                self.reports.push_back(Report::Ended(task.id, Ending::Exit(0)));
            }
            Deed::Kill(status) => {
                Run { status, accuracies: &[0.25, 0.75], ..Run::default() }.write(&self.root, &run);
                self.reports.push_back(Report::Ended(task.id, Ending::Signal(9)));
            }
            Deed::Crash(ending) => self.reports.push_back(Report::Ended(task.id, ending)),
            Deed::Hang => self.hanging.push(task),
            Deed::Show(accuracies) => {
                Run { status: "running", accuracies, ..Run::default() }.write(&self.root, &run);
                self.reports.push_back(Report::Event(task.id, serde_json::json!({ "event": "evaluated" })));
                self.hanging.push(task);
            }
        }
        let ended = self.reports.iter().filter(|report| matches!(report, Report::Ended(..))).count();
        self.most = self.most.max(self.hanging.len() + ended);
        Ok(())
    }

    fn next(&mut self, _: Duration) -> std::io::Result<Option<Report>> {
        for folder in self.to_keep.drain(..) {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("prefix.json"), "").unwrap();
        }
        Ok(self.reports.pop_front())
    }

    fn stop_one(&mut self, id: usize) {
        let place = self.hanging.iter().position(|task| task.id == id).unwrap();
        let task = self.hanging.remove(place);
        self.reports.push_back(Report::Ended(task.id, Ending::Exit(75)));
    }

    fn stop(&mut self) {
        for task in std::mem::take(&mut self.hanging) {
            Run { status: "interrupted", ..Run::default() }.write(&self.root, &run_of(&task));
            self.reports.push_back(Report::Ended(task.id, Ending::Exit(75)));
        }
    }
}

#[derive(Default)]
struct Quiet;

impl Watcher for Quiet {
    fn begun(&mut self, _: &Trial) {}
    fn event(&mut self, _: &Trial, _: &serde_json::Value) {}
    fn ended(&mut self, _: &Trial, _: &Ledger) {}
}

fn order(folder: &Path, jobs: usize) -> Order {
    let metric = "val_acc".to_owned();
    Order {
        folder: folder.to_owned(),
        metric,
        jobs,
        threads: 1,
        device: None,
        retry_failed: false,
        prune: None,
        lower_is_better: false,
        prefixes: Prefixes::default(),
    }
}

fn planned(folder: &Path, count: usize) -> Ledger {
    let mut ledger = Ledger::new(folder.join("trials.csv"), vec!["lr".to_owned()]);
    ledger.extend((0..count).map(|k| Trial::planned(k, 1, vec![k.to_string()])));
    ledger
}

fn states(ledger: &Ledger) -> Vec<&'static str> {
    ledger.trials.iter().map(|trial| trial.state.word()).collect()
}

#[test]
fn trials_are_told_a_device_where_one_is_asked_for() {
    for device in [None, Some("cuda:1".to_owned())] {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, order) = (planned(folder.path(), 1), Order { device, ..order(folder.path(), 1) });
        let mut fake = Fake::new(folder.path(), [Deed::End("done", 0)]);
        run(&mut ledger, &order, &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
        assert_eq!(fake.devices, [order.device]);
    }
}

#[test]
fn every_ending_is_a_row_with_its_reason_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let deeds = [
        Deed::End("done", 0),
        Deed::End("diverged", 4),
        Deed::Crash(Ending::Signal(9)),
        Deed::Crash(Ending::Exit(101)),
        Deed::End("done", 0),
    ];
    let mut ledger = planned(folder.path(), 5);
    let mut fake = Fake::new(folder.path(), deeds);
    std::fs::create_dir(folder.path().join("logs")).unwrap();
    std::fs::write(folder.path().join("logs/t003-s1.txt"), "thread 'main' panicked at x\nnote: see\n").unwrap();
    run(&mut ledger, &order(folder.path(), 2), &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done", "diverged", "failed", "failed", "done"]);
    assert_eq!(ledger.trials[0].objective, Some(0.75));
    assert!(ledger.trials[2].reason.contains("memory"), "{}", ledger.trials[2].reason);
    assert!(ledger.trials[3].reason.contains("exit code 101: thread 'main' panicked"), "{}", ledger.trials[3].reason);
    assert!(fake.most <= 2);
    let again = Ledger::read(&folder.path().join("trials.csv"), ledger.axes.clone()).unwrap();
    assert_eq!(again.trials, ledger.trials);

    // As if this process had been killed before it wrote down the ends of two trials: their records tell, and nothing is started.
    let end = ledger.trials.clone();
    for index in [0, 1] {
        ledger.trials[index] = Trial { state: State::Running, ..Trial::planned(index, 1, end[index].values.clone()) };
    }
    let mut fake = Fake::new(folder.path(), []);
    run(&mut ledger, &order(folder.path(), 2), &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(ledger.trials, end);

    // Done stays done; what failed runs again only when that is asked for, from its records where it left some.
    let mut fake = Fake::new(folder.path(), []);
    run(&mut ledger, &order(folder.path(), 2), &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert!(fake.started.is_empty());
    let order = Order { retry_failed: true, ..order(folder.path(), 1) };
    // Points without an experiment are those of a search that never had one.
    run(&mut ledger, &order, &mut (), &mut Fake::new(folder.path(), []), &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done", "diverged", "failed", "failed", "done"]);
    std::fs::create_dir(folder.path().join("points")).unwrap();
    for number in [2, 3] {
        std::fs::write(experiment_file(folder.path(), number), "").unwrap();
    }
    let mut fake = Fake::new(folder.path(), [Deed::End("done", 0), Deed::End("failed", 1)]);
    run(&mut ledger, &order, &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done", "diverged", "done", "failed", "done"]);
    assert_eq!(fake.started.len(), 2);
}

#[test]
fn what_is_stopped_is_interrupted_and_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 3);
    let mut fake = Fake::new(folder.path(), [Deed::Hang, Deed::Hang]);
    let looks = std::cell::Cell::new(0);
    let stop = || {
        looks.set(looks.get() + 1);
        looks.get() > 5
    };
    run(&mut ledger, &order(folder.path(), 2), &mut (), &mut fake, &mut Quiet, &stop).unwrap();
    assert_eq!(states(&ledger), ["interrupted", "interrupted", "planned"]);
    assert_eq!(ledger.trials[0].objective, None);

    // As if this process had been killed: the ledger says that trial 2 runs, and it never wrote a record.
    ledger.trials[2].state = State::Running;
    let mut fake = Fake::new(folder.path(), [Deed::End("done", 0); 3]);
    run(&mut ledger, &order(folder.path(), 1), &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done"; 3]);
    assert_eq!(fake.started, ["t000-s1", "t001-s1", "t002-s1"]);
}

#[test]
fn what_is_behind_at_the_same_share_of_its_steps_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 5);
    // Of the 100 steps that are planned, the first row comes after one, the second after two.
    let prune = Prune { rule: Rule::Median, at: vec![0.01, 0.02], startup: 2, parallel: 1 };
    let order = Order { prune: Some(prune), ..order(folder.path(), 3) };
    let deeds = [
        Deed::End("done", 0),
        Deed::End("done", 0),
        Deed::Show(&[0.1]),
        // Done before it could be stopped: its fate is the same.
        Deed::End("done", 0),
        Deed::Show(&[0.3, 0.5]),
    ];
    let mut fake = Fake::new(folder.path(), deeds);
    run(&mut ledger, &order, &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done", "done", "pruned", "done", "pruned"]);
    assert_eq!(fake.most, 1, "each waits for those before it");
    let reasons = [&ledger.trials[2], &ledger.trials[4]].map(|trial| trial.reason.as_str());
    assert_eq!(reasons[0], "at 1 % of its steps: 0.1000, worse than 0.2500 of 2 others");
    assert_eq!(reasons[1], "at 2 % of its steps: 0.5000, worse than 0.7500 of 3 others");
    assert_eq!(ledger.trials[4].objective, None);

    // As if the sweep had been killed before it wrote that down: the records of the runs tell.
    let end = ledger.trials.clone();
    for index in [2, 4] {
        (ledger.trials[index].state, ledger.trials[index].reason) = (State::Running, String::new());
    }
    let mut fake = Fake::new(folder.path(), []);
    run(&mut ledger, &order, &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert!(fake.started.is_empty(), "{:?}", fake.started);
    let told = |trials: &[Trial]| trials.iter().map(|t| (t.state, t.reason.clone())).collect::<Vec<_>>();
    assert_eq!(told(&ledger.trials), told(&end));
}

/// Points 0, 1 and 3 begin alike.
fn alike() -> Prefixes {
    let point = |digest: &str| vec![crate::plan::Prefix { phase: 1, steps: 10, digest: digest.to_owned() }];
    Prefixes(["a", "a", "b", "a"].map(point).into_iter().enumerate().collect())
}

#[test]
fn who_begins_alike_waits_for_the_first_and_begins_where_that_has_come_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 4);
    let order = Order { prefixes: alike(), ..order(folder.path(), 4) };
    let mut fake =
        Fake::new(folder.path(), [Deed::Keep, Deed::End("done", 0), Deed::End("done", 0), Deed::End("done", 0)]);
    run(&mut ledger, &order, &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done"; 4]);
    assert_eq!(fake.started, ["t000-s1", "t002-s1", "t001-s1", "t003-s1"]);
    let of_first = || (None, Some("before-phase-1".to_owned()));
    assert_eq!(fake.prefixes, [(Some("1".to_owned()), None), (None, None), of_first(), of_first()]);
}

#[test]
fn where_the_first_breaks_off_the_next_trains_the_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 4);
    let order = Order { prefixes: alike(), ..order(folder.path(), 4) };
    let deeds = [Deed::Crash(Ending::Exit(101)), Deed::End("done", 0), Deed::Keep, Deed::End("done", 0)];
    let mut fake = Fake::new(folder.path(), deeds);
    run(&mut ledger, &order, &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["failed", "done", "done", "done"]);
    assert_eq!(fake.started, ["t000-s1", "t002-s1", "t001-s1", "t003-s1"]);
    let keeps = || (Some("1".to_owned()), None);
    assert_eq!(fake.prefixes, [keeps(), (None, None), keeps(), (None, Some("before-phase-1".to_owned()))]);
}

/// Gives a point once all before it are over, four in all; even ones begin alike, odd ones too.
struct OneByOne;

impl Source for OneByOne {
    fn next(&mut self, ledger: &Ledger) -> anyhow::Result<Vec<Trial>> {
        let number = ledger.trials.len();
        let is_next = number < 4 && ledger.trials.iter().all(|trial| trial.state.is_over());
        Ok(is_next.then(|| Trial::planned(number, 1, vec![number.to_string()])).into_iter().collect())
    }

    fn beginnings(&self, number: usize) -> Vec<Prefix> {
        let prefix = |phase: usize, digest: String| Prefix { phase, steps: 10 * phase as u64, digest };
        vec![prefix(1, (number % 2).to_string()), prefix(2, format!("{number} alone"))]
    }

    fn shares_up_to(&self, ledger: &Ledger) -> Option<usize> {
        (ledger.trials.len() < 4).then_some(1)
    }
}

#[test]
fn while_points_are_to_come_each_keeps_what_they_may_begin_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 0);
    let mut fake = Fake::new(folder.path(), [Deed::Keep, Deed::Keep, Deed::End("done", 0), Deed::End("done", 0)]);
    run(&mut ledger, &order(folder.path(), 2), &mut OneByOne, &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done"; 4]);
    let keeps = || (Some("1".to_owned()), None);
    let begins = || (None, Some("before-phase-1".to_owned()));
    assert_eq!(fake.prefixes, [keeps(), keeps(), begins(), begins()]);
}

/// A point after the other; those with odd numbers make no experiment.
struct Refusing;

impl Source for Refusing {
    fn next(&mut self, ledger: &Ledger) -> anyhow::Result<Vec<Trial>> {
        let number = ledger.trials.len();
        let is_next = number < 6 && ledger.trials.iter().all(|trial| trial.state.is_over());
        let mut trial = Trial::planned(number, 1, vec![number.to_string()]);
        if number % 2 == 1 || number == 4 {
            trial.state = State::Failed;
        }
        Ok(is_next.then_some(trial).into_iter().collect())
    }
}

#[test]
fn a_search_goes_on_behind_points_that_make_no_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 0);
    let mut fake = Fake::new(folder.path(), [Deed::End("done", 0), Deed::End("done", 0)]);
    run(&mut ledger, &order(folder.path(), 2), &mut Refusing, &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done", "failed", "done", "failed", "failed", "failed"]);
}

#[test]
fn what_is_taken_up_and_fails_is_failed_though_its_record_says_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 1);
    let mut fake = Fake::new(folder.path(), [Deed::End("interrupted", 75), Deed::End("interrupted", 3)]);
    run(&mut ledger, &order(folder.path(), 1), &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["failed"]);
    assert!(ledger.trials[0].reason.contains("exit code 3"), "{}", ledger.trials[0].reason);
}

#[test]
fn what_a_signal_ends_before_it_listens_to_signals_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 1);
    let deeds = [Deed::Crash(Ending::Signal(15)), Deed::Crash(Ending::Exit(130)), Deed::End("done", 0)];
    let mut fake = Fake::new(folder.path(), deeds);
    run(&mut ledger, &order(folder.path(), 1), &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!((states(&ledger), fake.started.len()), (vec!["done"], 3));

    // Not for ever: it may be a limit of the system.
    for (ending, reason) in [(Ending::Signal(2), "killed by signal 2"), (Ending::Exit(143), "killed by signal 15")] {
        let mut ledger = planned(folder.path(), 2);
        ledger.trials.remove(0);
        let mut fake = Fake::new(folder.path(), [Deed::Crash(ending); TRIES]);
        run(&mut ledger, &order(folder.path(), 1), &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
        assert_eq!((states(&ledger), fake.started.len()), (vec!["interrupted"], TRIES));
        assert_eq!(ledger.trials[0].reason, reason);
    }
}

#[test]
fn what_came_to_its_end_did_so_though_it_was_killed_after_that() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 3);
    let deeds = [Deed::Kill("done"), Deed::Kill("diverged"), Deed::Kill("running")];
    let mut fake = Fake::new(folder.path(), deeds);
    run(&mut ledger, &order(folder.path(), 1), &mut (), &mut fake, &mut Quiet, &|| false).unwrap();
    assert_eq!(states(&ledger), ["done", "diverged", "failed"]);
    assert_eq!((ledger.trials[0].objective, ledger.trials[1].objective), (Some(0.75), None));
}

#[test]
fn a_value_of_another_column_is_found_by_the_records_of_its_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 3);
    Run { accuracies: &[0.25, 0.75], ..Run::default() }.write(folder.path(), "t001-s1");
    let found = |ledger: &Ledger, metric: &str| {
        judged_otherwise(ledger, folder.path(), metric).map(|(trial, _)| trial.run.clone())
    };
    assert_eq!(found(&ledger, "images"), None, "nothing is done yet");
    // Of the first the records are gone.
    for (trial, value) in ledger.trials.iter_mut().zip([0.5, 0.75]) {
        (trial.state, trial.objective) = (State::Done, Some(value));
    }
    assert_eq!(found(&ledger, "val_acc"), None);
    for other in ["images", "absent"] {
        assert_eq!(found(&ledger, other).as_deref(), Some("t001-s1"), "{other}");
    }
    // Nor is anything known where they do not read.
    let table = folder.path().join("t001-s1").join(file::METRICS);
    std::fs::write(&table, std::fs::read_to_string(&table).unwrap().replace("0.75", "damaged")).unwrap();
    assert_eq!(found(&ledger, "val_acc"), None);
}

/// A trial that was tried before, and failed then for a reason that is on record.
fn failed_before(folder: &Path) -> (Trial, PathBuf, PathBuf) {
    let run = Run { status: "failed", ..Run::default() }.write(folder, "t000-s1");
    let info = std::fs::read_to_string(run.join(file::RUN)).unwrap();
    std::fs::write(run.join(file::RUN), info.replace("\"exit_reason\":null", "\"exit_reason\":\"no space\"")).unwrap();
    (Trial::planned(0, 1, vec!["0".to_owned()]), run, folder.join("log.txt"))
}

#[test]
fn a_trial_that_fails_again_says_why_it_failed_the_last_time() {
    let folder = tempfile::tempdir().unwrap();
    let (mut trial, run, log) = failed_before(folder.path());
    close(&mut trial, &run, &log, Ending::Exit(1), "val_acc");
    assert_eq!((trial.state, trial.reason.as_str()), (State::Failed, "no space"), "there is no log");
    std::fs::write(&log, "error: no space\nhelp: free some\nerror: the images are gone\nhelp: look\n").unwrap();
    close(&mut trial, &run, &log, Ending::Exit(3), "val_acc");
    assert_eq!((trial.state, trial.reason.as_str()), (State::Failed, "the images are gone"));
    // Stopped while it waited in a queue: its record knows nothing of that.
    close(&mut trial, &run, &log, Ending::Exit(75), "val_acc");
    assert_eq!((trial.state, trial.reason.as_str()), (State::Interrupted, ""));
}

/// Holds a trial's run folder, as a process of an earlier sweep does.
fn lock(folder: &Path, trial: &Trial) -> std::fs::File {
    let run = folder.join(&trial.run);
    std::fs::create_dir_all(&run).unwrap();
    let file = std::fs::File::create(run.join(file::LOCK)).unwrap();
    file.lock().unwrap();
    file
}

#[test]
fn others_run_while_an_earlier_process_is_at_a_trial_and_its_sweep_ends_when_nothing_else_can() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 3);
    let _held = lock(folder.path(), &ledger.trials[0]);
    // The second trial is under way for longer than a trial of an earlier process is waited for.
    let begun = Instant::now();
    let stop = || begun.elapsed() > 3 * PATIENCE;
    let mut fake = Fake::new(folder.path(), [Deed::Hang]);
    ledger.trials[2].state = State::Done;
    run(&mut ledger, &order(folder.path(), 2), &mut (), &mut fake, &mut Quiet, &stop).unwrap();
    assert_eq!(states(&ledger), ["planned", "interrupted", "done"]);

    ledger.trials[2].state = State::Planned;
    let mut fake = Fake::new(folder.path(), [Deed::End("done", 0); 2]);
    let result = run(&mut ledger, &order(folder.path(), 2), &mut (), &mut fake, &mut Quiet, &|| false);
    assert!(matches!(&result, Err(SweepError::Busy(run)) if run.ends_with("t000-s1")), "{result:?}");
    assert_eq!(states(&ledger), ["planned", "done", "done"]);
    assert_eq!(fake.started, ["t001-s1", "t002-s1"]);
}

#[test]
fn a_trial_is_taken_up_once_an_earlier_process_lets_go_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 1);
    let held = std::cell::RefCell::new(Some(lock(folder.path(), &ledger.trials[0])));
    let begun = Instant::now();
    let stop = || {
        if begun.elapsed() > PATIENCE / 4 {
            drop(held.take());
        }
        false
    };
    let mut fake = Fake::new(folder.path(), [Deed::End("done", 0)]);
    run(&mut ledger, &order(folder.path(), 1), &mut (), &mut fake, &mut Quiet, &stop).unwrap();
    assert_eq!(states(&ledger), ["done"]);
}

/// A source that has no room for what it makes.
struct Broken;

impl Source for Broken {
    fn next(&mut self, ledger: &Ledger) -> anyhow::Result<Vec<Trial>> {
        match ledger.trials.iter().all(|trial| trial.state.is_over()) {
            true => anyhow::bail!("no space"),
            false => Ok(Vec::new()),
        }
    }
}

#[test]
fn a_proposal_that_cannot_be_written_ends_the_sweep_and_is_no_row() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 1);
    let mut fake = Fake::new(folder.path(), [Deed::End("done", 0)]);
    let result = run(&mut ledger, &order(folder.path(), 1), &mut Broken, &mut fake, &mut Quiet, &|| false);
    assert!(matches!(&result, Err(error @ SweepError::Propose(_)) if error.to_string() == "no space"), "{result:?}");
    let written = Ledger::read(&folder.path().join("trials.csv"), ledger.axes.clone()).unwrap();
    assert_eq!(states(&written), ["done"]);
}

#[test]
fn trials_that_failed_are_left_where_they_are_tried_again_and_have_an_experiment() {
    let folder = tempfile::tempdir().unwrap();
    let mut trial = Trial::planned(0, 1, Vec::new());
    let left = |trial: &Trial| [false, true].map(|retry_failed| is_left(trial, folder.path(), retry_failed));
    assert_eq!(left(&trial), [true, true]);
    trial.state = State::Failed;
    assert_eq!(left(&trial), [false, false]);
    std::fs::create_dir(folder.path().join("points")).unwrap();
    std::fs::write(experiment_file(folder.path(), 0), "").unwrap();
    assert_eq!(left(&trial), [false, true]);
    trial.state = State::Pruned;
    assert_eq!(left(&trial), [false, false]);
}

/// Keeps what it is told of trials that are over.
#[derive(Default)]
struct Counting(Vec<usize>);

impl Watcher for Counting {
    fn begun(&mut self, _: &Trial) {}
    fn event(&mut self, _: &Trial, _: &serde_json::Value) {}
    fn ended(&mut self, _: &Trial, ledger: &Ledger) {
        self.planned(ledger);
    }
    fn planned(&mut self, ledger: &Ledger) {
        self.0.push(ledger.trials.iter().filter(|trial| trial.state.is_over()).count());
    }
}

#[test]
fn who_watches_is_told_what_earlier_processes_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = planned(folder.path(), 3);
    Run::default().write(folder.path(), "t000-s1");
    (ledger.trials[0].state, ledger.trials[1].state) = (State::Running, State::Failed);
    std::fs::create_dir(folder.path().join("points")).unwrap();
    std::fs::write(experiment_file(folder.path(), 1), "").unwrap();
    let order = Order { retry_failed: true, ..order(folder.path(), 1) };
    let (mut fake, mut counting) = (Fake::new(folder.path(), [Deed::End("done", 0); 2]), Counting::default());
    run(&mut ledger, &order, &mut (), &mut fake, &mut counting, &|| false).unwrap();
    assert_eq!(counting.0, [1, 2, 3]);
}
