//! Reading the fixtures, and comparing with them.

use safetensors::SafeTensors;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// One file of fixtures.
pub struct Fixture {
    tensors: BTreeMap<String, Tensor>,
    cases: HashMap<String, String>,
}

/// A tensor of a fixture, its values widened.
pub struct Tensor {
    pub shape: Vec<usize>,
    pub values: Vec<f64>,
}

impl Tensor {
    pub fn f32s(&self) -> Vec<f32> {
        self.values.iter().map(|v| *v as f32).collect()
    }

    /// One entry of the first axis.
    pub fn row(&self, index: usize) -> Tensor {
        let shape = self.shape[1..].to_vec();
        let len: usize = shape.iter().product();
        Tensor { values: self.values[index * len..][..len].to_vec(), shape }
    }

    /// `(n, h, w, c)`
    pub fn image_shape(&self) -> [usize; 4] {
        self.shape.clone().try_into().unwrap()
    }
}

impl Fixture {
    pub fn read(name: &str) -> Self {
        Self::open(Path::new(&format!("{}/tests/fixtures/torch/{name}.safetensors", env!("CARGO_MANIFEST_DIR"))))
    }

    /// A file anywhere.
    pub fn open(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file.iter().map(|(name, view)| (name.to_owned(), widen(&view))).collect();
        Self { tensors, cases: header.metadata().clone().unwrap_or_default() }
    }

    pub fn get(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("the fixture has no {name}"))
    }

    pub fn f32s(&self, name: &str) -> Vec<f32> {
        self.get(name).f32s()
    }

    /// The rest of the names that begin with `prefix`, in order.
    pub fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.tensors.keys().filter_map(move |name| name.strip_prefix(prefix))
    }

    /// The settings of a case.
    pub fn case(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.cases[name]).unwrap()
    }

    /// The names of the cases, in order.
    pub fn cases(&self) -> Vec<String> {
        let mut names: Vec<String> = self.cases.keys().filter(|key| *key != "torch").cloned().collect();
        names.sort();
        names
    }
}

fn widen(view: &safetensors::tensor::TensorView<'_>) -> Tensor {
    use safetensors::Dtype;
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F32 => data.as_chunks().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        Dtype::F64 => data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        Dtype::I64 => data.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect(),
        other => panic!("a fixture of {other:?}"),
    };
    Tensor { shape: view.shape().to_vec(), values }
}

/// A pair of integers of a case: `[vertical, horizontal]`.
pub fn pair(value: &serde_json::Value) -> [usize; 2] {
    [0, 1].map(|i| value[i].as_u64().unwrap() as usize)
}

/// Element by element `|got − want| ≤ tolerance·max(1, |want|)`.
#[track_caller]
pub fn assert_close(what: &str, got: &[f32], want: &Tensor, tolerance: f64) {
    assert_eq!(got.len(), want.values.len(), "{what}: lengths");
    for (i, (got, want)) in got.iter().zip(&want.values).enumerate() {
        let distance = (f64::from(*got) - want).abs();
        assert!(distance <= tolerance * want.abs().max(1.0), "{what}[{i}]: {got} is not {want}");
    }
}
