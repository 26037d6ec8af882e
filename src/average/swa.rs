use super::{Average, AverageEntry, EVALUATE, PHASES, every, start, statistics};
use crate::registry::Entry;

pub static ENTRY: AverageEntry = Entry {
    name: "swa",
    summary: "stochastic weight averaging: the equal mean of all weights taken in, at epochs' ends from some epoch on",
    cite: "Izmailov et al. 2018, arXiv:1803.05407",
    params: &[start("'75%'"), every("'1ep'"), PHASES, statistics("'measure'"), EVALUATE],
    shorthand: Some("start"),
    make: |_| Box::new(Swa),
};

struct Swa;

impl Average for Swa {
    fn share(&self, k: u64, _: f64) -> f64 {
        1.0 / (k + 1) as f64
    }
}
