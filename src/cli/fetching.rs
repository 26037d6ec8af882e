//! A fetch as a person sees it, on standard error: a bar on a terminal, elsewhere a line now and then.

use crate::data::fetch::Event;
use crate::record::console::can_move_cursor;
use crate::record::text::span;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::time::{Duration, Instant};

/// Redraws a second.
const RATE: u8 = 10;
/// Between two lines where there is no bar.
const INTERVAL: Duration = Duration::from_secs(5);

/// Shows one fetch after the other.
pub struct Fetching {
    redraws: bool,
    /// The file at hand.
    now: Option<Now>,
}

struct Now {
    bar: ProgressBar,
    bytes: u64,
    /// Bytes that were there before, and when the rest began to come.
    have: u64,
    begun: Instant,
    said: Instant,
}

impl Fetching {
    pub fn new() -> Self {
        Self { redraws: can_move_cursor(), now: None }
    }

    /// Shows what happens.
    pub fn show(&mut self, event: Event<'_>) {
        match event {
            Event::Begins { file, bytes, have, .. } => {
                self.say(&event.to_string());
                let bar = if self.redraws { bar(file, bytes, have) } else { ProgressBar::hidden() };
                self.now = Some(Now { bar, bytes, have, begun: Instant::now(), said: Instant::now() });
            }
            Event::Received { bytes } => self.received(bytes),
            Event::Refused { .. } | Event::Discarded { .. } | Event::Waiting | Event::Unpacking { .. } => {
                self.end();
                self.say(&event.to_string());
            }
            // It takes a moment, and what comes after it is said.
            Event::Checking { .. } => self.end(),
        }
    }

    fn received(&mut self, bytes: u64) {
        let Some(now) = &mut self.now else { return };
        now.bar.set_position(bytes);
        if !self.redraws && now.said.elapsed() >= INTERVAL {
            now.said = Instant::now();
            let line = now.line(bytes);
            self.say(&line);
        }
    }

    fn end(&mut self) {
        if let Some(now) = self.now.take() {
            now.bar.finish_and_clear();
        }
    }

    fn say(&self, line: &str) {
        match &self.now {
            Some(now) => now.bar.suspend(|| anstream::eprintln!("{line}")),
            None => anstream::eprintln!("{line}"),
        }
    }
}

/// Logs what happens, for a command that shows nothing of it.
pub fn log(event: Event<'_>) {
    if !matches!(event, Event::Received { .. }) {
        log::info!("{event}");
    }
}

impl Drop for Fetching {
    fn drop(&mut self) {
        self.end();
    }
}

impl Now {
    /// `12.3 of 170.1 MB, 4.5 MB/s, 35 s left`
    fn line(&self, bytes: u64) -> String {
        let speed = (bytes - self.have) as f64 / self.begun.elapsed().as_secs_f64().max(1e-3);
        let left = (self.bytes - bytes) as f64 / speed.max(1.0);
        let megabytes = |bytes: f64| bytes / 1e6;
        format!(
            "{:.1} of {:.1} MB, {:.1} MB/s, {} left",
            megabytes(bytes as f64),
            megabytes(self.bytes as f64),
            megabytes(speed),
            span(left)
        )
    }
}

fn bar(file: &str, bytes: u64, have: u64) -> ProgressBar {
    let template =
        "{prefix}  {wide_bar:.cyan/dim}  {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr_with_hz(RATE));
    bar.set_style(style.progress_chars("━╸─"));
    bar.set_prefix(file.to_owned());
    bar.set_position(have);
    // The speed is that of what comes now.
    bar.reset_eta();
    bar
}
