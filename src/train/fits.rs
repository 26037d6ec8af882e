//! How much memory a training takes, before it is taken.

use super::net;
use crate::config::spec::Spec;
use crate::data::Facts;
use crate::kernels::Isa;
use crate::model::PairingError;
use crate::nn::TapeOptions;
use crate::nn::memory::{MemoryPlan, Purpose};
use crate::plan::PlannedPhase;

/// Bytes that activations take, and their gradients: planned, so to the byte, but for the scratch space of kernels and for what is
/// handed to the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tape {
    /// Images that pass at a time.
    pub images: usize,
    /// Of each of them.
    pub image_bytes: usize,
}

impl Tape {
    pub fn bytes(&self) -> usize {
        self.images.saturating_mul(self.image_bytes)
    }

    fn new(spec: &Spec, facts: &Facts, size: usize, options: &TapeOptions) -> Result<Self, Box<PairingError>> {
        let graph = net::graph(spec, facts, size)?;
        let elements: usize = MemoryPlan::new(&graph, Purpose::from(options), &[]).slots.iter().sum();
        let images = options.max_batch;
        Ok(Self { images, image_bytes: elements.saturating_mul(options.dtype.size()) })
    }
}

/// Bytes of the parameters, their gradients, and the least that steps and checkpoints have beside them: what an optimizer remembers, and
/// a copy as it is written.
///
/// # Errors
/// As [`tapes`].
pub fn parameters(spec: &Spec, facts: &[Facts], phase: &PlannedPhase) -> Result<usize, Box<PairingError>> {
    const COPIES: usize = 4;
    let graph = net::graph(spec, &facts[0], phase.size)?;
    let values: usize = graph.params().iter().map(|param| param.len()).sum();
    Ok(COPIES * values * size_of::<f32>())
}

/// The tape of a phase's steps, and that of its evaluations, which is in memory beside it. `facts`: of each of the plan's sets.
///
/// # Errors
/// When the net takes no images of these sizes, which planning would have found.
pub fn tapes(spec: &Spec, facts: &[Facts], phase: &PlannedPhase) -> Result<(Tape, Tape), Box<PairingError>> {
    // The plan of memory is the same for all.
    let isa = Isa::Portable;
    let training = Tape::new(spec, &facts[0], phase.size, &net::train_options(spec, phase.part(), isa))?;
    let most = spec.train.eval_batch.min(facts[phase.set].val_images);
    let options = TapeOptions { max_batch: most, ..net::evaluate_options(spec, isa) };
    Ok((training, Tape::new(spec, &facts[0], phase.eval_size, &options)?))
}
