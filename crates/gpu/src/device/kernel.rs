//! Kernels by name, and how many blocks of them run.

use super::DType;
use std::ffi::c_void;

/// Which block of an emulated kernel is to run: `Place` of `device.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub block: [u32; 2],
    pub grid: [u32; 2],
    pub threads: u32,
    pub reversed: u32,
}

/// The emulation of a kernel: runs one block.
pub type Block = unsafe extern "C" fn(args: *const c_void, place: *const Place);

/// A kernel: its name in the compiled code, and its emulation.
#[derive(Debug)]
pub struct Kernel {
    pub name: &'static str,
    pub block: Block,
}

/// A kernel for each type of activations.
#[derive(Debug)]
pub struct TypedKernel {
    pub f32: Kernel,
    pub bf16: Kernel,
    pub f16: Kernel,
}

impl TypedKernel {
    /// # Panics
    /// When it is no type of activations.
    pub fn of(&self, dtype: DType) -> &Kernel {
        match dtype {
            DType::F32 => &self.f32,
            DType::Bf16 => &self.bf16,
            DType::F16 => &self.f16,
            DType::U8 | DType::U32 => panic!("{dtype:?} is no type of activations"),
        }
    }
}

/// What a kernel takes: a struct of plain values that C lays out in the same way.
///
/// # Safety
/// The struct is `repr(C)` and has the fields of the C struct of that kernel, in order: addresses as `u64`.
pub unsafe trait Args: Copy {}

/// Declares a kernel: `kernel!(STEP = sgd_step);`
macro_rules! kernel {
    ($name:ident = $symbol:ident) => {
        static $name: $crate::device::Kernel = {
            unsafe extern "C" {
                fn $symbol(args: *const std::ffi::c_void, place: *const $crate::device::Place);
            }
            $crate::device::Kernel { name: stringify!($symbol), block: $symbol }
        };
    };
}
pub(crate) use kernel;

/// Declares a kernel that there is for each type of activations: `typed_kernel!(FORWARD = f_f32, f_bf16, f_f16);`
macro_rules! typed_kernel {
    ($name:ident = $f32:ident, $bf16:ident, $f16:ident) => {
        static $name: $crate::device::TypedKernel = {
            unsafe extern "C" {
                fn $f32(args: *const std::ffi::c_void, place: *const $crate::device::Place);
                fn $bf16(args: *const std::ffi::c_void, place: *const $crate::device::Place);
                fn $f16(args: *const std::ffi::c_void, place: *const $crate::device::Place);
            }
            $crate::device::TypedKernel {
                f32: $crate::device::Kernel { name: stringify!($f32), block: $f32 },
                bf16: $crate::device::Kernel { name: stringify!($bf16), block: $bf16 },
                f16: $crate::device::Kernel { name: stringify!($f16), block: $f16 },
            }
        };
    };
}
pub(crate) use typed_kernel;

/// Threads of a block where a kernel does not ask for another number: `BLOCK` of `device.h`, which is also the largest.
pub const THREADS: u32 = 256;

/// Blocks and threads of a launch. A function of shapes alone, never of the card: it decides the order of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    pub blocks: [u32; 2],
    /// Of a block: a power of two, at most [`THREADS`].
    pub threads: u32,
}

impl Grid {
    /// For kernels that stride over elements: a thread for four of them, up to as many blocks as fill any card.
    pub fn over(len: usize) -> Self {
        let blocks = len.div_ceil(THREADS as usize * 4).min(8192);
        Self { blocks: [blocks as u32, 1], threads: THREADS }
    }

    /// The same with a thread for each.
    pub fn each(len: usize) -> Self {
        Self { blocks: [len.div_ceil(THREADS as usize).min(8192) as u32, 1], threads: THREADS }
    }

    /// So many blocks, of [`THREADS`] threads.
    ///
    /// # Panics
    /// When there are more than a launch may have: 2³¹ − 1 and 65535.
    pub fn blocks(x: usize, y: usize) -> Self {
        assert!(x < 1 << 31 && y <= 65535, "a grid of {x} × {y} blocks");
        Self { blocks: [x as u32, y as u32], threads: THREADS }
    }

    /// The same with blocks of so many threads.
    pub fn threads(self, threads: u32) -> Self {
        assert!(threads.is_power_of_two() && threads <= THREADS, "blocks of {threads} threads");
        Self { threads, ..self }
    }

    pub fn is_empty(&self) -> bool {
        self.blocks.contains(&0)
    }
}
