//! What augmentations do to an image.

use super::Image;
use super::border::Border;
use super::color_jitter::Tone;
use super::rotate::Turn;

/// What becomes of one image. It is known before the image is there, so whoever has the images may make it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    Move(Move),
    Turn(Turn),
    /// One after another.
    Tones([Tone; 4]),
}

impl Change {
    pub fn apply(self, image: &mut Image) {
        match self {
            Self::Move(step) => step.apply(image),
            Self::Turn(turn) => turn.apply(image),
            Self::Tones(tones) => tones.into_iter().for_each(|tone| tone.apply(image)),
        }
    }
}

impl From<Move> for Change {
    fn from(step: Move) -> Self {
        Self::Move(step)
    }
}

/// Pixels go elsewhere, or disappear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// They stay.
    Stay,
    /// Left and right change places.
    Mirror,
    /// At `(y, x)` is what was at `(y + dy, x + dx)`.
    Shift { dy: isize, dx: isize, border: Border },
    /// A square within the image becomes the set's mean colour.
    Cover { top: usize, left: usize, side: usize },
}

impl Move {
    pub fn apply(self, image: &mut Image) {
        match self {
            Self::Stay | Self::Shift { dy: 0, dx: 0, .. } => {}
            Self::Mirror => image.mirror(),
            Self::Shift { dy, dx, border } => shift(image, dy, dx, border),
            Self::Cover { top, left, side } => cover(image, top, left, side),
        }
    }
}

fn shift(image: &mut Image, dy: isize, dx: isize, border: Border) {
    image.rewrite(|old, y, row| match border.source(y as isize + dy, old.size) {
        None => border.fill(row, old.mean),
        Some(y) => {
            let line = &old.pixels[y * row.len()..(y + 1) * row.len()];
            for (x, pixel) in row.chunks_exact_mut(old.channels).enumerate() {
                match border.source(x as isize + dx, old.size) {
                    None => border.fill(pixel, old.mean),
                    Some(x) => pixel.copy_from_slice(&line[x * old.channels..(x + 1) * old.channels]),
                }
            }
        }
    });
}

fn cover(image: &mut Image, top: usize, left: usize, side: usize) {
    let channels = image.channels;
    for row in image.pixels.chunks_exact_mut(image.size * channels).skip(top).take(side) {
        for pixel in row[left * channels..(left + side) * channels].chunks_exact_mut(channels) {
            pixel.copy_from_slice(&image.mean);
        }
    }
}
