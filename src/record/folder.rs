//! The run folder: its name, its lock, and where its files lie.

use super::atomic;
use super::error::RecordError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Names of the files in a run folder.
pub mod file {
    pub const EXPERIMENT: &str = "experiment.toml";
    pub const RUN: &str = "run.json";
    pub const PLAN: &str = "plan.csv";
    pub const METRICS: &str = "metrics.csv";
    pub const TRACE: &str = "trace.csv";
    pub const MODEL: &str = "model.safetensors";
    /// The averaged weights of that kind: `model-swa.safetensors`.
    pub fn averaged_model(kind: &str) -> String {
        format!("model-{kind}.safetensors")
    }
    /// The weights of the best evaluation.
    pub const BEST_MODEL: &str = "model-best.safetensors";
    /// The weights at the end of a phase.
    pub fn model_of_phase(phase: usize) -> String {
        format!("model-phase-{phase}.safetensors")
    }
    pub const CHECKPOINT: &str = "checkpoint";
    pub const SCHEDULE: &str = "schedule.svg";
    pub const CURVES: &str = "curves.svg";
    pub const LOG: &str = "log.txt";
    pub const LOCK: &str = "lock";
    /// What the program keeps for itself of a server that the run is sent to.
    pub const MLFLOW: &str = "mlflow.json";
    /// Of a sweep's folder, in which runs lie: the sweep.
    pub const SWEEP: &str = "sweep.toml";
}

/// What a process may have left in its folder that was killed before it wrote `run.json`.
const BEFORE_RECORD: [&str; 6] =
    [file::EXPERIMENT, file::PLAN, file::SCHEDULE, file::METRICS, file::TRACE, file::CHECKPOINT];

/// What every run has besides, later than `run.json`.
const AFTER_RECORD: [&str; 3] = [file::LOG, file::CURVES, file::MLFLOW];

/// A run folder that this process alone writes: locked until dropped, or until the process ends however it ends.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Open as long as the folder is ours.
    _lock: File,
    /// The folder itself, open so that no other can be given its number; `None` where folders cannot be opened.
    itself: Option<File>,
}

impl RunFolder {
    /// Makes `runs/<UTC yyyymmddThhmmssZ>-<name>-<4 hex>/` and locks it. `runs` is made where absent; two processes
    /// never get the same folder.
    ///
    /// # Errors
    /// When the folder cannot be made or locked.
    pub fn create(runs: &Path, name: &str) -> Result<Self, RecordError> {
        fs::create_dir_all(runs).map_err(RecordError::io("create the folder", runs))?;
        loop {
            let path = runs.join(folder_name(name));
            match fs::create_dir(&path) {
                Ok(()) => return Self::claim(path),
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(cause) => return Err(RecordError::io("create the folder", &path)(cause)),
            }
        }
    }

    /// Makes and locks this very folder. One that is there already will do as long as it holds no run, nor anything of others
    /// that the run would overwrite: see [`check_free`].
    ///
    /// # Errors
    /// When it holds a run or such files, cannot be made, or another process writes it.
    pub fn create_at(path: &Path, further: &[String]) -> Result<Self, RecordError> {
        check_free(path, further)?;
        let is_new = !path.is_dir();
        fs::create_dir_all(path).map_err(RecordError::io("create the folder", path))?;
        let lock = lock(path)?;
        let synced = atomic::sync_folder(path.parent().unwrap_or(Path::new("")));
        // One that was there may lie in a folder that is not ours to read.
        if is_new {
            synced?;
        }
        if path.join(file::RUN).exists() {
            return Err(RecordError::Taken { folder: path.to_owned() });
        }
        // Tables come before `run.json`: without it, theirs is no run.
        for name in [file::METRICS, file::TRACE] {
            let table = path.join(name);
            match fs::remove_file(&table) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(RecordError::io("remove", &table)(cause));
                }
                _ => {}
            }
        }
        Ok(Self::locked(path.to_owned(), lock))
    }

    /// Locks a folder that runs lie in: a sweep's.
    ///
    /// # Errors
    /// When another process writes it, or it cannot be written.
    pub fn of_sweep(path: &Path) -> Result<Self, RecordError> {
        Ok(Self::locked(path.to_owned(), lock(path)?))
    }

    /// Opens the folder of an earlier run to go on in it.
    ///
    /// # Errors
    /// When it is no run folder, or another process writes it.
    pub fn open(path: &Path) -> Result<Self, RecordError> {
        check_is_run(path)?;
        Ok(Self::locked(path.to_owned(), lock(path)?))
    }

    /// Locks a folder that was just made; where that fails, nothing stays behind.
    fn claim(path: PathBuf) -> Result<Self, RecordError> {
        let locked = lock(&path).and_then(|lock| {
            atomic::sync_folder(path.parent().unwrap_or(Path::new("")))?;
            Ok(lock)
        });
        match locked {
            Ok(lock) => Ok(Self::locked(path, lock)),
            Err(error) => {
                let _ = fs::remove_file(path.join(file::LOCK));
                let _ = fs::remove_dir(&path);
                Err(error)
            }
        }
    }

    fn locked(path: PathBuf, lock: File) -> Self {
        let itself = if cfg!(unix) { File::open(&path).ok() } else { None };
        Self { path, _lock: lock, itself }
    }

    /// Sees that the folder still lies at its path. Where it does not, files that are open are written wherever they are now, and
    /// what is written by its path comes into another folder, or one that is made for it.
    ///
    /// # Errors
    /// When it was moved, deleted or replaced; not where that cannot be told.
    pub fn check_in_place(&self) -> Result<(), RecordError> {
        let Some(itself) = &self.itself else { return Ok(()) };
        let is_there = match (fs::metadata(&self.path), itself.metadata()) {
            (Ok(there), Ok(ours)) => is_same(&there, &ours),
            // Of other errors it is told by what is written next.
            (Err(cause), _) => !matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
            (Ok(_), Err(_)) => true,
        };
        if is_there { Ok(()) } else { Err(RecordError::Displaced { folder: self.path.clone() }) }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The path of one of its files: `folder.join(file::MODEL)`.
    pub fn join(&self, file: &str) -> PathBuf {
        self.path.join(file)
    }
}

/// Whether two looks were at one file or folder.
#[cfg(unix)]
fn is_same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(not(unix))]
fn is_same(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// Sees that a new run in this folder would overwrite nothing: neither what every run writes, nor the `further` files and folders
/// that this one does; and that a folder can be there. What a process left that was killed before the first record is no matter, and
/// its lock tells that it was there. A run is not looked for.
///
/// # Errors
/// When there is such a file, or something else than a folder: its path.
pub fn check_free(path: &Path, further: &[String]) -> Result<(), RecordError> {
    if let Some(path) = in_place_of_folder(path) {
        return Err(RecordError::NoFolder { path: path.to_owned() });
    }
    let is_there = |name: &&str| path.join(name).symlink_metadata().is_ok();
    let later = AFTER_RECORD.into_iter().chain(further.iter().map(String::as_str)).find(is_there);
    let earlier = BEFORE_RECORD.into_iter().find(is_there);
    // Looked at behind the others, before which they come: another process may be making them.
    if is_there(&file::RUN) {
        return Ok(());
    }
    let in_the_way = match lock_there(path) {
        LockThere::OfOthers => Some(file::LOCK),
        LockThere::OfRun => later,
        LockThere::No => later.or(earlier),
    };
    in_the_way.map_or(Ok(()), |name| Err(RecordError::InTheWay { path: path.join(name) }))
}

/// What lies in the place of a folder, or of one that it is to lie in, and is none: a file, or a link that leads nowhere.
fn in_place_of_folder(path: &Path) -> Option<&Path> {
    // Without a slash at the end, behind which nothing is found.
    let mut above = path.components().as_path().ancestors();
    above.find(|path| path.symlink_metadata().is_ok()).filter(|there| !there.is_dir())
}

/// Whose file it is that has the lock's name.
enum LockThere {
    No,
    OfRun,
    OfOthers,
}

/// A lock holds the number of a process, or nothing where the disk was full.
fn lock_there(folder: &Path) -> LockThere {
    /// More digits than a process's number has.
    const MOST: u64 = 32;
    let path = folder.join(file::LOCK);
    if path.is_dir() {
        return LockThere::OfOthers;
    }
    let mut text = Vec::new();
    match File::open(&path).and_then(|file| file.take(MOST).read_to_end(&mut text)) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => LockThere::No,
        // Locking it says why it cannot be had.
        Err(_) => LockThere::OfRun,
        Ok(_) if text.trim_ascii().iter().all(u8::is_ascii_digit) => LockThere::OfRun,
        Ok(_) => LockThere::OfOthers,
    }
}

/// Fails unless `path` holds a run.
pub(super) fn check_is_run(path: &Path) -> Result<(), RecordError> {
    let not_a_run = |reason: String| RecordError::NotARun { folder: path.to_owned(), reason };
    match fs::metadata(path) {
        Err(cause) => Err(not_a_run(cause.to_string())),
        Ok(meta) if !meta.is_dir() => Err(not_a_run("it is a file".to_owned())),
        Ok(_) if !path.join(file::RUN).is_file() => Err(not_a_run(format!("it holds no {}", file::RUN))),
        Ok(_) => Ok(()),
    }
}

/// Whether some process writes the run in this folder now; `None` when that cannot be told.
pub fn is_locked(folder: &Path) -> Option<bool> {
    let file = File::open(folder.join(file::LOCK)).ok()?;
    match file.try_lock_shared() {
        Ok(()) => Some(false),
        Err(TryLockError::WouldBlock) => Some(true),
        Err(TryLockError::Error(_)) => None,
    }
}

/// `20260131T235959Z-name-1f0a`
fn folder_name(name: &str) -> String {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    // Keeps apart runs begun in the same second. From the operating system, not from the seed: runs of one seed need
    // different folders too, and nothing else depends on it.
    let tag = RandomState::new().build_hasher().finish() & 0xffff;
    format!("{now}-{name}-{tag:04x}")
}

/// Takes the lock and leaves this process's id in it, for the other's error message.
fn lock(folder: &Path) -> Result<File, RecordError> {
    let path = folder.join(file::LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(RecordError::io("open", &path))?;
    let mut tries = 5;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            // Readers hold the lock for an instant to see whether a run is live: that is not another writer.
            Err(TryLockError::WouldBlock) if tries > 0 => {
                tries -= 1;
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let pid = file.read_to_string(&mut text).ok().and_then(|_| text.trim().parse().ok());
                return Err(RecordError::Locked { folder: folder.to_owned(), pid });
            }
            Err(TryLockError::Error(cause)) => return Err(RecordError::io("lock", &path)(cause)),
        }
    }
    // Only a message depends on it, so a full disk is left for the records to find.
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_specified_and_never_collide() {
        let dir = tempfile::tempdir().unwrap();
        let runs = dir.path().join("deep/runs");
        let folders: Vec<_> = (0..50).map(|_| RunFolder::create(&runs, "resnet.9_x-1").unwrap()).collect();
        let name = folders[0].path().file_name().unwrap().to_str().unwrap();
        let (time, rest) = name.split_once('-').unwrap();
        assert!(time.len() == 16 && time.as_bytes()[8] == b'T' && time.ends_with('Z'), "{name}");
        let (label, tag) = rest.rsplit_once('-').unwrap();
        assert_eq!(label, "resnet.9_x-1");
        assert!(tag.len() == 4 && tag.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "{name}");
        assert_eq!(fs::read_dir(&runs).unwrap().count(), 50);
    }

    #[test]
    fn what_a_run_left_that_was_killed_before_its_first_record_is_no_run() {
        let dir = tempfile::tempdir().unwrap();
        drop(RunFolder::create_at(dir.path(), &[]).unwrap());
        for name in BEFORE_RECORD {
            fs::write(dir.path().join(name), "step").unwrap();
        }
        drop(RunFolder::create_at(dir.path(), &[]).unwrap());
        assert!(!dir.path().join(file::METRICS).exists() && !dir.path().join(file::TRACE).exists());
        fs::write(dir.path().join(file::RUN), "{}").unwrap();
        fs::write(dir.path().join(file::METRICS), "step").unwrap();
        let error = RunFolder::create_at(dir.path(), &[]).unwrap_err();
        assert!(matches!(error, RecordError::Taken { .. }) && dir.path().join(file::METRICS).exists(), "{error}");
    }

    #[test]
    fn what_others_have_in_the_folder_is_left_alone() {
        let further = ["model.safetensors".to_owned()];
        let lock = |dir: &Path| fs::write(dir.join(file::LOCK), "123\n").unwrap();
        let refused = |name: &str, prepare: &dyn Fn(&Path)| {
            let dir = tempfile::tempdir().unwrap();
            prepare(dir.path());
            let path = dir.path().join(name);
            fs::write(&path, "of others").unwrap();
            let before = fs::read_dir(dir.path()).unwrap().count();
            let error = RunFolder::create_at(dir.path(), &further).unwrap_err().to_string();
            assert!(error.contains(&path.display().to_string()) && error.contains("another folder"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), "of others");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), before, "{name}");
        };
        for name in BEFORE_RECORD.into_iter().chain([file::LOCK]) {
            refused(name, &|_| {});
        }
        // None of these comes before `run.json`, whoever had the lock.
        for name in AFTER_RECORD.into_iter().chain([file::MODEL]) {
            refused(name, &|_| {});
            refused(name, &lock);
        }
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.txt"), "").unwrap();
        fs::write(dir.path().join(file::MODEL), "").unwrap();
        RunFolder::create_at(dir.path(), &[]).unwrap();
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_that_lies_at_its_path_no_more_is_missed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(dir.path(), "a").unwrap();
        let (path, moved) = (folder.path().to_owned(), dir.path().join("moved"));
        let is_missed = || match folder.check_in_place() {
            Ok(()) => false,
            Err(RecordError::Displaced { folder }) => folder == path,
            Err(error) => panic!("{error}"),
        };
        assert!(!is_missed());
        fs::rename(&path, &moved).unwrap();
        assert!(is_missed(), "it was moved");
        std::os::unix::fs::symlink(&moved, &path).unwrap();
        assert!(!is_missed(), "a link leads to it");
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert!(is_missed(), "a file is in its place");
        fs::remove_file(&path).unwrap();
        fs::remove_dir_all(&moved).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(is_missed(), "it was deleted, and another one made");
    }

    #[test]
    fn a_second_writer_is_told_who_writes() {
        let dir = tempfile::tempdir().unwrap();
        let first = RunFolder::create(dir.path(), "a").unwrap();
        fs::write(first.join(file::RUN), "{}").unwrap();
        let error = RunFolder::open(first.path()).unwrap_err();
        assert!(error.to_string().contains(&format!("pid {}", std::process::id())), "{error}");
        assert_eq!(is_locked(first.path()), Some(true));

        let path = first.path().to_owned();
        drop(first);
        assert_eq!(is_locked(&path), Some(false));
        RunFolder::open(&path).unwrap();
    }

    #[test]
    fn a_look_at_the_lock_does_not_keep_the_writer_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        fs::write(path.join(file::RUN), "{}").unwrap();
        drop(RunFolder::open(&path).unwrap());
        let looking = File::open(path.join(file::LOCK)).unwrap();
        looking.try_lock_shared().unwrap();
        let reader = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(10));
            drop(looking);
        });
        RunFolder::open(&path).unwrap();
        reader.join().unwrap();
    }

    #[test]
    fn other_folders_are_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let error = RunFolder::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("holds no run.json"), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let error = RunFolder::open(&dir.path().join("absent")).unwrap_err();
        assert!(error.to_string().contains("absent is not a run folder"), "{error}");
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = RunFolder::create(&file.join("runs"), "a").unwrap_err().to_string();
        assert!(error.contains("file/runs") && error.contains("--runs-dir"), "{error}");
        let error = RunFolder::create(Path::new("/proc"), "a").unwrap_err().to_string();
        assert!(error.contains("/proc") && error.contains("--runs-dir"), "{error}");
        let error = RunFolder::create(dir.path(), &"x".repeat(300)).unwrap_err().to_string();
        assert!(error.contains("shorter --name"), "{error}");
    }
}
