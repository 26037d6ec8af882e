//! JPEG at a half, a quarter or an eighth of its size: a smaller inverse transform gives fewer pixels of each block, each the
//! mean of those that it stands for, nearly.
//!
//! By libjpeg-turbo (in Mozilla's edition), which is what Pillow's `draft` uses; the Rust decoder that does whole images has no
//! such scales. At full size that one is faster, where the C library was built without an assembler for its vector code.

use crate::resize::{Extent, Region};
use mozjpeg::{ColorSpace, Decompress};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The largest of 8, 4, 2 and 1 at which a region has no fewer pixels than it is to have.
pub fn scale(region: Region, to: Extent) -> usize {
    let suffices = |scale: usize| {
        let scale = scale as f64;
        region.width / scale >= to.width as f64 && region.height / scale >= to.height as f64
    };
    [8, 4, 2].into_iter().find(|scale| suffices(*scale)).unwrap_or(1)
}

/// The rows of the reduced image down to the last that resizing the region reads: its filter reaches beyond it by as many
/// rows as one pixel of the result stands for.
pub fn rows(of: Extent, region: Region, to: Extent, scale: usize) -> usize {
    let region = region.shrunk(scale);
    let reach = (region.height / to.height as f64).max(1.0);
    of.height.div_ceil(scale).min((region.top + region.height + reach).ceil() as usize + 1)
}

/// Decodes the first `rows` rows at `1/scale`. `None` where the colours are of four channels: such files are rare, and left to
/// the other decoder.
///
/// # Errors
/// What the library says of the file.
pub fn decode(
    bytes: &[u8],
    channels: usize,
    of: Extent,
    scale: usize,
    rows: usize,
    pixels: &mut Vec<u8>,
) -> Result<Option<Extent>, String> {
    // The library's errors are unwound.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_unwinding(bytes, channels, of, scale, rows, pixels)));
    decoded.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.unwrap_or_else(|| "the coded data are damaged".to_owned()))
    })
}

fn decode_unwinding(
    bytes: &[u8],
    channels: usize,
    of: Extent,
    scale: usize,
    rows: usize,
    pixels: &mut Vec<u8>,
) -> Result<Option<Extent>, String> {
    let words = |e: std::io::Error| e.to_string();
    let mut decoder = Decompress::new_mem(bytes).map_err(words)?;
    if matches!(decoder.color_space(), ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK) {
        return Ok(None);
    }
    let found = Extent { width: decoder.width(), height: decoder.height() };
    if found != of {
        return Err(format!("it is {found} pixels now, and was {of} when the set was opened"));
    }
    let is_grey = decoder.color_space() == ColorSpace::JCS_GRAYSCALE;
    decoder.scale((8 / scale) as u8);
    // Grey is made of the colours, as for whole images.
    let (mut started, given) = match is_grey {
        true => (decoder.grayscale().map_err(words)?, 1),
        false => (decoder.rgb().map_err(words)?, 3),
    };
    let extent = Extent { width: started.width(), height: rows.min(started.height()) };
    let len = extent.width * extent.height;
    pixels.clear();
    pixels.resize(len * given, 0);
    started.read_scanlines_into::<u8>(pixels).map_err(words)?;
    match (given, channels) {
        (1, 3) => *pixels = pixels.iter().flat_map(|grey| [*grey; 3]).collect(),
        (3, 1) => *pixels = pixels.as_chunks().0.iter().map(|pixel| crate::luma::luma(*pixel)).collect(),
        _ => {}
    }
    Ok(Some(extent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_the_smallest_that_suffices() {
        let scale = |width: f64, height: f64| {
            super::scale(Region { left: 3.0, top: 5.0, width, height }, Extent { width: 64, height: 32 })
        };
        for (width, height, expected) in
            [(512.0, 256.0, 8), (511.0, 256.0, 4), (512.0, 127.0, 2), (128.0, 64.0, 2), (127.0, 64.0, 1), (9.0, 9.0, 1)]
        {
            assert_eq!(scale(width, height), expected, "{width}×{height}");
        }
    }
}
