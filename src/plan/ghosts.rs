//! Ghost batch norm and the batches that it cuts.

use super::Plan;
use super::compile::PlanError;
use crate::units::count;

impl Plan {
    /// Ghost batches larger than all that passes through the net at a time.
    pub(super) fn check_ghosts(&self, images: usize) -> Option<PlanError> {
        let most = self.phases.iter().map(|phase| phase.part()).max().unwrap_or(0);
        (images > most).then(|| {
            let message = format!(
                "norms of {} images at a time, where no more than {} pass together: it would change nothing",
                count(images as u64),
                count(most as u64)
            );
            let help = format!("give at most {}, or leave it out", count(most as u64));
            PlanError::new("train.ghost_batch", message, help)
        })
    }
}
