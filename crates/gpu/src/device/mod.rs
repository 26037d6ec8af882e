//! Devices that run kernels, and their memory.

#[cfg(feature = "cuda")]
mod cuda;
mod emulation;
mod error;
mod kernel;
mod memory;
mod plan;

pub use emulation::Order;
pub use error::Error;
pub(crate) use kernel::{Args, Grid, Kernel, Place, THREADS, TypedKernel, kernel, typed_kernel};
pub use memory::{Buffer, DType, View};
pub use plan::convolution::{Choice, Key};

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What a device is, for records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// As `--device` takes it: `cuda:0`, `emulated`.
    pub device: String,
    /// As its maker calls it.
    pub name: String,
    /// Of the driver and the libraries, by name: `driver`, `cudnn`, `cublas`; `none` for a library that is missing.
    pub versions: Vec<(String, String)>,
    /// Bytes of memory in all.
    pub memory: u64,
    /// What a person should know: libraries that are missing, what that means, and where they are to be had.
    pub remarks: Vec<String>,
}

/// What runs kernels. All work goes into one stream, in the order of the calls.
pub(crate) trait Backend: Send + Sync {
    fn facts(&self) -> &Facts;

    /// So many bytes, aligned to 256, with anything in them.
    fn allocate(&self, bytes: usize) -> Result<u64, Error>;

    /// # Safety
    /// The address and size are those of an allocation that nothing uses from here on, but for work that is in the
    /// stream.
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

    /// Whether its clocks rest while there is nothing to do.
    fn rests(&self) -> bool {
        false
    }

    /// A convolution by a library; `false` where there is none that takes it, and nothing was done. cuDNN takes no
    /// operand that does not begin at a multiple of 16 bytes.
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

    /// Whether libraries are to multiply `f32` as such.
    fn set_strict(&self, _strict: bool) {}

    /// The libraries' algorithms that were chosen.
    fn algorithms(&self) -> Vec<(Key, Choice)> {
        Vec::new()
    }

    /// All ways that a library has to make a convolution.
    #[cfg(all(test, feature = "cuda"))]
    fn ways(&self, _key: &Key) -> Vec<Choice> {
        Vec::new()
    }

    /// What has become slow, and why.
    fn take_remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// Algorithms to choose.
    fn set_algorithms(&self, _algorithms: &[(Key, Choice)]) {}

    /// Runs work, and records it where the device can: the number of what was recorded.
    fn capture(&self, work: &mut dyn FnMut() -> Result<(), Error>) -> Result<Option<u64>, Error> {
        work().map(|()| None)
    }

    /// Runs what was recorded under that number, and not forgotten.
    fn replay(&self, _graph: u64) -> Result<(), Error> {
        unreachable!("this device records nothing")
    }

    /// What was recorded under that number is not used again.
    fn forget(&self, _graph: u64) {}
}

/// The error of what work that is being recorded cannot do.
fn recorded(doing: &str) -> Error {
    let said = "it cannot be recorded; work is run once before it is recorded, and allocates and waits for nothing";
    Error::Failed { doing: doing.to_owned(), said: said.to_owned() }
}

/// A device: cheap to clone, all clones are the one.
#[derive(Clone)]
pub struct Device(Arc<Shared<dyn Backend>>);

/// What all clones of a device have in common.
struct Shared<B: ?Sized> {
    graphs: AtomicBool,
    /// See [`Device::settings`].
    settings: AtomicU64,
    /// See [`Device::remark`].
    remarks: Mutex<Vec<String>>,
    said: Mutex<BTreeSet<String>>,
    backend: B,
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({})", self.facts().device)
    }
}

/// Recorded work of a device: see [`Device::capture`].
#[derive(Debug)]
pub struct Graph {
    device: Device,
    number: u64,
}

impl Drop for Graph {
    fn drop(&mut self) {
        self.device.backend().forget(self.number);
    }
}

impl Device {
    fn of(backend: impl Backend + 'static) -> Self {
        let (graphs, settings) = (AtomicBool::new(true), AtomicU64::new(0));
        Self(Arc::new(Shared { graphs, settings, remarks: Mutex::default(), said: Mutex::default(), backend }))
    }

    /// The emulation, whose blocks run their threads in that order.
    pub fn emulated(order: Order) -> Self {
        Self::emulated_with(order, u64::MAX)
    }

    /// The same with so many bytes of memory.
    pub fn emulated_with(order: Order, memory: u64) -> Self {
        Self::of(emulation::Emulation::new(order, memory))
    }

    /// The NVIDIA GPU of that number.
    ///
    /// # Errors
    /// When there is no driver or no such GPU, or no kernels for it; the error says what to do. A library that is
    /// missing is no error: [`Facts::remarks`] tells of it.
    #[cfg(feature = "cuda")]
    pub fn cuda(ordinal: usize) -> Result<Self, Error> {
        Ok(Self::of(cuda::Cuda::new(ordinal)?))
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
        self.backend().facts()
    }

    /// Whether it is the same device.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Waits for all work.
    ///
    /// # Errors
    /// Those of work that failed.
    pub fn synchronize(&self) -> Result<(), Error> {
        self.backend().synchronize()
    }

    /// Keeps a card that may have rested at work for a while, so that what is measured next is measured at the clocks that it trains
    /// at.
    ///
    /// # Errors
    /// Those of the driver.
    pub fn wake(&self) -> Result<(), Error> {
        if !self.backend().rests() {
            return Ok(());
        }
        let (memory, begun) = (self.allocate(DType::U8, 1 << 26)?, Instant::now());
        while begun.elapsed() < Duration::from_millis(100) {
            self.zero(memory.view())?;
            self.synchronize()?;
        }
        Ok(())
    }

    /// Whether libraries are to use only algorithms that give the same bytes each time. The kernels of this crate
    /// always do.
    ///
    /// If so, an algorithm is chosen by what the library says of the shape, on the same card with the same libraries
    /// always the same one, as long as there is memory for its workspace. If not, which is the default, by measurement, and where two are about as fast, another run
    /// may take the other.
    pub fn set_deterministic(&self, deterministic: bool) {
        self.settings_change();
        self.backend().set_deterministic(deterministic);
    }

    /// Whether libraries are to multiply `f32` as such. If not, which is the default, they may round factors to TF32,
    /// with 10 bits behind the point: several times as fast.
    pub fn set_strict(&self, strict: bool) {
        self.settings_change();
        self.backend().set_strict(strict);
    }

    /// Whether nets are to record the work of their training steps and run it again, see [`capture`](Self::capture).
    /// If so, which is the default, small nets train faster; the bytes are the same.
    pub fn set_graphs(&self, graphs: bool) {
        self.0.graphs.store(graphs, Ordering::Relaxed);
    }

    /// As [`set_graphs`](Self::set_graphs) was told.
    pub fn graphs(&self) -> bool {
        self.0.graphs.load(Ordering::Relaxed)
    }

    /// A number that changes whenever libraries are told what to use, by
    /// [`set_deterministic`](Self::set_deterministic), [`set_strict`](Self::set_strict) or
    /// [`set_algorithms`](Self::set_algorithms). Recorded work does not follow such a change, and work must be run once
    /// after it before it is recorded again.
    pub fn settings(&self) -> u64 {
        self.0.settings.load(Ordering::Relaxed)
    }

    fn settings_change(&self) {
        self.0.settings.fetch_add(1, Ordering::Relaxed);
    }

    /// The algorithms that were chosen for convolutions so far, sorted. [`set_algorithms`](Self::set_algorithms) takes
    /// them in a later run, which then makes the same choices. The emulation has none.
    pub fn algorithms(&self) -> Vec<(Key, Choice)> {
        self.backend().algorithms()
    }

    /// What a person should know of what has happened since this was asked last: a library that failed, so that what it made is
    /// slow from there on.
    pub fn take_remarks(&self) -> Vec<String> {
        let mut remarks = self.backend().take_remarks();
        remarks.append(&mut self.remarks());
        remarks
    }

    /// Adds to it, unless it was said before.
    pub fn remark(&self, words: String) {
        let mut said = self.0.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(words.clone()) {
            self.remarks().push(words);
        }
    }

    fn remarks(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.remarks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an earlier run's choices. One that the library does not take is chosen anew.
    pub fn set_algorithms(&self, algorithms: &[(Key, Choice)]) {
        self.settings_change();
        self.backend().set_algorithms(algorithms);
    }

    /// Does `work` once, and where the device can, records it to be done again by [`replay`](Self::replay), which on a
    /// card is faster: the launches are prepared. `None` where the device cannot: do the work itself again. Cards and
    /// the emulation can.
    ///
    /// What is recorded is launches, copies and zeroing, with the addresses and numbers that they are given now. So all
    /// that changes from one time to the next, a learning rate too, must lie in the device's memory. What is recorded
    /// runs after `work` has returned.
    ///
    /// Do the same work with the same shapes once before: kernels are loaded then, and the libraries choose algorithms
    /// and allocate. In `work` itself it is an error to do so, to allocate, to write, to read or to wait. Buffers may
    /// be dropped: what was allocated before is kept until the [`Graph`] is dropped. Other threads' calls wait until
    /// `work` has returned.
    ///
    /// # Errors
    /// Those of `work`, of which nothing has then been done where the device records, and those of the driver.
    pub fn capture(&self, work: &mut dyn FnMut() -> Result<(), Error>) -> Result<Option<Graph>, Error> {
        Ok(self.backend().capture(work)?.map(|number| Graph { device: self.clone(), number }))
    }

    /// Does recorded work again.
    ///
    /// # Errors
    /// Those of the driver.
    ///
    /// # Panics
    /// When another device recorded it.
    pub fn replay(&self, graph: &Graph) -> Result<(), Error> {
        let same = std::ptr::addr_eq(Arc::as_ptr(&self.0), Arc::as_ptr(&graph.device.0));
        assert!(same, "work of another device");
        self.backend().replay(graph.number)
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
        unsafe { self.backend().write(to.address(), from) }
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
        unsafe { self.backend().read(from.address(), to) }
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
        unsafe { self.backend().copy(from.address(), to.address(), from.bytes()) }
    }

    /// Zeros everywhere.
    ///
    /// # Errors
    /// Those of the driver.
    pub fn zero(&self, to: View<'_>) -> Result<(), Error> {
        // SAFETY: a view lies in its buffer.
        unsafe { self.backend().zero(to.address(), to.bytes()) }
    }

    /// # Safety
    /// `args` is the struct of that kernel, and the memory that it names is as long as the kernel takes it to be.
    pub(crate) unsafe fn launch<A: Args>(&self, kernel: &Kernel, grid: Grid, args: &A) -> Result<(), Error> {
        if grid.is_empty() {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { self.backend().launch(kernel, grid, std::ptr::from_ref(args).cast(), size_of::<A>()) }
    }

    pub(crate) fn backend(&self) -> &dyn Backend {
        &self.0.backend
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_is_not_there_is_an_error_that_says_what_to_do() {
        let error = Device::cuda(1_000_000).unwrap_err();
        match &error {
            Error::NotBuilt => assert!(!cfg!(feature = "cuda") && error.to_string().contains("--features cuda")),
            Error::Missing { what, remedy } | Error::NoGpu { what, remedy } => {
                assert!(cfg!(feature = "cuda") && !what.is_empty() && !remedy.is_empty())
            }
            _ => panic!("{error}"),
        }
    }

    #[test]
    fn what_is_recorded_is_done_once_and_again() {
        let device = Device::emulated(Order::Ascending);
        let (from, to) = (device.upload(&[1.0, 2.0]).unwrap(), device.zeros(DType::F32, 2).unwrap());
        let mut times = 0;
        let graph = device.capture(&mut || {
            times += 1;
            device.copy(from.view(), to.view())
        });
        let graph = graph.unwrap().expect("the emulation records");
        assert_eq!((times, device.read_f32(to.view()).unwrap()), (1, vec![1.0, 2.0]));
        device.write(from.view(), &[3f32, 4.0]).unwrap();
        device.replay(&graph).unwrap();
        assert_eq!(device.read_f32(to.view()).unwrap(), [3.0, 4.0]);
        let error = Error::Failed { doing: "a".to_owned(), said: "b".to_owned() };
        assert_eq!(device.capture(&mut || Err(error.clone())).unwrap_err(), error);
    }

    #[test]
    #[should_panic(expected = "work of another device")]
    fn only_the_device_that_recorded_work_runs_it() {
        let [one, other] = [(); 2].map(|()| Device::emulated(Order::Ascending));
        let graph = one.capture(&mut || Ok(())).unwrap().unwrap();
        drop(other.replay(&graph));
    }

    #[test]
    fn settings_are_those_of_all_clones() {
        let device = Device::emulated(Order::Ascending);
        let clone = device.clone();
        assert!(device.graphs() && device.is(&clone));
        clone.set_graphs(false);
        assert!(!device.graphs());
        let mut seen = vec![device.settings()];
        clone.set_deterministic(true);
        seen.push(device.settings());
        clone.set_strict(true);
        seen.push(device.settings());
        clone.set_algorithms(&device.algorithms());
        seen.push(device.settings());
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 4);
    }
}
