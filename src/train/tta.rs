//! Test-time augmentation: a net's outputs averaged over views of the same images.

use crate::config::spec::Tta;
use crate::data::resize::Extent;
use crate::gpu::ops::serve::{Beyond, Change, Move};

/// A picture of an image, and the share of its outputs in the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct View {
    /// Pixels that the image is moved by, down and to the right: what it gives up on one side, it shows mirrored at its
    /// outermost pixel on the other.
    pub shift: isize,
    /// Left and right exchanged, after the shift.
    pub mirror: bool,
    pub weight: f32,
}

impl View {
    /// The image itself.
    const PLAIN: Self = Self { shift: 0, mirror: false, weight: 1.0 };

    /// Whether it is the image as it is.
    pub fn is_plain(&self) -> bool {
        self.shift == 0 && !self.mirror
    }

    /// The same, as what a device does to images that lie there, in order.
    pub fn changes(&self) -> [Change; 2] {
        let Self { shift, mirror, .. } = *self;
        // From where a pixel comes.
        let back = -(shift as i32);
        let shift = if shift == 0 { Move::Stay } else { Move::Shift { dy: back, dx: back, beyond: Beyond::Reflect } };
        [shift, if mirror { Move::Mirror } else { Move::Stay }].map(Change::Move)
    }

    /// Views of `images: (n, height, width, channels)`, into `to` of the same layout. As PyTorch's
    /// `pad(x, [1] * 4, "reflect")`, of which a window is cut out; an image of one pixel has nothing to be mirrored at
    /// and stays as it is.
    ///
    /// # Panics
    /// When the lengths differ or are not those of such images.
    pub fn of(&self, images: &[f32], extent: Extent, channels: usize, to: &mut [f32]) {
        let Extent { width, height } = extent;
        let row = width * channels;
        assert!(images.len() == to.len() && images.len().is_multiple_of(height * row), "images of {extent}×{channels}");
        let source = |at: usize, side: usize| reflected(at as isize - self.shift, side);
        for (from, to) in images.chunks_exact(height * row).zip(to.chunks_exact_mut(height * row)) {
            for (y, to) in to.chunks_exact_mut(row).enumerate() {
                let from = &from[source(y, height) * row..][..row];
                for (x, to) in to.chunks_exact_mut(channels).enumerate() {
                    let x = source(if self.mirror { width - 1 - x } else { x }, width);
                    to.copy_from_slice(&from[x * channels..][..channels]);
                }
            }
        }
    }
}

/// Where a pixel beyond the border by no more than one comes from.
fn reflected(at: isize, size: usize) -> usize {
    let last = size as isize - 1;
    let inside = if at < 0 {
        -at
    } else if at > last {
        2 * last - at
    } else {
        at
    };
    inside.clamp(0, last) as usize
}

/// The views of a level, the plain one first; their weights add up to 1.
///
/// ```text
/// mirror            ½·image + ½·mirrored
/// mirror-translate  ½·mirror(image) + ¼·mirror(image moved by −1, −1) + ¼·mirror(image moved by +1, +1)
/// ```
///
/// As levels 1 and 2 of cifar10-airbench (Jordan 2024, arXiv:2404.00498).
pub fn views(level: Tta) -> Vec<View> {
    let mirrored = |view: View| {
        let half = View { weight: view.weight / 2.0, ..view };
        [half, View { mirror: true, ..half }]
    };
    let shifts: &[(isize, f32)] = match level {
        Tta::None => return vec![View::PLAIN],
        Tta::Mirror => &[(0, 1.0)],
        Tta::MirrorTranslate => &[(0, 0.5), (1, 0.25), (-1, 0.25)],
    };
    shifts.iter().flat_map(|(shift, weight)| mirrored(View { shift: *shift, mirror: false, weight: *weight })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_and_the_image_itself_comes_first() {
        for (level, count) in [(Tta::None, 1), (Tta::Mirror, 2), (Tta::MirrorTranslate, 6)] {
            let views = views(level);
            assert_eq!(views.len(), count);
            assert_eq!(views.iter().map(|view| view.weight).sum::<f32>(), 1.0);
            assert!(views[0].is_plain() && views[1..].iter().all(|view| !view.is_plain()));
        }
    }

    #[test]
    fn pixels_move_and_the_border_is_mirrored() {
        // Two channels: the pixel's number and a hundred more.
        let image: Vec<f32> = (0..9).flat_map(|pixel| [pixel as f32, pixel as f32 + 100.0]).collect();
        let seen = |shift, mirror| {
            let mut to = vec![f32::NAN; 36];
            View { shift, mirror, weight: 1.0 }.of(&[&image[..], &image].concat(), Extent::square(3), 2, &mut to);
            assert_eq!(to[..18], to[18..], "both images alike");
            assert!(to.chunks_exact(2).all(|pixel| pixel[1] == pixel[0] + 100.0), "channels stay together");
            to[..18].iter().step_by(2).map(|v| *v as usize).collect::<Vec<_>>()
        };
        assert_eq!(seen(0, false), [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(seen(0, true), [2, 1, 0, 5, 4, 3, 8, 7, 6]);
        assert_eq!(seen(1, false), [4, 3, 4, 1, 0, 1, 4, 3, 4]);
        assert_eq!(seen(-1, false), [4, 5, 4, 7, 8, 7, 4, 5, 4]);
        assert_eq!(seen(1, true), [4, 3, 4, 1, 0, 1, 4, 3, 4]);
        assert_eq!(seen(-1, true), [4, 5, 4, 7, 8, 7, 4, 5, 4]);
    }

    #[test]
    fn an_image_of_one_pixel_stays() {
        let mut to = [0.0; 3];
        View { shift: 1, mirror: true, weight: 1.0 }.of(&[1.0, 2.0, 3.0], Extent::square(1), 3, &mut to);
        assert_eq!(to, [1.0, 2.0, 3.0]);
    }
}
