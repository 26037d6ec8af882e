//! What a tape is made for.

use crate::kernels::conv::Algorithm;
use crate::kernels::{DType, Isa};

/// Whether batch statistics are used and running ones updated, or the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Train,
    Evaluate,
}

/// What a tape is made for.
#[derive(Clone, Copy, Debug)]
pub struct TapeOptions {
    /// Batches may be smaller.
    pub max_batch: usize,
    pub mode: Mode,
    /// Whether [`Tape::backward`](super::Tape::backward) will be called. Evaluation tapes may: a frozen net under taps.
    pub backward: bool,
    /// Whether the input's gradient is computed.
    pub input_grad: bool,
    /// Of activations in memory.
    pub dtype: DType,
    /// Of convolutions.
    pub algorithm: Algorithm,
    pub isa: Isa,
}

impl TapeOptions {
    /// For training steps.
    pub fn train(max_batch: usize, dtype: DType, isa: Isa) -> Self {
        let algorithm = Algorithm::default();
        Self { max_batch, mode: Mode::Train, backward: true, input_grad: false, dtype, algorithm, isa }
    }
    /// For forward passes alone.
    pub fn evaluate(max_batch: usize, dtype: DType, isa: Isa) -> Self {
        Self { mode: Mode::Evaluate, backward: false, ..Self::train(max_batch, dtype, isa) }
    }
}
