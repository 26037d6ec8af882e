//! Fetching a published archive into the data folder: checked, then moved into its place in one step.

use super::DataError;
use super::sets::Archive;
use super::summary::hex;
use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Together the five seconds after which connecting is given up.
const RESOLVE: Duration = Duration::from_secs(2);
const CONNECT: Duration = Duration::from_secs(3);
/// For the first byte of an answer, and for any later one.
const STALL: Duration = Duration::from_secs(20);

/// Why there is no archive.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not to be had from there, or what came is not it: another set may stand in.
    #[error("{0}")]
    Unreachable(String),
    /// This machine would not keep it.
    #[error(transparent)]
    Local(#[from] DataError),
}

/// Fetches `archive` and unpacks its files to `root/<archive.folder>`; returns that folder.
///
/// All is written to a folder of this process's own beside it, which takes its final name when the checksum is right and
/// every file is whole and synced; a fetch that ends early leaves nothing that could be taken for the set. `announce` is
/// called once the server answers.
///
/// # Errors
/// See [`FetchError`].
pub fn fetch(archive: &Archive, root: &Path, announce: impl FnOnce()) -> Result<PathBuf, FetchError> {
    let unreachable = |e: ureq::Error| FetchError::Unreachable(e.to_string());
    let agent = ureq::Agent::config_builder()
        .timeout_resolve(Some(RESOLVE))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(STALL))
        .timeout_per_read(Some(STALL))
        .build()
        .new_agent();
    // The server first, the disk after it: without a network nothing is written at all.
    let mut response = agent.get(archive.url).call().map_err(unreachable)?;
    announce();
    let workshop = Workshop::new(root, archive.folder)?;
    let mut packed = download(archive, response.body_mut().as_reader(), &workshop.0.join("archive"))?;
    let unpacked = workshop.0.join(archive.folder);
    unpack(archive, &mut packed, &unpacked)?;
    let folder = root.join(archive.folder);
    match fs::rename(&unpacked, &folder) {
        // Another process fetched it meanwhile; it too gave it this name only when it was whole.
        Err(_) if folder.is_dir() => {}
        result => result.map_err(DataError::io(&folder, "move the unpacked files to"))?,
    }
    sync_folder(root)?;
    Ok(folder)
}

/// A folder of this process's own, removed with all it holds when done with.
struct Workshop(PathBuf);

impl Workshop {
    fn new(root: &Path, name: &str) -> Result<Self, DataError> {
        let path = root.join(format!(".fetch-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(DataError::io(&path, "create"))?;
        Ok(Self(path))
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // What cannot be removed is in nobody's way: its name is this process's.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Copies the body to `path` and compares its length and checksum; returns the file, at its beginning.
fn download(archive: &Archive, mut body: impl Read, path: &Path) -> Result<File, FetchError> {
    let write = || DataError::io(path, "write");
    let mut file = File::options().read(true).write(true).create(true).truncate(true).open(path).map_err(write())?;
    let (mut hash, mut received) = (Sha256::new(), 0u64);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let len = body
            .read(&mut buffer)
            .map_err(|e| FetchError::Unreachable(format!("it broke off after {received} bytes: {e}")))?;
        received += len as u64;
        if len == 0 || received > archive.bytes {
            break;
        }
        hash.update(&buffer[..len]);
        file.write_all(&buffer[..len]).map_err(write())?;
    }
    if received != archive.bytes {
        let comparison = if received > archive.bytes { "more than" } else { "only" };
        let given = if received > archive.bytes { archive.bytes } else { received };
        return Err(FetchError::Unreachable(format!("it sent {comparison} {given} of {} bytes", archive.bytes)));
    }
    let found = hex(&hash.finalize());
    if found != archive.sha256 {
        return Err(FetchError::Unreachable(format!(
            "it sent other bytes: sha256 {found}, expected {}",
            archive.sha256
        )));
    }
    file.rewind().map_err(DataError::io(path, "read"))?;
    Ok(file)
}

/// Writes the archive's files that are wanted, and no others, to `folder`, synced.
fn unpack(archive: &Archive, packed: &mut File, folder: &Path) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(DataError::io(folder, "create"))?;
    let unpack = || DataError::io(folder, "unpack the archive to");
    let mut tar = tar::Archive::new(GzDecoder::new(io::BufReader::new(packed)));
    for entry in tar.entries().map_err(unpack())? {
        let mut entry = entry.map_err(unpack())?;
        // Only names that are known are ever used as paths.
        let path = entry.path().map_err(unpack())?.into_owned();
        let Some(name) = archive.files.iter().find(|name| path == Path::new(archive.folder).join(name)) else {
            continue;
        };
        let path = folder.join(name);
        let mut file = File::create(&path).map_err(DataError::io(&path, "write"))?;
        io::copy(&mut entry, &mut file).map_err(DataError::io(&path, "unpack"))?;
        file.sync_all().map_err(DataError::io(&path, "write"))?;
    }
    sync_folder(folder)
}

/// Makes the names in a folder outlast a crash.
fn sync_folder(folder: &Path) -> Result<(), DataError> {
    // Systems that cannot open a folder as a file have no such thing to do.
    if cfg!(unix) {
        File::open(folder).and_then(|f| f.sync_all()).map_err(DataError::io(folder, "sync"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread::JoinHandle;

    /// A packed folder `set` with the wanted files `a` and `b`, one that is not wanted, and one that tries to leave.
    fn packed() -> Vec<u8> {
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        for (name, content) in [("set/a", "first"), ("set/readme", "no"), ("set/b", "second"), ("other/a", "no")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, name, content.as_bytes()).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap()
    }

    /// Answers one request on this machine with `length` announced and `body` sent.
    fn serve(length: usize, body: Vec<u8>) -> (&'static str, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/set.tar.gz", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).unwrap();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").unwrap();
            // A client that has seen enough may hang up.
            let _ = stream.write_all(&body);
        });
        (url.leak(), thread)
    }

    fn archive(url: &'static str, packed: &[u8]) -> Archive {
        let sha256 = hex(&Sha256::digest(packed)).leak();
        Archive { url, bytes: packed.len() as u64, sha256, folder: "set", files: &["a", "b"] }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn wanted_files_and_no_others_are_unpacked() {
        let root = tempfile::tempdir().unwrap();
        let (url, server) = serve(packed().len(), packed());
        let mut announced = false;
        let inner = root.path().join("made").join("here");
        let folder = fetch(&archive(url, &packed()), &inner, || announced = true).unwrap();
        server.join().unwrap();
        assert!(announced);
        assert_eq!(names(&inner), ["set"]);
        assert_eq!(names(&folder), ["a", "b"]);
        assert_eq!(fs::read_to_string(folder.join("b")).unwrap(), "second");
    }

    #[test]
    fn what_is_not_the_archive_leaves_nothing_behind() {
        let good = packed();
        let changed = [&good[..20], &[good[20] ^ 1], &good[21..]].concat();
        let cases = [
            ("other bytes: sha256", good.len(), changed),
            ("broke off after 100 bytes", good.len(), good[..100].to_vec()),
            ("only 100 of", 100, good[..100].to_vec()),
            ("more than", good.len() + 1, [&good[..], b"!"].concat()),
        ];
        for (words, length, body) in cases {
            let root = tempfile::tempdir().unwrap();
            let (url, server) = serve(length, body);
            let error = fetch(&archive(url, &good), root.path(), || ()).unwrap_err();
            server.join().unwrap();
            assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
            assert!(error.to_string().contains(words), "`{words}` is not in: {error}");
            assert!(names(root.path()).is_empty());
        }
    }

    #[test]
    fn without_a_server_nothing_is_written() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("inner");
        // Bound and dropped: nobody listens there.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let url = format!("http://127.0.0.1:{port}/set.tar.gz").leak();
        let error = fetch(&archive(url, &packed()), &inner, || panic!("announced")).unwrap_err();
        assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
        assert!(!inner.exists());
    }
}
