//! All of it, for programs.

use crate::compare::{Comparison, Verdict};
use crate::units::number;
use serde_json::{Value, json};

/// `{"metric", "target", "by", "alpha", "margin", "baseline", "groups": [{name, spec_hash, settings, runs, seeds, n, final, best,
/// target, contrast}…], "effects", "expectations": […], "notes": […]}`; FORMAT.md has the keys. Numbers that are not finite are `null`.
pub fn json(comparison: &Comparison, verdicts: &[Verdict]) -> Value {
    let options = &comparison.options;
    let groups: Vec<Value> = comparison
        .groups
        .iter()
        .enumerate()
        .map(|(k, group)| {
            let runs = group.runs.iter().enumerate().map(|(r, run)| {
                json!({
                    "path": run.path.to_string_lossy(),
                    "seed": run.info.seed,
                    "status": run.info.status.name(),
                    "pruned": run.pruned,
                    "counted": group.counted.contains(&r),
                    "final": run.last(),
                    "best": run.best,
                    "reached": run.reached,
                })
            });
            json!({
                "name": group.name,
                "spec_hash": group.spec_hash,
                "settings": group.differing,
                "runs": runs.collect::<Vec<_>>(),
                "seeds": group.seeds(),
                "n": group.counted.len(),
                "final": group.last(),
                "best": group.best(),
                "train_seconds": group.train_seconds(),
                "target": group.time_to_target(options),
                "contrast": comparison.contrasts.iter().find(|c| c.group == k),
            })
        })
        .collect();
    let expectations: Vec<Value> = verdicts
        .iter()
        .map(|verdict| {
            let claim = &verdict.expectation;
            let text = format!("{} {} {} at {}", claim.left, claim.order.sign(), claim.right, number(claim.alpha));
            json!({
                "expectation": text,
                "difference": verdict.difference,
                "pairing": verdict.pairing,
                "test": verdict.test,
                "p_adjusted": verdict.p_adjusted,
                "p_table": verdict.p_table,
                "against": verdict.against,
                "holds": verdict.holds,
            })
        })
        .collect();
    json!({
        "metric": options.metric,
        "target": options.target,
        "by": options.by,
        "alpha": options.alpha,
        "margin": options.margin,
        "baseline": comparison.baseline,
        "groups": groups,
        "effects": comparison.effects,
        "expectations": expectations,
        "notes": comparison.notes,
    })
}
