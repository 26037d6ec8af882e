//! Pixels as parameters: what an image is worth to a frozen net, and which way its pixels should go.
//!
//! ```text
//! pixels ──mask──▶ image ──net──▶ activations ──terms──▶ loss
//!    ▲                                                      │
//!    └───────────────── gradient ◀──────────────────────────┘
//! ```
//! Pixels are normalised as the net's training images were, `(n, h, w, 3)`.

mod gram;
mod layers;
mod mask;
mod median;
mod objective;
mod picture;
mod terms;
mod variation;

pub use layers::{Found, Looked, find};
pub use mask::Mask;
pub use median::median_filter;
pub use objective::{FrozenNet, Misplaced, Needs, Objective, Scene, Targets, TooSmall};
pub use picture::{Colours, Picture, fitted};
