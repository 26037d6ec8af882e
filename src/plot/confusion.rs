//! The picture of a confusion matrix: a cell for each pair of classes, darker the more of its row it holds.

use super::style::{BORDER, INK, LABEL, PAPER, QUIET, RAMP, SMALL, TITLE, TOP};
use super::svg::{Anchor, Stroke, Svg, Type, Weight};
use super::text;
use crate::record::confusion::Confusion;
use crate::units::count;

/// The side of the whole matrix: aimed at, and the most of a cell.
const SIDE: f64 = 640.0;
const MOST_CELL: f64 = 60.0;
/// Counts are written into cells at least so wide.
const ROOM_FOR_COUNT: f64 = 26.0;
/// Between the names of neighbouring classes, at least.
const APART: f64 = 14.0;
const MARGIN: f64 = 24.0;
/// The legend's width: the ramp and the words behind it.
const LEGEND: f64 = RAMP.len() as f64 * SWATCH + 190.0;
const SWATCH: f64 = 16.0;
/// Names are cut to this width.
const MOST_NAME: f64 = 130.0;
/// Shares below this are left white: they would not be told from it.
const FAINTEST: f64 = 0.001;

/// Draws the matrix as SVG: true classes from top to bottom, predicted ones from left to right. Small matrices have their
/// counts in the cells; in large ones names are thinned.
pub fn confusion(title: &str, subtitle: &str, matrix: &Confusion) -> String {
    let picture = Picture::new(matrix);
    let mut svg = Svg::new(picture.width, picture.bottom() + 74.0);
    svg.text(
        (MARGIN, TOP),
        &text::shortened(title, TITLE, Weight::Semibold, picture.width - 2.0 * MARGIN),
        Type::new(TITLE, INK).semibold(),
    );
    let subtitle = text::shortened(subtitle, LABEL, Weight::Semibold, picture.width - 2.0 * MARGIN);
    svg.text((MARGIN, TOP + 20.0), &subtitle, Type::new(LABEL, QUIET));
    picture.names(&mut svg);
    picture.cells(&mut svg);
    picture.legend(&mut svg);
    svg.finish(title)
}

/// Where everything lies.
struct Picture<'a> {
    matrix: &'a Confusion,
    cell: f64,
    left: f64,
    top: f64,
    width: f64,
    /// Every so many classes are named.
    every: usize,
    /// Whether names of columns lie flat, as they do where all fit their cells.
    flat: bool,
}

impl<'a> Picture<'a> {
    fn new(matrix: &'a Confusion) -> Self {
        let outputs = matrix.names().len().max(1);
        // Whole pixels, so that cells have sharp edges, where there are enough of them.
        let cell = (SIDE / outputs as f64).min(MOST_CELL);
        let cell = if cell >= 2.0 { cell.floor() } else { cell };
        let every = (APART / cell).ceil().max(1.0) as usize;
        let shown = || {
            matrix.names().iter().step_by(every).map(|name| text::shortened(name, SMALL, Weight::Semibold, MOST_NAME))
        };
        let widest = shown().map(|name| text::width(&name, SMALL, Weight::Regular)).fold(0.0, f64::max);
        let flat = widest + 6.0 <= cell * every as f64;
        let left = MARGIN + 20.0 + widest + 8.0;
        let right = left + cell * outputs as f64 + if flat { 0.0 } else { widest * TILT.cos() };
        let head = if flat { 16.0 } else { widest * TILT.sin() + 12.0 };
        Self { matrix, cell, left, top: TOP + 48.0 + head, width: right.max(left + LEGEND) + MARGIN, every, flat }
    }

    fn right(&self) -> f64 {
        self.left + self.cell * self.matrix.names().len() as f64
    }

    fn bottom(&self) -> f64 {
        self.top + self.cell * self.matrix.classes() as f64
    }

    fn names(&self, svg: &mut Svg) {
        let set = Type::new(SMALL, INK);
        for (class, name) in self.matrix.names().iter().enumerate().step_by(self.every) {
            let name = text::shortened(name, SMALL, Weight::Semibold, MOST_NAME);
            let middle = (class as f64 + 0.5) * self.cell;
            if class < self.matrix.classes() {
                svg.text((self.left - 8.0, self.top + middle + 4.0), &name, set.anchored(Anchor::End));
            }
            let x = self.left + middle;
            match self.flat {
                true => svg.text((x, self.top - 7.0), &name, set.anchored(Anchor::Middle)),
                false => svg.text((x + 3.0, self.top - 7.0), &name, set.turned(-TILT.to_degrees())),
            }
        }
        let axis = Type::new(SMALL, QUIET).semibold();
        let middle = (self.top + self.bottom()) / 2.0;
        svg.text((MARGIN + 4.0, middle), "true class", axis.anchored(Anchor::Middle).turned(-90.0));
        svg.text(
            ((self.left + self.right()) / 2.0, self.bottom() + 18.0),
            "predicted class",
            axis.anchored(Anchor::Middle),
        );
    }

    /// One path a shade, as large matrices have many thousand cells.
    fn cells(&self, svg: &mut Svg) {
        let (left, top, cell) = (self.left, self.top, self.cell);
        let mut by_shade: Vec<Vec<(usize, usize)>> = vec![Vec::new(); RAMP.len()];
        for label in 0..self.matrix.classes() {
            for (output, share) in self.shares(label).enumerate().filter(|(_, share)| *share >= FAINTEST) {
                by_shade[shade(share)].push((label, output));
            }
        }
        for (colour, cells) in RAMP.into_iter().zip(by_shade) {
            let corner = |(label, output): &(usize, usize)| (left + *output as f64 * cell, top + *label as f64 * cell);
            svg.squares(&cells.iter().map(corner).collect::<Vec<_>>(), cell, colour);
        }
        let (right, bottom) = (self.right(), self.bottom());
        if cell >= ROOM_FOR_COUNT {
            for k in 1..self.matrix.names().len() {
                let x = left + k as f64 * cell;
                svg.line((x, top), (x, bottom), Stroke::new(PAPER, 1.0));
            }
            for k in 1..self.matrix.classes() {
                let y = top + k as f64 * cell;
                svg.line((left, y), (right, y), Stroke::new(PAPER, 1.0));
            }
            self.counts(svg);
        }
        for (from, to) in [((left, top), (right, top)), ((left, bottom), (right, bottom))] {
            svg.line(from, to, Stroke::new(BORDER, 1.0));
        }
        for x in [left, right] {
            svg.line((x, top), (x, bottom), Stroke::new(BORDER, 1.0));
        }
    }

    fn counts(&self, svg: &mut Svg) {
        for label in 0..self.matrix.classes() {
            for (output, share) in self.shares(label).enumerate() {
                let words = match self.matrix.row(label)[output] {
                    0 => continue,
                    n => count(n),
                };
                // Wide numbers are set smaller than cells allow at most.
                let size = (LABEL * (self.cell - 4.0) / text::width(&words, LABEL, Weight::Regular)).min(LABEL);
                let at = (self.left + (output as f64 + 0.5) * self.cell, self.top + (label as f64 + 0.5) * self.cell);
                let colour = if shade(share) > RAMP.len() / 2 { PAPER } else { INK };
                let set = Type::new(size, colour).anchored(Anchor::Middle);
                svg.text((at.0, at.1 + size * 0.36), &words, if label == output { set.semibold() } else { set });
            }
        }
    }

    /// What part of the row each of its cells holds.
    fn shares(&self, label: usize) -> impl Iterator<Item = f64> + '_ {
        let images = self.matrix.images_of(label).max(1) as f64;
        self.matrix.row(label).iter().map(move |count| *count as f64 / images)
    }

    fn legend(&self, svg: &mut Svg) {
        let (x, y) = (self.left, self.bottom() + 34.0);
        for (k, colour) in RAMP.into_iter().enumerate() {
            svg.rect((x + k as f64 * SWATCH, y), (SWATCH, 10.0), colour);
        }
        let end = x + RAMP.len() as f64 * SWATCH;
        let marks = [0.01, 0.1, 0.5].map(|share| (share, shade(share)));
        for (share, k) in marks {
            let at = (x + (k as f64 + 0.5) * SWATCH, y + 22.0);
            svg.text(at, &format!("{} %", share * 100.0), Type::new(SMALL, QUIET).anchored(Anchor::Middle));
        }
        svg.text((end - SWATCH / 2.0, y + 22.0), "100 %", Type::new(SMALL, QUIET).anchored(Anchor::Middle));
        svg.text((end + 10.0, y + 9.0), "share of the true class's images", Type::new(SMALL, QUIET));
    }
}

/// Of the names of columns, against the horizontal.
const TILT: f64 = std::f64::consts::FRAC_PI_4;

/// The ramp's place of a share. Its square root: a mistake in fifty is to be seen.
fn shade(share: f64) -> usize {
    ((share.sqrt() * RAMP.len() as f64) as usize).min(RAMP.len() - 1)
}
