//! How much memory a training takes, before it is taken.

use super::net;
use super::optimizers::Rules;
use crate::average::Statistics;
use crate::config::spec::Spec;
use crate::data::Facts;
use crate::data::resize::Extent;
use crate::kernels::Isa;
use crate::model::PairingError;
use crate::nn::memory::{MemoryPlan, Purpose};
use crate::nn::{Graph, TapeOptions};
use crate::optim::{self, Holds};
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
    /// Bytes of what there is for each parameter: itself and its gradient, what optimizers, lookahead and averages remember of it and what
    /// a step takes besides, and a checkpoint as it is written.
    pub parameters: usize,
    /// Of its steps.
    pub training: Tape,
    /// Of its evaluations, which is in memory beside that.
    pub evaluation: Tape,
    /// Of the pass that finds the statistics of averaged weights, beside both.
    pub measuring: Option<Tape>,
}

/// What a phase takes. `facts`: of each of the plan's sets. `extent`: of the largest images that its evaluations look at.
///
/// # Errors
/// When the net takes no images of its sizes, which planning would have found.
pub fn needs(spec: &Spec, facts: &[Facts], phase: &PlannedPhase, extent: Extent) -> Result<Needs, Box<PairingError>> {
    // The plan of memory is the same for all.
    let isa = Isa::Portable;
    let graph = net::graph(spec, &facts[0], phase.size)?;
    let rules = net::rules(spec, &facts[0], phase.size)?;
    let training = Tape::new(&graph, &net::train_options(spec, phase.part(), isa));
    let statistics = spec.train.average.as_ref().and_then(|of| Statistics::from_word(&of.settings.text("statistics")));
    let measured = statistics == Some(Statistics::Measure) || phase.model_is_mean;
    let measures = measured && !graph.stats().is_empty();
    let measuring = measures.then(|| Tape::new(&graph, &net::measure_options(spec, phase.part(), isa)));
    let parameters = numbers(spec, &graph, &rules, phase).saturating_mul(size_of::<f32>());
    let most = spec.train.eval_batch.min(facts[phase.set].val_images);
    let options = TapeOptions { max_batch: most, ..net::evaluate_options(spec, isa) };
    let graph = match extent == Extent::square(phase.size) {
        true => graph,
        false => net::graph_of(spec, &facts[0], extent)?,
    };
    Ok(Needs { parameters, training, evaluation: Tape::new(&graph, &options), measuring })
}

/// Numbers that are in memory for a net's parameters and running statistics, in phases of that optimizer, when there are most.
fn numbers(spec: &Spec, graph: &Graph, rules: &Rules, phase: &PlannedPhase) -> usize {
    // Parameters are aligned to 64 bytes.
    let padded = |len: usize| len.next_multiple_of(64 / size_of::<f32>());
    let values: usize = graph.params().iter().map(|param| padded(param.len())).sum();
    let stats: usize = graph.stats().iter().map(|stat| padded(stat.len)).sum();
    // Each as long as both.
    let copies = usize::from(spec.train.lookahead.is_some()) + usize::from(spec.train.average.is_some());
    let whole = values + stats;
    let (mut held, mut searches) = (Holds::default(), false);
    for unit in std::iter::once(None).chain(rules.0.iter().map(Some)) {
        let is_of = |name: &String| match unit {
            Some(rule) => rule.parameters.contains(name),
            None => !rules.0.iter().any(|rule| rule.parameters.contains(name)),
        };
        let trained = graph.params().iter().filter(|param| !param.frozen && is_of(&param.name));
        let len: usize = trained.map(|param| param.len()).sum();
        // All that it holds is as many numbers for each.
        let optimizer = optim::make(unit.and_then(|rule| rule.optimizer.as_ref()).unwrap_or(&phase.optimizer), 1);
        let Holds { kept, beside, in_step } = optimizer.holds();
        held.kept = held.kept.saturating_add(kept.saturating_mul(len));
        held.beside = held.beside.saturating_add(beside.saturating_mul(len));
        held.in_step = held.in_step.max(in_step.saturating_mul(len));
        searches |= optimizer.reevaluates() && len > 0;
    }
    // Where a batch is looked at again: a second set of parameters, with gradients, and those of the first look.
    let looks = if searches { 3 * values + stats } else { 0 };
    // The model, where it is not the weights that are trained.
    let model = usize::from(phase.model_is_mean) * whole;
    let lives = (values + whole + copies * whole + model).saturating_add(held.kept).saturating_add(held.beside);
    // The optimizers' states as they are handed out, and the bytes of the file.
    let checkpoint = (whole + copies * whole).saturating_add(held.kept.saturating_mul(2));
    // What a step alone has is gone when a checkpoint is written.
    lives.saturating_add(checkpoint.max(held.in_step.saturating_add(looks)))
}
