//! Training on CUDA: devices and their memory, kernels in CUDA C++ with the code that launches them, and the libraries'
//! convolutions and matrix products.
//!
//! A [`Device`] is an NVIDIA GPU (feature `cuda`) or the *emulation*: the same kernels, compiled by a C compiler, run on a CPU, one
//! thread of a block after another. Everything but the driver and NVIDIA's libraries is tested on it: kernels, launches,
//! memory, and all that is built on top. It is slow and meant for tests.
//!
//! Conventions of all operations in [`ops`]:
//! - Activations are channels-last `(n, h, w, c)`, contiguous, of a [`DType`] that halves take too; sums, statistics, parameters and
//!   their gradients are `f32`, and a value is rounded once, when stored. With two exceptions, in halves: a bias is
//!   added to a convolution or product that was stored, and so rounded, before; and a convolution's weight gradient is
//!   stored in the activations' type before it becomes `f32`, as cuDNN writes no other there.
//! - Work is cut by shape alone and partial sums are added in a fixed order, without atomics: the same input gives the same
//!   bytes. (The libraries' convolutions do so where they are asked to, see [`Device::set_deterministic`], and while
//!   there is memory for the workspaces that they want.)
//! - Operations are put into the device's one stream and return before they have run; [`Device::read`] waits.
//! - Memory is the caller's. A gradient goes to a [`GradTo`], which is overwritten or added to.
//! - `unsafe` stands in this crate's `device` and `ops` alone, each use with its `SAFETY:` line.

pub mod device;
pub mod ops;

pub use device::{Buffer, DType, Device, Error, Facts, Graph, View};
pub use ops::GradTo;
