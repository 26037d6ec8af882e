//! The display on a terminal: a table of evaluations that grows above three moving lines.
//!
//! ```text
//! phase 2/3 ━━━━━━━━━━━━━━━━━╸───────  sgd, 24 px, batch 128, epoch 3/6
//! total     ━━━━━━━━━╸───────────────   34 %  step 812/2,345  1 min 12 s left
//! loss 1.2345  acc  56.7 %  lr 0.0987   momentum 0.95     1,204 images/s
//! ```
//!
//! During an evaluation the third line counts images. The terminal may change its width at any time.

use super::lines::Run;
use super::report::{self, End};
use super::screen::Screen;
use super::{stderr_width, table, width};
use crate::record::error::RecordError;
use crate::record::event::{Event, PhaseBegins, RunFacts, Sink, StepDone};
use crate::record::rows::MetricsRow;
use crate::record::scores::Scores;
use crate::record::text;
use crate::units;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;

/// The sink for terminals.
pub struct Bars {
    run: Run,
    screen: Screen,
    /// Up from the first event until the last.
    lines: Option<MovingLines>,
    /// The titles of the table as they were shown last.
    titles: String,
}

/// Columns of `phase 2/3`.
const PREFIX: usize = 9;

struct MovingLines {
    phase: ProgressBar,
    total: ProgressBar,
    numbers: ProgressBar,
    begun: Option<PhaseBegins>,
    /// The terminal's, that the bars are made for.
    width: usize,
}

impl Bars {
    pub fn new() -> Self {
        Self { run: Run::default(), screen: Screen::open(), lines: None, titles: String::new() }
    }

    /// Prints above the moving lines.
    fn report(&self, text: &str) {
        self.screen.suspend(|| {
            let mut out = anstream::stdout();
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        });
    }

    fn begin(&mut self, step: u64) {
        let Some((facts, folder)) = &self.run.known else { return };
        self.report(&(report::head(facts, folder, (step > 0).then_some(step)) + "\n"));
        self.lines = Some(MovingLines::new(&self.screen, facts, step));
    }

    fn evaluated(&mut self, row: &MetricsRow, best: bool) {
        let Some((facts, _)) = &self.run.known else { return };
        let width = width();
        let titles = table::header(facts, width);
        // Again where the terminal has room for other columns than before.
        let shown = if titles == self.titles { "" } else { &titles };
        self.report(&(shown.to_owned() + &table::line(facts, row, best, width)));
        self.titles = titles;
    }

    /// The table of a resumed run begins with what the earlier processes found.
    fn evaluated_before(&mut self, rows: &[MetricsRow]) {
        let Some((facts, _)) = &self.run.known else { return };
        let mut scores = Scores::of(facts);
        for row in rows {
            let best = scores.add(row);
            self.evaluated(row, best);
        }
    }

    fn finish(&mut self, event: &Event) {
        // The moving lines go; the summary stays.
        if let Some(lines) = self.lines.take() {
            for line in [lines.phase, lines.total, lines.numbers] {
                line.finish_and_clear();
            }
        }
        if let (Some((facts, folder)), Some(end)) = (&self.run.known, End::of(event)) {
            self.report(&("\n".to_owned() + &report::summary(facts, folder, &self.run.scores, &end)));
        }
    }
}

impl MovingLines {
    fn new(screen: &Screen, facts: &RunFacts, step: u64) -> Self {
        let lines = Self {
            phase: screen.add(ProgressBar::new(0)),
            total: screen.add(ProgressBar::new(facts.steps).with_prefix("total").with_position(step)),
            numbers: screen.add(ProgressBar::new(0).with_style(style("{msg}"))),
            begun: None,
            width: stderr_width().max(1),
        };
        lines.fit();
        // Without this each line would show only once its numbers change.
        lines.total.tick();
        lines
    }

    /// Gives the bars their share of the width.
    fn fit(&self) {
        let template = format!("{{prefix:{PREFIX}}} {{bar:{}.cyan/dim}}  {{msg}}", self.bar());
        self.phase.set_style(style(&template));
        self.total.set_style(style(&template));
    }

    /// Columns of a bar.
    fn bar(&self) -> usize {
        (self.width * 3 / 10).clamp(8, 60)
    }

    /// What there is room for of the words beside a bar.
    fn beside(&self, words: &str) -> String {
        self.cut(words, PREFIX + 1 + self.bar() + 2)
    }

    /// The words without what the width has no room for behind `taken` columns. Lines end where their words do: filled up
    /// with spaces they would be broken, and pile up, when the terminal is made narrower.
    fn cut(&self, words: &str, taken: usize) -> String {
        words.chars().take((self.width - 1).saturating_sub(taken)).collect()
    }

    fn phase_begins(&mut self, facts: &RunFacts, begins: &PhaseBegins) {
        self.phase.set_length(begins.steps);
        self.phase.set_prefix(format!("phase {}/{}", begins.phase + 1, facts.phases));
        self.begun = Some(begins.clone());
    }

    fn step_done(&mut self, facts: &RunFacts, done: &StepDone) {
        let width = stderr_width().max(1);
        if width != self.width {
            self.width = width;
            self.fit();
        }
        let (row, taken) = (&done.row, done.row.step + 1);
        let first = self.begun.as_ref().map_or(0, |phase| phase.first_step);
        let (optimizer, size, batch, epoch) = (&row.optimizer, row.size, row.batch, row.epoch + 1);
        let epoch = if facts.paints() { String::new() } else { format!(", epoch {epoch}/{}", facts.epochs) };
        let phase = format!("{optimizer}, {size} px, batch {batch}{epoch}");
        self.phase.set_message(self.beside(&phase));
        self.phase.set_position(taken.saturating_sub(first));
        let left = done.seconds_left.map(|left| format!("  {} left", text::span(left))).unwrap_or_default();
        let share = 100 * taken / facts.steps.max(1);
        let total = format!("{share:>3} %  step {}/{}{left}", units::count(taken), units::count(facts.steps));
        self.total.set_message(self.beside(&total));
        self.total.set_position(taken);
        self.numbers.set_message(self.cut(&text::numbers(done), 0));
    }

    fn evaluating(&self, images: u64, of: u64) {
        let share = 100 * images / of.max(1);
        let words = format!("evaluating: {} of {} images, {share} %", units::count(images), units::count(of));
        self.numbers.set_message(self.cut(&words, 0));
    }
}

pub fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
}

impl Sink for Bars {
    fn event(&mut self, event: &Event) -> Result<(), RecordError> {
        let best = self.run.note(event);
        match event {
            Event::Started { .. } => self.begin(0),
            Event::Resumed { step, rows, .. } => {
                self.begin(*step);
                self.evaluated_before(rows);
            }
            Event::Notice { text } => self.screen.suspend(|| {
                let _ = writeln!(anstream::stderr(), "{}", report::notice(text, stderr_width()));
            }),
            Event::PhaseBegins(begins) => {
                if let (Some(lines), Some((facts, _))) = (&mut self.lines, &self.run.known) {
                    lines.phase_begins(facts, begins);
                }
            }
            Event::StepDone(done) => {
                if let (Some(lines), Some((facts, _))) = (&mut self.lines, &self.run.known) {
                    lines.step_done(facts, done);
                }
            }
            Event::Evaluating { images, of } => {
                if let Some(lines) = &self.lines {
                    lines.evaluating(*images, *of);
                }
            }
            Event::Evaluated(row) => self.evaluated(row, best),
            Event::Snapshot { step, file, loss } => {
                if let Some((facts, _)) = &self.run.known {
                    self.report(&(text::snapshot(facts, *step, file, *loss) + "\n"));
                }
            }
            Event::Checkpoint { .. } | Event::Damaged { .. } => {}
            Event::Finished { .. } => self.finish(event),
        }
        Ok(())
    }
}
