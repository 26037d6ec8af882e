//! SIGINT and SIGTERM: noticed between two steps.

use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Set by the first signal; a second one ends the process at once (its checkpoint is then the last one written).
#[derive(Clone, Default)]
pub struct StopFlag {
    raised: Arc<AtomicBool>,
    signal: Arc<AtomicUsize>,
}

impl StopFlag {
    /// A flag that signals raise.
    ///
    /// # Errors
    /// When the handlers cannot be set.
    pub fn on_signals() -> std::io::Result<Self> {
        let flag = Self::default();
        for signal in [SIGINT, SIGTERM] {
            // In this order: the second signal finds the flag raised by the first, and a raised flag its signal's number.
            signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag.raised))?;
            signal_hook::flag::register_usize(signal, Arc::clone(&flag.signal), signal as usize)?;
            signal_hook::flag::register(signal, Arc::clone(&flag.raised))?;
        }
        Ok(flag)
    }

    /// The signal's name, once one has come.
    pub fn raised(&self) -> Option<&'static str> {
        self.raised.load(Ordering::SeqCst).then(|| match self.signal.load(Ordering::SeqCst) as i32 {
            SIGTERM => "SIGTERM",
            _ => "SIGINT",
        })
    }
}
