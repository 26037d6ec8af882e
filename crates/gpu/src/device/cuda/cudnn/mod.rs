//! Convolutions by cuDNN.

mod descriptor;
mod graph;
mod library;
#[cfg(test)]
mod tests;

use super::super::Error;
use super::super::plan::convolution::{self, Choice, Extents, Key};
use super::call::call;
use super::driver;
use super::pool::Pool;
use super::recorded;
use crate::ops::conv::{Call, Direction};
use cudarc::driver::sys as cuda;
use graph::{Graph, Plan, Target};
use library::{Handle, Library, library};
use std::collections::{BTreeMap, HashMap};
use std::ptr;
use std::rc::Rc;

/// A handle to cuDNN, and what was found out about convolutions. It is used by one thread at a time, with the card's
/// context current.
pub struct Cudnn {
    library: &'static Library,
    handle: Handle,
    stream: cuda::CUstream,
    pub version: String,
    /// By convolution; `None` where cuDNN has no engine.
    plans: HashMap<Key, Option<Plan>>,
    /// Choices of an earlier run.
    earlier: BTreeMap<Key, Choice>,
    workspace: Workspace,
    limit: usize,
}

/// Memory that all convolutions use in turn.
#[derive(Clone, Copy, Default)]
struct Workspace {
    address: u64,
    bytes: usize,
}

impl Cudnn {
    /// cuDNN for a stream, or why there is none.
    pub fn new(stream: cuda::CUstream, memory: usize) -> Result<Self, String> {
        let library = library()?;
        let mut cudnn = Self {
            library,
            handle: ptr::null_mut(),
            stream,
            version: library.version_text(),
            plans: HashMap::new(),
            earlier: BTreeMap::new(),
            workspace: Workspace::default(),
            limit: convolution::workspace_limit(memory as u64),
        };
        // SAFETY: the context is current and the stream alive.
        let opened = unsafe {
            library
                .check((library.create)(&raw mut cudnn.handle), "starting")
                .and_then(|()| library.check((library.set_stream)(cudnn.handle, stream.cast()), "taking the stream"))
        };
        opened.map_err(|failure| Error::from(failure).to_string())?;
        Ok(cudnn)
    }

    /// The choices so far, of this run and of earlier ones.
    pub fn algorithms(&self) -> Vec<(Key, Choice)> {
        let mut all = self.earlier.clone();
        all.extend(self.plans.iter().filter_map(|(key, plan)| Some((*key, plan.as_ref()?.choice.clone()))));
        all.into_iter().collect()
    }

    /// Takes choices of an earlier run.
    pub fn set_algorithms(&mut self, algorithms: &[(Key, Choice)]) {
        for (key, choice) in algorithms {
            self.plans.remove(key);
            self.earlier.insert(*key, choice.clone());
        }
    }

    /// `false` where it takes no such convolution, and nothing was done.
    ///
    /// Where there is no memory for the workspace that the plan wants, another one that wants less is taken from there
    /// on, or none: then, too, the answer is `false`.
    ///
    /// # Safety
    /// The addresses are of allocations of the sizes that the call's shape gives.
    pub unsafe fn convolve(&mut self, pool: &mut Pool, call: &Call, key: &Key, recording: bool) -> Result<bool, Error> {
        let operands = [call.x, call.w, call.y];
        let aligned = operands.iter().all(|address| address.is_multiple_of(graph::ALIGNMENT));
        let Some(extents) = Extents::of(&call.shape).filter(|_| aligned) else { return Ok(false) };
        if !self.plans.contains_key(key) {
            if recording {
                return Err(recorded("choosing how to make a convolution"));
            }
            // SAFETY: the caller's promise.
            let plan = unsafe { self.plan(pool, operands, key, &extents)? };
            self.plans.insert(*key, plan);
        }
        let plan = loop {
            let Some(plan) = &self.plans[key] else { return Ok(false) };
            let need = plan.workspace;
            if need <= self.workspace.bytes {
                break plan;
            }
            if recording {
                return Err(recorded("a larger workspace for a convolution"));
            }
            if !self.grow(pool, need)? {
                let plan = self.plans.remove(key).flatten().expect("there is a plan");
                self.plans.insert(*key, lesser(&plan, key));
            }
        };
        // SAFETY: the caller's promise; the workspace is as large as the plan wants.
        match unsafe { plan.run(self.handle, operands, self.workspace.address) } {
            Ok(()) => Ok(true),
            Err(failure) if failure.is_unsupported() => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Makes the workspace so large; `false` where there is no memory for that, and it is as before, if that is left.
    fn grow(&mut self, pool: &mut Pool, need: usize) -> Result<bool, Error> {
        let old = std::mem::take(&mut self.workspace);
        if old.bytes > 0 {
            // SAFETY: convolutions in the stream come before; recorded ones keep it.
            unsafe { pool.give_back(old.address)? };
        }
        for bytes in convolution::sizes(old.bytes, need, self.limit) {
            if let Some(address) = spare(pool, bytes)? {
                self.workspace = Workspace { address, bytes };
                return Ok(bytes >= need);
            }
        }
        Ok(false)
    }

    /// The plan of a convolution: that of an earlier run's choice, or the winner among those that cuDNN names; `None`
    /// where it has none.
    unsafe fn plan(
        &self,
        pool: &mut Pool,
        operands: [u64; 3],
        key: &Key,
        extents: &Extents,
    ) -> Result<Option<Plan>, Error> {
        let graph = match Graph::new(&Target::card(self.library, self.handle), key, extents) {
            Ok(graph) => Rc::new(graph),
            Err(failure) if failure.is_refusal() => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        if let Some(choice) = self.earlier.get(key)
            && let Ok(plan) = graph.config(choice).and_then(|config| graph.plan(config))
        {
            return Ok(Some(plan));
        }
        let (mut plans, failed) = graph.plans(key, convolution::MEASURED, self.limit);
        if plans.is_empty() {
            return failed.map_or(Ok(None), |failure| Err(failure.into()));
        }
        // SAFETY: the caller's promise.
        let times = unsafe { self.race(pool, operands, key, extents, &plans)? };
        Ok(Some(plans.swap_remove(convolution::winner(key, &times))))
    }

    /// The contenders' times, measured on the call's inputs with an output of its own; none for one that does not run.
    /// It ends with the one that decides. Where memory is short, those are left out for which there is none; where
    /// there is none for the output, all are without a time.
    unsafe fn race(
        &self,
        pool: &mut Pool,
        mut operands: [u64; 3],
        key: &Key,
        extents: &Extents,
        contenders: &[Plan],
    ) -> Result<Vec<Option<f32>>, Error> {
        let untimed = vec![None; contenders.len()];
        let Some(output) = spare(pool, extents.made(key.direction) * key.dtype.size())? else { return Ok(untimed) };
        let made = match key.direction {
            Direction::BackwardData => 0,
            Direction::BackwardWeight => 1,
            Direction::Forward => 2,
        };
        operands[made] = output;
        let workspaces: Vec<usize> = contenders.iter().map(|plan| plan.workspace).collect();
        let mut timed = Ok(untimed);
        for room in convolution::rooms(&workspaces) {
            let Some(address) = (if room == 0 { Some(0) } else { spare(pool, room)? }) else { continue };
            // SAFETY: the caller's promise; output and workspace are as large as the convolution wants.
            timed = unsafe { self.times(operands, key, Workspace { address, bytes: room }, contenders) };
            if room > 0 {
                // SAFETY: taken above.
                unsafe { pool.give_back(address)? };
            }
            break;
        }
        // SAFETY: taken above.
        unsafe { pool.give_back(output)? };
        timed
    }

    /// The times of those that the workspace is enough for.
    unsafe fn times(
        &self,
        operands: [u64; 3],
        key: &Key,
        workspace: Workspace,
        contenders: &[Plan],
    ) -> Result<Vec<Option<f32>>, Error> {
        let (begin, end) = (Event::new()?, Event::new()?);
        let mut times = Vec::new();
        for plan in contenders {
            let mut ran = plan.workspace <= workspace.bytes;
            let turns = convolution::turns(key);
            for turn in 0..turns {
                // The first of several turns loads what the engine needs.
                if turn == 1 || turns == 1 {
                    begin.record(self.stream)?;
                }
                // SAFETY: the caller's promise.
                ran = ran && unsafe { plan.run(self.handle, operands, workspace.address) }.is_ok();
            }
            times.push(if ran {
                end.record(self.stream)?;
                Some(end.since(&begin)?)
            } else {
                None
            });
            if convolution::decided(key, &times) {
                break;
            }
        }
        Ok(times)
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        self.plans.clear();
        if !self.handle.is_null() {
            // SAFETY: it was made here, and the stream is empty. Of an error nobody is left to hear.
            unsafe { (self.library.destroy)(self.handle) };
        }
    }
}

/// What makes a convolution where there is no memory for the workspace of its plan; `None`: none of cuDNN's.
fn lesser(plan: &Plan, key: &Key) -> Option<Plan> {
    let (mut plans, _) = plan.graph.plans(key, usize::MAX, plan.workspace);
    let workspaces: Vec<usize> = plans.iter().map(|plan| plan.workspace).collect();
    convolution::least(&workspaces, plan.workspace).map(|place| plans.swap_remove(place))
}

/// Memory for a measurement; `None` where there is not so much.
fn spare(pool: &mut Pool, bytes: usize) -> Result<Option<u64>, Error> {
    match pool.take(bytes) {
        Ok(address) => Ok(Some(address)),
        Err(Error::OutOfMemory { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A moment in the stream.
struct Event(cuda::CUevent);

impl Event {
    fn new() -> Result<Self, Error> {
        let mut event = ptr::null_mut();
        // SAFETY: the function writes an event.
        driver::check(unsafe { call!(cuda::cuEventCreate(&raw mut event, 0)) }, "making an event")?;
        Ok(Self(event))
    }

    fn record(&self, stream: cuda::CUstream) -> Result<(), Error> {
        // SAFETY: both are alive.
        driver::check(unsafe { call!(cuda::cuEventRecord(self.0, stream)) }, "timing a convolution")
    }

    /// Waits for it; milliseconds since the other.
    fn since(&self, other: &Self) -> Result<f32, Error> {
        let mut time = 0.0;
        // SAFETY: both were recorded.
        unsafe {
            driver::check(call!(cuda::cuEventSynchronize(self.0)), "timing a convolution")?;
            driver::check(call!(cuda::cuEventElapsedTime_v2(&raw mut time, other.0, self.0)), "timing a convolution")?;
        }
        Ok(time)
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: it was made here. Of an error nobody hears: the time is known.
        unsafe { call!(cuda::cuEventDestroy_v2(self.0)) };
    }
}
