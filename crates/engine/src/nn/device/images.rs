//! A batch of images on its way into a net.

use runner_gpu::View;
use runner_gpu::ops::serve::{Pictures, Set};
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
    pub pictures: &'a Pictures,
    /// The first of these, and how many.
    pub first: usize,
    pub count: usize,
}

impl<'a> There<'a> {
    /// All of them.
    pub fn all(set: Set<'a>, pictures: &'a Pictures) -> Self {
        Self { set, pictures, first: 0, count: pictures.numbers.len() }
    }
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
            Self::There(There { set, pictures, first, count }) => {
                assert!(part.end <= count, "{part:?} of {count} images");
                Self::There(There { set, pictures, first: first + part.start, count: part.len() })
            }
        }
    }
}
