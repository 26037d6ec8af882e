//! Painting: the loop of experiments whose parameters are pixels.
//!
//! It shares with training all that makes a run: plan, optimizers, checkpoint, records. What it has instead of a loader
//! and an evaluation are pictures and snapshots.

mod engine;
mod facts;
mod fits;
mod frozen;
mod job;
mod pictures;
mod pixels;
mod scene;
mod session;
mod snapshots;

pub use engine::paint;
pub use fits::memory_needed;
pub use job::PaintJob;
pub use pictures::{PICTURES, Pictures, facts};
pub use session::PaintSession;
pub use snapshots::picture_files;
