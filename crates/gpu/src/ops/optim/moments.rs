//! Adam and AdamW: steps along the mean gradient over its root mean square.

use super::Table;
use crate::device::{Args, Device, Error, View, kernel};

kernel!(STEP = optim_adam);

/// The factors of the running means of one step, `m` of the gradient and `v` of its square:
///
/// ```text
/// m ← keep·m + take·g
/// v ← keep_square·v + take_square·g²
/// direction = correct·m / (correct_root·√v + eps)
/// ```
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    /// `β1`
    pub keep: f32,
    /// `1 − β1`
    pub take: f32,
    /// `β2`
    pub keep_square: f32,
    /// `1 − β2`
    pub take_square: f32,
    /// `1/(1 − β1ᵗ)`, or 1 where `m` did not start from 0.
    pub correct: f32,
    /// `1/√(1 − β2ᵗ)`
    pub correct_root: f32,
    /// Added to the root mean square.
    pub eps: f32,
}

/// The factors of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Factors {
    pub moments: Moments,
    /// The rate, multiplied by the rule's share in a mix of rules.
    pub lr: f32,
    /// Weight decay as a part of the gradient, for Adam; 0 for AdamW.
    pub coupled: f32,
    /// What decoupled weight decay leaves of the weights, for AdamW; 1 for Adam.
    pub keep: f32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct StepArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    mean: u64,
    square_avg: u64,
    by: Moments,
    lr: f32,
    coupled: f32,
    keep: f32,
}
// SAFETY: as `OptimAdam` of optim.cu.
unsafe impl Args for StepArgs {}

/// Of the buffers `[m, v]`:
///
/// ```text
/// g ← g + coupled·p
/// p ← keep·p − lr·direction                  (of the moments)
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
    [mean, square_avg]: [View<'_>; 2],
) -> Result<(), Error> {
    let Factors { moments, lr, coupled, keep } = *factors;
    let (params, grads) = table.flat(params, grads);
    let args = StepArgs {
        chunks: table.chunks.view().address(),
        params,
        grads,
        mean: table.own(mean),
        square_avg: table.own(square_avg),
        by: moments,
        lr,
        coupled,
        keep,
    };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked.
    unsafe { device.launch(&STEP, table.each_chunk(), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::testing::{check, moments, plain_direction, same};

    fn factors(step: usize) -> Factors {
        let decoupled = step == 1;
        Factors {
            moments: moments(step),
            lr: 0.01,
            coupled: if decoupled { 0.0 } else { 0.02 },
            keep: if decoupled { 0.99 } else { 1.0 },
        }
    }

    #[test]
    fn steps_are_those_of_a_plain_loop() {
        check(
            |device, table, at, buffers| {
                step(device, table, &factors(at.step), at.params, at.grads, buffers).unwrap();
            },
            |at, [mean, square_avg]| {
                let f = factors(at.step);
                for (((p, g), m), v) in at.params.iter_mut().zip(&*at.grads).zip(mean).zip(square_avg) {
                    let direction = plain_direction(&f.moments, g + f64::from(f.coupled) * *p, m, v);
                    *p = f64::from(f.keep) * *p - f64::from(f.lr) * direction;
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
            |at, [mean, square_avg]| {
                let Factors { moments: by, lr, coupled, keep } = factors(at.step);
                for (((p, g), m), v) in at.params.iter_mut().zip(&*at.grads).zip(mean).zip(square_avg) {
                    let g = g + coupled * *p;
                    *m = by.keep * *m + by.take * g;
                    *v = by.keep_square * *v + by.take_square * g * g;
                    let direction = *m * by.correct / (v.sqrt() * by.correct_root + by.eps);
                    *p = keep * *p - lr * direction;
                }
            },
        );
    }
}
