//! One image file: decoded, made grey or colour, cropped to its middle square and resized.

use super::budget::{Budget, Share};
use super::jpeg;
use crate::DataError;
use crate::luma::luma;
use crate::resize::{Extent, Resizer, Window};
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

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

/// A decoded image.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    channels: usize,
    /// `(height, width, channels)`
    pixels: Vec<u8>,
    /// Of the memory for all.
    _share: Share,
}

/// Width and height of an image.
///
/// # Errors
/// When it is none.
pub fn extent(path: &Path) -> Result<(usize, usize), DataError> {
    check_size(path)?;
    let file = File::open(path).map_err(DataError::io(path, "read"))?;
    dimensions(path, BufReader::new(file))
}

impl Picture {
    /// Decodes a file by its content, whatever its name says. Transparency is dropped; colour becomes grey as in Pillow's
    /// `convert("L")`; as there and in PyTorch, a turned photograph's EXIF orientation is not looked at.
    ///
    /// Waits while others that are being decoded leave too little memory. What an image needs is known once its file is
    /// read; the file of one that turns out to need more than was taken for it is let go and read again.
    ///
    /// # Errors
    /// When it cannot be decoded whole, or asks for more memory than there is for all.
    pub fn read(path: &Path, channels: usize) -> Result<Self, DataError> {
        let size = check_size(path)?;
        let mut pixels = SMALL;
        loop {
            // The decoder of JPEG makes a copy of the file.
            let need = 2 * size + pixels * PER_PIXEL;
            let Some(share) = MEMORY.take(need) else {
                let megabytes = |bytes: u64| bytes / 1_000_000;
                let (need, most) = (megabytes(need), megabytes(TOTAL));
                return Err(broken(path, &format!("it takes {need} MB of memory, and at most {most} are allowed")));
            };
            let mut bytes = Vec::new();
            let read = File::open(path).and_then(|file| file.take(size).read_to_end(&mut bytes));
            read.map_err(DataError::io(path, "read"))?;
            let (width, height) = dimensions(path, Cursor::new(&bytes))?;
            let found = (width * height) as u64;
            if found <= pixels {
                let pixels = decode(path, &bytes, channels)?;
                return Ok(Self { width, height, channels, pixels, _share: share });
            }
            pixels = found;
        }
    }

    /// Writes the middle square, resized, into `target`, `(side, side, channels)`. As with Pillow's `box`, the filter of a
    /// pixel at the square's border reaches beyond it, where there is more of the image.
    pub fn fit(&self, side: usize, target: &mut [u8]) {
        let square = self.width.min(self.height);
        let (left, top) = ((self.width - square) / 2, (self.height - square) / 2);
        let from = Extent { width: self.width, height: self.height };
        let window = Window { left, top, width: square, height: square };
        Resizer::new(self.channels).resize(&self.pixels, from, window, Extent::square(side), target);
    }
}

/// Decodes a whole file.
fn decode(path: &Path, bytes: &[u8], channels: usize) -> Result<Vec<u8>, DataError> {
    let reader = reader(path, Cursor::new(bytes))?;
    if reader.format() == Some(ImageFormat::Jpeg) {
        jpeg::check_whole(bytes).map_err(|at| broken(path, &format!("it ends at byte {at}, before the image does")))?;
    }
    let decoded = reader.decode().map_err(|e| broken(path, &e.to_string()))?;
    Ok(match channels {
        1 => grey(decoded),
        _ => decoded.into_rgb8().into_raw(),
    })
}

fn check_size(path: &Path) -> Result<u64, DataError> {
    let size = fs::metadata(path).map_err(DataError::io(path, "read"))?.len();
    if size > FILE {
        return Err(broken(path, &format!("a file of {} MB", size / 1_000_000)));
    }
    Ok(size)
}

fn dimensions<R: BufRead + Seek>(path: &Path, bytes: R) -> Result<(usize, usize), DataError> {
    let (width, height) = reader(path, bytes)?.into_dimensions().map_err(|e| broken(path, &e.to_string()))?;
    Ok((width as usize, height as usize))
}

fn reader<R: BufRead + Seek>(path: &Path, bytes: R) -> Result<ImageReader<R>, DataError> {
    let mut reader = ImageReader::new(bytes).with_guessed_format().map_err(DataError::io(path, "read"))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(TOTAL);
    reader.limits(limits);
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
    DataError::Unusable {
        path: path.to_owned(),
        problem: format!("cannot be decoded: {why}"),
        remedy: "replace the file, or move it out of the class folder".to_owned(),
    }
}
