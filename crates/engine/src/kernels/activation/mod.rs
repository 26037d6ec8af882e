//! Activation functions, alone and after a sum of two branches. Fused with batch norm they are in [`super::norm`].
//!
//! | | value | derivative |
//! |---|---|---|
//! | `none` | z | 1 |
//! | `relu` | max(0, z) | 1 where z > 0, else 0 (0 at 0, as PyTorch) |
//! | `gelu` | z·Φ(z) | Φ(z) + z·φ(z) (exact, PyTorch's default; Φ to 3e-7, see [`super::math::normal`]) |
//! | `silu` | z·σ(z) | σ(z) + z·σ(z)·(1 − σ(z)) |
//! | `mish` | z·t, t = tanh(log(1 + exp z)) | t + z·σ(z)·(1 − t²) |
//! | `leaky relu` | z where z > 0, else slope·z | 1 where z > 0, else slope |
//! | `celu` | max(0, z) + min(0, α·(exp(z/α) − 1)) | 1 where z > 0, else exp(z/α) |
//!
//! NaN goes through forward.

mod cpu;
pub mod function;
pub mod reference;
#[cfg(test)]
mod tests;

use super::{Element, Grad, Isa};

/// Which function.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Act {
    #[default]
    None,
    Relu,
    Gelu,
    Silu,
    Mish,
    /// Above 0 the identity, below it falls to −α.
    Celu {
        /// Positive.
        alpha: f32,
    },
    /// A line of another slope below 0.
    LeakyRelu {
        /// From 0 to 1.
        slope: f32,
    },
}

impl Act {
    /// As files and tables write it.
    pub fn name(self) -> &'static str {
        match self {
            Act::None => "none",
            Act::Relu => "relu",
            Act::Gelu => "gelu",
            Act::Silu => "silu",
            Act::Mish => "mish",
            Act::Celu { .. } => "celu",
            Act::LeakyRelu { .. } => "leaky relu",
        }
    }
}

/// A second branch, and the factor that it is added with.
pub type Branch<'a, E> = (&'a [E], f32);

/// `y = act(a [+ s·b])`, element by element; b is given with its factor s.
///
/// # Panics
/// When the lengths differ.
pub fn forward<E: Element>(isa: Isa, act: Act, a: &[E], b: Option<Branch<'_, E>>, y: &mut [E]) {
    assert!(a.len() == y.len() && b.is_none_or(|(b, _)| b.len() == y.len()), "activation: lengths differ");
    cpu::forward(isa, act, a, b, y);
}

/// What forward was given. For relu its output does as well, as `a` alone: it is positive where the sum was.
#[derive(Clone, Copy)]
pub struct Saved<'a, E> {
    pub a: &'a [E],
    pub b: Option<Branch<'a, E>>,
}

/// `da = dy·act′(a [+ s·b])`, `db = s·da`.
///
/// # Panics
/// When the lengths differ.
pub fn backward<E: Element>(
    isa: Isa,
    act: Act,
    saved: Saved<'_, E>,
    dy: &[E],
    da: Option<Grad<'_, E>>,
    db: Option<Grad<'_, E>>,
) {
    let len = dy.len();
    assert!(saved.a.len() == len && saved.b.is_none_or(|(b, _)| b.len() == len), "activation: lengths differ");
    for grad in [&da, &db].into_iter().flatten() {
        assert_eq!(grad.to.len(), len, "activation: lengths differ");
    }
    cpu::backward(isa, act, saved, dy, da, db);
}
