//! Convolutions by cuDNN.

mod descriptor;
mod graph;
mod library;
#[cfg(test)]
mod scripted;
#[cfg(test)]
mod tests;

use super::super::Error;
use super::super::plan::convolution::{self, Choice, Extents, Key};
use super::call::call;
use super::driver;
use super::pool::Pool;
use super::recorded;
use crate::ops::conv::Call;
use cudarc::driver::sys as cuda;
use graph::{Graph, Plan, Target};
use library::{Failure, Handle, Library, library};
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
    /// By convolution; `None` where it is made without cuDNN.
    plans: HashMap<Key, Option<Plan>>,
    /// Choices of an earlier run.
    earlier: BTreeMap<Key, Choice>,
    workspace: Workspace,
    limit: usize,
    /// What is made without cuDNN since cuDNN failed, for who asks.
    pub remarks: Vec<String>,
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
        Self::of(library()?, stream, memory)
    }

    fn of(library: &'static Library, stream: cuda::CUstream, memory: usize) -> Result<Self, String> {
        let mut cudnn = Self {
            library,
            handle: ptr::null_mut(),
            stream,
            version: library.version_text(),
            plans: HashMap::new(),
            earlier: BTreeMap::new(),
            workspace: Workspace::default(),
            limit: convolution::workspace_limit(memory as u64),
            remarks: Vec::new(),
        };
        // SAFETY: the context is current and the stream alive.
        let opened = unsafe {
            library
                .check((library.create)(&raw mut cudnn.handle), "starting")
                .and_then(|()| library.check((library.set_stream)(cudnn.handle, stream.cast()), "taking the stream"))
        };
        opened.map_err(|failure| failure.to_string())?;
        Ok(cudnn)
    }

    /// The choices so far, of this run and of earlier ones.
    pub fn algorithms(&self) -> Vec<(Key, Choice)> {
        let mut all = self.earlier.clone();
        all.extend(self.plans.iter().filter_map(|(key, plan)| Some((*key, plan.as_ref()?.choice().clone()))));
        all.into_iter().collect()
    }

    /// Takes choices of an earlier run.
    pub fn set_algorithms(&mut self, algorithms: &[(Key, Choice)]) {
        for (key, choice) in algorithms {
            self.plans.remove(key);
            self.earlier.insert(*key, choice.clone());
        }
    }

    /// All that may be used for a convolution.
    #[cfg(test)]
    pub fn ways(&self, key: &Key) -> Vec<Choice> {
        let graph = Graph::new(&Target::card(self.library, self.handle), key, &Extents::of(&key.shape).unwrap());
        let plans = graph.map(|graph| Rc::new(graph).plans(key, usize::MAX, self.limit).0).unwrap_or_default();
        plans.iter().map(|plan| plan.choice().clone()).collect()
    }

    /// `false` where it takes no such convolution, and nothing was done.
    ///
    /// Where there is no memory for the workspace that the plan wants, another one that wants less is taken from there
    /// on, or none: then, too, the answer is `false`, as it is from there on where a plan that ran once fails.
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
            let plan = unsafe { self.choose(pool, operands, key, &extents)? };
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
        let failure =
            match plan.of(operands, self.workspace.address).and_then(|bound| unsafe { bound.run(self.handle) }) {
                Ok(()) => return Ok(true),
                Err(failure) => failure,
            };
        if recording {
            return Err(failure.into());
        }
        self.earlier.remove(key);
        self.plans.insert(*key, None);
        self.remark(key, &failure);
        Ok(false)
    }

    fn remark(&mut self, key: &Key, failure: &Failure) {
        self.remarks.push(format!("a convolution is slow, made by this program's own kernel ({key}): {failure}"));
    }

    /// Makes the workspace so large; `false` where there is no memory for that, and it is as before, if that is left.
    fn grow(&mut self, pool: &mut Pool, need: usize) -> Result<bool, Error> {
        let old = self.workspace;
        // Recorded work keeps it, so that giving it back first would free nothing.
        let is_kept = old.bytes > 0 && pool.lifetimes.is_kept(old.address);
        if old.bytes > 0 && !is_kept {
            self.workspace = Workspace::default();
            // SAFETY: convolutions in the stream come before.
            unsafe { pool.give_back(old.address)? };
        }
        let sizes = convolution::sizes(if is_kept { 0 } else { old.bytes }, need, self.limit);
        for bytes in sizes {
            if let Some(address) = spare(pool, bytes)? {
                self.workspace = Workspace { address, bytes };
                if is_kept {
                    // SAFETY: recorded work alone uses it from here on.
                    unsafe { pool.give_back(old.address)? };
                }
                return Ok(bytes >= need);
            }
        }
        Ok(false)
    }

    /// The plan of a convolution: that of an earlier run's choice, or the best of those that cuDNN names; `None` where none
    /// runs.
    unsafe fn choose(
        &mut self,
        pool: &mut Pool,
        mut operands: [u64; 3],
        key: &Key,
        extents: &Extents,
    ) -> Result<Option<Plan>, Error> {
        let graph = match Graph::new(&Target::card(self.library, self.handle), key, extents) {
            Ok(graph) => Rc::new(graph),
            Err(failure) => {
                // What is described is a convolution.
                if !failure.is_unsupported() {
                    self.remark(key, &failure);
                }
                return Ok(None);
            }
        };
        let Some(output) = spare(pool, extents.made(key.direction) * key.dtype.size())? else {
            // There is no memory to try anything.
            return Ok(graph.plans(key, 1, self.limit).0.pop());
        };
        operands[key.direction.made()] = output;
        // SAFETY: the caller's promise; the output is as large as what is made.
        let chosen = unsafe { self.best(pool, operands, key, &graph) };
        // SAFETY: taken above.
        unsafe { pool.give_back(output)? };
        let (plan, failure) = chosen?;
        if let (None, Some(failure)) = (&plan, &failure) {
            self.remark(key, failure);
        }
        Ok(plan)
    }

    /// The same, tried on those operands, which nobody else uses; and the first fault of cuDNN's.
    unsafe fn best(
        &mut self,
        pool: &mut Pool,
        operands: [u64; 3],
        key: &Key,
        graph: &Rc<Graph>,
    ) -> Result<(Option<Plan>, Option<Failure>), Error> {
        if let Some(choice) = self.earlier.get(key)
            && let Ok(config) = graph.config(choice)
            // Another version of the library may mean something else by it.
            && let Ok(true) = config.is_allowed(key)
            && let Ok(plan) = graph.plan(config)
            // SAFETY: the caller's promise.
            && let Ok(()) = unsafe { self.tried(pool, operands, &plan)? }
        {
            return Ok((Some(plan), None));
        }
        if !key.deterministic {
            let (mut plans, failed) = graph.plans(key, convolution::MEASURED, self.limit);
            // SAFETY: the caller's promise.
            let (times, failure) = unsafe { self.race(pool, operands, &plans)? };
            let best = convolution::winner(&times).map(|place| plans.swap_remove(place));
            return Ok((best, failed.or(failure)));
        }
        // The first that runs: clocks differ from run to run, and with them would the engine and so the bytes.
        let (configs, mut failed) = graph.configs(key);
        for config in configs {
            let failure = match graph.plan(config) {
                Ok(plan) if plan.workspace > self.limit => continue,
                // SAFETY: the caller's promise.
                Ok(plan) => match unsafe { self.tried(pool, operands, &plan)? } {
                    Ok(()) => return Ok((Some(plan), None)),
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            failed.get_or_insert(failure);
        }
        Ok((None, failed))
    }

    /// Whether a plan runs.
    unsafe fn tried(&mut self, pool: &mut Pool, operands: [u64; 3], plan: &Plan) -> Result<Result<(), Failure>, Error> {
        if plan.workspace > self.workspace.bytes && !self.grow(pool, plan.workspace)? {
            return Ok(Err(no_memory()));
        }
        // SAFETY: the caller's promise; the workspace is large enough.
        Ok(plan.of(operands, self.workspace.address).and_then(|bound| unsafe { bound.run(self.handle) }))
    }

    /// The contenders' times; none for one that does not run, of which the first says why. Where memory is short, those are left
    /// out for which there is none.
    unsafe fn race(
        &self,
        pool: &mut Pool,
        operands: [u64; 3],
        contenders: &[Plan],
    ) -> Result<(Vec<Option<f32>>, Option<Failure>), Error> {
        let workspaces: Vec<usize> = contenders.iter().map(|plan| plan.workspace).collect();
        for room in convolution::rooms(&workspaces) {
            let taken = if room <= self.workspace.bytes { Some(self.workspace.address) } else { spare(pool, room)? };
            let Some(address) = taken else { continue };
            // SAFETY: the caller's promise; the workspace is so large.
            let times = unsafe { self.times(operands, Workspace { address, bytes: room }, contenders) };
            if room > self.workspace.bytes {
                // SAFETY: taken above.
                unsafe { pool.give_back(address)? };
            }
            return times;
        }
        Ok((vec![None; contenders.len()], (!contenders.is_empty()).then(no_memory)))
    }

    /// The times of those that the workspace is enough for, milliseconds.
    unsafe fn times(
        &self,
        operands: [u64; 3],
        workspace: Workspace,
        contenders: &[Plan],
    ) -> Result<(Vec<Option<f32>>, Option<Failure>), Error> {
        let (begin, end) = (Event::new()?, Event::new()?);
        let mut failed = None;
        let mut bound: Vec<_> = contenders
            .iter()
            .map(|plan| {
                let bound = (plan.workspace <= workspace.bytes).then(|| plan.of(operands, workspace.address))?;
                bound
                    .map_err(|failure| {
                        failed.get_or_insert(failure);
                    })
                    .ok()
            })
            .collect();
        let mut times: Vec<Option<f32>> = vec![None; contenders.len()];
        for _round in 0..convolution::ROUNDS {
            let fastest = times.iter().flatten().copied().reduce(f32::min);
            for (bound, best) in bound.iter_mut().zip(&mut times) {
                let hopeless = best.zip(fastest).is_some_and(|(best, fastest)| !convolution::may_win(best, fastest));
                let Some(run) = bound.as_ref().filter(|_| !hopeless) else { continue };
                // One before those that are timed: it loads what the engine needs, and the host gets ahead of the card.
                for turn in 0..=convolution::RUNS {
                    if turn == 1 {
                        begin.record(self.stream)?;
                    }
                    // SAFETY: the caller's promise.
                    if let Err(failure) = unsafe { run.run(self.handle) } {
                        failed.get_or_insert(failure);
                        (*bound, *best) = (None, None);
                        break;
                    }
                }
                if bound.is_some() {
                    end.record(self.stream)?;
                    let time = end.since(&begin)?;
                    *best = Some(best.map_or(time, |best| best.min(time)));
                }
            }
        }
        Ok((times, failed))
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

fn no_memory() -> Failure {
    Failure::senseless("trying a convolution", "there is no memory for its workspace".to_owned())
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
