//! Files and folders that cannot be part of a set.

use super::*;

#[test]
fn what_does_not_belong_is_named() {
    type Case = (&'static str, fn(&Path), &'static [&'static str]);
    let cases: [Case; 10] = [
        ("an odd class in val", |r| image(&r.join("val/dog/a.png"), 4, 4, [0; 3]), &["val/dog", "`dog` is not in"]),
        (
            "an odd class in train",
            |r| image(&r.join("train/dog/a.png"), 4, 4, [0; 3]),
            &["train/dog", "same class folders"],
        ),
        ("an empty class", |r| fs::create_dir(r.join("train/dog")).unwrap(), &["train/dog", "no images"]),
        ("another sort of file", |r| fs::write(r.join("val/cat/a.webp"), "x").unwrap(), &["a.webp", "not a .png"]),
        ("a folder in a class", |r| fs::create_dir(r.join("val/cat/more")).unwrap(), &["cat/more", "inside a class"]),
        ("an image in no class", |r| image(&r.join("train/a.png"), 4, 4, [0; 3]), &["train/a.png", "no class folder"]),
        ("no validation", |r| fs::remove_dir_all(r.join("val")).unwrap(), &["neither val/ nor test/", "add the"]),
        (
            "validation by another name",
            |r| fs::rename(r.join("val"), r.join("Validation")).unwrap(),
            &["neither val/ nor test/, but Validation/, which is not looked for", "rename Validation/ to val/"],
        ),
        (
            "no image at all",
            |r| fs::write(r.join("train/cat/b.png"), "not one").unwrap(),
            &["b.png", "cannot be decoded"],
        ),
        (
            "a cut image",
            |r| {
                let path = r.join("val/ant/x.jpeg");
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
            },
            &["x.jpeg", "before the image does"],
        ),
    ];
    for (name, damage, words) in cases {
        let root = tempfile::tempdir().unwrap();
        split(root.path(), "val");
        damage(root.path());
        let message = said(&PLAIN, root.path());
        for words in words.iter().chain(&["help: "]) {
            assert!(message.contains(words), "{name}: `{words}` is not in: {message}");
        }
    }
}

#[test]
fn damaged_files_are_left_out_where_that_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    fs::write(root.path().join("train/cat/b.png"), "not one").unwrap();
    fs::write(root.path().join("val/ant/y.png"), "").unwrap();
    let sized = Folder { size: Some(4), ..PLAIN };
    for set in [ON_DISK, sized] {
        let said = said(&set, root.path());
        assert!(said.contains("b.png: cannot be decoded") && said.contains("skip_bad = true"), "{said}");
    }
    let manner = Manner { skip_bad: true, ..MANNER };
    for set in [Folder { manner, ..ON_DISK }, Folder { size: Some(4), manner, ..PLAIN }] {
        let read = set.read(root.path()).unwrap();
        assert_eq!(
            (read.facts.train_images, &read.train.labels[..], &read.val.labels[..]),
            (2, &[0, 1][..], &[0, 1][..])
        );
        let names: Vec<_> = read.skipped.iter().map(|bad| bad.path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["b.png", "y.png"]);
        assert_eq!(read.val_file(1), Some(root.path().join("val/cat/x.jpeg")));
    }
    assert_eq!(Folder { manner, ..ON_DISK }.count(root.path()).unwrap().train_images, 2);
    for class in ["ant", "cat"] {
        fs::write(root.path().join("val").join(class).join("x.jpeg"), "").unwrap();
    }
    let none = said(&Folder { manner, ..ON_DISK }, root.path());
    assert!(none.contains("none of the validation images"), "{none}");
}

#[test]
fn all_files_that_cannot_be_used_are_named_at_once() {
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    // What Windows leaves is nobody's.
    for name in ["train/cat/Thumbs.db", "val/ant/desktop.ini", "val/cat/.DS_Store"] {
        fs::write(root.path().join(name), "x").unwrap();
    }
    assert_eq!(ON_DISK.read(root.path()).unwrap().facts.train_images, 3);
    for name in ["train/ant/readme.txt", "val/cat/notes", "val/cat/y.jpg", "train/cat/a.jpg"] {
        fs::write(root.path().join(name), "").unwrap();
    }
    for set in [ON_DISK, PLAIN] {
        for said in [said(&set, root.path()), set.count(root.path()).unwrap_err().to_string()] {
            for words in ["4 files cannot be used\n", "readme.txt: not", "notes: not", "y.jpg: cannot", "a.jpg: cannot"]
            {
                assert!(said.contains(words), "`{words}` is not in: {said}");
            }
            assert_eq!(said.matches("skip_bad = true").count(), 1, "{said}");
        }
    }
    for name in ["train/ant/readme.txt", "val/cat/notes"] {
        fs::remove_file(root.path().join(name)).unwrap();
    }
    for set in [ON_DISK, Folder { size: Some(4), ..PLAIN }] {
        let said = said(&set, root.path());
        assert!(
            said.starts_with("2 files cannot be used\n") && said.contains("cat/y.jpg: cannot be decoded"),
            "{said}"
        );
    }
    // A class of nothing else is no empty one.
    fs::remove_file(root.path().join("train/ant/c.PNG")).unwrap();
    fs::write(root.path().join("train/ant/c.webp"), "x").unwrap();
    assert!(said(&ON_DISK, root.path()).contains("c.webp: not a .png"));
}

/// Damage behind the headers, which opening a set on disk meets where it looks at images.
#[test]
fn statistics_are_of_images_that_can_be_decoded() {
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    let whole = ON_DISK.read(root.path()).unwrap();
    // The one ends within the pixels, the other before its last byte.
    for (name, kept) in [("train/cat/x.png", 45), ("train/cat/y.jpg", usize::MAX)] {
        let path = root.path().join(name);
        image(&path, 4, 4, [255; 3]);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..kept.min(bytes.len() - 1)]).unwrap();
    }
    let said = said(&ON_DISK, root.path());
    assert!(
        said.starts_with("2 files cannot be used\n") && said.contains("y.jpg: cannot be decoded: it ends"),
        "{said}"
    );
    let lenient = Folder { manner: Manner { skip_bad: true, ..MANNER }, ..ON_DISK }.read(root.path()).unwrap();
    assert_eq!((&lenient.mean, &lenient.std), (&whole.mean, &whole.std));
    assert_eq!((lenient.facts.train_images, lenient.skipped.len()), (5, 0), "their headers are whole");
}

#[test]
fn a_damaged_image_of_a_pack_is_left_out_in_memory() {
    use crate::stored::pack::{Form, Options, write};
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    let to = root.path().join("all.pack");
    let options = Options { short_side: None, form: Form::Pixels, skip_bad: false };
    write(&ON_DISK.to_pack(root.path()).unwrap(), options, &to, |_| {}).unwrap();
    let mut bytes = fs::read(&to).unwrap();
    let index = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
    bytes[index - 1] ^= 0x55;
    fs::write(&to, bytes).unwrap();
    assert!(said(&PLAIN, &to).contains("val/cat/x.jpeg: its bytes are not those"));
    let set = Folder { manner: Manner { skip_bad: true, ..MANNER }, ..PLAIN }.read(&to).unwrap();
    assert_eq!((&set.train.labels[..], &set.val.labels[..]), (&[0, 1, 1][..], &[0][..]));
    assert_eq!((set.facts.train_images, set.facts.val_images, set.skipped.len()), (3, 1, 1));
    assert!(set.skipped[0].path.ends_with("val/cat/x.jpeg"), "{:?}", set.skipped);
    assert_eq!([0, 1].map(|k| set.val_file(k)), [Some(to.join("val/ant/x.jpeg")), None]);
}

/// A JPEG file of a photograph that ends early, with the marker of its end behind.
fn ending_early() -> Vec<u8> {
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/photos/colour.jpg");
    let bytes = fs::read(photo).unwrap();
    [&bytes[..bytes.len() * 3 / 4], &[0xff, 0xd9]].concat()
}

/// It could be decoded in part: decoders make up for what is missing.
#[test]
fn a_photograph_that_ends_early_is_no_image_of_a_set_in_memory_nor_of_a_pack() {
    use crate::stored::pack::{Form, Options, write};
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    let to = root.path().join("all.pack");
    let pack = |form: Form, skip_bad: bool| {
        let options = Options { short_side: Some(3), form, skip_bad };
        write(&ON_DISK.to_pack(root.path()).unwrap(), options, &to, |_| {}).map_err(|error| error.to_string())
    };
    let path = root.path().join("train/cat/b.jpg");
    fs::write(&path, ending_early()).unwrap();
    let forms = [Form::Files { quality: None }, Form::Files { quality: Some(90) }, Form::Pixels];
    let lenient = Folder { size: Some(4), manner: Manner { skip_bad: true, ..MANNER }, ..PLAIN };
    let strict = Folder { size: Some(4), ..PLAIN };
    let words = "train/cat/b.jpg: cannot be decoded: its data end early";
    assert!(said(&strict, root.path()).contains(words), "{}", said(&strict, root.path()));
    let read = lenient.read(root.path()).unwrap();
    assert_eq!((read.train.labels.len(), read.skipped.len()), (3, 1));
    for form in forms {
        let said = pack(form, false).unwrap_err();
        assert!(said.contains(words), "{form:?}: {said}");
        let packed = pack(form, true).unwrap();
        assert_eq!((packed.images, packed.skipped.len()), (5, 1), "{form:?}");
        assert_eq!(packed.skipped[0].path, path);
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_named_or_left_out_and_never_waited_for() {
    use crate::stored::check;
    use std::os::unix::fs::symlink;
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    symlink("nowhere.png", root.path().join("train/cat/gone.png")).unwrap();
    let pipe = root.path().join("val/ant/pipe.jpg");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let words = ["gone.png: a link that leads nowhere", "pipe.jpg: no regular file", "skip_bad = true"];
    for set in [ON_DISK, Folder { size: Some(4), ..PLAIN }] {
        let said = said(&set, root.path());
        assert!(words.iter().all(|words| said.contains(words)), "{said}");
        let lenient = Folder { manner: Manner { skip_bad: true, ..MANNER }, ..set };
        let read = lenient.read(root.path()).unwrap();
        assert_eq!((&read.train.labels[..], &read.val.labels[..]), (&[0, 1, 1][..], &[0, 1][..]));
        assert_eq!(read.skipped.len(), 2, "{:?}", read.skipped);
    }
    let found = check(&[&pipe], false).unwrap();
    assert!(found[0].as_ref().is_err_and(|bad| bad.problem == "no regular file"), "{found:?}");
}

/// With what is not UTF-8 replaced, both would have the same name.
#[cfg(target_os = "linux")]
#[test]
fn class_folders_of_other_names_than_utf8_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    for name in [&b"caf\xe9"[..], b"caf\xe8"] {
        for part in ["train", "val"] {
            image(&root.path().join(part).join(OsStr::from_bytes(name)).join("a.png"), 4, 4, [0; 3]);
        }
    }
    for set in [ON_DISK, PLAIN] {
        let said = said(&set, root.path());
        assert!(said.contains("caf") && said.contains("is not UTF-8\nhelp: rename the folder"), "{said}");
    }
}

#[test]
fn files_that_are_no_images_are_left_out_where_that_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    fs::write(root.path().join("train/cat/notes.txt"), "x").unwrap();
    for set in [ON_DISK, PLAIN] {
        let said = said(&set, root.path());
        assert!(said.contains("notes.txt: not a .png") && said.contains("skip_bad = true"), "{said}");
    }
    let manner = Manner { skip_bad: true, ..MANNER };
    for set in [Folder { manner, ..ON_DISK }, Folder { manner, ..PLAIN }] {
        let read = set.read(root.path()).unwrap();
        assert_eq!((&read.train.labels[..], &read.val.labels[..]), (&[0, 1, 1][..], &[0, 1][..]));
        assert_eq!(read.facts, set.count(root.path()).unwrap());
        let names: Vec<_> = read.skipped.iter().map(|bad| bad.path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["notes.txt"]);
    }
    let listing = Folder { manner, ..ON_DISK }.to_pack(root.path()).unwrap();
    assert_eq!((listing.files.len(), listing.skipped.len()), (5, 1));
    // A class needs an image all the same.
    for name in ["a.jpg", "b.png"] {
        fs::remove_file(root.path().join("train/cat").join(name)).unwrap();
    }
    let none = said(&Folder { manner, ..ON_DISK }, root.path());
    assert!(none.contains("cat: the class has no images"), "{none}");
}
