//! Where a fetch works until the set is whole: a hidden folder beside the set's, one process at a time.

use crate::DataError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often a process that waits for another one looks.
const LOOK: Duration = Duration::from_millis(100);

const LOCK: &str = "lock";

/// `.fetch-<folder>` in the data folder: a partial file for each download, named by its checksum and so by the bytes it
/// is to become, and what is being unpacked. What a killed fetch leaves here the next one goes on with.
///
/// It is made when there is first something to keep, and gone when the set is in its place.
pub struct Workshop {
    root: PathBuf,
    path: PathBuf,
    /// Held as long as the folder is ours; the system lets go of it however the process ends.
    lock: Option<File>,
    /// The topmost folder that was made for this, to be taken away again if nothing came.
    made: Option<PathBuf>,
}

impl Workshop {
    /// The workshop of the set `folder`; nothing is made yet.
    pub fn new(root: &Path, folder: &str) -> Self {
        Self { root: root.to_owned(), path: root.join(format!(".fetch-{folder}")), lock: None, made: None }
    }

    /// The partial file of a download.
    pub fn part(&self, sha256: &str) -> PathBuf {
        self.path.join(format!("{sha256}.part"))
    }

    /// Where the set is put together.
    pub fn assembly(&self) -> PathBuf {
        self.path.join("set")
    }

    /// Whether an earlier fetch has left something, or another one is at work.
    pub fn is_there(&self) -> bool {
        self.path.is_dir()
    }

    pub fn is_ours(&self) -> bool {
        self.lock.is_some()
    }

    /// Makes the folder where it is absent, and waits until it is this process's alone; `waiting` is called once if that
    /// takes time.
    pub fn enter(&mut self, mut waiting: impl FnMut()) -> Result<(), DataError> {
        if self.is_ours() {
            return Ok(());
        }
        self.made = self.path.ancestors().take_while(|path| !path.exists()).last().map(Path::to_owned);
        let mut waited = false;
        loop {
            fs::create_dir_all(&self.path).map_err(DataError::io(&self.path, "create"))?;
            match self.claim() {
                Ok(Some(lock)) => {
                    self.lock = Some(lock);
                    return Ok(());
                }
                Ok(None) => {}
                // Whoever was here before has just tidied up.
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(DataError::io(self.path.join(LOCK), "lock")(e)),
            }
            if !std::mem::replace(&mut waited, true) {
                waiting();
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The lock, unless another process has it.
    ///
    /// Who leaves takes the lock's file away, and then a lock on that file is worth nothing: so the file must still be
    /// the one of that name, which a word of our own in it tells. That needs locks which do not keep others from reading,
    /// as Unix has them.
    fn claim(&self) -> io::Result<Option<File>> {
        let path = self.path.join(LOCK);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(e),
        }
        let nanoseconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let word = format!("{} {nanoseconds}\n", std::process::id());
        file.set_len(0)?;
        file.write_all(word.as_bytes())?;
        Ok((fs::read(&path)? == word.as_bytes()).then_some(file))
    }

    /// Takes the folder away with all it holds: the set is in its place.
    pub fn finish(mut self) {
        self.tidy(|_| false);
    }

    /// Removes what is not worth keeping, and the folder with it if that is everything. What cannot be removed is in
    /// nobody's way, so no error is made of it.
    fn tidy(&mut self, keep: impl Fn(&Path) -> bool) {
        let Some(lock) = self.lock.take() else { return };
        let inside = fs::read_dir(&self.path).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut kept = false;
        for path in inside.filter(|path| !path.ends_with(LOCK)) {
            if keep(&path) {
                kept = true;
            } else if path.is_dir() {
                let _ = fs::remove_dir_all(&path);
            } else {
                let _ = fs::remove_file(&path);
            }
        }
        if !kept {
            let _ = fs::remove_file(self.path.join(LOCK));
            let _ = fs::remove_dir(&self.path);
            // Folders that were made for nothing; one that holds anything stays.
            for path in
                self.root.ancestors().take_while(|path| self.made.as_ref().is_some_and(|made| path.starts_with(made)))
            {
                let _ = fs::remove_dir(path);
            }
        }
        drop(lock);
    }
}

impl Drop for Workshop {
    /// Partial files stay, for the next time.
    fn drop(&mut self) {
        self.tidy(|path| {
            path.extension().is_some_and(|extension| extension == "part")
                && fs::metadata(path).is_ok_and(|meta| meta.len() > 0)
        });
    }
}

/// Makes the names in a folder outlast a crash.
pub fn sync_folder(folder: &Path) -> Result<(), DataError> {
    // Systems that cannot open a folder as a file have no such thing to do.
    if cfg!(unix) {
        File::open(folder).and_then(|f| f.sync_all()).map_err(DataError::io(folder, "sync"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn partial_files_stay_and_all_else_goes() {
        let root = tempfile::tempdir().unwrap();
        let mut workshop = Workshop::new(root.path(), "set");
        assert!(!workshop.is_there());
        workshop.enter(|| panic!("waits")).unwrap();
        fs::write(workshop.part("abc"), "half").unwrap();
        fs::write(workshop.part("empty"), "").unwrap();
        fs::create_dir(workshop.assembly()).unwrap();
        fs::write(workshop.assembly().join("a"), "unpacked").unwrap();
        drop(workshop);
        let mut left = names(&root.path().join(".fetch-set"));
        left.sort();
        assert_eq!(left, ["abc.part", "lock"]);

        let mut workshop = Workshop::new(root.path(), "set");
        workshop.enter(|| panic!("the lock is free")).unwrap();
        workshop.finish();
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn folders_made_for_nothing_are_taken_away() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("made").join("here");
        let mut workshop = Workshop::new(&inner, "set");
        workshop.enter(|| ()).unwrap();
        assert!(inner.is_dir());
        drop(workshop);
        assert!(names(root.path()).is_empty() && root.path().is_dir());
    }

    #[test]
    fn a_second_one_waits_and_is_not_fooled_by_a_lock_that_was_taken_away() {
        let root = tempfile::tempdir().unwrap();
        let mut first = Workshop::new(root.path(), "set");
        first.enter(|| panic!("waits")).unwrap();
        let path = root.path().to_owned();
        let (told, hears) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || {
            let mut second = Workshop::new(&path, "set");
            second.enter(|| told.send(()).unwrap()).unwrap();
            // The lock's file is there, and it is this one's: a third cannot have it.
            assert!(Workshop::new(&path, "set").claim().unwrap().is_none());
        });
        hears.recv().unwrap();
        first.finish();
        second.join().unwrap();
        assert!(names(root.path()).is_empty());
    }
}
