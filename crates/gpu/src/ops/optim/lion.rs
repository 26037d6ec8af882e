//! Steps of one length, by the sign of a mean gradient.

use super::Table;
use crate::device::{Args, Device, Error, View, kernel};

kernel!(STEP = optim_lion);

/// The factors of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Factors {
    /// The rate, multiplied by the rule's share in a mix of rules.
    pub lr: f32,
    /// What weight decay leaves of the weights.
    pub keep: f32,
    /// `β1`
    pub look: f32,
    /// `1 − β1`
    pub look_at: f32,
    /// `β2`
    pub keep_mean: f32,
    /// `1 − β2`
    pub take: f32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct StepArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    mean: u64,
    lr: f32,
    keep: f32,
    look: f32,
    look_at: f32,
    keep_mean: f32,
    take: f32,
}
// SAFETY: as `OptimLion` of optim.cu.
unsafe impl Args for StepArgs {}

/// ```text
/// p ← keep·p − lr·sign(look·m + look_at·g)       (sign(0) = 0)
/// m ← keep_mean·m + take·g
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
    mean: View<'_>,
) -> Result<(), Error> {
    let Factors { lr, keep, look, look_at, keep_mean, take } = *factors;
    let (params, grads) = table.flat(params, grads);
    let args = StepArgs {
        chunks: table.chunks.view().address(),
        params,
        grads,
        mean: table.own(mean),
        lr,
        keep,
        look,
        look_at,
        keep_mean,
        take,
    };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked.
    unsafe { device.launch(&STEP, table.each_chunk(), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::optim::testing::{check, devices, same};
    use crate::ops::optim::{Segment, Table};

    fn factors(step: usize) -> Factors {
        let [look, keep_mean] = [[0.9, 0.99], [0.5, 0.95], [0.0, 0.9]][step];
        Factors { lr: 1e-3, keep: 0.999, look, look_at: 1.0 - look, keep_mean, take: 1.0 - keep_mean }
    }

    #[test]
    fn steps_are_those_of_a_plain_loop() {
        check(
            |device, table, at, [mean]| {
                step(device, table, &factors(at.step), at.params, at.grads, mean).unwrap();
            },
            |at, [mean]| {
                let f = factors(at.step);
                for ((p, g), m) in at.params.iter_mut().zip(&*at.grads).zip(mean) {
                    let x = f64::from(f.look) * *m + f64::from(f.look_at) * g;
                    *p = f64::from(f.keep) * *p - f64::from(f.lr) * x.signum();
                    *m = f64::from(f.keep_mean) * *m + f64::from(f.take) * g;
                }
            },
        );
    }

    #[test]
    fn steps_are_those_of_a_cpu_to_the_last_bit() {
        same(
            |device, table, at, [mean]| {
                step(device, table, &factors(at.step), at.params, at.grads, mean).unwrap();
            },
            |at, [mean]| {
                let f = factors(at.step);
                for ((p, g), m) in at.params.iter_mut().zip(&*at.grads).zip(mean) {
                    *p = f.keep * *p - f.lr * (f.look * *m + f.look_at * g).signum();
                    *m = f.keep_mean * *m + f.take * g;
                }
            },
        );
    }

    #[test]
    fn nothing_has_no_sign_and_what_is_no_number_is_seen() {
        for device in devices() {
            let table = Table::new(&device, &[Segment { range: 0..4, adapted: false }]).unwrap();
            let [params, grads, mean] =
                [[1.0; 4], [0.0, -0.0, f32::NAN, 1e-30], [0.0; 4]].map(|x| device.upload(&x).unwrap());
            let factors = Factors { lr: 0.5, keep: 1.0, ..factors(0) };
            step(&device, &table, &factors, params.view(), grads.view(), mean.view()).unwrap();
            let got = device.read_f32(params.view()).unwrap();
            assert!(got[..2] == [1.0, 1.0] && got[2].is_nan() && got[3] == 0.5, "{got:?}");
        }
    }
}
