//! Resizing with antialiasing.

use std::ops::Range;

/// Fractional bits of a weight: 32 bits less 8 for the byte and 2 for sums that overshoot.
const PRECISION: u32 = 32 - 8 - 2;

/// Width and height of an image in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// A part of an image.
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
}

impl Resizer {
    pub fn new(channels: usize) -> Self {
        Self { channels, across: Axis::default(), down: Axis::default(), narrow: Vec::new() }
    }

    /// Resizes a window of `source`, `(from.height, from.width, channels)`, into `target`, `(to.height, to.width,
    /// channels)`.
    ///
    /// # Panics
    /// When the window does not lie within the image or is empty, or a slice is not as long as its extent says.
    pub fn resize(&mut self, source: &[u8], from: Extent, window: Window, to: Extent, target: &mut [u8]) {
        assert_eq!(source.len(), from.width * from.height * self.channels, "an image of another extent");
        assert_eq!(target.len(), to.width * to.height * self.channels, "room for an image of another extent");
        if from == to && window == Window::whole(from) {
            target.copy_from_slice(source);
            return;
        }
        self.across.set(Span { of: from.width, start: window.left, len: window.width, to: to.width });
        self.down.set(Span { of: from.height, start: window.top, len: window.height, to: to.height });
        let (c, row) = (self.channels, to.width * self.channels);
        let rows = self.down.reach();
        self.narrow.resize(rows.len() * row, 0);
        let lines = source.chunks_exact(from.width * c).skip(rows.start);
        for (wide, narrow) in lines.zip(self.narrow.chunks_exact_mut(row)) {
            for (pixel, (range, weights)) in narrow.chunks_exact_mut(c).zip(self.across.taps()) {
                gather(weights, &wide[range.start * c..range.end * c], pixel);
            }
        }
        for (line, (range, weights)) in target.chunks_exact_mut(row).zip(self.down.taps()) {
            let (start, end) = (range.start - rows.start, range.end - rows.start);
            gather(weights, &self.narrow[start * row..end * row], line);
        }
    }
}

/// Pixels `start..start + len` of an axis of `of`, to be resized to `to`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    of: usize,
    start: usize,
    len: usize,
    to: usize,
}

/// What each output pixel is made of along an axis; kept until another span is set.
#[derive(Default)]
struct Axis {
    span: Span,
    ranges: Vec<Range<usize>>,
    /// Those of all pixels, one after the other.
    weights: Vec<i32>,
}

impl Axis {
    fn set(&mut self, span: Span) {
        if span == self.span {
            return;
        }
        assert!(span.len > 0 && span.start + span.len <= span.of, "a window beyond the image: {span:?}");
        self.span = span;
        self.ranges.clear();
        self.weights.clear();
        let scale = span.len as f64 / span.to as f64;
        let support = scale.max(1.0);
        for i in 0..span.to {
            let centre = span.start as f64 + (i as f64 + 0.5) * scale;
            // The bounds and the half pixels are Pillow's.
            let start = (centre - support + 0.5).max(0.0) as usize;
            let end = ((centre + support + 0.5) as usize).min(span.of);
            let weight = |x: usize| (1.0 - ((x as f64 - centre + 0.5) / support).abs()).max(0.0);
            let total: f64 = (start..end).map(weight).sum();
            let fixed = |w: f64| (w / total * f64::from(1u32 << PRECISION) + 0.5) as i32;
            self.weights.extend((start..end).map(|x| fixed(weight(x))));
            self.ranges.push(start..end);
        }
    }

    /// Of each output pixel, the source pixels and their weights.
    fn taps(&self) -> impl Iterator<Item = (&Range<usize>, &[i32])> {
        let mut rest = &self.weights[..];
        self.ranges.iter().map(move |range| {
            let (weights, behind) = rest.split_at(range.len());
            rest = behind;
            (range, weights)
        })
    }

    /// The source pixels that are read at all.
    fn reach(&self) -> Range<usize> {
        let start = self.ranges.first().map_or(0, |range| range.start);
        start..self.ranges.last().map_or(start, |range| range.end)
    }
}

/// The weighted mean of as many equal parts of `source` as there are weights.
fn gather(weights: &[i32], source: &[u8], target: &mut [u8]) {
    let len = target.len();
    for (j, byte) in target.iter_mut().enumerate() {
        let mut sum = 1 << (PRECISION - 1);
        for (weight, part) in weights.iter().zip(source.chunks_exact(len)) {
            sum += weight * i32::from(part[j]);
        }
        *byte = (sum >> PRECISION).clamp(0, 255) as u8;
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
