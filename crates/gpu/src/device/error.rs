//! What can go wrong on a device.

/// An error of a device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("this program was built without CUDA: build it with `cargo build --release --features cuda`")]
    NotBuilt,
    /// There is no GPU, or none of that number.
    #[error("{what}: {remedy}")]
    NoGpu { what: String, remedy: String },
    /// What is missing beside a GPU, and how to get it.
    #[error("{what}: {remedy}")]
    Missing { what: String, remedy: String },
    #[error(
        "the GPU's memory is full: {asked} bytes are asked for, {free} of {all} are free; \
         a smaller batch, `accumulate`, `[train] recompute` or a smaller image size need less"
    )]
    OutOfMemory { asked: usize, free: usize, all: usize },
    /// What the driver or a library says, and what it was asked for.
    #[error("{doing}: {said}")]
    Failed { doing: String, said: String },
}

impl Error {
    /// Whether there is nothing that a GPU could be expected of: a program for the CPU, or a machine without one. Whoever asked
    /// for none will not miss it.
    pub fn is_without_gpu(&self) -> bool {
        matches!(self, Self::NotBuilt | Self::NoGpu { .. })
    }
}
