//! One image file: decoded at the scale that is wanted, made grey or colour.

mod budget;
mod crop;
mod markers;
mod turn;

#[cfg(test)]
mod tests;

use crate::DataError;
use crate::error::DAMAGED;
use crate::jpeg;
use crate::luma::luma;
use crate::resize::{Extent, Region, Resizer, Window};
use budget::{Budget, Share};
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Cursor, Read, Seek};
use std::mem;
use std::path::Path;
pub use turn::Turn;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// The most pixels on a side.
const SIDE: u32 = 1 << 14;
/// The most bytes that a file may have: a larger one is damaged or no photograph.
const FILE: u64 = 64 << 20;
/// For all images that are being decoded, on however many threads.
static MEMORY: Budget = Budget::new(TOTAL);
const TOTAL: u64 = 640 << 20;
/// The most that decoding takes a pixel: four channels of 16 bits and their three of 8, or the coefficients of a
/// progressive JPEG in four channels and its colours.
const PER_PIXEL: u64 = 12;
/// Pixels that an image is first believed to have at most.
const SMALL: u64 = 1 << 20;

/// Width and height of an image file; `turns`: as the image is shown, by its EXIF orientation, and not as it is stored.
///
/// # Errors
/// When it is none.
pub fn extent(path: &Path, turns: bool) -> Result<Extent, DataError> {
    check_size(path)?;
    let mut file = BufReader::new(File::open(path).map_err(DataError::io(path, "read"))?);
    let stored = dimensions(path, &mut file)?;
    if !turns {
        return Ok(stored);
    }
    file.rewind().map_err(DataError::io(path, "read"))?;
    Ok(Turn::read(file).map_err(DataError::io(path, "read"))?.extent(stored))
}

/// How an image whose file is in memory is to be turned, where `turns`: JPEG files alone say it.
pub fn turn(bytes: &[u8], turns: bool) -> Turn {
    // Memory can always be read.
    if turns { Turn::read(Cursor::new(bytes)).unwrap_or_default() } else { Turn::default() }
}

/// Width and height of an image whose file is in memory; `path` names it in errors.
///
/// # Errors
/// When it is none.
pub fn extent_of(path: &Path, bytes: &[u8]) -> Result<Extent, DataError> {
    dimensions(path, Cursor::new(bytes))
}

/// Reads a file whole into `bytes`.
///
/// # Errors
/// When it cannot be read, or is far too large for a photograph.
pub fn read(path: &Path, bytes: &mut Vec<u8>) -> Result<(), DataError> {
    let size = check_size(path)?;
    bytes.clear();
    let read = File::open(path).and_then(|file| file.take(size).read_to_end(bytes));
    read.map(drop).map_err(DataError::io(path, "read"))
}

/// Decodes one image after another; keeps its room.
#[derive(Default)]
pub struct Decoder {
    pixels: Vec<u8>,
    /// An image of other channels than are wanted.
    raw: Vec<u8>,
    /// A file that is told to end earlier.
    shortened: Vec<u8>,
    /// Pixels as they are shown.
    turned: Vec<u8>,
}

/// A decoded image, or as much of it as was wanted.
pub struct Decoded<'a> {
    /// `(part.height, part.width, channels)`
    pub pixels: &'a [u8],
    /// What of the image was decoded: all that resizing the wanted region reads, at least.
    pub part: Window,
    /// That of all of the image, at this scale.
    pub extent: Extent,
    /// The scale: so many eighths of the file's, either way.
    pub eighths: usize,
    /// What the places of a region at this scale are moved by: see [`Turn::offset`].
    offset: (f64, f64),
    /// Of the memory for all.
    _share: Share,
}

impl Decoder {
    /// Decodes a file by its content, whatever its name says, with one channel or three. Transparency is dropped; colour
    /// becomes grey as in Pillow's `convert("L")`; as there and in PyTorch, a turned photograph's EXIF orientation is not
    /// looked at: see [`turned`](Self::turned). Waits while others that are being decoded leave too little memory.
    ///
    /// # Errors
    /// When it cannot be decoded whole, or asks for more memory than there is for all.
    pub fn whole(&mut self, path: &Path, bytes: &[u8], channels: usize) -> Result<Decoded<'_>, DataError> {
        let share = share(path, bytes, extent_of(path, bytes)?)?;
        let extent = self.full(path, bytes, channels, usize::MAX)?;
        Ok(Decoded {
            pixels: &self.pixels,
            part: Window::whole(extent),
            extent,
            eighths: 8,
            offset: (0.0, 0.0),
            _share: share,
        })
    }

    /// As [`whole`](Self::whole), for a region that will be brought to the extent `to`: no more than that needs, of a JPEG
    /// file at the smallest scale at which the region still has as many pixels, or at full size where that takes less time.
    /// `of` is the image's own extent.
    ///
    /// # Errors
    /// Likewise; when the image has another extent.
    pub fn part(
        &mut self,
        path: &Path,
        bytes: &[u8],
        channels: usize,
        of: Extent,
        (region, to): (Region, Extent),
    ) -> Result<Decoded<'_>, DataError> {
        let share = share(path, bytes, of)?;
        let other = |found: Extent| format!("it is {found} pixels now, and was {of} when the set was opened");
        let eighths = crop::eighths(region, to);
        if is_jpeg(bytes) && crop::pays(of, region, eighths) && layout(path, bytes)?.has_few_scans() {
            let wanted = crop::window(of, region, to, eighths);
            match jpeg::decode(bytes, (of.width, of.height), eighths, wanted.into(), &mut self.pixels) {
                Ok(jpeg::Found::Pixels { part, channels: given }) => {
                    if given != channels {
                        // Grey is made of the colours, as for whole images.
                        mem::swap(&mut self.pixels, &mut self.raw);
                        self.convert(given == 1);
                    }
                    let (part, extent) = (part.into(), crop::at(of, eighths));
                    return Ok(Decoded {
                        pixels: &self.pixels,
                        part,
                        extent,
                        eighths,
                        offset: (0.0, 0.0),
                        _share: share,
                    });
                }
                Ok(jpeg::Found::OtherSize(width, height)) => {
                    return Err(broken(path, &other(Extent { width, height })));
                }
                // Left to the other decoder: rare, or what that one may take none the less, and has the last word on.
                Ok(jpeg::Found::FourChannels) | Err(_) => {}
            }
        }
        let wanted = crop::window(of, region, to, 8);
        let found = self.full(path, bytes, channels, wanted.top + wanted.height)?;
        if found != of {
            return Err(broken(path, &other(found)));
        }
        let part = Window { height: self.pixels.len() / (of.width * channels), ..Window::whole(of) };
        Ok(Decoded { pixels: &self.pixels, part, extent: of, eighths: 8, offset: (0.0, 0.0), _share: share })
    }

    /// As [`part`](Self::part), of the image as it is shown, whose extent `of` is and in which the region lies: first it is
    /// turned, and then resized.
    ///
    /// # Errors
    /// Likewise.
    pub fn turned(
        &mut self,
        turn: Turn,
        path: &Path,
        bytes: &[u8],
        channels: usize,
        of: Extent,
        (region, to): (Region, Extent),
    ) -> Result<Decoded<'_>, DataError> {
        if turn.is_none() {
            return self.part(path, bytes, channels, of, (region, to));
        }
        let (stored, wanted) = (turn.extent(of), (turn.to_stored(of, region), turn.extent(to)));
        let Decoded { part, extent, eighths, _share: share, .. } = self.part(path, bytes, channels, stored, wanted)?;
        let Window { width, height, .. } = part;
        turn.apply(&self.pixels, Extent { width, height }, channels, &mut self.turned);
        Ok(Decoded {
            pixels: &self.turned,
            part: turn.to_shown(extent, part),
            extent: turn.extent(extent),
            eighths,
            offset: turn.offset(stored, extent, eighths),
            _share: share,
        })
    }

    /// Makes `pixels` of `raw`, which has other channels: colour of grey, or grey of colour.
    fn convert(&mut self, is_grey: bool) {
        self.pixels.clear();
        if is_grey {
            self.pixels.extend(self.raw.iter().flat_map(|grey| [*grey; 3]));
        } else {
            self.pixels.extend(self.raw.as_chunks().0.iter().map(|pixel| luma(*pixel)));
        }
    }

    /// Decodes into `pixels` so many rows at least, or all of an image of fewer, and gives the extent of all of it.
    fn full(&mut self, path: &Path, bytes: &[u8], channels: usize, rows: usize) -> Result<Extent, DataError> {
        if is_jpeg(bytes) {
            return self.jpeg(path, bytes, channels, rows);
        }
        let decoded = reader(path, Cursor::new(bytes))?.decode().map_err(|e| broken(path, &e.to_string()))?;
        let extent = Extent { width: decoded.width() as usize, height: decoded.height() as usize };
        self.pixels = match channels {
            1 => grey(decoded),
            _ => decoded.into_rgb8().into_raw(),
        };
        Ok(extent)
    }

    /// As the crate `image` decodes JPEG, but into room that is there already, and of a shortened file.
    fn jpeg(&mut self, path: &Path, bytes: &[u8], channels: usize, rows: usize) -> Result<Extent, DataError> {
        let bad = |e: zune_jpeg::errors::DecodeErrors| broken(path, &e.to_string());
        let shortened = layout(path, bytes)?.shortened(bytes, rows, &mut self.shortened);
        let bytes = if shortened.is_some() { &self.shortened } else { bytes };
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options());
        decoder.decode_headers().map_err(bad)?;
        let is_grey = decoder.input_colorspace() == Some(ColorSpace::Luma);
        let colour = if is_grey { ColorSpace::Luma } else { ColorSpace::RGB };
        decoder.set_options(options().jpeg_set_out_colorspace(colour));
        let Some((width, height)) = decoder.dimensions() else { return Err(broken(path, "it has no dimensions")) };
        let same = is_grey == (channels == 1);
        let target = if same { &mut self.pixels } else { &mut self.raw };
        // Of a damaged file the decoder may leave rows out: what was decoded before must not be seen there.
        target.clear();
        target.resize(width * height * if is_grey { 1 } else { 3 }, 0);
        decoder.decode_into(target).map_err(bad)?;
        if !same {
            self.convert(is_grey);
        }
        Ok(Extent { width, height: shortened.unwrap_or(height) })
    }
}

impl From<Window> for jpeg::Part {
    fn from(Window { left, top, width, height }: Window) -> Self {
        Self { left, top, width, height }
    }
}

impl From<jpeg::Part> for Window {
    fn from(jpeg::Part { left, top, width, height }: jpeg::Part) -> Self {
        Self { left, top, width, height }
    }
}

impl Decoded<'_> {
    /// Writes a region of the file's image, resized, into `target`, `(to.height, to.width, channels)`. As with Pillow's
    /// `box`, the filter of a pixel at the region's border reaches beyond it, where there is more of the image.
    pub fn resize(&self, resizer: &mut Resizer, region: Region, to: Extent, target: &mut [u8]) {
        let (right, down) = self.offset;
        let region = region.at(self.eighths);
        let region = Region { left: region.left + right, top: region.top + down, ..region };
        resizer.resize_part((self.pixels, self.part), self.extent, region, to, target);
    }
}

/// How a file is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    pub channels: usize,
    /// As the image is shown, by its EXIF orientation.
    pub turns: bool,
}

/// Reads and decodes a file whole, and gives it to `use_it`. What an image needs is known once its file is read; the file
/// of one that turns out to need more than was taken for it is let go and read again.
///
/// # Errors
/// When it cannot be decoded whole, where codes that are missing are not made up for: see [`check_whole`]. When it asks for more memory than there is for all.
pub fn with_whole<T>(
    path: &Path,
    Reading { channels, turns }: Reading,
    use_it: impl FnOnce(&[u8], Extent) -> Result<T, DataError>,
) -> Result<T, DataError> {
    let (mut bytes, mut pixels) = (Vec::new(), SMALL);
    let size = check_size(path)?;
    loop {
        let share = take(path, size, pixels)?;
        read(path, &mut bytes)?;
        let Extent { width, height } = extent_of(path, &bytes)?;
        let found = (width * height) as u64;
        if found <= pixels {
            check_codes(path, &bytes)?;
            let mut decoder = Decoder::default();
            let extent = decoder.full(path, &bytes, channels, usize::MAX)?;
            let turn = turn(&bytes, turns);
            let Decoder { pixels, turned, .. } = &mut decoder;
            let result = if turn.is_none() {
                use_it(pixels, extent)
            } else {
                turn.apply(pixels, extent, channels, turned);
                use_it(turned, turn.extent(extent))
            };
            drop(share);
            return result;
        }
        pixels = found;
    }
}

/// Sees that an image can be decoded to its end, whatever part of it will be asked for: of a JPEG file that its codes are all there,
/// where decoders make up for what is missing, each in its way. What of it cannot be told by the one decoder is up to the other.
///
/// # Errors
/// When it cannot.
pub fn check_whole(path: &Path, bytes: &[u8], channels: usize) -> Result<(), DataError> {
    let is_known = check_codes(path, bytes)?;
    if is_known { Ok(()) } else { Decoder::default().whole(path, bytes, channels).map(drop) }
}

/// Sees that no codes of a JPEG file are missing or wrong; `false` where that cannot be told.
fn check_codes(path: &Path, bytes: &[u8]) -> Result<bool, DataError> {
    if !is_jpeg(bytes) {
        return Ok(false);
    }
    let layout = layout(path, bytes)?;
    if !layout.has_few_scans() {
        return Ok(false);
    }
    match jpeg::is_sound(bytes) {
        Ok(false) => Err(broken(path, "its data end early or are damaged: a decoder would make up for them")),
        // Of several scans the other decoder, which sees all of them or none, may find more.
        told => Ok(told.is_ok() && layout.is_in_one_scan()),
    }
}

/// The memory for a file that is at hand.
fn share(path: &Path, bytes: &[u8], Extent { width, height }: Extent) -> Result<Share, DataError> {
    take(path, bytes.len() as u64, (width * height) as u64)
}

fn take(path: &Path, bytes: u64, pixels: u64) -> Result<Share, DataError> {
    // The decoder of PNG makes a copy of the file, and a shortened JPEG is one.
    let need = 2 * bytes + pixels * PER_PIXEL;
    MEMORY.take(need).ok_or_else(|| {
        let megabytes = |bytes: u64| bytes / 1_000_000;
        let (need, most) = (megabytes(need), megabytes(TOTAL));
        broken(path, &format!("it takes {need} MB of memory, and at most {most} are allowed"))
    })
}

fn options() -> DecoderOptions {
    let side = SIDE as usize;
    DecoderOptions::default().set_strict_mode(false).set_max_width(side).set_max_height(side)
}

/// By its first bytes: the start of an image and of another marker.
pub fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff])
}

/// Of a JPEG file that is whole.
fn layout(path: &Path, bytes: &[u8]) -> Result<markers::Layout, DataError> {
    markers::layout(bytes).map_err(|at| broken(path, &format!("it ends at byte {at}, before the image does")))
}

/// The bytes of a file that may be an image.
fn check_size(path: &Path) -> Result<u64, DataError> {
    let leads_nowhere = |error: &io::Error| error.kind() == io::ErrorKind::NotFound && path.is_symlink();
    let found = match fs::metadata(path) {
        // A file that was there and is gone may be on a disk that is, and is an error as a disk that does not answer.
        Err(error) if leads_nowhere(&error) => return Err(unusable(path, "a link that leads nowhere".to_owned())),
        found => found.map_err(DataError::io(path, "read"))?,
    };
    if !found.is_file() {
        // A pipe would be waited for.
        return Err(unusable(path, "no regular file".to_owned()));
    }
    if found.len() > FILE {
        return Err(broken(path, &format!("a file of {} MB", found.len() / 1_000_000)));
    }
    Ok(found.len())
}

/// From the header: no more is read.
fn dimensions<R: BufRead + Seek>(path: &Path, mut bytes: R) -> Result<Extent, DataError> {
    if is_jpeg(bytes.fill_buf().map_err(DataError::io(path, "read"))?) {
        let mut decoder = JpegDecoder::new_with_options(bytes, options());
        decoder.decode_headers().map_err(|e| broken(path, &e.to_string()))?;
        let (width, height) = decoder.dimensions().ok_or_else(|| broken(path, "it has no dimensions"))?;
        return Ok(Extent { width, height });
    }
    let (width, height) = reader(path, bytes)?.into_dimensions().map_err(|e| broken(path, &e.to_string()))?;
    Ok(Extent { width: width as usize, height: height as usize })
}

fn reader<R: BufRead + Seek>(path: &Path, bytes: R) -> Result<ImageReader<R>, DataError> {
    let mut reader = ImageReader::new(bytes).with_guessed_format().map_err(DataError::io(path, "read"))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(TOTAL);
    reader.limits(limits);
    if !matches!(reader.format(), Some(ImageFormat::Jpeg | ImageFormat::Png)) {
        return Err(broken(path, "neither a PNG nor a JPEG file"));
    }
    Ok(reader)
}

fn grey(image: DynamicImage) -> Vec<u8> {
    match image {
        DynamicImage::ImageLuma8(grey) => grey.into_raw(),
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => {
            image.into_luma8().into_raw()
        }
        colour => colour.into_rgb8().as_chunks().0.iter().map(|pixel| luma(*pixel)).collect(),
    }
}

fn broken(path: &Path, why: &str) -> DataError {
    unusable(path, format!("cannot be decoded: {why}"))
}

fn unusable(path: &Path, problem: String) -> DataError {
    DataError::Unusable { path: path.to_owned(), problem, remedy: DAMAGED[0].to_owned() }
}
