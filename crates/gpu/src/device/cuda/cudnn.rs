//! Convolutions by cuDNN.

use super::super::plan::convolution::{self, Candidate, Choice, Extents, Key, Listed};
use super::super::plan::versions;
use super::super::{DType, Error};
use super::call::call;
use super::driver;
use super::pool::Pool;
use super::recorded;
use crate::ops::conv::{Call, Direction};
use cudarc::cudnn::sys;
use cudarc::driver::sys as cuda;
use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

const FUNCTIONS: [&str; 25] = [
    "cudnnConvolutionBackwardData",
    "cudnnConvolutionBackwardFilter",
    "cudnnConvolutionForward",
    "cudnnCreate",
    "cudnnCreateConvolutionDescriptor",
    "cudnnCreateFilterDescriptor",
    "cudnnCreateTensorDescriptor",
    "cudnnDestroy",
    "cudnnDestroyConvolutionDescriptor",
    "cudnnDestroyFilterDescriptor",
    "cudnnDestroyTensorDescriptor",
    "cudnnGetConvolutionBackwardDataAlgorithm_v7",
    "cudnnGetConvolutionBackwardDataWorkspaceSize",
    "cudnnGetConvolutionBackwardFilterAlgorithm_v7",
    "cudnnGetConvolutionBackwardFilterWorkspaceSize",
    "cudnnGetConvolutionForwardAlgorithm_v7",
    "cudnnGetConvolutionForwardWorkspaceSize",
    "cudnnGetLastErrorString",
    "cudnnGetVersion",
    "cudnnSetConvolution2dDescriptor",
    "cudnnSetConvolutionGroupCount",
    "cudnnSetConvolutionMathType",
    "cudnnSetFilter4dDescriptor",
    "cudnnSetStream",
    "cudnnSetTensor4dDescriptor",
];

/// The first whose numbers of errors are those that are read here.
const OLDEST: usize = 9;

/// A handle to cuDNN, and what was found out about convolutions. It is used by one thread at a time, with the card's
/// context current.
pub struct Cudnn {
    handle: sys::cudnnHandle_t,
    stream: cuda::CUstream,
    pub version: String,
    /// By convolution; `None` where cuDNN has no algorithm.
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

struct Plan {
    descriptors: Descriptors,
    candidate: Candidate,
}

const SUCCESS: u32 = sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS as u32;

fn said(status: u32) -> String {
    type Name = unsafe extern "C" fn(u32) -> *const c_char;
    // SAFETY: the function, where there is one, returns a text of its own, for any number.
    let name = unsafe {
        let of = sys::culib().get::<Name>(b"cudnnGetErrorString").ok();
        of.map(|of| CStr::from_ptr(of(status)).to_string_lossy().into_owned())
    };
    let name = name.map_or_else(|| format!("error {status}"), |name| format!("{name} ({status})"));
    let mut text = [0u8; 512];
    // SAFETY: the function writes at most as many bytes as it is told, with a 0 at the end.
    unsafe { sys::cudnnGetLastErrorString(text.as_mut_ptr().cast(), text.len()) };
    let more = CStr::from_bytes_until_nul(&text).map(CStr::to_string_lossy).unwrap_or_default();
    if more.is_empty() { name } else { format!("{name}: {more}") }
}

/// `false` for what cuDNN does not support.
fn check(status: u32, doing: &str) -> Result<bool, Error> {
    match status {
        SUCCESS => Ok(true),
        3000..4000 => Ok(false),
        _ => Err(Error::Failed { doing: format!("{doing} by cuDNN"), said: said(status) }),
    }
}

/// As [`check`], but also `false` for parameters that cuDNN finds bad, for questions before anything is done: what is
/// described is a convolution, and this crate's kernel makes it.
fn taken(status: u32, doing: &str) -> Result<bool, Error> {
    match status {
        2000..3000 => Ok(false),
        _ => check(status, doing),
    }
}

/// As [`check`], where what is not supported is an error too.
fn demand(status: u32, doing: &str) -> Result<(), Error> {
    if check(status, doing)? {
        Ok(())
    } else {
        Err(Error::Failed { doing: format!("{doing} by cuDNN"), said: said(status) })
    }
}

impl Cudnn {
    /// cuDNN for a stream, or why there is none.
    pub fn new(stream: cuda::CUstream, memory: usize) -> Result<Self, String> {
        // SAFETY: the library is loaded and nothing of it is called but what the loader runs.
        if !unsafe { sys::is_culib_present() } {
            return Err("libcudnn.so.9 is not found".to_owned());
        }
        // SAFETY: names are looked up, nothing is called.
        let has = |name: &str| unsafe { sys::culib().get::<*const c_void>(name.as_bytes()).is_ok() };
        if let Some(name) = driver::lacking(has, &FUNCTIONS) {
            return Err(format!("the libcudnn that was found lacks {name}"));
        }
        // SAFETY: returns a number.
        let [major, minor, patch] = versions::cudnn(unsafe { sys::cudnnGetVersion() });
        let version = format!("{major}.{minor}.{patch}");
        if major < OLDEST {
            return Err(format!("the libcudnn that was found is of version {version}, and {OLDEST} is needed"));
        }
        let mut cudnn = Self {
            handle: ptr::null_mut(),
            stream,
            version,
            plans: HashMap::new(),
            earlier: BTreeMap::new(),
            workspace: Workspace::default(),
            limit: convolution::workspace_limit(memory as u64),
        };
        // SAFETY: the context is current and the stream alive.
        let opened = unsafe {
            demand(call!(sys::cudnnCreate(&raw mut cudnn.handle)), "starting")
                .and_then(|()| demand(call!(sys::cudnnSetStream(cudnn.handle, stream.cast())), "taking the stream"))
        };
        opened.map_err(|error| error.to_string())?;
        Ok(cudnn)
    }

    /// The choices so far, of this run and of earlier ones.
    pub fn algorithms(&self) -> Vec<(Key, u32)> {
        let mut all = self.earlier.clone();
        all.extend(self.plans.iter().filter_map(|(key, plan)| Some((*key, plan.as_ref()?.candidate.choice))));
        all.into_iter().map(|(key, choice)| (key, choice.number())).collect()
    }

    /// Takes choices of an earlier run.
    pub fn set_algorithms(&mut self, algorithms: &[(Key, u32)]) {
        for (key, number) in algorithms {
            if let Some(choice) = Choice::from_number(*number) {
                self.plans.remove(key);
                self.earlier.insert(*key, choice);
            }
        }
    }

    /// `false` where it takes no such convolution, and nothing was done.
    ///
    /// Where there is no memory for the workspace that the algorithm wants, another one that wants less is taken from
    /// there on, or none: then, too, the answer is `false`.
    ///
    /// # Safety
    /// The addresses are of allocations of the sizes that the call's shape gives.
    pub unsafe fn convolve(&mut self, pool: &mut Pool, call: &Call, key: &Key, recording: bool) -> Result<bool, Error> {
        // Its kernels load 16 bytes at once.
        let aligned = [call.x, call.w, call.y].iter().all(|address| address.is_multiple_of(16));
        let Some(extents) = Extents::of(&call.shape).filter(|_| aligned) else { return Ok(false) };
        if !self.plans.contains_key(key) {
            if recording {
                return Err(recorded("choosing the algorithm of a convolution"));
            }
            // SAFETY: the caller's promise.
            let plan = unsafe { self.plan(pool, call, key, &extents)? };
            self.plans.insert(*key, plan);
        }
        let plan = loop {
            let Some(plan) = &self.plans[key] else { return Ok(false) };
            let need = plan.candidate.workspace;
            if need <= self.workspace.bytes {
                break plan;
            }
            if recording {
                return Err(recorded("a larger workspace for a convolution"));
            }
            if !self.grow(pool, need)? {
                let plan = self.plans.remove(key).flatten().expect("there is a plan");
                let lesser = self.lesser(plan, key)?;
                self.plans.insert(*key, lesser);
            }
        };
        let made = match call.direction {
            Direction::Forward => call.y,
            Direction::BackwardData => call.x,
            Direction::BackwardWeight => call.w,
        };
        // SAFETY: the caller's promise; the workspace is as large as the plan wants.
        let status = unsafe { self.run(plan, call, made, self.workspace) };
        check(status, "a convolution")
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

    /// What makes a convolution where there is no memory for the workspace of its plan; `None`: no algorithm of cuDNN.
    fn lesser(&self, plan: Plan, key: &Key) -> Result<Option<Plan>, Error> {
        let (candidates, _) = self.candidates(&plan.descriptors, key)?;
        let Some(candidate) = convolution::least(&candidates, plan.candidate.workspace) else { return Ok(None) };
        plan.descriptors.set_math(candidate.choice.math)?;
        Ok(Some(Plan { candidate, ..plan }))
    }

    /// Puts a convolution into the stream, from the operands of the call into `made`.
    unsafe fn run(&self, plan: &Plan, call: &Call, made: u64, workspace: Workspace) -> u32 {
        let Descriptors { x, w, y, convolution } = plan.descriptors;
        let algorithm = plan.candidate.choice.algorithm;
        let (alpha, beta) = (call.scale, f32::from(u8::from(call.add)));
        let (alpha, beta) = ((&raw const alpha).cast(), (&raw const beta).cast());
        let [x_at, w_at, y_at] = [call.x, call.w, call.y].map(|address| address as *const c_void);
        let (made, space, bytes) = (made as *mut c_void, workspace.address as *mut c_void, plan.candidate.workspace);
        let handle = self.handle;
        // SAFETY: the caller's promise, and the descriptors are of the call's shape and type. The factors are read
        // before the call returns.
        unsafe {
            match call.direction {
                Direction::Forward => {
                    let algorithm = FORWARD[algorithm as usize];
                    call!(sys::cudnnConvolutionForward(
                        handle,
                        alpha,
                        x,
                        x_at,
                        w,
                        w_at,
                        convolution,
                        algorithm,
                        space,
                        bytes,
                        beta,
                        y,
                        made,
                    ))
                }
                Direction::BackwardData => {
                    let algorithm = BACKWARD_DATA[algorithm as usize];
                    call!(sys::cudnnConvolutionBackwardData(
                        handle,
                        alpha,
                        w,
                        w_at,
                        y,
                        y_at,
                        convolution,
                        algorithm,
                        space,
                        bytes,
                        beta,
                        x,
                        made,
                    ))
                }
                Direction::BackwardWeight => {
                    let algorithm = BACKWARD_WEIGHT[algorithm as usize];
                    call!(sys::cudnnConvolutionBackwardFilter(
                        handle,
                        alpha,
                        x,
                        x_at,
                        y,
                        y_at,
                        convolution,
                        algorithm,
                        space,
                        bytes,
                        beta,
                        w,
                        made,
                    ))
                }
            }
        }
    }

    /// The algorithm for a convolution: that of an earlier run, or the winner among those that cuDNN names.
    unsafe fn plan(&self, pool: &mut Pool, call: &Call, key: &Key, extents: &Extents) -> Result<Option<Plan>, Error> {
        let mut descriptors = Descriptors::default();
        if !descriptors.fill(key, extents)? {
            return Ok(None);
        }
        if let Some(choice) = self.earlier.get(key)
            && let Ok(Some(candidate)) = self.candidate(&descriptors, key.direction, *choice)
        {
            return Ok(Some(Plan { descriptors, candidate }));
        }
        let (candidates, failed) = self.candidates(&descriptors, key)?;
        let contenders = convolution::contenders(candidates, self.limit);
        let Some(first) = contenders.first() else { return failed.map_or(Ok(None), Err) };
        let mut plan = Plan { descriptors, candidate: *first };
        let bytes = extents.made(key.direction) * key.dtype.size();
        // SAFETY: the caller's promise.
        let tried = unsafe { self.race(pool, &mut plan, call, key, bytes, &contenders)? };
        plan.candidate = convolution::winner(key, &tried).expect("there are contenders");
        plan.descriptors.set_math(plan.candidate.choice.math)?;
        Ok(Some(plan))
    }

    /// The choices that cuDNN is ready to run, the best first, and the first error among the others.
    fn candidates(&self, descriptors: &Descriptors, key: &Key) -> Result<(Vec<Candidate>, Option<Error>), Error> {
        let (mut candidates, mut failed) = (Vec::new(), None);
        for choice in convolution::choices(key, &self.list(descriptors, key)?) {
            match self.candidate(descriptors, key.direction, choice) {
                Ok(candidate) => candidates.extend(candidate),
                // One choice less: a fault of cuDNN's where others are left.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        Ok((candidates, failed))
    }

    /// What cuDNN knows of algorithms, the best first.
    fn list(&self, descriptors: &Descriptors, key: &Key) -> Result<Vec<Listed>, Error> {
        descriptors.set_math(convolution::asked_math(key))?;
        // Each algorithm may come with each kind of arithmetic.
        let mut found = [Performance::default(); 4 * FORWARD.len()];
        let mut count: c_int = 0;
        let most = found.len() as c_int;
        let Descriptors { x, w, y, convolution } = *descriptors;
        let handle = self.handle;
        // SAFETY: the descriptors are filled in; at most as many structs are written as there is room for, and
        // `Performance` has the layout of all three.
        let status = unsafe {
            let found = found.as_mut_ptr();
            let count = &raw mut count;
            match key.direction {
                Direction::Forward => {
                    call!(sys::cudnnGetConvolutionForwardAlgorithm_v7(
                        handle,
                        x,
                        w,
                        convolution,
                        y,
                        most,
                        count,
                        found.cast()
                    ))
                }
                Direction::BackwardData => call!(sys::cudnnGetConvolutionBackwardDataAlgorithm_v7(
                    handle,
                    w,
                    y,
                    convolution,
                    x,
                    most,
                    count,
                    found.cast(),
                )),
                Direction::BackwardWeight => call!(sys::cudnnGetConvolutionBackwardFilterAlgorithm_v7(
                    handle,
                    x,
                    y,
                    convolution,
                    w,
                    most,
                    count,
                    found.cast(),
                )),
            }
        };
        if !taken(status, "asking for algorithms")? {
            return Ok(Vec::new());
        }
        let found = &found[..usize::try_from(count).unwrap_or(0).min(found.len())];
        Ok(found
            .iter()
            .map(|found| Listed {
                algorithm: found.algorithm,
                math: found.math,
                supported: found.status == 0,
                deterministic: found.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC as u32,
            })
            .collect())
    }

    /// What a choice wants of workspace; `None` where cuDNN does not take it for this convolution.
    fn candidate(
        &self,
        descriptors: &Descriptors,
        direction: Direction,
        choice: Choice,
    ) -> Result<Option<Candidate>, Error> {
        let algorithm = choice.algorithm as usize;
        let known = match direction {
            Direction::Forward => FORWARD.len(),
            Direction::BackwardData => BACKWARD_DATA.len(),
            Direction::BackwardWeight => BACKWARD_WEIGHT.len(),
        };
        if algorithm >= known {
            return Ok(None);
        }
        descriptors.set_math(choice.math)?;
        let Descriptors { x, w, y, convolution } = *descriptors;
        let (handle, mut workspace) = (self.handle, 0);
        let bytes = &raw mut workspace;
        // SAFETY: the descriptors are filled in; a number is written.
        let status = unsafe {
            match direction {
                Direction::Forward => call!(sys::cudnnGetConvolutionForwardWorkspaceSize(
                    handle,
                    x,
                    w,
                    convolution,
                    y,
                    FORWARD[algorithm],
                    bytes,
                )),
                Direction::BackwardData => call!(sys::cudnnGetConvolutionBackwardDataWorkspaceSize(
                    handle,
                    w,
                    y,
                    convolution,
                    x,
                    BACKWARD_DATA[algorithm],
                    bytes,
                )),
                Direction::BackwardWeight => call!(sys::cudnnGetConvolutionBackwardFilterWorkspaceSize(
                    handle,
                    x,
                    y,
                    convolution,
                    w,
                    BACKWARD_WEIGHT[algorithm],
                    bytes,
                )),
            }
        };
        Ok(taken(status, "asking for a workspace")?.then_some(Candidate { choice, workspace }))
    }

    /// The contenders' times, measured on the call's inputs with an output of its own; none for one that does not run.
    /// It ends with the one that decides. Where memory is short, those are left out for which there is none; where
    /// there is none for the output, all are without a time.
    unsafe fn race(
        &self,
        pool: &mut Pool,
        plan: &mut Plan,
        call: &Call,
        key: &Key,
        bytes: usize,
        contenders: &[Candidate],
    ) -> Result<Vec<(Candidate, Option<f32>)>, Error> {
        let untimed: Vec<_> = contenders.iter().map(|candidate| (*candidate, None)).collect();
        let Some(output) = spare(pool, bytes)? else { return Ok(untimed) };
        let mut timed = Ok(untimed);
        for room in convolution::rooms(contenders) {
            let Some(address) = (if room == 0 { Some(0) } else { spare(pool, room)? }) else { continue };
            let fitting: Vec<_> = contenders.iter().copied().filter(|candidate| candidate.workspace <= room).collect();
            let (call, workspace) = (Call { add: false, ..*call }, Workspace { address, bytes: room });
            // SAFETY: the caller's promise; output and workspace are as large as the convolution wants.
            timed = unsafe { self.times(plan, &call, key, output, workspace, &fitting) };
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

    unsafe fn times(
        &self,
        plan: &mut Plan,
        call: &Call,
        key: &Key,
        output: u64,
        workspace: Workspace,
        contenders: &[Candidate],
    ) -> Result<Vec<(Candidate, Option<f32>)>, Error> {
        let (begin, end) = (Event::new()?, Event::new()?);
        let mut timed = Vec::new();
        for candidate in contenders {
            plan.candidate = *candidate;
            plan.descriptors.set_math(candidate.choice.math)?;
            let mut ran = true;
            let turns = convolution::turns(key);
            for turn in 0..turns {
                // The first of several turns loads what the algorithm needs.
                if turn == 1 || turns == 1 {
                    begin.record(self.stream)?;
                }
                // SAFETY: the caller's promise.
                let status = unsafe { self.run(plan, call, output, workspace) };
                ran &= status == SUCCESS;
                if !ran {
                    break;
                }
            }
            let time = if ran {
                end.record(self.stream)?;
                Some(end.since(&begin)?)
            } else {
                None
            };
            timed.push((*candidate, time));
            if convolution::decided(key, &timed) {
                break;
            }
        }
        Ok(timed)
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        self.plans.clear();
        if !self.handle.is_null() {
            // SAFETY: it was made here, and the stream is empty. Of an error nobody is left to hear.
            unsafe { call!(sys::cudnnDestroy(self.handle)) };
        }
    }
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

/// `cudnnConvolutionFwdAlgoPerf_t` and its two sisters, with numbers in place of enumerations: a newer library may have
/// newer values.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Performance {
    algorithm: u32,
    status: u32,
    time: f32,
    memory: usize,
    determinism: u32,
    math: u32,
    reserved: [c_int; 3],
}
const _: () = {
    assert!(size_of::<Performance>() == size_of::<sys::cudnnConvolutionFwdAlgoPerf_t>());
    assert!(size_of::<Performance>() == size_of::<sys::cudnnConvolutionBwdDataAlgoPerf_t>());
    assert!(size_of::<Performance>() == size_of::<sys::cudnnConvolutionBwdFilterAlgoPerf_t>());
    assert!(
        std::mem::offset_of!(Performance, determinism)
            == std::mem::offset_of!(sys::cudnnConvolutionFwdAlgoPerf_t, determinism)
    );
    assert!(
        std::mem::offset_of!(Performance, math) == std::mem::offset_of!(sys::cudnnConvolutionFwdAlgoPerf_t, mathType)
    );
};

/// Algorithms by number.
const FORWARD: [sys::cudnnConvolutionFwdAlgo_t; 8] = {
    use sys::cudnnConvolutionFwdAlgo_t as Algorithm;
    [
        Algorithm::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM,
        Algorithm::CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM,
        Algorithm::CUDNN_CONVOLUTION_FWD_ALGO_GEMM,
        Algorithm::CUDNN_CONVOLUTION_FWD_ALGO_DIRECT,
        Algorithm::CUDNN_CONVOLUTION_FWD_ALGO_FFT,
        Algorithm::CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING,
        Algorithm::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD,
        Algorithm::CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED,
    ]
};
const BACKWARD_DATA: [sys::cudnnConvolutionBwdDataAlgo_t; 6] = {
    use sys::cudnnConvolutionBwdDataAlgo_t as Algorithm;
    [
        Algorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_0,
        Algorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_1,
        Algorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT,
        Algorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING,
        Algorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD,
        Algorithm::CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED,
    ]
};
const BACKWARD_WEIGHT: [sys::cudnnConvolutionBwdFilterAlgo_t; 7] = {
    use sys::cudnnConvolutionBwdFilterAlgo_t as Algorithm;
    [
        Algorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0,
        Algorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1,
        Algorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT,
        Algorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3,
        Algorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD,
        Algorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED,
        Algorithm::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING,
    ]
};

/// What cuDNN knows of a convolution's operands and numbers.
struct Descriptors {
    x: sys::cudnnTensorDescriptor_t,
    w: sys::cudnnFilterDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    convolution: sys::cudnnConvolutionDescriptor_t,
}

impl Default for Descriptors {
    fn default() -> Self {
        Self { x: ptr::null_mut(), w: ptr::null_mut(), y: ptr::null_mut(), convolution: ptr::null_mut() }
    }
}

impl Descriptors {
    /// Makes them; `false` for what cuDNN does not take.
    fn fill(&mut self, key: &Key, extents: &Extents) -> Result<bool, Error> {
        let dtype = match key.dtype {
            DType::F32 => sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            DType::Bf16 => sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
            DType::F16 => sys::cudnnDataType_t::CUDNN_DATA_HALF,
            DType::U8 | DType::U32 => return Ok(false),
        };
        let channels_last = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let doing = "describing a convolution";
        let Extents { x, w, y, padding, stride, dilation, groups } = *extents;
        // SAFETY: each descriptor is made before it is filled in, and destroyed when `self` is dropped.
        unsafe {
            demand(call!(sys::cudnnCreateTensorDescriptor(&raw mut self.x)), doing)?;
            demand(call!(sys::cudnnCreateFilterDescriptor(&raw mut self.w)), doing)?;
            demand(call!(sys::cudnnCreateTensorDescriptor(&raw mut self.y)), doing)?;
            demand(call!(sys::cudnnCreateConvolutionDescriptor(&raw mut self.convolution)), doing)?;
            let all = [
                call!(sys::cudnnSetTensor4dDescriptor(self.x, channels_last, dtype, x[0], x[1], x[2], x[3])),
                call!(sys::cudnnSetFilter4dDescriptor(self.w, dtype, channels_last, w[0], w[1], w[2], w[3])),
                call!(sys::cudnnSetTensor4dDescriptor(self.y, channels_last, dtype, y[0], y[1], y[2], y[3])),
                call!(sys::cudnnSetConvolution2dDescriptor(
                    self.convolution,
                    padding[0],
                    padding[1],
                    stride[0],
                    stride[1],
                    dilation[0],
                    dilation[1],
                    sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                    sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
                )),
                call!(sys::cudnnSetConvolutionGroupCount(self.convolution, groups)),
            ];
            for status in all {
                if !taken(status, doing)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Which arithmetic is meant from here on.
    fn set_math(&self, math: u32) -> Result<(), Error> {
        let math = match math {
            0 => sys::cudnnMathType_t::CUDNN_DEFAULT_MATH,
            1 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
            2 => sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION,
            _ => sys::cudnnMathType_t::CUDNN_FMA_MATH,
        };
        // SAFETY: the descriptor is alive.
        demand(unsafe { call!(sys::cudnnSetConvolutionMathType(self.convolution, math)) }, "setting the arithmetic")
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        // SAFETY: they were made here, and cuDNN reads them during calls alone. Of errors nobody hears.
        unsafe {
            if !self.x.is_null() {
                call!(sys::cudnnDestroyTensorDescriptor(self.x));
            }
            if !self.w.is_null() {
                call!(sys::cudnnDestroyFilterDescriptor(self.w));
            }
            if !self.y.is_null() {
                call!(sys::cudnnDestroyTensorDescriptor(self.y));
            }
            if !self.convolution.is_null() {
                call!(sys::cudnnDestroyConvolutionDescriptor(self.convolution));
            }
        }
    }
}
