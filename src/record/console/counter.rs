//! One moving line for a command that counts up to something known: images evaluated.

use super::bars::style;
use super::can_move_cursor;
use super::screen::Screen;
use crate::units::count;
use indicatif::ProgressBar;

/// A bar on a terminal at standard error, gone when dropped; elsewhere nothing.
pub struct Counter {
    line: Option<(ProgressBar, Screen)>,
    what: &'static str,
}

impl Counter {
    /// `verb` comes before the bar, `what` behind the numbers: `evaluating ━━━╸── 500 of 1,000 images`.
    pub fn new(verb: &'static str, what: &'static str, of: u64) -> Self {
        let line = can_move_cursor().then(|| {
            let screen = Screen::open();
            let line = screen.add(ProgressBar::new(of).with_style(style("{prefix} {bar:24.cyan/dim}  {msg}")));
            line.set_prefix(verb);
            (line, screen)
        });
        let counter = Self { line, what };
        counter.at(0);
        counter
    }

    /// So many are done.
    pub fn at(&self, done: u64) {
        if let Some((line, _)) = &self.line {
            line.set_position(done);
            line.set_message(format!("{} of {} {}", count(done), count(line.length().unwrap_or(done)), self.what));
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some((line, _)) = &self.line {
            line.finish_and_clear();
        }
    }
}
