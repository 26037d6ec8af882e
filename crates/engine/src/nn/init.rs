//! How parameters start.

use super::params::ParamDecl;
use crate::units::{Purpose, rng};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

/// How a parameter starts. All but [`Init::Whitening`] are functions of (seed, the parameter's name) alone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Constant(f32),
    /// Uniform in `±bound`. PyTorch's default for convolutions and linear layers is `bound = 1/√fan_in`
    /// (`kaiming_uniform` with a = √5), for weights and biases alike.
    Uniform {
        bound: f64,
    },
    /// Normal, with mean 0 and this standard deviation. He et al. 2015 take `√(2/fan_in)`, with which a convolution and a ReLU
    /// leave the mean square of their input as it was, or `√(2/fan_out)`, with which they do so to gradients: PyTorch's
    /// `kaiming_normal_`, with `fan_out` in torchvision's and timm's ResNets, with `fan_in` in fast.ai's.
    Normal {
        std: f64,
    },
    /// Uniform, then multiplied so that the values drawn have this standard deviation, as `w *= std / w.std()` in PyTorch
    /// (whose `std` divides by one less than the count).
    Scaled {
        std: f64,
    },
    /// Filters `(O, I, h, w)`: of each group the first `I` hand on one channel each, a 1 at tap `(⌊h/2⌋, ⌊w/2⌋)` and zeros,
    /// as PyTorch's `dirac_`; the others are uniform in `±bound`.
    Dirac {
        bound: f64,
        groups: usize,
    },
    /// Computed from training images before the first step, see [`super::whitening`]; until then uniform in `±bound`.
    Whitening {
        /// Added to each eigenvalue.
        eps: f64,
        /// Training images that are looked at, spread evenly over the set.
        images: usize,
        bound: f64,
    },
}

impl Init {
    /// The values that a parameter of that declaration starts with.
    pub(super) fn values(self, decl: &ParamDecl, seed: u64) -> Vec<f32> {
        let uniform = |bound: f64| {
            let mut draw = rng(seed, Purpose::Init, 0, name_key(&decl.name));
            let bound = bound as f32;
            (0..decl.len()).map(|_| (draw.random::<f32>() * 2.0 - 1.0) * bound).collect::<Vec<f32>>()
        };
        match self {
            Self::Constant(value) => vec![value; decl.len()],
            Self::Uniform { bound } | Self::Whitening { bound, .. } => uniform(bound),
            Self::Normal { std } => {
                let mut draw = rng(seed, Purpose::Init, 0, name_key(&decl.name));
                let each = |_| (std * Distribution::<f64>::sample(&StandardNormal, &mut draw)) as f32;
                (0..decl.len()).map(each).collect()
            }
            Self::Scaled { std } => scaled(uniform(1.0), std),
            Self::Dirac { bound, groups } => {
                let mut values = uniform(bound);
                identity(&mut values, &decl.shape, groups);
                values
            }
        }
    }
}

/// The values times what gives them that standard deviation; a single value, which has none, is left as it is.
fn scaled(mut values: Vec<f32>, std: f64) -> Vec<f32> {
    let count = values.len() as f64;
    let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
    let squares = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>();
    let factor = std / (squares / (count - 1.0)).sqrt();
    if factor.is_finite() {
        values.iter_mut().for_each(|v| *v = (f64::from(*v) * factor) as f32);
    }
    values
}

/// Makes the first filters of each group hand on one channel each.
fn identity(filters: &mut [f32], shape: &[usize], groups: usize) {
    let [outputs, inputs, h, w] = *shape else { panic!("filters have four axes, not {shape:?}") };
    let (taps, centre) = (h * w, h / 2 * w + w / 2);
    let outputs = outputs / groups;
    for group in 0..groups {
        for channel in 0..outputs.min(inputs) {
            let filter = (group * outputs + channel) * inputs * taps;
            let filter = &mut filters[filter..filter + inputs * taps];
            filter.fill(0.0);
            filter[channel * taps + centre] = 1.0;
        }
    }
}

/// A stable number for a name: the first eight bytes of its SHA-256.
pub(super) fn name_key(name: &str) -> u64 {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(name.as_bytes());
    u64::from_le_bytes(std::array::from_fn(|k| digest[k]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Role;

    fn values(shape: &[usize], init: Init) -> Vec<f32> {
        let decl = ParamDecl { name: "w".into(), role: Role::Conv, shape: shape.to_vec(), init, frozen: false };
        init.values(&decl, 3)
    }

    #[test]
    fn scaled_values_have_that_deviation() {
        let values = values(&[10, 30], Init::Scaled { std: 2.0 });
        let mean = values.iter().sum::<f32>() / 300.0;
        let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / 299.0;
        assert!((var.sqrt() - 2.0).abs() < 1e-5, "{var}");
        assert_eq!(super::scaled(vec![0.5], 1.0), [0.5]);
    }

    #[test]
    fn normal_values_have_mean_deviation_and_tails() {
        let values = values(&[100, 10, 10, 10], Init::Normal { std: 0.5 });
        let count = values.len() as f64;
        let moment = |k: i32| values.iter().map(|v| (f64::from(*v) / 0.5).powi(k)).sum::<f64>() / count;
        // Within five of their own deviations: 1, √2, √15, √96 of a single value.
        for (k, want, of_one) in [(1, 0.0, 1.0), (2, 1.0, 2f64.sqrt()), (3, 0.0, 15f64.sqrt()), (4, 3.0, 96f64.sqrt())]
        {
            assert!((moment(k) - want).abs() < 5.0 * of_one / count.sqrt(), "{k}: {}", moment(k));
        }
    }

    #[test]
    fn the_first_filters_of_each_group_hand_on_a_channel() {
        for (groups, [o, i, h, w]) in [(1, [5, 3, 3, 3]), (2, [6, 2, 1, 2]), (1, [2, 4, 2, 2]), (1, [3, 3, 1, 1])] {
            let (bound, shape) = (0.1, [o, i, h, w]);
            let drawn = values(&shape, Init::Uniform { bound });
            let dirac = values(&shape, Init::Dirac { bound, groups });
            for (at, (dirac, drawn)) in dirac.iter().zip(&drawn).enumerate() {
                let (filter, channel, tap) = (at / (i * h * w) % (o / groups), at / (h * w) % i, at % (h * w));
                let want = match filter < i {
                    true => f32::from(u8::from(channel == filter && tap == h / 2 * w + w / 2)),
                    false => *drawn,
                };
                assert_eq!(*dirac, want, "{shape:?} {at}");
            }
        }
    }
}
