//! Fetching a published set into the data folder: resumed where it broke off, checked, then moved into its place in one
//! step.

mod body;
mod client;
mod download;
mod unpack;
mod workshop;

use super::DataError;
use super::publication::{Form, Publication};
use download::Downloads;
pub(super) use download::checksum;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use workshop::{Workshop, sync_folder};

/// How to fetch.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// URLs of folders that are asked before the published mirrors.
    pub mirrors: Vec<String>,
    pub patience: Patience,
    pub proxy: Proxy,
}

/// How long to wait for what, and how often to try again.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For finding a server and connecting to it: all mirrors together until one answers, then each time.
    pub connect: Duration,
    /// For the first byte of an answer, and for any later one.
    pub stall: Duration,
    /// How often in a row a mirror is tried in vain that may do better; one that brings the file on is not given up.
    pub attempts: u32,
    /// Before such a mirror is tried again; after each time in vain, twice as long as before.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(5), stall: seconds(20), attempts: 5, pause: seconds(1) }
    }
}

/// Whether requests go through a proxy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Proxy {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say.
    #[default]
    Environment,
    /// Straight to the server, whatever they say.
    None,
}

/// What goes on during a fetch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event<'a> {
    /// Another process fetches the same set: it is waited for.
    Waiting,
    /// A server sends; `have` of the file's `bytes` were there before.
    Begins { file: &'a str, url: &'a str, bytes: u64, have: u64 },
    /// So many bytes of the file are there now.
    Received { bytes: u64 },
    /// A mirror did not bring the whole file; the same one is tried again, or the next.
    Refused { url: &'a str, why: &'a str },
    /// What was kept of the file can never become it, and is gone.
    Discarded { file: &'a str },
    /// All bytes of the file are there; the checksum is computed.
    Checking { file: &'a str },
    /// The checksum is right; the file is unpacked.
    Unpacking { file: &'a str },
}

/// Why there is no set.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not to be had from there, or what came is not it: another set may stand in.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// This machine would not keep it.
    #[error(transparent)]
    Local(#[from] DataError),
}

/// A file that no mirror has given, and what each of them did instead.
#[derive(Debug, thiserror::Error)]
pub struct Unreachable {
    pub file: String,
    /// URL and reason, in the order tried.
    pub reasons: Vec<(String, String)>,
    /// Bytes that are kept, to go on with next time.
    pub kept: u64,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no mirror gave {}", self.file)?;
        for (url, why) in &self.reasons {
            write!(f, "\n  {url}\n    {why}")?;
        }
        if self.kept > 0 {
            write!(f, "\n  the first {} bytes are kept: the next fetch goes on from there", self.kept)?;
        }
        Ok(())
    }
}

/// Fetches a set to `root/<publication.folder>`, and returns that folder.
///
/// All is written to a hidden folder beside it, `.fetch-<folder>`, and takes its final name when every checksum is right
/// and every file is whole and synced: a fetch that ends early, however it ends, leaves nothing that could be taken for
/// the set, and the next one goes on from the byte it had reached. Processes that fetch the same set at once do it once:
/// the others wait. Nothing is written before a server answers. A folder of that name that holds anything is left alone
/// and taken for the set: whether it is, reading it finds out.
///
/// # Errors
/// See [`FetchError`].
pub fn fetch(
    publication: &Publication<'_>,
    root: &Path,
    options: &Options,
    notify: &mut dyn FnMut(Event<'_>),
) -> Result<PathBuf, FetchError> {
    let target = root.join(publication.folder);
    if is_taken(&target) {
        return Ok(target);
    }
    let mut workshop = Workshop::new(root, publication.folder);
    if workshop.is_there() {
        workshop.enter(|| notify(Event::Waiting))?;
    }
    let mut downloads = Downloads::new(options, &mut workshop, &target, notify);
    for download in publication.downloads {
        if !downloads.complete(download)? {
            // The process that was waited for has done it.
            return Ok(target);
        }
    }
    assert!(workshop.is_ours(), "a download is complete only under the lock, and a set has downloads");
    let assembly = workshop.assembly();
    if assembly.exists() {
        fs::remove_dir_all(&assembly).map_err(DataError::io(&assembly, "remove"))?;
    }
    fs::create_dir_all(&assembly).map_err(DataError::io(&assembly, "create"))?;
    for download in publication.downloads {
        let part = workshop.part(download.sha256);
        match download.form {
            Form::Plain => place(&part, &assembly.join(download.file))?,
            Form::TarGz { folder, files } => {
                notify(Event::Unpacking { file: download.file });
                unpack::tar_gz(&part, folder, files, &assembly)?;
            }
        }
    }
    sync_folder(&assembly)?;
    fs::rename(&assembly, &target).map_err(DataError::io(&target, "move the files to"))?;
    sync_folder(root)?;
    workshop.finish();
    Ok(target)
}

/// Gives a file a second name, or where the file system knows no such thing, copies it: the partial file itself stays
/// until the set is in its place, so that what fails before then costs no download.
fn place(part: &Path, path: &Path) -> Result<(), DataError> {
    if fs::hard_link(part, path).is_ok() {
        return Ok(());
    }
    let copied = fs::copy(part, path).and_then(|_| fs::OpenOptions::new().write(true).open(path)?.sync_all());
    copied.map_err(DataError::io(path, "write"))
}

/// Whether something lies in the set's place.
fn is_taken(target: &Path) -> bool {
    fs::read_dir(target).is_ok_and(|mut inside| inside.next().is_some())
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        match self {
            Event::Waiting => write!(f, "another process is fetching this set: waiting for it"),
            Event::Begins { url, bytes, have: 0, .. } => write!(f, "fetching {url} ({:.1} MB)", megabytes(*bytes)),
            Event::Begins { url, bytes, have, .. } => {
                write!(f, "going on with {url} ({:.1} of {:.1} MB are there)", megabytes(*have), megabytes(*bytes))
            }
            Event::Received { bytes } => write!(f, "{:.1} MB", megabytes(*bytes)),
            Event::Refused { url, why } => write!(f, "{url}: {why}"),
            Event::Discarded { file } => write!(f, "what was kept of {file} has other bytes: it is fetched anew"),
            Event::Checking { file } => write!(f, "checking {file}"),
            Event::Unpacking { file } => write!(f, "unpacking {file}"),
        }
    }
}
