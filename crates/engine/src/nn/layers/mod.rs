//! The layers that nets are made of, each with its kernels' forward and backward.

mod add;
mod concat;
mod conv;
mod dropout;
mod gate;
mod linear;
mod norm;
mod pool;

pub use crate::kernels::activation::Act;
pub use add::Add;
pub use concat::Concat;
pub use conv::{Conv, Filters};
pub use dropout::Dropout;
pub use gate::Gate;
pub use linear::Linear;
pub use norm::{BatchNorm, ConcatNorm};
pub use pool::Pool;

use super::shape::Shape;

/// The one input of a layer that has one.
fn single(inputs: &[Shape]) -> Result<Shape, String> {
    match inputs {
        [shape] => Ok(*shape),
        _ => Err(format!("takes one input, not {}", inputs.len())),
    }
}

/// `k×k`, or `h×w` where they differ.
fn window([h, w]: [usize; 2]) -> String {
    format!("{h}×{w}")
}
