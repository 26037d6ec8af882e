//! Events of a training, and the files that keep them. This side never imports candle.
//!
//! The engine tells [`Event`]s to a [`Recorder`], which hands each to its [`Sink`]s: the CSV files, `run.json`,
//! `log.txt` and a display. [`reader`] reads a run folder back. FORMAT.md describes the files for other programs.

pub mod atomic;
pub mod columns;
pub mod confusion;
pub mod console;
pub mod csv_file;
mod error;
mod event;
pub mod folder;
mod log;
pub mod predictions;
pub mod reader;
pub mod recorder;
pub mod rows;
pub mod run_json;
mod scores;
mod several;
pub mod stamp;
pub mod tensorboard;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;

pub use error::RecordError;
pub use event::{DatasetFacts, Event, PhaseBegins, RunFacts, SecondsByKind, Sink, Status, StepDone, WeightsFacts};
pub use folder::RunFolder;
pub use recorder::{Positions, Recorder};
pub use scores::Scores;
pub use several::Several;
