//! What each phase is, written above the panels: optimizer, image size, batch.

use super::style::{BORDER, INK, LABEL, QUIET, SMALL, WIDTH};
use super::svg::{Stroke, Svg, Type, Weight};
use super::text;
use crate::record::rows::PlanRow;

const LINE: f64 = 15.0;
const INSET: f64 = 6.0;
/// At the foot of a flag.
const DOT: f64 = 2.5;
/// Flags above this row are left out.
const MOST_ROWS: usize = 10;
/// Borders of phases closer together than this are not all drawn.
pub const CROWDED: f64 = 3.0;

/// Neighbouring phases with the same optimizer, size and batch: one label for all.
struct Run<'a> {
    phase: &'a PlanRow,
    from: f64,
    to: f64,
    /// Where the label does not fit: the row of the flag that carries it, 0 the lowest.
    flag: Option<usize>,
}

/// The labels, laid out for one picture.
///
/// A label stands within its phase where it fits, on two lines or on three. Phases too short for that get a flag: the label
/// above the others, to the right of a dotted line that ends in a dot over the middle of the phase, so that no one takes it
/// for a border. Lines further right are lower than the label they would cut.
pub struct Header<'a> {
    runs: Vec<Run<'a>>,
    tall: bool,
    rows: usize,
}

impl<'a> Header<'a> {
    /// Lays out the labels of `phases`; phase `i` reaches from pixel `borders[i]` to `borders[i + 1]`.
    pub fn new(phases: &'a [PlanRow], borders: &[f64]) -> Self {
        let mut runs = Vec::new();
        let mut first = 0;
        for run in phases.chunk_by(alike) {
            let last = first + run.len();
            runs.push(Run { phase: &run[0], from: borders[first], to: borders[last], flag: None });
            first = last;
        }
        let tall = runs.iter().any(|run| !run.fits(&two_lines(run.phase)));
        for i in (0..runs.len()).rev() {
            if runs[i].fits(&three_lines(runs[i].phase)) {
                continue;
            }
            let end = runs[i].middle() + runs[i].flag_width() + INSET;
            let cut = runs[i + 1..].iter().filter(|right| right.middle() <= end).filter_map(|right| right.flag).max();
            runs[i].flag = Some(cut.map_or(0, |row| row + 1));
        }
        let rows = runs.iter().filter_map(|run| run.flag).map(|row| row + 1).max().unwrap_or(0).min(MOST_ROWS);
        Self { runs, tall, rows }
    }

    /// A header that says nothing.
    pub fn empty() -> Self {
        Self { runs: Vec::new(), tall: false, rows: 0 }
    }

    pub fn height(&self) -> f64 {
        let lines = match (self.runs.is_empty(), self.tall) {
            (true, _) => 0,
            (false, false) => 2,
            (false, true) => 3,
        };
        (lines + self.rows) as f64 * LINE
    }

    /// How far the flags reach beyond the picture's right edge.
    pub fn excess(&self) -> f64 {
        let ends = self.runs.iter().filter(|run| run.flag.is_some()).map(|run| run.middle() + run.flag_width());
        (ends.fold(0.0, f64::max) - (WIDTH - 2.0 * INSET)).max(0.0)
    }

    /// Whether the header draws the line at this border: where what it says changes.
    pub fn has_border(&self, x: f64) -> bool {
        self.runs.iter().skip(1).any(|run| run.from == x)
    }

    /// Draws the labels from `top` on, and the lines between runs down to `bottom`.
    pub fn draw(&self, svg: &mut Svg, top: f64, bottom: f64) {
        let strip = top + self.rows as f64 * LINE;
        let mut last = f64::NEG_INFINITY;
        for run in self.runs.iter().skip(1) {
            if run.from - last >= CROWDED {
                svg.line((run.from, strip), (run.from, bottom), Stroke::new(BORDER, 1.0));
                last = run.from;
            }
        }
        for (i, run) in self.runs.iter().enumerate() {
            // The first label lines up with the title; the others keep off the border before them.
            let x = run.from + if i == 0 { 0.0 } else { INSET };
            match run.flag {
                None if self.tall => write(svg, (x, strip), &three_lines(run.phase)),
                None => write(svg, (x, strip), &two_lines(run.phase)),
                Some(row) if row < MOST_ROWS => run.fly(svg, strip, row, top + self.height()),
                Some(_) => {}
            }
        }
    }
}

impl Run<'_> {
    fn middle(&self) -> f64 {
        (self.from + self.to) / 2.0
    }

    fn fits(&self, lines: &[String]) -> bool {
        let widths = lines.iter().map(|line| text::width(line, LABEL, Weight::Semibold));
        widths.fold(0.0, f64::max) + 2.0 * INSET <= self.to - self.from
    }

    fn flag_text(&self) -> String {
        format!("{} · {} px · batch {}", self.phase.optimizer, self.phase.size, self.phase.batch)
    }

    fn flag_width(&self) -> f64 {
        INSET + text::width(&self.flag_text(), SMALL, Weight::Regular)
    }

    fn fly(&self, svg: &mut Svg, strip: f64, row: usize, bottom: f64) {
        let x = self.middle();
        let base = strip - row as f64 * LINE - 4.0;
        svg.line((x, base - 8.0), (x, bottom), Stroke::new(QUIET, 0.6).dashed("1 2"));
        svg.dot((x, bottom), DOT, QUIET);
        svg.text((x + 4.0, base), &self.flag_text(), Type::new(SMALL, INK));
    }
}

fn write(svg: &mut Svg, (x, top): (f64, f64), lines: &[String]) {
    for (i, line) in lines.iter().enumerate() {
        let set = if i == 0 { Type::new(LABEL, INK).semibold() } else { Type::new(SMALL, QUIET) };
        svg.text((x, top + (i as f64 + 0.75) * LINE), line, set);
    }
}

fn alike(a: &PlanRow, b: &PlanRow) -> bool {
    (&a.optimizer, a.size, a.batch) == (&b.optimizer, b.size, b.batch)
}

fn two_lines(phase: &PlanRow) -> Vec<String> {
    vec![phase.optimizer.clone(), format!("{} px · batch {}", phase.size, phase.batch)]
}

fn three_lines(phase: &PlanRow) -> Vec<String> {
    vec![phase.optimizer.clone(), format!("{} px", phase.size), format!("batch {}", phase.batch)]
}
