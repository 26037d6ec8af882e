//! The functions of cuDNN that are called, as numbers and addresses: a newer library may return what an enumeration of
//! today lacks.

use super::super::super::Error;
use super::super::super::plan::versions;
use cudarc::cudnn::sys;
use std::ffi::{CStr, c_char, c_void};
use std::fmt;
use std::sync::OnceLock;

/// `cudnnHandle_t`.
pub type Handle = *mut c_void;
/// `cudnnBackendDescriptor_t`.
pub type Raw = *mut c_void;

/// The first whose graphs and numbers of errors are those that are meant here.
const OLDEST: usize = 9;

const SUCCESS: u32 = 0;

macro_rules! functions {
    ($($field:ident = $name:literal: fn($($argument:ty),*) -> $returned:ty;)*) => {
        pub struct Library {
            $(pub $field: unsafe extern "C" fn($($argument),*) -> $returned,)*
        }

        impl Library {
            /// The functions of the library, which is there, or the name of one that it lacks.
            fn find() -> Result<Self, &'static str> {
                // SAFETY: they are declared as in `cudnn_graph_v9.h` and `cudnn_ops_v9.h`. Nothing is called but what
                // the loader runs.
                unsafe {
                    let library = sys::culib();
                    Ok(Self { $($field: *library.get($name.as_bytes()).map_err(|_| $name)?,)* })
                }
            }
        }
    };
}

functions! {
    create = "cudnnCreate": fn(*mut Handle) -> u32;
    destroy = "cudnnDestroy": fn(Handle) -> u32;
    set_stream = "cudnnSetStream": fn(Handle, *mut c_void) -> u32;
    version = "cudnnGetVersion": fn() -> usize;
    error_string = "cudnnGetErrorString": fn(u32) -> *const c_char;
    last_error_string = "cudnnGetLastErrorString": fn(*mut c_char, usize) -> ();
    create_descriptor = "cudnnBackendCreateDescriptor": fn(u32, *mut Raw) -> u32;
    destroy_descriptor = "cudnnBackendDestroyDescriptor": fn(Raw) -> u32;
    finalize = "cudnnBackendFinalize": fn(Raw) -> u32;
    set_attribute = "cudnnBackendSetAttribute": fn(Raw, u32, u32, i64, *const c_void) -> u32;
    get_attribute = "cudnnBackendGetAttribute": fn(Raw, u32, u32, i64, *mut i64, *mut c_void) -> u32;
    execute = "cudnnBackendExecute": fn(Handle, Raw, Raw) -> u32;
}

/// The library that the loader finds, or why there is none. Up to 9.26 at least it needs neither a card nor a driver to answer
/// questions.
pub fn library() -> Result<&'static Library, String> {
    static FOUND: OnceLock<Result<Library, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        // SAFETY: the library is loaded and nothing of it is called but what the loader runs.
        if !unsafe { sys::is_culib_present() } {
            return Err("libcudnn.so.9 is not found".to_owned());
        }
        let library = Library::find().map_err(|name| format!("the libcudnn that was found lacks {name}"))?;
        let [major, ..] = library.version_numbers();
        if major < OLDEST {
            let version = library.version_text();
            return Err(format!("the libcudnn that was found is of version {version}, and {OLDEST} is needed"));
        }
        Ok(library)
    });
    found.as_ref().map_err(Clone::clone)
}

impl Library {
    pub fn version_numbers(&self) -> [usize; 3] {
        // SAFETY: returns a number.
        versions::cudnn(unsafe { (self.version)() })
    }

    pub fn version_text(&self) -> String {
        self.version_numbers().map(|number| number.to_string()).join(".")
    }

    /// # Errors
    /// A status other than that of success.
    pub fn check(&self, status: u32, doing: &'static str) -> Result<(), Failure> {
        if status == SUCCESS { Ok(()) } else { Err(Failure { status, doing, said: self.said(status) }) }
    }

    fn said(&self, status: u32) -> String {
        // SAFETY: the function returns a text of its own, for any number.
        let name = unsafe { CStr::from_ptr((self.error_string)(status)) }.to_string_lossy();
        let mut text = [0u8; 512];
        // SAFETY: the function writes at most as many bytes as it is told, with a 0 at the end.
        unsafe { (self.last_error_string)(text.as_mut_ptr().cast(), text.len()) };
        let more = CStr::from_bytes_until_nul(&text).map(CStr::to_string_lossy).unwrap_or_default();
        if more.is_empty() { format!("{name} ({status})") } else { format!("{name} ({status}): {more}") }
    }
}

/// A call that did not succeed.
#[derive(Debug)]
pub struct Failure {
    status: u32,
    doing: &'static str,
    said: String,
}

impl Failure {
    /// An answer without a sense.
    pub fn senseless(doing: &'static str, said: String) -> Self {
        Self { status: SUCCESS, doing, said }
    }

    /// Whether cuDNN does not support what it was asked for.
    pub fn is_unsupported(&self) -> bool {
        (3000..4000).contains(&self.status)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by cuDNN: {}", self.doing, self.said)
    }
}

#[cfg(test)]
impl Failure {
    /// Whether a part of cuDNN cannot be loaded (`CUDNN_STATUS_SUBLIBRARY_LOADING_FAILED`).
    pub fn is_part_missing(&self) -> bool {
        self.status == 1008
    }

    /// Whether cuDNN does not support what it was asked for, or finds a value bad.
    pub fn is_refusal(&self) -> bool {
        (2000..4000).contains(&self.status)
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed { doing: format!("{} by cuDNN", failure.doing), said: failure.said }
    }
}
