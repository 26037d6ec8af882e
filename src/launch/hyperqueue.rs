//! [HyperQueue](https://it4innovations.github.io/hyperqueue): each task is a job of its server, which restarts it on another worker
//! where one is lost.

use super::queue::{Queue, Stage, System, answer};
use super::{Ending, Launcher, Make, Setup};
use crate::registry::Entry;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::Command;

pub static ENTRY: Entry<Make> = Entry {
    name: "hyperqueue",
    summary: "HyperQueue jobs (hq submit), on a shared file system; a trial whose worker is lost goes on at another",
    cite: "Beránek et al. 2024, HyperQueue: Efficient and ergonomic task graphs on HPC clusters",
    params: &[],
    shorthand: None,
    make,
};

fn make(setup: Setup) -> Result<Box<dyn Launcher>, String> {
    let help = "help: start a server (`hq server start`) and run this where `hq` finds it, or with another --launcher";
    HyperQueue.jobs().map_err(|e| format!("{e}\n{help}"))?;
    Ok(Box::new(Queue::new(HyperQueue, setup)))
}

/// Speaks with the server by `hq`.
struct HyperQueue;

impl System for HyperQueue {
    fn submit(&mut self, setup: &Setup, scripts: &[PathBuf]) -> io::Result<Vec<String>> {
        let job = |script: &PathBuf| {
            let name = script.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let mut command = hq();
            command.args(["submit", "--stdout=none", "--stderr=none", "--name", &name]);
            command.arg(format!("--cpus={}", setup.threads)).args(&setup.arguments);
            command.args(["--", "/bin/bash"]).arg(script);
            let said = json(&mut command)?;
            said["id"].as_u64().map(|id| id.to_string()).ok_or_else(|| not_understood(&said))
        };
        let mut jobs = Vec::new();
        for script in scripts {
            match job(script) {
                Ok(id) => jobs.push(id),
                Err(error) if jobs.is_empty() => return Err(error),
                // The next submission begins with this one, and tells.
                Err(_) => break,
            }
        }
        Ok(jobs)
    }

    fn jobs(&self) -> io::Result<BTreeMap<String, Stage>> {
        let said = json(hq().args(["job", "list", "--filter", "waiting,running"]))?;
        stages(&said).ok_or_else(|| not_understood(&said))
    }

    fn ending(&self, job: &str) -> Ending {
        json(hq().args(["job", "info", job])).map_or(Ending::Exit(75), |said| ending(&said))
    }

    fn stop(&self, jobs: &[String]) {
        // SIGINT, and a second later SIGKILL: what is not written by then is trained again from the last checkpoint.
        if let Err(error) = answer(hq().args(["job", "cancel", &jobs.join(",")])) {
            log::warn!("{error}");
        }
    }
}

fn hq() -> Command {
    let mut command = Command::new("hq");
    command.arg("--output-mode=json");
    command
}

fn json(command: &mut Command) -> io::Result<Value> {
    let said = answer(command)?;
    serde_json::from_str(&said).map_err(|e| io::Error::other(format!("hq: {e} in {}", said.trim())))
}

fn not_understood(said: &Value) -> io::Error {
    io::Error::other(format!("hq: this is not understood: {said}"))
}

/// Of a list of jobs.
fn stages(said: &Value) -> Option<BTreeMap<String, Stage>> {
    let stage = |job: &Value| {
        let running = job["task_stats"]["running"].as_u64()? > 0;
        Some((job["id"].as_u64()?.to_string(), if running { Stage::Running } else { Stage::Waiting }))
    };
    said.as_array()?.iter().map(stage).collect()
}

/// From what the server says of a job that left no word: a task that failed so broke off, another was taken away.
fn ending(said: &Value) -> Ending {
    let job = said.get(0).unwrap_or(said);
    if job["tasks"][0]["state"] == "failed" { Ending::Exit(1) } else { Ending::Exit(75) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_hyperqueue_says_is_understood() {
        let job = |id: u64, running: u64| {
            let stats =
                json!({ "canceled": 0, "failed": 0, "finished": 0, "running": running, "waiting": 1 - running });
            json!({ "id": id, "name": "t000-s1", "task_count": 1, "task_stats": stats })
        };
        let found = stages(&json!([job(3, 0), job(4, 1)])).unwrap();
        assert_eq!(found, [("3".to_owned(), Stage::Waiting), ("4".to_owned(), Stage::Running)].into());
        assert_eq!(stages(&json!([])).map(|stages| stages.len()), Some(0));
        assert_eq!(stages(&json!({ "error": "no server" })), None);
        let info = |state: &str| json!([{ "info": job(3, 0), "tasks": [{ "id": 0, "state": state }] }]);
        assert_eq!(["failed", "canceled"].map(|state| ending(&info(state))), [Ending::Exit(1), Ending::Exit(75)]);
    }
}
