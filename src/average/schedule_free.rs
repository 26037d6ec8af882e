use super::{Average, AverageEntry, EVALUATE, statistics};
use crate::registry::Entry;

pub static ENTRY: AverageEntry = Entry {
    name: "schedule-free",
    summary: "the mean that schedule-free optimizers keep, computed from their state: the model of the paper; weights that \
              other optimizers step are as they are",
    cite: "Defazio et al. 2024, arXiv:2405.15682",
    params: &[statistics("'measure'"), EVALUATE],
    shorthand: None,
    make: |_| Box::new(OfOptimizers),
};

struct OfOptimizers;

impl Average for OfOptimizers {
    fn share(&self, _: u64) -> f64 {
        1.0
    }
}
