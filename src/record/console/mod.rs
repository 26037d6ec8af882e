//! What a person sees while a run goes on.
//!
//! Reports (the head of the run, the table of evaluations, the summary) go to standard output, bars and notices to
//! standard error, so that `runner CONFIG > report.txt` keeps the one and shows the other. Colours follow the terminal
//! and `NO_COLOR`. A display that cannot be written to (a closed pipe, a full disk) does not stop a training: the run
//! folder holds all that it would have shown.

mod bars;
mod counter;
mod json;
mod lines;
mod report;
mod screen;
mod table;

pub use counter::Counter;
pub use report::notice;
pub use screen::{LogWriter, Screen};

use super::event::Sink;
use std::io::IsTerminal;

/// What the command line asks to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Display {
    /// Bars on a terminal; elsewhere a line now and then.
    Progress,
    /// `--quiet`: how the run ended, in one line.
    Quiet,
    /// `--json`: every event as one object a line.
    Json,
}

impl Display {
    /// The display itself.
    pub fn sink(self) -> Box<dyn Sink> {
        match self {
            Display::Progress if can_move_cursor() => Box::new(bars::Bars::new()),
            Display::Progress => Box::new(lines::Lines::new(anstream::stdout())),
            Display::Quiet => Box::new(lines::Quiet::new(anstream::stdout())),
            Display::Json => Box::new(json::Json::new(std::io::stdout())),
        }
    }
}

/// Whether standard error is a terminal that can redraw a line, with a person before it: what runs under continuous
/// integration is read as a log.
pub fn can_move_cursor() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false");
    std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb") && !set("CI")
}

/// Columns of the terminal at standard output, for reports; 80 where there is none.
fn width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(80, |(width, _)| usize::from(width.0))
}

/// Columns of the terminal at standard error, for bars and notices; 80 where there is none.
pub fn stderr_width() -> usize {
    terminal_size::terminal_size_of(std::io::stderr()).map_or(80, |(width, _)| usize::from(width.0))
}
