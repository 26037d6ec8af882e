//! What the markers of a JPEG file tell: whether it is all there, for the decoder makes up what is missing, in grey, and says
//! nothing; and how it is told to stop early.

use memchr::memchr;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
/// A height that stands behind the first scan.
const DNL: u8 = 0xdc;
/// Frames that are one pass of Huffman codes, eight bits a sample: baseline and extended.
const SEQUENTIAL: [u8; 2] = [0xc0, 0xc1];
/// Markers without a length: TEM and the restarts, which stand in the coded data.
const BARE: [std::ops::RangeInclusive<u8>; 2] = [0x01..=0x01, 0xd0..=0xd7];

/// A file that ends where it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Of an image that is coded from top to bottom, if it is in one scan.
    frame: Option<Frame>,
    scans: usize,
    /// Where the image ends.
    end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    /// Where in the file its height stands, two bytes.
    at: usize,
    height: usize,
    /// Rows of pixels that are coded together.
    together: usize,
}

/// Follows the markers to the end of the image (ITU-T T.81, annex B). What comes after it is no part of it.
///
/// # Errors
/// The byte at which the file ends before the image does.
pub fn layout(bytes: &[u8]) -> Result<Layout, usize> {
    let end = bytes.len();
    let (mut at, mut layout) = (0, Layout::default());
    loop {
        // A marker is a byte ff, which may be repeated, and one that is neither ff nor 00. After the header of a scan this
        // passes over the coded data.
        at += bytes.get(at..).and_then(|rest| memchr(0xff, rest)).ok_or(end)?;
        let marker = *bytes.get(at + 1).ok_or(end)?;
        match marker {
            0xff => at += 1,
            EOI => return Ok(Layout { end: at + 2, ..layout }),
            // A byte ff of the coded data, or nothing but a marker.
            0x00 | SOI => at += 2,
            bare if BARE.iter().any(|range| range.contains(&bare)) => at += 2,
            _ => {
                let length = bytes.get(at + 2..at + 4).ok_or(end)?;
                let segment = at + 4..at + 2 + usize::from(length[0]) * 256 + usize::from(length[1]);
                if segment.end > end {
                    return Err(end);
                }
                match marker {
                    SOS => layout.scans += 1,
                    DNL => layout.frame = None,
                    // The decoder takes no frame behind a scan.
                    _ if layout.scans == 0 && SEQUENTIAL.contains(&marker) => {
                        layout.frame = frame(bytes.get(segment.clone()).unwrap_or(&[]), segment.start);
                    }
                    _ => {}
                }
                at = segment.end;
            }
        }
    }
}

/// Of a frame's segment: bits, height, width, and of each component a name, its parts each way and a table.
fn frame(segment: &[u8], start: usize) -> Option<Frame> {
    let (height, components) = (segment.get(1..3)?, segment.get(6..)?);
    let parts = components.as_chunks::<3>().0.iter().map(|[_, parts, _]| usize::from(parts & 15));
    Some(Frame {
        at: start + 1,
        height: usize::from(height[0]) * 256 + usize::from(height[1]),
        together: 8 * parts.max()?,
    })
}

/// An empty scan is a few bytes, and passes over all of an image: who wants to can keep a decoder busy for hours.
const MANY_SCANS: usize = 100;

impl Layout {
    /// Whether the image is in no more scans than programs make: some ten, if it is progressive.
    pub fn has_few_scans(&self) -> bool {
        self.scans <= MANY_SCANS
    }

    /// Whether it is in one, as all but progressive images are.
    pub fn is_in_one_scan(&self) -> bool {
        self.scans == 1
    }

    /// Makes `copy` a file of which the first `rows` rows are the same, and the rest of it is missing but for a few; gives the height that
    /// it had. `None` where there are no fewer to be had.
    ///
    /// One more row of blocks is kept: colours of half the resolution are interpolated between the last one and the next.
    pub fn shortened(&self, bytes: &[u8], rows: usize, copy: &mut Vec<u8>) -> Option<usize> {
        let Frame { at, height, together } = self.frame.filter(|_| self.scans == 1)?;
        let kept = (rows.min(height).div_ceil(together.max(1)) + 1) * together;
        if kept == 0 || kept >= height {
            return None;
        }
        copy.clear();
        copy.extend_from_slice(&bytes[..self.end]);
        copy[at..at + 2].copy_from_slice(&(kept as u16).to_be_bytes());
        Some(height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageBuffer, ImageFormat, Rgb};
    use std::io::Cursor;

    #[test]
    fn a_file_is_whole_up_to_its_last_byte_and_not_before() {
        let noise =
            ImageBuffer::from_fn(40, 30, |x, y| Rgb([(x * x * 7 % 256) as u8, (y * 31 % 256) as u8, (x * y) as u8]));
        let mut file = Cursor::new(Vec::new());
        noise.write_to(&mut file, ImageFormat::Jpeg).unwrap();
        let bytes = file.into_inner();
        let whole = layout(&bytes).unwrap();
        let frame = whole.frame.unwrap();
        assert_eq!((frame.height, frame.together, whole.end), (30, 8, bytes.len()));
        assert_eq!(layout(&[&bytes[..], b"tail"].concat()), Ok(whole));
        for length in 0..bytes.len() {
            assert_eq!(layout(&bytes[..length]), Err(length));
        }
    }

    #[test]
    fn empty_scans_are_counted() {
        let scans = |count| [&[0xff, 0xd8][..], &[0xff, 0xda, 0, 2].repeat(count), &[0xff, 0xd9]].concat();
        assert!(layout(&scans(MANY_SCANS)).unwrap().has_few_scans());
        assert!(!layout(&scans(MANY_SCANS + 1)).unwrap().has_few_scans());
    }
}
