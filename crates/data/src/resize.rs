//! Resizing with antialiasing.

use crate::kernels::Isa;
use crate::kernels::resample::{self, Taps};
use std::fmt;

/// Width and height of an image in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    pub width: usize,
    pub height: usize,
}

impl Extent {
    /// Of a square image.
    pub const fn square(side: usize) -> Self {
        Self { width: side, height: side }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}

/// A part of an image, which need not begin or end between two pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
}

impl Region {
    /// The largest part in the middle of an image whose sides are to each other as those of `to`, less a margin: of the
    /// image brought to the extent that just covers `to` times `margin`, the middle `to`.
    pub fn middle(image: Extent, to: Extent, margin: f64) -> Self {
        let (w, h) = (image.width as f64, image.height as f64);
        // Whole pixels, as where the image is resized first and cropped then.
        let wanted = |side: usize| (side as f64 * margin).round();
        let scale = (w / wanted(to.width)).min(h / wanted(to.height));
        let (width, height) = (to.width as f64 * scale, to.height as f64 * scale);
        Self { left: (w - width) / 2.0, top: (h - height) / 2.0, width, height }
    }

    /// The same part of the image at eighths of its size.
    pub fn at(self, eighths: usize) -> Self {
        let by = eighths as f64 / 8.0;
        Self { left: self.left * by, top: self.top * by, width: self.width * by, height: self.height * by }
    }
}

impl From<Window> for Region {
    fn from(window: Window) -> Self {
        let [left, top, width, height] = [window.left, window.top, window.width, window.height].map(|n| n as f64);
        Self { left, top, width, height }
    }
}

/// A part of an image in whole pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    pub left: usize,
    pub top: usize,
    pub width: usize,
    pub height: usize,
}

impl Window {
    /// All of an image.
    pub const fn whole(image: Extent) -> Self {
        Self { left: 0, top: 0, width: image.width, height: image.height }
    }
}

/// Resizes images of bytes, or windows of them: a triangle filter, widened by the scale when it shrinks, so that every
/// source pixel counts (bilinear interpolation when it grows).
///
/// Rows first, then columns, with bytes in between and whole-number weights: the same bytes as Pillow's
/// `Image.resize(…, BILINEAR, box)`, on any machine. Where an image shrinks more in height than in width, Pillow 13 may
/// go columns first, and a byte then differs by a rounding; so does PyTorch's `antialias=True`. As with Pillow's `box`,
/// the filter of a pixel at a window's border reaches beyond it, where torchvision's `resized_crop` cuts first and
/// resizes then.
pub struct Resizer {
    channels: usize,
    across: Axis,
    down: Axis,
    /// `(rows, to.width, channels)`: the rows that `down` reads, resized, columns not yet.
    narrow: Vec<u8>,
    /// The bytes are the same with any.
    isa: Isa,
}

impl Resizer {
    pub fn new(channels: usize) -> Self {
        let isa = Isa::detect().unwrap_or(Isa::Portable);
        Self { channels, across: Axis::default(), down: Axis::default(), narrow: Vec::new(), isa }
    }

    /// Resizes a window of `source`, `(from.height, from.width, channels)`, into `target`, `(to.height, to.width,
    /// channels)`.
    ///
    /// # Panics
    /// When the window does not lie within the image or is empty, or a slice is not as long as its extent says.
    pub fn resize(&mut self, source: &[u8], from: Extent, window: Window, to: Extent, target: &mut [u8]) {
        self.resize_region(source, from, window.into(), to, target);
    }

    /// As [`resize`](Self::resize), of a region that may begin and end within pixels.
    ///
    /// # Panics
    /// Likewise.
    pub fn resize_region(&mut self, source: &[u8], from: Extent, region: Region, to: Extent, target: &mut [u8]) {
        self.resize_part((source, Window::whole(from)), from, region, to, target);
    }

    /// As [`resize_region`](Self::resize_region), of an image of which a part is there, `(part.height, part.width, channels)`:
    /// the same bytes as if it were all there.
    ///
    /// # Panics
    /// Likewise; when a pixel is not there that the region's filter reaches.
    pub fn resize_part(
        &mut self,
        (source, part): (&[u8], Window),
        from: Extent,
        region: Region,
        to: Extent,
        target: &mut [u8],
    ) {
        assert_eq!(source.len(), part.width * part.height * self.channels, "an image of another extent");
        assert_eq!(target.len(), to.width * to.height * self.channels, "room for an image of another extent");
        if from == to && part == Window::whole(from) && region == Region::from(part) {
            target.copy_from_slice(source);
            return;
        }
        let (across, down) = ((part.left, part.width), (part.top, part.height));
        self.across.set(Span { of: from.width, there: across, start: region.left, len: region.width, to: to.width });
        self.down.set(Span { of: from.height, there: down, start: region.top, len: region.height, to: to.height });
        let row = to.width * self.channels;
        let reach = self.down.taps.reach();
        self.narrow.resize(reach.len() * row, 0);
        let stride = part.width * self.channels;
        let wide = &source[reach.start * stride..reach.end * stride];
        resample::across(self.isa, &self.across.taps, self.channels, (wide, stride), &mut self.narrow);
        resample::down(self.isa, &self.down.taps, (&self.narrow, reach.start), row, target);
    }
}

/// Pixels of an axis of `of`, from `start` on and `len` of them, to be resized to `to`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Span {
    of: usize,
    /// The first pixel that is there, and how many are.
    there: (usize, usize),
    start: f64,
    len: f64,
    to: usize,
}

/// What each output pixel is made of along an axis; kept until another span is set.
#[derive(Default)]
struct Axis {
    span: Span,
    taps: Taps,
}

impl Axis {
    fn set(&mut self, span: Span) {
        /// A part of a pixel, lost in rounding.
        const LOST: f64 = 1e-6;
        if span == self.span {
            return;
        }
        let inside = span.start >= -LOST && span.start + span.len <= span.of as f64 + LOST;
        assert!(span.len > 0.0 && inside, "a window beyond the image: {span:?}");
        self.span = span;
        self.taps.clear();
        let scale = span.len / span.to as f64;
        let support = scale.max(1.0);
        for i in 0..span.to {
            let centre = span.start + (i as f64 + 0.5) * scale;
            // The bounds and the half pixels are Pillow's.
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(span.of);
            let weight = |x: usize| (1.0 - ((x as f64 - centre + 0.5) / support).abs()).max(0.0);
            let (first, count) = span.there;
            assert!(start >= first && end <= first + count, "pixels {start}..{end} are not all there: {span:?}");
            self.taps.push(start - first, (start..end).map(weight));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pillow::Pillow;
    use crate::summary::hex;
    use sha2::{Digest, Sha256};

    /// A picture with edges, in three channels that differ.
    fn picture(side: usize) -> Vec<u8> {
        (0..side * side * 3).map(|i| ((i * i * 7 + i / 5 * 31) % 256) as u8).collect()
    }

    fn whole(source: &[u8], from: usize, to: usize) -> Vec<u8> {
        let (from, to) = (Extent::square(from), Extent::square(to));
        let mut target = vec![0; to.width * to.height * 3];
        Resizer::new(3).resize(source, from, Window::whole(from), to, &mut target);
        target
    }

    #[test]
    fn bytes_are_pillows() {
        // Pillow 13.0.0: Image.fromarray(picture).resize((to, to), BILINEAR)
        let resized = |from, to| whole(&picture(from), from, to);
        assert_eq!(resized(4, 2), [63, 102, 119, 85, 131, 168, 91, 110, 133, 101, 114, 163]);
        let digests = [
            (5, 3, "be73758678abf2c0"),
            (3, 4, "4a10b8fe48b8ce1a"),
            (32, 16, "20af17698053f828"),
            (32, 24, "12d63c6b923c782c"),
            (32, 20, "18bdae1c6da585d8"),
            (24, 32, "41cae5d8c5e69efa"),
            (33, 7, "6e5c8dacf05b8554"),
        ];
        for (from, to, expected) in digests {
            assert_eq!(hex(&Sha256::digest(resized(from, to)))[..16], *expected, "{from} to {to}");
        }
    }

    #[test]
    fn windows_are_pillows_boxes() {
        let pillow = Pillow::read();
        let cases = pillow.cases("box");
        assert!(cases.len() > 10);
        // One resizer for all: nothing is left of the case before.
        let (mut colour, mut grey) = (Resizer::new(3), Resizer::new(1));
        for (name, case) in cases {
            let number = |key: &str| case[key].as_u64().unwrap() as usize;
            let source = pillow.image(case["of"].as_str().unwrap());
            let from = Extent { width: source.width, height: source.height };
            let window =
                Window { left: number("left"), top: number("top"), width: number("width"), height: number("height") };
            let expected = pillow.image(&name);
            let to = Extent { width: expected.width, height: expected.height };
            let mut target = vec![0; expected.pixels.len()];
            let resizer = if source.channels == 3 { &mut colour } else { &mut grey };
            resizer.resize(&source.pixels, from, window, to, &mut target);
            assert_eq!(target, expected.pixels, "{name}: {case}");
        }
    }

    #[test]
    fn the_same_side_changes_nothing() {
        assert_eq!(whole(&picture(9), 9, 9), picture(9));
    }

    #[test]
    fn a_window_of_the_targets_size_is_copied() {
        let (from, to) = (Extent { width: 7, height: 5 }, Extent { width: 3, height: 2 });
        let source: Vec<u8> = (0..35).collect();
        let mut target = [0; 6];
        Resizer::new(1).resize(&source, from, Window { left: 4, top: 3, width: 3, height: 2 }, to, &mut target);
        assert_eq!(target, [25, 26, 27, 32, 33, 34]);
    }

    #[test]
    fn a_plain_picture_stays_plain() {
        for (from, to) in [(32, 24), (32, 5), (5, 32), (7, 1)] {
            assert!(whole(&vec![255; from * from * 3], from, to).iter().all(|byte| *byte == 255), "{from} to {to}");
        }
    }
}
