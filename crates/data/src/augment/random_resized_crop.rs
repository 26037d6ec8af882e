//! Random crops of any size and shape.

use super::{AugmentEntry, Crop, Draw, Misuse, Step};
use crate::draw::{below, between};
use crate::registry::{Default, Entry, Interval, Kind, Param};
use crate::resize::{Extent, Window};

pub static ENTRY: AugmentEntry = Entry {
    name: "random-resized-crop",
    summary: "takes a part of the stored image, of random area and shape, and resizes that to the phase's size",
    cite: "Szegedy et al. 2015, Going Deeper with Convolutions; torchvision's RandomResizedCrop",
    params: &[
        Param {
            key: "min_scale",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false }),
            default: Default::Toml("0.08"),
            doc: "the smallest part of the image's area",
        },
        Param {
            key: "max_scale",
            kind: Kind::Float(Interval { min: 0.0, max: 1.0, min_open: true, max_open: false }),
            default: Default::Toml("1.0"),
            doc: "the largest part of the image's area",
        },
        Param {
            key: "ratio",
            kind: Kind::Float(Interval::at_least(1.0)),
            // torchvision's 4/3, to less than a pixel.
            default: Default::Toml("1.3333"),
            doc: "the longer side in shorter ones, at most",
        },
    ],
    shorthand: Some("min_scale"),
    make: |settings| {
        let keys = ["min_scale", "max_scale"];
        let scale = keys.map(|key| settings.float(key));
        if scale[0] > scale[1] {
            return Err(Misuse::crossed(keys, scale));
        }
        Ok(Step::Crop(Box::new(RandomResizedCrop { scale, ratio: settings.float("ratio") })))
    },
};

/// How often a window is drawn before the centre is taken.
const TRIES: usize = 10;

/// The area is drawn evenly from `scale` (parts of the image's), the ratio of width to height from `1/ratio..ratio`, evenly
/// on a logarithmic scale, the place evenly. A window that does not fit is drawn anew; after ten tries it is the largest in the middle of
/// the image whose ratio is allowed. All as torchvision does, but for the filter at the window's border (see
/// [`Resizer`](crate::resize::Resizer)).
struct RandomResizedCrop {
    scale: [f64; 2],
    ratio: f64,
}

impl Crop for RandomResizedCrop {
    fn window(&self, stored: Extent, draw: &mut Draw) -> Window {
        let Extent { width, height } = stored;
        let area = (width * height) as f64;
        let mut even = |[low, high]: [f64; 2]| low + (high - low) * f64::from(between(&mut draw.rng, 0.0, 1.0));
        for _ in 0..TRIES {
            let area = area * even(self.scale);
            // The last bits of logarithm and exponential, in which systems differ, are lost in whole pixels.
            let ratio = even([-self.ratio.ln(), self.ratio.ln()]).exp();
            let w = (area * ratio).sqrt().round_ties_even() as usize;
            let h = (area / ratio).sqrt().round_ties_even() as usize;
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                let mut place = |room: usize| below(&mut draw.rng, room as u32 + 1) as usize;
                return Window { top: place(height - h), left: place(width - w), width: w, height: h };
            }
        }
        self.middle(stored)
    }
}

impl RandomResizedCrop {
    /// The largest window of an allowed ratio, in the middle.
    fn middle(&self, stored: Extent) -> Window {
        let Extent { width, height } = stored;
        let limit =
            |side: usize, other: usize| side.min(((other as f64 * self.ratio).round_ties_even() as usize).max(1));
        let (w, h) = (limit(width, height), limit(height, width));
        Window { left: (width - w) / 2, top: (height - h) / 2, width: w, height: h }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(crop: &RandomResizedCrop, stored: Extent) -> impl Iterator<Item = Window> {
        (0..4000).map(move |index| crop.window(stored, &mut Draw::new(1, 0, index)))
    }

    /// The parts of `0..1` in quarters: each holds about as many.
    #[track_caller]
    fn assert_even(what: &str, parts: impl Iterator<Item = f64>) {
        let mut quarters = [0u32; 4];
        parts.for_each(|part| quarters[((part * 4.0).floor() as usize).min(3)] += 1);
        let count = quarters.iter().sum::<u32>();
        assert!(quarters.iter().all(|n| n.abs_diff(count / 4) < count / 25), "{what}: {quarters:?}");
    }

    #[test]
    fn area_shape_and_place_are_drawn_evenly() {
        let crop = RandomResizedCrop { scale: [0.1, 0.5], ratio: 1.5 };
        let stored = Extent::square(1000);
        assert_even("area", windows(&crop, stored).map(|w| ((w.width * w.height) as f64 / 1e6 - 0.1) / 0.4));
        let log_ratio = |w: Window| (w.width as f64 / w.height as f64).ln() / 1.5f64.ln();
        assert_even("shape", windows(&crop, stored).map(|w| (log_ratio(w) + 1.0) / 2.0));
        assert_even("left", windows(&crop, stored).map(|w| w.left as f64 / (1001 - w.width) as f64));
        assert_even("top", windows(&crop, stored).map(|w| w.top as f64 / (1001 - w.height) as f64));
    }

    #[test]
    fn a_window_lies_within_images_of_any_shape() {
        let crop = RandomResizedCrop { scale: [0.08, 1.0], ratio: 4.0 / 3.0 };
        for (width, height) in [(1, 1), (2, 2), (1, 9), (7, 3), (33, 33), (500, 2)] {
            for w in windows(&crop, Extent { width, height }).take(300) {
                assert!(w.width > 0 && w.left + w.width <= width, "{w:?} of {width}×{height}");
                assert!(w.height > 0 && w.top + w.height <= height, "{w:?} of {width}×{height}");
            }
        }
    }

    #[test]
    fn where_no_window_fits_the_middle_is_taken() {
        // torchvision: RandomResizedCrop.get_params with ratio (3/4, 4/3).
        let crop = RandomResizedCrop { scale: [1.0, 1.0], ratio: 4.0 / 3.0 };
        let middle = |width, height| windows(&crop, Extent { width, height }).next().unwrap();
        assert_eq!(middle(100, 30), Window { left: 30, top: 0, width: 40, height: 30 });
        assert_eq!(middle(10, 41), Window { left: 0, top: 14, width: 10, height: 13 });
    }

    #[test]
    fn the_whole_image_is_taken_where_nothing_else_is_allowed() {
        let crop = RandomResizedCrop { scale: [1.0, 1.0], ratio: 1.0 };
        let stored = Extent::square(33);
        assert!(windows(&crop, stored).all(|w| w == Window::whole(stored)));
    }
}
