//! SIGINT, SIGTERM and SIGHUP: noticed between two steps.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

/// In place of a signal's number: standard input was closed.
const STDIN: usize = 0xffff;

/// Whether signals are to end the process, for want of a flag.
static NONE_YET: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Those that are noticed. A terminal that is gone says SIGHUP, unless `nohup` had it ignored.
fn signals() -> impl Iterator<Item = i32> {
    let hang_up = (!is_ignored(SIGHUP)).then_some(SIGHUP);
    [SIGINT, SIGTERM].into_iter().chain(hang_up)
}

/// Set by the first signal; a second one ends the process at once (its checkpoint is then the last one written).
#[derive(Clone, Default)]
pub struct StopFlag {
    raised: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl StopFlag {
    /// From here until there is a flag, a signal ends the process at once with that exit code: nothing has begun that would be lost.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn end_until_there_is_one(code: i32) -> std::io::Result<()> {
        NONE_YET.store(true, Ordering::SeqCst);
        signals().try_for_each(|signal| {
            signal_hook::flag::register_conditional_shutdown(signal, code, Arc::clone(&NONE_YET)).map(drop)
        })
    }

    /// A flag that signals raise.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn on_signals() -> std::io::Result<Self> {
        let flag = Self::default();
        for signal in signals() {
            // In this order: the second signal finds the flag raised by the first, and a raised flag its signal's number.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag.raised))?;
            signal_hook::flag::register_usize(signal, Arc::clone(&flag.signal), signal as usize)?;
            signal_hook::flag::register(signal, Arc::clone(&flag.raised))?;
        }
        NONE_YET.store(false, Ordering::SeqCst);
        Ok(flag)
    }

    /// Raises the flag too when standard input ends: the process at its other end is gone, or wants this one to stop.
    ///
    /// # Errors
    /// When the thread that waits for it cannot be started.
    pub fn also_when_stdin_closes(&self) -> std::io::Result<()> {
        let flag = self.clone();
        let wait = move || {
            // What comes is of no interest, nor is an error: then there is nobody there either.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            flag.signal.store(STDIN, Ordering::SeqCst);
            flag.raised.store(true, Ordering::SeqCst);
        };
        std::thread::Builder::new().name("stdin".to_owned()).spawn(wait).map(drop)
    }

    /// The signal's name, once one has come.
    pub fn raised(&self) -> Option<&'static str> {
        self.raised.load(Ordering::SeqCst).then(|| match self.signal.load(Ordering::SeqCst) as i32 {
            SIGTERM => "SIGTERM",
            SIGHUP => "SIGHUP",
            signal if signal as usize == STDIN => "standard input was closed",
            _ => "SIGINT",
        })
    }
}

/// Whether who started this program has that signal ignored; also where that cannot be told.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_none_or(|mask| mask >> (signal - 1) & 1 == 1)
}
