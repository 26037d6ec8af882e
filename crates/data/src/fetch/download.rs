//! One file, from whichever mirror gives it, a piece at a time if need be.

use super::body::Part;
use super::client::{Client, Outlook, Refusal};
use super::workshop::Workshop;
use super::{Event, FetchError, Options, Unreachable, is_taken};
use crate::DataError;
use crate::publication::Download;
use crate::summary::hex;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

/// A mirror that brought this part of the file is not given up: a line that breaks off often still gets there.
const HEADWAY: u64 = 100;

/// What the downloads of a set share.
pub struct Downloads<'a, 'n> {
    client: Client,
    options: &'a Options,
    pub workshop: &'a mut Workshop,
    /// Where the set will be.
    target: &'a Path,
    pub notify: &'a mut (dyn FnMut(Event<'_>) + 'n),
    /// What is left of the time to connect in, as long as no server has answered.
    unanswered: Option<Duration>,
}

/// How an attempt ended that did not bring the whole file.
pub enum Setback {
    Refused(Refusal),
    Local(DataError),
    /// Another process has put the set in its place meanwhile.
    Done,
}

impl From<DataError> for Setback {
    fn from(error: DataError) -> Self {
        Self::Local(error)
    }
}

impl From<Refusal> for Setback {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<'a, 'n> Downloads<'a, 'n> {
    pub fn new(
        options: &'a Options,
        workshop: &'a mut Workshop,
        target: &'a Path,
        notify: &'a mut (dyn FnMut(Event<'_>) + 'n),
    ) -> Self {
        let unanswered = Some(options.patience.connect);
        Self { client: Client::new(options), options, workshop, target, notify, unanswered }
    }

    /// Brings the partial file of `download` to its full length and right checksum: then the workshop is ours. `false`:
    /// there is no need to, the whole set is in its place.
    pub fn complete(&mut self, download: &Download<'_>) -> Result<bool, FetchError> {
        if self.workshop.is_ours() && is_taken(self.target) {
            return Ok(false);
        }
        let own = self.options.mirrors.iter().map(|mirror| mirror.trim_end_matches('/'));
        let mirrors: Vec<&str> = own.chain(download.mirrors.iter().copied()).collect();
        let mut reasons = Vec::new();
        for (k, mirror) in mirrors.iter().enumerate() {
            let url = format!("{mirror}/{}", download.file);
            match self.ask_mirror(download, &url, mirrors.len() - k) {
                Ok(()) => return Ok(true),
                Err(Setback::Done) => return Ok(false),
                Err(Setback::Local(error)) => return Err(error.into()),
                Err(Setback::Refused(refusal)) => reasons.push((url, refusal.why)),
            }
        }
        let kept = len(&self.workshop.part(download.sha256));
        Err(Unreachable { file: download.file.to_owned(), reasons, kept }.into())
    }

    /// Asks one mirror, the first of `left` that may still be asked, as often as there is hope.
    fn ask_mirror(&mut self, download: &Download<'_>, url: &str, left: usize) -> Result<(), Setback> {
        let patience = self.options.patience;
        let (mut in_vain, mut pause, mut has_sent) = (0, patience.pause, false);
        loop {
            let before = len(&self.workshop.part(download.sha256));
            let refusal = match self.attempt(download, url, left) {
                Err(Setback::Refused(refusal)) => refusal,
                other => return other,
            };
            (self.notify)(Event::Refused { url, why: &refusal.why });
            let gained = len(&self.workshop.part(download.sha256)).saturating_sub(before);
            has_sent |= gained > 0;
            in_vain += 1;
            if gained >= download.bytes.div_ceil(HEADWAY) {
                (in_vain, pause) = (0, patience.pause);
            }
            let hope = match refusal.outlook {
                Outlook::Lasting => false,
                Outlook::Passing => true,
                Outlook::Silent => has_sent,
            };
            if !hope || in_vain >= patience.attempts {
                return Err(refusal.into());
            }
            std::thread::sleep(pause);
            pause *= 2;
        }
    }

    /// One request at most: what is missing, appended; then the checksum.
    fn attempt(&mut self, download: &Download<'_>, url: &str, left: usize) -> Result<(), Setback> {
        let path = self.workshop.part(download.sha256);
        if len(&path) >= download.bytes && self.is_kept(download, &path)? {
            return Ok(());
        }
        let have = len(&path);
        let answer = self.ask(url, have, download.bytes, left)?;
        self.enter()?;
        if len(&path) != have {
            return Err(Refusal::passing("another process was at work on it meanwhile").into());
        }
        let Download { file, bytes, .. } = *download;
        (self.notify)(Event::Begins { file, url, bytes, have: answer.from });
        let notify = &mut self.notify;
        Part { path: &path, have, bytes }.join(answer, &mut |bytes| notify(Event::Received { bytes }))?;
        let Some(found) = self.wrong_sum(download, &path)? else { return Ok(()) };
        // Of no use to anyone. Where it was made of pieces, one of them may be to blame: then the whole is worth a try.
        fs::remove_file(&path).map_err(DataError::io(&path, "remove"))?;
        let expected = download.sha256;
        Err(match have {
            0 => Refusal::lasting(format!("it sent other bytes: sha256 {found}, expected {expected}")),
            _ => Refusal::passing(format!(
                "what it sent and the {have} bytes kept before make another file: sha256 {found}, expected {expected}"
            )),
        }
        .into())
    }

    /// Sends a request. Until the first answer of any server, the mirrors that are left share the time to connect in.
    fn ask(&mut self, url: &str, from: u64, bytes: u64, left: usize) -> Result<super::client::Answer, Refusal> {
        let mirrors = u32::try_from(left).unwrap_or(u32::MAX);
        let connect = self.unanswered.map_or(self.options.patience.connect, |time| time / mirrors);
        let begun = Instant::now();
        let result = self.client.ask(url, from, bytes, connect);
        self.unanswered = match &result {
            Err(Refusal { outlook: Outlook::Silent, .. }) => {
                // What it took beyond that was not spent on connecting.
                self.unanswered.map(|time| time.saturating_sub(begun.elapsed().min(connect)))
            }
            _ => None,
        };
        result
    }

    /// Whether an earlier fetch has left the whole file; what it left is removed where it cannot become that.
    fn is_kept(&mut self, download: &Download<'_>, path: &Path) -> Result<bool, Setback> {
        // Whoever else is at work may be about to unpack it: what holds now is seen once the workshop is ours.
        self.enter()?;
        let have = len(path);
        if have < download.bytes {
            return Ok(false);
        }
        if have == download.bytes && self.wrong_sum(download, path)?.is_none() {
            return Ok(true);
        }
        fs::remove_file(path).map_err(DataError::io(path, "remove"))?;
        (self.notify)(Event::Discarded { file: download.file });
        Ok(false)
    }

    /// The checksum of a file of the right length, if it is not the right one. If it is, the file outlasts a crash.
    fn wrong_sum(&mut self, download: &Download<'_>, path: &Path) -> Result<Option<String>, DataError> {
        (self.notify)(Event::Checking { file: download.file });
        let found = checksum(path)?;
        if found != download.sha256 {
            return Ok(Some(found));
        }
        let synced = OpenOptions::new().write(true).open(path).and_then(|file| file.sync_all());
        synced.map_err(DataError::io(path, "sync"))?;
        Ok(None)
    }

    /// Makes sure that the workshop is ours alone. Having waited for another process may have made this one needless.
    fn enter(&mut self) -> Result<(), Setback> {
        if self.workshop.is_ours() {
            return Ok(());
        }
        let notify = &mut self.notify;
        self.workshop.enter(|| notify(Event::Waiting))?;
        if is_taken(self.target) { Err(Setback::Done) } else { Ok(()) }
    }
}

/// Bytes in a file; none where it is absent.
fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

/// SHA-256 of a file, in lower-case hexadecimal.
pub fn checksum(path: &Path) -> Result<String, DataError> {
    let mut file = File::open(path).map_err(DataError::io(path, "read"))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(DataError::io(path, "read"))? {
            0 => return Ok(hex(&hash.finalize())),
            len => hash.update(&buffer[..len]),
        }
    }
}
