//! Shears, fractional shifts and turns.

use super::border::Border;
use super::rotate::{interpolate, whole_and_part};
use super::{Image, Old};

/// How a point between pixels gets its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interpolation {
    /// The pixel that the point lies in.
    Nearest,
    /// Of the four around it.
    Bilinear,
    /// Of the sixteen around it (Keys's kernel with a = −1).
    Bicubic,
}

/// The bytes of Pillow's `Image.transform(size, AFFINE, matrix, interpolation, fillcolor)` of a square image.
///
/// Whole numbers being the edges between pixels, the point `(x, y)` shows what was at
///
/// ```text
/// (a·x + b·y + c, d·x + e·y + f)      of the matrix [a, b, c, d, e, f]
/// ```
///
/// A pixel whose centre comes from outside the image is filled whole; within the image, what an interpolation lacks
/// beyond the border is the outermost pixel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Warp {
    pub matrix: [f64; 6],
    pub interpolation: Interpolation,
    /// `Zero` or `Mean`.
    pub border: Border,
}

/// What a shear, a turn and a shift fill with, and how they interpolate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    pub interpolation: Interpolation,
    pub border: Border,
}

impl Manner {
    fn warp(self, matrix: [f64; 6]) -> Warp {
        let Self { interpolation, border } = self;
        Warp { matrix, interpolation, border }
    }

    /// Each row goes left by `by` of its distance from the upper edge.
    pub fn shear_x(self, by: f64) -> Warp {
        self.warp([1.0, by, 0.0, 0.0, 1.0, 0.0])
    }

    /// Each column goes up by `by` of its distance from the left edge.
    pub fn shear_y(self, by: f64) -> Warp {
        self.warp([1.0, 0.0, 0.0, by, 1.0, 0.0])
    }

    /// All goes left and up by so many pixels.
    pub fn shift(self, [x, y]: [f64; 2]) -> Warp {
        self.warp([1.0, 0.0, x, 0.0, 1.0, y])
    }

    /// Counter-clockwise about the centre of an image of that side: Pillow's `Image.rotate`.
    pub fn turn(self, size: usize, degrees: f64) -> Warp {
        // To fifteen decimals, as Python rounds; `rotate` does so in floating point, which now and then is another number.
        let rounded = |x: f64| format!("{x:.15}").parse().unwrap_or(x);
        let (sin, cos) = degrees.rem_euclid(360.0).to_radians().sin_cos();
        let (sin, cos): (f64, f64) = (rounded(sin), rounded(cos));
        let centre = size as f64 / 2.0;
        // Added up in Pillow's order.
        let (left, top) = ((centre * sin - centre * cos) + centre, (-centre * sin - centre * cos) + centre);
        self.warp([cos, -sin, left, sin, cos, top])
    }
}

impl Warp {
    pub fn apply(self, image: &mut Image) {
        let Self { matrix, interpolation, border } = self;
        if matrix == [1.0, 0.0, 0.0, 0.0, 1.0, 0.0] {
            return;
        }
        let between_pixels = |image: &mut Image, write: fn(&Old<'_>, Points, Border, &mut [u8])| {
            image.rewrite(|old, y, row| write(old, Points { matrix, y: y as f64 + 0.5 }, border, row));
        };
        match (interpolation, image.channels) {
            (Interpolation::Nearest, 1) => nearest::<1>(image, matrix, border),
            (Interpolation::Nearest, 3) => nearest::<3>(image, matrix, border),
            (Interpolation::Bilinear, 1) => between_pixels(image, bilinear::<1>),
            (Interpolation::Bilinear, 3) => between_pixels(image, bilinear::<3>),
            (Interpolation::Bicubic, 1) => between_pixels(image, bicubic::<1>),
            (Interpolation::Bicubic, 3) => between_pixels(image, bicubic::<3>),
            (_, channels) => unreachable!("an image of {channels} channels"),
        }
    }
}

/// Where the centres of a row's pixels come from.
#[derive(Clone, Copy)]
struct Points {
    matrix: [f64; 6],
    /// The row's middle.
    y: f64,
}

impl Points {
    fn at(&self, x: usize) -> (f64, f64) {
        let ([a, b, c, d, e, f], x, y) = (self.matrix, x as f64 + 0.5, self.y);
        (a * x + b * y + c, d * x + e * y + f)
    }
}

fn bilinear<const C: usize>(old: &Old<'_>, points: Points, border: Border, row: &mut [u8]) {
    interpolate::<C>(old, |x| points.at(x), border, row);
}

fn bicubic<const C: usize>(old: &Old<'_>, points: Points, border: Border, row: &mut [u8]) {
    let (side, last, pixels) = (old.size as f64, old.size as isize - 1, old.pixels.as_chunks::<C>().0);
    let place = |at: isize| at.clamp(0, last) as usize;
    for (x, pixel) in row.as_chunks_mut::<C>().0.iter_mut().enumerate() {
        let (x, y) = points.at(x);
        if !((0.0..side).contains(&x) && (0.0..side).contains(&y)) {
            border.fill(pixel, old.mean);
            continue;
        }
        let ((x, right), (y, down)) = (whole_and_part(x - 0.5), whole_and_part(y - 0.5));
        let columns = [x - 1, x, x + 1, x + 2].map(place);
        let across = |y: isize| {
            let line = &pixels[place(y) * old.size..][..old.size];
            cubic(columns.map(|x| line[x].map(f64::from)), right)
        };
        // Where nothing is left of a row's number, the other rows have no share: as with all shears and shifts along
        // rows.
        let value = if down == 0.0 { across(y) } else { cubic([y - 1, y, y + 1, y + 2].map(across), down) };
        // Fractions are cut off.
        *pixel = value.map(|value| value as u8);
    }
}

/// From the second of four points in a row, a part of the way to the third; added up in Pillow's order.
fn cubic<const C: usize>([p, q, r, s]: [[f64; C]; 4], part: f64) -> [f64; C] {
    if part == 0.0 {
        return q;
    }
    std::array::from_fn(|c| {
        let [p, q, r, s] = [p[c], q[c], r[c], s[c]];
        let (first, second, third) = (-p + r, 2.0 * (p - q) + r - s, -p + q - r + s);
        q + part * (first + part * (second + part * third))
    })
}

/// As Pillow does where it does not interpolate: in 65,536ths of a pixel, but for what stays level, which it adds up
/// in floating point.
fn nearest<const C: usize>(image: &mut Image, [a, b, c, d, e, f]: [f64; 6], border: Border) {
    let size = image.size;
    let inside = |at: i64| usize::try_from(at).ok().filter(|at| *at < size);
    if b == 0.0 && d == 0.0 {
        let places = |first: f64, each: f64| -> Vec<Option<usize>> {
            let mut at = first + each * 0.5;
            let place = |_| {
                let here = at;
                at += each;
                (here >= 0.0).then(|| inside(here as i64)).flatten()
            };
            (0..size).map(place).collect()
        };
        let (columns, rows) = (places(c, a), places(f, e));
        image.rewrite(|old, y, row| {
            let line = rows[y].map(|y| &old.pixels.as_chunks::<C>().0[y * size..][..size]);
            for (pixel, x) in row.as_chunks_mut::<C>().0.iter_mut().zip(&columns) {
                match line.zip(*x) {
                    Some((line, x)) => *pixel = line[x],
                    None => border.fill(pixel, old.mean),
                }
            }
        });
        return;
    }
    let fixed = |v: f64| (v * 65_536.0 + 0.5).floor() as i64;
    let (left, top) = (fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5));
    let [a, b, d, e] = [a, b, d, e].map(fixed);
    image.rewrite(|old, y, row| {
        let (mut x_at, mut y_at) = (left + b * y as i64, top + e * y as i64);
        let pixels = old.pixels.as_chunks::<C>().0;
        for pixel in row.as_chunks_mut::<C>().0 {
            match inside(x_at >> 16).zip(inside(y_at >> 16)) {
                Some((x, y)) => *pixel = pixels[y * size + x],
                None => border.fill(pixel, old.mean),
            }
            (x_at, y_at) = (x_at + a, y_at + d);
        }
    });
}
