//! The functions as types, so that kernels are compiled once for each; what a function has of settings, its value holds.

use crate::kernels::math::{exp_negative, normal};
use crate::kernels::simd::Simd;

/// An activation function on vectors.
pub trait Function: Copy + Send + Sync + 'static {
    /// `act(z)`.
    ///
    /// # Safety
    /// As for [`Simd`].
    unsafe fn value<S: Simd>(self, z: S::V) -> S::V;

    /// `dy·act′(z)`.
    ///
    /// # Safety
    /// As for [`Simd`].
    unsafe fn pull<S: Simd>(self, z: S::V, dy: S::V) -> S::V;
}

/// `z`
#[derive(Clone, Copy)]
pub struct Identity;
/// `max(0, z)`
#[derive(Clone, Copy)]
pub struct Relu;
/// `z·Φ(z)`
#[derive(Clone, Copy)]
pub struct Gelu;
/// `z·σ(z)`
#[derive(Clone, Copy)]
pub struct Silu;
/// `z·tanh(log(1 + exp z))`
#[derive(Clone, Copy)]
pub struct Mish;
/// `max(0, z) + min(0, α·(exp(z/α) − 1))`
#[derive(Clone, Copy)]
pub struct Celu {
    pub alpha: f32,
}

/// `z` where it is above 0, else `slope·z`
#[derive(Clone, Copy)]
pub struct LeakyRelu {
    pub slope: f32,
}

// SAFETY of the bodies below: the caller's promise that the instruction set is there.
impl Function for Identity {
    #[inline(always)]
    unsafe fn value<S: Simd>(self, z: S::V) -> S::V {
        z
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(self, _z: S::V, dy: S::V) -> S::V {
        dy
    }
}

impl Function for Relu {
    #[inline(always)]
    unsafe fn value<S: Simd>(self, z: S::V) -> S::V {
        // This order of operands lets NaN through.
        unsafe { S::max(S::splat(0.0), z) }
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(self, z: S::V, dy: S::V) -> S::V {
        unsafe { S::select_gt(z, S::splat(0.0), dy, S::splat(0.0)) }
    }
}

impl Function for Gelu {
    #[inline(always)]
    unsafe fn value<S: Simd>(self, z: S::V) -> S::V {
        unsafe { S::mul(z, normal::<S>(z).0) }
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(self, z: S::V, dy: S::V) -> S::V {
        unsafe {
            let (probability, density) = normal::<S>(z);
            S::mul(dy, S::fma(z, density, probability))
        }
    }
}

impl Function for Silu {
    #[inline(always)]
    unsafe fn value<S: Simd>(self, z: S::V) -> S::V {
        unsafe { S::mul(z, sigmoid::<S>(z)) }
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(self, z: S::V, dy: S::V) -> S::V {
        unsafe {
            let s = sigmoid::<S>(z);
            // σ + z·σ·(1 − σ)
            let slope = S::mul(s, S::fma(z, S::sub(S::splat(1.0), s), S::splat(1.0)));
            S::mul(dy, slope)
        }
    }
}

impl Function for Mish {
    #[inline(always)]
    unsafe fn value<S: Simd>(self, z: S::V) -> S::V {
        unsafe { S::mul(z, self.gate::<S>(z, exp_of_size::<S>(z)).0) }
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(self, z: S::V, dy: S::V) -> S::V {
        unsafe {
            let w = exp_of_size::<S>(z);
            let (t, rest) = self.gate::<S>(z, w);
            // t + z·σ·(1 − t)·(1 + t)
            let slope = S::mul(S::mul(z, sigmoid_by::<S>(z, w)), S::mul(rest, S::add(S::splat(1.0), t)));
            S::mul(dy, S::add(t, slope))
        }
    }
}

impl Mish {
    /// `t = tanh(log(1 + exp z)) = n/(n + 2)` with `n = exp z·(exp z + 2)`, and `1 − t`, where nothing cancels. By `w = exp(−|z|)`,
    /// which does not overflow: above 0 both are divided by its inverse squared.
    #[inline(always)]
    unsafe fn gate<S: Simd>(self, z: S::V, w: S::V) -> (S::V, S::V) {
        unsafe {
            let (zero, one, two) = (S::splat(0.0), S::splat(1.0), S::splat(2.0));
            let below = S::mul(w, S::add(w, two));
            let n = S::select_gt(z, zero, S::fma(two, w, one), below);
            let twice = S::select_gt(z, zero, S::mul(two, S::mul(w, w)), two);
            let all = S::add(n, twice);
            (S::div(n, all), S::div(twice, all))
        }
    }
}

impl Function for Celu {
    #[inline(always)]
    unsafe fn value<S: Simd>(self, z: S::V) -> S::V {
        unsafe {
            let below = S::mul(S::splat(self.alpha), S::sub(self.power::<S>(z), S::splat(1.0)));
            S::select_gt(z, S::splat(0.0), z, below)
        }
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(self, z: S::V, dy: S::V) -> S::V {
        unsafe { S::select_gt(z, S::splat(0.0), dy, S::mul(dy, self.power::<S>(z))) }
    }
}

impl Celu {
    /// `exp(z/α)` for `z ≤ 0`, else 1.
    #[inline(always)]
    unsafe fn power<S: Simd>(self, z: S::V) -> S::V {
        // This order of operands lets NaN through.
        unsafe { exp_negative::<S>(S::mul(S::min(S::splat(0.0), z), S::splat(1.0 / self.alpha))) }
    }
}

/// `σ(z) = 1/(1 + exp(−z))`, by the exponential of the negative of the two, which does not overflow.
///
/// # Safety
/// As for [`Simd`].
#[inline(always)]
pub unsafe fn sigmoid<S: Simd>(z: S::V) -> S::V {
    unsafe { sigmoid_by::<S>(z, exp_of_size::<S>(z)) }
}

/// `exp(−|z|)`
#[inline(always)]
unsafe fn exp_of_size<S: Simd>(z: S::V) -> S::V {
    unsafe { exp_negative::<S>(S::min(S::sub(S::splat(0.0), z), z)) }
}

/// [`sigmoid`] by that.
#[inline(always)]
unsafe fn sigmoid_by<S: Simd>(z: S::V, e: S::V) -> S::V {
    unsafe {
        let (zero, one) = (S::splat(0.0), S::splat(1.0));
        S::div(S::select_gt(z, zero, one, e), S::add(one, e))
    }
}

impl Function for LeakyRelu {
    #[inline(always)]
    unsafe fn value<S: Simd>(self, z: S::V) -> S::V {
        unsafe { S::select_gt(z, S::splat(0.0), z, S::mul(z, S::splat(self.slope))) }
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(self, z: S::V, dy: S::V) -> S::V {
        unsafe { S::select_gt(z, S::splat(0.0), dy, S::mul(dy, S::splat(self.slope))) }
    }
}

/// Runs an expression with `$f` standing for the function of an [`super::Act`].
macro_rules! with_function {
    ($act:expr, $f:ident => $body:expr) => {
        match $act {
            $crate::kernels::activation::Act::None => {
                let $f = $crate::kernels::activation::function::Identity;
                $body
            }
            $crate::kernels::activation::Act::Relu => {
                let $f = $crate::kernels::activation::function::Relu;
                $body
            }
            $crate::kernels::activation::Act::Gelu => {
                let $f = $crate::kernels::activation::function::Gelu;
                $body
            }
            $crate::kernels::activation::Act::Silu => {
                let $f = $crate::kernels::activation::function::Silu;
                $body
            }
            $crate::kernels::activation::Act::Mish => {
                let $f = $crate::kernels::activation::function::Mish;
                $body
            }
            $crate::kernels::activation::Act::Celu { alpha } => {
                let $f = $crate::kernels::activation::function::Celu { alpha };
                $body
            }
            $crate::kernels::activation::Act::LeakyRelu { slope } => {
                let $f = $crate::kernels::activation::function::LeakyRelu { slope };
                $body
            }
        }
    };
}
pub(crate) use with_function;
