//! A step's images through the net: in one pass, or in several parts of which the gradients add up.

use super::evaluate::add;
use crate::nn::{Loss, Params, Tape};
use rayon::prelude::*;

/// Elements a task.
const CHUNK: usize = 1 << 14;

/// A training tape, and how many of a step's images it takes at a time.
///
/// The gradient is that of the mean loss over all images of the step, whatever the parts:
///
/// ```text
/// ∇ = Σₚ nₚ/n · ∇ₚ,  ∇ₚ of the mean over the nₚ images of part p,  n = Σₚ nₚ
/// ```
///
/// so a short last part weighs less. Only rounding tells it from one pass, and batch norm, which knows the images of a part
/// alone and moves its running statistics once a part. PyTorch's usual loop, `(loss / parts).backward()`, weighs parts
/// equally.
pub struct Passes {
    tape: Tape,
    /// Images a part.
    part: usize,
    /// The gradient so far; of no length as long as one pass does.
    sum: Vec<f32>,
    loss_scale: f32,
}

impl Passes {
    /// For a tape that takes `part` images.
    pub fn new(tape: Tape, part: usize) -> Self {
        Self { tape, part, sum: Vec::new(), loss_scale: 1.0 }
    }

    /// From now on the net computes the gradient of so many times the loss; what [`gradient`](Self::gradient) gives is divided
    /// by it.
    pub fn set_loss_scale(&mut self, scale: f32) {
        self.tape.set_loss_scale(scale);
        self.loss_scale = scale;
    }

    /// The loss over all images, and the gradient of its mean into `params.grads`.
    ///
    /// # Errors
    /// Those of a candle bridge.
    ///
    /// # Panics
    /// When the images are not as many as the labels.
    pub fn gradient(
        &mut self,
        params: &mut Params,
        images: &[f32],
        labels: &[u32],
        smoothing: f32,
    ) -> anyhow::Result<Loss> {
        if labels.len() <= self.part {
            let loss = pass(&mut self.tape, params, images, labels, smoothing)?;
            if self.loss_scale != 1.0 {
                let share = 1.0 / self.loss_scale;
                params.grads.par_chunks_mut(CHUNK).for_each(|grads| grads.iter_mut().for_each(|grad| *grad *= share));
            }
            return Ok(loss);
        }
        let per_image = images.len() / labels.len();
        self.sum.clear();
        self.sum.resize(params.grads.len(), 0.0);
        let mut loss = Loss::default();
        for (images, part) in images.chunks(per_image * self.part).zip(labels.chunks(self.part)) {
            add(&mut loss, pass(&mut self.tape, params, images, part, smoothing)?);
            let share = part.len() as f32 / labels.len() as f32 / self.loss_scale;
            self.sum.par_chunks_mut(CHUNK).zip(params.grads.par_chunks(CHUNK)).for_each(|(sum, grads)| {
                sum.iter_mut().zip(grads).for_each(|(sum, grad)| *sum += share * grad);
            });
        }
        params.grads.copy_from_slice(&self.sum);
        Ok(loss)
    }
}

/// Forward, loss, backward.
fn pass(tape: &mut Tape, params: &mut Params, images: &[f32], labels: &[u32], smoothing: f32) -> anyhow::Result<Loss> {
    tape.forward(params, images)?;
    let loss = tape.loss(labels, smoothing);
    tape.backward(params)?;
    Ok(loss)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{DType, Isa};
    use crate::nn::layers::{Conv, Linear, Pool};
    use crate::nn::{Builder, Graph, Shape, TapeOptions};

    /// Without batch norm, on images of 108 numbers.
    fn net() -> Graph {
        let mut b = Builder::new(Shape::new(6, 6, 3));
        let x = b.input();
        let x = b.add("conv", Conv::new(16, 3).bias(true), &[x]).unwrap();
        let x = b.add("pool", Pool::global_max(), &[x]).unwrap();
        let x = b.add("fc", Linear::new(5), &[x]).unwrap();
        b.finish(x)
    }

    #[test]
    fn parts_add_up_to_one_pass() {
        let graph = net();
        let isa = Isa::detect().unwrap();
        let whole = Params::new(graph.params(), graph.stats(), 4);
        let images: Vec<f32> = (0..10 * 108).map(|k| ((k * 7919) % 1000) as f32 / 500.0 - 1.0).collect();
        let labels: Vec<u32> = (0..10).map(|k| k % 5).collect();
        let gradient = |part: usize| {
            let mut params = whole.clone();
            let tape = Tape::new(&graph, &params, TapeOptions::train(part, DType::F32, isa));
            let mut passes = Passes::new(tape, part);
            // Twice, as nothing of the step before may stay.
            passes.gradient(&mut params, &images[108..], &labels[1..], 0.1).unwrap();
            let loss = passes.gradient(&mut params, &images, &labels, 0.1).unwrap();
            (loss, params.grads)
        };
        let (loss, grads) = gradient(10);
        assert!(grads.iter().any(|grad| grad.abs() > 1e-3));
        // A power of two changes nothing in f32.
        let mut params = whole.clone();
        let mut passes = Passes::new(Tape::new(&graph, &params, TapeOptions::train(10, DType::F32, isa)), 10);
        passes.set_loss_scale(1024.0);
        passes.gradient(&mut params, &images, &labels, 0.1).unwrap();
        assert!(params.grads == grads);
        // 10 = 5 + 5 = 4 + 4 + 2 = 3 + 3 + 3 + 1
        for part in [5, 4, 3, 1] {
            let (found, parts) = gradient(part);
            assert_eq!((found.images, found.correct, found.correct_top5), (10, loss.correct, loss.correct_top5));
            assert!((found.sum - loss.sum).abs() < 1e-5 * loss.sum, "{part}: {} and {}", found.sum, loss.sum);
            let distance = grads.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(distance < 1e-6, "{part}: {distance}");
        }
    }
}
