//! The entries of a zip archive that packs nothing, as `torch.save` writes them.

use std::collections::BTreeMap;

const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const END_64_PLACE: &[u8] = b"PK\x06\x07";
const ENTRY: &[u8] = b"PK\x01\x02";
const CONTENT: &[u8] = b"PK\x03\x04";
/// Bytes of the last record without its comment, and the longest comment.
const END_BYTES: usize = 22;
const COMMENT: usize = 0xffff;
/// What stands for a number of four bytes that is found elsewhere in eight.
const ELSEWHERE: u64 = 0xffff_ffff;
/// The further field that holds such numbers.
const FIELD_64: u64 = 1;

/// The entries' bytes by name, which are parts of `bytes`; none where they are packed.
///
/// # Errors
/// When they are not all there.
pub fn entries(bytes: &[u8]) -> Result<BTreeMap<&str, Option<&[u8]>>, String> {
    let (count, mut at) = directory(bytes).ok_or("the list of its parts, which ends it, is not there")?;
    let mut found = BTreeMap::new();
    for number in 0..count {
        let entry =
            entry(bytes, at).ok_or_else(|| format!("its list of parts breaks off after {number} of {count}"))?;
        let content = content(bytes, &entry).ok_or_else(|| format!("its part `{}` is not there", entry.name))?;
        found.insert(entry.name, (!entry.packed).then_some(content));
        at = entry.next;
    }
    Ok(found)
}

/// One line of the list.
struct Entry<'a> {
    name: &'a str,
    packed: bool,
    bytes: u64,
    offset: u64,
    next: usize,
}

/// How many entries there are, and where the list of them begins.
fn directory(bytes: &[u8]) -> Option<(u64, usize)> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    let is_end = |at: &usize| {
        bytes[*at..].starts_with(END) && number(bytes, at + 20, 2) == Some((bytes.len() - at - END_BYTES) as u64)
    };
    let end = (last.saturating_sub(COMMENT)..=last).rev().find(is_end)?;
    let (count, offset) = (number(bytes, end + 10, 2)?, number(bytes, end + 16, 4)?);
    if count != 0xffff && offset != ELSEWHERE {
        return Some((count, offset as usize));
    }
    let place = end.checked_sub(20)?;
    bytes[place..].starts_with(END_64_PLACE).then_some(())?;
    let end = usize::try_from(number(bytes, place + 8, 8)?).ok()?;
    bytes.get(end..)?.starts_with(END_64).then_some(())?;
    Some((number(bytes, end.checked_add(32)?, 8)?, usize::try_from(number(bytes, end.checked_add(48)?, 8)?).ok()?))
}

fn entry(bytes: &[u8], at: usize) -> Option<Entry<'_>> {
    let line = bytes.get(at..)?;
    line.starts_with(ENTRY).then_some(())?;
    let field = |at, size| number(line, at, size);
    let [name_bytes, further, comment] = [field(28, 2)?, field(30, 2)?, field(32, 2)?].map(|n| n as usize);
    let name = str::from_utf8(line.get(46..46 + name_bytes)?).ok()?;
    let mut wide = wide(line.get(46 + name_bytes..46 + name_bytes + further)?);
    // In this order, and only those that are elsewhere.
    let mut long = |short: u64| if short == ELSEWHERE { wide.next() } else { Some(short) };
    let (whole, kept) = (long(field(24, 4)?)?, long(field(20, 4)?)?);
    let offset = long(field(42, 4)?)?;
    let packed = field(10, 2)? != 0 || whole != kept;
    Some(Entry { name, packed, bytes: kept, offset, next: at + 46 + name_bytes + further + comment })
}

/// The numbers of eight bytes among an entry's further fields.
fn wide(mut fields: &[u8]) -> impl Iterator<Item = u64> {
    let mut found = &[][..];
    while let (Some(kind), Some(size)) = (number(fields, 0, 2), number(fields, 2, 2)) {
        let end = fields.len().min(4 + size as usize);
        if kind == FIELD_64 {
            found = &fields[4..end];
        }
        fields = &fields[end..];
    }
    found.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes))
}

/// The bytes of an entry, which follow a short form of its line.
fn content<'a>(bytes: &'a [u8], entry: &Entry<'_>) -> Option<&'a [u8]> {
    let part = bytes.get(usize::try_from(entry.offset).ok()?..)?;
    part.starts_with(CONTENT).then_some(())?;
    let begin = 30 + number(part, 26, 2)? as usize + number(part, 28, 2)? as usize;
    part.get(begin..begin.checked_add(usize::try_from(entry.bytes).ok()?)?)
}

/// A little-endian number of up to eight bytes.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(size)?)?;
    Some(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_of_nothing_and_no_archive() {
        let empty = [END, &[0; 18]].concat();
        assert_eq!(entries(&empty).unwrap().len(), 0);
        assert!(entries(b"").is_err() && entries(b"PK\x03\x04 and so on").is_err());
        // So many entries, and none of them there.
        let mut many = empty;
        many[10] = 9;
        assert!(entries(&many).unwrap_err().contains("after 0 of 9"));
    }

    #[test]
    fn numbers_of_eight_bytes_are_found_among_other_fields() {
        let fields = [&[7, 0, 2, 0, 1, 1][..], &[1, 0, 16, 0], &5u64.to_le_bytes(), &6u64.to_le_bytes()].concat();
        assert_eq!(wide(&fields).collect::<Vec<_>>(), [5, 6]);
        assert_eq!(wide(&fields[..20]).collect::<Vec<_>>(), [5]);
        assert_eq!(wide(&[1, 0, 0xff, 0xff]).count(), 0);
    }
}
