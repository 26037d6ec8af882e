//! Memory on a device.

use super::{Device, Error};
use std::marker::PhantomData;
use std::ops::Range;

/// Of elements in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    F32,
    Bf16,
    F16,
    U8,
    U32,
}

impl DType {
    /// Those of activations.
    pub const ACTIVATIONS: [DType; 3] = [DType::F32, DType::Bf16, DType::F16];

    /// Bytes.
    pub fn size(self) -> usize {
        match self {
            DType::F32 | DType::U32 => 4,
            DType::Bf16 | DType::F16 => 2,
            DType::U8 => 1,
        }
    }
}

/// An allocation on a device, given back when dropped.
#[derive(Debug)]
pub struct Buffer {
    device: Device,
    address: u64,
    dtype: DType,
    len: usize,
}

impl Buffer {
    pub(super) fn new(device: &Device, dtype: DType, len: usize) -> Result<Self, Error> {
        let bytes = len * dtype.size();
        let address = if bytes == 0 { 0 } else { device.backend().allocate(bytes)? };
        Ok(Self { device: device.clone(), address, dtype, len })
    }

    /// All of it.
    pub fn view(&self) -> View<'_> {
        View { address: self.address, dtype: self.dtype, len: self.len, of: PhantomData }
    }

    /// The first elements, taken as of another type: what a buffer that many share holds at the moment.
    ///
    /// # Panics
    /// When there is not so much room.
    pub fn first(&self, dtype: DType, len: usize) -> View<'_> {
        assert!(len * dtype.size() <= self.bytes(), "{len} of {dtype:?} in {} bytes", self.bytes());
        View { address: self.address, dtype, len, of: PhantomData }
    }

    pub fn bytes(&self) -> usize {
        self.len * self.dtype.size()
    }

    pub fn device(&self) -> &Device {
        &self.device
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.address != 0 {
            // SAFETY: allocated in `new` with that size; views borrow the buffer, so nothing but what is in the stream uses it.
            unsafe { self.device.backend().free(self.address, self.bytes()) }
        }
    }
}

/// A part of a buffer. It says nothing of who writes it: operations on one stream run one after another.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    address: u64,
    dtype: DType,
    len: usize,
    of: PhantomData<&'a Buffer>,
}

impl<'a> View<'a> {
    /// Where it begins on the device.
    pub fn address(self) -> u64 {
        self.address
    }
    pub fn dtype(self) -> DType {
        self.dtype
    }
    /// Elements.
    pub fn len(self) -> usize {
        self.len
    }
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
    pub fn bytes(self) -> usize {
        self.len * self.dtype.size()
    }

    /// Some of its elements.
    ///
    /// # Panics
    /// When it does not have them.
    pub fn part(self, range: Range<usize>) -> View<'a> {
        assert!(range.start <= range.end && range.end <= self.len, "{range:?} of {} elements", self.len);
        let address = self.address + (range.start * self.dtype.size()) as u64;
        View { address, len: range.len(), ..self }
    }

    /// Itself, if it is so many elements of that type.
    ///
    /// # Panics
    /// When it is not: a kernel would read or write what is not its own.
    #[track_caller]
    pub(crate) fn expect(self, dtype: DType, len: usize) -> u64 {
        assert_eq!((self.dtype, self.len), (dtype, len), "the memory that a kernel is given");
        self.address
    }
}
