mod lists;
mod unfit;

use super::*;
use image::{ImageBuffer, Rgb};
use std::collections::BTreeMap;
use std::fs;

const MANNER: Manner = Manner { channels: 3, margin: 8.0 / 7.0, skip_bad: false, rectangular: false, turns: false };

const PLAIN: Folder = Folder { name: "folder", size: None, val: 0.5, val_list: None, on_disk: false, manner: MANNER };

fn image(path: &Path, width: u32, height: u32, colour: [u8; 3]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    ImageBuffer::from_pixel(width, height, Rgb(colour)).save(path).unwrap();
}

/// `train` and `val` of two classes, in PNG and JPEG, of 4×4.
fn split(root: &Path, val: &str) {
    for (k, file) in ["train/cat/b.png", "train/cat/a.jpg", "train/ant/c.PNG"].iter().enumerate() {
        image(&root.join(file), 4, 4, [k as u8 * 100; 3]);
    }
    for class in ["cat", "ant"] {
        image(&root.join(val).join(class).join("x.jpeg"), 4, 4, [50; 3]);
    }
}

fn said(set: &Folder, root: &Path) -> String {
    set.read(root).err().expect("an error").to_string()
}

#[test]
fn classes_and_files_are_in_order_of_their_names() {
    for val in ["val", "test"] {
        let root = tempfile::tempdir().unwrap();
        split(root.path(), val);
        // What may lie about: hidden files anywhere, others beside the class folders.
        fs::write(root.path().join("train/cat/.DS_Store"), "x").unwrap();
        fs::write(root.path().join("train/labels.csv"), "x").unwrap();
        fs::create_dir(root.path().join("train/.cache")).unwrap();
        assert_eq!(PLAIN.locate(root.path()), Some(root.path().to_owned()));
        let set = PLAIN.read(root.path()).unwrap();
        assert_eq!(set.class_names, ["ant", "cat"]);
        assert_eq!((&set.train.labels[..], &set.val.labels[..]), (&[0, 1, 1][..], &[0, 1][..]));
        assert_eq!(set.facts, PLAIN.count(root.path()).unwrap());
        assert_eq!((set.facts.size, set.facts.channels, set.facts.classes), (4, 3, 2));
        let firsts: Vec<u8> = (0..3).map(|k| set.train.image(k)[0]).collect();
        assert_eq!(firsts, [200, 100, 0], "ant/c, cat/a, cat/b");
    }
}

#[test]
fn without_split_folders_each_file_keeps_its_side_when_others_come() {
    let root = tempfile::tempdir().unwrap();
    let sides = |more: usize| {
        for class in ["a", "b"] {
            for k in 0..more {
                image(&root.path().join(format!("{class}/{k}.png")), 2, 2, [0; 3]);
            }
        }
        let listed = Listed::new(root.path(), 0.2, None, false).unwrap();
        let side = |files: Vec<layout::File>, side| files.into_iter().map(move |file| (file.path, side));
        side(listed.train, "train").chain(side(listed.val, "val")).collect::<BTreeMap<_, _>>()
    };
    let (few, many) = (sides(40), sides(200));
    assert!(few.iter().all(|(path, side)| many[path] == *side));
    let share = many.values().filter(|side| **side == "val").count() as f64 / many.len() as f64;
    assert!((0.14..0.26).contains(&share), "{share}");
}

#[test]
fn images_are_cropped_to_the_middle_and_resized() {
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    // Three squares of 6: red, green, blue; the middle one stays.
    let mut wide = ImageBuffer::from_pixel(18, 6, Rgb([255u8, 0, 0]));
    for (x, _, pixel) in wide.enumerate_pixels_mut() {
        if x >= 6 {
            *pixel = if x < 12 { Rgb([0, 255, 0]) } else { Rgb([0, 0, 255]) };
        }
    }
    wide.save(root.path().join("train/ant/a.png")).unwrap();
    let set = Folder { size: Some(6), ..PLAIN }.read(root.path()).unwrap();
    assert_eq!(set.facts.size, 6);
    assert!(set.train.image(0).chunks(3).all(|pixel| pixel == [0, 255, 0]), "{:?}", set.train.image(0));
    // Pillow: Image.new("RGB", (1, 1), (0, 255, 0)).convert("L") is 150.
    let grey = Folder { size: Some(6), manner: Manner { channels: 1, ..MANNER }, ..PLAIN }.read(root.path()).unwrap();
    assert_eq!(grey.train.image(0), [150; 36]);
    // The filter of resize((3, 3), BILINEAR, box=(6, 0, 12, 6)) gives an eighth to the pixel beyond the border.
    let small = Folder { size: Some(3), ..PLAIN }.read(root.path()).unwrap();
    assert_eq!(small.train.image(0), [32, 223, 0, 0, 255, 0, 0, 223, 32].repeat(3));
}

#[test]
fn sizes_that_differ_need_a_size() {
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    image(&root.path().join("val/cat/y.png"), 5, 4, [0; 3]);
    // None of them is damaged.
    let lenient = Folder { manner: Manner { skip_bad: true, ..MANNER }, ..PLAIN };
    for message in [&PLAIN, &lenient].map(|set| said(set, root.path())) {
        for words in ["y.png: the image is 5×4", "c.PNG is 4×4", "size = 64"] {
            assert!(message.contains(words), "{message}");
        }
    }
    image(&root.path().join("train/ant/a.png"), 5, 4, [0; 3]);
    assert!(said(&PLAIN, root.path()).contains("a.png: the image is 5×4, not square"));
}

#[test]
fn a_folder_without_images_is_no_set() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(PLAIN.locate(root.path()), None);
    fs::create_dir_all(root.path().join("cifar-10-batches-bin")).unwrap();
    fs::write(root.path().join("cifar-10-batches-bin/test_batch.bin"), "x").unwrap();
    assert_eq!(PLAIN.locate(root.path()), None);
    // A class may be called `train`.
    image(&root.path().join("train/a.png"), 4, 4, [0; 3]);
    assert_eq!(Layout::of(root.path()), Some(Layout::Classes));
}

/// A PNG of one bit a pixel and hardly any bytes, but of the size of a sports field.
#[test]
fn an_image_that_would_take_too_much_memory_is_refused_before_it_does() {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
    };
    let side = 16_000u32.to_be_bytes();
    let header = [&side[..], &side, &[1, 0, 0, 0, 0]].concat();
    let bytes = [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &[]), chunk(b"IEND", &[])];
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    fs::write(root.path().join("train/ant/a.png"), bytes.concat()).unwrap();
    let message = said(&Folder { size: Some(4), ..PLAIN }, root.path());
    assert!(message.contains("a.png: cannot be decoded: it takes 3072 MB of memory, and at most 671"), "{message}");
}

#[test]
fn a_set_beyond_memory_is_refused_before_it_is_read() {
    let facts = PLAIN.facts(5_000, 0, 10, 1024, FactsSource::Data);
    let message = PLAIN.check_memory(Path::new("photos"), &facts).unwrap_err().to_string();
    assert!(message.contains("photos: 5000 images of 1024×1024 with 3 channels take 14.6 GiB"), "{message}");
}

#[test]
fn planning_without_the_files_takes_figures() {
    let given = Given { train_images: Some(10), val_images: Some(5), classes: Some(2) };
    let sized = Folder { size: Some(8), ..PLAIN };
    let facts = sized.outline(&given).unwrap();
    assert_eq!((facts.train_images, facts.size, facts.source), (10, 8, FactsSource::File));
    let message = sized.outline(&Given { classes: None, ..given }).unwrap_err().to_string();
    assert!(message.contains("`train_images`, `val_images` and `classes`"), "{message}");
    assert!(PLAIN.outline(&given).unwrap_err().to_string().contains("size = 64"));
}

const ON_DISK: Folder = Folder { on_disk: true, ..PLAIN };

#[test]
fn files_stay_on_disk_and_are_served_at_any_size() {
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    image(&root.path().join("train/ant/a.png"), 30, 20, [9, 8, 7]);
    let set = ON_DISK.read(root.path()).unwrap();
    assert_eq!((set.facts.size, set.facts.train_images, set.facts.val_images), (224, 4, 2));
    assert_eq!(set.facts, ON_DISK.count(root.path()).unwrap());
    assert!(set.train.stored().is_some() && set.train.labels == [0, 0, 1, 1]);
    let again = ON_DISK.read(root.path()).unwrap();
    assert_eq!((&set.digest, &set.mean, &set.std), (&again.digest, &again.mean, &again.std));
    // It knows the files by their names and sizes, wherever they lie.
    let moved = root.path().join("moved");
    fs::create_dir(&moved).unwrap();
    for folder in ["train", "val"] {
        fs::rename(root.path().join(folder), moved.join(folder)).unwrap();
    }
    assert_eq!(ON_DISK.read(&moved).unwrap().digest, set.digest);
    fs::rename(moved.join("train/ant/a.png"), moved.join("train/cat/d.png")).unwrap();
    assert_ne!(ON_DISK.read(&moved).unwrap().digest, set.digest);
}

#[test]
fn a_pack_is_the_set_that_it_was_made_of() {
    use crate::stored::pack::{Form, Options, write};
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    let to = root.path().join("all.pack");
    let options = Options { short_side: None, form: Form::Pixels, skip_bad: false };
    write(&ON_DISK.to_pack(root.path()).unwrap(), options, &to, |_| {}).unwrap();
    assert_eq!(ON_DISK.locate(&to), Some(to.clone()));
    let (set, pack) = (ON_DISK.read(root.path()).unwrap(), ON_DISK.read(&to).unwrap());
    assert_eq!(
        (&pack.train.labels, &pack.val.labels, &pack.class_names),
        (&set.train.labels, &set.val.labels, &set.class_names)
    );
    assert_eq!((&pack.facts, &pack.mean), (&ON_DISK.count(&to).unwrap(), &set.mean));
    // In memory too.
    let sized = Folder { size: Some(4), ..PLAIN };
    let (set, pack) = (sized.read(root.path()).unwrap(), sized.read(&to).unwrap());
    assert_eq!((pack.train.bytes(), pack.val.bytes(), &pack.digest), (set.train.bytes(), set.val.bytes(), &set.digest));
    // Squares of one size need none, as files do not.
    let (set, pack) = (PLAIN.read(root.path()).unwrap(), PLAIN.read(&to).unwrap());
    assert_eq!((&pack.facts, pack.train.bytes()), (&set.facts, set.train.bytes()));
    assert_eq!(PLAIN.count(&to).unwrap(), set.facts);
    image(&root.path().join("train/ant/a.png"), 4, 5, [9, 8, 7]);
    let files = Options { form: Form::Files { quality: None }, ..options };
    let other = root.path().join("other.pack");
    write(&ON_DISK.to_pack(root.path()).unwrap(), files, &other, |_| {}).unwrap();
    assert!(said(&PLAIN, &other).contains("of their own sizes"));
    let grey = Folder { manner: Manner { channels: 1, ..MANNER }, ..ON_DISK };
    assert!(said(&grey, &to).contains("pixels of 3 channels, where 1 are wanted"));
    let square = Folder { manner: Manner { rectangular: true, ..MANNER }, ..sized };
    assert!(said(&square, root.path()).contains("images in memory are square"));
}

#[test]
fn others_are_read_with_the_classes_and_the_statistics_of_training() {
    use crate::stored::pack::{Form, Options, write};
    use crate::{TrainedOn, open_others};
    let root = tempfile::tempdir().unwrap();
    split(root.path(), "val");
    let own = PLAIN.read(root.path()).unwrap();
    let trained_on = TrainedOn {
        facts: own.facts.clone(),
        classes: own.class_names.clone(),
        mean: own.mean.clone(),
        std: own.std.clone(),
    };
    let others = root.path().join("others");
    for (file, width) in [("cat/b.png", 8), ("cat/a.png", 5), ("ant/c.png", 9)] {
        image(&others.join(file), width, 6, [width as u8; 3]);
    }
    let list = root.path().join("list.txt");
    fs::write(&list, "others/cat/b.png\nothers/ant/c.png\tant\n").unwrap();
    let pack = root.path().join("all.pack");
    let options = Options { short_side: None, form: Form::Pixels, skip_bad: false };
    write(&ON_DISK.to_pack(root.path()).unwrap(), options, &pack, |_| {}).unwrap();
    let cases: [(&Path, Chosen, &[u32], &[&str]); 4] = [
        (&others, Chosen::All, &[0, 1, 1], &["others/ant/c.png", "others/cat/a.png", "others/cat/b.png"]),
        (root.path(), Chosen::Validation, &[0, 1], &["val/ant/x.jpeg", "val/cat/x.jpeg"]),
        (&list, Chosen::Listed, &[1, 0], &["others/cat/b.png", "others/ant/c.png"]),
        (&pack, Chosen::Validation, &[0, 1], &["all.pack/val/ant/x.jpeg", "all.pack/val/cat/x.jpeg"]),
    ];
    for folder in [PLAIN, ON_DISK] {
        for (from, chosen, labels, files) in cases {
            let (set, found) = folder.read_others(Others { from, trained_on: &trained_on }).unwrap();
            assert_eq!((found, &set.val.labels[..]), (chosen, labels));
            let found: Vec<PathBuf> = (0..labels.len()).map(|k| set.val_file(k).unwrap()).collect();
            assert!(found.iter().eq(&files.iter().map(|file| root.path().join(file)).collect::<Vec<_>>()), "{found:?}");
            assert_eq!((&set.mean, &set.std, &set.class_names), (&own.mean, &own.std, &own.class_names));
            assert_eq!((set.facts.classes, set.facts.val_images, set.train.labels.len()), (2, labels.len(), 0));
            assert_eq!(set.facts.size, if folder.on_disk { 224 } else { 4 });
        }
    }
    // Class folders in the place of images that come from no files.
    let shapes = crate::registry::Choice::plain("shapes");
    let (set, found) = open_others(&shapes, Others { from: &others, trained_on: &trained_on }).unwrap();
    assert_eq!((found, set.val.size, &set.val.labels[..]), (Chosen::All, 4, &[0, 1, 1][..]));

    // Classes must be those of training, by name; but a list names what it likes of them.
    let refused = |from: &Path, words: &[&str]| {
        let said = PLAIN.read_others(Others { from, trained_on: &trained_on }).err().unwrap().to_string();
        words.iter().for_each(|word| assert!(said.contains(word), "no {word} in {said}"));
    };
    fs::write(others.join("cat/notes.txt"), "x").unwrap();
    fs::write(others.join("cat/d.png"), "x").unwrap();
    refused(&others, &["2 files cannot be used", "notes.txt: not a .png", "d.png: cannot be decoded"]);
    fs::remove_file(others.join("cat/notes.txt")).unwrap();
    let skip_bad = Manner { skip_bad: true, ..MANNER };
    for folder in [PLAIN, ON_DISK] {
        let (set, _) = Folder { manner: skip_bad, ..folder }
            .read_others(Others { from: &others, trained_on: &trained_on })
            .unwrap();
        assert_eq!((&set.val.labels[..], set.facts.val_images, set.skipped.len()), (&[0, 1, 1][..], 3, 1));
        assert_eq!(set.val_file(2), Some(others.join("cat/b.png")));
    }
    fs::remove_file(others.join("cat/d.png")).unwrap();
    fs::rename(others.join("cat"), others.join("dgo")).unwrap();
    refused(&others, &["others: the classes are not those", "not among them: `dgo`; without images here: `cat`"]);
    fs::write(&list, "others/dgo/b.png\n").unwrap();
    refused(&list, &["list.txt: line 1: there is no class `dgo`"]);
    refused(&root.path().join("none"), &["none: there is no such folder", "help: name a folder of class folders"]);
    fs::create_dir(root.path().join("empty")).unwrap();
    refused(&root.path().join("empty"), &["empty: there are no class folders of images"]);
}

#[test]
fn photographs_are_turned_in_memory_on_disk_and_in_packs_alike() {
    use crate::resize::Extent;
    use crate::stored::Hand;
    use crate::stored::pack::{Form, Options, Pack, differences, write};
    let photos = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/photos"));
    let dir = tempfile::tempdir().unwrap();
    let (files, shown) = (dir.path().join("files"), dir.path().join("shown"));
    for (k, class) in [(1, "a"), (2, "a"), (3, "a"), (4, "a"), (5, "b"), (6, "b"), (7, "b"), (8, "b")] {
        for split in ["train", "val"] {
            for (root, ending) in [(&files, "jpg"), (&shown, "png")] {
                let folder = root.join(split).join(class);
                fs::create_dir_all(&folder).unwrap();
                let name = format!("turned-{k}.{ending}");
                fs::copy(photos.join(&name), folder.join(&name)).unwrap();
            }
        }
    }
    // Large enough that no smaller scale is decoded.
    const SIDE: usize = 28;
    let turned = Manner { turns: true, margin: 1.0, ..MANNER };
    let served = |folder: &Folder, root: &Path| -> Vec<(Extent, Vec<u8>)> {
        let set = folder.read(root).unwrap();
        let (stored, mut hand) = (set.train.stored().unwrap(), Hand::new(3));
        let serve = |k: usize| {
            let mut image = vec![0; SIDE * SIDE * 3];
            stored.serve(k, Extent::square(SIDE), &mut hand, &mut image, |_| None).unwrap();
            (stored.extent(k), image)
        };
        (0..8).map(serve).collect()
    };
    let on_disk = Folder { manner: turned, ..ON_DISK };
    let (found, expected) = (served(&on_disk, &files), served(&on_disk, &shown));
    for (k, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let far = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 4;
        assert_eq!(found.0, expected.0, "{k}");
        assert!(!found.1.iter().zip(&expected.1).any(far), "{k}");
    }
    let as_stored = served(&Folder { manner: Manner { turns: false, ..turned }, ..ON_DISK }, &files);
    assert!(as_stored.iter().all(|image| *image == as_stored[0]) && as_stored[0] == found[0]);
    // In memory the middle square, likewise.
    let memory = Folder { size: Some(SIDE), manner: turned, ..PLAIN };
    let [in_memory, expected] = [&files, &shown].map(|root| memory.read(root).unwrap());
    let far = |(a, b): (&u8, &u8)| a.abs_diff(*b) > 4;
    assert!(!in_memory.train.bytes().iter().zip(expected.train.bytes()).any(far));
    assert_ne!(in_memory.train.image(0), in_memory.train.image(1));

    let listing = on_disk.to_pack(&files).unwrap();
    let untagged = Folder { manner: Manner { turns: false, ..turned }, ..ON_DISK };
    let pack = dir.path().join("a.pack");
    let plain = Options { short_side: None, form: Form::Files { quality: None }, skip_bad: false };
    for (options, same) in [
        (plain, true),
        (Options { form: Form::Pixels, ..plain }, true),
        (Options { form: Form::Files { quality: Some(95) }, ..plain }, false),
        (Options { short_side: Some(20), ..plain }, false),
    ] {
        write(&listing, options, &pack, |_| {}).unwrap();
        assert!(Pack::open(&pack).unwrap().head.turned);
        let packed = served(&on_disk, &pack);
        assert!(!same || packed == found, "{options:?}");
        for ((extent, image), (of, want)) in packed.iter().zip(&found) {
            assert_eq!(extent.width > extent.height, of.width > of.height, "{options:?}");
            let off = image.iter().zip(want).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / want.len() as f64;
            assert!(off < 8.0, "{options:?}: {off}");
        }
        assert!(said(&untagged, &pack).contains("exif_orientation=true"), "{}", said(&untagged, &pack));
        assert!(differences(&pack, &listing, options).is_empty());
    }
    write(&untagged.to_pack(&files).unwrap(), plain, &pack, |_| {}).unwrap();
    assert!(said(&on_disk, &pack).contains("made without `exif_orientation`"));
    assert_eq!(differences(&pack, &listing, plain), ["without exif_orientation"]);
    assert!(served(&untagged, &pack) == as_stored);
}
