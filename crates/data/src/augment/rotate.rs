//! Random rotation.

use super::border::Border;
use super::{Augment, AugmentEntry, Change, Draw, Image, Old, change};
use crate::draw::between;
use crate::registry::{Default, Entry, Interval, Kind, Param};

pub static ENTRY: AugmentEntry = Entry {
    name: "rotate",
    summary: "turns about the centre by up to `degrees` either way",
    cite: "torchvision's RandomRotation (bilinear); its default fills with black",
    params: &[
        Param {
            key: "degrees",
            kind: Kind::Float(Interval::closed(0.0, 180.0)),
            default: Default::Required,
            doc: "the largest angle, in degrees",
        },
        Param {
            key: "padding",
            kind: Kind::Word(&["mean", "reflect", "zero"]),
            default: Default::Toml("\"mean\""),
            doc: "what comes in at the corners: the set's mean colour, the image mirrored at its edge, or black",
        },
    ],
    shorthand: Some("degrees"),
    make: |settings| {
        change(Rotate { degrees: settings.float("degrees") as f32, border: Border::of(&settings.text("padding")) })
    },
};

/// The angle is drawn evenly from `−degrees..degrees`.
struct Rotate {
    degrees: f32,
    border: Border,
}

impl Rotate {
    fn angle(&self, draw: &mut Draw) -> f64 {
        f64::from(between(&mut draw.rng, -self.degrees, self.degrees))
    }
}

impl Augment for Rotate {
    fn draw(&self, size: usize, draw: &mut Draw) -> Change {
        Change::Turn(Turn::new(size, self.angle(draw), self.border))
    }
}

/// A turn of an image of one side, counter-clockwise about the centre, with bilinear interpolation: the bytes of Pillow's
/// `Image.rotate(degrees, BILINEAR, fillcolor)`, which torchvision calls.
///
/// Whole numbers being the edges between pixels, the point `(x, y)` shows what was at
///
/// ```text
/// (x·cos − y·sin + left, x·sin + y·cos + top)
/// ```
///
/// A pixel whose centre comes from outside the image is filled whole; within half a pixel of the border the outermost
/// pixel is repeated, but for `Reflect`, which has a mirrored one to interpolate with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    pub sin: f64,
    pub cos: f64,
    pub left: f64,
    pub top: f64,
    pub border: Border,
}

impl Turn {
    /// Of images of that side.
    pub fn new(size: usize, degrees: f64, border: Border) -> Self {
        // As Pillow does. It also takes away the last bits, in which sine and cosine differ between systems.
        let round = |x: f64| (x * 1e15).round_ties_even() / 1e15;
        let (sin, cos) = degrees.to_radians().sin_cos();
        let (sin, cos) = (round(sin), round(cos));
        let centre = size as f64 / 2.0;
        // Where the corner of the image comes from; added up in Pillow's order.
        let (left, top) = ((centre * sin - centre * cos) + centre, (-centre * sin - centre * cos) + centre);
        Self { sin, cos, left, top, border }
    }

    pub fn apply(self, image: &mut Image) {
        let Self { sin, cos, left, top, border } = self;
        if sin == 0.0 && cos == 1.0 {
            return;
        }
        image.rewrite(|old, y, row| {
            let y = y as f64 + 0.5;
            let source = |x: usize| {
                let x = x as f64 + 0.5;
                (x * cos - y * sin + left, x * sin + y * cos + top)
            };
            match old.channels {
                1 => interpolate::<1>(old, source, border, row),
                3 => interpolate::<3>(old, source, border, row),
                channels => unreachable!("an image of {channels} channels"),
            }
        });
    }
}

/// A row of `C` channels whose pixel `x` is the image at the point `source(x)`, whole numbers being the edges between
/// pixels.
pub(super) fn interpolate<const C: usize>(
    old: &Old<'_>,
    source: impl Fn(usize) -> (f64, f64),
    border: Border,
    row: &mut [u8],
) {
    let (side, last, pixels) = (old.size as f64, old.size as isize - 1, old.pixels.as_chunks::<C>().0);
    let place = |at: isize| match border {
        Border::Reflect => border.source(at, old.size).unwrap_or(0),
        Border::Zero | Border::Mean => at.clamp(0, last) as usize,
    };
    let mix = |a: f64, b: f64, share: f64| a + (b - a) * share;
    for (x, pixel) in row.as_chunks_mut::<C>().0.iter_mut().enumerate() {
        let (x, y) = source(x);
        let inside = (0.0..side).contains(&x) && (0.0..side).contains(&y);
        if !inside && border != Border::Reflect {
            border.fill(pixel, old.mean);
            continue;
        }
        let ((x, right_share), (y, lower_share)) = (whole_and_part(x - 0.5), whole_and_part(y - 0.5));
        let (left, right, upper, lower) = (place(x), place(x + 1), place(y) * old.size, place(y + 1) * old.size);
        let corners = [upper + left, upper + right, lower + left, lower + right].map(|at| pixels[at].map(f64::from));
        let [a, b, d, e] = corners;
        *pixel =
            std::array::from_fn(|c| mix(mix(a[c], b[c], right_share), mix(d[c], e[c], right_share), lower_share) as u8);
    }
}

/// The whole number at or below `x`, and what is left. (`f64::floor` is a function call where the processor is not known.)
pub(super) fn whole_and_part(x: f64) -> (isize, f64) {
    let cut = x as isize;
    let whole = if cut as f64 > x { cut - 1 } else { cut };
    (whole, x - whole as f64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{gray, of_pillow};
    use super::*;
    use crate::pillow::Pillow;

    fn turn(image: &mut Image, degrees: f64, border: Border) {
        Turn::new(image.size, degrees, border).apply(image);
    }

    #[test]
    fn bytes_are_pillows() {
        let pillow = Pillow::read();
        let cases = pillow.cases("rotate");
        assert!(cases.len() > 30);
        for (name, case) in cases {
            let fill = case["fill"].as_array().unwrap().iter().map(|byte| byte.as_u64().unwrap() as u8);
            let mut image = of_pillow(pillow.image(case["of"].as_str().unwrap()), &fill.collect::<Vec<_>>());
            turn(&mut image, case["degrees"].as_f64().unwrap(), Border::Mean);
            assert_eq!(image.pixels, pillow.image(&name).pixels, "{name}: {case}");
        }
    }

    #[test]
    fn a_reflecting_border_is_the_middle_of_a_mirrored_image_turned() {
        for (size, degrees) in [(1, 30.0), (2, 45.0), (7, -20.0), (9, 170.0)] {
            let small: Vec<u8> = (0..size * size).map(|i| (i * i * 37 % 251) as u8).collect();
            let place = |at: usize| Border::Reflect.source(at as isize - 2 * size as isize, size).unwrap();
            let side = 5 * size;
            let large: Vec<u8> = (0..side * side).map(|i| small[place(i / side) * size + place(i % side)]).collect();
            let (mut turned, mut twin) = (gray(size, &small), gray(side, &large));
            turn(&mut turned, degrees, Border::Reflect);
            turn(&mut twin, degrees, Border::Zero);
            for (y, x) in (0..size).flat_map(|y| (0..size).map(move |x| (y, x))) {
                let (got, want) = (turned.pixels[y * size + x], twin.pixels[(y + 2 * size) * side + x + 2 * size]);
                // The same number before its fraction is cut off, but for rounding.
                assert!(got.abs_diff(want) <= 1, "{size} by {degrees} at {y}, {x}: {got} is not {want}");
            }
        }
    }

    #[test]
    fn turning_by_nothing_changes_nothing_and_black_comes_in_only_where_asked_for() {
        let pixels: Vec<u8> = (100..149).collect();
        for (border, corner) in [(Border::Mean, 200), (Border::Zero, 0)] {
            let mut image = gray(7, &pixels);
            turn(&mut image, 0.0, border);
            assert_eq!(image.pixels, pixels);
            turn(&mut image, 45.0, border);
            assert_eq!((image.pixels[0], image.pixels[24]), (corner, 124));
        }
    }

    #[test]
    fn angles_are_drawn_evenly_from_both_sides() {
        let rotate = Rotate { degrees: 30.0, border: Border::Mean };
        let angles: Vec<f64> = (0..4000).map(|index| rotate.angle(&mut Draw::new(1, 0, index))).collect();
        for quarter in [-30.0, -15.0, 0.0, 15.0] {
            let count = angles.iter().filter(|angle| (quarter..quarter + 15.0).contains(*angle)).count();
            assert!(count.abs_diff(1000) < 120, "{quarter}: {count}");
        }
    }
}
