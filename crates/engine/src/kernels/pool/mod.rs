//! Pooling over windows ([`max`], [`average`]) and over whole images ([`global`]).
//!
//! Shapes are `[n, h, w, c]`. Windows are counted as in PyTorch with `ceil_mode = false` and no dilation.

pub mod average;
pub mod global;
pub mod max;
pub mod reference;
#[cfg(test)]
mod tests;

use std::ops::Range;

/// A sliding window; each pair is (vertical, horizontal).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    /// On both sides; at most half the kernel, so that every window meets the image.
    pub padding: [usize; 2],
}

impl Window {
    /// A square window that steps by its own side, without padding.
    pub fn tiles(side: usize) -> Self {
        Self { kernel: [side; 2], stride: [side; 2], padding: [0; 2] }
    }

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

    /// Taps of the window of output `out` that lie inside an image of `size`, on one axis.
    #[inline(always)]
    fn taps(&self, axis: usize, out: usize, size: usize) -> Range<usize> {
        let start = out * self.stride[axis];
        let low = self.padding[axis].saturating_sub(start);
        let high = (size + self.padding[axis] - start).min(self.kernel[axis]);
        low..high
    }

    /// The inputs that the window of output `out` covers, on one axis.
    fn inputs(&self, axis: usize, out: usize, size: usize) -> Range<usize> {
        let (taps, start) = (self.taps(axis, out, size), out * self.stride[axis]);
        start + taps.start - self.padding[axis]..start + taps.end - self.padding[axis]
    }

    /// Outputs, of `outputs`, whose window covers position `at`, on one axis.
    #[inline(always)]
    fn covering(&self, axis: usize, at: usize, outputs: usize) -> Range<usize> {
        let place = at + self.padding[axis];
        let first = (place + 1).saturating_sub(self.kernel[axis]).div_ceil(self.stride[axis]);
        let end = (place / self.stride[axis] + 1).min(outputs);
        first.min(end)..end
    }

    /// The output's shape, where the caller's shapes must fit.
    fn expect_output(&self, shape: [usize; 4]) -> [usize; 4] {
        self.output(shape).unwrap_or_else(|| panic!("pool: {self:?} does not fit {shape:?}"))
    }
}

fn len(shape: [usize; 4]) -> usize {
    shape.iter().product()
}
