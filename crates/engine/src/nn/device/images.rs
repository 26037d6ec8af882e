//! A batch of images on its way into a net.

use runner_gpu::View;
use runner_gpu::ops::serve::{MOVE, Set};
use std::ops::Range;

/// The images of a pass.
#[derive(Clone, Copy, Debug)]
pub enum Images<'a> {
    /// `(n, h, w, c)`, on the host.
    Here(&'a [f32]),
    /// Of a set that lies on the device.
    There(There<'a>),
    /// `(n, h, w, c)` of `f32` on the device, ready.
    Ready(View<'a>),
}

/// Images of a set by their numbers, and what is done to each.
#[derive(Clone, Copy, Debug)]
pub struct There<'a> {
    pub set: Set<'a>,
    pub numbers: &'a [u32],
    /// As many [`Move`](runner_gpu::ops::serve::Move)s for each image, in words.
    pub moves: &'a [i32],
}

impl<'a> Images<'a> {
    /// Those on the host.
    ///
    /// # Panics
    /// When they lie on a device.
    pub fn here(self) -> &'a [f32] {
        let Self::Here(images) = self else { panic!("the host has the images themselves") };
        images
    }

    /// Some of so many images.
    ///
    /// # Panics
    /// When there are not so many.
    pub fn part(self, all: usize, part: Range<usize>) -> Self {
        match self {
            Self::Here(images) => {
                let each = images.len() / all;
                Self::Here(&images[part.start * each..part.end * each])
            }
            Self::Ready(images) => {
                let each = images.len() / all;
                Self::Ready(images.part(part.start * each..part.end * each))
            }
            Self::There(There { set, numbers, moves }) => {
                let each = moves.len() / MOVE / all * MOVE;
                let moves = &moves[part.start * each..part.end * each];
                Self::There(There { set, numbers: &numbers[part], moves })
            }
        }
    }
}
