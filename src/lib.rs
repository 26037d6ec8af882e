//! `runner`: finds out how to train image networks faster. See DESIGN.md for the shape of the whole.

pub mod cli;
pub mod compare;
pub mod config;
pub mod data;
pub mod kernels;
pub mod launch;
pub mod model;
pub mod nn;
pub mod optim;
pub mod plan;
pub mod plot;
pub mod record;
pub mod registry;
pub mod schedule;
pub mod stats;
pub mod sweep;
pub mod train;
pub mod units;
