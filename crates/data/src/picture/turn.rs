//! Photographs that were taken with a turned camera: the EXIF tag that says how an image is to be turned, and the turning.

use crate::resize::{Extent, Region, Window};
use image::metadata::Orientation;
use std::io::{self, Read};

/// How the image that is shown comes of the one that is stored: column and row change places, and either runs backwards.
/// `shown(x, y)` is `stored(u, v)`, where `(u, v)` is `(x, y)`, or with `swaps` `(y, x)`; with `back` counted from the
/// other end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    swaps: bool,
    /// Of the stored image: columns and rows.
    back: [bool; 2],
}

impl Turn {
    /// By the EXIF orientation, 1 to 8; others mean nothing.
    fn of(orientation: Orientation) -> Self {
        let (swaps, back) = match orientation {
            Orientation::NoTransforms => (false, [false, false]),
            Orientation::FlipHorizontal => (false, [true, false]),
            Orientation::Rotate180 => (false, [true, true]),
            Orientation::FlipVertical => (false, [false, true]),
            Orientation::Rotate90FlipH => (true, [false, false]),
            Orientation::Rotate90 => (true, [false, true]),
            Orientation::Rotate270FlipH => (true, [true, true]),
            Orientation::Rotate270 => (true, [true, false]),
        };
        Self { swaps, back }
    }

    /// Of a JPEG file, by the tag of its first EXIF segment; as it is stored, where there is none that can be read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(file: impl Read) -> io::Result<Self> {
        let exif = exif(file)?;
        Ok(exif.and_then(|exif| Orientation::from_exif_chunk(&exif)).map_or(Self::default(), Self::of))
    }

    /// Whether the image is shown as it is stored.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// The extent of the one image by that of the other.
    pub fn extent(self, Extent { width, height }: Extent) -> Extent {
        if self.swaps { Extent { width: height, height: width } } else { Extent { width, height } }
    }

    /// A region of the image that is shown, of the extent `shown`, in the stored one.
    pub fn to_stored(self, shown: Extent, region: Region) -> Region {
        let Region { left, top, width, height } = region;
        let [across, down] = if self.swaps { [(top, height), (left, width)] } else { [(left, width), (top, height)] };
        let stored = self.extent(shown);
        let back =
            |(start, len): (f64, f64), all: usize, back: bool| if back { all as f64 - start - len } else { start };
        let (left, top) = (back(across, stored.width, self.back[0]), back(down, stored.height, self.back[1]));
        Region { left, top, width: across.1, height: down.1 }
    }

    /// A part of the stored image, of the extent `stored`, in the one that is shown.
    pub fn to_shown(self, stored: Extent, part: Window) -> Window {
        let back = |start: usize, len: usize, all: usize, back: bool| if back { all - start - len } else { start };
        let u = back(part.left, part.width, stored.width, self.back[0]);
        let v = back(part.top, part.height, stored.height, self.back[1]);
        match self.swaps {
            true => Window { left: v, top: u, width: part.height, height: part.width },
            false => Window { left: u, top: v, ..part },
        }
    }

    /// How much further right and down a place lies in the image that is shown when both are at eighths of their size: there
    /// the last pixel of the stored image, which may stand for less than a whole one, comes first where it runs backwards.
    pub fn offset(self, stored: Extent, scaled: Extent, eighths: usize) -> (f64, f64) {
        let offset = |all: usize, scaled: usize, back: bool| {
            if back { scaled as f64 - all as f64 * eighths as f64 / 8.0 } else { 0.0 }
        };
        let u = offset(stored.width, scaled.width, self.back[0]);
        let v = offset(stored.height, scaled.height, self.back[1]);
        if self.swaps { (v, u) } else { (u, v) }
    }

    /// Writes pixels of the extent `stored`, `(height, width, channels)`, as they are shown.
    pub fn apply(self, pixels: &[u8], stored: Extent, channels: usize, shown: &mut Vec<u8>) {
        shown.clear();
        let Extent { width, height } = self.extent(stored);
        shown.reserve(pixels.len());
        let from_end = |at: usize, all: usize, back: bool| if back { all - 1 - at } else { at };
        for y in 0..height {
            for x in 0..width {
                let (u, v) = if self.swaps { (y, x) } else { (x, y) };
                let u = from_end(u, stored.width, self.back[0]);
                let v = from_end(v, stored.height, self.back[1]);
                let at = (v * stored.width + u) * channels;
                shown.extend_from_slice(&pixels[at..at + channels]);
            }
        }
    }
}

/// The first EXIF segment before a JPEG file's image, without its name.
fn exif(mut file: impl Read) -> io::Result<Option<Vec<u8>>> {
    const NAME: &[u8] = b"Exif\0\0";
    const SOS: u8 = 0xda;
    const EOI: u8 = 0xd9;
    const APP1: u8 = 0xe1;
    let mut two = [0; 2];
    let mut next = |file: &mut dyn Read| match file.read_exact(&mut two) {
        Ok(()) => Ok(Some(two)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    };
    if next(&mut file)? != Some([0xff, 0xd8]) {
        return Ok(None);
    }
    loop {
        let Some([0xff, mut marker]) = next(&mut file)? else { return Ok(None) };
        while marker == 0xff {
            // It may be repeated.
            let mut one = [0];
            if file.read(&mut one)? == 0 {
                return Ok(None);
            }
            marker = one[0];
        }
        if marker == SOS || marker == EOI {
            return Ok(None);
        }
        let Some(length) = next(&mut file)? else { return Ok(None) };
        let Some(length) = u16::from_be_bytes(length).checked_sub(2) else { return Ok(None) };
        if marker != APP1 {
            io::copy(&mut file.by_ref().take(u64::from(length)), &mut io::sink())?;
            continue;
        }
        let mut segment = Vec::new();
        file.by_ref().take(u64::from(length)).read_to_end(&mut segment)?;
        if let Some(exif) = segment.strip_prefix(NAME) {
            return Ok(Some(exif.to_vec()));
        }
    }
}
