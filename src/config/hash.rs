//! The spec hash, by which runs of the same experiment are grouped.

use super::spec::Spec;
use crate::data::{hex, sets};
use crate::registry::{Choice, Value as Setting};
use crate::task::Painting;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

impl Spec {
    /// The experiment as it really runs on the sets of those names, which are its [`sets`](Self::sets) or the stand-in in
    /// place of some: it names those and no stand-in, so that running it again does the same again.
    pub fn using(&self, sets: &[&str]) -> Self {
        let mut used = self.clone();
        let stand_in = used.data.stand_in.take();
        let really = |asked: &Choice, name: &str| {
            let named = |choice: &&Choice| choice.kind == name;
            Some(asked)
                .filter(named)
                .or(stand_in.as_ref().filter(named))
                .cloned()
                .unwrap_or_else(|| Choice::plain(name))
        };
        used.data.dataset = really(&self.data.dataset, sets[0]);
        for (phase, place) in used.phases.iter_mut().zip(self.sets_by_phase().1) {
            if let Some(set) = &mut phase.data {
                set.dataset = really(&set.dataset, sets[place]);
            }
        }
        used
    }

    /// SHA-256, in hex, over the experiment as it runs on the sets of those names and digests, written as JSON with sorted
    /// keys; without what does not tell two experiments apart: seed, name, folders of data, records. `weights` is the SHA-256 of the
    /// file that the net starts from, in place of its path: the same content elsewhere is the same experiment.
    ///
    /// An experiment that fell back on its stand-in has the hash of one that names that set in the first place.
    pub fn hash(&self, sets: &[UsedSet<'_>], weights: Option<&str>) -> String {
        let names: Vec<&str> = sets.iter().map(|set| set.name).collect();
        let mut used = self.using(&names);
        used.phases.iter_mut().filter_map(|phase| phase.data.as_mut()).for_each(|set| set.root = None);
        // What is left out means the same, so that the hash is that of before there was this setting.
        let says_nothing =
            |(key, value): (&String, &mut Setting)| key == sets::EXIF_ORIENTATION && *value == Setting::Bool(false);
        let of_phases = used.phases.iter_mut().filter_map(|phase| phase.data.as_mut()).map(|set| &mut set.dataset);
        for dataset in of_phases.chain([&mut used.data.dataset]) {
            dataset.settings.0.retain(|key, value| !says_nothing((key, value)));
        }
        if let Some(task) = &mut used.task {
            // The digest speaks of what the files hold.
            let unnamed = |_: &str| Ok::<_, std::convert::Infallible>(String::new());
            Painting::change_files(task, unnamed).unwrap_or_else(|never| match never {});
        }
        let mut spec = serde_json::to_value(used).expect("a spec is plain data with text keys");
        if let Value::Object(fields) = &mut spec {
            fields.remove("seed");
            fields.remove("name");
            fields.remove("record");
            if let Some(Value::Object(data)) = fields.get_mut("data") {
                data.remove("root");
            }
            if let Some(Value::Object(model)) = fields.get_mut("model") {
                model.remove("weights");
                // Fresh weights say nothing, so that the hash is that of before there was this setting.
                model.extend(weights.map(|sha256| ("weights".to_owned(), Value::from(sha256))));
            }
        }
        let mut all = serde_json::json!({ "dataset": sets[0].name, "digest": sets[0].digest, "spec": sorted(spec) });
        if let (Value::Object(all), [_, further @ ..]) = (&mut all, sets)
            && !further.is_empty()
        {
            let digests: Vec<&str> = further.iter().map(|set| set.digest).collect();
            all.insert("further_digests".to_owned(), digests.into());
        }
        hex(&Sha256::digest(all.to_string()))
    }
}

/// A data set as a run really used it.
#[derive(Clone, Copy)]
pub struct UsedSet<'a> {
    pub name: &'a str,
    pub digest: &'a str,
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
