//! The one place that moving lines are drawn at, and how other writers to standard error keep out of them.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};
use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

/// Redraws a second.
const RATE: u8 = 10;

/// What stands on the terminal now, for [`LogWriter`].
static CURRENT: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Moving lines at the bottom of the terminal at standard error, until dropped. There is one at a time.
pub struct Screen(MultiProgress);

impl Screen {
    pub fn open() -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(RATE));
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines.clone());
        Self(lines)
    }

    /// Adds a line below the others.
    pub fn add(&self, line: ProgressBar) -> ProgressBar {
        self.0.add(line)
    }

    /// Takes the lines away while `print` writes, above where they come back.
    pub fn suspend(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        *CURRENT.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Standard error for log lines of this program and of the crates it uses: above the moving lines where there are some,
/// with colours where they are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not held while drawing: that may log in its turn.
        let lines = CURRENT.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let write = || anstream::stderr().write_all(bytes);
        match lines {
            Some(lines) => lines.suspend(write)?,
            None => write()?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        anstream::stderr().flush()
    }
}
