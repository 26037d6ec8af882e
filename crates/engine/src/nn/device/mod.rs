//! Tapes on a device: the same graph, memory plan and wiring, with operations that put kernels into the device's stream.
//!
//! A layer that has kernels for devices makes a [`DeviceOp`] ([`Layer::on_device`](super::Layer::on_device)); one that has none, such as a
//! candle bridge, runs on the host between a download and an upload (`HostOp`), so every net works and what is slow is slow
//! alone. Taps look at downloaded values likewise.
//!
//! A training step whose launches are the same each time is recorded, and later ones run what was recorded; see
//! [`DeviceTape::gradient`].

mod cx;
mod host;
mod images;
mod memory;
pub mod ops;
mod params;
mod recordings;
mod tape;

pub use cx::{DeviceCx, DeviceOp};
pub use images::{Images, There};
pub use params::{Ahead, Mirror};
pub use tape::DeviceTape;

use crate::kernels::DType;
use crate::kernels::activation::Act;
use runner_gpu as gpu;

impl From<DType> for gpu::DType {
    fn from(dtype: DType) -> Self {
        match dtype {
            DType::F32 => Self::F32,
            DType::Bf16 => Self::Bf16,
            DType::F16 => Self::F16,
            DType::U8 => Self::U8,
        }
    }
}

impl From<Act> for gpu::ops::Act {
    fn from(act: Act) -> Self {
        match act {
            Act::None => Self::None,
            Act::Relu => Self::Relu,
            Act::Gelu => Self::Gelu,
            Act::Silu => Self::Silu,
            Act::Mish => Self::Mish,
            Act::Celu { alpha } => Self::Celu { alpha },
            Act::LeakyRelu { slope } => Self::LeakyRelu { slope },
        }
    }
}
