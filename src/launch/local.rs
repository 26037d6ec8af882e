//! Processes on this machine.

use super::{Ending, Launcher, Make, Report, Setup, Task};
use crate::registry::Entry;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

pub static ENTRY: Entry<Make> = Entry {
    name: "local",
    summary: "processes of this machine, which end with this one",
    cite: "",
    params: &[],
    shorthand: None,
    make,
};

fn make(setup: Setup) -> Result<Box<dyn Launcher>, String> {
    match setup.arguments.first() {
        None => Ok(Box::new(Local::new(setup.program))),
        Some(argument) => Err(format!(
            "--launcher-arg={argument}: processes of this machine take none\nhelp: name another --launcher"
        )),
    }
}

/// Runs this program again for each task.
///
/// A task's standard input is a pipe that stays open as long as this process lives: however it ends, the kernel closes the
/// pipe, and the task, started with `--until-stdin-closes`, writes its checkpoint and ends too. Tasks are process groups of
/// their own, so that Ctrl-C in a terminal reaches this process alone, which then stops them in good order.
pub struct Local {
    program: PathBuf,
    /// Of the tasks that run.
    pipes: BTreeMap<usize, ChildStdin>,
    sender: Sender<Report>,
    reports: Receiver<Report>,
}

impl Local {
    /// Tasks run `program`.
    pub fn new(program: PathBuf) -> Self {
        let (sender, reports) = channel();
        Self { program, pipes: BTreeMap::new(), sender, reports }
    }
}

impl Launcher for Local {
    fn start(&mut self, task: Task) -> std::io::Result<()> {
        let log = File::options().create(true).append(true).open(&task.log)?;
        let mut command = Command::new(&self.program);
        command
            .args(&task.arguments)
            .args(["--json", "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let pipe = child.stdin.take().expect("standard input was asked to be a pipe");
        let output = child.stdout.take().expect("standard output was asked to be a pipe");
        self.pipes.insert(task.id, pipe);
        let sender = self.sender.clone();
        std::thread::Builder::new()
            .name(format!("task {}", task.id))
            .spawn(move || watch(task.id, child, output, &sender))?;
        Ok(())
    }

    fn next(&mut self, timeout: Duration) -> std::io::Result<Option<Report>> {
        let report = self.reports.recv_timeout(timeout).ok();
        if let Some(Report::Ended(id, _)) = report {
            self.pipes.remove(&id);
        }
        Ok(report)
    }

    fn stop_one(&mut self, id: usize) {
        self.pipes.remove(&id);
    }

    fn stop(&mut self) {
        self.pipes.clear();
    }
}

/// Passes on what a task prints, then how it ended. Without a listener there is nobody to tell.
fn watch(id: usize, mut child: Child, output: ChildStdout, sender: &Sender<Report>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Ok(event) = serde_json::from_str(&line) {
            let _ = sender.send(Report::Event(id, event));
        }
    }
    let ending = child.wait().map_or(Ending::Exit(1), Ending::of);
    let _ = sender.send(Report::Ended(id, ending));
}

impl Ending {
    fn of(status: ExitStatus) -> Self {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Self::Signal(signal);
        }
        Self::Exit(status.code().unwrap_or(1))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    fn shell(id: usize, script: &str, folder: &std::path::Path) -> Task {
        let arguments = ["-c", script].map(Into::into).to_vec();
        let log = folder.join(format!("{id}.log"));
        let (name, folder) = (id.to_string(), folder.to_owned());
        Task { id, name, arguments, log, rows: folder.join("rows.csv"), folder }
    }

    #[test]
    fn events_and_endings_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut local = Local::new("/bin/sh".into());
        local.start(shell(1, "echo '{\"event\":\"x\"}'; echo no json; echo bad >&2; exit 7", folder.path())).unwrap();
        let Some(Report::Event(1, event)) = local.next(SOON).unwrap() else { panic!("no event") };
        assert_eq!(event["event"], "x");
        assert!(matches!(local.next(SOON).unwrap(), Some(Report::Ended(1, Ending::Exit(7)))));
        assert_eq!(std::fs::read_to_string(folder.path().join("1.log")).unwrap(), "bad\n");
        local.start(shell(2, "kill -9 $$", folder.path())).unwrap();
        assert!(matches!(local.next(SOON).unwrap(), Some(Report::Ended(2, Ending::Signal(9)))));
        assert!(local.next(Duration::from_millis(1)).unwrap().is_none());
    }

    #[test]
    fn stopping_closes_the_tasks_standard_input() {
        let folder = tempfile::tempdir().unwrap();
        let mut local = Local::new("/bin/sh".into());
        local.start(shell(3, "cat > /dev/null; exit 75", folder.path())).unwrap();
        assert!(local.next(Duration::from_millis(50)).unwrap().is_none());
        local.stop();
        assert!(matches!(local.next(SOON).unwrap(), Some(Report::Ended(3, Ending::Exit(75)))));
    }
}
