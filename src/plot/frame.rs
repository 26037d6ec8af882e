//! What all pictures share: a heading, and frames: phases on the way from left to right over panels one above the other.

use super::axis::{Axis, Tick};
use super::header::{CROWDED, Header};
use super::schedule::Shown;
use super::style::{AXIS, BORDER, BOTTOM, GRID, INK, LABEL, LEFT, QUIET, RIGHT, SMALL, TITLE, TOP, WIDTH};
use super::svg::{Anchor, Stroke, Svg, Type, Weight};
use super::text;
use crate::record::rows::PlanRow;

/// Between the top of a panel's place and its uppermost line: room for its caption.
const CAPTION: f64 = 30.0;
/// A line of tick labels below the lowest panel.
const TICKS: f64 = 18.0;
/// A line of the legend.
const LEGEND: f64 = 16.0;
/// How far what goes on from the line before is set in.
const INDENT: f64 = 20.0;
/// The widest words above frames.
const WIDEST: f64 = WIDTH - LEFT - RIGHT;
/// Ticks of a logarithmic axis.
const MOST_DECADES: usize = 8;

/// What stands above all frames.
pub struct Heading<'a> {
    pub title: &'a str,
    /// May be empty.
    pub subtitle: String,
    /// Words in their colours, each on a line of its own, or on several where they are too wide.
    pub legend: Vec<(String, &'static str)>,
}

/// Panels over one axis, before anything is drawn.
pub struct Frame<'a> {
    pub x: Axis,
    /// The pixel it begins at.
    top: f64,
    header: Header<'a>,
    /// Pixels where phases meet.
    borders: Vec<f64>,
    panels: Vec<f64>,
    /// Lines of tick labels below.
    rulers: Vec<Ruler>,
}

/// A line of tick labels along the bottom.
pub struct Ruler {
    pub name: &'static str,
    /// Values on the picture's x axis, with their labels.
    pub ticks: Vec<Tick>,
}

/// The phases from left to right.
pub struct Stages<'a> {
    pub phases: &'a [PlanRow],
    /// The x values where they begin, and the end: one more than phases.
    pub borders: Vec<f64>,
    /// Whether they are named.
    pub labels: Shown,
}

impl<'a> Stages<'a> {
    /// One stage of which nothing is said.
    pub fn plain(end: f64) -> Self {
        Self { phases: &[], borders: vec![0.0, end], labels: Shown::No }
    }
}

impl<'a> Heading<'a> {
    pub fn new(title: &'a str, subtitle: String) -> Self {
        Self { title, subtitle, legend: Vec::new() }
    }

    /// The pixel below it, where frames begin.
    pub fn bottom(&self) -> f64 {
        let words = if self.subtitle.is_empty() { 16.0 } else { 36.0 };
        TOP + words + self.lines().len() as f64 * LEGEND
    }

    /// The legend's lines: where each begins, its words and their colour.
    fn lines(&self) -> Vec<(f64, String, &'static str)> {
        let mut lines = Vec::new();
        for (words, colour) in &self.legend {
            for (k, line) in broken(words).into_iter().enumerate() {
                lines.push((if k == 0 { LEFT } else { LEFT + INDENT }, line, *colour));
            }
        }
        lines
    }

    fn draw(&self, svg: &mut Svg) {
        let title = text::shortened(self.title, TITLE, Weight::Semibold, WIDEST);
        svg.text((LEFT, TOP), &title, Type::new(TITLE, INK).semibold());
        let mut baseline = TOP + 4.0;
        if !self.subtitle.is_empty() {
            baseline = TOP + 20.0;
            svg.text((LEFT, baseline), &self.subtitle, Type::new(LABEL, QUIET));
        }
        for (x, words, colour) in self.lines() {
            baseline += LEGEND;
            let words = text::shortened(&words, SMALL, Weight::Semibold, LEFT + WIDEST - x);
            svg.text((x, baseline), &words, Type::new(SMALL, colour).semibold());
        }
    }
}

/// Words of a legend on as few lines as hold them, broken behind commas.
fn broken(words: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in words.split_inclusive(", ") {
        let room = if lines.len() > 1 { WIDEST - INDENT } else { WIDEST };
        let fits = |line: &str| text::width(format!("{line}{part}").trim_end(), SMALL, Weight::Semibold) <= room;
        match lines.last_mut() {
            Some(line) if fits(line) => *line += part,
            _ => lines.push(part.to_owned()),
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// Starts a picture of frames one below the other: everything but the panels' content.
pub fn start(heading: &Heading<'_>, frames: &[Frame<'_>]) -> Svg {
    let bottom = frames.iter().map(Frame::bottom).fold(heading.bottom(), f64::max);
    let mut svg = Svg::new(WIDTH, bottom + BOTTOM);
    heading.draw(&mut svg);
    for frame in frames {
        frame.outline(&mut svg);
    }
    svg
}

impl<'a> Frame<'a> {
    /// Lays out panels of the given heights from pixel `top` on, from 0 to the end of the stages. `right` is left free for
    /// labels at the ends of lines.
    pub fn new(top: f64, stages: &Stages<'a>, right: f64, panels: Vec<f64>) -> Self {
        let end = stages.borders.last().copied().unwrap_or(1.0);
        let lay = |right: f64| {
            let x = Axis::exact(0.0, end, (LEFT, WIDTH - right));
            let borders: Vec<f64> = stages.borders.iter().map(|b| x.px(*b)).collect();
            let header = match stages.labels {
                Shown::Yes => Header::new(stages.phases, &borders),
                Shown::No => Header::empty(),
            };
            Self { x, top, header, borders, panels: panels.clone(), rulers: Vec::new() }
        };
        let frame = lay(right);
        match frame.header.excess() {
            0.0 => frame,
            excess => lay(right + excess),
        }
    }

    pub fn with_rulers(self, rulers: Vec<Ruler>) -> Self {
        Self { rulers, ..self }
    }

    fn panels_top(&self) -> f64 {
        self.top + self.header.height()
    }

    fn panels_bottom(&self) -> f64 {
        self.panels_top() + self.panels.iter().map(|height| height + CAPTION).sum::<f64>()
    }

    /// The pixels of panel `i`'s lower and upper end.
    pub fn heights(&self, i: usize) -> (f64, f64) {
        let above: f64 = self.panels[..i].iter().map(|height| height + CAPTION).sum();
        let top = self.panels_top() + above + CAPTION;
        (top + self.panels[i], top)
    }

    /// The pixel below it, tick labels included.
    pub fn bottom(&self) -> f64 {
        self.panels_bottom() + self.rulers.len() as f64 * TICKS
    }

    fn outline(&self, svg: &mut Svg) {
        let bottom = self.panels_bottom();
        self.draw_borders(svg);
        self.header.draw(svg, self.top, bottom);
        for (row, ruler) in self.rulers.iter().enumerate() {
            self.draw_ruler(svg, ruler, bottom + (row as f64 + 1.05) * TICKS);
        }
    }

    fn draw_borders(&self, svg: &mut Svg) {
        let inner = &self.borders[1..self.borders.len().saturating_sub(1).max(1)];
        let mut last = f64::NEG_INFINITY;
        for &border in inner {
            if border - last >= CROWDED && !self.header.has_border(border) {
                for i in 0..self.panels.len() {
                    let (bottom, top) = self.heights(i);
                    svg.line((border, top), (border, bottom), Stroke::new(BORDER, 1.0).dashed("2 3"));
                }
                last = border;
            }
        }
    }

    fn draw_ruler(&self, svg: &mut Svg, ruler: &Ruler, baseline: f64) {
        svg.text((LEFT - 14.0, baseline), ruler.name, Type::new(SMALL, QUIET).anchored(Anchor::End));
        let mut free = f64::NEG_INFINITY;
        for tick in &ruler.ticks {
            let (x, half) = (self.x.px(tick.value), text::width(&tick.label, SMALL, Weight::Regular) / 2.0);
            if x - half >= free && x <= self.x.to + 0.5 {
                svg.text((x, baseline), &tick.label, Type::new(SMALL, QUIET).anchored(Anchor::Middle));
                free = x + half + 8.0;
            }
        }
    }

    /// Draws a panel's grid, tick labels and caption.
    pub fn panel(&self, svg: &mut Svg, y: &Axis, caption: (&str, &'static str), unit: &str) {
        let (from, to) = (self.x.from, self.x.to);
        for tick in y.ticks(MOST_DECADES) {
            let height = y.px(tick.value);
            svg.line((from, height), (to, height), Stroke::new(GRID, 1.0));
            let label = format!("{}{unit}", tick.label);
            svg.text((from - 10.0, height + 4.0), &label, Type::new(SMALL, QUIET).anchored(Anchor::End));
        }
        svg.line((from, y.from), (to, y.from), Stroke::new(AXIS, 1.0));
        svg.text((from, y.to - 9.0), caption.0, Type::new(LABEL, caption.1).semibold().haloed());
    }

    /// Draws what may leave the panel, cut off at its edges.
    pub fn within(&self, svg: &mut Svg, y: &Axis, draw: impl FnOnce(&mut Svg)) {
        // Half a line's width more, so that a line along the edge is drawn whole.
        svg.clipped((self.x.from - 2.0, y.to - 2.0), (self.x.to + 2.0, y.from + 2.0), draw);
    }
}

/// Words at the right end of a line.
pub struct EndLabel {
    pub y: f64,
    pub words: String,
    pub colour: &'static str,
}

/// Writes labels from pixel `x` on: at the heights of their lines, moved apart where they would touch, all between the
/// pixels `low` and `high`.
pub fn label_ends(svg: &mut Svg, x: f64, mut labels: Vec<EndLabel>, (low, high): (f64, f64)) {
    let apart = ((low - high) / labels.len().max(1) as f64).min(15.0);
    labels.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut free = high;
    for label in &mut labels {
        label.y = label.y.max(free);
        free = label.y + apart;
    }
    let mut free = low;
    for label in labels.iter_mut().rev() {
        label.y = label.y.min(free);
        free = label.y - apart;
    }
    for label in labels {
        svg.text((x, label.y + 4.0), &label.words, Type::new(SMALL, label.colour).semibold());
    }
}
