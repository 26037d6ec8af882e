//! Runs on a server of MLflow, over its REST API.
//!
//! What is sent is read from the run's own files, so nothing has to be remembered for a server that is down: `mlflow.json` in the
//! run folder says how far it got, and whoever sends next goes on from there: the training, every few seconds, in a thread of
//! its own; the training that takes the run up again; `runner export mlflow RUN`.

mod client;
mod rows;
mod sender;
mod sink;

#[cfg(test)]
mod tests;

pub use client::{Address, MlflowError};
pub use sender::Sender;
pub use sink::MlflowSink;

/// In the run folder: which run of which server it is, and how far it was sent.
pub const STATE: &str = crate::record::folder::file::MLFLOW;
