//! Steps divided by a running root mean square of the gradient.

use super::Table;
use crate::device::{Args, Device, Error, View, kernel};

kernel!(STEP = optim_rmsprop);

/// The factors of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Factors {
    pub lr: f32,
    /// Weight decay as a part of the gradient; 0 where it is decoupled.
    pub coupled: f32,
    /// What decoupled weight decay leaves of the weights; 1 where it is coupled.
    pub keep: f32,
    /// Of the divided gradient, in a mix of rules; 1 outside.
    pub share: f32,
    /// What is kept of the buffer.
    pub keep_momentum: f32,
    /// `α`: what is kept of the mean square.
    pub keep_square: f32,
    /// `1 − α`
    pub take_square: f32,
    /// Added to the root mean square.
    pub eps: f32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct StepArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    buffer: u64,
    square_avg: u64,
    lr: f32,
    coupled: f32,
    keep: f32,
    share: f32,
    keep_momentum: f32,
    keep_square: f32,
    take_square: f32,
    eps: f32,
}
// SAFETY: as `OptimRmsProp` of optim.cu.
unsafe impl Args for StepArgs {}

/// Of the buffers `[b, v]`:
///
/// ```text
/// g ← g + coupled·p
/// v ← keep_square·v + take_square·g²
/// b ← keep_momentum·b + share·g/(√v + eps)
/// p ← keep·p − lr·b
/// ```
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the buffers are not `f32`, or not as long as the table says.
pub fn step(
    device: &Device,
    table: &Table,
    factors: &Factors,
    params: View<'_>,
    grads: View<'_>,
    [buffer, square_avg]: [View<'_>; 2],
) -> Result<(), Error> {
    let Factors { lr, coupled, keep, share, keep_momentum, keep_square, take_square, eps } = *factors;
    let (params, grads) = table.flat(params, grads);
    let args = StepArgs {
        chunks: table.chunks.view().address(),
        params,
        grads,
        buffer: table.own(buffer),
        square_avg: table.own(square_avg),
        lr,
        coupled,
        keep,
        share,
        keep_momentum,
        keep_square,
        take_square,
        eps,
    };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked.
    unsafe { device.launch(&STEP, table.each_chunk(), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::testing::{check, same};

    fn factors(step: usize) -> Factors {
        Factors {
            lr: 0.01,
            coupled: [0.02, 0.0, 0.02][step],
            keep: [1.0, 0.998, 1.0][step],
            share: 0.5,
            keep_momentum: [0.9, 0.0, 0.7][step],
            keep_square: 0.9,
            take_square: 0.1,
            eps: 1e-8,
        }
    }

    #[test]
    fn steps_are_those_of_a_plain_loop() {
        check(
            |device, table, at, buffers| {
                step(device, table, &factors(at.step), at.params, at.grads, buffers).unwrap();
            },
            |at, [buffer, square_avg]| {
                let f = factors(at.step);
                for (((p, g), b), v) in at.params.iter_mut().zip(&*at.grads).zip(buffer).zip(square_avg) {
                    let g = g + f64::from(f.coupled) * *p;
                    *v = f64::from(f.keep_square) * *v + f64::from(f.take_square) * g * g;
                    *b = f64::from(f.keep_momentum) * *b + f64::from(f.share) * g / (v.sqrt() + f64::from(f.eps));
                    *p = f64::from(f.keep) * *p - f64::from(f.lr) * *b;
                }
            },
        );
    }

    #[test]
    fn steps_are_those_of_a_cpu_to_the_last_bit() {
        same(
            |device, table, at, buffers| {
                step(device, table, &factors(at.step), at.params, at.grads, buffers).unwrap();
            },
            |at, [buffer, square_avg]| {
                let f = factors(at.step);
                for (((p, g), b), v) in at.params.iter_mut().zip(&*at.grads).zip(buffer).zip(square_avg) {
                    let g = g + f.coupled * *p;
                    *v = f.keep_square * *v + f.take_square * g * g;
                    *b = f.keep_momentum * *b + f.share * (g / (v.sqrt() + f.eps));
                    *p = f.keep * *p - f.lr * *b;
                }
            },
        );
    }
}
