//! Whether a JPEG file is all there: the decoder makes up what is missing, in grey, and says nothing.

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
/// Markers without a length: TEM and the restarts, which stand in the coded data.
const BARE: [std::ops::RangeInclusive<u8>; 2] = [0x01..=0x01, 0xd0..=0xd7];

/// Follows the markers to the end of the image (ITU-T T.81, annex B). What comes after it is no part of it.
///
/// # Errors
/// The byte at which the file ends before the image does.
pub fn check_whole(bytes: &[u8]) -> Result<(), usize> {
    let end = bytes.len();
    let mut at = 0;
    loop {
        // A marker is a byte ff, which may be repeated, and one that is neither ff nor 00. After the header of a scan this
        // passes over the coded data.
        at += bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xff)).ok_or(end)?;
        let marker = *bytes.get(at + 1).ok_or(end)?;
        match marker {
            0xff => at += 1,
            EOI => return Ok(()),
            // A byte ff of the coded data, or nothing but a marker.
            0x00 | SOI => at += 2,
            bare if BARE.iter().any(|range| range.contains(&bare)) => at += 2,
            _ => {
                let length = bytes.get(at + 2..at + 4).ok_or(end)?;
                at += 2 + usize::from(length[0]) * 256 + usize::from(length[1]);
                if at > end {
                    return Err(end);
                }
            }
        }
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
        assert_eq!(check_whole(&bytes), Ok(()));
        assert_eq!(check_whole(&[&bytes[..], b"tail"].concat()), Ok(()));
        for length in 0..bytes.len() {
            assert_eq!(check_whole(&bytes[..length]), Err(length));
        }
    }
}
