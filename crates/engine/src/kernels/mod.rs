//! Arithmetic on buffers: one folder or file an op, each with its slow twin in plain candle ops.
//!
//! Conventions of all kernels:
//! - Activations are channels-last `(n, h, w, c)`, contiguous, of an [`Element`] type (`f32`, `bf16` or `f16`); sums,
//!   statistics, parameters and their gradients are `f32`.
//! - A kernel takes its [`Isa`] as an argument; nothing below `train` asks which one is active.
//! - Work is cut into tasks by shape and instruction set alone, never by the number of threads, and partial sums are
//!   added in a fixed order: same bytes for any number of threads.
//! - Parallelism lies outside, vector code inside: a task calls [`Isa::run`] with a [`simd::Kernel`]; closures passed to
//!   rayon do not inherit target features.
//! - Buffers are the caller's. Backward kernels take each gradient as a [`Grad`], which is overwritten or added to, and
//!   those that nobody wants as `None`.
//! - `unsafe` stands only under this folder, each use with its `SAFETY:` line.

pub mod activation;
pub mod buffer;
pub mod columns;
pub mod concat;
pub mod conv;
pub mod dropout;
pub mod element;
pub mod gate;
pub mod grad;
pub mod isa;
pub mod lanes;
pub mod linear;
pub mod loss;
pub mod mapped;
pub mod math;
pub mod matmul;
pub mod norm;
pub mod parallel;
pub mod peak;
pub mod pieces;
pub mod pixels;
pub mod pool;
pub mod products;
pub mod reduce;
pub mod resample;
pub mod simd;
#[cfg(test)]
mod testing;

pub use buffer::Buffer;
pub use element::{DType, Element};
pub use grad::{Grad, Write};
pub use isa::Isa;
pub use mapped::Mapped;
pub use products::Products;
