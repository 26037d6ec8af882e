//! The functions as types, so that kernels are compiled once for each.

use crate::kernels::math::normal;
use crate::kernels::simd::Simd;

/// An activation function on vectors.
pub trait Function: Copy + Send + Sync + 'static {
    /// `act(z)`.
    ///
    /// # Safety
    /// As for [`Simd`].
    unsafe fn value<S: Simd>(z: S::V) -> S::V;

    /// `dy·act′(z)`.
    ///
    /// # Safety
    /// As for [`Simd`].
    unsafe fn pull<S: Simd>(z: S::V, dy: S::V) -> S::V;
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

// SAFETY of the bodies below: the caller's promise that the instruction set is there.
impl Function for Identity {
    #[inline(always)]
    unsafe fn value<S: Simd>(z: S::V) -> S::V {
        z
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(_z: S::V, dy: S::V) -> S::V {
        dy
    }
}

impl Function for Relu {
    #[inline(always)]
    unsafe fn value<S: Simd>(z: S::V) -> S::V {
        // This order of operands lets NaN through.
        unsafe { S::max(S::splat(0.0), z) }
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(z: S::V, dy: S::V) -> S::V {
        unsafe { S::select_gt(z, S::splat(0.0), dy, S::splat(0.0)) }
    }
}

impl Function for Gelu {
    #[inline(always)]
    unsafe fn value<S: Simd>(z: S::V) -> S::V {
        unsafe { S::mul(z, normal::<S>(z).0) }
    }
    #[inline(always)]
    unsafe fn pull<S: Simd>(z: S::V, dy: S::V) -> S::V {
        unsafe {
            let (probability, density) = normal::<S>(z);
            S::mul(dy, S::fma(z, density, probability))
        }
    }
}

/// Runs an expression with `$f` standing for the type of an [`super::Act`].
macro_rules! with_function {
    ($act:expr, $f:ident => $body:expr) => {
        match $act {
            $crate::kernels::activation::Act::None => {
                type $f = $crate::kernels::activation::function::Identity;
                $body
            }
            $crate::kernels::activation::Act::Relu => {
                type $f = $crate::kernels::activation::function::Relu;
                $body
            }
            $crate::kernels::activation::Act::Gelu => {
                type $f = $crate::kernels::activation::function::Gelu;
                $body
            }
        }
    };
}
pub(crate) use with_function;
