//! Files that are either the old ones or the new ones, never half written, whatever happens in between.

use super::error::RecordError;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Replaces `path` by `bytes`: a temporary file beside it is written, synced and renamed over it, and the folder synced.
///
/// After a crash at any moment, `path` is whole: the old file or the new one.
///
/// # Errors
/// When a step of this fails; `path` is then as before, and the temporary file is gone.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), RecordError> {
    write_with(path, |file| file.write_all(bytes))
}

/// As [`write()`], for content that is better streamed than held in memory.
///
/// # Errors
/// Those of [`write()`], and those of `fill`.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), RecordError> {
    replace(path, None, fill)
}

/// As [`write_with`], and a file that was there before hands its permissions on: for files that belong to a person.
///
/// # Errors
/// Those of [`write_with`].
pub fn write_over(path: &Path, fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), RecordError> {
    let before = fs::metadata(path).ok().map(|found| found.permissions());
    replace(path, before, fill)
}

fn replace(
    path: &Path,
    permissions: Option<Permissions>,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), RecordError> {
    let temp = temporary(path);
    let replaced = write_synced(&temp, permissions, fill).and_then(|()| fs::rename(&temp, path));
    if let Err(cause) = replaced {
        // The first error is the one to tell; a temporary file that stays is replaced by the next write.
        let _ = fs::remove_file(&temp);
        return Err(RecordError::io("write", path)(cause));
    }
    sync_folder(path.parent().unwrap_or(Path::new("")))
}

/// Makes the entries of a folder (files created, renamed) outlast a power failure.
///
/// # Errors
/// When the disk refuses.
pub fn sync_folder(folder: &Path) -> Result<(), RecordError> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    // Elsewhere a folder cannot be opened, and renames are as durable as they get.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(RecordError::io("sync", folder))?;
    }
    Ok(())
}

/// `.run.json.tmp` for `run.json`: the same name each time, so that what a killed process left is replaced, not piled up.
/// A run folder has one writer, so names do not clash.
fn temporary(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".tmp");
    path.with_file_name(name)
}

fn write_synced(
    path: &Path,
    permissions: Option<Permissions>,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let file = match File::create(path) {
        // What a killed process left may have the permissions of a file that is not to be written.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            fs::remove_file(path).and_then(|()| File::create(path)).map_err(|_| error)?
        }
        other => other?,
    };
    if let Some(permissions) = permissions {
        // Before anything is in it: what is kept from others must not be theirs to read for a moment.
        file.set_permissions(permissions)?;
    }
    let mut file = BufWriter::new(file);
    fill(&mut file)?;
    file.into_inner()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_file_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        write(&path, b"old, and longer").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(dir.path()), ["run.json"]);
    }

    #[test]
    fn a_failure_half_way_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        write(&path, b"old").unwrap();
        let error = write_with(&path, |file| {
            file.write_all(&vec![b'x'; 100_000])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        })
        .unwrap_err();
        assert!(error.to_string().contains("run.json") && error.to_string().contains("free some space"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["run.json"]);
    }

    /// The kernel's own "no space left": the temporary file leads to `/dev/full`.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_keeps_the_old_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        write(&path, b"old").unwrap();
        std::os::unix::fs::symlink("/dev/full", temporary(&path)).unwrap();
        let error = write(&path, b"new").unwrap_err();
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(dir.path()), ["run.json"]);
    }

    #[test]
    #[cfg(unix)]
    fn what_is_written_over_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("classes.csv");
        write_over(&path, |file| file.write_all(b"new")).unwrap();
        for mode in [0o600, 0o640, 0o444] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            write_over(&path, |file| write!(file, "{mode:o}")).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{mode:o}"));
        }
        assert_eq!(names(dir.path()), ["classes.csv"]);
    }

    #[test]
    fn what_a_killed_process_left_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run.json");
        fs::write(temporary(&path), b"half").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(names(dir.path()), ["run.json"]);
    }
}
