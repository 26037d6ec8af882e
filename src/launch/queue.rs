//! Tasks as jobs of a batch system, on a file system that its machines share with this one.
//!
//! A task is a script in the sweep's `jobs/`, which the system may start again at any time: it begins the training or goes on with
//! it. All that is told comes from files: rows of its table as they are added, and how it ended, which the script writes down
//! last. The system itself is asked which jobs are not over, for one that was pre-empted comes back, and one whose machine is gone
//! left no word. Jobs go on when this process is gone: their ids lie beside the scripts, and the next process takes them over.

use super::{Ending, Launcher, Report, Setup, Task};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// How often files are looked at.
const LOOK: Duration = Duration::from_millis(200);
/// How often the system is asked: when some task has ended by its own word, and otherwise.
const ASK_SOON: Duration = Duration::from_secs(1);
const ASK: Duration = Duration::from_secs(10);
/// How long the word of a job that is over may take to come through the file system.
const GRACE: Duration = Duration::from_secs(5);
/// Jobs a submission.
const TOGETHER: usize = 1000;

/// The folder of scripts in a sweep's.
const FOLDER: &str = "jobs";

/// A batch system, as far as it differs from others.
pub trait System {
    /// Submits scripts of one folder; gives the ids of their jobs, in order. Where it breaks off, those of the first ones, at least
    /// of one.
    fn submit(&mut self, setup: &Setup, scripts: &[PathBuf]) -> io::Result<Vec<String>>;

    /// This user's jobs that are not over.
    fn jobs(&self) -> io::Result<BTreeMap<String, Stage>>;

    /// How a job ended that left no word of it.
    fn ending(&self, job: &str) -> Ending;

    /// Lets jobs end after a checkpoint; those that wait, at once.
    fn stop(&self, jobs: &[String]);
}

/// How a job stands that is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Waiting,
    Running,
}

/// Tasks with a batch system.
pub struct Queue<S> {
    system: S,
    setup: Setup,
    /// Not submitted yet: those that are started one after the other go together.
    new: Vec<(Task, Files)>,
    tasks: BTreeMap<usize, Job>,
    reports: VecDeque<Report>,
    /// The system's last answer.
    stages: BTreeMap<String, Stage>,
    asked: Option<Instant>,
    /// When it last would not take jobs, while there were others.
    refused: Option<Instant>,
}

/// A task that was submitted.
struct Job {
    job: String,
    files: Files,
    /// Those of its table, as far as they were told of.
    rows: Rows,
    /// Since when the system has not known it, without a word of its own.
    gone: Option<Instant>,
}

impl<S: System> Queue<S> {
    pub fn new(system: S, setup: Setup) -> Self {
        let (new, tasks, stages) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { system, setup, new, tasks, reports: VecDeque::new(), stages, asked: None, refused: None }
    }

    /// The job of an earlier process that is still at a task.
    fn earlier(&mut self, files: &Files) -> io::Result<Option<String>> {
        let Ok(job) = std::fs::read_to_string(files.of("job")) else { return Ok(None) };
        self.ask(ASK_SOON)?;
        let job = job.trim().to_owned();
        Ok(self.stages.contains_key(&job).then_some(job))
    }

    /// Asks the system, unless it was asked a moment ago.
    fn ask(&mut self, interval: Duration) -> io::Result<bool> {
        if self.asked.is_some_and(|asked| asked.elapsed() < interval) {
            return Ok(false);
        }
        self.asked = Some(Instant::now());
        self.stages = self.system.jobs()?;
        Ok(true)
    }

    fn submit(&mut self) -> io::Result<()> {
        if self.refused.is_some_and(|refused| refused.elapsed() < ASK && !self.tasks.is_empty()) {
            return Ok(());
        }
        self.refused = None;
        while !self.new.is_empty() {
            let mut tasks: Vec<(Task, Files)> = self.new.drain(..self.new.len().min(TOGETHER)).collect();
            let scripts: Vec<PathBuf> = tasks.iter().map(|(_, files)| files.of("sh")).collect();
            match self.system.submit(&self.setup, &scripts) {
                Ok(jobs) => {
                    self.new.splice(..0, tasks.split_off(jobs.len()));
                    for ((task, files), job) in tasks.into_iter().zip(jobs) {
                        if let Err(error) = std::fs::write(files.of("job"), &job) {
                            log::warn!("job {job} could not be taken over by a later process: {error}");
                        }
                        self.tasks.insert(task.id, Job { job, files, rows: Rows::new(task.rows), gone: None });
                    }
                    self.asked = None;
                }
                // A limit of jobs a user, or a system that is busy: those that are there are no matter of this.
                Err(error) if !self.tasks.is_empty() => {
                    log::warn!("jobs are submitted again in {} s: {error}", ASK.as_secs());
                    self.new.splice(..0, tasks);
                    self.refused = Some(Instant::now());
                    return Ok(());
                }
                Err(error) => {
                    let left = tasks.into_iter().chain(self.new.drain(..));
                    self.reports.extend(left.map(|(task, _)| Report::Ended(task.id, Ending::Exit(75))));
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Finds out what is new.
    fn look(&mut self) {
        for (id, job) in &mut self.tasks {
            self.reports.extend(job.rows.new_ones().into_iter().map(|row| Report::Event(*id, row)));
        }
        let said_so = |job: &Job| job.files.of("exit").is_file();
        let some_ended =
            self.tasks.values().any(|job| self.stages.get(&job.job) != Some(&Stage::Waiting) && said_so(job));
        let some_gone = self.tasks.values().any(|job| job.gone.is_some());
        match self.ask(if some_ended || some_gone { ASK_SOON } else { ASK }) {
            Ok(true) => self.find_ended(),
            Ok(false) => {}
            // It may be restarted; the jobs are no matter of this.
            Err(error) => log::warn!("the batch system does not answer, and is asked again: {error}"),
        }
    }

    fn find_ended(&mut self) {
        let mut ended = Vec::new();
        for (id, job) in &mut self.tasks {
            if self.stages.contains_key(&job.job) {
                job.gone = None;
                continue;
            }
            let word = std::fs::read_to_string(job.files.of("exit"));
            let gone = *job.gone.get_or_insert_with(Instant::now);
            match word.ok().and_then(|word| word.trim().parse().ok()) {
                Some(code) => ended.push((*id, of_shell(code))),
                None if gone.elapsed() > GRACE => ended.push((*id, self.system.ending(&job.job))),
                None => {}
            }
        }
        for (id, ending) in ended {
            if let Some(mut job) = self.tasks.remove(&id) {
                self.reports.extend(job.rows.new_ones().into_iter().map(|row| Report::Event(id, row)));
                // Were it to stay, the next process would ask for it in vain.
                let _ = std::fs::remove_file(job.files.of("job"));
            }
            self.reports.push_back(Report::Ended(id, ending));
        }
    }

    fn stop_jobs(&mut self, asked: impl Fn(usize) -> bool) {
        let of_new = |(task, _): &(Task, Files)| asked(task.id);
        let (stopped, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.new).into_iter().partition(of_new);
        self.new = left;
        self.reports.extend(stopped.into_iter().map(|(task, _)| Report::Ended(task.id, Ending::Exit(75))));
        let jobs = self.tasks.iter().filter(|(id, _)| asked(**id)).map(|(_, job)| job.job.clone());
        let jobs: Vec<String> = jobs.collect();
        if !jobs.is_empty() {
            self.system.stop(&jobs);
        }
    }
}

impl<S: System> Launcher for Queue<S> {
    fn start(&mut self, task: Task) -> io::Result<()> {
        if self.take_over(&task)? {
            return Ok(());
        }
        let files = Files::of_task(&task)?;
        absent_is_fine(std::fs::remove_file(files.of("exit")))?;
        std::fs::write(files.of("sh"), script(&self.setup.program, &task, &files.of("exit"))?)?;
        self.new.push((task, files));
        Ok(())
    }

    fn take_over(&mut self, task: &Task) -> io::Result<bool> {
        let files = Files::of_task(task)?;
        let Some(job) = self.earlier(&files)? else { return Ok(false) };
        self.tasks.insert(task.id, Job { job, files, rows: Rows::new(task.rows.clone()), gone: None });
        Ok(true)
    }

    fn next(&mut self, timeout: Duration) -> io::Result<Option<Report>> {
        let begun = Instant::now();
        self.submit()?;
        loop {
            if let Some(report) = self.reports.pop_front() {
                return Ok(Some(report));
            }
            self.look();
            if self.reports.is_empty() {
                let left = timeout.saturating_sub(begun.elapsed());
                if left.is_zero() {
                    return Ok(None);
                }
                std::thread::sleep(left.min(LOOK));
            }
        }
    }

    fn stop_one(&mut self, id: usize) {
        self.stop_jobs(|task| task == id);
    }

    fn stop(&mut self) {
        self.stop_jobs(|_| true);
    }

    fn outlives(&self) -> bool {
        true
    }
}

/// Where the script of a task lies, its job's id, and its last word.
struct Files {
    folder: PathBuf,
    name: String,
}

impl Files {
    /// Of a task; makes the folder.
    fn of_task(task: &Task) -> io::Result<Self> {
        let folder = std::path::absolute(&task.folder)?.join(FOLDER);
        std::fs::create_dir_all(&folder)?;
        Ok(Self { folder, name: task.name.clone() })
    }

    fn of(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }
}

/// What a job runs. A signal that its whole job gets must not end the script before the training has written its checkpoint.
fn script(program: &Path, task: &Task, exit: &Path) -> io::Result<Vec<u8>> {
    let folder = std::env::current_dir()?;
    let mut line = quoted(program.as_os_str());
    for argument in task.arguments.iter().map(|argument| argument.as_os_str()).chain([OsStr::new("--quiet")]) {
        line.push(b' ');
        line.extend(quoted(argument));
    }
    // Not all systems hand on the environment of the one who submits.
    let mut kept = Vec::new();
    for name in ["RUNNER_DATA", "RUNNER_ISA"] {
        if let Some(value) = std::env::var_os(name) {
            kept.extend([b"export ", name.as_bytes(), b"=", &quoted(&value)[..], b"\n"].concat());
        }
    }
    let [folder, log, exit] = [&folder, task.log.as_path(), exit].map(|path| quoted(path.as_os_str()));
    let parts: [&[u8]; 10] = [
        b"#!/bin/bash\n# Begins one trial of a sweep, or goes on with it: the batch system may run this again.\ncd ",
        &folder,
        b" || exit\nexit=",
        &exit,
        b"\nrm -f \"$exit\"\ntrap : TERM INT\n",
        &kept,
        &line,
        b" < /dev/null > /dev/null 2>> ",
        &log,
        b"\ncode=$?\necho $code > \"$exit.new\" && mv \"$exit.new\" \"$exit\"\nexit $code\n",
    ];
    Ok(parts.concat())
}

/// A word that a shell takes as it is.
fn quoted(word: &OsStr) -> Vec<u8> {
    let mut out = vec![b'\''];
    for byte in word.as_encoded_bytes() {
        match byte {
            b'\'' => out.extend(br"'\''"),
            byte => out.push(*byte),
        }
    }
    out.push(b'\'');
    out
}

/// A shell tells a signal as 128 and its number.
fn of_shell(code: i32) -> Ending {
    if code > 128 { Ending::Signal(code - 128) } else { Ending::Exit(code) }
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// What a command of the system prints.
///
/// # Errors
/// When it cannot be run or fails, with what it says.
pub fn answer(command: &mut Command) -> io::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let Output { status, stdout, stderr } =
        command.output().map_err(|e| io::Error::new(e.kind(), format!("{name}: {e}")))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&stderr).trim().to_owned();
    Err(io::Error::other(format!("{name}: {}", if said.is_empty() { status.to_string() } else { said })))
}

/// Whole lines of a table that grows, as they come.
struct Rows {
    path: PathBuf,
    seen: usize,
}

impl Rows {
    fn new(path: PathBuf) -> Self {
        Self { path, seen: 0 }
    }

    /// Those that were not there the last time, as events. A table that was cut back tells nothing until it is longer again.
    fn new_ones(&mut self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |last| &text[..last]);
        let mut lines = whole.lines();
        let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let rows: Vec<&str> = lines.collect();
        let new = rows.get(self.seen..).unwrap_or_default();
        self.seen = rows.len();
        new.iter().map(|row| event(&columns, row)).collect()
    }
}

fn event(columns: &[&str], row: &str) -> serde_json::Value {
    let value = |text: &str| match (text.parse::<u64>(), text.parse::<f64>()) {
        (Ok(whole), _) => whole.into(),
        (_, Ok(number)) => number.into(),
        _ => serde_json::Value::from(text),
    };
    let fields = columns.iter().zip(row.split(',')).map(|(column, text)| ((*column).to_owned(), value(text)));
    fields.chain([("event".to_owned(), "evaluated".into())]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::ffi::OsString;
    use std::rc::Rc;

    const SOON: Duration = Duration::from_secs(20);

    /// Runs jobs on this machine, and says what it is told to say.
    #[derive(Clone, Default)]
    struct Fake {
        stages: Rc<RefCell<BTreeMap<String, Stage>>>,
        submitted: Rc<RefCell<Vec<usize>>>,
        refuses: bool,
    }

    impl System for Fake {
        fn submit(&mut self, _: &Setup, scripts: &[PathBuf]) -> io::Result<Vec<String>> {
            if self.refuses {
                return Err(io::Error::other("no such partition"));
            }
            self.submitted.borrow_mut().push(scripts.len());
            let job = |script: &PathBuf| {
                let job = script.file_stem().unwrap().to_string_lossy().into_owned();
                self.stages.borrow_mut().insert(job.clone(), Stage::Running);
                job
            };
            Ok(scripts.iter().map(job).collect())
        }
        fn jobs(&self) -> io::Result<BTreeMap<String, Stage>> {
            Ok(self.stages.borrow().clone())
        }
        fn ending(&self, _: &str) -> Ending {
            Ending::Signal(9)
        }
        fn stop(&self, jobs: &[String]) {
            self.stages.borrow_mut().retain(|job, _| !jobs.contains(job));
        }
    }

    struct Place {
        folder: tempfile::TempDir,
        system: Fake,
    }

    impl Place {
        fn new() -> Self {
            Self { folder: tempfile::tempdir().unwrap(), system: Fake::default() }
        }
        fn queue(&self) -> Queue<Fake> {
            let setup = Setup { program: "/bin/sh".into(), threads: 1, arguments: vec![] };
            Queue::new(self.system.clone(), setup)
        }
        fn task(&self, id: usize, script: &str) -> Task {
            let at = |name: &str| self.folder.path().join(name);
            let arguments: Vec<OsString> = vec!["-c".into(), script.into()];
            let folder = self.folder.path().to_owned();
            Task { id, name: format!("t{id}"), folder, arguments, log: at("log it's.txt"), rows: at("metrics.csv") }
        }
        /// Runs the script of a task, as a batch system would.
        fn run(&self, id: usize) -> i32 {
            let script = self.folder.path().join("jobs").join(format!("t{id}.sh"));
            Command::new("bash").arg(script).status().unwrap().code().unwrap()
        }
        fn over(&self, id: usize) {
            self.system.stages.borrow_mut().remove(&format!("t{id}"));
        }
    }

    #[test]
    fn jobs_that_are_refused_wait_while_others_are_there() {
        let place = Place::new();
        let mut queue = place.queue();
        queue.start(place.task(1, "exit 0")).unwrap();
        assert!(queue.next(Duration::ZERO).unwrap().is_none());
        queue.system.refuses = true;
        queue.start(place.task(2, "exit 0")).unwrap();
        assert!(queue.next(Duration::ZERO).unwrap().is_none(), "the first goes on");
        assert!(place.system.stages.borrow().contains_key("t1"));
        // Alone, it is an error, and the task is reported as ended.
        place.run(1);
        place.over(1);
        assert!(matches!(queue.next(SOON).unwrap(), Some(Report::Ended(1, Ending::Exit(0)))));
        assert!(queue.next(Duration::ZERO).is_err());
        assert!(matches!(queue.reports.pop_front(), Some(Report::Ended(2, Ending::Exit(75)))));
    }

    #[test]
    fn tasks_go_together_and_end_when_the_system_knows_them_no_more() {
        let place = Place::new();
        let mut queue = place.queue();
        for id in [1, 2] {
            queue.start(place.task(id, "echo bad >&2; exit 7")).unwrap();
        }
        assert!(queue.next(Duration::ZERO).unwrap().is_none());
        assert_eq!(*place.system.submitted.borrow(), [2]);
        // Its word alone is not the end: it may have been pre-empted.
        assert_eq!(place.run(1), 7);
        assert!(queue.next(Duration::from_millis(1500)).unwrap().is_none());
        place.over(1);
        assert!(matches!(queue.next(SOON).unwrap(), Some(Report::Ended(1, Ending::Exit(7)))));
        assert_eq!(std::fs::read_to_string(place.folder.path().join("log it's.txt")).unwrap(), "bad\n");
        // Gone without a word: the system says how.
        place.over(2);
        assert!(matches!(queue.next(SOON).unwrap(), Some(Report::Ended(2, Ending::Signal(9)))));
    }

    #[test]
    fn rows_are_told_as_they_come() {
        let place = Place::new();
        let mut queue = place.queue();
        queue.start(place.task(1, "")).unwrap();
        let table = place.folder.path().join("metrics.csv");
        std::fs::write(&table, "step,optimizer,val_acc\n9,sgd,0.5\n19,sg").unwrap();
        let Some(Report::Event(1, event)) = queue.next(SOON).unwrap() else { panic!("no event") };
        assert_eq!(event, serde_json::json!({ "event": "evaluated", "step": 9, "optimizer": "sgd", "val_acc": 0.5 }));
        assert!(queue.next(Duration::ZERO).unwrap().is_none(), "the second line is torn");
    }

    #[test]
    fn jobs_of_an_earlier_process_are_taken_over() {
        let place = Place::new();
        let mut first = place.queue();
        first.start(place.task(1, "exit 0")).unwrap();
        assert!(first.next(Duration::ZERO).unwrap().is_none());
        drop(first);
        let mut second = place.queue();
        assert!(second.outlives());
        second.start(place.task(1, "exit 0")).unwrap();
        assert!(second.next(Duration::ZERO).unwrap().is_none());
        assert_eq!(place.system.submitted.borrow().len(), 1);
        place.run(1);
        place.over(1);
        assert!(matches!(second.next(SOON).unwrap(), Some(Report::Ended(1, Ending::Exit(0)))));
        // What is over is submitted anew.
        second.start(place.task(1, "exit 0")).unwrap();
        assert!(second.next(Duration::ZERO).unwrap().is_none());
        assert_eq!(place.system.submitted.borrow().len(), 2);
    }

    #[test]
    fn what_is_stopped_or_refused_ends() {
        let place = Place::new();
        let mut queue = place.queue();
        queue.start(place.task(1, "")).unwrap();
        queue.stop();
        assert!(matches!(queue.next(SOON).unwrap(), Some(Report::Ended(1, Ending::Exit(75)))));
        let mut queue = Queue { system: Fake { refuses: true, ..Fake::default() }, ..place.queue() };
        queue.start(place.task(2, "")).unwrap();
        assert!(queue.next(SOON).unwrap_err().to_string().contains("no such partition"));
        assert!(matches!(queue.next(SOON).unwrap(), Some(Report::Ended(2, Ending::Exit(75)))));
    }

    /// A signal to all processes of a job: the training ends in good order, and the script tells how.
    #[test]
    fn a_script_outlives_the_signal_that_its_training_gets() {
        let place = Place::new();
        let mut queue = place.queue();
        let ready = place.folder.path().join("ready");
        let training = format!("trap 'exit 75' TERM; touch '{}'; while :; do sleep 0.05; done", ready.display());
        queue.start(place.task(1, &training)).unwrap();
        let mut command = Command::new("bash");
        command.arg(place.folder.path().join("jobs/t1.sh"));
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().unwrap();
        while !ready.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        let group = format!("-{}", child.id());
        assert!(Command::new("kill").args(["-TERM", "--", &group]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(75));
        assert_eq!(std::fs::read_to_string(place.folder.path().join("jobs/t1.exit")).unwrap(), "75\n");
    }
}
