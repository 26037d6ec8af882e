//! How long memory lives that recorded work uses.

use std::collections::{BTreeSet, HashMap};

/// Which allocations there are, and which recorded work there is that may use them. Recorded work holds addresses: what
/// was allocated before it was recorded is given back only when it is gone.
#[derive(Debug, Default)]
pub struct Lifetimes {
    clock: u64,
    born: HashMap<u64, u64>,
    recorded: BTreeSet<u64>,
    kept: Vec<(u64, u64)>,
}

impl Lifetimes {
    pub fn allocated(&mut self, address: u64) {
        self.clock += 1;
        self.born.insert(address, self.clock);
    }

    /// Whether recorded work keeps what is allocated there.
    pub fn is_kept(&self, address: u64) -> bool {
        self.used(self.born[&address])
    }

    /// Nobody but recorded work uses it any more: whether it may be given back now. If not,
    /// [`forgotten`](Self::forgotten) names it later.
    pub fn freed(&mut self, address: u64) -> bool {
        let born = self.born.remove(&address).expect("what is given back was allocated");
        let used = self.used(born);
        if used {
            self.kept.push((born, address));
        }
        !used
    }

    fn used(&self, born: u64) -> bool {
        self.recorded.last().is_some_and(|recorded| *recorded > born)
    }

    /// Work is recorded from here on; its number.
    pub fn recording(&mut self) -> u64 {
        self.clock += 1;
        self.recorded.insert(self.clock);
        self.clock
    }

    /// That work will not run again: the memory to give back.
    pub fn forgotten(&mut self, number: u64) -> Vec<u64> {
        self.recorded.remove(&number);
        let (kept, free): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.kept).into_iter().partition(|(born, _)| self.used(*born));
        self.kept = kept;
        free.into_iter().map(|(_, address)| address).collect()
    }

    /// All that has not been given back.
    pub fn all(&mut self) -> Vec<u64> {
        let kept = std::mem::take(&mut self.kept).into_iter().map(|(_, address)| address);
        self.born.drain().map(|(address, _)| address).chain(kept).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_outlives_the_work_that_was_recorded_with_it() {
        let mut lifetimes = Lifetimes::default();
        lifetimes.allocated(1);
        lifetimes.allocated(2);
        assert!(lifetimes.freed(1));
        let first = lifetimes.recording();
        lifetimes.allocated(3);
        assert!(!lifetimes.freed(2), "it may be used");
        let second = lifetimes.recording();
        lifetimes.allocated(4);
        assert!(lifetimes.freed(4), "it came later");
        assert!(!lifetimes.freed(3));
        assert_eq!(lifetimes.forgotten(first), [0u64; 0], "the second may use both");
        let mut freed = lifetimes.forgotten(second);
        freed.sort_unstable();
        assert_eq!(freed, [2, 3]);
    }

    #[test]
    fn the_older_of_two_recordings_keeps_what_was_before_it_alone() {
        let mut lifetimes = Lifetimes::default();
        lifetimes.allocated(1);
        let first = lifetimes.recording();
        lifetimes.allocated(2);
        let second = lifetimes.recording();
        assert!(!lifetimes.freed(1) && !lifetimes.freed(2));
        assert_eq!(lifetimes.forgotten(second), [2]);
        // An address may come again.
        lifetimes.allocated(2);
        assert!(lifetimes.freed(2));
        lifetimes.allocated(5);
        let mut all = lifetimes.all();
        all.sort_unstable();
        assert_eq!(all, [1, 5]);
        assert!(lifetimes.forgotten(first).is_empty());
    }
}
