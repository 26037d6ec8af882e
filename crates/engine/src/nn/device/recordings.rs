//! Training steps that a tape has recorded.

use runner_gpu::Graph;
use std::collections::VecDeque;

/// Steps that are kept, those that were taken last.
const KEPT: usize = 4;

/// Keys that are remembered of steps without a recording.
const KNOWN: usize = 16;

/// What a recorded step depends on, beside the tape and what lies in the device's memory.
///
/// The loss is not part of it: smoothing, the share of a mixture and the loss scale may change from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub images: usize,
    /// Addresses of values, gradients and statistics: another net's parameters lie elsewhere.
    pub params: [u64; 3],
    /// See [`Device::settings`](runner_gpu::Device::settings).
    pub settings: u64,
}

/// A step's passes. The loss comes in between.
pub struct Passes {
    pub forward: Graph,
    pub backward: Graph,
}

/// Recorded steps by their keys.
#[derive(Default)]
pub struct Recordings {
    /// The one that was taken last is at the end.
    kept: VecDeque<(Key, Passes)>,
    /// Of steps that have been taken without a recording, so that the next one may be recorded: kernels are loaded, and
    /// the libraries have made their choices.
    known: VecDeque<Key>,
    replays: u64,
    refusal: Option<String>,
}

impl Recordings {
    /// Whether there is a recorded step of that key, which is then the [`current`](Self::current) one.
    pub fn find(&mut self, key: &Key) -> bool {
        let found = self.kept.iter().position(|(kept, _)| kept == key).and_then(|at| self.kept.remove(at));
        let there = found.is_some();
        self.kept.extend(found);
        there
    }

    /// The step that was found last.
    ///
    /// # Panics
    /// When there is none.
    pub fn current(&self) -> &Passes {
        &self.kept.back().expect("a recorded step was found").1
    }

    /// Whether a step of that key has been taken.
    pub fn knows(&self, key: &Key) -> bool {
        self.known.contains(key)
    }

    /// A step of that key has been taken without a recording.
    pub fn taken(&mut self, key: Key) {
        if !self.knows(&key) {
            self.known.push_back(key);
        }
        if self.known.len() > KNOWN {
            self.known.pop_front();
        }
    }

    /// Keeps a recorded step; where there are too many, the one that was not taken for longest goes.
    pub fn keep(&mut self, key: Key, passes: Passes) {
        self.known.retain(|known| *known != key);
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((key, passes));
    }

    /// Drops all recorded steps.
    pub fn clear(&mut self) {
        self.kept.clear();
    }

    /// Nothing is recorded from here on.
    pub fn refuse(&mut self, why: String) {
        self.clear();
        self.refusal = Some(why);
    }

    /// Why nothing is recorded any more.
    pub fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// A recorded step has been taken.
    pub fn replayed(&mut self) {
        self.replays += 1;
    }

    pub fn replays(&self) -> u64 {
        self.replays
    }
}

/// Which state of the parameters a tape's operations are told of. They keep what they packed of it as long as they are
/// told of the same one, and what recorded work packs they do not know of.
#[derive(Default)]
pub struct Versions {
    /// The parameters' own version, of which the last number was given.
    of: Option<u64>,
    last: u64,
}

impl Versions {
    /// The number for parameters of that version.
    pub fn of(&mut self, version: u64) -> u64 {
        if self.of == Some(version) {
            return self.last;
        }
        self.anew();
        self.of = Some(version);
        self.last
    }

    /// A number that was never given: operations pack again. So do those of the pass after, whatever the parameters'
    /// version, unless it is given the [`last`](Self::last) number.
    pub fn anew(&mut self) -> u64 {
        self.last += 1;
        self.of = None;
        self.last
    }

    /// The number that was given last.
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runner_gpu::Device;
    use runner_gpu::device::Order;

    fn key(images: usize) -> Key {
        Key { images, params: [1, 2, 3], settings: 0 }
    }

    #[test]
    fn the_steps_that_were_taken_last_are_kept() {
        let device = Device::emulated(Order::Ascending);
        let graph = || device.capture(&mut || Ok(())).unwrap().unwrap();
        let passes = || Passes { forward: graph(), backward: graph() };
        let mut recordings = Recordings::default();
        for images in 0..KEPT {
            recordings.taken(key(images));
            assert!(recordings.knows(&key(images)) && !recordings.find(&key(images)));
            recordings.keep(key(images), passes());
        }
        assert!(recordings.find(&key(0)));
        recordings.keep(key(KEPT), passes());
        assert!(recordings.find(&key(0)) && !recordings.find(&key(1)));
        assert!(!recordings.knows(&key(1)), "it is taken once more before it is recorded anew");
        assert!(!recordings.find(&Key { settings: 1, ..key(0) }));
        recordings.refuse("for a reason".to_owned());
        assert!(!recordings.find(&key(0)));
        assert_eq!(recordings.refusal(), Some("for a reason"));
    }

    #[test]
    fn few_keys_are_remembered() {
        let mut recordings = Recordings::default();
        for images in [0, 0].into_iter().chain(0..=KNOWN) {
            recordings.taken(key(images));
        }
        assert!(!recordings.knows(&key(0)) && recordings.knows(&key(1)));
    }

    #[test]
    fn what_was_packed_holds_until_something_else_is() {
        let mut versions = Versions::default();
        let first = versions.of(7);
        assert_eq!((versions.of(7), versions.last()), (first, first));
        let second = versions.of(8);
        assert_ne!(first, second);
        let recorded = versions.anew();
        assert_eq!(versions.last(), recorded);
        let again = versions.of(8);
        assert!(![first, second, recorded].contains(&again), "recorded work has packed something since");
    }
}
