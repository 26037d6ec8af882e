//! What a server sends, joined to what is kept of the file.

use super::client::{Answer, Refusal};
use super::download::Setback;
use crate::DataError;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes at a time.
const PIECE: usize = 1 << 16;

/// A partial file, and how much of it there is.
pub struct Part<'a> {
    pub path: &'a Path,
    pub have: u64,
    /// What it is to become.
    pub bytes: u64,
}

impl Part<'_> {
    /// Appends a body that goes on where the part ends, until the file has its length; `received` is told how far it is.
    /// What follows in the body is nobody's business.
    ///
    /// A body that begins at the file's start is first held against what is kept, and appended from there on; so it may
    /// break off anywhere, and nothing is lost. Where the two differ, a body that states the file's right length takes the
    /// place of what is kept; one that does not is refused, and so leaves no part of itself: it may be anything.
    ///
    /// # Errors
    /// When the body ends early, is not the file, or cannot be written.
    pub fn join(&self, answer: Answer, received: &mut dyn FnMut(u64)) -> Result<(), Setback> {
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.path);
        let mut file = open.map_err(self.io("write"))?;
        let length_stated = answer.length_stated;
        let result = self.receive(&mut file, answer, received);
        if result.is_err() && !length_stated {
            file.set_len(self.have).map_err(self.io("write"))?;
        }
        result
    }

    fn receive(&self, file: &mut File, answer: Answer, received: &mut dyn FnMut(u64)) -> Result<(), Setback> {
        let Answer { from: mut at, length_stated, mut body } = answer;
        file.seek(SeekFrom::Start(at)).map_err(self.io("read"))?;
        // Up to here the body is compared.
        let mut kept = self.have;
        let (mut piece, mut other) = (vec![0; PIECE], vec![0; PIECE]);
        while at < self.bytes {
            let room = if at < kept { kept } else { self.bytes } - at;
            let room = usize::try_from(room).unwrap_or(PIECE).min(PIECE);
            let len = body.read(&mut piece[..room]).map_err(|e| self.broke_off(at, &e))?;
            if len == 0 {
                return Err(Refusal::passing(format!("it sent only {at} of {} bytes", self.bytes)).into());
            }
            let piece = &piece[..len];
            let mut held = false;
            if at < kept {
                let other = &mut other[..len];
                file.read_exact(other).map_err(self.io("read"))?;
                held = piece == other;
                if !held && !length_stated {
                    let why = format!("its first {kept} bytes are not those that are kept: {}", self.path.display());
                    return Err(Refusal::lasting(why).into());
                }
                if !held {
                    file.set_len(at).and_then(|()| file.seek(SeekFrom::Start(at))).map_err(self.io("write"))?;
                    kept = at;
                }
            }
            if !held {
                file.write_all(piece).map_err(self.io("write"))?;
            }
            at += len as u64;
            received(at);
        }
        Ok(())
    }

    fn broke_off(&self, at: u64, error: &io::Error) -> Refusal {
        Refusal::passing(format!("it broke off after {at} of {} bytes: {error}", self.bytes))
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> DataError {
        DataError::io(self.path, action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::client::Outlook;
    use std::fs;

    const BYTES: usize = 200_000;

    fn file() -> Vec<u8> {
        (0..BYTES as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
    }

    /// What there is after a body was joined to `kept`, and how that ended.
    fn joined(kept: &[u8], from: usize, length_stated: bool, body: &[u8]) -> (Vec<u8>, Option<Refusal>) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.part");
        fs::write(&path, kept).unwrap();
        let part = Part { path: &path, have: kept.len() as u64, bytes: BYTES as u64 };
        let body = Box::new(io::Cursor::new(body.to_vec()));
        let mut last = 0;
        let result = part.join(Answer { from: from as u64, length_stated, body }, &mut |at| last = at);
        let refusal = match result {
            Ok(()) => {
                assert_eq!(last, BYTES as u64);
                None
            }
            Err(Setback::Refused(refusal)) => Some(refusal),
            Err(Setback::Local(error)) => panic!("{error}"),
            Err(Setback::Done) => panic!("done"),
        };
        (fs::read(&path).unwrap(), refusal)
    }

    #[test]
    fn a_body_goes_on_from_what_is_kept_wherever_it_begins() {
        let file = file();
        for kept in [0, 1, 65_536, 150_000] {
            for stated in [true, false] {
                assert_eq!(joined(&file[..kept], kept, stated, &file[kept..]), (file.clone(), None), "{kept}");
                let long = [&file[..], b"more"].concat();
                assert_eq!(joined(&file[..kept], 0, stated, &long), (file.clone(), None), "from 0, {kept} kept");
            }
        }
    }

    #[test]
    fn a_body_that_ends_early_takes_nothing_away() {
        let file = file();
        for (kept, sent, left) in [(150_000, 90_000, 150_000), (150_000, 170_000, 170_000), (0, 70_000, 70_000)] {
            let (found, refusal) = joined(&file[..kept], 0, true, &file[..sent]);
            assert!(found == file[..left], "{kept} kept, {sent} sent: {} left", found.len());
            assert_eq!(refusal.unwrap().outlook, Outlook::Passing);
            // Of a body that may be anything no part is kept.
            let (found, _) = joined(&file[..kept], 0, false, &file[..sent]);
            assert!(found == file[..kept], "{kept} kept, {sent} sent: {} left", found.len());
        }
    }

    #[test]
    fn of_a_body_that_differs_from_what_is_kept_its_length_decides() {
        let file = file();
        let mut odd = file[..150_000].to_vec();
        odd[100_000] ^= 1;
        assert_eq!(joined(&odd, 0, true, &file), (file.clone(), None));
        let (found, refusal) = joined(&odd, 0, false, &file);
        let refusal = refusal.unwrap();
        assert!(found == odd && refusal.outlook == Outlook::Lasting && refusal.why.contains("a.part"), "{refusal:?}");
        let page = b"<html>".repeat(30_000);
        assert!(joined(&file[..150_000], 0, false, &page).0 == file[..150_000], "a page leaves no trace");
        assert!(joined(&[], 0, false, &page).0.is_empty(), "nor where nothing was kept");
    }
}
