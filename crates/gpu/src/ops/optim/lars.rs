//! Gradient descent with momentum whose rate is, tensor by tensor, a share of the weights' norm.

use super::Table;
use crate::device::{Args, Device, Error, View, kernel};

kernel!(NORMS = optim_lars_norms);
kernel!(RATIOS = optim_lars_ratios);
kernel!(STEP = optim_lars);

/// The factors of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Factors {
    /// Share of a tensor's norm that a step at rate 1 is long.
    pub trust: f64,
    /// Added to the norm of the gradient.
    pub eps: f64,
    pub lr: f32,
    /// Weight decay as a part of the gradient; 0 where it is decoupled.
    pub coupled: f32,
    /// What decoupled weight decay leaves of the weights; 1 where it is coupled.
    pub keep: f32,
    /// Of the gradient, in a mix of rules; 1 outside.
    pub share: f32,
    pub momentum: f32,
    pub nesterov: bool,
    /// Where the buffer holds a mean of gradients that another rule handed on: `momentum/(1 − momentum)`, by which,
    /// multiplied by a tensor's ratio, it becomes a sum.
    pub handed_on: Option<f32>,
}

#[repr(C)]
#[derive(Clone, Copy)]
struct NormsArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    partial: u64,
}
// SAFETY: as `OptimLarsNorms` of optim_trust.cu.
unsafe impl Args for NormsArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct RatiosArgs {
    segments: u64,
    partial: u64,
    ratios: u64,
    trust: f64,
    eps: f64,
    coupled: f64,
}
// SAFETY: as `OptimLarsRatios` of optim_trust.cu.
unsafe impl Args for RatiosArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct StepArgs {
    chunks: u64,
    params: u64,
    grads: u64,
    buffer: u64,
    weight: u64,
    ratios: u64,
    lr: f32,
    coupled: f32,
    keep: f32,
    share: f32,
    momentum: f32,
    as_sum: f32,
    nesterov: u32,
    handed_on: u32,
}
// SAFETY: as `OptimLars` of optim_trust.cu.
unsafe impl Args for StepArgs {}

/// Tensor by tensor, of the buffers `[b, w]`, where `w` is what the weights of the gradients in `b` add up to:
///
/// ```text
/// λ = trust·‖p‖ / (‖g‖ + coupled·‖p‖ + eps)    (1 for tensors that are not adapted, and where ‖p‖ or ‖g‖ is 0)
/// g ← share·λ·(g + coupled·p)
/// b ← m·b + g,  w ← m·w + share·λ              (m = momentum; handed on: momentum/(1 − momentum)·share·λ)
/// p ← keep·p − lr·b                            (Nesterov: keep·p − lr·(g + momentum·b))
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
    [buffer, weight]: [View<'_>; 2],
    scratch: View<'_>,
) -> Result<(), Error> {
    let Factors { trust, eps, lr, coupled, keep, share, momentum, nesterov, handed_on } = *factors;
    let (params, grads) = table.flat(params, grads);
    let (buffer, weight) = (table.own(buffer), table.own(weight));
    let (partial, ratios) = table.scratch(scratch);
    let (chunks, segments) = (table.chunks.view().address(), table.segments.view().address());
    let norms_args = NormsArgs { chunks, params, grads, partial };
    let ratios_args = RatiosArgs { segments, partial, ratios, trust, eps, coupled: coupled.into() };
    let args = StepArgs {
        chunks,
        params,
        grads,
        buffer,
        weight,
        ratios,
        lr,
        coupled,
        keep,
        share,
        momentum,
        as_sum: handed_on.unwrap_or(0.0),
        nesterov: nesterov.into(),
        handed_on: handed_on.is_some().into(),
    };
    // SAFETY: the table's chunks lie in the buffers, whose lengths are checked; scratch has two numbers for each chunk,
    unsafe { device.launch(&NORMS, table.each_chunk(), &norms_args)? };
    // SAFETY: and one for each segment, whose chunks are those of the table.
    unsafe { device.launch(&RATIOS, table.each_segment(), &ratios_args)? };
    // SAFETY: as both.
    unsafe { device.launch(&STEP, table.each_chunk(), &args) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DType;
    use crate::ops::optim::testing::{check, plain_norm};

    #[test]
    fn steps_are_those_of_a_plain_loop() {
        for (nesterov, decoupled) in [(false, false), (true, true)] {
            let factors = |step: usize| Factors {
                trust: 0.02,
                eps: 1e-8,
                lr: 0.5,
                coupled: if decoupled { 0.0 } else { 0.1 },
                keep: if decoupled { 0.98 } else { 1.0 },
                share: 0.8,
                momentum: 0.9,
                nesterov,
                handed_on: (step == 0).then_some(9.0),
            };
            check(
                |device, table, at, buffers| {
                    let scratch = device.allocate(DType::F32, table.scratch_len()).unwrap();
                    let factors = factors(at.step);
                    step(device, table, &factors, at.params, at.grads, buffers, scratch.view()).unwrap();
                },
                |at, [buffer, weight]| {
                    let f = factors(at.step);
                    let (norm, size) = (plain_norm(at.params), plain_norm(at.grads));
                    let coupled = f64::from(f.coupled);
                    let adapted = at.segment.adapted && norm > 0.0 && size > 0.0;
                    let ratio = if adapted { f.trust * norm / (size + coupled * norm + f.eps) } else { 1.0 };
                    let ratio = f64::from(f.share) * ratio;
                    let keep = f.handed_on.map_or(f64::from(f.momentum), |as_sum| f64::from(as_sum) * ratio);
                    for (((p, g), b), w) in at.params.iter_mut().zip(&*at.grads).zip(buffer).zip(weight) {
                        let g = ratio * (g + coupled * *p);
                        (*b, *w) = (keep * *b + g, keep * *w + ratio);
                        let direction = if nesterov { g + f64::from(f.momentum) * *b } else { *b };
                        *p = f64::from(f.keep) * *p - f64::from(f.lr) * direction;
                    }
                },
            );
        }
    }
}
