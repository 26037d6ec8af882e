//! How much memory a training takes, before it is taken.

use super::net;
use crate::config::spec::Spec;
use crate::data::Facts;
use crate::kernels::Isa;
use crate::model::PairingError;
use crate::nn::memory::{MemoryPlan, Purpose};
use crate::nn::{Graph, TapeOptions};
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

    fn new(graph: &Graph, options: &TapeOptions) -> Self {
        let elements: usize = MemoryPlan::new(graph, Purpose::from(options), &[]).slots.iter().sum();
        Self { images: options.max_batch, image_bytes: elements.saturating_mul(options.dtype.size()) }
    }
}

/// What a phase takes of memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Bytes of the parameters, their gradients, and the least that steps and checkpoints have beside them: what an optimizer
    /// remembers, and a copy as it is written.
    pub parameters: usize,
    /// Of its steps.
    pub training: Tape,
    /// Of its evaluations, which is in memory beside that.
    pub evaluation: Tape,
}

/// What a phase takes. `facts`: of each of the plan's sets.
///
/// # Errors
/// When the net takes no images of its sizes, which planning would have found.
pub fn needs(spec: &Spec, facts: &[Facts], phase: &PlannedPhase) -> Result<Needs, Box<PairingError>> {
    const COPIES: usize = 4;
    // The plan of memory is the same for all.
    let isa = Isa::Portable;
    let graph = net::graph(spec, &facts[0], phase.size)?;
    let values: usize = graph.params().iter().map(|param| param.len()).sum();
    let training = Tape::new(&graph, &net::train_options(spec, phase.part(), isa));
    let most = spec.train.eval_batch.min(facts[phase.set].val_images);
    let options = TapeOptions { max_batch: most, ..net::evaluate_options(spec, isa) };
    let graph = if phase.eval_size == phase.size { graph } else { net::graph(spec, &facts[0], phase.eval_size)? };
    Ok(Needs { parameters: COPIES * values * size_of::<f32>(), training, evaluation: Tape::new(&graph, &options) })
}
