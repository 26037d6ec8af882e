//! The display on a terminal: a table of evaluations that grows above three moving lines.
//!
//! ```text
//! phase 2/3 ━━━━━━━━━━━━━━━━━╸───────  sgd, 24 px, batch 128, epoch 3/6
//! total     ━━━━━━━━━╸───────────────   34 %  step 812/2,345  1 min 12 s left
//! loss 1.2345  acc  56.7 %  lr 0.0987   momentum 0.95     1,204 images/s
//! ```

use super::lines::Run;
use super::report::{self, End};
use super::{table, width};
use crate::record::error::RecordError;
use crate::record::event::{Event, PhaseBegins, RunFacts, Sink, StepDone};
use crate::record::rows::MetricsRow;
use crate::record::text;
use crate::units;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::Write;

/// Redraws a second.
const RATE: u8 = 10;

/// The sink for terminals.
pub struct Bars {
    run: Run,
    screen: MultiProgress,
    /// Up from the first event until the last.
    lines: Option<MovingLines>,
    /// Titles of the table are shown before its first line.
    titled: bool,
}

struct MovingLines {
    phase: ProgressBar,
    total: ProgressBar,
    numbers: ProgressBar,
    begun: Option<PhaseBegins>,
}

impl Bars {
    pub fn new() -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(RATE));
        Self { run: Run::default(), screen, lines: None, titled: false }
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
        let titles = if self.titled { String::new() } else { table::header(width()) };
        self.report(&(titles + &table::line(facts, row, best, width())));
        self.titled = true;
    }

    /// The table of a resumed run begins with what the earlier processes found.
    fn evaluated_before(&mut self, rows: &[MetricsRow]) {
        let mut scores = crate::record::Scores::default();
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
    fn new(screen: &MultiProgress, facts: &RunFacts, step: u64) -> Self {
        let bar = format!("{{prefix:9}} {{bar:{}.cyan/dim}}  {{wide_msg}}", (width() * 3 / 10).clamp(8, 60));
        let style = |template: &str| {
            ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("━╸─")
        };
        let add = |length, template: &str| screen.add(ProgressBar::new(length).with_style(style(template)));
        let lines = Self {
            phase: add(0, &bar),
            total: add(facts.steps, &bar).with_prefix("total").with_position(step),
            numbers: add(0, "{wide_msg}"),
            begun: None,
        };
        // Without this each line would show only once its numbers change.
        lines.total.tick();
        lines
    }

    fn phase_begins(&mut self, facts: &RunFacts, begins: &PhaseBegins) {
        self.phase.set_length(begins.steps);
        self.phase.set_prefix(format!("phase {}/{}", begins.phase + 1, facts.phases));
        self.begun = Some(begins.clone());
    }

    fn step_done(&self, facts: &RunFacts, done: &StepDone) {
        let (row, taken) = (&done.row, done.row.step + 1);
        let first = self.begun.as_ref().map_or(0, |phase| phase.first_step);
        self.phase.set_message(format!(
            "{}, {} px, batch {}, epoch {}/{}",
            row.optimizer,
            row.size,
            row.batch,
            row.epoch + 1,
            facts.epochs
        ));
        self.phase.set_position(taken.saturating_sub(first));
        let left = done.seconds_left.map(|left| format!("  {} left", text::span(left))).unwrap_or_default();
        let share = 100 * taken / facts.steps.max(1);
        self.total.set_message(format!(
            "{share:>3} %  step {}/{}{left}",
            units::count(taken),
            units::count(facts.steps)
        ));
        self.total.set_position(taken);
        self.numbers.set_message(text::numbers(done));
    }
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
                let _ = writeln!(anstream::stderr(), "{}", report::notice(text, width()));
            }),
            Event::PhaseBegins(begins) => {
                if let (Some(lines), Some((facts, _))) = (&mut self.lines, &self.run.known) {
                    lines.phase_begins(facts, begins);
                }
            }
            Event::StepDone(done) => {
                if let (Some(lines), Some((facts, _))) = (&self.lines, &self.run.known) {
                    lines.step_done(facts, done);
                }
            }
            Event::Evaluated(row) => self.evaluated(row, best),
            Event::Checkpoint { .. } => {}
            Event::Finished { .. } => self.finish(event),
        }
        Ok(())
    }
}
