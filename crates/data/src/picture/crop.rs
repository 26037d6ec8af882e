//! How much of an image is decoded for a region that will be resized: at which scale, from where to where, by which library.

use crate::jpeg;
use crate::resize::{Extent, Region, Window};

/// The smallest number of eighths of its size at which the region still has as many pixels as it is to have; at most all
/// eight.
pub fn eighths(region: Region, to: Extent) -> usize {
    let suffices = |eighths: usize| {
        let region = region.at(eighths);
        region.width >= to.width as f64 && region.height >= to.height as f64
    };
    (1..8).find(|eighths| suffices(*eighths)).unwrap_or(8)
}

/// The pixels that resizing the region reads of the image at eighths of its size: its filter reaches beyond it by as many as one
/// pixel of the result stands for.
pub fn window(of: Extent, region: Region, to: Extent, eighths: usize) -> Window {
    let (all, region) = (at(of, eighths), region.at(eighths));
    let along = |start: f64, len: f64, to: usize, of: usize| {
        let reach = (len / to as f64).max(1.0) + 1.0;
        // Numbers below 0 become 0.
        ((start - reach).floor() as usize, ((start + len + reach).ceil() as usize).min(of))
    };
    let (left, right) = along(region.left, region.width, to.width, all.width);
    let (top, bottom) = along(region.top, region.height, to.height, all.height);
    Window { left, top, width: right - left, height: bottom - top }
}

/// An image's extent at eighths of its size.
pub fn at(of: Extent, eighths: usize) -> Extent {
    let (width, height) = jpeg::scaled((of.width, of.height), eighths);
    Extent { width, height }
}

/// Whether decoding a part at eighths of the image's size takes less time than decoding at full size, by the other decoder,
/// all rows down to the region's last.
///
/// Photographs of 500 × 375 of 67 kB, one thread of a Zen 3, 2026-11-29, in ms: that other one 1.20; libjpeg-turbo
/// without vector code 0.6 for the codes, and for the transforms and colours of all of an image 1.57, 1.36, 1.08 and 0.80 at
/// 8, 7, 6 and 5 eighths. Codes are read for all columns, transforms done for the region's alone; so
/// `0.6 · bottom / height + cost · area / (width · height)` is compared with `1.2 · bottom / height`. At four eighths and
/// less it always pays, as less is left to resize.
pub fn pays(of: Extent, region: Region, eighths: usize) -> bool {
    const COST: [f64; 4] = [0.80, 1.08, 1.36, 1.57];
    const OTHER_LESS_CODES: f64 = 0.6;
    eighths.checked_sub(5).is_none_or(|dear| {
        COST[dear] * region.width * region.height < OTHER_LESS_CODES * of.width as f64 * (region.top + region.height)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_the_smallest_that_suffices() {
        let eighths = |width: f64, height: f64| {
            super::eighths(Region { left: 3.0, top: 5.0, width, height }, Extent { width: 64, height: 32 })
        };
        for (width, height, expected) in [
            (512.0, 256.0, 1),
            (511.0, 256.0, 2),
            (512.0, 127.0, 3),
            (171.0, 86.0, 3),
            (170.0, 86.0, 4),
            (128.0, 64.0, 4),
            (127.0, 64.0, 5),
            (74.0, 37.0, 7),
            (73.0, 37.0, 8),
            (9.0, 9.0, 8),
        ] {
            assert_eq!(eighths(width, height), expected, "{width}×{height}");
        }
    }

    #[test]
    fn small_parts_pay_at_any_scale_and_all_of_an_image_at_the_small_ones() {
        let of = Extent { width: 500, height: 375 };
        let whole = Region { left: 0.0, top: 0.0, width: 500.0, height: 375.0 };
        let small = Region { left: 200.0, top: 100.0, width: 100.0, height: 100.0 };
        for eighths in 1..=8 {
            assert!(pays(of, small, eighths), "{eighths}");
            assert_eq!(pays(of, whole, eighths), eighths <= 4, "{eighths}");
        }
    }
}
