//! Settings that others are made by: rates, lengths, places in training. What is written back has what came of them, and not them.

use super::check::join;
use crate::registry::{Settings, Value};
use serde_json::Value as Json;
use std::collections::BTreeMap;

/// The section that they lie in.
pub(super) const SECTION: &str = "train";
/// Their keys there.
const KEYS: [&str; 3] = ["lr_batch", "epochs", "stretch"];

/// Those that are there, by their paths: given, or with a default.
pub(super) type Makers = BTreeMap<String, Json>;

/// Those of an experiment whose lengths and rates are as they are written.
pub(super) fn of(settings: &Settings) -> Makers {
    let Some(section) = settings.opt_table(SECTION) else { return Makers::new() };
    let number = |key: &str| match section.0.get(key)? {
        Value::Int(int) => Some((*int).into()),
        Value::Float(number) => Some((*number).into()),
        _ => None,
    };
    KEYS.into_iter().filter_map(|key| Some((join(SECTION, key), number(key)?))).collect()
}
