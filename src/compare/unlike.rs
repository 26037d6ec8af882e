//! Whether values of a metric are of the same thing in groups that are compared: of the same images, by the same loss.

use super::group::{Group, MOST_NAMED};
use super::name::written;
use super::outcome::Outcome;
use crate::criterion;
use crate::record::DatasetFacts;
use crate::record::run_json::RunInfo;
use serde_json::Value;
use std::collections::BTreeSet;

/// What values are of that are not of the same thing: that they differ then says nothing of which group is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Unlike {
    /// `images`, `losses`
    pub what: &'static str,
    /// Whether they surely are of different ones.
    pub certain: bool,
    /// `val_loss is of different losses: cross-entropy in #1; bce in #2`
    pub words: String,
}

/// As the words.
impl serde::Serialize for Unlike {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.words)
    }
}

/// A run of the group with that index, of which something is known, and what.
type Known<T> = (usize, T);

/// What is said of the values of `metric` of the runs that count, of groups with these indices.
pub fn unlike(groups: &[(usize, &Group)], metric: &str) -> Vec<Unlike> {
    let runs: Vec<Known<&Outcome>> =
        groups.iter().flat_map(|(k, group)| group.counted().map(move |run| (*k, run))).collect();
    // Of others' runs, and of those of older programs, settings are not known.
    let infos = || runs.iter().map(|(k, run)| (*k, &run.info)).filter(|(_, info)| !info.settings.is_empty());
    let found = |what: &'static str, known: Vec<Known<Vec<String>>>| by_phase(metric, what, &known);
    let losses = || found("losses", infos().map(|(k, info)| (k, vec![loss_of(info, metric)])).collect());
    let served = |what: &'static str, of: fn(&RunInfo, usize) -> Option<String>, first: fn(&RunInfo) -> String| {
        found(what, infos().map(|(k, info)| (k, throughout(info, of, first(info)))).collect())
    };
    let mut all: Vec<Unlike> = images(&runs, metric).into_iter().collect();
    if metric.contains("loss") {
        all.extend(losses());
    }
    // What a net is trained on; it is evaluated on the images and labels as they are.
    if metric == "train_loss" {
        all.extend(served("label smoothing", smoothing, |info| setting(info, "train.label_smoothing", "0")));
        all.extend(served("mixing of images", mixing, |_| NOTHING.to_owned()));
        all.extend(served("pruning of images", pruning, |_| NOTHING.to_owned()));
    }
    all
}

/// What is said of runs whose values are by these, phase by phase: the last one's is what values at the end are by, and perhaps no
/// others are.
fn by_phase(metric: &str, what: &'static str, known: &[Known<Vec<String>>]) -> Option<Unlike> {
    let several = |of: &mut dyn Iterator<Item = &[String]>| of.collect::<BTreeSet<_>>().len() > 1;
    let certain = several(&mut known.iter().map(|(_, phases)| &phases[phases.len().saturating_sub(1)..]));
    let named: Vec<Known<String>> = known.iter().map(|(k, phases)| (*k, phases.join(", then "))).collect();
    let differ = several(&mut known.iter().map(|(_, phases)| &phases[..]));
    differ.then(|| Unlike { what, certain, words: words(metric, what, certain, &named) })
}

fn words(metric: &str, what: &str, certain: bool, named: &[Known<String>]) -> String {
    let mut told: Vec<(&str, Vec<usize>)> = Vec::new();
    for (k, name) in named {
        match told.iter_mut().find(|(there, _)| there == name) {
            Some((_, groups)) if groups.contains(k) => {}
            Some((_, groups)) => groups.push(*k),
            None => told.push((name, vec![*k])),
        }
    }
    for (_, groups) in &mut told {
        groups.sort_unstable();
    }
    // Pairs come in any order.
    told.sort_by_key(|(_, groups)| groups[0]);
    let place = |groups: Vec<usize>| match groups.len() {
        n if n > MOST_NAMED => format!("{n} groups"),
        _ => groups.iter().map(|k| format!("#{}", k + 1)).collect::<Vec<_>>().join(", "),
    };
    let told: Vec<String> = told.into_iter().map(|(name, groups)| format!("{name} in {}", place(groups))).collect();
    let are = if certain { "is" } else { "may be" };
    format!("{metric} {are} of different {what}: {}", told.join("; "))
}

/// Sets have other digests, too, where they differ in what is trained on alone, or in how the same images are stored or read: then
/// nothing is certain.
fn images(runs: &[Known<&Outcome>], metric: &str) -> Option<Unlike> {
    // Of others' runs the images are not known.
    let known = runs.iter().map(|(k, run)| (*k, run.dataset())).filter(|(_, set)| !set.digest.is_empty());
    let known: Vec<Known<&DatasetFacts>> = known.collect();
    let digests: BTreeSet<&str> = known.iter().map(|(_, set)| set.digest.as_str()).collect();
    if digests.len() < 2 {
        return None;
    }
    let names: BTreeSet<String> = known.iter().map(|(_, set)| set_name(set)).collect();
    let evaluated: BTreeSet<(String, u64)> = known.iter().map(|(_, set)| (set_name(set), set.evaluated())).collect();
    let certain = evaluated.len() > 1;
    let digest = |set: &DatasetFacts| set.digest.chars().take(DIGEST_SHOWN).collect::<String>();
    let name = |set: &DatasetFacts| match names.len() == digests.len() {
        true => set_name(set),
        false => format!("{} ({}…)", set_name(set), digest(set)),
    };
    let named: Vec<Known<String>> = known.iter().map(|(k, set)| (*k, name(set))).collect();
    Some(Unlike { what: "images", certain, words: words(metric, "images", certain, &named) })
}

/// `sha256:` and as many digits as tell sets apart.
const DIGEST_SHOWN: usize = 15;

/// `shapes (stands in for cifar10)`
fn set_name(set: &DatasetFacts) -> String {
    match &set.stands_in_for {
        Some(absent) => format!("{} (stands in for {absent})", set.name),
        None => set.name.clone(),
    }
}

/// Targets of evaluations are whole: a threshold on them changes the loss in training alone.
fn loss_of(info: &RunInfo, metric: &str) -> String {
    let threshold = info.settings.get("train.loss.threshold").filter(|_| metric == "train_loss");
    let above = threshold.map(|value| format!(" above {}", written(value))).unwrap_or_default();
    setting(info, "train.loss", criterion::ENTRIES[0].name) + &above
}

/// In the place of a choice that is none.
const NOTHING: &str = "none";

fn setting(info: &RunInfo, path: &str, absent: &str) -> String {
    info.settings.get(path).map_or_else(|| absent.to_owned(), written)
}

/// What each phase has of its own, else that of the one before, at first `first`; of phases that follow each other with the same one.
fn throughout(info: &RunInfo, of: fn(&RunInfo, usize) -> Option<String>, first: String) -> Vec<String> {
    let in_phase = |path: &String| path.strip_prefix("phases[")?.split_once(']')?.0.parse::<usize>().ok();
    let phases = info.settings.keys().filter_map(in_phase).max().map_or(0, |last| last + 1);
    let mut own: Vec<String> = Vec::new();
    for phase in 0..phases {
        let before = own.last().unwrap_or(&first).clone();
        own.push(of(info, phase).unwrap_or(before));
    }
    own.dedup();
    if own.is_empty() { vec![first] } else { own }
}

fn smoothing(info: &RunInfo, phase: usize) -> Option<String> {
    info.settings.get(&format!("phases[{phase}].label_smoothing")).map(written)
}

/// `mixup alpha=0.2, cutmix alpha=1`, of which one is drawn.
fn mixing(info: &RunInfo, phase: usize) -> Option<String> {
    let one = |choice: &Value| match choice {
        Value::Object(fields) => {
            let kind = fields.get("kind").map(written).unwrap_or_default();
            let others = fields.iter().filter(|(key, _)| *key != "kind");
            kind + &others.map(|(key, value)| format!(" {key}={}", written(value))).collect::<String>()
        }
        plain => written(plain),
    };
    let choices = info.settings.get(&format!("phases[{phase}].mix_images"))?.as_array()?;
    let all: Vec<String> = choices.iter().map(one).collect();
    Some(if all.is_empty() { NOTHING.to_owned() } else { all.join(" or ") })
}

/// `info-batch keep=0.5`
fn pruning(info: &RunInfo, phase: usize) -> Option<String> {
    let path = format!("phases[{phase}].prune_images");
    let kind = written(info.settings.get(&path)?);
    let own = info.settings.iter().filter_map(|(of, value)| Some((of.strip_prefix(&path)?.strip_prefix('.')?, value)));
    Some(kind + &own.map(|(key, value)| format!(" {key}={}", written(value))).collect::<String>())
}
