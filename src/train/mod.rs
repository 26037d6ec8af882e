//! Training: the engine and what it stands on.

pub mod checkpoint;
mod clock;
pub mod engine;
pub mod estimate;
mod evaluate;
mod meter;
pub mod net;
pub mod rehearsal;
pub mod session;
pub mod start;
pub mod state;
mod stop;
mod tensors;
mod weights;

pub use engine::{Outcome, train};
pub use evaluate::{Evaluation, Evaluator, Seen};
pub use rehearsal::Rehearsal;
pub use session::{Job, Machine, Session};
pub use stop::StopFlag;
pub use weights::{Taken, Weights, WeightsError};
