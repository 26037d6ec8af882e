//! The spec hash, by which runs of the same experiment are grouped.

use super::spec::Spec;
use crate::registry::Choice;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

impl Spec {
    /// The experiment as it really runs on the set of that name, which is its data set or the stand-in: it names that one
    /// and no stand-in, so that running it again does the same again.
    pub fn using(&self, dataset: &str) -> Self {
        let mut used = self.clone();
        let stand_in = used.data.stand_in.take();
        if used.data.dataset.kind != dataset {
            used.data.dataset =
                stand_in.filter(|choice| choice.kind == dataset).unwrap_or_else(|| Choice::plain(dataset));
        }
        used
    }

    /// SHA-256, in hex, over the experiment as it runs on the set of that name and digest, written as JSON with sorted
    /// keys; without what does not tell two experiments apart: seed, name, `data.root`. `weights` is the SHA-256 of the
    /// file that the net starts from, in place of its path: the same content elsewhere is the same experiment.
    ///
    /// An experiment that fell back on its stand-in has the hash of one that names that set in the first place.
    pub fn hash(&self, dataset: &str, digest: &str, weights: Option<&str>) -> String {
        let mut spec = serde_json::to_value(self.using(dataset)).expect("a spec is plain data with text keys");
        if let Value::Object(fields) = &mut spec {
            fields.remove("seed");
            fields.remove("name");
            if let Some(Value::Object(data)) = fields.get_mut("data") {
                data.remove("root");
            }
            if let Some(Value::Object(model)) = fields.get_mut("model") {
                model.remove("weights");
                // Fresh weights say nothing, so that the hash is that of before there was this setting.
                model.extend(weights.map(|sha256| ("weights".to_owned(), Value::from(sha256))));
            }
        }
        let canonical = serde_json::json!({ "dataset": dataset, "digest": digest, "spec": sorted(spec) }).to_string();
        Sha256::digest(canonical).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Keys in order, at every level.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> =
                fields.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(fields))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        plain => plain,
    }
}
