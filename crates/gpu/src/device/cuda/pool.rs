//! Memory on the card, given out in the stream's order; of a card without a pool call by call, which is slow: but hardly anything
//! allocates in a step that was taken before.

use super::super::Error;
use super::super::plan::lifetimes::Lifetimes;
use super::call::call;
use super::driver::{OUT_OF_MEMORY, check};
use cudarc::driver::sys;

/// What gives out memory. The card's context must be current whenever it is used.
pub struct Pool {
    stream: sys::CUstream,
    pool: Option<sys::CUmemoryPool>,
    pub lifetimes: Lifetimes,
}

impl Pool {
    pub fn new(stream: sys::CUstream, pool: Option<sys::CUmemoryPool>) -> Self {
        Self { stream, pool, lifetimes: Lifetimes::default() }
    }

    /// So many bytes, more than none, aligned to 256.
    pub fn take(&mut self, bytes: usize) -> Result<u64, Error> {
        let mut address = 0;
        // SAFETY: the stream is alive; the function writes an address.
        let mut allocate = || unsafe {
            match self.pool {
                Some(_) => call!(sys::cuMemAllocAsync(&raw mut address, bytes, self.stream)),
                None => call!(sys::cuMemAlloc_v2(&raw mut address, bytes)),
            }
        };
        let mut result = allocate();
        if let Some(pool) = self.pool.filter(|_| result == OUT_OF_MEMORY) {
            // What lies in the pool in pieces too small is given back to the card, once nothing uses it.
            // SAFETY: stream and pool are alive.
            unsafe {
                check(call!(sys::cuStreamSynchronize(self.stream)), "waiting for memory")?;
                check(call!(sys::cuMemPoolTrimTo(pool, 0)), "giving back memory")?;
            }
            result = allocate();
        }
        if result == OUT_OF_MEMORY {
            let (mut free, mut all) = (0, 0);
            // SAFETY: two numbers are written.
            check(unsafe { call!(sys::cuMemGetInfo_v2(&raw mut free, &raw mut all)) }, "asking for free memory")?;
            return Err(Error::OutOfMemory { asked: bytes, free, all });
        }
        check(result, format_args!("allocating {bytes} bytes"))?;
        self.lifetimes.allocated(address);
        assert!(address.is_multiple_of(256), "the driver aligns allocations to 256 bytes");
        Ok(address)
    }

    /// Gives memory back as soon as what is in the stream, and recorded work, no longer uses it.
    ///
    /// # Safety
    /// [`take`](Self::take) gave it out, and nothing else uses it.
    pub unsafe fn give_back(&mut self, address: u64) -> Result<(), Error> {
        // SAFETY: the caller's promise.
        if self.lifetimes.freed(address) { unsafe { self.release(address) } } else { Ok(()) }
    }

    /// Recorded work is gone, and with it the memory that was kept for it.
    pub fn forget(&mut self, recorded: u64) -> Result<(), Error> {
        let addresses = self.lifetimes.forgotten(recorded);
        // SAFETY: nothing uses them any more.
        addresses.into_iter().map(|address| unsafe { self.release(address) }).fold(Ok(()), Result::and)
    }

    /// All that was given out.
    ///
    /// # Safety
    /// Nothing uses it any more.
    pub unsafe fn give_all_back(&mut self) {
        for address in self.lifetimes.all() {
            // SAFETY: the caller's promise. The whole device goes: of errors nobody is left to hear.
            let _ = unsafe { self.release(address) };
        }
    }

    unsafe fn release(&self, address: u64) -> Result<(), Error> {
        // SAFETY: the caller's promise. Without a pool the memory is gone at once, so what uses it is waited for.
        let result = unsafe {
            match self.pool {
                Some(_) => call!(sys::cuMemFreeAsync(address, self.stream)),
                None => {
                    check(call!(sys::cuStreamSynchronize(self.stream)), "waiting for work on memory")?;
                    call!(sys::cuMemFree_v2(address))
                }
            }
        };
        check(result, "giving back memory")
    }
}
