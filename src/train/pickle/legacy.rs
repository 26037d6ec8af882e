//! Files of `torch.save` as PyTorch wrote them before 1.6 (2020), torchvision's older weights among them: four pickles (a
//! magic number, the version, facts about the machine, the object), one of the storages' keys, and the storages, each a count
//! and so many numbers.

use super::machine::{self, Pickle};
use super::objects::{Objects, Value, whole};
use super::{File, OTHER_ORDER, Refusal};
use safetensors::tensor::Dtype;
use std::collections::BTreeMap;

/// `0x1950a86a20f9469cfc6c`, the lowest byte first.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const VERSION: usize = 1001;

/// Reads all but the numbers.
///
/// # Errors
/// When it is no such file or not whole.
pub fn open(bytes: &[u8]) -> Result<File<'_>, Refusal> {
    let mut at = 0;
    let mut next = || -> Result<Pickle<'_>, Refusal> {
        let pickle = machine::read(&bytes[at..]).map_err(Refusal::damaged)?;
        at += pickle.bytes;
        Ok(pickle)
    };
    if !matches!(next()?.value, Value::Long(magic) if magic == MAGIC) {
        return Err(Refusal::other("is a pickle that torch.save has not written"));
    }
    if whole(next()?.value) != Some(VERSION) {
        return Err(Refusal::other("is of a version of torch.save's format that is not known"));
    }
    let machine = next()?;
    if let Some(Value::Bool(false)) = machine.objects.under(machine.value, "little_endian") {
        return Err(Refusal::other(OTHER_ORDER));
    }
    let object = next()?;
    let keys = next()?;
    let storages = storages(&bytes[at..], &object.objects, &keys).map_err(Refusal::damaged)?;
    Ok(File { object, storages })
}

/// The storages' bytes by key.
fn storages<'a>(
    mut rest: &'a [u8],
    objects: &Objects<'a>,
    keys: &Pickle<'a>,
) -> Result<BTreeMap<&'a str, &'a [u8]>, String> {
    let mut elements: BTreeMap<&str, (Dtype, usize)> = BTreeMap::new();
    for storage in objects.storages() {
        let element = (storage.dtype, storage.size);
        if *elements.entry(storage.key).or_insert(element) != element {
            return Err(format!("its storage `{}` is of two sorts of numbers", storage.key));
        }
    }
    let mut found = BTreeMap::new();
    for key in keys.objects.list(keys.value).ok_or("it has no list of storages")? {
        let Value::Text(key) = key else { return Err("the key of a storage is no text".to_owned()) };
        let (_, size) =
            elements.get(key).ok_or_else(|| format!("it holds numbers of an unknown sort under `{key}`"))?;
        let lacks = || format!("its storage `{key}` is not all there");
        let (count, numbers) = rest.split_first_chunk::<8>().ok_or_else(lacks)?;
        let bytes = usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(*size));
        let (own, others) = bytes.and_then(|bytes| numbers.split_at_checked(bytes)).ok_or_else(lacks)?;
        found.insert(*key, own);
        rest = others;
    }
    Ok(found)
}
