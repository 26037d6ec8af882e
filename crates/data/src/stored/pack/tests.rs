use super::write::AT_ONCE;
use super::*;
use crate::stored::{Hand, Manner, Stored};
use image::{ImageBuffer, Rgb};
use std::fs;

const FILES: Options = Options { short_side: None, form: Form::Files { quality: None }, skip_bad: false };

fn listing(root: &Path, count: u32) -> Listing {
    let mut files = Vec::new();
    for k in 0..count {
        let path = root.join(format!("class {}/{k}.{}", k % 2, if k % 2 == 0 { "jpg" } else { "png" }));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let image = ImageBuffer::from_fn(60 + k, 40, |x, y| Rgb([(x * 4) as u8, (y * 6) as u8, (k * 20) as u8]));
        image.save(&path).unwrap();
        files.push((path, k % 2));
    }
    let classes = vec!["class 0".to_owned(), "class 1".to_owned()];
    Listing {
        classes,
        files,
        train: count as usize / 2,
        root: root.to_owned(),
        channels: 3,
        val_list: None,
        turns: false,
        skipped: Vec::new(),
    }
}

fn whole(source: &impl Source, index: usize) -> Vec<u8> {
    let mut room = Vec::new();
    match source.held(index, &mut room).unwrap() {
        Held::File(bytes) | Held::Pixels(bytes) => bytes.to_vec(),
    }
}

#[test]
fn files_are_packed_as_they_are() {
    let root = tempfile::tempdir().unwrap();
    let (listing, to) = (listing(root.path(), 7), root.path().join("all.pack"));
    let packed = write(&listing, FILES, &to, |_| {}).unwrap();
    assert_eq!((packed.images, packed.resumed, packed.bytes), (7, 0, fs::metadata(&to).unwrap().len()));
    assert!(is_pack(&to) && !is_pack(root.path()) && !is_pack(&listing.files[0].0));
    let pack = Pack::open(&to).unwrap();
    assert_eq!((&pack.head.classes, pack.labels()), (&listing.classes, [vec![0, 1, 0], vec![1, 0, 1, 0]]));
    let [train, val] = pack.parts();
    assert_eq!((train.len(), val.len()), (3, 4));
    for (k, (path, _)) in listing.files.iter().enumerate() {
        let (part, at) = if k < 3 { (&train, k) } else { (&val, k - 3) };
        assert_eq!(whole(part, at), fs::read(path).unwrap());
        assert!(part.name(at).ends_with(path.strip_prefix(root.path()).unwrap()), "{:?}", part.name(at));
        assert_eq!(part.extent(at), Extent { width: 60 + k, height: 40 });
    }
    // Nothing else is left behind.
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 3);
}

#[test]
fn images_are_made_smaller_and_decoded() {
    let root = tempfile::tempdir().unwrap();
    let (listing, to) = (listing(root.path(), 4), root.path().join("small.pack"));
    let pixels = Options { short_side: Some(20), form: Form::Pixels, ..FILES };
    write(&listing, pixels, &to, |_| {}).unwrap();
    let small = Pack::open(&to).unwrap();
    let digest = small.digest.clone();
    let [train, _] = small.parts();
    assert_eq!((train.extent(1), whole(&train, 1).len()), (Extent { width: 31, height: 20 }, 31 * 20 * 3));
    let jpeg = Options { form: Form::Files { quality: Some(80) }, ..pixels };
    write(&listing, jpeg, &to, |_| {}).unwrap();
    let coded = Pack::open(&to).unwrap();
    assert_ne!(coded.digest, digest);
    assert_eq!((coded.head.channels, coded.head.quality, coded.head.short_side), (0, Some(80), Some(20)));
    let [train, _] = coded.parts();
    let read = image::load_from_memory(&whole(&train, 1)).unwrap();
    assert_eq!((read.width(), read.height()), (31, 20));
}

#[test]
fn a_pack_of_other_settings_or_images_is_told_from_the_one_that_would_be_made() {
    let root = tempfile::tempdir().unwrap();
    let (mut listing, to) = (listing(root.path(), 6), root.path().join("all.pack"));
    let jpeg = Options { short_side: Some(20), ..FILES };
    write(&listing, jpeg, &to, |_| {}).unwrap();
    let told = |listing: &Listing, options: Options| differences(&to, listing, options).join(", ");
    assert_eq!(told(&listing, jpeg), "");
    assert_eq!(told(&listing, Options { form: Form::Files { quality: Some(90) }, ..jpeg }), "");
    assert_eq!(told(&listing, Options { form: Form::Files { quality: Some(80) }, ..jpeg }), "with --quality 90");
    assert_eq!(told(&listing, FILES), "with --short-side 20");
    assert_eq!(told(&listing, Options { form: Form::Pixels, ..jpeg }), "without --decoded");
    assert_eq!(told(&listing, Options { skip_bad: true, ..jpeg }), "");
    // More images, others, the same on the other side, of another class.
    let more = listing.files.pop().unwrap();
    assert_eq!(told(&listing, jpeg), "of other images, 6 in all");
    listing.files.push((root.path().join("class 1/6.png"), 1));
    assert_eq!(told(&listing, jpeg), "of other images, 6 in all");
    *listing.files.last_mut().unwrap() = more.clone();
    listing.train += 1;
    assert_eq!(told(&listing, jpeg), "of other images, 6 in all");
    listing.train -= 1;
    listing.files.last_mut().unwrap().1 = 0;
    assert_eq!(told(&listing, jpeg), "of other images, 6 in all");
    *listing.files.last_mut().unwrap() = more;
    listing.val_list = Some("val.txt".to_owned());
    assert_eq!(told(&listing, jpeg), "without val_list");
    listing.val_list = None;
    assert_eq!(told(&listing, jpeg), "");

    // Where files are left out each time, it is the same pack.
    fs::write(&listing.files[1].0, "no image").unwrap();
    let lenient = Options { skip_bad: true, ..FILES };
    write(&listing, lenient, &to, |_| {}).unwrap();
    assert_eq!(told(&listing, lenient), "");
    assert_eq!(told(&listing, FILES), "with --skip-bad, which left 1 out");
    let bytes = fs::read(&to).unwrap();
    fs::write(&to, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(told(&listing, lenient), "damaged, or of another version");
}

/// From pixels and from files the same is served.
#[test]
fn a_pack_serves_what_its_files_do() {
    let root = tempfile::tempdir().unwrap();
    let (listing, to) = (listing(root.path(), 4), root.path().join("all.pack"));
    let manner = Manner { channels: 3, margin: 1.1, skip_bad: false, rectangular: false, turns: false };
    let serve = |form| {
        write(&listing, Options { form, ..FILES }, &to, |_| {}).unwrap();
        let [train, _] = Pack::open(&to).unwrap().parts();
        let stored = Stored::new(train, manner);
        let mut target = vec![0; 32 * 32 * 3];
        stored.serve(1, Extent::square(32), &mut Hand::new(3), &mut target, |_| None).unwrap();
        target
    };
    assert_eq!(serve(Form::Pixels), serve(Form::Files { quality: None }));
}

#[test]
fn a_pack_that_was_not_finished_is_gone_on_with() {
    let root = tempfile::tempdir().unwrap();
    let (listing, to) = (listing(root.path(), 300), root.path().join("all.pack"));
    write(&listing, FILES, &to, |_| {}).unwrap();
    let expected = fs::read(&to).unwrap();
    fs::remove_file(&to).unwrap();
    // A file that cannot be read stops it after the first images; what is there is kept.
    let late = &listing.files[290].0;
    let bytes = fs::read(late).unwrap();
    fs::write(late, vec![0; bytes.len()]).unwrap();
    let said = write(&listing, FILES, &to, |_| {}).unwrap_err().to_string();
    assert!(said.contains("290.jpg: cannot be decoded") && !to.exists(), "{said}");
    fs::write(late, bytes).unwrap();
    // A torn end on both sides, as after a power failure.
    for name in [".all.pack.part", ".all.pack.journal"] {
        let path = root.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend([7; 19]);
        fs::write(&path, bytes).unwrap();
    }
    let packed = write(&listing, FILES, &to, |_| {}).unwrap();
    assert_eq!((packed.resumed, packed.images), (290 / AT_ONCE * AT_ONCE, 300));
    assert_eq!(fs::read(&to).unwrap(), expected);
    // Other options begin anew.
    fs::write(root.path().join(".all.pack.journal"), [1; 200]).unwrap();
    assert_eq!(write(&listing, FILES, &to, |_| {}).unwrap().resumed, 0);
}

#[test]
fn what_cannot_be_decoded_is_named_or_left_out() {
    let root = tempfile::tempdir().unwrap();
    let (listing, to) = (listing(root.path(), 6), root.path().join("all.pack"));
    fs::write(&listing.files[1].0, "no image").unwrap();
    assert!(write(&listing, FILES, &to, |_| {}).unwrap_err().to_string().contains("1.png: cannot be decoded"));
    let packed = write(&listing, Options { skip_bad: true, ..FILES }, &to, |_| {}).unwrap();
    assert_eq!((packed.images, packed.skipped.len()), (5, 1));
    let pack = Pack::open(&to).unwrap();
    assert_eq!((pack.head.skipped, pack.labels()), (1, [vec![0, 0], vec![1, 0, 1]]));
}

#[test]
fn damage_is_found() {
    let root = tempfile::tempdir().unwrap();
    let (listing, to) = (listing(root.path(), 4), root.path().join("all.pack"));
    write(&listing, FILES, &to, |_| {}).unwrap();
    let bytes = fs::read(&to).unwrap();
    let damaged = root.path().join("damaged.pack");
    let open = |bytes: &[u8]| {
        fs::write(&damaged, bytes).unwrap();
        Pack::open(&damaged)
    };
    for len in [0, 7, 20, 63, 100, bytes.len() - 1] {
        assert!(open(&bytes[..len]).is_err(), "{len} bytes");
    }
    let turned = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 0x55;
        open(&bytes)
    };
    let index = u64::from_le_bytes(bytes[16..24].try_into().unwrap()) as usize;
    for at in (0..64).chain(index..bytes.len()) {
        // The number of channels in the header is for people with a hexadecimal editor: the index has it too.
        assert!(turned(at).is_err() || (12..16).contains(&at), "byte {at}");
    }
    // In an image it shows when that is served.
    let [train, _] = turned(index - 1).unwrap().parts();
    let [_, val] = turned(index - 1).unwrap().parts();
    assert!(train.held(0, &mut Vec::new()).is_ok());
    let said = val.held(1, &mut Vec::new()).err().unwrap().to_string();
    assert!(said.contains("damaged.pack/class 1/3.png: its bytes are not those"), "{said}");
}
