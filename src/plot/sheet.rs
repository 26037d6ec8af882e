//! A contact sheet: images of each class beside the class's name.

use super::png::{self, PictureError};
use super::style::{INK, LABEL, QUIET, TITLE};
use super::svg::{Anchor, Svg, Type, Weight};
use super::text;
use base64::Engine;
use image::{ImageFormat, RgbImage, imageops};
use std::io::Cursor;

/// What is drawn. Each image is `(side, side, channels)` bytes, of 1 or 3 channels.
pub struct Sheet {
    pub title: String,
    /// A line under the title.
    pub note: String,
    pub side: usize,
    pub channels: usize,
    pub rows: Vec<SheetRow>,
}

/// A class and some of its images.
pub struct SheetRow {
    pub label: String,
    pub images: Vec<Vec<u8>>,
}

/// Rows beside one another from this many on, so that the sheet stays about square.
const ROWS: usize = 25;
/// About how large an image is drawn, in pixels of the PNG: always a whole number of them to a pixel of the image.
const LARGE: usize = 96;
const SMALL: usize = 64;
/// Pixels of the PNG to one of the drawing.
const SCALE: usize = 2;

const MARGIN: f64 = 24.0;
const HEAD: f64 = 56.0;
const GAP: f64 = 3.0;
/// Between the columns of rows, and between a label and its images.
const GUTTER: f64 = 28.0;
const BESIDE: f64 = 10.0;
const LONGEST_LABEL: f64 = 150.0;

/// Where things lie, in units of the drawing.
struct Grid {
    tile: f64,
    label: f64,
    images: usize,
    per_column: usize,
    columns: usize,
}

impl Sheet {
    /// As SVG, the images in it as PNG data.
    ///
    /// # Errors
    /// When an image cannot be encoded.
    pub fn svg(&self) -> Result<String, PictureError> {
        let grid = self.grid();
        let mut svg = self.frame(&grid);
        for (row, image, at) in self.placed(&grid) {
            let png = encode(&self.picture(&self.rows[row].images[image], 1))?;
            let data = base64::engine::general_purpose::STANDARD.encode(png);
            svg.pixels(at, grid.tile, &format!("data:image/png;base64,{data}"));
        }
        Ok(svg.finish(&self.title))
    }

    /// As PNG: every pixel of an image is a square of whole pixels.
    ///
    /// # Errors
    /// When the sheet is too large, or cannot be encoded.
    pub fn png(&self) -> Result<Vec<u8>, PictureError> {
        let grid = self.grid();
        let frame = png::png(&self.frame(&grid).finish(&self.title), SCALE as f32)?;
        let mut sheet = image::load_from_memory_with_format(&frame, ImageFormat::Png)
            .map_err(|e| PictureError::Encode(e.to_string()))?
            .into_rgb8();
        let times = self.times();
        for (row, image, (x, y)) in self.placed(&grid) {
            let device = |at: f64| (at * SCALE as f64).round() as i64;
            imageops::replace(&mut sheet, &self.picture(&self.rows[row].images[image], times), device(x), device(y));
        }
        encode(&sheet)
    }

    /// Pixels of the PNG, along a side, to a pixel of an image.
    fn times(&self) -> usize {
        let wanted = if self.rows.len() <= ROWS { LARGE } else { SMALL };
        ((wanted + self.side / 2) / self.side).max(1)
    }

    fn grid(&self) -> Grid {
        let columns = self.rows.len().div_ceil(ROWS).max(1);
        let widest = self.rows.iter().map(|row| text::width(&row.label, LABEL, Weight::Regular));
        Grid {
            tile: (self.times() * self.side) as f64 / SCALE as f64,
            label: widest.fold(0.0, f64::max).min(LONGEST_LABEL).ceil(),
            images: self.rows.iter().map(|row| row.images.len()).max().unwrap_or(0),
            per_column: self.rows.len().div_ceil(columns).max(1),
            columns,
        }
    }

    /// Title and labels on paper.
    fn frame(&self, grid: &Grid) -> Svg {
        let column = grid.column();
        let width = 2.0 * MARGIN + grid.columns as f64 * (column + GUTTER) - GUTTER;
        let least =
            text::width(&self.title, TITLE, Weight::Semibold).max(text::width(&self.note, LABEL, Weight::Regular));
        let height = HEAD + MARGIN + grid.per_column as f64 * (grid.tile + GAP);
        let mut svg = Svg::new(width.max(least + 2.0 * MARGIN).ceil(), height.ceil());
        svg.text((MARGIN, 28.0), &self.title, Type::new(TITLE, INK).semibold());
        svg.text((MARGIN, 45.0), &self.note, Type::new(LABEL, QUIET));
        for (row, SheetRow { label, .. }) in self.rows.iter().enumerate() {
            let (x, y) = grid.row(row);
            let middle = y + grid.tile / 2.0 + LABEL * 0.36;
            let label = text::shortened(label, LABEL, Weight::Regular, grid.label);
            svg.text((x + grid.label, middle), &label, Type::new(LABEL, INK).anchored(Anchor::End));
        }
        svg
    }

    /// Row, number and place of each image.
    fn placed<'a>(&'a self, grid: &'a Grid) -> impl Iterator<Item = (usize, usize, (f64, f64))> + 'a {
        self.rows.iter().enumerate().flat_map(move |(row, SheetRow { images, .. })| {
            let (x, y) = grid.row(row);
            let first = x + grid.label + BESIDE;
            (0..images.len()).map(move |k| (row, k, (first + k as f64 * (grid.tile + GAP), y)))
        })
    }

    /// An image, each pixel of it `times` pixels wide and high.
    fn picture(&self, pixels: &[u8], times: usize) -> RgbImage {
        let side = (self.side * times) as u32;
        RgbImage::from_fn(side, side, |x, y| {
            let at = (y as usize / times * self.side + x as usize / times) * self.channels;
            let channel = |c: usize| pixels[at + if self.channels == 3 { c } else { 0 }];
            image::Rgb([channel(0), channel(1), channel(2)])
        })
    }
}

impl Grid {
    /// Width of a column of rows.
    fn column(&self) -> f64 {
        self.label + BESIDE + self.images as f64 * (self.tile + GAP) - GAP
    }

    /// Where a row begins.
    fn row(&self, row: usize) -> (f64, f64) {
        let (column, place) = (row / self.per_column, row % self.per_column);
        (MARGIN + column as f64 * (self.column() + GUTTER), HEAD + place as f64 * (self.tile + GAP))
    }
}

fn encode(picture: &RgbImage) -> Result<Vec<u8>, PictureError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).map_err(|e| PictureError::Encode(e.to_string()))?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of images of which image `k` of row `r` has all bytes `10 r + k`.
    fn sheet(rows: usize, side: usize, channels: usize) -> Sheet {
        let row = |r: usize| SheetRow {
            label: format!("class {r}"),
            images: (0..3).map(|k| vec![(10 * r + k) as u8; side * side * channels]).collect(),
        };
        Sheet {
            title: "Title".to_owned(),
            note: "a note".to_owned(),
            side,
            channels,
            rows: (0..rows).map(row).collect(),
        }
    }

    #[test]
    fn labels_hold_nothing_that_svg_cannot() {
        let mut sheet = sheet(1, 4, 1);
        sheet.rows[0].label = "a\u{1}\nb".to_owned();
        let svg = sheet.svg().unwrap();
        assert!(svg.contains(">a\\u{1}\\nb</text>"), "{svg}");
        assert!(resvg::usvg::Tree::from_str(&svg, &resvg::usvg::Options::default()).is_ok());
        assert!(sheet.grid().label >= text::width("a\\u{1}\\nb", LABEL, Weight::Regular).floor());
    }

    #[test]
    fn every_image_is_in_its_place_in_whole_pixels() {
        for (rows, side, channels) in [(2, 32, 3), (3, 28, 1), (1, 5, 3), (2, 200, 1), (60, 7, 3)] {
            let sheet = sheet(rows.min(25), side, channels);
            let grid = sheet.grid();
            let drawn = image::load_from_memory(&sheet.png().unwrap()).unwrap().into_rgb8();
            let last = (grid.tile * 2.0) as u32 - 1;
            assert_eq!((last + 1) % side as u32, 0);
            for (row, k, (x, y)) in sheet.placed(&grid) {
                let (x, y) = ((x * 2.0) as u32, (y * 2.0) as u32);
                for (dx, dy) in [(0, 0), (last, 0), (0, last), (last, last)] {
                    assert_eq!(drawn.get_pixel(x + dx, y + dy).0, [(10 * row + k) as u8; 3], "{side}: {row} {k}");
                }
                assert_eq!(drawn.get_pixel(x + last + 1, y).0, [255; 3]);
            }
        }
    }

    #[test]
    fn many_classes_stand_side_by_side() {
        let sheet = sheet(25 * 4, 32, 3);
        let grid = sheet.grid();
        assert_eq!((grid.columns, grid.per_column), (4, 25));
        let svg = sheet.svg().unwrap();
        assert_eq!(svg.matches("data:image/png;base64,").count(), 300);
        assert!(svg.contains(">class 99</text>") && svg.contains("image-rendering"));
    }

    #[test]
    fn a_name_that_is_too_long_is_cut() {
        let mut sheet = sheet(1, 8, 3);
        sheet.rows[0].label = "the name of a class ".repeat(9);
        assert!(sheet.svg().unwrap().contains(">the name of a class the…</text>"), "{}", sheet.svg().unwrap());
        assert_eq!(sheet.grid().label, LONGEST_LABEL);
    }

    #[test]
    fn a_sheet_of_nothing_is_still_a_picture() {
        assert!(sheet(0, 8, 3).png().is_ok());
    }
}
