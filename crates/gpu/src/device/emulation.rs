//! Kernels run by a CPU.

use super::kernel::{Grid, Kernel, Place};
use super::{Backend, Error, Facts};
use std::alloc::{Layout, alloc, dealloc};
use std::ffi::c_void;

/// In which order the threads of a block run each phase of a kernel. Results must not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// A device that is none: its memory is the program's, its kernels are functions that a C compiler made.
pub struct Emulation {
    order: Order,
    facts: Facts,
}

impl Emulation {
    pub fn new(order: Order) -> Self {
        let name = "kernels for CUDA, emulated by a CPU".to_owned();
        let facts = Facts { device: "emulated".to_owned(), name, versions: Vec::new(), memory: u64::MAX };
        Self { order, facts }
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 256).expect("no allocation is that large")
}

impl Backend for Emulation {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn allocate(&self, bytes: usize) -> Result<u64, Error> {
        // SAFETY: buffers without bytes are never allocated.
        let address = unsafe { alloc(layout(bytes)) };
        if address.is_null() {
            return Err(Error::OutOfMemory { asked: bytes, free: 0, all: 0 });
        }
        // SAFETY: just allocated. What nobody has written yet is NaN in every type: it shows where it is read.
        unsafe { address.write_bytes(0xff, bytes) };
        Ok(address as u64)
    }

    unsafe fn free(&self, address: u64, bytes: usize) {
        // SAFETY: the caller's promise; `allocate` used the same layout.
        unsafe { dealloc(address as *mut u8, layout(bytes)) }
    }

    unsafe fn write(&self, to: u64, from: &[u8]) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to as *mut u8, from.len()) };
        Ok(())
    }

    unsafe fn read(&self, from: u64, to: &mut [u8]) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    unsafe fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to as *mut u8, bytes) };
        Ok(())
    }

    unsafe fn zero(&self, to: u64, bytes: usize) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        unsafe { (to as *mut u8).write_bytes(0, bytes) };
        Ok(())
    }

    unsafe fn launch(&self, kernel: &Kernel, grid: Grid, args: *const c_void, _size: usize) -> Result<(), Error> {
        let Grid { blocks, threads } = grid;
        let reversed = u32::from(self.order == Order::Descending);
        for y in 0..blocks[1] {
            for x in 0..blocks[0] {
                let place = Place { block: [x, y], grid: blocks, threads, reversed };
                // SAFETY: the caller's promise.
                unsafe { (kernel.block)(args, &raw const place) };
            }
        }
        Ok(())
    }

    fn synchronize(&self) -> Result<(), Error> {
        Ok(())
    }
}
