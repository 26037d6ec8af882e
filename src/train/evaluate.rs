//! The validation set through the net: during training, and afterwards.

use super::net;
use crate::config::spec::Spec;
use crate::data::{Dataset, Loader};
use crate::kernels::Isa;
use crate::nn::{Loss, Params, Tape, TapeOptions};
use std::sync::Arc;

/// Means over the validation images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Cross-entropy without smoothing.
    pub loss: f64,
    pub acc: f64,
    pub acc_top5: f64,
}

/// Evaluates a net on a set's validation images.
pub struct Evaluator {
    dataset: Arc<Dataset>,
    isa: Isa,
    /// For the image size that was evaluated last.
    tape: Option<(usize, Tape)>,
}

/// An evaluation after one of its batches.
pub struct Seen<'a> {
    /// Images through, this batch's included, of all.
    pub images: usize,
    pub of: usize,
    /// Of this batch.
    pub labels: &'a [u32],
    tape: &'a Tape,
}

impl Seen<'_> {
    /// What the net takes each image of this batch for: its largest output, the first of equals, which is what the loss
    /// counts as right. `None` where an output is NaN.
    pub fn predictions(&self) -> Vec<Option<usize>> {
        let outputs = self.tape.output();
        outputs.chunks_exact(outputs.len() / self.labels.len()).map(largest).collect()
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
    pub fn new(dataset: Arc<Dataset>, isa: Isa) -> Self {
        Self { dataset, isa, tape: None }
    }

    /// Evaluates at an image size, with running statistics, in the set's order; `watch` is called after each batch.
    ///
    /// # Errors
    /// Those of the tape, of the loader and of `watch`.
    pub fn evaluate(
        &mut self,
        spec: &Spec,
        params: &mut Params,
        size: usize,
        mut watch: impl FnMut(Seen<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<Evaluation> {
        let of = self.dataset.val.labels.len();
        let mut batches = Loader::<f32>::validation(Arc::clone(&self.dataset), size, spec.train.eval_batch);
        let tape = self.tape(spec, params, size)?;
        let mut total = Loss::default();
        while let Some((batch, _)) = batches.next_batch()? {
            tape.forward(params, &batch.images)?;
            let loss = tape.loss(&batch.labels, 0.0);
            total.sum += loss.sum;
            total.images += loss.images;
            total.correct += loss.correct;
            total.correct_top5 += loss.correct_top5;
            watch(Seen { images: total.images, of, labels: &batch.labels, tape })?;
        }
        let images = total.images as f64;
        Ok(Evaluation {
            loss: total.sum / images,
            acc: total.correct as f64 / images,
            acc_top5: total.correct_top5 as f64 / images,
        })
    }

    /// The tape for an image size, kept until another size is asked for.
    fn tape(&mut self, spec: &Spec, params: &Params, size: usize) -> anyhow::Result<&mut Tape> {
        if self.tape.as_ref().is_none_or(|(of, _)| *of != size) {
            // The old tape's memory goes before the new one's comes.
            self.tape = None;
            let graph = net::graph(spec, &self.dataset.facts, size)?;
            let options = TapeOptions::evaluate(spec.train.eval_batch, net::dtype(spec), self.isa);
            self.tape = Some((size, Tape::new(&graph, params, options)));
        }
        Ok(&mut self.tape.as_mut().expect("made above").1)
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
