//! Memory that threads share: who needs more than is left waits.

use std::sync::{Condvar, Mutex, PoisonError};

/// So many bytes, for all together.
pub struct Budget {
    bytes: u64,
    taken: Mutex<u64>,
    given_back: Condvar,
}

/// A part of a budget, until it is dropped.
pub struct Share {
    budget: &'static Budget,
    bytes: u64,
}

impl Budget {
    pub const fn new(bytes: u64) -> Self {
        Self { bytes, taken: Mutex::new(0), given_back: Condvar::new() }
    }

    /// Waits until so many bytes are free, and takes them; `None` where there are not so many at all. Who holds a share must
    /// not take a second one.
    pub fn take(&'static self, bytes: u64) -> Option<Share> {
        if bytes > self.bytes {
            return None;
        }
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let too_few = |taken: &mut u64| *taken + bytes > self.bytes;
        let mut taken = self.given_back.wait_while(taken, too_few).unwrap_or_else(PoisonError::into_inner);
        *taken += bytes;
        Some(Share { budget: self, bytes })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        *self.budget.taken.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        self.budget.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn no_more_is_held_at_once_than_there_is() {
        static BUDGET: Budget = Budget::new(100);
        static HELD: AtomicU64 = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || {
                    for k in 0..50 {
                        let bytes = 10 + (thread * 13 + k * 7) % 91;
                        let share = BUDGET.take(bytes).unwrap();
                        assert!(HELD.fetch_add(bytes, Ordering::SeqCst) + bytes <= 100);
                        HELD.fetch_sub(bytes, Ordering::SeqCst);
                        drop(share);
                    }
                });
            }
        });
        assert!(BUDGET.take(101).is_none() && BUDGET.take(100).is_some());
    }
}
