//! What a tape is made for.

use super::shape::Shape;
use crate::kernels::conv::Algorithm;
use crate::kernels::loss::Rule;
use crate::kernels::{DType, Isa};

/// Which statistics a norm uses, and what becomes of its running ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The batch's; the running ones move towards them.
    Train,
    /// The running ones, which stay.
    Evaluate,
    /// The batch's, which take the place of the running ones: to find the statistics of weights that were not trained as
    /// they are, such as a mean of weights.
    Measure,
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
    /// Whether parameters stay as they are: their gradients are not computed, nor is kept what only those are made of.
    pub frozen: bool,
    /// Of activations in memory.
    pub dtype: DType,
    /// Of convolutions.
    pub algorithm: Algorithm,
    /// In [`Mode::Train`]: norms take the statistics of about so many images at a time, see [`ghost`]; `None`: of the batch.
    ///
    /// [`ghost`]: crate::kernels::norm::ghost
    pub ghost_batch: Option<usize>,
    /// Whether values that backward reads are computed a second time instead of kept, where that saves memory.
    pub recompute: bool,
    /// What [`Tape::loss`](super::Tape::loss) is.
    pub loss: Rule,
    pub isa: Isa,
}

impl TapeOptions {
    /// How many images of that shape so many values are.
    ///
    /// # Panics
    /// When they are not whole images, or more than the largest batch.
    pub(super) fn images(&self, shape: Shape, values: usize) -> usize {
        assert_eq!(values % shape.len(), 0, "images of another size than the tape's {shape}");
        let n = values / shape.len();
        assert!((1..=self.max_batch).contains(&n), "{n} images on a tape for {}", self.max_batch);
        n
    }

    /// For training steps.
    pub fn train(max_batch: usize, dtype: DType, isa: Isa) -> Self {
        Self {
            max_batch,
            mode: Mode::Train,
            backward: true,
            input_grad: false,
            frozen: false,
            dtype,
            algorithm: Algorithm::default(),
            ghost_batch: None,
            recompute: false,
            loss: Rule::default(),
            isa,
        }
    }
    /// For forward passes whose statistics are wanted.
    pub fn measure(max_batch: usize, dtype: DType, isa: Isa) -> Self {
        Self { mode: Mode::Measure, backward: false, ..Self::train(max_batch, dtype, isa) }
    }
    /// For the gradient of the input of a net that stays as it is.
    pub fn frozen(max_batch: usize, dtype: DType, isa: Isa) -> Self {
        Self { mode: Mode::Evaluate, input_grad: true, frozen: true, ..Self::train(max_batch, dtype, isa) }
    }
    /// For forward passes alone.
    pub fn evaluate(max_batch: usize, dtype: DType, isa: Isa) -> Self {
        Self { mode: Mode::Evaluate, backward: false, ..Self::train(max_batch, dtype, isa) }
    }
}
