//! Where the seconds of a run go.

use super::state::Spent;
use std::time::Instant;

/// A stop watch with several dials: each stretch of time goes to one kind, all of it to `wall`.
pub struct Clock {
    pub spent: Spent,
    mark: Instant,
}

impl Clock {
    /// Goes on from what earlier processes of the run spent.
    pub fn start(spent: Spent) -> Self {
        Self { spent, mark: Instant::now() }
    }

    /// Books the time since the last call under one kind.
    pub fn lap(&mut self, kind: impl FnOnce(&mut Spent) -> &mut f64) {
        let seconds = self.mark.elapsed().as_secs_f64();
        self.mark = Instant::now();
        *kind(&mut self.spent) += seconds;
        self.spent.wall += seconds;
    }

    /// Books it under none.
    pub fn skip(&mut self) {
        self.spent.wall += self.mark.elapsed().as_secs_f64();
        self.mark = Instant::now();
    }
}
