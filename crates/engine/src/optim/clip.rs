//! Gradients held within bounds before an optimizer sees them.

use super::pass::CHUNK;
use crate::nn::device::Mirror;
use rayon::prelude::*;
use runner_gpu::ops::optim::gradient;

/// Keeps the scale finite where the norm is 0; as PyTorch's.
const EPS: f64 = 1e-6;

/// The bounds of one step; `None`: no such bound.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Clip {
    /// On the size of each value.
    pub value: Option<f64>,
    /// On the L2 norm of the whole gradient, after the bound on values.
    pub norm: Option<f64>,
}

impl Clip {
    /// Whether nothing is bounded.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Clips a gradient in place, and gives the L2 norm that is left:
    ///
    /// ```text
    /// g ← min(max(g, −value), value)
    /// g ← min(1, norm/(‖g‖ + 1e-6)) · g
    /// ```
    ///
    /// `norm_of` computes the norm of the gradient, as often as it is needed. As PyTorch's `clip_grad_value_` and
    /// `clip_grad_norm_`; what is not finite stays so, or spoils all, as there.
    pub fn apply(&self, grads: &mut [f32], norm_of: impl Fn(&[f32]) -> f64) -> f64 {
        if let Some(value) = self.value {
            let value = value as f32;
            let each = |g: &mut f32| *g = if g.is_nan() { *g } else { g.clamp(-value, value) };
            grads.par_chunks_mut(CHUNK).for_each(|part| part.iter_mut().for_each(each));
        }
        let norm = norm_of(grads);
        let Some(scale) = self.scale(norm) else { return norm };
        let by = scale as f32;
        grads.par_chunks_mut(CHUNK).for_each(|part| part.iter_mut().for_each(|g| *g *= by));
        norm * scale
    }

    /// The same of gradients on a device, whose [`grad_norm`](Mirror::grad_norm) has just been found to be `norm`.
    ///
    /// # Errors
    /// Those of the device.
    pub fn apply_on_device(&self, there: &mut Mirror, mut norm: f64) -> Result<f64, runner_gpu::Error> {
        if let Some(value) = self.value {
            gradient::clip_value(there.device(), there.grads(), value as f32)?;
            norm = there.grad_norm()?;
        }
        if let Some(most) = self.norm {
            // By the norm as it lies there: nothing has to be waited for.
            gradient::clip_norm(there.device(), there.grads(), most, there.last_norm())?;
        }
        Ok(self.scale(norm).map_or(norm, |scale| norm * scale))
    }

    /// What a gradient that is so long is multiplied by; `None` where it is short enough.
    fn scale(&self, norm: f64) -> Option<f64> {
        let scale = self.norm.map_or(1.0, |most| most / (norm + EPS));
        // A norm that is NaN scales all by NaN: it is not to be lost.
        if scale >= 1.0 { None } else { Some(scale) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn norm(g: &[f32]) -> f64 {
        g.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn values_are_bounded_before_the_norm() {
        let clipped = |value, norm_bound| {
            let mut grads = [3.0, -0.5, 0.0, -40.0];
            let left = Clip { value, norm: norm_bound }.apply(&mut grads, norm);
            assert!((left - norm(&grads)).abs() < 1e-5, "{left} is left of {grads:?}");
            grads
        };
        assert_eq!(clipped(None, None), [3.0, -0.5, 0.0, -40.0]);
        assert_eq!(clipped(Some(2.0), None), [2.0, -0.5, 0.0, -2.0]);
        assert_eq!(clipped(None, Some(1e3)), [3.0, -0.5, 0.0, -40.0], "what is short enough stays to the bit");
        let [a, b, _, d] = clipped(Some(3.0), Some(1.0));
        assert!((norm(&[a, b, d]) - 1.0).abs() < 1e-6 && a == -d && (a / b + 6.0).abs() < 1e-6, "{a} {b} {d}");
    }

    #[test]
    fn what_is_no_number_is_not_hidden() {
        let mut grads = [1.0, f32::NAN];
        assert!(Clip { value: Some(0.5), norm: None }.apply(&mut grads, norm).is_nan());
        assert!(grads[0] == 0.5 && grads[1].is_nan());
        assert!(Clip { value: None, norm: Some(1.0) }.apply(&mut grads, norm).is_nan());
        assert!(grads.iter().all(|g| g.is_nan()));
    }
}
