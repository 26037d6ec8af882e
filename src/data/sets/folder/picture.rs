//! One image file: decoded, made grey or colour, cropped to its middle square and resized.

use super::jpeg;
use crate::data::DataError;
use crate::data::resize::{Extent, Resizer, Window};
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use std::fs;
use std::io::{BufRead, Cursor, Seek};
use std::path::Path;

/// The most pixels on a side.
const SIDE: u32 = 1 << 14;
/// The most bytes that a file may have, and that decoding it may take: what asks for more is damaged or no photograph.
const MEMORY: u64 = 256 << 20;

/// A decoded image.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    channels: usize,
    /// `(height, width, channels)`
    pixels: Vec<u8>,
}

/// Width and height, from the file's first bytes.
///
/// # Errors
/// When it is no image.
pub fn extent(path: &Path) -> Result<(usize, usize), DataError> {
    let file = fs::File::open(path).map_err(DataError::io(path, "read"))?;
    let reader = reader(path, std::io::BufReader::new(file))?;
    let (width, height) = reader.into_dimensions().map_err(|e| broken(path, &e.to_string()))?;
    Ok((width as usize, height as usize))
}

impl Picture {
    /// Decodes a file by its content, whatever its name says. Transparency is dropped; colour becomes grey as in Pillow's
    /// `convert("L")`; as there and in PyTorch, a turned photograph's EXIF orientation is not looked at.
    ///
    /// # Errors
    /// When it cannot be decoded whole.
    pub fn read(path: &Path, channels: usize) -> Result<Self, DataError> {
        let size = fs::metadata(path).map_err(DataError::io(path, "read"))?.len();
        if size > MEMORY {
            return Err(broken(path, &format!("a file of {} MB", size / 1_000_000)));
        }
        let bytes = fs::read(path).map_err(DataError::io(path, "read"))?;
        let reader = reader(path, Cursor::new(&bytes))?;
        if reader.format() == Some(ImageFormat::Jpeg) {
            jpeg::check_whole(&bytes)
                .map_err(|at| broken(path, &format!("it ends at byte {at}, before the image does")))?;
        }
        let decoded = reader.decode().map_err(|e| broken(path, &e.to_string()))?;
        let (width, height) = (decoded.width() as usize, decoded.height() as usize);
        let pixels = match channels {
            1 => grey(decoded),
            _ => decoded.into_rgb8().into_raw(),
        };
        Ok(Self { width, height, channels, pixels })
    }

    /// Writes the middle square, resized, into `target`, `(side, side, channels)`.
    pub fn fit(&self, side: usize, target: &mut [u8]) {
        let square = self.middle_square();
        let (from, to) = (Extent::square(self.width.min(self.height)), Extent::square(side));
        Resizer::new(self.channels).resize(&square, from, Window::whole(from), to, target);
    }

    fn middle_square(&self) -> Vec<u8> {
        let side = self.width.min(self.height);
        let (left, top) = ((self.width - side) / 2, (self.height - side) / 2);
        let rows = self.pixels.chunks_exact(self.width * self.channels).skip(top).take(side);
        rows.flat_map(|row| &row[left * self.channels..(left + side) * self.channels]).copied().collect()
    }
}

fn reader<R: BufRead + Seek>(path: &Path, bytes: R) -> Result<ImageReader<R>, DataError> {
    let mut reader = ImageReader::new(bytes).with_guessed_format().map_err(DataError::io(path, "read"))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
    limits.max_alloc = Some(MEMORY);
    reader.limits(limits);
    Ok(reader)
}

/// Luma of ITU-R 601 in whole numbers, as Pillow computes it: `(19595 R + 38470 G + 7471 B + 2¹⁵) / 2¹⁶`.
fn grey(image: DynamicImage) -> Vec<u8> {
    match image {
        DynamicImage::ImageLuma8(grey) => grey.into_raw(),
        DynamicImage::ImageLumaA8(_) | DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_) => {
            image.into_luma8().into_raw()
        }
        colour => {
            let luma = |c: &[u8]| 19_595 * u32::from(c[0]) + 38_470 * u32::from(c[1]) + 7_471 * u32::from(c[2]);
            colour.into_rgb8().chunks_exact(3).map(|c| ((luma(c) + (1 << 15)) >> 16) as u8).collect()
        }
    }
}

fn broken(path: &Path, why: &str) -> DataError {
    DataError::Unusable {
        path: path.to_owned(),
        problem: format!("cannot be decoded: {why}"),
        remedy: "replace the file, or move it out of the class folder".to_owned(),
    }
}
