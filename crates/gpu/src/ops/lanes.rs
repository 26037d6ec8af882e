//! How work on `(images, pixels, channels)` is divided by columns: `lanes.h`.

use crate::device::{Grid, THREADS};

/// `Columns` of `lanes.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    count: u64,
    c: u64,
    pixels: u64,
    across: u32,
}

impl Columns {
    pub fn new(images: usize, pixels: usize, c: usize) -> Self {
        // More lanes where there are pixels for them, but as many columns as fill the bytes that memory is read by.
        let lanes = (pixels / 4).max(1).next_power_of_two().min(8);
        let across = THREADS / lanes as u32;
        Self { count: (images * c) as u64, c: c as u64, pixels: pixels as u64, across }
    }

    /// For kernels that sum over pixels: all of a column in one block.
    pub fn whole(self) -> Grid {
        Grid::blocks(self.count.div_ceil(u64::from(self.across)) as usize, 1)
    }

    /// For kernels that do not: several pixels a thread.
    pub fn divided(self) -> Grid {
        let Grid { blocks: [x, _], .. } = self.whole();
        let lanes = u64::from(THREADS / self.across);
        Grid::blocks(x as usize, (self.pixels / (4 * lanes)).clamp(1, 1024) as usize)
    }
}
