//! Which trials a sweep gives up before their end.

use crate::registry::{Settings, Value};

/// `prune = { rule = "median", at = [0.25, 0.5] }`
#[derive(Clone, Debug, PartialEq)]
pub struct Prune {
    pub rule: Rule,
    /// Shares of a trial's steps, in order: at each it is held against other trials at the same share of theirs.
    pub at: Vec<f64>,
    /// So many others must have come there.
    pub startup: usize,
    /// A trial is held against those of points 0 to its own − parallel, and begins once these are over: see
    /// [`Search::parallel`](super::Search).
    pub parallel: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Those that are worse than the median go (Golovin et al. 2017).
    Median,
    /// One in so many goes on (asynchronous successive halving, Li et al. 2018; here trials are stopped, not promoted).
    Asha { keep: usize },
}

/// Reads `prune`.
pub(super) fn read(settings: &Settings) -> Option<Prune> {
    let table = settings.opt_table("prune")?;
    let share = |value: &Value| match value {
        Value::Float(share) => Some(*share),
        _ => None,
    };
    let mut at: Vec<f64> = table.opt_list("at")?.iter().filter_map(share).collect();
    at.sort_by(f64::total_cmp);
    at.dedup();
    let rule = match table.opt_text("rule")?.as_str() {
        "asha" => Rule::Asha { keep: table.opt_usize("keep")? },
        _ => Rule::Median,
    };
    Some(Prune { rule, at, startup: table.opt_usize("startup")?, parallel: settings.opt_usize("parallel")? })
}
