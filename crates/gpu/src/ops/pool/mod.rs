//! Pooling over windows ([`max`], [`average`]) and over whole images ([`global`]).
//!
//! Shapes are `[n, h, w, c]`. Windows are counted as in PyTorch with `ceil_mode = false` and no dilation.

pub mod average;
pub mod global;
pub mod max;

use crate::device::{Grid, THREADS};

/// A sliding window; each pair is (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// On both sides; at most half the kernel, so that every window meets the image.
    pub padding: [usize; 2],
}

impl Window {
    /// The output's shape: `⌊(size + 2·padding − kernel) / stride⌋ + 1` an axis. `None` where the window is larger than
    /// the padded image, or is none (a zero, or padding above half the kernel).
    pub fn output(&self, [n, h, w, c]: [usize; 4]) -> Option<[usize; 4]> {
        Some([n, self.outputs(0, h)?, self.outputs(1, w)?, c])
    }

    /// Of one axis.
    fn outputs(&self, axis: usize, size: usize) -> Option<usize> {
        let (kernel, stride, padding) = (self.kernel[axis], self.stride[axis], self.padding[axis]);
        if kernel == 0 || stride == 0 || padding > kernel / 2 {
            return None;
        }
        Some((size + 2 * padding).checked_sub(kernel)? / stride + 1)
    }
}

/// `PoolWindow` of pool.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct WindowArgs {
    kernel: [u32; 2],
    stride: [u32; 2],
    padding: [u32; 2],
}

impl From<Window> for WindowArgs {
    fn from(window: Window) -> Self {
        let Window { kernel, stride, padding } = window;
        Self { kernel: kernel.map(count), stride: stride.map(count), padding: padding.map(count) }
    }
}

/// `PoolRows` of pool.cu: how the images that a kernel makes are divided.
#[repr(C)]
#[derive(Clone, Copy)]
struct RowsArgs {
    rows: u64,
    height: u32,
    width: u32,
    packs: u32,
    across: u32,
}

impl RowsArgs {
    /// Of images that are made, with so many channels a thread.
    fn new([n, h, w, c]: [usize; 4], pack: usize) -> Self {
        let across = (w * c / pack).next_power_of_two().min(THREADS as usize);
        Self { rows: (n * h) as u64, height: count(h), width: count(w), packs: count(c / pack), across: count(across) }
    }

    fn grid(self) -> Grid {
        Grid::blocks(self.rows.div_ceil(u64::from(THREADS / self.across)) as usize, 1)
    }
}

/// A size as kernels count: with room for sums of two.
fn count(size: usize) -> u32 {
    assert!(size < 1 << 30, "an image of {size} pixels or channels along an axis");
    size as u32
}

fn len(shape: [usize; 4]) -> usize {
    shape.iter().product()
}
