use super::*;
use crate::augment::{Draw, chain};
use crate::loader::validation_batches;
use crate::registry::{Choice, Value};
use crate::{BatchPlan, Dataset, Facts, FactsSource, Images, Loader, Split, Training};
use image::{ImageBuffer, Rgb};
use std::path::Path;
use std::sync::Arc;

const MANNER: Manner = Manner { channels: 3, margin: 1.25, skip_bad: false, rectangular: false, turns: false };

/// Photographs of several shapes, in JPEG and PNG, no two alike.
fn photographs(root: &Path, count: u32) -> Files {
    let mut files = Files::default();
    for k in 0..count {
        let (width, height) = ([90, 64, 120, 70][k as usize % 4], [60, 96, 80, 70][k as usize % 4]);
        let wave = |x: u32, by: u32| (128.0 + 100.0 * (f64::from(x * by + 40 * k) / 30.0).sin()) as u8;
        let image = ImageBuffer::from_fn(width, height, |x, y| Rgb([wave(x, 1), wave(y, 2), wave(x + y, 1)]));
        let path = root.join(format!("{k}.{}", if k % 3 == 0 { "png" } else { "jpg" }));
        image.save(&path).unwrap();
        files.files.push((path, Extent { width: width as usize, height: height as usize }));
    }
    files
}

fn split(files: Files, manner: Manner) -> Split {
    let labels = (0..files.files.len() as u32).collect();
    Split { images: Images::Stored(Stored::new(files, manner)), labels, size: 24, channels: 3 }
}

fn dataset(root: &Path, count: u32, manner: Manner) -> Arc<Dataset> {
    let facts = Facts {
        name: "test".to_owned(),
        train_images: count as usize,
        val_images: count as usize,
        classes: count as usize,
        channels: 3,
        size: 24,
        source: FactsSource::Data,
    };
    let [train, val] = [(); 2].map(|()| split(photographs(root, count), manner));
    Arc::new(Dataset::on_disk(facts, Vec::new(), train, val, "sha256:0".to_owned(), Vec::new()).unwrap())
}

fn crop() -> Choice {
    let numbers = [("min_scale", 0.1), ("max_scale", 1.0), ("ratio", 1.3333)];
    Choice::with("random-resized-crop", numbers.map(|(key, number)| (key, Value::Float(number))))
}

type Served = (Vec<f32>, Vec<u32>);

/// Three epochs of batches of 4, the later ones at another size.
fn served(set: &Arc<Dataset>, from: u64) -> Vec<Served> {
    let all = set.train.labels.len();
    let steps = all.div_ceil(4) as u64;
    let augment = vec![chain(&[crop(), Choice::plain("flip")])];
    let training = Training {
        datasets: vec![Arc::clone(set)],
        seed: 3,
        augment,
        mix: vec![Default::default()],
        at_hand: Vec::new(),
    };
    let plan = move |step: u64| {
        let (epoch, first) = (step / steps, (step % steps) as usize * 4);
        let size = if epoch == 0 { 16 } else { 40 };
        (epoch < 3).then_some(BatchPlan {
            epoch,
            first,
            images: 4.min(all - first),
            size,
            phase: 0,
            set: 0,
            pruned: false,
        })
    };
    let mut loader = Loader::<f32>::training(training, from, plan);
    let mut batches = Vec::new();
    while let Some((batch, _)) = loader.next_batch().unwrap() {
        batches.push((batch.images.clone(), batch.labels.clone()));
    }
    batches
}

#[test]
fn batches_are_a_function_of_seed_epoch_and_image() {
    let root = tempfile::tempdir().unwrap();
    let set = dataset(root.path(), 10, MANNER);
    let whole = served(&set, 0);
    assert_eq!(whole.len(), 9);
    for from in [0, 1, 5, 8] {
        assert!(served(&set, from) == whole[from as usize..], "from step {from}");
    }
    // By hand: the window of each image in its own pixels, decoded and brought to the size.
    let (mut hand, chain) = (Hand::new(3), chain(&[crop(), Choice::plain("flip")]));
    let stored = set.train.stored().unwrap();
    for (step, (images, labels)) in whole.iter().enumerate() {
        let (epoch, size) = (step as u64 / 3, if step < 3 { 16 } else { 40 });
        for (label, image) in labels.iter().zip(images.chunks_exact(size * size * 3)) {
            let mut draw = Draw::new(3, epoch, u64::from(*label));
            let mut pixels = vec![0; size * size * 3];
            let window = |of: Extent| chain.crop(of, &mut draw);
            stored.serve(*label as usize, Extent::square(size), &mut hand, &mut pixels, window).unwrap();
            let mut changed = crate::augment::Image::new(vec![0; 3], vec![50.0; 3]);
            changed.resize(size);
            changed.pixels.copy_from_slice(&pixels);
            chain.apply(&mut changed, &mut draw);
            let mut expected = vec![0.0; pixels.len()];
            crate::Normalise::new(&set.mean, &set.std).apply(&changed.pixels, &mut expected);
            assert!(image == expected, "step {step}, image {label}");
        }
    }
}

#[test]
fn a_damaged_image_is_named_or_another_of_its_class_stands_in() {
    let root = tempfile::tempdir().unwrap();
    let files = photographs(root.path(), 5);
    let broken = files.files[1].0.clone();
    let bytes = std::fs::read(&broken).unwrap();
    std::fs::write(&broken, &bytes[..bytes.len() - 20]).unwrap();
    let (mut hand, mut target) = (Hand::new(3), vec![0; 24 * 24 * 3]);
    let strict = Stored::new(Files { files: files.files.clone() }, MANNER);
    let to = Extent::square(24);
    let labels = [0, 1, 0, 0, 1];
    let said = strict.serve_or_another(1, &labels, to, &mut hand, &mut target, |_| None).unwrap_err().to_string();
    assert!(said.contains("1.jpg: cannot be decoded: it ends at byte") && said.contains("skip_bad = true"), "{said}");
    assert_eq!(strict.serve_or_leave_out(1, to, &mut hand, &mut target).unwrap_err().to_string(), said);

    let lenient = Stored::new(files, Manner { skip_bad: true, ..MANNER });
    // The next of its class, round the end of the split; of any, where there is none.
    for (index, labels, want) in [(1, labels, 4), (1, [1, 1, 0, 0, 0], 0), (1, [0, 1, 0, 0, 0], 2), (2, labels, 2)] {
        let served = lenient.serve_or_another(index, &labels, to, &mut hand, &mut target, |_| None).unwrap();
        assert_eq!(served, want, "{index} of {labels:?}");
        let mut itself = vec![0; target.len()];
        lenient.serve(want, to, &mut hand, &mut itself, |_| None).unwrap();
        assert_eq!(target, itself);
    }
    assert!(!lenient.serve_or_leave_out(1, to, &mut hand, &mut target).unwrap());
    assert!(lenient.serve_or_leave_out(2, to, &mut hand, &mut target).unwrap());
    // A file that has gone is no damaged file: the set is not what it was.
    std::fs::remove_file(root.path().join("2.jpg")).unwrap();
    let gone = lenient.serve_or_another(2, &labels, to, &mut hand, &mut target, |_| None);
    assert!(matches!(gone, Err(DataError::Io { .. })));
    let gone = lenient.serve_or_leave_out(2, to, &mut hand, &mut target);
    assert!(matches!(gone, Err(DataError::Io { .. })));
}

/// What of the images of these numbers a person would not see in their files any more.
fn damage(root: &Path, numbers: &[u32]) {
    for k in numbers {
        std::fs::write(root.join(format!("{k}.{}", if k % 3 == 0 { "png" } else { "jpg" })), "gone bad").unwrap();
    }
}

#[test]
fn damaged_images_are_left_out_of_validation_and_change_nothing_else() {
    for rectangular in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let set = dataset(root.path(), 7, Manner { skip_bad: true, rectangular, ..MANNER });
        let batches = || {
            let (mut loader, mut batches) = (Loader::<f32>::validation(Arc::clone(&set), 64, 2), Vec::new());
            while let Some((batch, _)) = loader.next_batch().unwrap() {
                batches.push(batch.clone());
            }
            batches
        };
        let whole = batches();
        // All of a batch, one of another, all of the last.
        let bad: Vec<u32> = [&whole[1].labels[..], &whole[2].labels[..1], &whole[3].labels].concat();
        damage(root.path(), &bad);
        let rest = batches();
        assert_eq!(rest.iter().map(|batch| batch.labels.len()).collect::<Vec<_>>(), [2, 0, 1, 0]);
        assert_eq!(rest.iter().flat_map(|batch| batch.damaged.clone()).collect::<Vec<_>>(), bad);
        for (whole, rest) in whole.iter().zip(&rest) {
            assert_eq!((whole.extent, whole.step, whole.size), (rest.extent, rest.step, rest.size));
            let len = whole.images.len() / whole.labels.len();
            assert_eq!(rest.images.len(), rest.labels.len() * len);
            // An image's label is its number.
            assert_eq!(rest.shown, rest.labels);
            for (label, image) in rest.labels.iter().zip(rest.images.chunks_exact(len)) {
                let place = whole.labels.iter().position(|other| other == label).unwrap();
                assert!(image == &whole.images[place * len..][..len], "image {label}");
            }
        }
    }
}

#[test]
fn of_no_image_that_can_be_decoded_there_is_no_figure() {
    let root = tempfile::tempdir().unwrap();
    let set = dataset(root.path(), 3, Manner { skip_bad: true, ..MANNER });
    damage(root.path(), &[0, 1, 2]);
    let mut loader = Loader::<f32>::validation(set, 24, 2);
    for _ in 0..2 {
        assert!(loader.next_batch().unwrap().unwrap().0.labels.is_empty());
    }
    let said = loader.next_batch().unwrap_err().to_string();
    assert!(said.contains("0.png: cannot be decoded") && said.contains("none of 3 images"), "{said}");
}

#[test]
fn in_a_batch_to_train_on_others_of_the_class_stand_in_and_are_told() {
    let root = tempfile::tempdir().unwrap();
    let manner = Manner { skip_bad: true, ..MANNER };
    let mut set = dataset(root.path(), 10, manner);
    let two_classes: Vec<u32> = (0..10).map(|k| k % 2).collect();
    Arc::get_mut(&mut set).unwrap().train.labels.clone_from(&two_classes);
    let training = |from: u64| {
        let (augment, mix) = (vec![chain(&[crop()])], vec![Default::default()]);
        let training = Training { datasets: vec![Arc::clone(&set)], seed: 3, augment, mix, at_hand: Vec::new() };
        let cut = |step: u64| BatchPlan {
            epoch: step / 2,
            first: step as usize % 2 * 5,
            images: 5,
            size: 16,
            phase: 0,
            set: 0,
            pruned: false,
        };
        let mut loader = Loader::<f32>::training(training, from, move |step| (step < 4).then(|| cut(step)));
        let mut batches = Vec::new();
        while let Some((batch, _)) = loader.next_batch().unwrap() {
            batches.push(batch.clone());
        }
        batches
    };
    let whole = training(0);
    assert!(whole.iter().all(|batch| batch.damaged.is_empty()));
    damage(root.path(), &[3, 4]);
    let batches = training(0);
    for (epoch, before) in batches.chunks(2).zip(whole.chunks(2)) {
        let mut damaged: Vec<u32> = epoch.iter().flat_map(|batch| batch.damaged.clone()).collect();
        damaged.sort_unstable();
        assert_eq!(damaged, [3, 4]);
        for (batch, before) in epoch.iter().zip(before) {
            // As many, and of the same classes; what is not damaged is as it was.
            assert_eq!(batch.labels, before.labels);
            let len = batch.images.len() / batch.labels.len();
            let images = batch.images.chunks_exact(len).zip(before.images.chunks_exact(len));
            assert_eq!(images.filter(|(now, before)| now != before).count(), batch.damaged.len());
        }
    }
    for from in 0..4 {
        assert!(training(from) == batches[from as usize..], "from step {from}");
    }
}

#[test]
fn an_error_reaches_whoever_asks_for_the_batch() {
    let root = tempfile::tempdir().unwrap();
    let set = dataset(root.path(), 6, MANNER);
    std::fs::write(root.path().join("4.jpg"), "gone bad").unwrap();
    let mut loader = Loader::<f32>::validation(set, 24, 2);
    assert!(loader.next_batch().is_ok_and(|batch| batch.is_some()));
    assert!(loader.next_batch().is_ok_and(|batch| batch.is_some()));
    let said = loader.next_batch().unwrap_err().to_string();
    assert!(said.contains("4.jpg: cannot be decoded"), "{said}");
}

#[test]
fn without_a_crop_the_middle_is_served_after_the_short_side_was_brought_to_the_margin() {
    let root = tempfile::tempdir().unwrap();
    let stored = Stored::new(photographs(root.path(), 3), Manner { margin: 1.25, ..MANNER });
    let mut target = vec![0; 48 * 48 * 3];
    stored.serve(0, Extent::square(48), &mut Hand::new(3), &mut target, |_| None).unwrap();
    // 90 × 60: the short side is brought to 60, so nothing is resized and 48 × 48 pixels are cut out.
    let image = image::open(root.path().join("0.png")).unwrap().into_rgb8();
    let expected: Vec<u8> =
        (6..54).flat_map(|y| (21..69).flat_map(move |x| [(x, y)])).flat_map(|(x, y)| image.get_pixel(x, y).0).collect();
    assert_eq!(target, expected);
}

#[test]
fn rectangular_batches_hold_images_of_alike_shape_each_once() {
    let root = tempfile::tempdir().unwrap();
    let set = dataset(root.path(), 8, Manner { rectangular: true, ..MANNER });
    let batches = validation_batches(&set.val, 64, 2);
    // 64×96, 70×70, 90×60 and 120×80, two of each.
    let extents: Vec<[usize; 2]> = batches.iter().map(|(_, e)| [e.width, e.height]).collect();
    assert_eq!(extents, [[64, 96], [64, 64], [96, 64], [96, 64]]);
    let mut all: Vec<u32> = batches.iter().flat_map(|(indices, _)| indices.clone()).collect();
    all.sort_unstable();
    assert!(all.into_iter().eq(0..8));
    let mut loader = Loader::<f32>::validation(set, 64, 2);
    let (batch, _) = loader.next_batch().unwrap().unwrap();
    assert_eq!((batch.size, batch.extent, batch.images.len()), (64, Extent { width: 64, height: 96 }, 2 * 64 * 96 * 3));
}

#[test]
fn whether_a_file_is_damaged_does_not_depend_on_the_size_it_is_served_at() {
    let root = tempfile::tempdir().unwrap();
    let photo = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/photos/colour.jpg");
    let bytes = std::fs::read(photo).unwrap();
    // Its data end early, and the marker of its end stands there all the same.
    let mut cut = bytes[..bytes.len() * 3 / 4].to_vec();
    cut.extend([0xff, 0xd9]);
    let mut files = Files::default();
    for (name, bytes) in [("whole.jpg", &bytes), ("cut.jpg", &cut)] {
        let path = root.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        files.files.push((path, Extent { width: 83, height: 61 }));
    }
    let again = Files { files: files.files.clone() };
    let stored = Stored::new(files, Manner { skip_bad: true, ..MANNER });
    // As they are read into memory.
    let strict = Stored::new(again, MANNER).checked();
    let mut hand = Hand::new(3);
    for side in [4, 8, 20, 40, 61] {
        let to = Extent::square(side);
        let mut image = vec![0; side * side * 3];
        let mut served = |index: usize| stored.serve_or_leave_out(index, to, &mut hand, &mut image).unwrap();
        assert_eq!([0, 1, 0, 1].map(&mut served), [true, false, true, false], "{side}");
        // A crop from above the damage.
        let top = Window { left: 0, top: 0, width: 20, height: 8 };
        let found = stored.serve_or_another(1, &[0, 0], to, &mut hand, &mut image, |_| Some(top)).unwrap();
        assert_eq!(found, 0, "{side}");
        let mut whole = |index: usize| strict.serve(index, to, &mut hand, &mut image, |_| Some(top)).is_ok();
        assert_eq!([0, 1].map(&mut whole), [true, false], "{side}");
    }
    assert!(stored.whole(0, &mut hand).is_ok() && stored.whole(1, &mut hand).is_err());
}
