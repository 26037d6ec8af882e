//! A packed folder's wanted files, and no others.

use super::workshop::sync_folder;
use crate::DataError;
use flate2::read::GzDecoder;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// Writes `files` of the archive's `folder` to `target`, synced.
///
/// Only these names are ever used as paths: what else the archive holds, whatever it is called, is passed over.
///
/// # Errors
/// When the archive cannot be read or lacks one of them; when one cannot be written.
pub fn tar_gz(archive: &Path, folder: &str, files: &[&str], target: &Path) -> Result<(), DataError> {
    let read = || DataError::io(archive, "unpack");
    let packed = File::open(archive).map_err(read())?;
    let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(packed)));
    let mut missing: Vec<&str> = files.to_vec();
    for entry in tar.entries().map_err(read())? {
        let mut entry = entry.map_err(read())?;
        let path = entry.path().map_err(read())?.into_owned();
        let Some(name) = files.iter().find(|name| path == Path::new(folder).join(name)) else { continue };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = target.join(name);
        let mut file = File::create(&path).map_err(DataError::io(&path, "write"))?;
        io::copy(&mut entry, &mut file).map_err(DataError::io(&path, "unpack"))?;
        file.sync_all().map_err(DataError::io(&path, "write"))?;
        missing.retain(|other| other != name);
    }
    if let Some(name) = missing.first() {
        let absent = io::Error::other(format!("it holds no {folder}/{name}"));
        return Err(read()(absent));
    }
    sync_folder(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::fs;

    /// A packed archive at `path` with these entries.
    fn pack(path: &Path, entries: &[(&str, &str)]) {
        let mut tar = tar::Builder::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
        for (name, content) in entries {
            let mut header = tar::Header::new_old();
            // Written raw: the library itself refuses to write names that leave the folder.
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_entry_type(tar::EntryType::Regular);
            header.set_cksum();
            tar.append(&header, content.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
    }

    #[test]
    fn wanted_files_are_unpacked_and_nothing_leaves_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (archive, target) = (dir.path().join("a.tar.gz"), dir.path().join("in/target"));
        fs::create_dir_all(&target).unwrap();
        let entries = [
            ("set/a", "first"),
            ("set/readme", "no"),
            ("../b", "no"),
            ("/set/b", "no"),
            ("set/../../b", "no"),
            ("set/b", "second"),
        ];
        pack(&archive, &entries);
        tar_gz(&archive, "set", &["a", "b"], &target).unwrap();
        assert_eq!(fs::read_to_string(target.join("a")).unwrap(), "first");
        assert_eq!(fs::read_to_string(target.join("b")).unwrap(), "second");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 2);
        assert_eq!(fs::read_dir(dir.path().join("in")).unwrap().count(), 1);
        assert!(!dir.path().join("b").exists());
    }

    #[test]
    fn an_archive_without_a_wanted_file_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let (archive, target) = (dir.path().join("a.tar.gz"), dir.path().join("target"));
        fs::create_dir(&target).unwrap();
        pack(&archive, &[("set/a", "first"), ("other/b", "no")]);
        let message = tar_gz(&archive, "set", &["a", "b"], &target).unwrap_err().to_string();
        assert!(message.contains("a.tar.gz") && message.contains("holds no set/b"), "{message}");
    }
}
