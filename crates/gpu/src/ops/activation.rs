//! Activation functions, as kernels take them.

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    None,
    Relu,
    /// `z·Φ(z)`
    Gelu,
    /// `z·σ(z)`
    Silu,
    /// `z·tanh(log(1 + exp z))`
    Mish,
    /// `max(0, z) + min(0, α·(exp(z/α) − 1))`
    Celu {
        alpha: f32,
    },
    /// `z` where it is above 0, else `slope·z`
    LeakyRelu {
        slope: f32,
    },
}

/// `Act` of `activation.h`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ActArgs {
    kind: u32,
    setting: f32,
}

impl From<Act> for ActArgs {
    fn from(act: Act) -> Self {
        let (kind, setting) = match act {
            Act::None => (0, 0.0),
            Act::Relu => (1, 0.0),
            Act::Gelu => (2, 0.0),
            Act::Silu => (3, 0.0),
            Act::Celu { alpha } => (4, alpha),
            Act::LeakyRelu { slope } => (5, slope),
            Act::Mish => (6, 0.0),
        };
        Self { kind, setting }
    }
}
