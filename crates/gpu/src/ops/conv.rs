//! Convolutions.

use crate::DType;

/// A convolution of a batch, channels-last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    pub images: usize,
    /// Of an input image: rows and columns.
    pub input: [usize; 2],
    /// Of an output image.
    pub output: [usize; 2],
    pub cin: usize,
    pub cout: usize,
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// On both sides of each axis.
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

/// Which of its operands a convolution makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// `y` of `x` and `w`.
    Forward,
    /// The gradient `x` of `w` and the gradient `y`.
    BackwardData,
    /// The gradient `w` of `x` and the gradient `y`.
    BackwardWeight,
}

/// What a library is asked for: `made (+)= scale·convolution`.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    pub direction: Direction,
    /// Of all operands; sums are `f32`.
    pub dtype: DType,
    pub shape: Shape,
    /// `(images, h, w, cin)`
    pub x: u64,
    /// `(cout, kh, kw, cin/groups)`
    pub w: u64,
    /// `(images, oh, ow, cout)`
    pub y: u64,
    pub scale: f32,
    /// Whether the result is added to what is there.
    pub add: bool,
}
