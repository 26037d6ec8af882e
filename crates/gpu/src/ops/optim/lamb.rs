//! AdamW whose steps are, tensor by tensor, as long as the weights' norm times the rate.

use super::Table;
use super::moments::Moments;
use crate::device::{Args, Device, Error, View, kernel};

kernel!(DIRECTIONS = optim_lamb_directions);
kernel!(RATES = optim_lamb_rates);
kernel!(STEP = optim_lamb);

/// The factors of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Factors {
    pub moments: Moments,
    /// The rate, multiplied by the rule's share in a mix of rules.
    pub lr: f64,
    pub weight_decay: f32,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct DirectionsArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    mean: u64,
    square_avg: u64,
    partial: u64,
    by: Moments,
    decay: f32,
}
// SAFETY: as `OptimLambDirections` of optim_trust.cu.
unsafe impl Args for DirectionsArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct RatesArgs {
    segments: u64,
    partial: u64,
    rates: u64,
    lr: f64,
}
// SAFETY: as `OptimLambRates` of optim_trust.cu.
unsafe impl Args for RatesArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct StepArgs {
    chunks: u64,
    params: u64,
    directions: u64,
    rates: u64,
}
// SAFETY: as `OptimLamb` of optim_trust.cu.
unsafe impl Args for StepArgs {}

/// Tensor by tensor, of the buffers `[m, v]`; the gradients become `u`:
///
/// ```text
/// u = direction + weight_decay·p          (of the moments)
/// p ← p − lr·‖p‖/‖u‖·u                    (the ratio is 1 for tensors that are not adapted, and where a norm is 0)
/// ```
///
/// Scratch has [`Table::scratch_len`] floats.
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
    scratch: View<'_>,
) -> Result<(), Error> {
    let Factors { moments: by, lr, weight_decay: decay } = *factors;
    let (params, grads) = table.flat(params, grads);
    let (mean, square_avg) = (table.own(mean), table.own(square_avg));
    let (partial, rates) = table.scratch(scratch);
    let (chunks, segments) = (table.chunks.view().address(), table.segments.view().address());
    let directions = DirectionsArgs { chunks, params, grads, mean, square_avg, partial, by, decay };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked; scratch has two numbers for each chunk,
    unsafe { device.launch(&DIRECTIONS, table.each_chunk(), &directions)? };
    // SAFETY: and one for each segment, whose chunks are those of the table.
    unsafe { device.launch(&RATES, table.each_segment(), &RatesArgs { segments, partial, rates, lr })? };
    // SAFETY: as both.
    unsafe { device.launch(&STEP, table.each_chunk(), &StepArgs { chunks, params, directions: grads, rates }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::ops::optim::testing::{moments, plain_direction, plain_norm, run, segments};
    use crate::ops::optim::{CHUNK, Segment};
    use crate::ops::testing::close;

    fn check_on(segments: &[Segment]) {
        let factors = |step: usize| Factors { moments: moments(step), lr: 0.01, weight_decay: 0.1 };
        run(
            segments,
            |device, table, at, buffers| {
                let scratch = device.allocate(DType::F32, table.scratch_len()).unwrap();
                step(device, table, &factors(at.step), at.params, at.grads, buffers, scratch.view()).unwrap();
            },
            |at, [mean, square_avg]| {
                let f = factors(at.step);
                for (((p, g), m), v) in at.params.iter().zip(at.grads.iter_mut()).zip(mean).zip(square_avg) {
                    *g = plain_direction(&f.moments, *g, m, v) + f64::from(f.weight_decay) * p;
                }
                let (norm, size) = (plain_norm(at.params), plain_norm(at.grads));
                let adapted = at.segment.adapted && norm > 0.0 && size > 0.0;
                let rate = f.lr * if adapted { norm / size } else { 1.0 };
                at.params.iter_mut().zip(&*at.grads).for_each(|(p, u)| *p -= rate * u);
            },
            |got, want| close(got, want, DType::F32, 1e-6),
        );
    }

    #[test]
    fn steps_are_those_of_a_plain_loop() {
        check_on(&segments());
    }

    #[test]
    fn a_segment_of_more_chunks_than_a_block_has_threads_is_summed_whole() {
        check_on(&[Segment { range: 1..CHUNK * 300 + 5, adapted: true }]);
    }
}
