//! The driver: whether it is there, the card's context, stream and kernels, and what its errors say.

use super::super::Error;
use super::super::plan::versions;
use super::call::call;
use cudarc::driver::sys;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::fmt::Display;
use std::ptr;

/// What nvcc made of the kernels, aligned as the driver may expect: machine code and PTX, or nothing where there was no
/// nvcc.
#[repr(C, align(64))]
struct Aligned<Bytes: ?Sized>(Bytes);
static KERNELS: &Aligned<[u8]> = &Aligned(*include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin")));

/// The CUDA that the kernels are compiled for and the libraries are of.
const NEEDED: i32 = 13000;

/// All of the driver's functions that are called here. `cudarc` panics when it calls one that is not there.
const FUNCTIONS: [&str; 45] = [
    "cuCtxSetCurrent",
    "cuDeviceGet",
    "cuDeviceGetAttribute",
    "cuDeviceGetCount",
    "cuDeviceGetMemPool",
    "cuDeviceGetName",
    "cuDevicePrimaryCtxRelease_v2",
    "cuDevicePrimaryCtxRetain",
    "cuDeviceTotalMem_v2",
    "cuEventCreate",
    "cuEventDestroy_v2",
    "cuEventElapsedTime_v2",
    "cuEventRecord",
    "cuEventSynchronize",
    "cuFuncGetParamInfo",
    "cuFuncLoad",
    "cuGetErrorName",
    "cuGetErrorString",
    "cuGraphDestroy",
    "cuGraphExecDestroy",
    "cuGraphInstantiateWithFlags",
    "cuGraphLaunch",
    "cuInit",
    "cuLaunchKernel",
    "cuMemAllocAsync",
    "cuMemAlloc_v2",
    "cuMemFreeAsync",
    "cuMemFreeHost",
    "cuMemFree_v2",
    "cuMemGetInfo_v2",
    "cuMemHostAlloc",
    "cuMemPoolSetAttribute",
    "cuMemPoolTrimTo",
    "cuMemcpyDtoDAsync_v2",
    "cuMemcpyDtoHAsync_v2",
    "cuMemcpyHtoDAsync_v2",
    "cuMemsetD8Async",
    "cuModuleGetFunction",
    "cuModuleLoadData",
    "cuModuleUnload",
    "cuStreamBeginCapture_v2",
    "cuStreamCreate",
    "cuStreamDestroy_v2",
    "cuStreamEndCapture",
    "cuStreamSynchronize",
];

/// What the driver's functions return when they have done what they were asked for.
const SUCCESS: u32 = sys::CUresult::CUDA_SUCCESS as u32;

/// And when there is not so much memory.
pub const OUT_OF_MEMORY: u32 = sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY as u32;

/// What the driver says of a return code.
pub fn said(result: u32) -> String {
    /// `cuGetErrorName` and `cuGetErrorString`, which take any number too.
    type Text = unsafe extern "C" fn(u32, *mut *const c_char) -> u32;
    let text = |of: &str| {
        let mut text = ptr::null();
        // SAFETY: the function, where there is one, sets the pointer to a text of its own, or to null.
        unsafe {
            let of = sys::culib().get::<Text>(of.as_bytes()).ok()?;
            (of(result, &raw mut text) == SUCCESS && !text.is_null())
                .then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    };
    let name = text("cuGetErrorName").unwrap_or_else(|| format!("error {result}"));
    text("cuGetErrorString").map_or_else(|| name.clone(), |sentence| format!("{sentence} ({name})"))
}

/// An error, unless the driver says that all is well.
pub fn check(result: u32, doing: impl Display) -> Result<(), Error> {
    match result {
        SUCCESS => Ok(()),
        _ => Err(Error::Failed { doing: doing.to_string(), said: said(result) }),
    }
}

fn missing(what: impl Into<String>, remedy: impl Into<String>) -> Error {
    Error::Missing { what: what.into(), remedy: remedy.into() }
}

/// Whether a library has all these functions; else the first that it lacks.
pub fn lacking<'a>(has: impl Fn(&str) -> bool, names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().find(|name| !has(name))
}

const RELEASE: &str = "install NVIDIA's driver, release 580 or a newer one";

/// Loads the driver and starts it.
fn start() -> Result<(), Error> {
    // SAFETY: the library is loaded and nothing of it is called but what the loader runs.
    if !unsafe { sys::is_culib_present() } {
        let remedy = format!(
            "{RELEASE}; a container needs access to the GPU (`--gpus all`, `--nv`); \
             without a GPU, leave `--device cuda` out"
        );
        return Err(Error::NoGpu { what: "there is no NVIDIA driver (libcuda.so.1)".to_owned(), remedy });
    }
    let has = |name: &str| {
        // SAFETY: it is looked up, not called.
        unsafe { sys::culib().get::<*const c_void>(name.as_bytes()).is_ok() }
    };
    let version = if has("cuDriverGetVersion") {
        let mut version: c_int = 0;
        // SAFETY: the function is there, and writes the number.
        check(unsafe { call!(sys::cuDriverGetVersion(&raw mut version)) }, "asking for the driver's version")?;
        version
    } else {
        0
    };
    if version < NEEDED {
        let what = format!(
            "the NVIDIA driver takes CUDA {}, this program needs {}",
            versions::cuda(version),
            versions::cuda(NEEDED)
        );
        return Err(missing(what, RELEASE));
    }
    if let Some(name) = lacking(has, &FUNCTIONS) {
        return Err(missing(format!("the NVIDIA driver (libcuda.so.1) lacks {name}"), RELEASE));
    }
    const NO_DEVICE: u32 = sys::CUresult::CUDA_ERROR_NO_DEVICE as u32;
    const STUB_LIBRARY: u32 = sys::CUresult::CUDA_ERROR_STUB_LIBRARY as u32;
    const SYSTEM_DRIVER_MISMATCH: u32 = sys::CUresult::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH as u32;
    const SYSTEM_NOT_READY: u32 = sys::CUresult::CUDA_ERROR_SYSTEM_NOT_READY as u32;
    // SAFETY: takes a number that must be 0.
    let result = unsafe { call!(sys::cuInit(0)) };
    match result {
        SUCCESS => Ok(()),
        NO_DEVICE => Err(no_gpu(0, 0)),
        STUB_LIBRARY => Err(missing(
            "the libcuda.so that was found is a toolkit's placeholder, not the driver",
            "take the toolkit's folder `stubs` out of LD_LIBRARY_PATH",
        )),
        SYSTEM_DRIVER_MISMATCH => Err(missing(
            format!("the NVIDIA driver does not start: {}", said(result)),
            "the libraries are of another release than the kernel module: restart the machine",
        )),
        SYSTEM_NOT_READY => Err(missing(
            format!("the NVIDIA driver does not start: {}", said(result)),
            "machines with NVSwitch need nvidia-fabricmanager, of the driver's release",
        )),
        _ => Err(missing(
            format!("the NVIDIA driver does not start: {}", said(result)),
            "`nvidia-smi` says whether the driver sees the GPU",
        )),
    }
}

fn no_gpu(ordinal: usize, count: usize) -> Error {
    let what = match count {
        0 => "the NVIDIA driver finds no GPU".to_owned(),
        1 => format!("there is no cuda:{ordinal}: there is one GPU, cuda:0"),
        _ => format!("there is no cuda:{ordinal}: there are {count} GPUs, cuda:0 to cuda:{}", count - 1),
    };
    let remedy = "`nvidia-smi -L` lists what there is; CUDA_VISIBLE_DEVICES, where it is set, hides the others";
    Error::NoGpu { what, remedy: remedy.to_owned() }
}

/// A card's context, stream and kernels. The context must be current when it is dropped.
pub struct Driver {
    device: sys::CUdevice,
    context: sys::CUcontext,
    pub stream: sys::CUstream,
    /// `None` where the card has none, as virtual ones may.
    pub pool: Option<sys::CUmemoryPool>,
    module: sys::CUmodule,
    pub name: String,
    pub memory: usize,
    /// The driver's release and the CUDA that it takes.
    pub version: String,
}

impl Driver {
    /// # Errors
    /// When the driver, the card or kernels for it are missing.
    pub fn new(ordinal: usize) -> Result<Self, Error> {
        start()?;
        let mut count: c_int = 0;
        // SAFETY: the driver has started; the function writes the number.
        check(unsafe { call!(sys::cuDeviceGetCount(&raw mut count)) }, "counting GPUs")?;
        let number = c_int::try_from(ordinal).ok().filter(|number| *number < count);
        let number = number.ok_or_else(|| no_gpu(ordinal, usize::try_from(count).unwrap_or(0)))?;
        if KERNELS.0.is_empty() {
            return Err(missing(
                "this program was built without kernels for GPUs, since there was no nvcc",
                "build it again with a CUDA toolkit, or with what `eval \"$(scripts/cuda_toolkit)\"` sets up",
            ));
        }
        let mut driver = Self {
            device: 0,
            context: ptr::null_mut(),
            stream: ptr::null_mut(),
            pool: None,
            module: ptr::null_mut(),
            name: String::new(),
            memory: 0,
            version: String::new(),
        };
        // SAFETY: the driver has started and has that card; each function writes one value to the place that it is
        // given. What was made before an error is given back when `driver` is dropped.
        unsafe {
            check(call!(sys::cuDeviceGet(&raw mut driver.device, number)), "opening the GPU")?;
            driver.describe()?;
            let context = call!(sys::cuDevicePrimaryCtxRetain(&raw mut driver.context, driver.device));
            check(context, format_args!("opening {} (is it in use by another program alone?)", driver.name))?;
            driver.make_current()?;
            let stream = sys::CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
            check(call!(sys::cuStreamCreate(&raw mut driver.stream, stream)), "making a stream")?;
            driver.keep_memory()?;
        }
        driver.load()?;
        Ok(driver)
    }

    fn attribute(&self, attribute: sys::CUdevice_attribute) -> Result<c_int, Error> {
        let mut value = 0;
        // SAFETY: the card is open; the function writes a number.
        check(
            unsafe { call!(sys::cuDeviceGetAttribute(&raw mut value, attribute, self.device)) },
            "asking what the GPU can do",
        )?;
        Ok(value)
    }

    fn describe(&mut self) -> Result<(), Error> {
        let mut name = [0u8; 256];
        let mut version: c_int = 0;
        // SAFETY: the card is open; the first writes at most as many bytes as it is told, the others a number each.
        unsafe {
            let result = call!(sys::cuDeviceGetName(name.as_mut_ptr().cast(), name.len() as c_int, self.device));
            check(result, "asking for the GPU's name")?;
            check(call!(sys::cuDeviceTotalMem_v2(&raw mut self.memory, self.device)), "asking for the GPU's memory")?;
            check(call!(sys::cuDriverGetVersion(&raw mut version)), "asking for the driver's version")?;
        }
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        self.name = String::from_utf8_lossy(&name[..end]).into_owned();
        let module = std::fs::read_to_string("/proc/driver/nvidia/version").unwrap_or_default();
        let cuda = versions::cuda(version);
        self.version = match versions::release(&module) {
            Some(release) => format!("{release} (CUDA {cuda})"),
            None => format!("CUDA {cuda}"),
        };
        Ok(())
    }

    /// Memory that is given back stays with the program: taking it anew then costs nothing.
    fn keep_memory(&mut self) -> Result<(), Error> {
        if self.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED)? == 0 {
            return Ok(());
        }
        let (mut kept, mut pool) = (u64::MAX, ptr::null_mut());
        let threshold = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        // SAFETY: the context is current; the first writes the pool, the second reads a 64-bit number.
        unsafe {
            check(call!(sys::cuDeviceGetMemPool(&raw mut pool, self.device)), "asking for the memory pool")?;
            let result = call!(sys::cuMemPoolSetAttribute(pool, threshold, (&raw mut kept).cast()));
            check(result, "asking the memory pool to keep memory")?;
        }
        self.pool = Some(pool);
        Ok(())
    }

    fn load(&mut self) -> Result<(), Error> {
        const NO_BINARY_FOR_GPU: u32 = sys::CUresult::CUDA_ERROR_NO_BINARY_FOR_GPU as u32;
        const UNSUPPORTED_PTX_VERSION: u32 = sys::CUresult::CUDA_ERROR_UNSUPPORTED_PTX_VERSION as u32;
        // SAFETY: the context is current, and nvcc made the image.
        let result = unsafe { call!(sys::cuModuleLoadData(&raw mut self.module, KERNELS.0.as_ptr().cast())) };
        let major = self.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = self.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        match result {
            NO_BINARY_FOR_GPU => Err(missing(
                format!("the kernels are for {}, and {} is sm_{major}{minor}", env!("RUNNER_GPU_KERNELS"), self.name),
                format!("build the program with CUDA_COMPUTE_CAP={major}{minor}"),
            )),
            UNSUPPORTED_PTX_VERSION => Err(missing(
                format!("the kernels were compiled by a newer nvcc than the driver, {}, takes", self.version),
                format!("install a newer driver, or build the program with CUDA_COMPUTE_CAP={major}{minor}"),
            )),
            _ => check(result, format_args!("loading the kernels for sm_{major}{minor}")),
        }
    }

    /// Whatever thread this is, its calls are for this card from here on.
    pub fn make_current(&self) -> Result<(), Error> {
        // SAFETY: the context lives as long as `self`.
        check(unsafe { call!(sys::cuCtxSetCurrent(self.context)) }, "turning to the GPU")
    }

    /// The kernel of that name, which takes a struct of so many bytes.
    pub fn function(&self, name: &str, size: usize) -> Result<sys::CUfunction, Error> {
        let text = CString::new(name).expect("a C name");
        let mut function = ptr::null_mut();
        // SAFETY: the context is current and the module loaded; the name ends in 0.
        let result = unsafe { call!(sys::cuModuleGetFunction(&raw mut function, self.module, text.as_ptr())) };
        check(result, format_args!("looking for kernel {name}"))?;
        let (mut offset, mut bytes) = (0, 0);
        // SAFETY: the function is of the module; two numbers are written.
        let result = unsafe { call!(sys::cuFuncGetParamInfo(function, 0, &raw mut offset, &raw mut bytes)) };
        check(result, format_args!("asking what kernel {name} takes"))?;
        if bytes != size {
            let said = format!("it takes {bytes} bytes and is given {size}: its two structs differ");
            return Err(Error::Failed { doing: format!("kernel {name}"), said });
        }
        // SAFETY: the function is of the module.
        check(unsafe { call!(sys::cuFuncLoad(function)) }, format_args!("loading kernel {name}"))?;
        Ok(function)
    }

    /// Waits until the stream is empty.
    pub fn synchronize(&self) -> Result<(), Error> {
        // SAFETY: the stream lives as long as `self`.
        check(unsafe { call!(sys::cuStreamSynchronize(self.stream)) }, "waiting for the GPU")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // SAFETY: each was made by this, and nothing uses it any more. Of errors nobody is left to hear.
        unsafe {
            if !self.module.is_null() {
                call!(sys::cuModuleUnload(self.module));
            }
            if !self.stream.is_null() {
                call!(sys::cuStreamDestroy_v2(self.stream));
            }
            if !self.context.is_null() {
                call!(sys::cuDevicePrimaryCtxRelease_v2(self.device));
            }
        }
    }
}
