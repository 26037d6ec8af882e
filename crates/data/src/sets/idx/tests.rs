use super::*;
use crate::publication::Publication;
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;

const SMALL: IdxSet = IdxSet {
    name: "mnist",
    publication: &Publication { folder: "mnist", downloads: &[] },
    other_folders: &["MNIST/raw"],
    class_names: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    images: [12, 4],
};

fn idx(dimensions: &[usize], elements: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dimensions.len() as u8];
    bytes.extend(dimensions.iter().flat_map(|d| (*d as u32).to_be_bytes()));
    bytes.extend(elements);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The four contents of a small set: pixel `i` of a split is `i % 251`.
fn contents_of(set: &str) -> [(&'static str, Vec<u8>); 4] {
    let mut train = BEGINNINGS.iter().find(|(name, _)| *name == set).unwrap().1.to_vec();
    train.extend([7, 8]);
    let pixels = |n: usize| (0..n * 784).map(|i| (i % 251) as u8).collect::<Vec<_>>();
    [
        ("train-images", idx(&[12, 28, 28], &pixels(12))),
        ("train-labels", idx(&[12], &train)),
        ("t10k-images", idx(&[4, 28, 28], &pixels(4))),
        ("t10k-labels", idx(&[4], &[3, 2, 1, 0])),
    ]
}

/// Writes a set, its k-th file under the k-th sort of name.
fn write(set: &str, folder: &Path, sorts: [usize; 4]) {
    fs::create_dir_all(folder).unwrap();
    for ((name, bytes), sort) in contents_of(set).into_iter().zip(sorts) {
        let (split, content) = name.split_once('-').unwrap();
        let name = &names(split, content)[sort];
        let bytes = if name.ends_with(".gz") { gzip(&bytes) } else { bytes };
        fs::write(folder.join(name), bytes).unwrap();
    }
}

#[test]
fn each_file_may_be_packed_or_not_and_have_a_dot_for_a_dash() {
    for sorts in [[0; 4], [1; 4], [2; 4], [3; 4], [0, 1, 2, 3], [3, 2, 0, 1]] {
        let folder = tempfile::tempdir().unwrap();
        write("mnist", folder.path(), sorts);
        let set = SMALL.read(folder.path()).unwrap();
        assert_eq!((set.facts.train_images, set.facts.val_images, set.facts.channels), (12, 4, 1));
        assert_eq!(set.train.labels, [5, 0, 4, 1, 9, 2, 1, 3, 1, 4, 7, 8]);
        assert_eq!(set.val.labels, [3, 2, 1, 0]);
        assert_eq!(set.train.image(1)[..3], [31, 32, 33], "784 % 251 = 31");
        assert_eq!(set.mean.len(), 1);
    }
}

#[test]
fn files_in_the_data_folder_itself_are_the_sets_they_resemble() {
    let root = tempfile::tempdir().unwrap();
    let fashion = IdxSet {
        name: "fashion-mnist",
        publication: &Publication { folder: "fashion-mnist", downloads: &[] },
        ..SMALL
    };
    write("fashion-mnist", root.path(), [0; 4]);
    assert_eq!(SMALL.locate(root.path()), None);
    assert_eq!(fashion.locate(root.path()), Some(root.path().to_owned()));
    write("mnist", &root.path().join("MNIST/raw"), [1; 4]);
    assert_eq!(SMALL.locate(root.path()), Some(root.path().join("MNIST/raw")));
    fs::create_dir(root.path().join("mnist")).unwrap();
    assert_eq!(SMALL.locate(root.path()), Some(root.path().join("MNIST/raw")), "an empty folder is none");
}

#[test]
fn another_sets_files_are_not_taken_for_this_ones() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("mnist");
    write("fashion-mnist", &folder, [0; 4]);
    assert_eq!(SMALL.locate(root.path()), Some(folder.clone()));
    let message = SMALL.count(&folder).unwrap_err().to_string();
    for words in ["train-labels-idx1-ubyte.gz: byte 8", "files of `fashion-mnist`, not of `mnist`"] {
        assert!(message.contains(words), "{message}");
    }
}

/// What reading says of a set with one file replaced.
fn said(file: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    write("mnist", folder.path(), [1; 4]);
    let plain = folder.path().join(file.trim_end_matches(".gz"));
    fs::remove_file(plain).unwrap();
    fs::write(folder.path().join(file), bytes).unwrap();
    let said = SMALL.read(folder.path()).err().unwrap_or_else(|| panic!("{file} was read")).to_string();
    let counted = SMALL.count(folder.path()).map_err(|e| e.to_string());
    // Counting finds all that reading finds, but for labels that name no class.
    assert!(said.contains("label ") || counted == Err(said.clone()), "{said}\n{counted:?}");
    said
}

#[test]
fn each_damage_is_named_with_its_file_and_byte() {
    let images = contents_of("mnist")[2].1.clone();
    let labels = contents_of("mnist")[3].1.clone();
    let changed = |bytes: &[u8], at: usize, to: u8| {
        let mut bytes = bytes.to_vec();
        bytes[at] = to;
        bytes
    };
    let more = |bytes: &[u8]| [bytes, b"12345"].concat();
    let (i, l) = ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte");
    let total = images.len();
    let cases = [
        (i, vec![], "byte 0: the file ends in its header of 16 bytes".to_owned()),
        (i, images[..9].to_vec(), "byte 9: the file ends in its header".to_owned()),
        (i, changed(&images, 3, 1), "byte 0: magic number 0x00000801, expected 0x00000803".to_owned()),
        (i, changed(&images, 7, 5), "byte 4: dimension 0 is 5, expected 4".to_owned()),
        (i, changed(&images, 12, 255), "byte 12: dimension 2 is 4278190108, expected 28".to_owned()),
        (i, images[..1000].to_vec(), format!("byte 1000: the file ends, {} bytes too early", total - 1000)),
        (i, more(&images), format!("byte {total}: 5 bytes too many")),
        (l, changed(&labels, 10, 10), "label 10 at byte 10 (record 2), expected 0 to 9".to_owned()),
    ];
    for (file, bytes, words) in cases {
        let message = said(file, &bytes);
        assert!(message.contains(file) && message.contains(&words) && message.contains("help: "), "{words}\n{message}");
    }
}

#[test]
fn packed_damage_is_named_too() {
    let images = contents_of("mnist")[2].1.clone();
    let (file, total) = ("t10k-images-idx3-ubyte.gz", images.len());
    let packed = gzip(&images);
    let mut wrong_sum = packed.clone();
    let sum = wrong_sum.len() - 6;
    wrong_sum[sum] ^= 1;
    let cases = [
        (images.clone(), "the gzip stream is corrupt".to_owned()),
        (packed[..packed.len() / 2].to_vec(), "the gzip stream breaks off".to_owned()),
        (packed[..packed.len() - 3].to_vec(), format!("byte {total}: the gzip stream breaks off")),
        (wrong_sum, format!("byte {total}: the gzip stream is corrupt")),
        ([&packed[..], b"tail"].concat(), format!("byte {total}: the gzip stream is corrupt: bytes follow its end")),
        (gzip(&images[..1000]), format!("byte 1000: the content ends, {} bytes too early", total - 1000)),
        (gzip(&[&images[..], &[0; 1 << 20]].concat()), format!("byte {total}: the content goes on")),
    ];
    for (bytes, words) in cases {
        let message = said(file, &bytes);
        assert!(message.contains(file) && message.contains(&words) && message.contains("unpack"), "{words}\n{message}");
    }
}

#[test]
fn a_missing_file_is_named_with_those_that_belong_there() {
    let folder = tempfile::tempdir().unwrap();
    write("mnist", folder.path(), [0; 4]);
    fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte.gz")).unwrap();
    let message = SMALL.count(folder.path()).unwrap_err().to_string();
    assert!(message.contains("t10k-labels-idx1-ubyte.gz: missing") && message.contains("packed or not"), "{message}");
}
