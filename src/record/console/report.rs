//! The standing parts of a display: head, notice, summary. Styled text; the stream takes the styles off where it must.

use crate::record::event::{Event, RunFacts, SecondsByKind, Status};
use crate::record::scores::Scores;
use crate::record::text;
use crate::units::count;
use anstyle::{AnsiColor, Color, Style};
use std::fmt::Write;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

// Plain, bold, dim and the terminal's own colours: readable on light and dark grounds alike. Nothing is said by colour
// alone.
pub const BOLD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const LOUD: Style =
    Style::new().fg_color(Some(Color::Ansi(AnsiColor::Black))).bg_color(Some(Color::Ansi(AnsiColor::Yellow))).bold();

/// The widest that running text gets.
const TEXT_WIDTH: usize = 100;

/// The block at the start of a run.
pub fn head(facts: &RunFacts, folder: &Path, resumed_at: Option<u64>) -> String {
    let mut out = format!("{BOLD}{}{BOLD:#}", facts.name);
    if let Some(step) = resumed_at {
        let _ = write!(out, ", resumed at step {} of {}", count(step), count(facts.steps));
    }
    out.push('\n');
    for (label, value) in text::facts(facts, folder) {
        let _ = writeln!(out, "  {DIM}{label:<8}{DIM:#} {value}");
    }
    out
}

/// A notice that nobody overlooks: a coloured band, and the text between rules.
pub fn notice(text: &str, width: usize) -> String {
    let width = width.clamp(20, TEXT_WIDTH);
    let mut out = format!("{LOUD}{:━^width$}{LOUD:#}\n", " NOTICE ");
    for line in text.lines().flat_map(|line| wrap(line, width - 2)) {
        let _ = writeln!(out, "  {BOLD}{line}{BOLD:#}");
    }
    let _ = writeln!(out, "{LOUD}{:━^width$}{LOUD:#}", "");
    out
}

/// The block at the end of a run.
pub fn summary(facts: &RunFacts, folder: &Path, scores: &Scores, end: &End<'_>) -> String {
    let style = match end.status {
        Status::Done => GOOD,
        Status::Running | Status::Interrupted => BOLD,
        Status::Failed | Status::Diverged => BAD,
    };
    let mut out = format!(
        "{style}{}{style:#} after {} in {}: {}\n",
        end.status.name(),
        text::plural(end.step, "step"),
        text::span(text::total(end.seconds)),
        end.exit_reason
    );
    let mut line = |label: &str, value: String| {
        let _ = writeln!(out, "  {DIM}{label:<8}{DIM:#} {value}");
    };
    if let Some(last) = &scores.last {
        let tta = last.val_acc_tta.map(|acc| format!(", with views averaged {BOLD}{}{BOLD:#}", text::percent(acc)));
        let (acc, loss) = (text::percent(last.val_acc), text::fixed(last.val_loss));
        line("final", format!("val acc {BOLD}{acc}{BOLD:#}, val loss {loss}{}", tta.unwrap_or_default()));
        if let (Some(kind), Some(acc)) = (&facts.average, last.val_acc_avg) {
            let tta =
                last.val_acc_avg_tta.map(|acc| format!(", with views averaged {BOLD}{}{BOLD:#}", text::percent(acc)));
            let loss = text::fixed(last.val_loss_avg.unwrap_or(f64::NAN));
            let acc = text::percent(acc);
            line(kind, format!("val acc {BOLD}{acc}{BOLD:#}, val loss {loss}{}", tta.unwrap_or_default()));
        }
    }
    if let Some(best) = &scores.best {
        let at = format!("after step {}, train time {}", count(best.step + 1), text::span(best.train_seconds));
        line("best *", format!("val acc {BOLD}{}{BOLD:#}, {at}", text::percent(best.val_acc)));
    }
    if facts.dataset.stand_in {
        line("data", format!("{BOLD}{}{BOLD:#}", text::dataset_name(&facts.dataset)));
    }
    if let Some(steps) = end.skipped_steps.filter(|steps| *steps > 0) {
        line("scale", text::skipped(steps));
    }
    line("time", text::seconds(end.seconds));
    line("folder", folder.display().to_string());
    if end.status == Status::Interrupted {
        line("go on", format!("{BOLD}runner train --resume {}{BOLD:#}", folder.display()));
    }
    out
}

/// The last event's fields.
pub struct End<'a> {
    pub status: Status,
    pub exit_reason: &'a str,
    pub step: u64,
    pub seconds: &'a SecondsByKind,
    pub skipped_steps: Option<u64>,
}

impl<'a> End<'a> {
    pub fn of(event: &'a Event) -> Option<Self> {
        match event {
            Event::Finished { status, exit_reason, step, seconds, skipped_steps } => {
                Some(Self { status: *status, exit_reason, step: *step, seconds, skipped_steps: *skipped_steps })
            }
            _ => None,
        }
    }
}

/// Breaks a line at spaces into lines of at most `width` columns; a longer word stays whole.
fn wrap(line: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in line.split_whitespace() {
        let last = lines.last().map_or(0, |last| last.width());
        if last > 0 && last + 1 + word.width() > width {
            lines.push(word.to_owned());
        } else if let Some(open) = lines.last_mut() {
            if last > 0 {
                open.push(' ');
            }
            open.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_break_at_spaces() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable x", 4), ["unbreakable", "x"]);
        assert_eq!(wrap("", 4), [""]);
    }
}
