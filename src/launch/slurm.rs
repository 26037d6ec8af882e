//! [Slurm](https://slurm.schedmd.com): tasks that are started together become one job array.

use super::queue::{Queue, Stage, System, answer};
use super::{Ending, Launcher, Make, Setup};
use crate::registry::Entry;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

pub static ENTRY: Entry<Make> = Entry {
    name: "slurm",
    summary: "Slurm jobs (sbatch job arrays), on a shared file system; a pre-empted trial is requeued and goes on",
    cite: "https://slurm.schedmd.com/sbatch.html",
    params: &[],
    shorthand: None,
    make,
};

fn make(setup: Setup) -> Result<Box<dyn Launcher>, String> {
    answer(Command::new("sbatch").arg("--version"))
        .map_err(|e| format!("{e}\nhelp: run this where Slurm's commands are, or with another --launcher"))?;
    Ok(Box::new(Queue::new(Slurm, setup)))
}

/// Submits by `sbatch`, asks `squeue` and, of what that forgot, `scontrol`: it needs no accounting.
struct Slurm;

impl System for Slurm {
    fn submit(&mut self, setup: &Setup, scripts: &[PathBuf]) -> io::Result<Vec<String>> {
        let folder = scripts[0].parent().unwrap_or(Path::new("/"));
        let sweep = folder.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let list = list(folder, scripts)?;
        let mut output = OsString::from("--output=");
        output.push(folder.join("slurm-%A_%a.txt"));
        let mut command = Command::new("sbatch");
        command.args(["--parsable", "--requeue", "--open-mode=append"]).arg(output);
        command.arg(format!("--job-name={sweep}")).arg(format!("--array=0-{}", scripts.len() - 1));
        command.arg(format!("--cpus-per-task={}", setup.threads)).args(&setup.arguments).arg(list);
        let said = answer(&mut command)?;
        // `JOB`, or `JOB;CLUSTER`
        let job = said.trim().split(';').next().unwrap_or_default().to_owned();
        if job.is_empty() || !job.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(io::Error::other(format!("sbatch: `{}` is no job's number", said.trim())));
        }
        Ok((0..scripts.len()).map(|k| format!("{job}_{k}")).collect())
    }

    fn jobs(&self) -> io::Result<BTreeMap<String, Stage>> {
        Ok(stages(&answer(Command::new("squeue").args(["--me", "--noheader", "--array", "--format=%i|%T"]))?))
    }

    fn ending(&self, job: &str) -> Ending {
        ending(&answer(Command::new("scontrol").args(["--oneliner", "show", "job", job])).unwrap_or_default())
    }

    fn stop(&self, jobs: &[String]) {
        for arguments in [&["--state=PENDING"][..], &["--state=RUNNING", "--signal=TERM", "--full"]] {
            // Those that are over by now are no matter.
            if let Err(error) = answer(Command::new("scancel").args(arguments).args(jobs)) {
                log::warn!("{error}");
            }
        }
    }
}

/// The script of an array, which runs one of these by its number.
fn list(folder: &Path, scripts: &[PathBuf]) -> io::Result<PathBuf> {
    let name = |script: &PathBuf| script.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = scripts.iter().map(name).collect();
    // Names of runs are plain words. Each array has a list of its own, which is there as long as one of its jobs may start again.
    let list = folder.join(format!("array-of-{}-{}.sh", names[0].trim_end_matches(".sh"), unused(folder)));
    let folder = folder.to_string_lossy().replace('\'', r"'\''");
    let text = format!(
        "#!/bin/bash\nscripts=({})\nexec bash '{folder}'/\"${{scripts[$SLURM_ARRAY_TASK_ID]}}\"\n",
        names.join(" ")
    );
    std::fs::write(&list, text)?;
    Ok(list)
}

/// A number that no list in the folder has.
fn unused(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("array-of-")).count()
}

/// Of `JOB|STATE` a line.
fn stages(text: &str) -> BTreeMap<String, Stage> {
    let stage = |line: &str| {
        let (job, state) = line.trim().split_once('|')?;
        let stage = if state == "PENDING" { Stage::Waiting } else { Stage::Running };
        Some((job.to_owned(), stage))
    };
    text.lines().filter_map(stage).collect()
}

/// From what `scontrol` says of a job that left no word. One that was taken away, or that is forgotten, goes on from its checkpoint.
fn ending(said: &str) -> Ending {
    let field = |key: &str| said.split_whitespace().find_map(|word| word.strip_prefix(key));
    let code = || field("ExitCode=").and_then(|code| code.split_once(':')?.0.parse().ok()).filter(|code| *code != 0);
    match field("JobState=") {
        Some("OUT_OF_MEMORY") => Ending::Signal(9),
        Some("FAILED") => Ending::Exit(code().unwrap_or(1)),
        _ => Ending::Exit(75),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_slurm_says_is_understood() {
        let text = "12_0|PENDING\n12_1|RUNNING\n7|COMPLETING\n\n";
        let expected = [("12_0", Stage::Waiting), ("12_1", Stage::Running), ("7", Stage::Running)];
        assert_eq!(stages(text), expected.map(|(job, stage)| (job.to_owned(), stage)).into());
        for (said, expected) in [
            ("JobId=1 JobState=OUT_OF_MEMORY Reason=OutOfMemory ExitCode=0:125", Ending::Signal(9)),
            ("JobId=1 JobState=FAILED Reason=NonZeroExitCode ExitCode=101:0", Ending::Exit(101)),
            ("JobId=1 JobState=FAILED Reason=None ExitCode=0:15", Ending::Exit(1)),
            ("JobId=1 JobState=NODE_FAIL ExitCode=0:0", Ending::Exit(75)),
            ("JobId=1 JobState=CANCELLED ExitCode=0:0", Ending::Exit(75)),
            ("slurm_load_jobs error: Invalid job id specified", Ending::Exit(75)),
        ] {
            assert_eq!(ending(said), expected, "{said}");
        }
    }

    #[test]
    fn the_script_of_an_array_runs_the_one_of_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("it's here");
        std::fs::create_dir(&folder).unwrap();
        let scripts = ["t000-s1.sh", "t001-s1.sh"].map(|name| folder.join(name));
        for script in &scripts {
            std::fs::write(script, "basename \"$0\"").unwrap();
        }
        let first = list(&folder, &scripts).unwrap();
        assert_ne!(list(&folder, &scripts).unwrap(), first, "the first may be needed still");
        let said = answer(Command::new("bash").arg(first).env("SLURM_ARRAY_TASK_ID", "1")).unwrap();
        assert_eq!(said, "t001-s1.sh\n");
    }
}
