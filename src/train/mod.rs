//! Training: the engine and what it stands on.

mod average;
pub mod checkpoint;
mod chores;
mod clock;
pub mod device;
pub mod engine;
pub mod estimate;
mod evaluate;
pub mod find_lr;
mod fits;
mod ledger;
mod lookahead;
mod memory;
mod meter;
pub mod net;
mod optimizers;
mod painting;
mod passes;
mod pickle;
pub mod prefix;
mod pruning;
pub mod rehearsal;
pub mod session;
mod sets;
pub mod start;
pub mod state;
mod statistics;
mod step;
mod stop;
mod stored;
mod tensors;
pub mod tta;
mod warm_up;
mod watch;
mod weights;

pub use average::Average;
pub use chores::CHECKPOINT_FILE;
pub use engine::{Outcome, train};
pub use evaluate::{Evaluation, Evaluator, Figures, Seen, largest_extent};
pub use fits::{Needs, Tape, needs};
pub use lookahead::Lookahead;
pub use memory::free_bytes;
pub use optimizers::{Optimizers, Rule, Rules, rule_of_each};
pub use painting::{
    PICTURES, PaintJob, PaintSession, Pictures, facts as painting_facts, memory_needed, paint, picture_files,
};
pub use rehearsal::Rehearsal;
pub use session::{Job, Machine, Session};
pub use statistics::{MeanStatistics, measure_alone};
pub use stop::StopFlag;
pub use weights::{Taken, Weights, WeightsError};
