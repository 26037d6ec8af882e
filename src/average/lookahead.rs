use super::{Average, AverageEntry, EVALUATE, statistics};
use crate::registry::Entry;

pub static ENTRY: AverageEntry = Entry {
    name: "lookahead",
    summary: "no mean of its own: the slow weights of `[train] lookahead`, as they are between two mixings",
    cite: "Zhang et al. 2019, arXiv:1907.08610",
    params: &[statistics("'average'"), EVALUATE],
    shorthand: None,
    make: |_| Box::new(Slow),
};

struct Slow;

impl Average for Slow {
    fn share(&self, _: u64, _: f64) -> f64 {
        1.0
    }
}
