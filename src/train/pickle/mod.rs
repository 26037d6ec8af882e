//! State dicts as `torch.save` writes them: a zip archive, or bare pickles before PyTorch 1.6. Nothing in such a file is run,
//! and nothing is copied: a tensor is a part of the file.
//!
//! The state dict may be under a key of a larger dict, as programs save it beside an optimizer's state. What is no tensor in
//! it is passed over.

mod archive;
mod legacy;
mod machine;
mod objects;
#[cfg(test)]
mod tests;

use super::stored::Stored;
use machine::Pickle;
use objects::{Tensor, Thing, Value};
use std::collections::BTreeMap;

/// Where a state dict may be in a larger dict, in the order in which they are looked for.
const WRAPPERS: [&str; 3] = ["state_dict", "model", "model_state_dict"];
const ZIP: &[u8] = b"PK\x03\x04";
/// Where the archives of PyTorch before 0.2 say what they are.
const TAR: std::ops::Range<usize> = 257..262;

/// What is said of numbers whose highest byte comes first.
const OTHER_ORDER: &str = "is of a machine with another order of bytes";

/// Why there is no state dict.
#[derive(Debug)]
pub struct Refusal {
    pub problem: String,
    pub help: &'static str,
}

/// What both forms hold.
struct File<'a> {
    object: Pickle<'a>,
    /// Bytes by key.
    storages: BTreeMap<&'a str, &'a [u8]>,
}

impl Refusal {
    fn damaged(problem: String) -> Self {
        let problem = format!("is not a whole file of torch.save: {problem}");
        Self { problem, help: "copy or fetch the file again; this one is damaged or of another format" }
    }

    fn other(problem: impl Into<String>) -> Self {
        let help = "save the weights alone, in Python, where the net is at hand: torch.save(net.state_dict(), FILE)";
        Self { problem: problem.into(), help }
    }
}

/// Whether a file looks like one of these, and not like safetensors.
pub fn is_torch(bytes: &[u8]) -> bool {
    let is_pickle = bytes.first() == Some(&0x80) && bytes.get(1).is_some_and(|version| (2..=5).contains(version));
    bytes.starts_with(ZIP) || is_pickle || is_tar(bytes)
}

fn is_tar(bytes: &[u8]) -> bool {
    bytes.get(TAR) == Some(b"ustar")
}

/// The tensors by name.
///
/// # Errors
/// When it is not whole, or holds something else.
pub fn open(bytes: &[u8]) -> Result<BTreeMap<String, Stored<'_>>, Refusal> {
    if is_tar(bytes) {
        return Err(Refusal::other("is of the form that PyTorch wrote before 0.2"));
    }
    let file = if bytes.starts_with(ZIP) { zip(bytes)? } else { legacy::open(bytes)? };
    let tensors = file.tensors(file.state_dict()?)?;
    if tensors.is_empty() {
        return Err(Refusal::other("holds no tensors"));
    }
    Ok(tensors)
}

/// The form since PyTorch 1.6: `NAME/data.pkl`, and the storages in `NAME/data/KEY`.
fn zip<'a>(bytes: &'a [u8]) -> Result<File<'a>, Refusal> {
    let entries = archive::entries(bytes).map_err(Refusal::damaged)?;
    let folder = entries.keys().find_map(|name| name.strip_suffix("data.pkl"));
    let folder = folder.ok_or_else(|| Refusal::other("is a zip archive that torch.save has not written"))?;
    let part = |name: &str| entries.get(format!("{folder}{name}").as_str()).copied().flatten();
    if entries.contains_key(format!("{folder}constants.pkl").as_str()) {
        return Err(Refusal::other("is a program of TorchScript, not weights"));
    }
    if part("byteorder").is_some_and(|order| order != b"little") {
        return Err(Refusal::other(OTHER_ORDER));
    }
    let code = part("data.pkl").ok_or_else(|| Refusal::damaged("its parts are packed".to_owned()))?;
    let object = machine::read(code).map_err(Refusal::damaged)?;
    let storage = |(name, content): (&&'a str, &Option<&'a [u8]>)| {
        Some((name.strip_prefix(folder)?.strip_prefix("data/")?, (*content)?))
    };
    Ok(File { object, storages: entries.iter().filter_map(storage).collect() })
}

impl<'a> File<'a> {
    /// The dict that holds tensors.
    fn state_dict(&self) -> Result<&[(Value<'a>, Value<'a>)], Refusal> {
        let (objects, top) = (&self.object.objects, self.object.value);
        let Some(dict) = objects.dict(top) else {
            let what = objects.name(top).map(|name| format!(" but {name}")).unwrap_or_default();
            return Err(Refusal::other(format!("holds no state dict{what}")));
        };
        if dict.iter().any(|(_, value)| matches!(objects.get(*value), Some(Thing::Tensor(_)))) {
            return Ok(dict);
        }
        let inner = |key: &&str| objects.under(top, key).and_then(|value| objects.dict(value));
        Ok(WRAPPERS.iter().find_map(inner).unwrap_or(dict))
    }

    fn tensors(&self, dict: &[(Value<'a>, Value<'a>)]) -> Result<BTreeMap<String, Stored<'a>>, Refusal> {
        let mut tensors = BTreeMap::new();
        for (name, value) in dict {
            let Value::Text(name) = name else { continue };
            match self.object.objects.get(*value) {
                Some(Thing::Tensor(tensor)) => {
                    let stored =
                        self.stored(tensor).map_err(|e| Refusal::damaged(format!("its tensor `{name}` {e}")))?;
                    tensors.insert((*name).to_owned(), stored);
                }
                Some(Thing::Unknown { module, name: class }) => {
                    return Err(Refusal::other(format!("holds `{name}`, no plain tensor but {module}.{class}")));
                }
                _ => {}
            }
        }
        Ok(tensors)
    }

    fn stored(&self, tensor: &Tensor<'a>) -> Result<Stored<'a>, String> {
        let storage = tensor.storage;
        let data = self.storages.get(storage.key).ok_or_else(|| format!("has no numbers: no `{}`", storage.key))?;
        let skipped = tensor.offset.checked_add(storage.skipped).and_then(|skipped| skipped.checked_mul(storage.size));
        let data = skipped.and_then(|skipped| data.get(skipped..)).ok_or("begins behind its numbers' end")?;
        Stored::strided(storage.dtype, storage.size, tensor.shape.clone(), tensor.strides.clone(), data)
    }
}
