//! The tape: layers with hand-written backward over reused, channels-last buffers.
//!
//! A model part describes a [`Graph`] of layers; a [`Tape`] makes it executable for one image size and a largest batch:
//! it plans the memory of all activations and gradients once, and a step then allocates nothing. Parameters live outside,
//! flat, in [`Params`], and are the same for every size.

pub mod bridge;
pub mod cost;
pub mod device;
mod eigen;
pub mod executor;
pub mod graph;
pub mod init;
pub mod layer;
pub mod layers;
pub mod memory;
pub mod noise;
pub mod options;
pub mod params;
mod recompute;
pub mod shape;
pub mod tape;
pub mod taps;
pub mod timings;
pub mod whitening;

pub use bridge::Bridge;
pub use executor::{Compute, Executor};
pub use graph::{Builder, Graph, Node, ValueId};
pub use init::Init;
pub use layer::{BackwardCx, ForwardCx, Layer, Op, Saves};
pub use noise::Noise;
pub use options::{Mode, TapeOptions};
pub use params::{ParamDecl, Params, Role, StatDecl};
pub use shape::{Shape, ShapeError};
pub use tape::{Loss, Tape, Target};
pub use taps::Tap;
pub use timings::Timings;
