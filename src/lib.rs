//! `runner`: finds out how to train image networks faster. See DESIGN.md for the shape of the whole.

pub mod average;
pub mod cli;
pub mod compare;
pub mod config;
pub mod criterion;
pub mod find_lr;
pub mod launch;
pub mod loss_scale;
pub mod mlflow;
pub mod model;
pub mod paint;
pub mod plan;
pub mod plot;
pub mod record;
pub mod schedule;
pub mod serve;
pub mod stats;
pub mod sweep;
pub mod task;
pub mod train;

pub use runner_data as data;
pub use runner_engine::{kernels, nn, optim, registry, units, words};
pub use runner_gpu as gpu;
