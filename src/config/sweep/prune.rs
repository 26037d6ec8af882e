//! Which trials a sweep gives up before their end.

use crate::config::diagnostics::Diagnostic;
use crate::config::wire::{Table, Wire};
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

/// Reads `prune`, and reports what in it would do nothing.
pub(super) fn read(tree: &Table, settings: &Settings, in_new: &mut Vec<Diagnostic>) -> Option<Prune> {
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
    let given = |key: &str| Some(&tree.get("prune")?.node.table()?.get(key)?.node);
    if let (Rule::Median, Some(keep)) = (rule, given("keep")) {
        let error = Diagnostic::new(keep.origin.clone(), "`keep` means nothing to rule `median`");
        in_new.push(error.help("leave it out, or prune by `rule = \"asha\"`"));
    }
    if let Some(node) = given("at").filter(|node| matches!(&node.value, Wire::Array(shares) if shares.is_empty())) {
        let error = Diagnostic::new(node.origin.clone(), "`at` is empty: no trial would be given up");
        in_new.push(error.help("name a share of the steps at least, or leave `prune` out"));
    }
    Some(Prune { rule, at, startup: table.opt_usize("startup")?, parallel: settings.opt_usize("parallel")? })
}
