//! The bytes of a pack. All numbers are little-endian.
//!
//! ```text
//! header   64 bytes: magic (8), version u32, channels u32 (0: files), index's place u64, index's bytes u64, its SHA-256 (32)
//! images   one after the other: files, or pixels (height, width, channels)
//! index    head's bytes u32, head (JSON), a record for each image, the names of all images
//! record   32 bytes: place u64, bytes u32, width u32, height u32, class u32, CRC-32 u32, name's bytes u32
//! ```

use crate::resize::Extent;
use crate::summary::hex;
use sha2::{Digest, Sha256};
use std::ops::Range;

pub const MAGIC: &[u8; 8] = b"runnerpk";
const VERSION: u32 = 1;
pub const HEADER: usize = 64;
pub const RECORD: usize = 32;
/// The most pixels on a side that anyone would pack.
const SIDE: usize = 1 << 16;

/// What the index says of all images.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Head {
    pub classes: Vec<String>,
    /// How many of the images, the first ones, are for training; the rest is for validation.
    pub train: usize,
    /// Of pixels; 0 where images are files.
    pub channels: usize,
    /// What images were brought to, where they were larger.
    pub short_side: Option<usize>,
    /// Of JPEG files that were made for the pack.
    pub quality: Option<u8>,
    /// Files that could not be decoded and were left out.
    pub skipped: usize,
    /// The list by which images were put aside for validation; packs of before it was written down have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub val_list: Option<String>,
    /// Whether images are shown as their EXIF orientations say: pixels, and files that were made for the pack, are turned; files as they
    /// were have their tag.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub turned: bool,
}

/// One image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Record {
    pub at: u64,
    pub bytes: u32,
    pub extent: Extent,
    pub class: u32,
    pub crc: u32,
    pub name_bytes: usize,
}

impl Record {
    pub fn range(&self) -> Range<usize> {
        self.at as usize..self.at as usize + self.bytes as usize
    }

    pub fn to_bytes(self) -> [u8; RECORD] {
        let Self { at, bytes, extent, class, crc, name_bytes } = self;
        let mut all = [0; RECORD];
        all[..8].copy_from_slice(&at.to_le_bytes());
        let numbers = [bytes, extent.width as u32, extent.height as u32, class, crc, name_bytes as u32];
        for (place, number) in all[8..].as_chunks_mut::<4>().0.iter_mut().zip(numbers) {
            *place = number.to_le_bytes();
        }
        all
    }

    pub fn from_bytes(all: &[u8; RECORD]) -> Self {
        let number = |k: usize| u32_at(all, 8 + 4 * k).unwrap_or_default();
        let [bytes, width, height, class, crc, name] = std::array::from_fn(number);
        let extent = Extent { width: width as usize, height: height as usize };
        Self { at: u64_at(all, 0).unwrap_or_default(), bytes, extent, class, crc, name_bytes: name as usize }
    }
}

/// What a pack's index holds.
pub struct Index {
    pub head: Head,
    pub records: Vec<Record>,
    /// Where each name begins in the file.
    pub names: Vec<usize>,
    pub digest: String,
}

/// The CRC-32 of an image (ISO-HDLC, as in PNG and gzip).
pub fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The index of all images, whose names stand in the same order.
pub fn index(head: &Head, records: &[Record], names: &[String]) -> serde_json::Result<Vec<u8>> {
    let json = serde_json::to_vec(head)?;
    let mut index = (json.len() as u32).to_le_bytes().to_vec();
    index.extend(json);
    records.iter().for_each(|record| index.extend(record.to_bytes()));
    names.iter().for_each(|name| index.extend(name.as_bytes()));
    Ok(index)
}

/// The header of a pack whose index stands at `at`.
pub fn header(head: &Head, at: u64, index: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12..16].copy_from_slice(&(head.channels as u32).to_le_bytes());
    header[16..24].copy_from_slice(&at.to_le_bytes());
    header[24..32].copy_from_slice(&(index.len() as u64).to_le_bytes());
    header[32..].copy_from_slice(&Sha256::digest(index));
    header
}

/// Reads and checks the index of a whole file.
///
/// # Errors
/// What is wrong with it.
pub fn read(file: &[u8]) -> Result<Index, String> {
    let cut = || format!("a pack that is cut: it has {} bytes", file.len());
    if file.get(..8) != Some(MAGIC) {
        return Err("not a pack of images".to_owned());
    }
    let version = u32_at(file, 8).ok_or_else(cut)?;
    if version != VERSION {
        return Err(format!("a pack of version {version}, and this program reads version {VERSION}"));
    }
    let [at, len] = [16, 24].map(|k| u64_at(file, k).and_then(|n| usize::try_from(n).ok()));
    let (at, len) = (at.ok_or_else(cut)?, len.ok_or_else(cut)?);
    let index = at.checked_add(len).and_then(|end| file.get(at..end)).filter(|_| at >= HEADER).ok_or_else(cut)?;
    let sum = Sha256::digest(index);
    if file[32..HEADER] != sum[..] {
        return Err("its index is damaged: the checksum differs".to_owned());
    }
    // Whole, and so as it was written; what follows looks at what a program that wrote it may have got wrong.
    let odd = || "its index makes no sense".to_owned();
    let json = u32_at(index, 0).ok_or_else(odd)? as usize;
    let head: Head = index.get(4..4 + json).and_then(|json| serde_json::from_slice(json).ok()).ok_or_else(odd)?;
    let rest = &index[4 + json..];
    let count = count_records(rest).ok_or_else(odd)?;
    let records: Vec<Record> = rest.as_chunks().0[..count].iter().map(Record::from_bytes).collect();
    let mut names = Vec::with_capacity(count);
    let mut name_at = at + 4 + json + count * RECORD;
    for record in &records {
        names.push(name_at);
        name_at += record.name_bytes;
    }
    let is_right = |record: &Record| {
        let Record { at: place, bytes, extent: Extent { width, height }, class, .. } = *record;
        let end = place.checked_add(u64::from(bytes));
        let inside = place >= HEADER as u64 && end.is_some_and(|end| end <= at as u64);
        let sides = (1..=SIDE).contains(&width) && (1..=SIDE).contains(&height);
        let whole = head.channels == 0 || sides && width * height * head.channels == bytes as usize;
        inside && sides && whole && (class as usize) < head.classes.len()
    };
    let split = head.train > 0 && head.train < count && [0, 1, 3].contains(&head.channels);
    if !split || !records.iter().all(is_right) {
        return Err(odd());
    }
    Ok(Index { head, records, names, digest: format!("sha256:{}", hex(&sum)) })
}

/// How many records there are in front of the names, whose lengths they hold.
fn count_records(rest: &[u8]) -> Option<usize> {
    let (mut count, mut names) = (0, 0);
    while count * RECORD + names < rest.len() {
        let record = Record::from_bytes(rest.get(count * RECORD..)?.first_chunk()?);
        names += record.name_bytes;
        count += 1;
    }
    (count * RECORD + names == rest.len()).then_some(count)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}
