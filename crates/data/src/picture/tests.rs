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
        for (scale, word) in [(2, "half"), (4, "quarter"), (8, "eighth")] {
            let (expected, extent) = pillows(&format!("{stem}.{word}.png"), 3);
            let whole = Region::from(Window::whole(of));
            let to = Extent { width: of.width / scale, height: of.height / scale };
            let decoded = decoder.part(&path, &bytes, 3, of, (whole, to)).unwrap();
            assert_eq!((decoded.scale, decoded.extent), (scale, extent), "{stem} {word}");
            assert_eq!(decoded.pixels, expected, "{stem} {word}: the same library, the same bytes");
        }
    }
}

#[test]
fn rows_that_are_not_read_are_not_decoded_and_change_nothing() {
    let (path, bytes) = file("colour.jpg");
    let of = extent_of(&path, &bytes).unwrap();
    let (mut decoder, mut resizer) = (Decoder::default(), Resizer::new(3));
    let to = Extent::square(12);
    for top in 0..20 {
        let region = Region { left: 7.5, top: f64::from(top) * 1.5, width: 31.0, height: 29.5 };
        let decoded = decoder.part(&path, &bytes, 3, of, (region, to)).unwrap();
        assert!(decoded.scale == 2 && decoded.extent.height <= of.height.div_ceil(2));
        assert!(top > 10 || decoded.extent.height < of.height.div_ceil(2), "{top}: {:?}", decoded.extent);
        let (mut part, mut all) = (vec![0; 12 * 12 * 3], vec![0; 12 * 12 * 3]);
        decoded.resize(&mut resizer, region, to, &mut part);
        let (pixels, half) = pillows("colour.half.png", 3);
        resizer.resize_region(&pixels, half, region.shrunk(2), to, &mut all);
        assert_eq!(part, all, "{top}");
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
            let region = Region { left: 2.0, top: 0.0, width: 40.0, height: height as f64 };
            let to = Extent { width: 40, height };
            let decoded = decoder.part(&path, &bytes, 3, of, (region, to)).unwrap();
            let rows = reduced::rows(of, region, to, 1);
            assert!(
                decoded.scale == 1 && decoded.extent.width == of.width && decoded.extent.height >= rows,
                "{name}: {height}"
            );
            assert_eq!(decoded.pixels[..rows * of.width * 3], all[..rows * of.width * 3], "{name}: {height}");
            fewest = fewest.min(decoded.extent.height);
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
    assert_eq!(decoded.scale, 2);
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
