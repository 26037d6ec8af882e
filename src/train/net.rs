//! The net of an experiment on its data set.

use super::optimizers::Rules;
use crate::config::spec::{Precision, Spec};
use crate::data::Facts;
use crate::kernels::DType;
use crate::model::{self, PairingError, Parts};
use crate::nn::{Graph, Params, Shape};

/// The parts that an experiment's net is made of.
pub fn parts(spec: &Spec, classes: usize) -> Parts<'_> {
    let model = &spec.model;
    let classes = model.classes.unwrap_or(classes);
    Parts { stem: &model.stem, backbone: &model.backbone, head: &model.head, classes }
}

/// The net for images of a size.
///
/// # Errors
/// When the parts do not fit at that size.
pub fn graph(spec: &Spec, facts: &Facts, size: usize) -> Result<Graph, Box<PairingError>> {
    model::build(&parts(spec, facts.classes), Shape::new(size, size, facts.channels))
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

/// The element type of activations.
pub fn dtype(spec: &Spec) -> DType {
    match spec.train.precision {
        Precision::F32 => DType::F32,
        Precision::Bf16 => DType::Bf16,
    }
}
