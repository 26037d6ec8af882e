//! Schedule-free steps: of the weights, where gradients are taken, and of those beside them that take the steps.

use super::Table;
use crate::device::{Args, Device, Error, View, kernel};

kernel!(SGD = optim_schedule_free_sgd);
kernel!(ADAMW = optim_schedule_free_adamw);

/// The factors of the weights `y` and of `z` beside them, along a direction `d`:
///
/// ```text
/// d ← d + decay·y
/// y ← lerp(y, z, toward) + along·d           lerp(a, b, w) = a + w·(b − a), for |w| ≥ ½ b − (b − a)·(1 − w)
/// z ← z − lr·d
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Averaging {
    pub lr: f32,
    /// Weight decay.
    pub decay: f32,
    /// The share of `z`.
    pub toward: f32,
    pub along: f32,
    /// Whether `z` is yet to become `y`, before anything else.
    pub is_first: bool,
}

/// `OptimAveraging` of optim_schedule_free.cu.
#[repr(C)]
#[derive(Clone, Copy)]
struct By {
    lr: f32,
    decay: f32,
    toward: f32,
    along: f32,
    first: u32,
}

impl From<&Averaging> for By {
    fn from(by: &Averaging) -> Self {
        let Averaging { lr, decay, toward, along, is_first } = *by;
        Self { lr, decay, toward, along, first: is_first.into() }
    }
}

/// The factors of the running mean of the gradient's square.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Square {
    /// `β2`
    pub keep: f32,
    /// `1 − β2`
    pub take: f32,
    /// What the weights of the squares in the mean add up to: `1 − β2ᵗ`.
    pub weight: f32,
    /// Added to the root.
    pub eps: f32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct SgdArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    z: u64,
    by: By,
}
// SAFETY: as `OptimScheduleFreeSgd` of optim_schedule_free.cu.
unsafe impl Args for SgdArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct AdamWArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    z: u64,
    square_avg: u64,
    keep: f32,
    take: f32,
    weight: f32,
    eps: f32,
    by: By,
}
// SAFETY: as `OptimScheduleFreeAdamW` of optim_schedule_free.cu.
unsafe impl Args for AdamWArgs {}

/// Along the gradient.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the buffers are not `f32`, or not as long as the table says.
pub fn sgd(
    device: &Device,
    table: &Table,
    by: &Averaging,
    params: View<'_>,
    grads: View<'_>,
    z: View<'_>,
) -> Result<(), Error> {
    let (params, grads) = table.flat(params, grads);
    let args = SgdArgs { chunks: table.chunks.view().address(), params, grads, z: table.own(z), by: by.into() };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked.
    unsafe { device.launch(&SGD, table.each_chunk(), &args) }
}

/// Along the gradient over its root mean square; of the buffers `[z, v]`:
///
/// ```text
/// v ← keep·v + take·g²
/// d = g/(√(v/weight) + eps)
/// ```
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When the buffers are not `f32`, or not as long as the table says.
pub fn adamw(
    device: &Device,
    table: &Table,
    (square, by): (&Square, &Averaging),
    params: View<'_>,
    grads: View<'_>,
    [z, square_avg]: [View<'_>; 2],
) -> Result<(), Error> {
    let Square { keep, take, weight, eps } = *square;
    let (params, grads) = table.flat(params, grads);
    let args = AdamWArgs {
        chunks: table.chunks.view().address(),
        params,
        grads,
        z: table.own(z),
        square_avg: table.own(square_avg),
        keep,
        take,
        weight,
        eps,
        by: by.into(),
    };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked.
    unsafe { device.launch(&ADAMW, table.each_chunk(), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::testing::{check, same};

    /// Shares on both sides of a half.
    fn by(step: usize) -> Averaging {
        let toward = [1.0, 0.5, 0.3][step];
        Averaging { lr: 0.02, decay: 0.01, toward, along: 0.02 * (0.9 * (1.0 - toward) - 1.0), is_first: step == 0 }
    }

    fn square(step: usize) -> Square {
        Square { keep: 0.99, take: 0.01, weight: 1.0 - 0.99f32.powi(step as i32 + 1), eps: 1e-8 }
    }

    fn plain(by: &Averaging, d: f64, y: &mut f64, z: &mut f64) {
        let [lr, decay, toward, along] = [by.lr, by.decay, by.toward, by.along].map(f64::from);
        if by.is_first {
            *z = *y;
        }
        let d = d + decay * *y;
        *y += toward * (*z - *y) + along * d;
        *z -= lr * d;
    }

    fn on_cpu(by: &Averaging, d: f32, y: &mut f32, z: &mut f32) {
        if by.is_first {
            *z = *y;
        }
        let (d, way) = (d + by.decay * *y, *z - *y);
        let mean = if by.toward < 0.5 { *y + by.toward * way } else { *z - way * (1.0 - by.toward) };
        *y = mean + by.along * d;
        *z -= by.lr * d;
    }

    #[test]
    fn steps_are_those_of_a_plain_loop() {
        check(
            |device, table, at, [z]| sgd(device, table, &by(at.step), at.params, at.grads, z).unwrap(),
            |at, [z]| {
                for ((y, g), z) in at.params.iter_mut().zip(&*at.grads).zip(z) {
                    plain(&by(at.step), *g, y, z);
                }
            },
        );
        check(
            |device, table, at, buffers| {
                adamw(device, table, (&square(at.step), &by(at.step)), at.params, at.grads, buffers).unwrap();
            },
            |at, [z, v]| {
                let Square { keep, take, weight, eps } = square(at.step);
                for (((y, g), z), v) in at.params.iter_mut().zip(&*at.grads).zip(z).zip(v) {
                    *v = f64::from(keep) * *v + f64::from(take) * *g * *g;
                    plain(&by(at.step), g / ((*v / f64::from(weight)).sqrt() + f64::from(eps)), y, z);
                }
            },
        );
    }

    #[test]
    fn steps_are_those_of_a_cpu_to_the_last_bit() {
        same(
            |device, table, at, [z]| sgd(device, table, &by(at.step), at.params, at.grads, z).unwrap(),
            |at, [z]| {
                for ((y, g), z) in at.params.iter_mut().zip(&*at.grads).zip(z) {
                    on_cpu(&by(at.step), *g, y, z);
                }
            },
        );
        same(
            |device, table, at, buffers| {
                adamw(device, table, (&square(at.step), &by(at.step)), at.params, at.grads, buffers).unwrap();
            },
            |at, [z, v]| {
                let Square { keep, take, weight, eps } = square(at.step);
                for (((y, g), z), v) in at.params.iter_mut().zip(&*at.grads).zip(z).zip(v) {
                    *v = keep * *v + take * g * g;
                    on_cpu(&by(at.step), g / ((*v / weight).sqrt() + eps), y, z);
                }
            },
        );
    }
}
