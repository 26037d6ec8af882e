//! What `runner` trains with: kernels, nets of layers with their gradients, optimizers; and the two things that the whole
//! program shares with them, the registry of named entries and the units.
//!
//! A crate of its own so that it is compiled with optimisation in every profile, and not again when the rest changes.

pub mod kernels;
pub mod nn;
pub mod optim;
pub mod registry;
pub mod units;
