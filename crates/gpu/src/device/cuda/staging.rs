//! Uploads: through a ring of pinned memory, so that nobody waits for the card while there is room in it.

use super::super::Error;
use super::super::plan::staging::{Ring, Room};
use super::call::call;
use super::driver::check;
use cudarc::driver::sys;
use std::collections::VecDeque;
use std::ptr;

/// Bytes of the ring: pieces of a quarter of it are copied by the card while the next is filled.
const CAPACITY: usize = 64 << 20;

/// The ring, allocated when it is first used. The card's context must be current whenever it is used.
pub struct Staging {
    ring: Ring,
    memory: *mut u8,
    /// One for each copy under way, recorded behind it, in their order.
    events: VecDeque<sys::CUevent>,
    idle: Vec<sys::CUevent>,
}

impl Staging {
    pub fn new() -> Self {
        Self { ring: Ring::new(CAPACITY), memory: ptr::null_mut(), events: VecDeque::new(), idle: Vec::new() }
    }

    /// Copies the first of the bytes, as many as it says, into the ring, once what was there has been read.
    pub fn fill(&mut self, from: &[u8]) -> Result<Room, Error> {
        if self.memory.is_null() {
            let mut memory = ptr::null_mut();
            // SAFETY: the function writes an address.
            check(
                unsafe { call!(sys::cuMemHostAlloc(&raw mut memory, CAPACITY, 0)) },
                "allocating memory for uploads",
            )?;
            self.memory = memory.cast();
        }
        let mut room = self.ring.room(from.len());
        if let Some(last) = room.ended.checked_sub(1) {
            // SAFETY: the event was recorded in the stream, in which the older ones come before.
            check(unsafe { call!(sys::cuEventSynchronize(self.events[last])) }, "waiting for an upload")?;
            self.idle.extend(self.events.drain(..room.ended));
            self.ring.ended(room.ended);
            room.ended = 0;
        }
        // SAFETY: the ring has so much room there, which nothing reads any more.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), self.memory.add(room.at), room.len) };
        Ok(room)
    }

    /// Puts the copy of what was filled in last into the stream.
    ///
    /// # Safety
    /// `room` is what [`fill`](Self::fill) returned last, and the bytes from `to` on are allocated.
    pub unsafe fn send(&mut self, room: Room, to: u64, stream: sys::CUstream) -> Result<(), Error> {
        let event = match self.idle.pop() {
            Some(event) => event,
            None => {
                let mut event = ptr::null_mut();
                let flags = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING as u32;
                // SAFETY: the function writes an event.
                check(unsafe { call!(sys::cuEventCreate(&raw mut event, flags)) }, "making an event")?;
                event
            }
        };
        // SAFETY: the bytes lie in the ring and stay until the event; the caller's promise for the destination.
        let copied = unsafe { call!(sys::cuMemcpyHtoDAsync_v2(to, self.memory.add(room.at).cast(), room.len, stream)) };
        // SAFETY: event and stream are alive.
        let recorded = unsafe { call!(sys::cuEventRecord(event, stream)) };
        let both = check(copied, "an upload").and(check(recorded, "an event after an upload"));
        if both.is_err() {
            // The ring is as before: what may still be read of it is written over, and the upload has failed.
            self.idle.push(event);
            return both;
        }
        self.ring.begun(room);
        self.events.push_back(event);
        Ok(())
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // SAFETY: the stream is empty. Of errors nobody is left to hear.
        unsafe {
            for event in self.events.drain(..).chain(self.idle.drain(..)) {
                call!(sys::cuEventDestroy_v2(event));
            }
            if !self.memory.is_null() {
                call!(sys::cuMemFreeHost(self.memory.cast()));
            }
        }
    }
}
