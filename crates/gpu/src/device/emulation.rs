//! Kernels run by a CPU.

use super::kernel::{Block, Grid, Kernel, Place};
use super::plan::lifetimes::Lifetimes;
use super::{Backend, Error, Facts, recorded};
use std::alloc::{Layout, alloc, dealloc};
use std::collections::{HashMap, HashSet};
use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// In which order the threads of a block run each phase of a kernel. Results must not depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Ascending,
    Descending,
}

/// A device that is none: its memory is the program's, its kernels are functions that a C compiler made.
///
/// Work is done when it is asked for, under a lock: as on a card's one stream, nothing runs beside anything else.
pub struct Emulation {
    order: Order,
    facts: Facts,
    state: Mutex<State>,
    /// Told when the state's `recording` has ended.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What is recorded, and in which thread. The others wait: their work is not meant.
    recording: Option<(ThreadId, Vec<Work>)>,
    graphs: HashMap<u64, Vec<Work>>,
    /// Recorded work that was dropped while other work was recorded.
    dropped: Vec<u64>,
    lifetimes: Lifetimes,
    /// The bytes of memory that is kept for recorded work alone.
    kept: HashMap<u64, usize>,
    /// Bytes that are allocated.
    used: u64,
    /// Kernels that have run. A card loads a kernel when it first runs, which cannot be recorded.
    loaded: HashSet<&'static str>,
}

/// Something to be done on the device.
enum Work {
    Launch {
        block: Block,
        grid: Grid,
        /// The struct that the kernel takes, whose fields are words at most; it may have gaps.
        args: Vec<MaybeUninit<u64>>,
    },
    Copy {
        from: u64,
        to: u64,
        bytes: usize,
    },
    Zero {
        to: u64,
        bytes: usize,
    },
}

impl Work {
    /// # Safety
    /// It may be done now, by what was promised for it: the memory that it names is there.
    unsafe fn run(&self, order: Order) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::Launch { block, grid, args } => run_blocks(order, *block, *grid, args.as_ptr().cast()),
                Self::Copy { from, to, bytes } => {
                    std::ptr::copy_nonoverlapping(*from as *const u8, *to as *mut u8, *bytes);
                }
                Self::Zero { to, bytes } => (*to as *mut u8).write_bytes(0, *bytes),
            }
        }
    }
}

/// # Safety
/// `args` is the struct that the kernel takes, and what it says of memory is true.
unsafe fn run_blocks(order: Order, block: Block, grid: Grid, args: *const c_void) {
    let Grid { blocks, threads } = grid;
    let reversed = u32::from(order == Order::Descending);
    for y in 0..blocks[1] {
        for x in 0..blocks[0] {
            let place = Place { block: [x, y], grid: blocks, threads, reversed };
            // SAFETY: the caller's promise.
            unsafe { block(args, &raw const place) };
        }
    }
}

impl Emulation {
    /// With so many bytes of memory.
    pub fn new(order: Order, memory: u64) -> Self {
        let name = "kernels for CUDA, emulated by a CPU".to_owned();
        let facts = Facts { device: "emulated".to_owned(), name, memory, ..Facts::default() };
        Self { order, facts, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The state, whatever a thread that panicked left: each change of it is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other thread records.
    fn enter(&self) -> MutexGuard<'_, State> {
        let me = thread::current().id();
        let other = |state: &mut State| state.recording.as_ref().is_some_and(|(thread, _)| *thread != me);
        self.changed.wait_while(self.state(), other).unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`enter`](Self::enter), for what cannot be recorded.
    fn enter_unrecorded(&self, doing: &str) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.enter();
        if state.recording.is_some() { Err(recorded(doing)) } else { Ok(state) }
    }

    /// Does it, or records it.
    ///
    /// # Safety
    /// As for [`Work::run`].
    unsafe fn put(&self, work: Work) {
        let mut state = self.enter();
        match &mut state.recording {
            Some((_, recording)) => recording.push(work),
            // SAFETY: the caller's promise.
            None => unsafe { work.run(self.order) },
        }
    }
}

impl State {
    /// Gives back recorded work and the memory that was kept for it. Nothing may be recorded meanwhile.
    fn forget(&mut self, number: u64) {
        self.graphs.remove(&number);
        for address in self.lifetimes.forgotten(number) {
            let bytes = self.kept.remove(&address).expect("the size of what is kept is known");
            self.used -= bytes as u64;
            // SAFETY: it was allocated with that layout, its buffer is gone, and so is all work that may use it.
            unsafe { dealloc(address as *mut u8, layout(bytes)) }
        }
    }
}

/// Ends a recording, also where the recorded work panics.
struct Recording<'a> {
    of: &'a Emulation,
    number: u64,
    /// Whether what was recorded is kept.
    whole: bool,
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        let mut state = self.of.state();
        let (_, work) = state.recording.take().expect("this thread records");
        state.graphs.insert(self.number, work);
        let spoilt = (!self.whole).then_some(self.number);
        for number in std::mem::take(&mut state.dropped).into_iter().chain(spoilt) {
            state.forget(number);
        }
        self.of.changed.notify_all();
    }
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 256).expect("no allocation is that large")
}

impl Backend for Emulation {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn allocate(&self, bytes: usize) -> Result<u64, Error> {
        let mut state = self.enter_unrecorded("allocating memory")?;
        let free = self.facts.memory - state.used;
        let short = |free: u64| {
            let [free, all] = [free, self.facts.memory].map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
            Error::OutOfMemory { asked: bytes, free, all }
        };
        if bytes as u64 > free {
            return Err(short(free));
        }
        // SAFETY: buffers without bytes are never allocated.
        let address = unsafe { alloc(layout(bytes)) };
        if address.is_null() {
            return Err(short(0));
        }
        state.used += bytes as u64;
        // SAFETY: just allocated. What nobody has written yet is NaN in every type: it shows where it is read.
        unsafe { address.write_bytes(0xff, bytes) };
        state.lifetimes.allocated(address as u64);
        Ok(address as u64)
    }

    unsafe fn free(&self, address: u64, bytes: usize) {
        let mut state = self.state();
        if state.lifetimes.freed(address) {
            state.used -= bytes as u64;
            // SAFETY: the caller's promise; `allocate` used the same layout.
            unsafe { dealloc(address as *mut u8, layout(bytes)) }
        } else {
            state.kept.insert(address, bytes);
        }
    }

    unsafe fn write(&self, to: u64, from: &[u8]) -> Result<(), Error> {
        let _state = self.enter_unrecorded("an upload")?;
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), to as *mut u8, from.len()) };
        Ok(())
    }

    unsafe fn read(&self, from: u64, to: &mut [u8]) -> Result<(), Error> {
        let _state = self.enter_unrecorded("reading from the device")?;
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, to.as_mut_ptr(), to.len()) };
        Ok(())
    }

    unsafe fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), Error> {
        // SAFETY: the caller's promise; what is recorded runs while the memory is kept.
        unsafe { self.put(Work::Copy { from, to, bytes }) };
        Ok(())
    }

    unsafe fn zero(&self, to: u64, bytes: usize) -> Result<(), Error> {
        // SAFETY: the caller's promise; what is recorded runs while the memory is kept.
        unsafe { self.put(Work::Zero { to, bytes }) };
        Ok(())
    }

    unsafe fn launch(&self, kernel: &Kernel, grid: Grid, args: *const c_void, size: usize) -> Result<(), Error> {
        let mut state = self.enter();
        let State { recording, loaded, .. } = &mut *state;
        let Some((_, recording)) = recording else {
            loaded.insert(kernel.name);
            // SAFETY: the caller's promise.
            unsafe { run_blocks(self.order, kernel.block, grid, args) };
            return Ok(());
        };
        if !loaded.contains(kernel.name) {
            return Err(recorded(kernel.name));
        }
        let mut copied = vec![MaybeUninit::<u64>::uninit(); size.div_ceil(size_of::<u64>())];
        // SAFETY: the struct has `size` bytes and the copy room for them.
        unsafe { std::ptr::copy_nonoverlapping(args.cast::<u8>(), copied.as_mut_ptr().cast(), size) };
        recording.push(Work::Launch { block: kernel.block, grid, args: copied });
        Ok(())
    }

    fn synchronize(&self) -> Result<(), Error> {
        self.enter_unrecorded("waiting for the device").map(drop)
    }

    fn capture(&self, work: &mut dyn FnMut() -> Result<(), Error>) -> Result<Option<u64>, Error> {
        let mut state = self.enter_unrecorded("recording work")?;
        state.recording = Some((thread::current().id(), Vec::new()));
        // From here on memory that is dropped is kept.
        let number = state.lifetimes.recording();
        drop(state);
        let mut recording = Recording { of: self, number, whole: false };
        work()?;
        recording.whole = true;
        drop(recording);
        self.replay(number)?;
        Ok(Some(number))
    }

    fn replay(&self, graph: u64) -> Result<(), Error> {
        let state = self.enter_unrecorded("running recorded work")?;
        for work in &state.graphs[&graph] {
            // SAFETY: who recorded it promised it, and the memory that it uses is kept until it is forgotten.
            unsafe { work.run(self.order) };
        }
        Ok(())
    }

    fn forget(&self, graph: u64) {
        let mut state = self.state();
        if state.recording.is_some() {
            state.dropped.push(graph);
        } else {
            state.forget(graph);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Act, GradTo, add};
    use crate::{Buffer, DType, Device};

    fn device() -> Device {
        Device::emulated(Order::Ascending)
    }

    #[test]
    fn recorded_work_runs_again_with_the_memory_that_it_had() {
        let device = device();
        let [from, kept] = [[1f32, -2.0, 3.0], [10.0, 20.0, 30.0]].map(|values| device.upload(&values).unwrap());
        let [to, copied, cleared] = [(); 3].map(|()| device.upload(&[5.0; 3]).unwrap());
        let work = |kept: &Buffer| {
            add::forward(&device, Act::None, from.view(), Some((kept.view(), 1.0)), to.view())?;
            device.copy(to.view(), copied.view())?;
            device.zero(cleared.view())
        };
        work(&kept).unwrap();
        device.zero(to.view()).unwrap();
        let mut kept = Some(kept);
        let graph = device.capture(&mut || {
            work(kept.as_ref().unwrap())?;
            // Dropped while it is recorded: it is kept for the graph.
            kept = None;
            Ok(())
        });
        let graph = graph.unwrap().expect("the emulation records");
        assert_eq!(device.read_f32(to.view()).unwrap(), [11.0, 18.0, 33.0], "it has run");
        device.write(from.view(), &[0f32, 0.0, 1.0]).unwrap();
        device.write(cleared.view(), &[5f32; 3]).unwrap();
        let others: Vec<Buffer> = (0..8).map(|_| device.upload(&[7.0; 3]).unwrap()).collect();
        for _ in 0..2 {
            device.replay(&graph).unwrap();
            assert_eq!(device.read_f32(to.view()).unwrap(), [10.0, 20.0, 31.0]);
            assert_eq!(device.read_f32(copied.view()).unwrap(), [10.0, 20.0, 31.0]);
            assert_eq!(device.read_f32(cleared.view()).unwrap(), [0.0; 3]);
        }
        drop(others);
        drop(graph);
    }

    #[test]
    fn memory_is_kept_for_recorded_work_and_given_back_with_it() {
        let emulation = Emulation::new(Order::Ascending, u64::MAX);
        let kept = |emulation: &Emulation| emulation.state().kept.len();
        let [a, b] = [emulation.allocate(16).unwrap(), emulation.allocate(16).unwrap()];
        // SAFETY: the memory is allocated, and given back once.
        unsafe {
            let first = emulation.capture(&mut || emulation.copy(a, b, 16)).unwrap().unwrap();
            let later = emulation.allocate(16).unwrap();
            emulation.free(later, 16);
            assert_eq!(kept(&emulation), 0, "it came later");
            emulation.free(a, 16);
            assert_eq!(kept(&emulation), 1);
            // Work that is dropped while other work is recorded is forgotten afterwards.
            let second = emulation.capture(&mut || {
                emulation.forget(first);
                assert_eq!(emulation.state().graphs.len(), 1);
                emulation.zero(b, 16)
            });
            let second = second.unwrap().unwrap();
            assert_eq!(emulation.state().graphs.keys().collect::<Vec<_>>(), [&second]);
            emulation.free(b, 16);
            assert_eq!(kept(&emulation), 2, "the second was recorded after both were allocated");
            emulation.replay(second).unwrap();
            emulation.forget(second);
        }
        assert_eq!(kept(&emulation), 0);
        assert!(emulation.state().graphs.is_empty());
    }

    #[test]
    fn what_cannot_be_recorded_is_an_error_and_the_device_goes_on() {
        let device = device();
        let buffer = device.upload(&[1.0; 4]).unwrap();
        let empty = device.capture(&mut || Ok(())).unwrap().unwrap();
        let mut values = [0f32; 4];
        let mut refused = Vec::new();
        let graph = device.capture(&mut || {
            refused.push(device.allocate(DType::F32, 4).err());
            refused.push(device.write(buffer.view(), &[2f32; 4]).err());
            refused.push(device.read(buffer.view(), &mut values).err());
            refused.push(device.synchronize().err());
            refused.push(device.capture(&mut || Ok(())).err());
            refused.push(device.replay(&empty).err());
            // A kernel that has not run yet.
            let to = GradTo::overwrite(buffer.view());
            let saved = add::Saved { a: None, b: None };
            refused.push(add::backward(&device, (Act::None, 1.0), saved, buffer.view(), Some(to), None).err());
            device.zero(buffer.view())
        });
        assert!(graph.unwrap().is_some());
        assert_eq!(refused.len(), 7);
        for error in refused {
            assert!(error.unwrap().to_string().contains("recorded"));
        }
        assert_eq!(device.read_f32(buffer.view()).unwrap(), [0.0; 4]);

        device.write(buffer.view(), &[3f32; 4]).unwrap();
        let error = Error::Failed { doing: "a".to_owned(), said: "b".to_owned() };
        let failed = device.capture(&mut || {
            device.zero(buffer.view())?;
            Err(error.clone())
        });
        assert_eq!(failed.unwrap_err(), error);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            device.capture(&mut || {
                device.zero(buffer.view())?;
                panic!("work")
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(device.read_f32(buffer.view()).unwrap(), [3.0; 4], "of failed work nothing is done");
    }

    #[test]
    fn other_threads_wait_while_one_records() {
        let device = device();
        let (buffer, other) = (device.upload(&[1.0; 4]).unwrap(), device.upload(&[1.0; 4]).unwrap());
        thread::scope(|scope| {
            let graph = device.capture(&mut || {
                let (of, other) = (device.clone(), other.view());
                scope.spawn(move || {
                    of.zero(other).unwrap();
                    of.write(other.part(0..2), &[5f32; 2]).unwrap();
                });
                thread::sleep(std::time::Duration::from_millis(50));
                device.zero(buffer.view())
            });
            let graph = graph.unwrap().unwrap();
            device.write(buffer.view(), &[2f32; 4]).unwrap();
            device.replay(&graph).unwrap();
        });
        assert_eq!(device.read_f32(other.view()).unwrap(), [5.0, 5.0, 0.0, 0.0]);
        assert_eq!(device.read_f32(buffer.view()).unwrap(), [0.0; 4]);
    }
}
