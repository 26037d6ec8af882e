//! What Pillow computes, from `tests/fixtures/pillow` (made by `scripts/make_fixtures.py`), for tests to compare with.

use safetensors::SafeTensors;
use std::collections::BTreeMap;

/// Images by name, and the settings that the results were made with.
pub struct Pillow {
    images: BTreeMap<String, Picture>,
    cases: BTreeMap<String, serde_json::Value>,
}

/// `(height, width, channels)`
#[derive(Clone)]
pub struct Picture {
    pub pixels: Vec<u8>,
    pub height: usize,
    pub width: usize,
    pub channels: usize,
}

impl Pillow {
    pub fn read() -> Self {
        Self::of("images")
    }

    /// Of a file of that name.
    pub fn of(file: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/pillow");
        let path = format!("{folder}/{file}.safetensors");
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let metadata = header.metadata().clone().unwrap_or_default();
        let cases = metadata.into_iter().filter(|(name, _)| name != "pillow");
        let cases = cases.map(|(name, case)| (name, serde_json::from_str(&case).unwrap())).collect();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let images = file.iter().map(|(name, view)| {
            let [height, width, channels] = view.shape().try_into().unwrap();
            (name.to_owned(), Picture { pixels: view.data().to_vec(), height, width, channels })
        });
        Self { images: images.collect(), cases }
    }

    pub fn image(&self, name: &str) -> &Picture {
        self.images.get(name).unwrap_or_else(|| panic!("there is no {name}"))
    }

    /// The cases of one kind: the name of each result, and its settings.
    pub fn cases(&self, kind: &str) -> Vec<(String, serde_json::Value)> {
        let of_kind = |name: &str| name.split('/').next() == Some(kind);
        self.cases.iter().filter(|(name, _)| of_kind(name)).map(|(n, case)| (n.clone(), case.clone())).collect()
    }
}
