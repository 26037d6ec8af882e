//! Paths that a person types: the experiment, the run; and what was probably meant where there is no such thing.

use super::Failure;
use crate::compare::folders_with_runs;
use crate::config::suggest::nearest;
use crate::config::{self, Loaded, Override, sweep};
use crate::record::folder::file;
use clap::CommandFactory as _;
use std::path::{Path, PathBuf};

/// Where experiments and runs usually lie.
const CONFIGS: &str = "configs";
const RUNS: &str = "runs";

/// Reads the experiment that a command line names, as [`config::load_with`].
///
/// # Errors
/// A usage error where the path is no file: a run folder, another folder, a slip of the pen; all that is wrong with the
/// file.
pub fn load(path: &Path, overrides: &[Override]) -> Result<Loaded, Failure> {
    let shown = path.display();
    if is_run(path) {
        return Err(Failure::Usage(format!(
            "{shown} is a run folder, not an experiment file\n\
             help: `runner train --resume {shown}` goes on with the run, `runner eval {shown}` evaluates it; \
             its experiment is {}",
            path.join(file::EXPERIMENT).display()
        )));
    }
    if path.is_dir() {
        let inside = experiments_in(path);
        let help = match inside.is_empty() {
            true => "name a TOML file".to_owned(),
            false => format!("it holds {}", listed(&inside)),
        };
        return Err(Failure::Usage(format!("{shown} is a folder, not an experiment file\nhelp: {help}")));
    }
    if let (false, Ok(target)) = (path.exists(), path.read_link()) {
        let message = format!("{shown} is a link to {}, where no file is", target.display());
        return Err(Failure::Usage(format!("{message}\nhelp: name the file itself, or put the link right")));
    }
    if !path.exists() && path != Path::new("-") {
        let command = path.to_str().and_then(command_meant);
        let help = match (meant(path), command) {
            (Some(meant), _) => format!("did you mean {}?", meant.display()),
            (None, Some(command)) => format!("did you mean the command `runner {command}`?"),
            _ => "name a TOML file that describes the experiment; `runner --help` shows the commands".to_owned(),
        };
        return Err(Failure::Usage(format!("there is no file {shown}\nhelp: {help}")));
    }
    // Of a sweep file each setting would be an error, and none would say what it is.
    Ok(config::load_with(path, overrides).map_err(|errors| sweep::given_as_experiment(path).unwrap_or(errors))?)
}

/// The command that a word without a file was meant to be.
fn command_meant(word: &str) -> Option<String> {
    let commands = super::Cli::command();
    nearest(word, commands.get_subcommands().map(clap::Command::get_name)).map(str::to_owned)
}

/// Gives the path back where it is a run folder.
///
/// # Errors
/// A usage error, which names the run that was probably meant.
pub fn run(path: &Path) -> Result<&Path, Failure> {
    if is_run(path) {
        return Ok(path);
    }
    let shown = path.display();
    let what = match (path.is_dir(), path.exists()) {
        (true, _) => format!("{shown} is not a run folder: it holds no {}", file::RUN),
        (_, true) => format!("{shown} is a file, not a run folder"),
        _ => format!("there is no folder {shown}"),
    };
    // As `runs/`, where all there is are sweeps.
    let further = || folders_with_runs(path).into_iter().flat_map(|name| runs_in(&path.join(name)).pop()).next();
    let help = match (runs_in(path).last().cloned().or_else(further), run_meant(path)) {
        (Some(newest), _) if newest.parent() == Some(path) => {
            format!("name one of the runs in it: the newest is {}", newest.display())
        }
        (Some(further), _) => format!("name one of the runs in the folders in it, as {}", further.display()),
        (None, Some(meant)) => format!("did you mean {}?", meant.display()),
        (None, None) => format!("name a folder that `runner train` made, as {RUNS}/20261123T120000Z-dawnbench-1a2b"),
    };
    Err(Failure::Usage(format!("{what}\nhelp: {help}")))
}

/// Whether a folder holds a run.
pub fn is_run(path: &Path) -> bool {
    path.join(file::RUN).is_file()
}

/// The experiment that a path without a file was meant to be: with `.toml` behind it, or spelt alike, beside it or in
/// `configs`.
fn meant(path: &Path) -> Option<PathBuf> {
    let mut with_extension = path.as_os_str().to_owned();
    with_extension.push(".toml");
    let with_extension = PathBuf::from(with_extension);
    if with_extension.is_file() {
        return Some(with_extension);
    }
    let name = path.file_name()?.to_str()?;
    let spelt = [name.to_owned(), format!("{name}.toml")];
    let folders = [path.parent().unwrap_or(Path::new("")), Path::new(CONFIGS)];
    folders.into_iter().find_map(|folder| {
        let there = experiments_in(folder);
        let names: Vec<&str> = there.iter().filter_map(|file| file.file_name()?.to_str()).collect();
        let near = spelt.iter().find_map(|name| nearest(name, names.iter().copied()))?;
        Some(folder.join(near))
    })
}

/// The run that a path that is none was meant to be: one in `runs` whose name is the last part, or the newest whose name
/// contains it, or one spelt alike.
fn run_meant(path: &Path) -> Option<PathBuf> {
    let word = path.file_name()?.to_str()?;
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(RUNS));
    let runs = runs_in(beside);
    let names: Vec<&str> = runs.iter().filter_map(|run| run.file_name()?.to_str()).collect();
    let whole = names.iter().find(|name| **name == word);
    let newest = || names.iter().rev().find(|name| name.contains(word));
    let name = whole.or_else(newest).copied().or_else(|| nearest(word, names.iter().copied()))?;
    Some(beside.join(name))
}

/// TOML files of a folder, in order of their names.
fn experiments_in(folder: &Path) -> Vec<PathBuf> {
    entries(folder, |path| path.extension().is_some_and(|extension| extension == "toml") && path.is_file())
}

/// Run folders in a folder: their names begin with the time.
fn runs_in(folder: &Path) -> Vec<PathBuf> {
    entries(folder, is_run)
}

fn entries(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let Ok(entries) = std::fs::read_dir(here) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| folder.join(entry.file_name())).collect();
    paths.retain(|path| wanted(path));
    paths.sort();
    paths
}

/// The first few paths, and how many more there are.
fn listed(paths: &[PathBuf]) -> String {
    const SHOWN: usize = 5;
    let mut text: Vec<String> = paths.iter().take(SHOWN).map(|path| path.display().to_string()).collect();
    if paths.len() > SHOWN {
        text.push(format!("{} more", paths.len() - SHOWN));
    }
    text.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_meant_by_its_name_before_a_part_of_it_and_never_by_its_folder() {
        let runs = tempfile::tempdir().unwrap();
        for name in ["dawn", "dawn-factored", "prog-1", "prog-2"] {
            std::fs::create_dir(runs.path().join(name)).unwrap();
            std::fs::write(runs.path().join(name).join(file::RUN), "{}").unwrap();
        }
        let folder = runs.path().file_name().unwrap().to_str().unwrap();
        let cases = [
            ("dawn", Some("dawn")),
            ("dawn-fact", Some("dawn-factored")),
            ("prog", Some("prog-2")),
            ("dwan", Some("dawn")),
            (&folder[..3], None),
            ("ru", None),
        ];
        for (word, want) in cases {
            assert_eq!(run_meant(&runs.path().join(word)), want.map(|name| runs.path().join(name)), "{word}");
        }
    }

    #[test]
    fn a_folder_that_holds_sweeps_alone_has_runs_further_in() {
        let runs = tempfile::tempdir().unwrap();
        let trial = runs.path().join("sweep").join("t000-s0");
        std::fs::create_dir_all(&trial).unwrap();
        std::fs::write(trial.join(file::RUN), "{}").unwrap();
        let said = |path: &Path| match run(path) {
            Err(Failure::Usage(said)) => said,
            _ => panic!("it is a run"),
        };
        let further = said(runs.path());
        assert!(further.ends_with(&format!("runs in the folders in it, as {}", trial.display())), "{further}");
        let sweep = said(&runs.path().join("sweep"));
        assert!(sweep.ends_with(&format!("runs in it: the newest is {}", trial.display())), "{sweep}");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_called_one() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("linked.toml"), "").unwrap();
        let link = dir.path().join("link.toml");
        std::os::unix::fs::symlink("gone.toml", &link).unwrap();
        let Err(Failure::Usage(said)) = load(&link, &[]) else { panic!("it is an experiment") };
        assert!(said.contains("is a link to gone.toml, where no file is"), "{said}");
    }
}
