//! Training: the engine and what it stands on.

pub mod checkpoint;
mod clock;
pub mod engine;
mod evaluate;
mod meter;
pub mod session;
pub mod state;
mod stop;

pub use engine::{Outcome, train};
pub use evaluate::Evaluation;
pub use session::{Job, Machine, Session};
pub use stop::StopFlag;
