//! Layers with kernels for devices, one file each.

mod add;
mod concat;
mod conv;
mod dropout;
mod gate;
mod linear;
mod norm;
mod pool;

pub use add::AddOp;
pub use concat::ConcatOp;
pub use conv::ConvOp;
pub use dropout::DropoutOp;
pub use gate::GateOp;
pub use linear::LinearOp;
pub use norm::{NormOp, NormSettings};
pub use pool::PoolOp;
