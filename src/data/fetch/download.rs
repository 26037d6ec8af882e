//! One file, from whichever mirror gives it, a piece at a time if need be.

use super::client::{Answer, Client, Refusal};
use super::workshop::Workshop;
use super::{Event, FetchError, Options, Unreachable, is_taken};
use crate::data::DataError;
use crate::data::publication::Download;
use crate::data::summary::hex;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

/// A mirror that brought this part of the file is not given up: a line that breaks off often still gets there.
const HEADWAY: u64 = 100;

/// What the downloads of a set share.
pub struct Downloads<'a, 'n> {
    pub client: &'a Client,
    pub options: &'a Options,
    pub workshop: &'a mut Workshop,
    /// Where the set will be.
    pub target: &'a Path,
    pub notify: &'a mut (dyn FnMut(Event<'_>) + 'n),
}

/// How an attempt ended that did not bring the whole file.
enum Setback {
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

impl Downloads<'_, '_> {
    /// Brings the partial file of `download` to its full length and right checksum. `false`: there is no need to, the
    /// whole set is in its place.
    pub fn complete(&mut self, download: &Download<'_>) -> Result<bool, FetchError> {
        if self.workshop.is_ours() && is_taken(self.target) {
            return Ok(false);
        }
        let own = self.options.mirrors.iter().map(|mirror| mirror.trim_end_matches('/'));
        let mut reasons = Vec::new();
        for mirror in own.chain(download.mirrors.iter().copied()) {
            let url = format!("{mirror}/{}", download.file);
            match self.ask_mirror(download, &url) {
                Ok(()) => return Ok(true),
                Err(Setback::Done) => return Ok(false),
                Err(Setback::Local(error)) => return Err(error.into()),
                Err(Setback::Refused(refusal)) => reasons.push((url, refusal.why)),
            }
        }
        let kept = len(&self.workshop.part(download.sha256));
        Err(Unreachable { file: download.file.to_owned(), reasons, kept }.into())
    }

    fn ask_mirror(&mut self, download: &Download<'_>, url: &str) -> Result<(), Setback> {
        let patience = self.options.patience;
        let mut attempts = 0;
        loop {
            let before = len(&self.workshop.part(download.sha256));
            let refusal = match self.attempt(download, url) {
                Err(Setback::Refused(refusal)) => refusal,
                other => return other,
            };
            if refusal.passing {
                (self.notify)(Event::BrokeOff { url, why: &refusal.why });
            }
            let gained = len(&self.workshop.part(download.sha256)).saturating_sub(before);
            if gained < download.bytes.div_ceil(HEADWAY) {
                attempts += 1;
            }
            if !refusal.passing || attempts >= patience.attempts {
                return Err(refusal.into());
            }
            std::thread::sleep(patience.pause);
        }
    }

    /// One request at most: what is missing, appended; then the checksum.
    fn attempt(&mut self, download: &Download<'_>, url: &str) -> Result<(), Setback> {
        let part = self.workshop.part(download.sha256);
        let mut have = len(&part);
        if have > download.bytes {
            // Not of our making.
            self.enter()?;
            fs::remove_file(&part).map_err(DataError::io(&part, "remove"))?;
            have = 0;
        }
        let mut resumed = have > 0;
        if have < download.bytes {
            let answer = self.client.ask(url, have, download.bytes)?;
            self.enter()?;
            if len(&part) != have {
                return Err(Refusal::passing("another process was at work on it meanwhile").into());
            }
            resumed = answer.from > 0;
            self.receive(download, url, answer, &part)?;
        }
        (self.notify)(Event::Checking { file: download.file });
        let found = checksum(&part)?;
        if found == download.sha256 {
            return Ok(());
        }
        // Of no use to anyone. Where it was made of pieces, one of them may be to blame: then the whole is worth a try.
        fs::remove_file(&part).map_err(DataError::io(&part, "remove"))?;
        let why = format!("it sent other bytes: sha256 {found}, expected {}", download.sha256);
        Err(Refusal { why, passing: resumed }.into())
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

    /// Appends the body to the partial file, or writes it anew where the server sends from the start, until the file has
    /// its length. What follows in the body is nobody's business.
    fn receive(&mut self, download: &Download<'_>, url: &str, answer: Answer, part: &Path) -> Result<(), Setback> {
        let Answer { from, mut body } = answer;
        (self.notify)(Event::Begins { file: download.file, url, bytes: download.bytes, have: from });
        let write = || DataError::io(part, "write");
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(part).map_err(write())?;
        file.set_len(from).map_err(write())?;
        std::io::Seek::seek(&mut file, std::io::SeekFrom::End(0)).map_err(write())?;
        let mut buffer = vec![0; 1 << 16];
        let mut received = from;
        while received < download.bytes {
            let room = buffer.len().min(usize::try_from(download.bytes - received).unwrap_or(usize::MAX));
            let len = body.read(&mut buffer[..room]).map_err(|e| {
                Refusal::passing(format!("it broke off after {received} of {} bytes: {e}", download.bytes))
            })?;
            if len == 0 {
                return Err(Refusal::passing(format!("it sent only {received} of {} bytes", download.bytes)).into());
            }
            file.write_all(&buffer[..len]).map_err(write())?;
            received += len as u64;
            (self.notify)(Event::Received { bytes: received });
        }
        Ok(file.sync_all().map_err(write())?)
    }
}

/// Bytes in a file; none where it is absent.
fn len(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |meta| meta.len())
}

fn checksum(path: &Path) -> Result<String, DataError> {
    let mut file = File::open(path).map_err(DataError::io(path, "read"))?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(DataError::io(path, "read"))? {
            0 => return Ok(hex(&hash.finalize())),
            len => hash.update(&buffer[..len]),
        }
    }
}
