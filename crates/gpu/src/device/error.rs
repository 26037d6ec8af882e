//! What can go wrong on a device.

/// An error of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error(
        "this program was built without CUDA: build it with `cargo build --release --features cuda`, or leave `--device cuda` out"
    )]
    NotBuilt,
    /// What is missing, and how to get it.
    #[error("{what}: {remedy}")]
    Missing { what: String, remedy: String },
    #[error(
        "the GPU's memory is full: {asked} bytes are asked for, {free} of {all} are free; \
         a smaller batch, `accumulate` or a smaller image size need less"
    )]
    OutOfMemory { asked: usize, free: usize, all: usize },
    /// What the driver or a library says, and what it was asked for.
    #[error("{doing}: {said}")]
    Failed { doing: String, said: String },
}
