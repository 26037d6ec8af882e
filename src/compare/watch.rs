//! A comparison that follows runs while they are written.

use super::contrast::Contrasts;
use super::outcome::{self, Read};
use super::trials::TRIALS;
use super::{CompareError, Comparison, FindError, Options, find, group, name};
use crate::record::folder::{self, file};
use crate::record::stamp::Stamp;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The runs in a folder, of which each look reads again only those that changed: of a thousand that are over, none.
pub struct Watched {
    folder: PathBuf,
    options: Options,
    runs: BTreeMap<PathBuf, Known>,
    /// Of the sweep's table, which names the axes.
    trials: Stamp,
    changes: u64,
    contrasts: Contrasts,
}

/// A run as it was when it was read.
struct Known {
    /// From before it was read: what changed meanwhile is read again.
    stamps: [Stamp; 2],
    read: Read,
}

impl Known {
    /// `root`: the canonical path of the folder that is watched, out of which no file of the run may lead.
    fn read(path: &Path, root: &Path, options: &Options) -> Self {
        let stamps = stamps(path);
        let read = match linked_out(path, root) {
            Some(file) => Read::Unreadable(format!("{} is a link out of the folder", file.display())),
            None => outcome::read(path, options),
        };
        Self { stamps, read }
    }

    fn is_current(&self, path: &Path) -> bool {
        // A process that was killed changes no file, but lets go of its lock.
        let as_live = |outcome: &outcome::Outcome| !outcome.is_open() || outcome.live == folder::is_locked(path);
        let lives = match &self.read {
            Read::Run(outcome) => as_live(outcome),
            _ => true,
        };
        lives && self.stamps == stamps(path)
    }
}

/// Of the files that change: the plan is there before the record.
fn stamps(run: &Path) -> [Stamp; 2] {
    [file::RUN, file::METRICS].map(|name| Stamp::of(&run.join(name)))
}

/// The first of a run's files that are shown which lies elsewhere.
fn linked_out(run: &Path, root: &Path) -> Option<PathBuf> {
    let files = [file::RUN, file::PLAN, file::METRICS, file::TRACE].map(|name| run.join(name));
    files.into_iter().find(|path| find::leads_out(path, root))
}

impl Watched {
    /// The runs in `folder`, or the one that it is. None has been looked at yet.
    pub fn new(folder: PathBuf, options: Options) -> Self {
        Self {
            folder,
            options,
            runs: BTreeMap::new(),
            trials: Stamp::default(),
            changes: 0,
            contrasts: Contrasts::default(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Looks at all runs, and reads those that are new or changed. Gives the number of looks so far that found a change.
    ///
    /// # Errors
    /// When the folder cannot be read; what is known of its runs stays.
    pub fn look(&mut self) -> Result<u64, FindError> {
        let found = find::inside(&self.folder)?;
        let root = find::canonical(&self.folder)?;
        let stale = |path: &&PathBuf| self.runs.get(*path).is_none_or(|known| !known.is_current(path));
        let stale: Vec<&PathBuf> = found.par_iter().filter(stale).collect();
        let read: Vec<(PathBuf, Known)> =
            stale.into_par_iter().map(|path| (path.clone(), Known::read(path, &root, &self.options))).collect();
        let trials = Stamp::of(&self.folder.join(TRIALS));
        let found: BTreeSet<PathBuf> = found.into_iter().collect();
        let before = self.runs.len();
        self.runs.retain(|path, _| found.contains(path));
        if self.runs.len() < before || !read.is_empty() || trials != self.trials {
            self.changes += 1;
        }
        self.trials = trials;
        self.runs.extend(read);
        Ok(self.changes)
    }

    /// No runs at all, for when they cannot be compared.
    pub fn nothing(&self) -> Comparison {
        Comparison::new(self.options.clone(), Vec::new(), 0, Vec::new(), &mut Contrasts::default())
    }

    /// Compares the runs as they were when last looked at; there may be none. A baseline that is no group yet is said.
    ///
    /// # Errors
    /// When there are runs, and none has the metric.
    pub fn comparison(&mut self) -> Result<Comparison, CompareError> {
        let read = self.runs.iter().map(|(path, known)| (path.as_path(), known.read.clone()));
        let (outcomes, mut notes) = outcome::sort_out(read, &self.options)?;
        let all_read = notes.is_empty();
        let groups = group::group(outcomes, &self.options.metric, Some(&self.folder), &mut notes);
        let baseline = match &self.options.baseline {
            Some(text) if !groups.is_empty() => name::resolve(&groups, text).unwrap_or_else(|_| {
                notes.push(format!("`{text}` is no one group so far: differences are against the first"));
                0
            }),
            _ => 0,
        };
        let comparison = Comparison::new(self.options.clone(), groups, baseline, notes, &mut self.contrasts);
        Ok(Comparison { all_read, ..comparison })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::axes;
    use crate::record::RunFolder;
    use crate::record::testing::Run;
    use std::fs;

    #[test]
    fn only_what_changed_is_read_again() {
        let root = tempfile::tempdir().unwrap();
        let mut watched = Watched::new(root.path().to_owned(), Options::default());
        assert_eq!(watched.look().unwrap(), 0);
        assert!(watched.comparison().unwrap().groups.is_empty(), "no runs yet");
        let path = Run { status: "running", ..Run::default() }.write(root.path(), "a");
        Run { seed: 1, ..Run::default() }.write(root.path(), "b");
        assert_eq!((watched.look().unwrap(), watched.look().unwrap()), (1, 1));

        // Half a row says nothing, the whole one does.
        let metrics = path.join(file::METRICS);
        let before = fs::read_to_string(&metrics).unwrap();
        let last = |watched: &mut Watched| watched.comparison().unwrap().groups[0].runs[0].last();
        for (text, look, value) in [("2,2,0.", 2, 0.8), ("2,2,0.9,3000,30\n", 3, 0.9)] {
            fs::write(&metrics, format!("{before}{text}")).unwrap();
            assert_eq!((watched.look().unwrap(), last(&mut watched)), (look, value));
        }
        fs::remove_dir_all(&path).unwrap();
        assert_eq!((watched.look().unwrap(), watched.comparison().unwrap().groups[0].runs.len()), (4, 1));
    }

    #[test]
    fn a_half_written_run_is_a_note_until_it_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let path = Run::default().write(root.path(), "a");
        let text = fs::read_to_string(path.join(file::RUN)).unwrap();
        let mut watched = Watched::new(root.path().to_owned(), Options::default());
        for cut in [0, 1, text.len() / 2, text.len() - 1] {
            fs::write(path.join(file::RUN), &text[..cut]).unwrap();
            watched.look().unwrap();
            let comparison = watched.comparison().unwrap();
            assert!(comparison.groups.is_empty() && comparison.notes[0].contains("run.json"), "{comparison:?}");
        }
        fs::write(path.join(file::RUN), &text).unwrap();
        // The first line of a table, cut anywhere, is that of a run without an evaluation.
        let table = fs::read_to_string(path.join(file::METRICS)).unwrap();
        let head = table.find('\n').unwrap() + 1;
        for cut in [0, 1, head - 1, head, head + 3, table.len() - 1, table.len()] {
            fs::write(path.join(file::METRICS), &table[..cut]).unwrap();
            watched.look().unwrap();
            let comparison = watched.comparison().unwrap();
            let rows = table[head.min(cut)..cut].matches('\n').count();
            assert_eq!(comparison.groups[0].runs[0].metric.len(), rows, "cut at {cut}: {:?}", comparison.notes);
        }
    }

    #[test]
    fn a_killed_run_is_seen_though_no_file_changes() {
        let root = tempfile::tempdir().unwrap();
        let path = Run { status: "running", ..Run::default() }.write(root.path(), "a");
        let lock = RunFolder::open(&path).unwrap();
        let mut watched = Watched::new(root.path().to_owned(), Options::default());
        watched.look().unwrap();
        assert_eq!(watched.comparison().unwrap().groups[0].runs[0].state(), "running");
        drop(lock);
        assert_eq!(watched.look().unwrap(), 2);
        assert_eq!(watched.comparison().unwrap().groups[0].runs[0].state(), "killed while running");
    }

    #[test]
    fn a_baseline_may_come_later() {
        let root = tempfile::tempdir().unwrap();
        Run { name: "b", ..Run::default() }.write(root.path(), "b");
        let options = Options { baseline: Some("c".to_owned()), ..Options::default() };
        let mut watched = Watched::new(root.path().to_owned(), options);
        watched.look().unwrap();
        assert!(watched.comparison().unwrap().notes.iter().any(|note| note.contains("`c` is no one group")));
        Run { name: "c", hash: "cc", ..Run::default() }.write(root.path(), "x");
        watched.look().unwrap();
        assert_eq!(watched.comparison().unwrap().baseline, 1);
    }

    #[test]
    #[cfg(unix)]
    fn runs_outside_of_the_folder_are_left_alone() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let path = Run::default().write(elsewhere.path(), "secret");
        std::os::unix::fs::symlink(&path, root.path().join("a")).unwrap();
        let mut watched = Watched::new(root.path().to_owned(), Options::default());
        watched.look().unwrap();
        assert!(watched.comparison().unwrap().groups.is_empty());
        // Nor is a single file of a run that lies inside.
        fs::write(path.join(file::TRACE), "step,batch,lr,momentum\n0,100,0.1,0.9\n").unwrap();
        fs::write(path.join(file::PLAN), "phase,source\n0,0\n").unwrap();
        for name in [file::RUN, file::PLAN, file::METRICS, file::TRACE] {
            let run = Run::default().write(root.path(), &format!("of-{name}"));
            let _ = fs::remove_file(run.join(name));
            std::os::unix::fs::symlink(path.join(name), run.join(name)).unwrap();
        }
        watched.look().unwrap();
        let comparison = watched.comparison().unwrap();
        assert!(comparison.groups.is_empty(), "{comparison:?}");
        for name in [file::RUN, file::PLAN, file::METRICS, file::TRACE] {
            let words = format!("of-{name}/{name} is a link out of the folder");
            assert!(comparison.notes.iter().any(|note| note.contains(&words)), "{words}: {:?}", comparison.notes);
        }
    }

    /// One trial alone: the sweep's table lies above it.
    #[test]
    fn a_table_of_trials_above_the_folder_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let run = Run { status: "interrupted", ..Run::default() }.write(root.path(), "t003-s0");
        fs::write(root.path().join(TRIALS), "trial,state,run,reason,peak\n3,pruned,t003-s0,,1\n").unwrap();
        let state = |folder: &Path| {
            let mut watched = Watched::new(folder.to_owned(), Options::default());
            watched.look().unwrap();
            watched.comparison().unwrap().groups[0].runs[0].state()
        };
        assert_eq!([state(root.path()), state(&run)], ["pruned", "interrupted"]);
    }

    #[test]
    #[cfg(unix)]
    fn a_table_of_trials_outside_of_the_folder_names_no_axes() {
        let root = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        for (hash, peak) in [("a", 0.1), ("b", 0.2)] {
            Run { hash, settings: serde_json::json!({ "lr": peak }), ..Run::default() }.write(root.path(), hash);
        }
        let mut watched = Watched::new(root.path().to_owned(), Options::default());
        let mut names = || -> [String; 2] {
            watched.look().unwrap();
            let groups = watched.comparison().unwrap().groups;
            let axes = axes::axes(&groups);
            assert_eq!(axes.len(), 1);
            [axes[0].name.clone(), groups[1].name.clone()]
        };
        let table = "trial,run,reason,secret\n0,a,,1\n1,b,,2\n";
        let (inside, outside) = (root.path().join(TRIALS), elsewhere.path().join(TRIALS));
        fs::write(&outside, table).unwrap();
        std::os::unix::fs::symlink(&outside, &inside).unwrap();
        assert_eq!(names(), ["lr", "lr=0.2"]);
        fs::remove_file(&inside).unwrap();
        fs::write(&inside, table).unwrap();
        assert_eq!(names(), ["secret", "secret=2"]);
    }
}
