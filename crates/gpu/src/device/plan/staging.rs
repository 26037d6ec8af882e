//! The ring of host memory through which uploads go.

use std::collections::VecDeque;
use std::ops::Range;

/// Parts of it start at multiples of this.
const ALIGNMENT: usize = 256;
/// The most copies under way: each has an event of the driver's.
const MOST: usize = 256;

/// Which parts of a ring of memory copies still read. They end in the order in which they began.
#[derive(Debug)]
pub struct Ring {
    capacity: usize,
    head: usize,
    under_way: VecDeque<Range<usize>>,
}

/// Where the next bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    pub at: usize,
    /// As many as were asked for, or a quarter of the ring: what is larger goes in pieces, so that one is copied while
    /// the next is filled.
    pub len: usize,
    /// So many of the oldest copies under way must have ended before.
    pub ended: usize,
}

impl Ring {
    pub fn new(capacity: usize) -> Self {
        assert!(capacity >= 4 * ALIGNMENT && capacity.is_multiple_of(4 * ALIGNMENT), "a ring of {capacity} bytes");
        Self { capacity, head: 0, under_way: VecDeque::new() }
    }

    /// Room for some of so many bytes.
    pub fn room(&self, wanted: usize) -> Room {
        let len = wanted.min(self.capacity / 4);
        let padded = len.next_multiple_of(ALIGNMENT);
        let at = if self.head + padded > self.capacity { 0 } else { self.head };
        let overlaps = |range: &Range<usize>| range.start < at + padded && at < range.end;
        let ended = self.under_way.iter().rposition(overlaps).map_or(0, |last| last + 1);
        Room { at, len, ended: ended.max((self.under_way.len() + 1).saturating_sub(MOST)) }
    }

    /// So many of the oldest copies have ended.
    pub fn ended(&mut self, count: usize) {
        self.under_way.drain(..count);
    }

    /// A copy from there has begun.
    ///
    /// # Panics
    /// When copies that had to end have not.
    pub fn begun(&mut self, room: Room) {
        assert_eq!(self.room(room.len), Room { ended: 0, ..room }, "room that is free");
        self.head = room.at + room.len.next_multiple_of(ALIGNMENT);
        self.under_way.push_back(room.at..self.head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(ring: &mut Ring, wanted: usize) -> Room {
        let room = ring.room(wanted);
        ring.ended(room.ended);
        ring.begun(Room { ended: 0, ..room });
        room
    }

    #[test]
    fn small_copies_lie_beside_each_other_and_wait_when_the_ring_is_full() {
        let mut ring = Ring::new(4096);
        for k in 0..16 {
            assert_eq!(put(&mut ring, 100), Room { at: k * 256, len: 100, ended: 0 });
        }
        assert_eq!(put(&mut ring, 1), Room { at: 0, len: 1, ended: 1 });
        // Over the next three that are still read.
        assert_eq!(put(&mut ring, 600), Room { at: 256, len: 600, ended: 3 });
        assert_eq!(put(&mut ring, 257), Room { at: 1024, len: 257, ended: 2 });
    }

    #[test]
    fn what_is_large_goes_in_quarters() {
        let mut ring = Ring::new(4096);
        assert_eq!(put(&mut ring, 2500), Room { at: 0, len: 1024, ended: 0 });
        assert_eq!(put(&mut ring, 1476), Room { at: 1024, len: 1024, ended: 0 });
        assert_eq!(put(&mut ring, 452), Room { at: 2048, len: 452, ended: 0 });
        // It does not fit behind: the ring begins anew.
        assert_eq!(put(&mut ring, 1024), Room { at: 2560, len: 1024, ended: 0 });
        assert_eq!(put(&mut ring, 1024), Room { at: 0, len: 1024, ended: 1 });
        assert_eq!(put(&mut ring, 300), Room { at: 1024, len: 300, ended: 1 });
    }

    #[test]
    fn no_part_is_written_while_it_is_read() {
        let mut ring = Ring::new(64 << 10);
        let mut read: VecDeque<Range<usize>> = VecDeque::new();
        let mut state = 1u64;
        for _ in 0..10_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let room = put(&mut ring, 1 + (state >> 33) as usize % 20_000);
            read.drain(..room.ended);
            assert!(room.at.is_multiple_of(256) && room.at + room.len <= 64 << 10 && room.len > 0);
            assert!(read.iter().all(|part| part.end <= room.at || room.at + room.len <= part.start));
            read.push_back(room.at..room.at + room.len);
        }
    }

    #[test]
    fn there_are_never_more_copies_than_events() {
        let mut ring = Ring::new(1 << 20);
        (0..1000).for_each(|_| _ = put(&mut ring, 8));
        assert_eq!(ring.under_way.len(), MOST);
    }

    #[test]
    #[should_panic(expected = "room that is free")]
    fn a_copy_cannot_begin_before_others_have_ended() {
        let mut ring = Ring::new(1024);
        (0..4).for_each(|_| _ = put(&mut ring, 256));
        let room = ring.room(10);
        ring.begun(Room { ended: 0, ..room });
    }
}
