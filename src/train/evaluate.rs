//! The validation set through the net.

use super::session::Session;
use crate::nn::Loss;

/// Means over the validation images.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// Cross-entropy without smoothing.
    pub loss: f64,
    pub acc: f64,
    pub acc_top5: f64,
}

/// Evaluates at an image size, with running statistics, in the set's order.
///
/// # Errors
/// Those of the tape and of the loader.
pub fn evaluate(session: &mut Session, size: usize) -> anyhow::Result<Evaluation> {
    let mut batches = session.validation(size);
    let (tape, params) = session.evaluation_tape(size)?;
    let mut total = Loss::default();
    while let Some((batch, _)) = batches.next_batch()? {
        tape.forward(params, &batch.images)?;
        let loss = tape.loss(&batch.labels, 0.0);
        total.sum += loss.sum;
        total.images += loss.images;
        total.correct += loss.correct;
        total.correct_top5 += loss.correct_top5;
    }
    let images = total.images as f64;
    Ok(Evaluation {
        loss: total.sum / images,
        acc: total.correct as f64 / images,
        acc_top5: total.correct_top5 as f64 / images,
    })
}
