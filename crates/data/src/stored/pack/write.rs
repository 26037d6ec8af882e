//! Making a pack: image after image into a file beside it, with a journal by which a killed process is taken up again.

use super::Pack;
use super::layout::{self, HEADER, Head, RECORD, Record};
use crate::DataError;
use crate::picture::{self, Decoder};
use crate::resize::{Extent, Region, Resizer, Window};
use crate::stored::{Skipped, on_pool};
use crate::units::count;
use image::codecs::jpeg::JpegEncoder;
use image::{ColorType, ImageEncoder};
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Images between two entries of the journal, which are in memory together: decoded photographs are large.
pub(super) const AT_ONCE: usize = 32;
/// Of JPEG files that have to be made, where nothing else is said.
const QUALITY: u8 = 90;

/// What a pack holds of each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Its file: as it is, where it need not be made smaller and no quality is asked for; else a JPEG file.
    Files { quality: Option<u8> },
    /// Its pixels.
    Pixels,
}

/// How a pack is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What larger images are brought to.
    pub short_side: Option<usize>,
    pub form: Form,
    /// Leaves out files that cannot be decoded.
    pub skip_bad: bool,
}

impl Options {
    /// Those of the pixels; 0 where images are files.
    fn channels(self, listing: &Listing) -> usize {
        if self.form == Form::Pixels { listing.channels } else { 0 }
    }

    /// Of JPEG files that are made.
    fn quality(self) -> Option<u8> {
        match self.form {
            Form::Files { quality } => quality.or(self.short_side.map(|_| QUALITY)),
            Form::Pixels => None,
        }
    }
}

/// The files that go into a pack.
pub struct Listing {
    pub classes: Vec<String>,
    /// Training images, then those for validation, each with its class.
    pub files: Vec<(PathBuf, u32)>,
    pub train: usize,
    /// The folder that names are relative to.
    pub root: PathBuf,
    /// One or three.
    pub channels: usize,
    /// The list that says which images are for validation, where there is one.
    pub val_list: Option<String>,
    /// Whether images are turned as their EXIF orientation says.
    pub turns: bool,
    /// What was left out before: it is no image.
    pub skipped: Vec<Skipped>,
}

impl Listing {
    /// The name of one of its images: its path under the folder, with `/` on any system.
    fn name(&self, path: &Path) -> String {
        let relative = path.strip_prefix(&self.root).unwrap_or(path);
        relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
    }

    /// Whether a pack is one of these images, as far as their names, classes and sides tell; some may have been left out of it.
    fn is_of(&self, pack: &Pack) -> bool {
        let all = self.files.len() + self.skipped.len();
        if pack.head.classes != self.classes || pack.records.len() + pack.head.skipped != all {
            return false;
        }
        let mut files = self.files.iter().enumerate();
        pack.records.iter().enumerate().all(|(at, record)| {
            let is_to_train_on = at < pack.head.train;
            files.any(|(k, (path, class))| {
                (k < self.train, *class) == (is_to_train_on, record.class) && self.name(path) == pack.image_name(at)
            })
        })
    }
}

/// In what a pack that is there differs from the one that would be made in its place: how it was made. Nothing, as far as can be told
/// without making the other one.
pub fn differences(there: &Path, listing: &Listing, options: Options) -> Vec<String> {
    let Ok(pack) = Pack::open(there) else { return vec!["damaged, or of another version".to_owned()] };
    let (head, channels) = (&pack.head, options.channels(listing));
    let option = |name: &str, value: Option<String>| match value {
        Some(value) => format!("with {name} {value}"),
        None => format!("without {name}"),
    };
    let mut found = Vec::new();
    if head.channels != channels {
        found.push(match (head.channels, channels) {
            (0, _) => "without --decoded".to_owned(),
            (_, 0) => "with --decoded".to_owned(),
            (there, _) => format!("of images of {there} channels"),
        });
    }
    if head.short_side != options.short_side {
        found.push(option("--short-side", head.short_side.map(|side| side.to_string())));
    } else if head.quality != options.quality() && found.is_empty() {
        found.push(option("--quality", head.quality.map(|quality| quality.to_string())));
    }
    if head.val_list != listing.val_list {
        found.push(option("val_list", head.val_list.as_ref().map(|list| format!("= \"{list}\""))));
    }
    if head.turned != listing.turns {
        found.push(format!("{} exif_orientation", if head.turned { "with" } else { "without" }));
    }
    if head.skipped > 0 && !options.skip_bad {
        found.push(format!("with --skip-bad, which left {} out", head.skipped));
    } else if !listing.is_of(&pack) {
        found.push(format!("of other images, {} in all", count(pack.records.len() as u64)));
    }
    found
}

/// What was packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    pub images: usize,
    pub bytes: u64,
    /// Files that an earlier process had packed already.
    pub resumed: usize,
    pub skipped: Vec<Skipped>,
}

/// Packs a listing into the file `to`, which appears when all is done. `watch` hears how many files are.
///
/// What is there of an earlier try with the same files and options is gone on with.
///
/// # Errors
/// When a file cannot be read or decoded, the disk refuses, or another process makes the same pack.
pub fn write(
    listing: &Listing,
    options: Options,
    to: &Path,
    mut watch: impl FnMut(usize),
) -> Result<Packed, DataError> {
    let mut work = Work::begin(listing, options, to)?;
    let resumed = work.records.len();
    let mut skipped = listing.skipped.clone();
    // What an earlier process left out is looked at again, to be named.
    for ((path, _), _) in listing.files.iter().zip(&work.records).filter(|(_, record)| record.bytes == 0) {
        if let Err(error) = made(path, (listing.channels, listing.turns), options) {
            skipped.push(Skipped::of(error)?);
        }
    }
    watch(resumed);
    while work.records.len() < listing.files.len() {
        let done = work.records.len();
        let part = &listing.files[done..listing.files.len().min(done + AT_ONCE)];
        let make = |(path, _): &(PathBuf, u32)| made(path, (listing.channels, listing.turns), options);
        let images = on_pool(|| part.par_iter().map(make).collect::<Vec<_>>());
        let mut found = Vec::new();
        for ((_, class), image) in part.iter().zip(images) {
            match image {
                Ok(image) => found.push((*class, Some(image))),
                Err(error) if options.skip_bad => {
                    skipped.push(Skipped::of(error)?);
                    found.push((*class, None));
                }
                Err(error) => return Err(error),
            }
        }
        work.add(found)?;
        watch(work.records.len());
    }
    let (images, bytes) = work.finish(listing, options, to)?;
    Ok(Packed { images, bytes, resumed, skipped })
}

/// An image as it is packed.
struct Made {
    bytes: Vec<u8>,
    extent: Extent,
}

/// Reads a file, sees that it can be decoded whole, and makes of it what is packed.
fn made(path: &Path, (channels, turns): (usize, bool), options: Options) -> Result<Made, DataError> {
    let mut file = Vec::new();
    picture::read(path, &mut file)?;
    // As where the set is read into memory: decoders make up for data that end early.
    picture::check_whole(path, &file, channels)?;
    let turn = picture::turn(&file, turns);
    let of = turn.extent(picture::extent_of(path, &file)?);
    let short = of.width.min(of.height);
    let smaller = options.short_side.filter(|side| *side < short);
    let scaled = |side: usize| ((side as f64 * smaller.unwrap_or(short) as f64 / short as f64).round() as usize).max(1);
    let to = Extent { width: scaled(of.width), height: scaled(of.height) };
    let region = Region::from(Window::whole(of));
    let mut decoder = Decoder::default();
    let keeps_file = matches!(options.form, Form::Files { quality: None }) && smaller.is_none();
    if keeps_file {
        decoder.whole(path, &file, channels)?;
        return Ok(Made { bytes: file, extent: of });
    }
    let mut pixels = vec![0; to.width * to.height * channels];
    let decoded = decoder.turned(turn, path, &file, channels, of, (region, to))?;
    decoded.resize(&mut Resizer::new(channels), region, to, &mut pixels);
    let Form::Files { quality } = options.form else { return Ok(Made { bytes: pixels, extent: to }) };
    let mut bytes = Vec::new();
    let colour = if channels == 1 { ColorType::L8 } else { ColorType::Rgb8 };
    JpegEncoder::new_with_quality(&mut bytes, quality.unwrap_or(QUALITY))
        .write_image(&pixels, to.width as u32, to.height as u32, colour.into())
        .map_err(|e| DataError::Unusable {
            path: path.to_owned(),
            problem: format!("cannot be encoded as JPEG: {e}"),
            remedy: "pack pixels: --decoded".to_owned(),
        })?;
    Ok(Made { bytes, extent: to })
}

/// A pack under way: the images so far, and the journal that says which they are.
struct Work {
    part: (PathBuf, File),
    journal: (PathBuf, File),
    /// In the listing's order; of no bytes where a file was left out.
    records: Vec<Record>,
    end: u64,
}

impl Work {
    /// Takes up what is there, or begins.
    fn begin(listing: &Listing, options: Options, to: &Path) -> Result<Self, DataError> {
        if to.is_dir() {
            return Err(DataError::Unusable {
                path: to.to_owned(),
                problem: "a folder, where the pack is to be written".to_owned(),
                remedy: "name a file, in it or elsewhere".to_owned(),
            });
        }
        let [part, journal] = ["part", "journal"].map(|ending| {
            let name = to.file_name().unwrap_or_default().to_string_lossy();
            to.with_file_name(format!(".{name}.{ending}"))
        });
        let open = |path: &Path| {
            let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
            file.map_err(DataError::io(path, "write"))
        };
        let mut work = Self {
            journal: (journal.clone(), open(&journal)?),
            part: (part.clone(), open(&part)?),
            records: Vec::new(),
            end: HEADER as u64,
        };
        if work.journal.1.try_lock().is_err() {
            return Err(DataError::Unusable {
                path: to.to_owned(),
                problem: "another process is making this pack".to_owned(),
                remedy: "wait until it is done, or name another file".to_owned(),
            });
        }
        let task = task(listing, options);
        let mut bytes = Vec::new();
        work.journal.1.read_to_end(&mut bytes).map_err(DataError::io(&journal, "read"))?;
        let written = work.part.1.metadata().map_err(DataError::io(&part, "read"))?.len();
        if let Some(entries) = bytes.strip_prefix(&task[..]) {
            for record in entries.as_chunks::<RECORD>().0.iter().map(Record::from_bytes) {
                if record.at != work.end || record.at + u64::from(record.bytes) > written {
                    break;
                }
                work.end += u64::from(record.bytes);
                work.records.push(record);
            }
        }
        let kept = task.len() + work.records.len() * RECORD;
        if work.records.is_empty() {
            bytes = task.to_vec();
            work.journal.1.set_len(0).map_err(DataError::io(&journal, "write"))?;
            work.journal
                .1
                .rewind()
                .and_then(|()| work.journal.1.write_all(&bytes))
                .map_err(DataError::io(&journal, "write"))?;
        }
        // Behind the last whole entry, on both sides.
        let cut = |(path, file): &mut (PathBuf, File), len: u64| {
            file.set_len(len)
                .and_then(|()| file.seek(SeekFrom::Start(len)))
                .map(drop)
                .map_err(DataError::io(&*path, "write"))
        };
        cut(&mut work.journal, kept as u64)?;
        let end = work.end;
        cut(&mut work.part, end)?;
        Ok(work)
    }

    /// Adds images: their bytes first, and when those are safe, the entries.
    fn add(&mut self, images: Vec<(u32, Option<Made>)>) -> Result<(), DataError> {
        let first = self.records.len();
        let mut bytes = Vec::new();
        for (class, made) in images {
            let at = self.end;
            let extent = made.as_ref().map_or(Extent::default(), |made| made.extent);
            let image = made.map(|made| made.bytes).unwrap_or_default();
            let crc = layout::crc(&image);
            self.records.push(Record { at, bytes: image.len() as u32, extent, class, crc, name_bytes: 0 });
            self.end += image.len() as u64;
            bytes.extend(image);
        }
        let entries: Vec<u8> = self.records[first..].iter().flat_map(|record| record.to_bytes()).collect();
        for ((path, file), bytes) in [(&mut self.part, bytes), (&mut self.journal, entries)] {
            file.write_all(&bytes).and_then(|()| file.sync_data()).map_err(DataError::io(&*path, "write"))?;
        }
        Ok(())
    }

    /// Writes index and header, and gives the pack its name.
    fn finish(mut self, listing: &Listing, options: Options, to: &Path) -> Result<(usize, u64), DataError> {
        let mut names = Vec::new();
        let mut records = Vec::new();
        let mut train = 0;
        for (k, ((path, _), record)) in listing.files.iter().zip(&self.records).enumerate() {
            if record.bytes == 0 {
                continue;
            }
            let name = listing.name(path);
            records.push(Record { name_bytes: name.len(), ..*record });
            names.push(name);
            train += usize::from(k < listing.train);
        }
        let head = Head {
            classes: listing.classes.clone(),
            train,
            channels: options.channels(listing),
            short_side: options.short_side,
            quality: options.quality(),
            skipped: self.records.len() - records.len() + listing.skipped.len(),
            val_list: listing.val_list.clone(),
            turned: listing.turns,
        };
        if train == 0 || train == records.len() {
            return Err(DataError::Unusable {
                path: listing.root.clone(),
                problem: "no training or no validation images can be decoded".to_owned(),
                remedy: "see without --skip-bad what is wrong with the first".to_owned(),
            });
        }
        let (path, mut file) = self.part;
        let mut close = || -> io::Result<()> {
            let index = layout::index(&head, &records, &names)?;
            file.write_all(&index)?;
            file.rewind()?;
            file.write_all(&layout::header(&head, self.end, &index))?;
            file.sync_all()?;
            fs::rename(&path, to)?;
            fs::remove_file(&self.journal.0)?;
            let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
        };
        close().map_err(DataError::io(to, "write"))?;
        self.end = fs::metadata(to).map_err(DataError::io(to, "read"))?.len();
        Ok((records.len(), self.end))
    }
}

/// What a pack is made of and how, as SHA-256: another try goes on with it alone.
fn task(listing: &Listing, options: Options) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(format!("{options:?} {} {} {:?}", listing.channels, listing.train, listing.classes));
    if listing.turns {
        hash.update("turned");
    }
    for (path, class) in &listing.files {
        let bytes = fs::metadata(path).map_or(0, |file| file.len());
        hash.update(format!("{}\0{class}\0{bytes}\0", path.display()));
    }
    hash.finalize().into()
}
