//! Channels let through in part, as much as each image asks: squeeze and excitation's last step.
//!
//! For `x: (n, h·w, c)` and `g: (n, c)`
//!
//! ```text
//! y  = x·σ(g),  σ(g) = 1/(1 + exp(−g))
//! dx = dy·σ(g),  dg = σ(g)·(1 − σ(g))·Σ dy·x  over the pixels
//! ```
//!
//! Source: Hu et al. 2017, arXiv:1709.01507.

use super::lanes::Columns;
use super::{GradTo, address};
use crate::device::{Args, Device, Error, View, typed_kernel};

typed_kernel!(FORWARD = gate_forward_f32, gate_forward_bf16, gate_forward_f16);
typed_kernel!(BACKWARD = gate_backward_f32, gate_backward_bf16, gate_backward_f16);

#[repr(C)]
#[derive(Clone, Copy)]
struct ForwardArgs {
    of: Columns,
    x: u64,
    g: u64,
    y: u64,
}
// SAFETY: as `GateForward` of gate.cu.
unsafe impl Args for ForwardArgs {}

#[repr(C)]
#[derive(Clone, Copy)]
struct BackwardArgs {
    of: Columns,
    x: u64,
    g: u64,
    dy: u64,
    dx: u64,
    dg: u64,
    add_x: u32,
    add_g: u32,
}
// SAFETY: as `GateBackward` of gate.cu.
unsafe impl Args for BackwardArgs {}

/// `y = x·σ(g)`; `c` channels.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit.
pub fn forward(device: &Device, c: usize, x: View<'_>, g: View<'_>, y: View<'_>) -> Result<(), Error> {
    let (dtype, of) = (y.dtype(), columns(c, x, g));
    let args = ForwardArgs { of, x: x.expect(dtype, y.len()), g: g.expect(dtype, g.len()), y: y.address() };
    // SAFETY: x and y are as long, and hold whole images for the gates.
    unsafe { device.launch(FORWARD.of(dtype), of.divided(), &args) }
}

/// The gradients of x and g; `None` for one that nobody wants.
///
/// # Errors
/// Those of the driver.
///
/// # Panics
/// When lengths or types do not fit.
pub fn backward(
    device: &Device,
    c: usize,
    [x, g]: [View<'_>; 2],
    dy: View<'_>,
    dx: Option<GradTo<'_>>,
    dg: Option<GradTo<'_>>,
) -> Result<(), Error> {
    if dx.is_none() && dg.is_none() {
        return Ok(());
    }
    let (dtype, of) = (dy.dtype(), columns(c, x, g));
    let args = BackwardArgs {
        of,
        x: x.expect(dtype, dy.len()),
        g: g.expect(dtype, g.len()),
        dy: dy.address(),
        dx: address(dx.map(|grad| grad.to), dtype, dy.len()),
        dg: address(dg.map(|grad| grad.to), dtype, g.len()),
        add_x: dx.is_some_and(|grad| grad.add).into(),
        add_g: dg.is_some_and(|grad| grad.add).into(),
    };
    let grid = if dg.is_some() { of.whole() } else { of.divided() };
    // SAFETY: x, dy and dx are as long, and hold whole images for the gates.
    unsafe { device.launch(BACKWARD.of(dtype), grid, &args) }
}

fn columns(c: usize, x: View<'_>, g: View<'_>) -> Columns {
    let (values, gates) = (x.len(), g.len());
    let fit = c > 0 && gates > 0 && gates.is_multiple_of(c) && values.is_multiple_of(gates);
    assert!(fit, "gate: {gates} gates of {c} channels do not fit {values} values");
    Columns::new(gates / c, values / gates, c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{close, devices, noise, rounded, upload};

    #[test]
    fn values_and_gradients_are_those_of_plain_loops() {
        for (device, dtype) in devices() {
            for [n, pixels, c] in [[1, 1, 1], [2, 9, 3], [3, 49, 24], [4, 35, 65], [2, 1024, 16], [5, 4, 300]] {
                let len = n * pixels * c;
                let [x, dy, x_before] = [1, 2, 3].map(|seed| rounded(dtype, &noise(seed, len)));
                let [g, g_before] = [4, 5].map(|seed| rounded(dtype, &noise(seed, n * c)));
                // Gates from nearly shut to nearly open.
                let g = rounded(dtype, &g.iter().map(|g| 6.0 * g).collect::<Vec<_>>());
                let gate = |k: usize| 1.0 / (1.0 + (-f64::from(g[k])).exp());
                let of = |k: usize| k / (pixels * c) * c + k % c;
                let want: Vec<f64> = (0..len).map(|k| f64::from(x[k]) * gate(of(k))).collect();
                let of_x: Vec<f64> = (0..len).map(|k| f64::from(dy[k]) * gate(of(k))).collect();
                let mut of_g = vec![0.0; n * c];
                for k in 0..len {
                    of_g[of(k)] += gate(of(k)) * (1.0 - gate(of(k))) * f64::from(dy[k]) * f64::from(x[k]);
                }
                let plus = |grads: &[f64], before: &[f32]| -> Vec<f64> {
                    grads.iter().zip(before).map(|(d, before)| d + f64::from(*before)).collect()
                };
                let [x_at, g_at, dy_at] = [&x, &g, &dy].map(|values| upload(&device, dtype, values));
                let y = device.allocate(dtype, len).unwrap();
                forward(&device, c, x_at.view(), g_at.view(), y.view()).unwrap();
                close(&device.read_f32(y.view()).unwrap(), &want, dtype, 1e-6);

                let old = || (upload(&device, dtype, &x_before), upload(&device, dtype, &g_before));
                let inputs = [x_at.view(), g_at.view()];
                let (dx, dg) = old();
                let (to_x, to_g) = (GradTo::overwrite(dx.view()), GradTo { to: dg.view(), add: true });
                backward(&device, c, inputs, dy_at.view(), Some(to_x), Some(to_g)).unwrap();
                close(&device.read_f32(dx.view()).unwrap(), &of_x, dtype, 1e-6);
                close(&device.read_f32(dg.view()).unwrap(), &plus(&of_g, &g_before), dtype, 1e-5);
                let (dx, dg) = old();
                let (to_x, to_g) = (GradTo { to: dx.view(), add: true }, GradTo::overwrite(dg.view()));
                backward(&device, c, inputs, dy_at.view(), Some(to_x), None).unwrap();
                backward(&device, c, inputs, dy_at.view(), None, Some(to_g)).unwrap();
                close(&device.read_f32(dx.view()).unwrap(), &plus(&of_x, &x_before), dtype, 1e-6);
                close(&device.read_f32(dg.view()).unwrap(), &of_g, dtype, 1e-5);
            }
        }
    }
}
