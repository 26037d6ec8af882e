//! What holds where a record says nothing: settings at their defaults, which only some records write.

use crate::config::schema::{EXPERIMENT, PHASE, PHASES, RAMP};
use crate::criterion;
use crate::data::prune;
use crate::registry::{Default, Kind, Param};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

type Settings = BTreeMap<String, Value>;

/// What a setting is by these settings, written or not; null where it is nothing, or the record has no table of that name.
pub fn value(settings: &Settings, path: &str) -> Value {
    settings.get(path).cloned().or_else(|| absent(settings, path)).unwrap_or(Value::Null)
}

/// Whether a setting is one of a choice's own (`phases[0].optimizer.beta`), and left at that choice's default, wherever these settings
/// have it: the choice says it all. `path` may be of all phases, `phases[*].…`.
pub fn is_implied(settings: &Settings, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(ALL_PHASES) else {
        let Some(value) = settings.get(path) else { return true };
        let declared = Declared::of(settings, path).filter(|declared| declared.of_choice);
        return declared.and_then(|declared| default(declared.param)).is_some_and(|default| same(&default, value));
    };
    phases(settings).into_iter().all(|phase| is_implied(settings, &format!("{PHASES}[{phase}].{rest}")))
}

const ALL_PHASES: &str = "phases[*].";

/// `phases[2].lr.to` → 2, `lr.to`
fn in_phase(path: &str) -> Option<(usize, &str)> {
    let (phase, rest) = path.strip_prefix(PHASES)?.strip_prefix('[')?.split_once("].")?;
    Some((phase.parse().ok()?, rest))
}

fn phases(settings: &Settings) -> BTreeSet<usize> {
    settings.keys().filter_map(|path| in_phase(path)).map(|(phase, _)| phase).collect()
}

/// What is not written, of a table that is.
fn absent(settings: &Settings, path: &str) -> Option<Value> {
    let table = match in_phase(path) {
        Some((phase, _)) => format!("{PHASES}[{phase}]."),
        None => format!("{}.", path.split_once('.')?.0),
    };
    if !settings.keys().any(|there| there.starts_with(&table)) {
        return None;
    }
    if let Some((phase, key)) = in_phase(path) {
        let before = || (0..phase).rev().find_map(|before| settings.get(&format!("{PHASES}[{before}].{key}")).cloned());
        let never = || {
            let begins =
                |there: &str| there.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            !settings.keys().filter_map(|there| in_phase(there)).any(|(other, there)| other < phase && begins(there))
        };
        let all = || value(settings, "train.label_smoothing");
        match key {
            "label_smoothing" => return Some(before().unwrap_or_else(all)),
            "prune_images" => return Some(before().unwrap_or_else(|| prune::none::ENTRY.name.into())),
            "freeze" => return Some(before().unwrap_or_else(|| json!([]))),
            // A curve that runs on is not written either.
            "clip_norm" | "clip_value" => return never().then(|| json!(0.0)),
            _ => {}
        }
    }
    if path == "train.loss" {
        return Some(criterion::ENTRIES[0].name.into());
    }
    default(Declared::of(settings, path)?.param)
}

/// A setting as it is declared.
struct Declared {
    param: Param,
    /// Whether that is among the settings of an entry which these settings choose.
    of_choice: bool,
}

impl Declared {
    fn of(settings: &Settings, path: &str) -> Option<Self> {
        let (mut at, mut rest, mut params): (String, &str, &[Param]) = match in_phase(path) {
            Some((phase, rest)) => (format!("{PHASES}[{phase}]"), rest, PHASE),
            None => (String::new(), path, EXPERIMENT),
        };
        let mut of_choice = false;
        loop {
            let (key, behind) = rest.split_once('.').unwrap_or((rest, ""));
            let param = params.iter().find(|param| param.key == key)?;
            if behind.is_empty() {
                return Some(Self { param: *param, of_choice });
            }
            at = if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
            rest = behind;
            params = match param.kind {
                Kind::Choice(family) => {
                    of_choice = true;
                    family.get(settings.get(&at)?.as_str()?)?.params()
                }
                Kind::Table(params) => params,
                Kind::Ramp(_) => RAMP,
                _ => return None,
            };
        }
    }
}

/// A default as records write it.
fn default(param: Param) -> Option<Value> {
    let Default::Toml(text) = param.default else { return None };
    let written: toml::Table = format!("x = {text}").parse().ok()?;
    let value = serde_json::to_value(written.get("x")?).ok()?;
    let is_broken = matches!(param.kind, Kind::Float(_) | Kind::Share(_) | Kind::Ramp(_));
    Some(if is_broken && value.is_i64() { json!(value.as_f64()) } else { value })
}

fn same(a: &Value, b: &Value) -> bool {
    a == b || a.as_f64().zip(b.as_f64()).is_some_and(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(of: Value) -> Settings {
        serde_json::from_value(of).unwrap()
    }

    #[test]
    fn what_is_not_written_is_at_its_default() {
        let known = settings(json!({
            "train.precision": "f32", "train.label_smoothing": 0.1, "phases[0].optimizer": "sgd", "phases[1].batch": 8,
            "phases[1].label_smoothing": 0.2, "phases[2].batch": 8, "phases[2].clip_value.from": 2.0,
        }));
        for (path, want) in [
            ("train.precision", json!("f32")),
            ("train.stop_div", json!(false)),
            ("train.eval_batch", json!(500)),
            ("train.loss", json!("cross-entropy")),
            ("train.loss.threshold", Value::Null),
            ("train.average", Value::Null),
            ("phases[0].optimizer.nesterov", json!(false)),
            ("phases[0].optimizer.eps", Value::Null),
            ("phases[0].label_smoothing", json!(0.1)),
            ("phases[2].label_smoothing", json!(0.2)),
            ("phases[1].prune_images", json!("none")),
            ("phases[1].freeze", json!([])),
            ("phases[1].clip_norm", json!(0.0)),
            ("phases[1].lr", Value::Null),
            // Tables that a record does not have.
            ("phases[3].label_smoothing", Value::Null),
            ("data.last_batch", Value::Null),
        ] {
            assert_eq!(value(&known, path), want, "{path}");
        }
    }

    #[test]
    fn what_a_choice_says_by_itself_is_implied() {
        let known = settings(json!({
            "train.eval_batch": 500, "phases[0].optimizer": "sgd", "phases[0].optimizer.nesterov": false,
            "phases[1].optimizer": "sgd", "phases[1].optimizer.nesterov": true,
        }));
        for (path, want) in [
            ("phases[0].optimizer.nesterov", true),
            ("phases[1].optimizer.nesterov", false),
            ("phases[*].optimizer.nesterov", false),
            ("phases[0].optimizer", false),
            ("phases[*].optimizer.eps", true),
            ("train.eval_batch", false),
        ] {
            assert_eq!(is_implied(&known, path), want, "{path}");
        }
    }
}
