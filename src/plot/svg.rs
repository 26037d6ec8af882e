//! Writes SVG, no more of it than the pictures need.

use super::style::{FONTS, PAPER};
use super::text;
use std::fmt::Write;

/// A picture in the making.
pub struct Svg {
    width: f64,
    height: f64,
    body: String,
    clips: usize,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Weight {
    Regular,
    Semibold,
}

/// Where a text lies with respect to its point.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// How a line is drawn.
#[derive(Clone, Copy)]
pub struct Stroke {
    pub colour: &'static str,
    pub width: f64,
    pub opacity: f64,
    /// Lengths of dashes and gaps; empty for a solid line.
    pub dashes: &'static str,
}

/// How a text is set.
#[derive(Clone, Copy)]
pub struct Type {
    pub size: f64,
    pub weight: Weight,
    pub colour: &'static str,
    pub anchor: Anchor,
    /// A rim of paper, for text that lines may cross.
    pub halo: bool,
    /// Degrees that it is turned by, clockwise around its point.
    pub turn: f64,
}

impl Stroke {
    pub const fn new(colour: &'static str, width: f64) -> Self {
        Self { colour, width, opacity: 1.0, dashes: "" }
    }

    pub const fn faint(self, opacity: f64) -> Self {
        Self { opacity, ..self }
    }

    pub const fn dashed(self, dashes: &'static str) -> Self {
        Self { dashes, ..self }
    }
}

impl Type {
    pub const fn new(size: f64, colour: &'static str) -> Self {
        Self { size, weight: Weight::Regular, colour, anchor: Anchor::Start, halo: false, turn: 0.0 }
    }

    pub const fn semibold(self) -> Self {
        Self { weight: Weight::Semibold, ..self }
    }

    pub const fn haloed(self) -> Self {
        Self { halo: true, ..self }
    }

    pub const fn turned(self, degrees: f64) -> Self {
        Self { turn: degrees, ..self }
    }

    pub const fn anchored(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }
}

impl Svg {
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new(), clips: 0 }
    }

    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let (x1, y1, x2, y2) = (px(from.0), px(from.1), px(to.0), px(to.1));
        self.push(format_args!("<line x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"{}/>", stroke.attributes()));
    }

    /// A line through the points, corners rounded off.
    pub fn polyline(&mut self, points: &[(f64, f64)], stroke: Stroke) {
        if points.len() < 2 {
            return;
        }
        let path = path(points);
        self.push(format_args!("<path d=\"{path}\" fill=\"none\" stroke-linejoin=\"round\"{}/>", stroke.attributes()));
    }

    /// The area between the points and the height `base`.
    pub fn area(&mut self, points: &[(f64, f64)], base: f64, colour: &str, opacity: f64) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let (path, base) = (path(points), px(base));
        let (first, last) = (px(first.0), px(last.0));
        self.push(format_args!(
            "<path d=\"{path}L{last} {base}L{first} {base}Z\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>"
        ));
    }

    /// The area between two lines of as many points.
    pub fn band(&mut self, lower: &[(f64, f64)], upper: &[(f64, f64)], colour: &str, opacity: f64) {
        if lower.len() < 2 {
            return;
        }
        let around: Vec<_> = lower.iter().chain(upper.iter().rev()).copied().collect();
        let path = path(&around);
        self.push(format_args!("<path d=\"{path}Z\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>"));
    }

    pub fn dot(&mut self, at: (f64, f64), radius: f64, colour: &str) {
        let (x, y, radius) = (px(at.0), px(at.1), px(radius));
        self.push(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{colour}\" stroke=\"{PAPER}\" stroke-width=\"1\"/>"
        ));
    }

    pub fn rect(&mut self, at: (f64, f64), size: (f64, f64), colour: &str) {
        let (x, y, width, height) = (px(at.0), px(at.1), px(size.0), px(size.1));
        self.push(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{colour}\"/>"));
    }

    /// Squares of one size and colour, by their upper left corners. Their edges are not blended with what lies below, so
    /// that neighbours show no gap.
    pub fn squares(&mut self, corners: &[(f64, f64)], side: f64, colour: &str) {
        if corners.is_empty() {
            return;
        }
        let side = hundredth(side);
        let path: String = corners
            .iter()
            .map(|(x, y)| format!("M{} {}h{side}v{side}h-{side}z", hundredth(*x), hundredth(*y)))
            .collect();
        self.push(format_args!("<path d=\"{path}\" fill=\"{colour}\" shape-rendering=\"crispEdges\"/>"));
    }

    /// Text with its baseline at `at`.
    pub fn text(&mut self, at: (f64, f64), text: &str, set: Type) {
        let weight = match set.weight {
            Weight::Regular => "",
            Weight::Semibold => " font-weight=\"600\"",
        };
        let anchor = match set.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let halo = match set.halo {
            false => String::new(),
            true => format!(" stroke=\"{PAPER}\" stroke-width=\"4\" stroke-linejoin=\"round\" paint-order=\"stroke\""),
        };
        let (x, y, size, colour) = (px(at.0), px(at.1), px(set.size), set.colour);
        let turn = match set.turn {
            0.0 => String::new(),
            degrees => format!(" transform=\"rotate({} {x} {y})\"", px(degrees)),
        };
        self.push(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\"{weight}{anchor}{halo}{turn} fill=\"{colour}\">{}</text>",
            escape(text)
        ));
    }

    /// A square image, its pixels kept square; `source` is a URL, data in it too.
    pub fn pixels(&mut self, at: (f64, f64), side: f64, source: &str) {
        let (x, y, side) = (px(at.0), px(at.1), px(side));
        self.push(format_args!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" style=\"image-rendering:pixelated\" \
             href=\"{source}\"/>"
        ));
    }

    /// Draws with everything outside the box cut off.
    pub fn clipped(&mut self, from: (f64, f64), to: (f64, f64), draw: impl FnOnce(&mut Self)) {
        let id = self.clips;
        self.clips += 1;
        let (x, y, width, height) = (px(from.0), px(from.1), px(to.0 - from.0), px(to.1 - from.1));
        self.push(format_args!(
            "<clipPath id=\"c{id}\"><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/></clipPath>"
        ));
        self.push(format_args!("<g clip-path=\"url(#c{id})\">"));
        draw(self);
        self.push(format_args!("</g>"));
    }

    /// The picture as a document of its own.
    pub fn finish(self, title: &str) -> String {
        let (width, height) = (px(self.width), px(self.height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\">\n<title>{}</title>\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"{PAPER}\"/>\n{}</svg>\n",
            escape(title),
            self.body
        )
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.body, "{element}");
    }
}

impl Stroke {
    fn attributes(&self) -> String {
        let mut out = format!(" stroke=\"{}\" stroke-width=\"{}\"", self.colour, px(self.width));
        if self.opacity < 1.0 {
            out += &format!(" stroke-opacity=\"{}\"", self.opacity);
        }
        if !self.dashes.is_empty() {
            out += &format!(" stroke-dasharray=\"{}\"", self.dashes);
        }
        out
    }
}

fn path(points: &[(f64, f64)]) -> String {
    let mut out = String::new();
    for (i, (x, y)) in points.iter().enumerate() {
        out.push(if i == 0 { 'M' } else { 'L' });
        out += &format!("{} {}", px(*x), px(*y));
    }
    out
}

/// A coordinate to a tenth of a pixel (and no minus zero): enough for the eye, and the same on every machine.
fn px(x: f64) -> f64 {
    (x * 10.0).round() / 10.0 + 0.0
}

/// To a hundredth, for cells that may be less than a pixel wide.
fn hundredth(x: f64) -> f64 {
    (x * 100.0).round() / 100.0 + 0.0
}

fn escape(text: &str) -> String {
    text::visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
