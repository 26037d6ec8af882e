//! Gradient descent with momentum.

use super::Table;
use crate::device::{Args, Device, Error, View, kernel};

kernel!(STEP = optim_sgd);

/// The factors of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Factors {
    pub lr: f32,
    /// Weight decay as a part of the gradient; 0 where it is decoupled.
    pub coupled: f32,
    /// What decoupled weight decay leaves of the weights; 1 where it is coupled.
    pub keep: f32,
    /// Of the gradient, in a mix of rules; 1 outside.
    pub share: f32,
    /// What is kept of the buffer.
    pub keep_momentum: f32,
    /// For Nesterov's step; elsewhere unused.
    pub momentum: f32,
    pub nesterov: bool,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct StepArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    buffer: u64,
    lr: f32,
    coupled: f32,
    keep: f32,
    share: f32,
    keep_momentum: f32,
    momentum: f32,
    nesterov: u32,
}
// SAFETY: as `OptimSgd` of optim.cu.
unsafe impl Args for StepArgs {}

/// ```text
/// g ← share·(g + coupled·p)
/// b ← keep_momentum·b + g
/// p ← keep·p − lr·(g + momentum·b)          (Nesterov; else keep·p − lr·b)
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
    buffer: View<'_>,
) -> Result<(), Error> {
    let Factors { lr, coupled, keep, share, keep_momentum, momentum, nesterov } = *factors;
    let (params, grads) = table.flat(params, grads);
    let args = StepArgs {
        chunks: table.chunks.view().address(),
        params,
        grads,
        buffer: table.own(buffer),
        lr,
        coupled,
        keep,
        share,
        keep_momentum,
        momentum,
        nesterov: nesterov.into(),
    };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked.
    unsafe { device.launch(&STEP, table.each_chunk(), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::testing::{check, same};

    fn factors(step: usize, nesterov: bool, decoupled: bool) -> Factors {
        Factors {
            lr: 0.1 / (1 + step) as f32,
            coupled: if decoupled { 0.0 } else { 0.01 },
            keep: if decoupled { 0.999 } else { 1.0 },
            share: 0.75,
            keep_momentum: [0.9, 0.8, 0.0][step],
            momentum: [0.9, 0.8, 0.5][step],
            nesterov,
        }
    }

    #[test]
    fn steps_are_those_of_a_plain_loop() {
        for (nesterov, decoupled) in [(false, false), (true, false), (false, true), (true, true)] {
            check(
                |device, table, at, [buffer]| {
                    let factors = factors(at.step, nesterov, decoupled);
                    step(device, table, &factors, at.params, at.grads, buffer).unwrap();
                },
                |at, [buffer]| {
                    let f = factors(at.step, nesterov, decoupled);
                    for ((p, g), b) in at.params.iter_mut().zip(&*at.grads).zip(buffer) {
                        let g = f64::from(f.share) * (g + f64::from(f.coupled) * *p);
                        *b = f64::from(f.keep_momentum) * *b + g;
                        let direction = if nesterov { g + f64::from(f.momentum) * *b } else { *b };
                        *p = f64::from(f.keep) * *p - f64::from(f.lr) * direction;
                    }
                },
            );
        }
    }

    #[test]
    fn steps_are_those_of_a_cpu_to_the_last_bit() {
        for nesterov in [false, true] {
            same(
                |device, table, at, [buffer]| {
                    step(device, table, &factors(at.step, nesterov, false), at.params, at.grads, buffer).unwrap();
                },
                |at, [buffer]| {
                    let f = factors(at.step, nesterov, false);
                    for ((p, g), b) in at.params.iter_mut().zip(&*at.grads).zip(buffer) {
                        let g = f.share * (g + f.coupled * *p);
                        *b = f.keep_momentum * *b + g;
                        let direction = if nesterov { g + f.momentum * *b } else { *b };
                        *p = f.keep * *p - f.lr * direction;
                    }
                },
            );
        }
    }
}
