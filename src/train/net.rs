//! The net of an experiment on its data set.

use super::optimizers::Rules;
use crate::config::spec::{Precision, Spec};
use crate::data::Facts;
use crate::data::resize::Extent;
use crate::kernels::conv::Algorithm;
use crate::kernels::{DType, Isa};
use crate::model::{self, PairingError, Parts};
use crate::nn::{Graph, Params, Shape, TapeOptions};

/// The parts that an experiment's net is made of.
pub fn parts(spec: &Spec, classes: usize) -> Parts<'_> {
    spec.parts(classes)
}

/// The net for images of a size.
///
/// # Errors
/// When the parts do not fit at that size.
pub fn graph(spec: &Spec, facts: &Facts, size: usize) -> Result<Graph, Box<PairingError>> {
    graph_of(spec, facts, Extent::square(size))
}

/// The net for images that need not be square.
///
/// # Errors
/// When the parts do not fit at that extent.
pub fn graph_of(spec: &Spec, facts: &Facts, extent: Extent) -> Result<Graph, Box<PairingError>> {
    model::build(&parts(spec, facts.classes), Shape::new(extent.height, extent.width, facts.channels))
}

/// The net for images of an extent, or as much of it as they are large enough for, and what stands in the way of the rest.
///
/// # Errors
/// When not even the first layer fits.
pub fn some_of(
    spec: &Spec,
    facts: &Facts,
    extent: Extent,
) -> Result<(Graph, Option<Box<PairingError>>), Box<PairingError>> {
    model::build_some(&parts(spec, facts.classes), Shape::new(extent.height, extent.width, facts.channels))
}

/// The net's parameters before training, which any size that the net takes gives alike.
///
/// # Errors
/// Those of [`graph`].
pub fn fresh_params(spec: &Spec, facts: &Facts, size: usize) -> Result<Params, Box<PairingError>> {
    let graph = graph(spec, facts, size)?;
    Ok(Params::new(graph.params(), graph.stats(), spec.seed))
}

/// Which parameters of the net the rules of `[[params]]` take.
///
/// # Errors
/// Those of [`graph`].
pub fn rules(spec: &Spec, facts: &Facts, size: usize) -> Result<Rules, Box<PairingError>> {
    let members = model::members(&parts(spec, facts.classes), Shape::new(size, size, facts.channels))?;
    Ok(Rules::new(spec, &members))
}

/// Of a tape for training on batches of that many images.
pub fn train_options(spec: &Spec, batch: usize, isa: Isa) -> TapeOptions {
    let (ghost_batch, recompute) = (spec.train.ghost_batch, spec.train.recompute);
    let (algorithm, loss) = (algorithm(spec), spec.train.criterion());
    TapeOptions { algorithm, ghost_batch, recompute, loss, ..TapeOptions::train(batch, dtype(spec), isa) }
}

/// Of a tape that finds the statistics of batches.
pub fn measure_options(spec: &Spec, batch: usize, isa: Isa) -> TapeOptions {
    TapeOptions { algorithm: algorithm(spec), ..TapeOptions::measure(batch, dtype(spec), isa) }
}

/// Of a tape for evaluation.
pub fn evaluate_options(spec: &Spec, isa: Isa) -> TapeOptions {
    let (algorithm, loss) = (algorithm(spec), spec.train.criterion());
    TapeOptions { algorithm, loss, ..TapeOptions::evaluate(spec.train.eval_batch, dtype(spec), isa) }
}

/// Of convolutions.
pub fn algorithm(spec: &Spec) -> Algorithm {
    if spec.train.winograd { Algorithm::Fastest } else { Algorithm::Direct }
}

/// The element type of activations.
pub fn dtype(spec: &Spec) -> DType {
    match spec.train.precision {
        Precision::F32 | Precision::F32Strict => DType::F32,
        Precision::Bf16 => DType::Bf16,
        Precision::F16 => DType::F16,
    }
}
