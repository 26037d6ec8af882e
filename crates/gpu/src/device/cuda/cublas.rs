//! Matrix products by cuBLAS.

use super::super::plan::product::{Operand, Product, is_tf32};
use super::super::{DType, Error};
use super::call::call;
use super::driver::lacking;
use super::pool::Pool;
use crate::ops::matmul::Call;
use cudarc::cublas::sys;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

const FUNCTIONS: [&str; 8] = [
    "cublasCreate_v2",
    "cublasDestroy_v2",
    "cublasGemmStridedBatchedEx",
    "cublasGetProperty",
    "cublasGetStatusName",
    "cublasSetMathMode",
    "cublasSetStream_v2",
    "cublasSetWorkspace_v2",
];

/// What NVIDIA recommends for Hopper. It is ours, so that graphs of recorded work may use it, and cuBLAS allocates
/// nothing of its own.
const WORKSPACE: usize = 32 << 20;

/// The oldest that runs on the driver that is needed anyway.
const OLDEST: c_int = 12;

/// A handle to cuBLAS. It is used by one thread at a time, with the card's context current.
pub struct Cublas {
    handle: sys::cublasHandle_t,
    pub version: String,
}

const SUCCESS: u32 = sys::cublasStatus_t::CUBLAS_STATUS_SUCCESS as u32;
const NOT_SUPPORTED: u32 = sys::cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED as u32;

fn said(status: u32) -> String {
    type Name = unsafe extern "C" fn(u32) -> *const c_char;
    // SAFETY: the function was looked for before, and returns a text of its own, for any number.
    let name = unsafe {
        let of = sys::culib().get::<Name>(b"cublasGetStatusName").expect("a function that was looked for before");
        CStr::from_ptr(of(status))
    };
    format!("{} ({status})", name.to_string_lossy())
}

fn check(status: u32, doing: &str) -> Result<(), Error> {
    match status {
        SUCCESS => Ok(()),
        _ => Err(Error::Failed { doing: format!("{doing} by cuBLAS"), said: said(status) }),
    }
}

impl Cublas {
    /// cuBLAS for a stream, or why there is none.
    pub fn new(stream: *mut c_void, pool: &mut Pool) -> Result<Self, String> {
        // SAFETY: the library is loaded and nothing of it is called but what the loader runs.
        if !unsafe { sys::is_culib_present() } {
            return Err("libcublas.so.13, or libcublasLt.so.13 beside it, is not found".to_owned());
        }
        // SAFETY: names are looked up, nothing is called.
        let has = |name: &str| unsafe { sys::culib().get::<*const c_void>(name.as_bytes()).is_ok() };
        if let Some(name) = lacking(has, &FUNCTIONS) {
            return Err(format!("the libcublas that was found lacks {name}"));
        }
        let mut version = [0; 3];
        let parts = [
            sys::libraryPropertyType_t::MAJOR_VERSION,
            sys::libraryPropertyType_t::MINOR_VERSION,
            sys::libraryPropertyType_t::PATCH_LEVEL,
        ];
        for (part, to) in parts.into_iter().zip(&mut version) {
            // SAFETY: a number is written.
            check(unsafe { call!(sys::cublasGetProperty(part, &raw mut *to)) }, "its version")
                .map_err(|error| error.to_string())?;
        }
        let [major, minor, patch] = version;
        let version = format!("{major}.{minor}.{patch}");
        if major < OLDEST {
            return Err(format!("the libcublas that was found is of version {version}, and {OLDEST} is needed"));
        }
        let mut cublas = Self { handle: ptr::null_mut(), version };
        cublas.open(stream, pool).map_err(|error| error.to_string())?;
        Ok(cublas)
    }

    fn open(&mut self, stream: *mut c_void, pool: &mut Pool) -> Result<(), Error> {
        // SAFETY: the context is current, the stream alive, and the workspace stays allocated for as long as the device
        // does. Setting the stream sets the workspace back, so it comes first.
        unsafe {
            check(call!(sys::cublasCreate_v2(&raw mut self.handle)), "starting")?;
            check(call!(sys::cublasSetStream_v2(self.handle, stream.cast())), "taking the stream")?;
            let workspace = pool.take(WORKSPACE)?;
            check(
                call!(sys::cublasSetWorkspace_v2(self.handle, workspace as *mut c_void, WORKSPACE)),
                "taking a workspace",
            )?;
            // Sums of parts are f32 too, whatever is stored.
            let mode = sys::cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
            check(call!(sys::cublasSetMathMode(self.handle, mode)), "taking a mode of arithmetic")
        }
    }

    /// `false` where it takes no such product, and nothing was done. `strict`: `f32` is multiplied as such, whatever
    /// the call says.
    ///
    /// # Safety
    /// The addresses are of allocations of the sizes that the call gives.
    pub unsafe fn multiply(&self, call: &Call, strict: bool) -> Result<bool, Error> {
        let (Some(product), Some(from), Some(to)) = (Product::of(call), number(call.dtype), number(call.out)) else {
            return Ok(false);
        };
        if call.out != call.dtype && call.out != DType::F32 {
            return Ok(false);
        }
        let Product { m, n, k, first, second, made, count } = product;
        if m == 0 || n == 0 || count == 0 {
            return Ok(true);
        }
        let compute = if is_tf32(call, strict) {
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32
        } else {
            sys::cublasComputeType_t::CUBLAS_COMPUTE_32F
        };
        let (scale, beta) = (call.scale, f32::from(u8::from(call.add)));
        // SAFETY: the caller's promise; alpha and beta are read before the call returns, as the pointers are to the
        // program's memory.
        let status = unsafe {
            call!(sys::cublasGemmStridedBatchedEx(
                self.handle,
                operation(&first),
                operation(&second),
                m,
                n,
                k,
                (&raw const scale).cast(),
                first.address as *const c_void,
                from,
                first.leading,
                first.stride,
                second.address as *const c_void,
                from,
                second.leading,
                second.stride,
                (&raw const beta).cast(),
                made.address as *mut c_void,
                to,
                made.leading,
                made.stride,
                count,
                compute,
                sys::cublasGemmAlgo_t::CUBLAS_GEMM_DFALT,
            ))
        };
        match status {
            NOT_SUPPORTED => Ok(false),
            _ => check(status, "a matrix product").map(|()| true),
        }
    }
}

fn number(dtype: DType) -> Option<sys::cudaDataType_t> {
    match dtype {
        DType::F32 => Some(sys::cudaDataType_t::CUDA_R_32F),
        DType::Bf16 => Some(sys::cudaDataType_t::CUDA_R_16BF),
        DType::F16 => Some(sys::cudaDataType_t::CUDA_R_16F),
        DType::U8 | DType::U32 => None,
    }
}

fn operation(operand: &Operand) -> sys::cublasOperation_t {
    if operand.transposed { sys::cublasOperation_t::CUBLAS_OP_T } else { sys::cublasOperation_t::CUBLAS_OP_N }
}

impl Drop for Cublas {
    fn drop(&mut self) {
        if !self.handle.is_null() {
            // SAFETY: it was made here, and the stream is empty. Of an error nobody is left to hear.
            unsafe { call!(sys::cublasDestroy_v2(self.handle)) };
        }
    }
}
