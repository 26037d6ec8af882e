//! Calls of the libraries' functions, for the numbers that they return.
//!
//! `cudarc` declares that they return enumerations. A newer library may return what an enumeration lacks, which must not
//! become a value of it. So `cudarc` says what a function takes, and [`call`] looks it up as one that returns a `u32`, as
//! C's enumerations without negative values are.

use cudarc::{cublas, cudnn, driver};
use std::any::Any;
use std::sync::OnceLock;

/// What `cudarc` makes of such a number.
pub trait Status: 'static {}

impl Status for cublas::sys::cublasStatus_t {}
impl Status for cudnn::sys::cudnnStatus_t {}
impl Status for driver::sys::CUresult {}

/// A function as `cudarc` declares it.
pub trait Declared {
    /// As it is in the library.
    type Found: Copy + Send + Sync + Any;
}

/// Functions of that many arguments, and of fewer.
macro_rules! declared {
    (fewer) => {};
    (fewer $first:ident $($argument:ident)*) => { declared!($($argument)*); };
    ($($argument:ident)*) => {
        impl<R: Status, $($argument: 'static),*> Declared for unsafe fn($($argument),*) -> R {
            type Found = unsafe extern "C" fn($($argument),*) -> u32;
        }
        declared!(fewer $($argument)*);
    };
}
declared!(A B C D E F G H I J K L M N O P Q S T U V W X);

/// A function that was looked up, whatever it takes.
pub type Known = OnceLock<Box<dyn Any + Send + Sync>>;

/// The function in the library, looked up when it is first asked for.
pub fn found<F: Declared>(_declared: F, known: &'static Known, look_up: impl FnOnce() -> F::Found) -> F::Found {
    *known.get_or_init(|| Box::new(look_up())).downcast_ref().expect("one function for each place that calls one")
}

/// `call!(sys::function(arguments))`: what a function of a library returns, as a number. The function must be there.
macro_rules! call {
    (type $argument:expr) => { _ };
    ($sys:ident::$name:ident($($argument:expr),* $(,)?)) => {{
        use $crate::device::cuda::call;
        static KNOWN: call::Known = call::Known::new();
        let declared: unsafe fn($(call::call!(type $argument)),*) -> _ = $sys::$name;
        let look_up = || {
            let name = concat!(stringify!($name), "\0");
            *$sys::culib().get(name.as_bytes()).expect("a function that was looked for before")
        };
        call::found(declared, &KNOWN, look_up)($($argument),*)
    }};
}
pub(super) use call;
