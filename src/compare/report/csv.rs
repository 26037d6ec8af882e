//! One line a group.

use crate::compare::{Comparison, Summary};
use serde_json::Value;
use std::io::Write;

/// Writes the groups as CSV: `group,name,spec_hash,baseline,runs,n,final_mean,final_sd,best_mean,best_sd,train_seconds,reached,
/// ended,seconds_to_target,images_to_target,cost,difference,low,high,p,p_adjusted,effect,more_seeds,pairing,test`, then a column
/// for each setting in which groups differ. What is not there is an empty field.
///
/// # Errors
/// Those of the writer.
pub fn csv(comparison: &Comparison, out: &mut dyn Write) -> std::io::Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    let settings: std::collections::BTreeSet<&String> =
        comparison.groups.iter().flat_map(|group| group.differing.keys()).collect();
    let fixed = [
        "group",
        "name",
        "spec_hash",
        "baseline",
        "runs",
        "n",
        "final_mean",
        "final_sd",
        "best_mean",
        "best_sd",
        "train_seconds",
        "reached",
        "ended",
        "seconds_to_target",
        "images_to_target",
        "cost",
        "difference",
        "low",
        "high",
        "p",
        "p_adjusted",
        "effect",
        "more_seeds",
        "pairing",
        "test",
    ];
    writer.write_record(fixed.into_iter().chain(settings.iter().map(|s| s.as_str())))?;
    let number = |x: Option<f64>| x.filter(|x| !x.is_nan()).map_or(String::new(), |x| x.to_string());
    let whole = |n: Option<usize>| n.map_or(String::new(), |n| n.to_string());
    for (k, group) in comparison.groups.iter().enumerate() {
        let contrast = comparison.contrasts.iter().find(|c| c.group == k);
        let (last, best) = (group.last(), group.best());
        let time = group.time_to_target(&comparison.options);
        let mean = |s: &Option<Summary>| number(s.as_ref().map(|s| s.mean));
        let sd = |s: &Option<Summary>| number(s.as_ref().and_then(|s| s.sd));
        let to_target = |of: fn(&crate::compare::TimeToTarget) -> &Option<Summary>| {
            time.as_ref().map_or(String::new(), |t| mean(of(t)))
        };
        let mut record = vec![
            (k + 1).to_string(),
            group.name.clone(),
            group.spec_hash.clone(),
            (k == comparison.baseline).to_string(),
            group.runs.len().to_string(),
            group.counted.len().to_string(),
            mean(&last),
            sd(&last),
            mean(&best),
            sd(&best),
            number(group.train_seconds()),
            whole(time.as_ref().map(|t| t.reached)),
            whole(time.as_ref().map(|t| t.of)),
            to_target(|t| &t.seconds),
            to_target(|t| &t.images),
            number(time.as_ref().and_then(|t| t.cost)),
            number(contrast.map(|c| c.difference)),
            number(contrast.and_then(|c| c.interval).map(|i| i.low)),
            number(contrast.and_then(|c| c.interval).map(|i| i.high)),
            number(contrast.and_then(|c| c.p)),
            number(contrast.and_then(|c| c.p_adjusted)),
            number(contrast.and_then(|c| c.effect)),
            whole(contrast.and_then(|c| c.more_seeds)),
            contrast.map_or("", |c| c.pairing.name()).to_owned(),
            contrast.map_or("", |c| c.test.name()).to_owned(),
        ];
        record.extend(settings.iter().map(|path| match group.differing.get(*path) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }));
        writer.write_record(record)?;
    }
    writer.flush()
}
