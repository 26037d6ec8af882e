//! An NVIDIA GPU, by its driver and by cuBLAS and cuDNN.
//!
//! The driver is needed; a library that is missing is told of in the [`Facts`], and this crate's kernels do its work.
//! All three are looked for when the program runs. `cudarc`, through which they are called, panics where it finds a
//! library or a function missing, so each is asked for before.

mod call;
mod cublas;
mod cudnn;
mod driver;
mod pool;
mod staging;
#[cfg(test)]
mod tests;

use super::kernel::{Grid, Kernel};
use super::plan::convolution::{Choice, Key};
use super::{Backend, Error, Facts, recorded};
use crate::ops::{conv, matmul};
use call::call;
use cublas::Cublas;
use cudarc::driver::sys;
use cudnn::Cudnn;
use driver::{Driver, check};
use pool::Pool;
use staging::Staging;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

/// A card with one stream.
pub struct Cuda {
    facts: Facts,
    /// Locked before the state, where both are.
    staging: Mutex<Staging>,
    state: Mutex<State>,
    /// Told when the state's `recording` or `outside` has changed.
    changed: Condvar,
    // Dropped after what lives in its context.
    driver: Driver,
}

// SAFETY: the driver's functions may be called from any thread in which the context is current, which it is made before
// each. The handles of cuBLAS and cuDNN, and all else that one thread may use at a time, stand behind the locks.
unsafe impl Send for Cuda {}
// SAFETY: as above.
unsafe impl Sync for Cuda {}

struct State {
    /// The thread that records what it puts into the stream. The others wait: their work is not meant.
    recording: Option<ThreadId>,
    /// Threads that wait for the stream without the lock: nobody may begin to record.
    outside: usize,
    functions: HashMap<&'static str, sys::CUfunction>,
    deterministic: bool,
    strict: bool,
    cublas: Option<Cublas>,
    cudnn: Option<Cudnn>,
    pool: Pool,
    graphs: HashMap<u64, sys::CUgraphExec>,
    /// Recorded work that was dropped while other work was recorded.
    dropped: Vec<u64>,
    /// What went wrong where it could not be said.
    failed: Option<Error>,
}

impl Cuda {
    /// # Errors
    /// When the driver, the card or kernels for it are missing.
    pub fn new(ordinal: usize) -> Result<Self, Error> {
        let driver = Driver::new(ordinal)?;
        let mut pool = Pool::new(driver.stream, driver.pool);
        let mut versions = vec![("driver".to_owned(), driver.version.clone())];
        let mut remarks = Vec::new();
        let cudnn = Cudnn::new(driver.stream, driver.memory);
        let version = cudnn.as_ref().map_or("none", |cudnn| &cudnn.version).to_owned();
        versions.push(("cudnn".to_owned(), version));
        let cudnn = told(cudnn, &mut remarks, "convolutions", "nvidia-cudnn-cu13");
        let cublas = Cublas::new(driver.stream.cast(), &mut pool);
        let version = cublas.as_ref().map_or("none", |cublas| &cublas.version).to_owned();
        versions.push(("cublas".to_owned(), version));
        let cublas = told(cublas, &mut remarks, "matrix products", "nvidia-cublas");
        let device = format!("cuda:{ordinal}");
        let facts = Facts { device, name: driver.name.clone(), versions, memory: driver.memory as u64, remarks };
        let state = State {
            recording: None,
            outside: 0,
            functions: HashMap::new(),
            deterministic: false,
            strict: false,
            cublas,
            cudnn,
            pool,
            graphs: HashMap::new(),
            dropped: Vec::new(),
            failed: None,
        };
        let staging = Mutex::new(Staging::new());
        Ok(Self { facts, staging, state: Mutex::new(state), changed: Condvar::new(), driver })
    }

    /// The state, whatever a thread that panicked left: each change of it is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, while_: impl Fn(&State) -> bool) -> MutexGuard<'a, State> {
        self.changed.wait_while(state, |state| while_(state)).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no other thread records, and turns to this card.
    fn enter(&self) -> Result<MutexGuard<'_, State>, Error> {
        let other = |state: &State| state.recording.is_some_and(|thread| thread != thread::current().id());
        let state = self.wait(self.state(), other);
        self.driver.make_current()?;
        Ok(state)
    }

    /// As [`enter`](Self::enter), for what cannot be recorded.
    fn enter_unrecorded(&self, doing: &str) -> Result<MutexGuard<'_, State>, Error> {
        let state = self.enter()?;
        if state.recording.is_some() { Err(recorded(doing)) } else { Ok(state) }
    }

    /// Does something that waits for the stream, while other threads go on.
    fn outside<R>(&self, doing: &str, work: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
        let mut state = self.enter_unrecorded(doing)?;
        if let Some(error) = state.failed.take() {
            return Err(error);
        }
        state.outside += 1;
        drop(state);
        let _inside = Inside(self);
        work()
    }

    /// Ends this thread's recording.
    fn end_recording(&self) -> Result<Graph, Error> {
        let mut state = self.state();
        let mut graph = ptr::null_mut();
        // SAFETY: this thread has begun to record the stream.
        let result = unsafe { call!(sys::cuStreamEndCapture(self.driver.stream, &raw mut graph)) };
        state.recording = None;
        for number in std::mem::take(&mut state.dropped) {
            state.forget(number);
        }
        self.changed.notify_all();
        let graph = Graph(graph);
        check(result, "recording work (what cannot be recorded spoils all of it)").map(|()| graph)
    }
}

impl State {
    /// Gives back recorded work and the memory that was kept for it. Nothing may be recorded meanwhile, and the context
    /// is current.
    fn forget(&mut self, number: u64) {
        let destroyed = match self.graphs.remove(&number) {
            // SAFETY: nobody can run it any more; where it still runs, the driver waits with destroying it.
            Some(ready) => check(unsafe { call!(sys::cuGraphExecDestroy(ready)) }, "giving back recorded work"),
            None => Ok(()),
        };
        if let Err(error) = destroyed.and(self.pool.forget(number)) {
            self.failed.get_or_insert(error);
        }
    }
}

/// Ends [`Cuda::outside`].
struct Inside<'a>(&'a Cuda);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.state().outside -= 1;
        self.0.changed.notify_all();
    }
}

/// Ends a recording, also where the recorded work panics.
struct Recording<'a> {
    cuda: &'a Cuda,
    number: u64,
    ended: bool,
}

impl Recording<'_> {
    fn end(mut self) -> Result<Graph, Error> {
        self.ended = true;
        self.cuda.end_recording()
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        if !self.ended {
            drop(self.cuda.end_recording());
            self.cuda.forget(self.number);
        }
    }
}

/// What was recorded, before it is made ready to run.
struct Graph(sys::CUgraph);

impl Drop for Graph {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: the recording made it, and what runs is made of it, not part of it. Of an error nobody is left to
            // hear.
            unsafe { call!(sys::cuGraphDestroy(self.0)) };
        }
    }
}

/// A library, or a remark that tells why there is none.
fn told<L>(library: Result<L, String>, remarks: &mut Vec<String>, what: &str, package: &str) -> Option<L> {
    library
        .map_err(|why| {
            remarks.push(format!(
                "{what} are slow, made by this program's own kernels: {why}. `pip install {package}`, or a CUDA 13 \
                 toolkit, has the library; LD_LIBRARY_PATH names its folder (pip: site-packages/nvidia/*/lib)"
            ));
        })
        .ok()
}

impl Backend for Cuda {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn allocate(&self, bytes: usize) -> Result<u64, Error> {
        self.enter_unrecorded("allocating memory")?.pool.take(bytes)
    }

    unsafe fn free(&self, address: u64, _bytes: usize) {
        let mut state = self.state();
        // While work is recorded, in whatever thread, all memory is kept: nothing goes into the stream.
        // SAFETY: the caller's promise.
        let result = self.driver.make_current().and_then(|()| unsafe { state.pool.give_back(address) });
        if let Err(error) = result {
            state.failed.get_or_insert(error);
        }
    }

    unsafe fn write(&self, to: u64, from: &[u8]) -> Result<(), Error> {
        // Before the lock that another thread may hold while it waits for the end of this one's recording.
        drop(self.enter_unrecorded("an upload")?);
        let mut staging = self.staging.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        while done < from.len() {
            let room = staging.fill(&from[done..])?;
            let _state = self.enter_unrecorded("an upload")?;
            // SAFETY: the caller's promise.
            unsafe { staging.send(room, to + done as u64, self.driver.stream)? };
            done += room.len;
        }
        Ok(())
    }

    unsafe fn read(&self, from: u64, to: &mut [u8]) -> Result<(), Error> {
        self.outside("reading from the GPU", || {
            if !to.is_empty() {
                let (at, bytes) = (to.as_mut_ptr().cast(), to.len());
                // SAFETY: the caller's promise; `to` outlives the copy, which is waited for.
                let result = unsafe { call!(sys::cuMemcpyDtoHAsync_v2(at, from, bytes, self.driver.stream)) };
                check(result, "reading from the GPU")?;
            }
            self.driver.synchronize()
        })
    }

    unsafe fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), Error> {
        if bytes == 0 {
            return Ok(());
        }
        let _state = self.enter()?;
        // SAFETY: the caller's promise.
        check(unsafe { call!(sys::cuMemcpyDtoDAsync_v2(to, from, bytes, self.driver.stream)) }, "copying on the GPU")
    }

    unsafe fn zero(&self, to: u64, bytes: usize) -> Result<(), Error> {
        if bytes == 0 {
            return Ok(());
        }
        let _state = self.enter()?;
        // SAFETY: the caller's promise.
        check(unsafe { call!(sys::cuMemsetD8Async(to, 0, bytes, self.driver.stream)) }, "writing zeros")
    }

    fn rests(&self) -> bool {
        true
    }

    unsafe fn launch(&self, kernel: &Kernel, grid: Grid, args: *const c_void, size: usize) -> Result<(), Error> {
        let mut state = self.enter()?;
        let function = match state.functions.get(kernel.name) {
            Some(function) => *function,
            None if state.recording.is_some() => return Err(recorded(kernel.name)),
            None => {
                let function = self.driver.function(kernel.name, size)?;
                state.functions.insert(kernel.name, function);
                function
            }
        };
        let Grid { blocks: [x, y], threads } = grid;
        // The one parameter is the struct; the driver copies it before it returns.
        let mut parameters = [args.cast_mut()];
        let (parameters, none) = (parameters.as_mut_ptr(), ptr::null_mut());
        // SAFETY: the caller's promise.
        let result = unsafe {
            call!(sys::cuLaunchKernel(function, x, y, 1, threads, 1, 1, 0, self.driver.stream, parameters, none))
        };
        check(result, format_args!("kernel {} on {x} × {y} blocks", kernel.name))
    }

    fn synchronize(&self) -> Result<(), Error> {
        self.outside("waiting for the GPU", || self.driver.synchronize())
    }

    unsafe fn convolve(&self, call: &conv::Call) -> Result<bool, Error> {
        let mut state = self.enter()?;
        let State { cudnn, pool, strict, deterministic, recording, .. } = &mut *state;
        let Some(cudnn) = cudnn else { return Ok(false) };
        let key = Key::of(call, *strict, *deterministic);
        // SAFETY: the caller's promise.
        unsafe { cudnn.convolve(pool, call, &key, recording.is_some()) }
    }

    unsafe fn multiply(&self, call: &matmul::Call) -> Result<bool, Error> {
        let state = self.enter()?;
        let Some(cublas) = &state.cublas else { return Ok(false) };
        // SAFETY: the caller's promise.
        unsafe { cublas.multiply(call, state.strict) }
    }

    fn set_deterministic(&self, deterministic: bool) {
        self.state().deterministic = deterministic;
    }

    fn set_strict(&self, strict: bool) {
        self.state().strict = strict;
    }

    fn algorithms(&self) -> Vec<(Key, Choice)> {
        self.state().cudnn.as_ref().map(Cudnn::algorithms).unwrap_or_default()
    }

    fn set_algorithms(&self, algorithms: &[(Key, Choice)]) {
        // Plans that are dropped are the card's. Where it is lost, choices do not matter any more.
        let Ok(mut state) = self.enter() else { return };
        if let Some(cudnn) = &mut state.cudnn {
            cudnn.set_algorithms(algorithms);
        }
    }

    #[cfg(test)]
    fn ways(&self, key: &Key) -> Vec<Choice> {
        let state = self.enter().unwrap();
        state.cudnn.as_ref().map(|cudnn| cudnn.ways(key)).unwrap_or_default()
    }

    fn take_remarks(&self) -> Vec<String> {
        self.state().cudnn.as_mut().map(|cudnn| std::mem::take(&mut cudnn.remarks)).unwrap_or_default()
    }

    fn capture(&self, work: &mut dyn FnMut() -> Result<(), Error>) -> Result<Option<u64>, Error> {
        let mut state = self.enter_unrecorded("recording work")?;
        // Who waits outside the lock puts work into the stream: it may not be recorded.
        let me = thread::current().id();
        state = self.wait(state, |state| state.outside > 0 || state.recording.is_some_and(|thread| thread != me));
        self.driver.make_current()?;
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is alive and not recorded.
        check(unsafe { call!(sys::cuStreamBeginCapture_v2(self.driver.stream, mode)) }, "recording work")?;
        state.recording = Some(me);
        // From here on memory that is dropped is kept.
        let number = state.pool.lifetimes.recording();
        drop(state);

        let recording = Recording { cuda: self, number, ended: false };
        let done = work();
        let graph = recording.end();
        let ready = done.and(graph).and_then(|graph| {
            let mut ready = ptr::null_mut();
            // SAFETY: the graph is alive; the function writes what can be run.
            let result = unsafe { call!(sys::cuGraphInstantiateWithFlags(&raw mut ready, graph.0, 0)) };
            check(result, "making recorded work ready to run").map(|()| ready)
        });
        let ready = ready.inspect_err(|_| self.forget(number))?;
        self.state().graphs.insert(number, ready);
        self.replay(number).inspect_err(|_| self.forget(number))?;
        Ok(Some(number))
    }

    fn replay(&self, graph: u64) -> Result<(), Error> {
        let state = self.enter_unrecorded("running recorded work")?;
        let ready = state.graphs[&graph];
        // SAFETY: it is ready until it is forgotten, and the memory that it uses is kept until then.
        check(unsafe { call!(sys::cuGraphLaunch(ready, self.driver.stream)) }, "running recorded work")
    }

    fn forget(&self, graph: u64) {
        let mut state = self.state();
        if state.recording.is_some() {
            state.dropped.push(graph);
            return;
        }
        match self.driver.make_current() {
            Ok(()) => state.forget(graph),
            Err(error) => drop(state.failed.get_or_insert(error)),
        }
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Of errors nobody is left to hear: the buffers and graphs of this device are gone.
        if self.driver.make_current().is_err() {
            // Libraries cannot be closed without their context.
            std::mem::forget((state.cublas.take(), state.cudnn.take()));
            return;
        }
        let _ = self.driver.synchronize();
        state.cublas = None;
        state.cudnn = None;
        // SAFETY: what is left is the libraries' workspaces, and the libraries are closed.
        unsafe { state.pool.give_all_back() };
        let _ = self.driver.synchronize();
    }
}
