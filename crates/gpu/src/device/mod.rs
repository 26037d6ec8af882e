//! Devices that run kernels, and their memory.

#[cfg(feature = "cuda")]
mod cuda;
mod emulation;
mod error;
mod kernel;
mod memory;

pub use emulation::Order;
pub use error::Error;
pub(crate) use kernel::{Args, Grid, Kernel, Place, THREADS, TypedKernel, kernel, typed_kernel};
pub use memory::{Buffer, DType, View};

use std::ffi::c_void;
use std::sync::Arc;

/// What a device is, for records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// As `--device` takes it: `cuda:0`, `emulated`.
    pub device: String,
    /// As its maker calls it.
    pub name: String,
    /// Of the driver and the libraries, by name: `driver`, `cudnn`, `cublas`.
    pub versions: Vec<(String, String)>,
    /// Bytes of memory in all.
    pub memory: u64,
}

/// What runs kernels. All work goes into one stream, in the order of the calls.
pub(crate) trait Backend: Send + Sync {
    fn facts(&self) -> &Facts;

    /// So many bytes, aligned to 256, with anything in them.
    fn allocate(&self, bytes: usize) -> Result<u64, Error>;

    /// # Safety
    /// The address and size are those of an allocation that nothing uses from here on, but for work that is in the stream.
    unsafe fn free(&self, address: u64, bytes: usize);

    /// Copies to the device; `from` may change as soon as the call returns.
    ///
    /// # Safety
    /// The bytes from `to` on are allocated.
    unsafe fn write(&self, to: u64, from: &[u8]) -> Result<(), Error>;

    /// Waits for all work before, and copies from the device.
    ///
    /// # Safety
    /// The bytes from `from` on are allocated.
    unsafe fn read(&self, from: u64, to: &mut [u8]) -> Result<(), Error>;

    /// # Safety
    /// Both ranges are allocated and do not overlap.
    unsafe fn copy(&self, from: u64, to: u64, bytes: usize) -> Result<(), Error>;

    /// # Safety
    /// The bytes from `to` on are allocated.
    unsafe fn zero(&self, to: u64, bytes: usize) -> Result<(), Error>;

    /// # Safety
    /// `args` is the struct that the kernel takes, and what it says of memory is true.
    unsafe fn launch(&self, kernel: &Kernel, grid: Grid, args: *const c_void, size: usize) -> Result<(), Error>;

    /// Waits for all work.
    fn synchronize(&self) -> Result<(), Error>;

    /// A convolution by a library; `false` where there is none that takes it, and nothing was done.
    ///
    /// # Safety
    /// The addresses are of allocations of the sizes that the call's shape gives.
    unsafe fn convolve(&self, _call: &crate::ops::conv::Call) -> Result<bool, Error> {
        Ok(false)
    }

    /// Matrix products by a library; `false` where there is none.
    ///
    /// # Safety
    /// The addresses are of allocations of the sizes that the call's shape gives.
    unsafe fn multiply(&self, _call: &crate::ops::matmul::Call) -> Result<bool, Error> {
        Ok(false)
    }

    /// Whether libraries are to use only what gives the same bytes each time.
    fn set_deterministic(&self, _deterministic: bool) {}
}

/// A device: cheap to clone, all clones are the one.
#[derive(Clone)]
pub struct Device(Arc<dyn Backend>);

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.facts().device)
    }
}

impl Device {
    /// The emulation, whose blocks run their threads in that order.
    pub fn emulated(order: Order) -> Self {
        Self(Arc::new(emulation::Emulation::new(order)))
    }

    /// The NVIDIA GPU of that number.
    ///
    /// # Errors
    /// When there is no driver or no such GPU, or a library is missing; the error says what to do.
    #[cfg(feature = "cuda")]
    pub fn cuda(ordinal: usize) -> Result<Self, Error> {
        Ok(Self(Arc::new(cuda::Cuda::new(ordinal)?)))
    }

    /// The NVIDIA GPU of that number.
    ///
    /// # Errors
    /// Always: this program was built without the feature `cuda`.
    #[cfg(not(feature = "cuda"))]
    pub fn cuda(_ordinal: usize) -> Result<Self, Error> {
        Err(Error::NotBuilt)
    }

    pub fn facts(&self) -> &Facts {
        self.0.facts()
    }

    /// Waits for all work.
    ///
    /// # Errors
    /// Those of work that failed.
    pub fn synchronize(&self) -> Result<(), Error> {
        self.0.synchronize()
    }

    /// Whether libraries are to use only algorithms that give the same bytes each time. The kernels of this crate always do.
    pub fn set_deterministic(&self, deterministic: bool) {
        self.0.set_deterministic(deterministic);
    }

    /// Memory for so many elements, with anything in it.
    ///
    /// # Errors
    /// When there is not so much.
    pub fn allocate(&self, dtype: DType, len: usize) -> Result<Buffer, Error> {
        Buffer::new(self, dtype, len)
    }

    /// Memory for so many elements, all zero.
    ///
    /// # Errors
    /// When there is not so much.
    pub fn zeros(&self, dtype: DType, len: usize) -> Result<Buffer, Error> {
        let buffer = self.allocate(dtype, len)?;
        self.zero(buffer.view())?;
        Ok(buffer)
    }

    /// Memory with these numbers.
    ///
    /// # Errors
    /// When there is not so much.
    pub fn upload(&self, values: &[f32]) -> Result<Buffer, Error> {
        let buffer = self.allocate(DType::F32, values.len())?;
        self.write(buffer.view(), values)?;
        Ok(buffer)
    }

    /// Copies to the device, as it lies in memory.
    ///
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn write<N: bytemuck::NoUninit>(&self, to: View<'_>, from: &[N]) -> Result<(), Error> {
        let from: &[u8] = bytemuck::cast_slice(from);
        assert_eq!(from.len(), to.bytes(), "as much as there is room for");
        // SAFETY: a view lies in its buffer.
        unsafe { self.0.write(to.address(), from) }
    }

    /// Waits for all work, and copies from the device, as it lies in memory.
    ///
    /// # Errors
    /// Those of the driver, and of work before.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn read<N: bytemuck::AnyBitPattern + bytemuck::NoUninit>(
        &self,
        from: View<'_>,
        to: &mut [N],
    ) -> Result<(), Error> {
        let to: &mut [u8] = bytemuck::cast_slice_mut(to);
        assert_eq!(to.len(), from.bytes(), "as much as there is");
        // SAFETY: a view lies in its buffer.
        unsafe { self.0.read(from.address(), to) }
    }

    /// As [`read`](Self::read), any element type as `f32`.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// When they are not numbers of an activation's type.
    pub fn read_f32(&self, from: View<'_>) -> Result<Vec<f32>, Error> {
        match from.dtype() {
            DType::F32 => {
                let mut values = vec![0.0; from.len()];
                self.read(from, &mut values)?;
                Ok(values)
            }
            DType::Bf16 => {
                let mut values = vec![half::bf16::ZERO; from.len()];
                self.read(from, &mut values)?;
                Ok(values.into_iter().map(half::bf16::to_f32).collect())
            }
            DType::F16 => {
                let mut values = vec![half::f16::ZERO; from.len()];
                self.read(from, &mut values)?;
                Ok(values.into_iter().map(half::f16::to_f32).collect())
            }
            DType::U8 | DType::U32 => panic!("{:?} is no type of activations", from.dtype()),
        }
    }

    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When the lengths differ, or they overlap.
    pub fn copy(&self, from: View<'_>, to: View<'_>) -> Result<(), Error> {
        assert_eq!(from.bytes(), to.bytes(), "as much as there is room for");
        let apart =
            from.address() + from.bytes() as u64 <= to.address() || to.address() + to.bytes() as u64 <= from.address();
        assert!(apart, "a copy onto itself");
        // SAFETY: views lie in their buffers; they do not overlap.
        unsafe { self.0.copy(from.address(), to.address(), from.bytes()) }
    }

    /// Zeros everywhere.
    ///
    /// # Errors
    /// Those of the driver.
    pub fn zero(&self, to: View<'_>) -> Result<(), Error> {
        // SAFETY: a view lies in its buffer.
        unsafe { self.0.zero(to.address(), to.bytes()) }
    }

    /// # Safety
    /// `args` is the struct of that kernel, and the memory that it names is as long as the kernel takes it to be.
    pub(crate) unsafe fn launch<A: Args>(&self, kernel: &Kernel, grid: Grid, args: &A) -> Result<(), Error> {
        if grid.is_empty() {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { self.0.launch(kernel, grid, std::ptr::from_ref(args).cast(), size_of::<A>()) }
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &*self.0
    }
}
