//! Files that PyTorch wrote (`scripts/make_torch_files.py`), whole and damaged.

use super::*;
use std::path::PathBuf;

const STATE_DICTS: [&str; 5] = ["zip", "legacy", "protocol4", "state_dict", "model"];

fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("{}/tests/fixtures/pth/{name}", env!("CARGO_MANIFEST_DIR")))
}

fn file(name: &str) -> Vec<u8> {
    std::fs::read(path(&format!("{name}.pth"))).unwrap()
}

fn numbers(stored: &Stored<'_>) -> Result<Vec<f32>, String> {
    let mut numbers = vec![0.0; stored.shape.iter().product()];
    stored.convert(&mut numbers).map(|()| numbers).map_err(|why| why.to_string())
}

/// Names, shapes and numbers.
type Found = Vec<(String, Vec<usize>, Result<Vec<f32>, String>)>;

fn found(tensors: &BTreeMap<String, Stored<'_>>) -> Found {
    tensors.iter().map(|(name, stored)| (name.clone(), stored.shape.clone(), numbers(stored))).collect()
}

fn expected() -> Found {
    let bytes = std::fs::read(path("expected.safetensors")).unwrap();
    found(&crate::train::stored::of_safetensors(&bytes).unwrap())
}

#[test]
fn state_dicts_of_both_forms_hold_what_pytorch_put_there() {
    let expected = expected();
    assert_eq!(expected.len(), 10);
    for name in STATE_DICTS {
        assert!(is_torch(&file(name)), "{name}");
        assert_eq!(found(&open(&file(name)).unwrap()), expected, "{name}");
    }
    let parameters: Found = expected.iter().filter(|(_, _, numbers)| numbers.is_ok()).cloned().collect();
    assert_eq!(parameters.len(), 9);
    assert_eq!(found(&open(&file("parameters")).unwrap()), parameters);
    let first: Found = expected.into_iter().filter(|(name, ..)| name == "conv.weight").collect();
    assert_eq!(found(&open(&file("v1")).unwrap()), first);
}

#[test]
fn what_holds_no_state_dict_says_what_it_holds() {
    let refused = |bytes: &[u8]| open(bytes).err().unwrap().problem;
    assert!(refused(&file("module")).contains("no state dict but torch.nn.modules.linear.Linear"));
    assert!(refused(&file("script")).contains("TorchScript"));
    assert!(refused(b"\x80\x02}.").contains("not written"));
    let mut tar = vec![0; 512];
    tar[TAR].copy_from_slice(b"ustar");
    assert!(is_torch(&tar) && refused(&tar).contains("before 0.2"));
    let turned = b"\x80\x02}U\x0dlittle_endian\x89s.}.].";
    assert!(refused(&[&magic()[..], b"\x80\x02M\xe9\x03.", turned].concat()).contains("another order of bytes"));
    let pickles = |object: &[u8]| [&magic()[..], b"\x80\x02M\xe9\x03.", b"}.", object, b"]."].concat();
    assert!(refused(&pickles(b"}.")).contains("holds no tensors"));
    assert!(refused(&pickles(b"N.")).contains("no state dict"));
    assert!(refused(&pickles(b"}U\x01acposix\nsystem\n)Rs.")).contains("`a`, no plain tensor but posix.system"));
}

fn magic() -> Vec<u8> {
    [&b"\x80\x02\x8a\x0a"[..], &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19], b"."].concat()
}

/// As Python 2 wrote it: names of bytes, and the dict's pairs as its class' argument.
#[test]
fn a_state_dict_of_python_2_is_read() {
    let storage = b"(U\x07storagectorch\nFloatStorage\nU\x019U\x03cpuK\x02NtQ";
    let tensor = [b"ctorch._utils\n_rebuild_tensor\n(", &storage[..], b"K\x00(K\x02t(K\x01ttR"].concat();
    let object = [b"\x80\x02ccollections\nOrderedDict\n(](](U\x01w", &tensor[..], b"eetR."].concat();
    let data = [&2u64.to_le_bytes()[..], &1.5f32.to_le_bytes(), &2.5f32.to_le_bytes()].concat();
    let file = [&magic()[..], b"\x80\x02M\xe9\x03.", b"}.", &object, b"](U\x019e.", &data].concat();
    assert_eq!(found(&open(&file).unwrap()), [("w".to_owned(), vec![2], Ok(vec![1.5, 2.5]))]);
}

/// In the older form a storage may be a part of another.
#[test]
fn a_view_of_a_storage_begins_where_it_says() {
    let storage = b"(U\x07storagectorch\nFloatStorage\nU\x019U\x03cpuK\x02(U\x01vK\x01K\x01ttQ";
    let tensor = [b"ctorch._utils\n_rebuild_tensor\n(", &storage[..], b"K\x00(K\x01t(K\x01ttR"].concat();
    let object = [b"\x80\x02}U\x01w", &tensor[..], b"s."].concat();
    let data = [&2u64.to_le_bytes()[..], &1.5f32.to_le_bytes(), &2.5f32.to_le_bytes()].concat();
    let file = [&magic()[..], b"\x80\x02M\xe9\x03.", b"}.", &object, b"](U\x019e.", &data].concat();
    assert_eq!(found(&open(&file).unwrap()), [("w".to_owned(), vec![1], Ok(vec![2.5]))]);
}

/// Any byte changed, and any end cut off: read or refused, without a panic.
#[test]
fn damaged_files_are_read_or_refused() {
    for name in ["zip", "legacy", "v1"] {
        let whole = file(name);
        for at in 0..whole.len() {
            drop(open(&whole[..at]).map(|tensors| tensors.len()));
            for byte in [0xff, whole[at] ^ 1] {
                let mut changed = whole.clone();
                changed[at] = byte;
                if let Ok(tensors) = open(&changed) {
                    // Not more than a net would have: a tensor that is one number over and over may be of any shape.
                    let small = tensors.values().filter(|stored| stored.shape.iter().product::<usize>() < 1 << 16);
                    small.for_each(|stored| drop(numbers(stored)));
                }
            }
        }
    }
}

#[test]
fn little_is_made_of_little() {
    // A dict of one long list, over and over.
    let list = [&b"ccollections\nOrderedDict\nq\x00]("[..], &b"K\x01K\x02\x86".repeat(50_000), b"e\x85q\x01"].concat();
    let code = [&list[..], &b"h\x00h\x01R0".repeat(100_000), b"N."].concat();
    assert!(machine::read(&code).is_ok());
    // A shape of more axes than there are.
    let shape = [&b"("[..], &b"K\x00".repeat(65), b"tq\x02"].concat();
    let storage = b"(U\x07storagectorch\nFloatStorage\nU\x019U\x03cpuK\x02NtQ";
    let code = [&shape[..], b"ctorch._utils\n_rebuild_tensor\n(", storage, b"K\x00h\x02h\x02tR."].concat();
    assert!(machine::read(&code).err().unwrap().contains("not described as such"));
}
