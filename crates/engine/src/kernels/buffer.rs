//! Memory for activations, gradients and scratch: aligned, typed on access, made once and reused.

use super::element::{DType, Element};

/// One cache line, and one AVX-512 vector: no vector load of a buffer's row crosses a line when the row is a multiple.
#[derive(Clone, Copy, bytemuck::Zeroable, bytemuck::Pod)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// A block of memory aligned to 64 bytes, zeroed when made.
#[derive(Default)]
pub struct Buffer {
    lines: Vec<Line>,
    bytes: usize,
}

impl Buffer {
    /// Room for `len` elements of `dtype`.
    pub fn new(dtype: DType, len: usize) -> Self {
        let bytes = len * dtype.size();
        Self { lines: vec![Line([0; 64]); bytes.div_ceil(64)], bytes }
    }

    pub fn len_bytes(&self) -> usize {
        self.bytes
    }

    /// Grows to at least `bytes`; the content is then unspecified.
    pub fn reserve_bytes(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.lines.resize(bytes.div_ceil(64), Line([0; 64]));
            self.bytes = bytes;
        }
    }

    /// The first `len` elements.
    ///
    /// # Panics
    /// When the buffer is smaller.
    pub fn slice<E: Element>(&self, len: usize) -> &[E] {
        &bytemuck::cast_slice::<Line, E>(&self.lines)[..len]
    }

    /// The first `len` elements, to write.
    ///
    /// # Panics
    /// When the buffer is smaller.
    pub fn slice_mut<E: Element>(&mut self, len: usize) -> &mut [E] {
        &mut bytemuck::cast_slice_mut::<Line, E>(&mut self.lines)[..len]
    }

    /// The first `len` bytes.
    pub fn bytes(&self, len: usize) -> &[u8] {
        &bytemuck::cast_slice::<Line, u8>(&self.lines)[..len]
    }

    pub fn bytes_mut(&mut self, len: usize) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut::<Line, u8>(&mut self.lines)[..len]
    }
}
