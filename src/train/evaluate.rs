//! The validation set through the net: during training, and afterwards.

use super::net;
use super::tta::{View, views};
use crate::config::spec::{Spec, Tta};
use crate::data::resize::Extent;
use crate::data::{Batch, Dataset, Facts, Loader};
use crate::kernels::{Isa, loss};
use crate::nn::{Compute, Executor, Loss, Params, TapeOptions};
use std::sync::Arc;

/// Means over the validation images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Cross-entropy without smoothing.
    pub loss: f64,
    pub acc: f64,
    pub acc_top5: f64,
}

impl From<Loss> for Figures {
    fn from(sums: Loss) -> Self {
        let mean = |sum: f64| sum / sums.images as f64;
        Self { loss: mean(sums.sum), acc: mean(sums.correct as f64), acc_top5: mean(sums.correct_top5 as f64) }
    }
}

/// What an evaluation found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Of the images as they are.
    pub plain: Figures,
    /// Of outputs averaged over views, where that was asked for.
    pub averaged: Option<Figures>,
}

/// Evaluates nets on sets' validation images.
pub struct Evaluator {
    compute: Compute,
    /// For the extent and the largest batch that were evaluated last.
    tape: Option<((Extent, usize), Executor)>,
}

/// An evaluation after one of its batches.
pub struct Seen<'a> {
    /// Images through, this batch's included, of all.
    pub images: usize,
    pub of: usize,
    /// Of this batch.
    pub labels: &'a [u32],
    /// Of the net, averaged over views where that was asked for.
    outputs: &'a [f32],
}

impl Seen<'_> {
    /// What the net takes each image of this batch for: its largest output, the first of equals, which is what the loss
    /// counts as right. `None` where an output is NaN.
    pub fn predictions(&self) -> Vec<Option<usize>> {
        self.outputs.chunks_exact(self.outputs.len() / self.labels.len()).map(largest).collect()
    }
}

fn largest(outputs: &[f32]) -> Option<usize> {
    let mut best = 0;
    for (at, value) in outputs.iter().enumerate() {
        if value.is_nan() {
            return None;
        }
        if *value > outputs[best] {
            best = at;
        }
    }
    Some(best)
}

impl Evaluator {
    pub fn new(compute: Compute) -> Self {
        Self { compute, tape: None }
    }

    /// Gives back the memory that the next evaluation would use again.
    pub fn forget(&mut self) {
        self.tape = None;
    }

    /// Evaluates at an image size, with running statistics, in the loader's order; where `tta` asks for it, also with outputs
    /// averaged over views, in `f32`. `watch` is called after each batch.
    ///
    /// # Errors
    /// Those of the tape, of the loader and of `watch`.
    pub fn evaluate(
        &mut self,
        spec: &Spec,
        dataset: &Arc<Dataset>,
        params: &mut Params,
        size: usize,
        tta: Tta,
        mut watch: impl FnMut(Seen<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Evaluation> {
        let of = dataset.val.labels.len();
        let mut batches = Loader::<f32>::validation(Arc::clone(dataset), size, spec.train.eval_batch);
        let (isa, channels) = (self.compute.isa, dataset.facts.channels);
        let (mut plain, mut averaged) = (Loss::default(), Loss::default());
        let mut views = Views::new(tta, channels);
        while let Some((batch, _)) = batches.next_batch()? {
            let tape = self.tape(spec, &dataset.facts, params, batch.extent)?;
            tape.forward(params, &batch.images)?;
            add(&mut plain, tape.loss(&batch.labels, 0.0)?);
            let mut outputs = tape.output()?;
            if views.are_several() {
                views.average(tape, params, batch, &mut outputs)?;
                add(&mut averaged, score(isa, &batch.labels, &outputs));
            }
            watch(Seen { images: plain.images, of, labels: &batch.labels, outputs: &outputs })?;
        }
        let averaged = views.are_several().then(|| averaged.into());
        Ok(Evaluation { plain: plain.into(), averaged })
    }

    /// The tape for an extent and the batches of a set, kept until another one is asked for. It has room for no more images
    /// than the set has.
    fn tape(&mut self, spec: &Spec, facts: &Facts, params: &Params, extent: Extent) -> anyhow::Result<&mut Executor> {
        let wanted = (extent, spec.train.eval_batch.min(facts.val_images));
        if self.tape.as_ref().is_none_or(|(of, _)| *of != wanted) {
            // The old tape's memory goes before the new one's comes.
            self.tape = None;
            let graph = net::graph_of(spec, facts, extent)?;
            let options = TapeOptions { max_batch: wanted.1, ..net::evaluate_options(spec, self.compute.isa) };
            self.tape = Some((wanted, Executor::new(&self.compute, &graph, params, options)?));
        }
        Ok(&mut self.tape.as_mut().expect("made above").1)
    }
}

/// Adds a batch's sums to those before.
pub(super) fn add(total: &mut Loss, batch: Loss) {
    total.sum += batch.sum;
    total.images += batch.images;
    total.correct += batch.correct;
    total.correct_top5 += batch.correct_top5;
}

/// What the loss layer says of these outputs.
fn score(isa: Isa, labels: &[u32], outputs: &[f32]) -> Loss {
    let target = loss::Target { labels, classes: outputs.len() / labels.len(), smoothing: 0.0, mixed: None };
    let loss::Score { loss, correct, correct_top5 } = loss::score(isa, target, outputs);
    Loss { sum: loss, images: labels.len(), correct, correct_top5 }
}

/// The views of a level, and room for one of them.
struct Views {
    views: Vec<View>,
    channels: usize,
    images: Vec<f32>,
}

impl Views {
    fn new(tta: Tta, channels: usize) -> Self {
        Self { views: views(tta), channels, images: Vec::new() }
    }

    fn are_several(&self) -> bool {
        self.views.len() > 1
    }

    /// Turns the outputs for a batch as it is into the mean over its views.
    fn average(
        &mut self,
        tape: &mut Executor,
        params: &mut Params,
        batch: &Batch,
        outputs: &mut [f32],
    ) -> anyhow::Result<()> {
        let Self { views, channels, images } = self;
        outputs.iter_mut().for_each(|sum| *sum *= views[0].weight);
        images.resize(batch.images.len(), 0.0);
        for view in &views[1..] {
            view.of(&batch.images, batch.extent, *channels, images);
            tape.forward(params, images)?;
            outputs.iter_mut().zip(tape.output()?).for_each(|(sum, output)| *sum += view.weight * output);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::largest;

    #[test]
    fn the_first_of_the_largest_is_the_answer() {
        assert_eq!(largest(&[0.0, 3.0, 3.0, -1.0]), Some(1));
        assert_eq!(largest(&[f32::NEG_INFINITY; 3]), Some(0));
        assert_eq!(largest(&[1.0, f32::NAN]), None);
    }
}
