use super::*;
use crate::resize::Window;
use std::path::PathBuf;

/// From `scripts/make_photos.py`: files of all kinds, and what Pillow makes of them.
fn fixture(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/photos")).join(name)
}

fn file(name: &str) -> (PathBuf, Vec<u8>) {
    let path = fixture(name);
    let bytes = fs::read(&path).unwrap();
    (path, bytes)
}

/// Pillow's pixels, in as many channels as are wanted.
fn pillows(name: &str, channels: usize) -> (Vec<u8>, Extent) {
    let image = image::open(fixture(name)).unwrap();
    let extent = Extent { width: image.width() as usize, height: image.height() as usize };
    (if channels == 1 { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() }, extent)
}

/// The largest and the mean distance of two images.
fn distance(a: &[u8], b: &[u8]) -> (u8, f64) {
    assert_eq!(a.len(), b.len());
    let distances = || a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
    (distances().max().unwrap(), distances().map(f64::from).sum::<f64>() / a.len() as f64)
}

#[test]
fn files_of_all_kinds_are_decoded_as_by_pillow() {
    // The decoders of JPEG round differently, most where colours of half the resolution are interpolated and where four
    // channels become three. PNG leaves no room for that.
    let files = [
        ("colour.jpg", 4, 0.5),
        ("full.jpg", 3, 0.5),
        ("progressive.jpg", 4, 0.5),
        ("grey.jpg", 1, 0.1),
        ("cmyk.jpg", 3, 0.6),
        ("palette.png", 0, 0.0),
        ("transparent.png", 0, 0.0),
        ("grey-transparent.png", 0, 0.0),
    ];
    let (mut decoder, mut wrong) = (Decoder::default(), Vec::new());
    for (name, most, mean) in files {
        let (path, bytes) = file(name);
        for (channels, word) in [(3, "rgb"), (1, "grey")] {
            let decoded = decoder.whole(&path, &bytes, channels).unwrap();
            let stem = name.split('.').next().unwrap();
            let (expected, extent) = pillows(&format!("{stem}.{word}.png"), channels);
            let found = distance(decoded.pixels, &expected);
            assert_eq!(decoded.extent, extent, "{name}");
            if found.0 > most || found.1 > mean {
                wrong.push(format!("{name} in {word}: {found:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn reduced_images_are_pillows_drafts() {
    let mut decoder = Decoder::default();
    for stem in ["colour", "full", "progressive", "grey"] {
        let (path, bytes) = file(&format!("{stem}.jpg"));
        let of = extent_of(&path, &bytes).unwrap();
        for (eighths, word) in [(4, "half"), (2, "quarter"), (1, "eighth")] {
            let (expected, extent) = pillows(&format!("{stem}.{word}.png"), 3);
            let whole = Region::from(Window::whole(of));
            let to = Extent { width: of.width * eighths / 8, height: of.height * eighths / 8 };
            let decoded = decoder.part(&path, &bytes, 3, of, (whole, to)).unwrap();
            let found = (decoded.eighths, decoded.extent, decoded.part);
            assert_eq!(found, (eighths, extent, Window::whole(extent)), "{stem} {word}");
            assert_eq!(decoded.pixels, expected, "{stem} {word}: the same library, the same bytes");
        }
    }
}

/// A file whose data end early, at a share of them, with the marker of an image's end behind.
fn ending_early(bytes: &[u8], share: f64) -> Vec<u8> {
    let start = bytes.windows(2).rposition(|two| two == [0xff, 0xda]).unwrap() + 14;
    let mut cut = bytes[..start + ((bytes.len() - 2 - start) as f64 * share) as usize].to_vec();
    while cut.last() == Some(&0xff) {
        cut.pop();
    }
    cut.extend([0xff, 0xd9]);
    cut
}

#[test]
fn a_file_is_whole_or_not_whatever_is_asked_of_it() {
    for name in ["colour.jpg", "full.jpg", "grey.jpg", "progressive.jpg", "cmyk.jpg"] {
        let (path, bytes) = file(name);
        assert!(check_whole(&path, &bytes, 3).is_ok(), "{name}");
        for share in [0.1, 0.5, 0.95] {
            let said = check_whole(&path, &ending_early(&bytes, share), 3).unwrap_err().to_string();
            assert!(said.contains("cannot be decoded: its data end early"), "{name}: {said}");
        }
        assert!(check_whole(&path, &bytes[..bytes.len() - 2], 3).is_err(), "{name}");
    }
    let (path, bytes) = file("palette.png");
    assert!(check_whole(&path, &bytes, 3).is_ok() && check_whole(&path, &bytes[..bytes.len() / 2], 3).is_err());
}

/// All of an image at eighths of its size.
fn scaled(bytes: &[u8], of: Extent, eighths: usize) -> (Vec<u8>, Extent, usize) {
    let extent = crop::at(of, eighths);
    let whole = jpeg::Part { left: 0, top: 0, width: extent.width, height: extent.height };
    let mut pixels = Vec::new();
    let found = jpeg::decode(bytes, (of.width, of.height), eighths, whole, &mut pixels).unwrap();
    let jpeg::Found::Pixels { part, channels } = found else { panic!("{found:?}") };
    assert!(part == whole && pixels.len() == extent.width * extent.height * channels);
    (pixels, extent, channels)
}

#[test]
fn parts_of_jpeg_files_are_the_same_as_in_the_whole_image() {
    let photos = ["colour.jpg", "full.jpg", "grey.jpg", "progressive.jpg"].map(|name| file(name).1);
    let samplings = [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)].map(|pixels| sampled(50, 90, pixels));
    let mut pixels = Vec::new();
    for (k, bytes) in photos.iter().chain(&samplings).enumerate() {
        let of = extent_of(Path::new("x.jpg"), bytes).unwrap();
        for eighths in 1..=8 {
            let (all, extent, channels) = scaled(bytes, of, eighths);
            let (Extent { width: w, height: h }, stride) = (extent, extent.width * channels);
            for (left, right) in [(0, 1), (0, w), (w - 1, w), (w / 3, w / 3 + 1), (w / 4, w / 2 + 1), (w / 2, w)] {
                // Every first row, and a part that is not a row alone.
                for (top, bottom) in (0..h).map(|top| (top, top + 1)).chain((0..h).step_by(3).map(|top| (top, h))) {
                    let wanted = jpeg::Part { left, top, width: right - left, height: bottom - top };
                    let found = jpeg::decode(bytes, (of.width, of.height), eighths, wanted, &mut pixels).unwrap();
                    let jpeg::Found::Pixels { part, .. } = found else { panic!("{found:?}") };
                    assert!(part.left <= left && part.left + part.width >= right, "{part:?} for {wanted:?}");
                    assert_eq!((part.top, part.height), (top, bottom - top));
                    for (y, row) in pixels.chunks_exact(part.width * channels).enumerate() {
                        let found = &row[(left - part.left) * channels..(right - part.left) * channels];
                        let expected =
                            &all[(top + y) * stride + left * channels..(top + y) * stride + right * channels];
                        assert!(found == expected, "file {k} at {eighths} eighths: row {y} of {wanted:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn pixels_that_are_not_read_are_not_decoded_and_change_nothing() {
    let (path, bytes) = file("colour.jpg");
    let of = extent_of(&path, &bytes).unwrap();
    let (mut decoder, mut resizer) = (Decoder::default(), Resizer::new(3));
    for (side, eighths) in [(7, 2), (9, 3), (12, 4), (16, 5), (22, 6), (25, 7), (28, 8)] {
        let to = Extent::square(side);
        let (all, extent, _) = scaled(&bytes, of, eighths);
        let mut least = extent;
        for top in 0..20 {
            let region = Region { left: f64::from(top) * 2.5, top: f64::from(top) * 1.5, width: 31.0, height: 29.5 };
            let decoded = decoder.part(&path, &bytes, 3, of, (region, to)).unwrap();
            assert_eq!((decoded.eighths, decoded.extent), (eighths, extent), "{side}: {top}");
            least.width = least.width.min(decoded.part.width);
            least.height = least.height.min(decoded.part.height);
            let (mut part, mut whole) = (vec![0; side * side * 3], vec![0; side * side * 3]);
            decoded.resize(&mut resizer, region, to, &mut part);
            resizer.resize_region(&all, extent, region.at(eighths), to, &mut whole);
            assert_eq!(part, whole, "{side}: {top}");
        }
        assert!(least.width < extent.width && least.height * 4 < extent.height * 3, "{side}: {least} of {extent}");
    }
}

#[test]
fn an_image_whose_part_would_take_longer_is_decoded_at_full_size() {
    let (path, bytes) = file("colour.jpg");
    let of = extent_of(&path, &bytes).unwrap();
    let mut decoder = Decoder::default();
    let all = decoder.whole(&path, &bytes, 3).unwrap().pixels.to_vec();
    let whole = Region::from(Window::whole(of));
    for eighths in 5..=8 {
        let to = Extent { width: of.width * eighths / 8, height: of.height * eighths / 8 };
        let decoded = decoder.part(&path, &bytes, 3, of, (whole, to)).unwrap();
        assert_eq!((decoded.eighths, decoded.extent, decoded.part), (8, of, Window::whole(of)));
        assert_eq!(decoded.pixels, all);
    }
}

#[test]
fn a_shortened_file_gives_the_rows_that_are_read_unchanged() {
    let mut decoder = Decoder::default();
    for name in ["colour.jpg", "full.jpg", "grey.jpg", "cmyk.jpg", "progressive.jpg"] {
        let (path, bytes) = file(name);
        let of = extent_of(&path, &bytes).unwrap();
        let all = decoder.whole(&path, &bytes, 3).unwrap().pixels.to_vec();
        let mut fewest = of.height;
        for height in 1..=of.height {
            let region = Region { left: 0.0, top: 0.0, width: of.width as f64, height: height as f64 };
            let to = Extent { width: of.width, height };
            let decoded = decoder.part(&path, &bytes, 3, of, (region, to)).unwrap();
            let rows = crop::window(of, region, to, 8).height;
            let Window { left, top, width, height: there } = decoded.part;
            assert!(
                decoded.eighths == 8 && (left, top, width) == (0, 0, of.width) && there >= rows,
                "{name}: {height}"
            );
            assert_eq!(decoded.pixels[..rows * of.width * 3], all[..rows * of.width * 3], "{name}: {height}");
            fewest = fewest.min(there);
        }
        // Several scans, as a progressive file has them, are decoded whole.
        assert_eq!(fewest < of.height, name != "progressive.jpg", "{name}: {fewest} of {}", of.height);
    }
}

/// A baseline file whose colours have a part of the resolution.
fn sampled(width: usize, height: usize, pixels: (u8, u8)) -> Vec<u8> {
    let mut coder = mozjpeg::Compress::new(mozjpeg::ColorSpace::JCS_RGB);
    coder.set_fastest_defaults();
    coder.set_size(width, height);
    coder.set_chroma_sampling_pixel_sizes(pixels, pixels);
    let mut coder = coder.start_compress(Vec::new()).unwrap();
    let image: Vec<u8> = (0..width * height * 3).map(|i| (i * i / 7 + i % 3 * 90 + i / 50 * 3) as u8).collect();
    coder.write_scanlines(&image).unwrap();
    coder.finish().unwrap()
}

#[test]
fn shortened_files_keep_their_rows_however_colours_are_sampled() {
    let path = Path::new("sampled.jpg");
    let (width, height) = (50, 90);
    for pixels in [(1, 1), (2, 1), (1, 2), (2, 2), (4, 1)] {
        let bytes = sampled(width, height, pixels);
        let of = Extent { width, height };
        let all = Decoder::default().whole(path, &bytes, 3).unwrap().pixels.to_vec();
        // One decoder for all: nothing is left of the image before.
        let mut decoder = Decoder::default();
        for rows in 1..=height {
            let found = decoder.full(path, &bytes, 3, rows).unwrap();
            let kept = decoder.pixels.len() / (width * 3);
            assert!(found == of && kept >= rows && decoder.pixels.len() == kept * width * 3, "{pixels:?}: {rows}");
            assert_eq!(decoder.pixels[..rows * width * 3], all[..rows * width * 3], "{pixels:?}: {rows}");
            assert!(kept < height || rows > height - 2 * 16, "{pixels:?}: {kept} for {rows}");
        }
    }
}

#[test]
fn what_was_decoded_before_is_never_seen() {
    let (path, bytes) = file("colour.jpg");
    let of = extent_of(&path, &bytes).unwrap();
    let white = sampled(of.width, of.height, (1, 1));
    for at in (bytes.len() / 3..bytes.len() - 2).step_by(5) {
        let mut damaged = bytes.clone();
        (damaged[at], damaged[at + 1]) = (0xff, 0xfe);
        let mut used = Decoder::default();
        used.whole(&path, &white, 3).unwrap();
        let fresh = Decoder::default().whole(&path, &damaged, 3).map(|decoded| decoded.pixels.to_vec());
        let again = used.whole(&path, &damaged, 3).map(|decoded| decoded.pixels.to_vec());
        assert!(fresh.ok() == again.ok(), "damage at {at}");
    }
}

#[test]
fn the_middle_of_a_reduced_image_is_that_of_the_whole_one() {
    let (path, bytes) = file("full.jpg");
    let of = extent_of(&path, &bytes).unwrap();
    let (mut decoder, mut resizer) = (Decoder::default(), Resizer::new(3));
    let to = Extent::square(24);
    let region = Region::middle(of, to, 8.0 / 7.0);
    let (mut reduced, mut whole) = (vec![0; 24 * 24 * 3], vec![0; 24 * 24 * 3]);
    let decoded = decoder.part(&path, &bytes, 3, of, (region, to)).unwrap();
    assert_eq!(decoded.eighths, 4);
    decoded.resize(&mut resizer, region, to, &mut reduced);
    decoder.whole(&path, &bytes, 3).unwrap().resize(&mut resizer, region, to, &mut whole);
    let (most, mean) = distance(&reduced, &whole);
    // A pixel's shift would be seen: the shapes' slopes are of ten a pixel.
    assert!(most <= 25 && mean < 2.5, "{most} {mean}");
}

#[test]
fn damage_is_an_error_at_any_scale_or_leaves_an_image() {
    let (path, bytes) = file("colour.jpg");
    let of = extent_of(&path, &bytes).unwrap();
    let mut decoder = Decoder::default();
    for to in [Extent::square(8), Extent::square(60)] {
        let whole = Region::from(Window::whole(of));
        let mut read = |bytes: &[u8]| decoder.part(&path, bytes, 3, of, (whole, to)).map(|d| d.pixels.len());
        for length in [0, 1, 30, bytes.len() / 2, bytes.len() - 1] {
            let said = read(&bytes[..length]).unwrap_err().to_string();
            assert!(said.contains("colour.jpg: cannot be decoded"), "{said}");
        }
        // One byte after another turned around: whatever comes of it, it comes back.
        for at in (0..bytes.len()).step_by(11) {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0xff;
            let _ = read(&damaged);
        }
        let other = Extent { width: of.width + 1, ..of };
        let said = decoder.part(&path, &bytes, 3, other, (whole, to)).err().unwrap().to_string();
        assert!(said.contains("83×61 pixels now, and was 84×61"), "{said}");
    }
}

const READING: Reading = Reading { channels: 3, turns: true };

/// The photographs of each EXIF orientation: the file, its turn, and what Pillow's `exif_transpose` shows.
fn turned() -> impl Iterator<Item = (PathBuf, Vec<u8>, Turn, Vec<u8>, Extent)> {
    (1..=8).map(|orientation| {
        let (path, bytes) = file(&format!("turned-{orientation}.jpg"));
        let (shown, extent) = pillows(&format!("turned-{orientation}.png"), 3);
        let turn = turn(&bytes, true);
        assert_eq!(turn.is_none(), orientation == 1);
        assert!(super::turn(&bytes, false).is_none());
        (path, bytes, turn, shown, extent)
    })
}

#[test]
fn photographs_are_turned_as_by_pillow() {
    let mut decoder = Decoder::default();
    for (path, bytes, turn, expected, shown) in turned() {
        let name = path.display();
        assert_eq!(
            (extent(&path, true).unwrap(), extent_of(&path, &bytes).unwrap()),
            (shown, turn.extent(shown)),
            "{name}"
        );
        assert_eq!(extent(&path, false).unwrap(), turn.extent(shown), "{name}");
        // At full size, whole and in rows that end above the image's end.
        let whole = Region::from(Window::whole(shown));
        let decoded = decoder.turned(turn, &path, &bytes, 3, shown, (whole, shown)).unwrap();
        assert_eq!((decoded.extent, decoded.part, decoded.eighths), (shown, Window::whole(shown), 8), "{name}");
        let found = distance(decoded.pixels, &expected);
        assert!(found.0 <= 3 && found.1 <= 0.5, "{name}: {found:?}");
        let all = decoded.pixels.to_vec();
        with_whole(&path, READING, |pixels, extent| {
            assert!(pixels == all && extent == shown, "{name}");
            Ok(())
        })
        .unwrap();
        with_whole(&path, Reading { channels: 1, ..READING }, |pixels, extent| {
            assert!(pixels.len() * 3 == all.len() && extent == shown, "{name}");
            Ok(())
        })
        .unwrap();
    }
}

#[test]
fn crops_lie_in_the_turned_image() {
    let (mut decoder, mut resizer) = (Decoder::default(), Resizer::new(3));
    let mut scales = std::collections::BTreeSet::new();
    for (path, bytes, turn, expected, shown) in turned() {
        let stored = turn.extent(shown);
        for (k, (left, top)) in [(0.0, 0.0), (1.0, 2.0), (2.5, 7.25), (4.0, 3.0)].into_iter().enumerate() {
            // Of the last one all pixels are decoded.
            for (width, height) in [(3, 2), (5, 8), (15, 13), (24, 24)] {
                let to = Extent { width, height };
                let region = Region { left, top, width: 20.0 + k as f64, height: 19.5 };
                let decoded = decoder.turned(turn, &path, &bytes, 3, shown, (region, to)).unwrap();
                let eighths = decoded.eighths;
                scales.insert(eighths);
                let mut found = vec![0; to.width * to.height * 3];
                decoded.resize(&mut resizer, region, to, &mut found);
                // The slow way: all of it at that scale, by the one decoder or the other, turned whole, and the same place of it
                // resized.
                let at = crop::at(stored, eighths);
                let (right, down) = turn.offset(stored, at, eighths);
                let place = region.at(eighths);
                let place = Region { left: place.left + right, top: place.top + down, ..place };
                let (mut upright, mut want) = (Vec::new(), vec![0; found.len()]);
                let whole = (eighths == 8).then(|| decoder.whole(&path, &bytes, 3).unwrap().pixels.to_vec());
                let is_same = whole.into_iter().chain([scaled(&bytes, stored, eighths).0]).any(|all| {
                    turn.apply(&all, at, 3, &mut upright);
                    resizer.resize_region(&upright, turn.extent(at), place, to, &mut want);
                    found == want
                });
                assert!(is_same, "{}: {region:?} to {to} at {eighths} eighths", path.display());
                // And it is that place of what Pillow shows: a crop of another would be far off.
                resizer.resize_region(&expected, shown, region, to, &mut want);
                let off = distance(&found, &want);
                assert!(off.1 < 5.0, "{}: {region:?} to {to} at {eighths} eighths: {off:?}", path.display());
            }
        }
    }
    assert!(scales.contains(&8) && scales.len() > 2, "{scales:?}");
}

#[test]
fn tags_that_cannot_be_read_turn_nothing() {
    let (_, bytes) = file("turned-6.jpg");
    assert!(!turn(&bytes, true).is_none());
    for length in 0..bytes.len() {
        let _ = turn(&bytes[..length], true);
    }
    // Its EXIF segment under another name, and an orientation that there is not.
    let at = bytes.windows(4).position(|four| four == b"Exif").unwrap();
    let mut other = bytes.clone();
    other[at] = b'e';
    assert!(turn(&other, true).is_none());
    let tag = at + bytes[at..].windows(2).position(|two| two == [0x12, 0x01] || two == [0x01, 0x12]).unwrap();
    for byte in tag + 8..tag + 12 {
        let mut other = bytes.clone();
        other[byte] ^= 6 ^ 9;
        let _ = turn(&other, true);
    }
    assert!(turn(&file("palette.png").1, true).is_none() && turn(&file("colour.jpg").1, true).is_none());
}
